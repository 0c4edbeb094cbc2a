//! What every test may use: one PostgreSQL server and one Kafka broker a run, a database and a topic of its
//! own a test, the real binaries as processes, a proxy that cuts connections, and waiting by condition.

mod broker;
mod database;
mod kafka;
mod owing;
mod process;
mod proxy;
mod server;
pub mod sockets;
mod sweeper;
mod wait;

pub use broker::OwnBroker;
pub use database::{TestDatabase, connect, database, empty_database};
pub use kafka::{TestKafka, kafka};
pub use owing::Owing;
pub use process::{Process, free_port};
pub use proxy::Proxy;
pub use server::{OwnServer, own_server};
pub use wait::eventually;
