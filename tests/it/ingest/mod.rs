//! From a message on Kafka to its row or reject, through the real `pt-consumer`.

mod delivery;
mod faults;
mod fuses;
mod holes;
pub mod lab;
mod lag;
mod outages;
mod refusals;
mod restores;
mod samples;
mod starts;
mod stops;
