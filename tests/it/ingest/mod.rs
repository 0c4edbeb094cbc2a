//! From a message on Kafka to its row or reject, through the real `pt-consumer`.

mod delivery;
mod faults;
mod fuses;
mod halves;
mod halves_moved;
mod holes;
pub mod lab;
mod lag;
mod live;
mod logs;
mod outages;
mod rebalance;
mod refusals;
mod restores;
mod rolling;
mod samples;
mod starts;
mod static_members;
mod stops;
mod vanished;
