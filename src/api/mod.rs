//! The read API over HTTP.
//!
//! `router` is the map. A request passes through `middleware`, its query string through `params`, and
//! its question through `reading` to the database; what goes wrong becomes a `problem`.

mod accounting;
mod app;
mod archive;
mod client;
mod counts;
mod csv;
mod duration;
mod explain;
mod failures;
mod identity;
mod kibana;
mod list;
mod live;
mod middleware;
mod names;
pub mod openapi;
mod params;
mod payload;
mod payloads;
pub mod problem;
mod producers;
mod rate_limit;
mod reading;
mod ready;
mod reject;
mod rejects;
mod render;
mod request_log;
mod router;
pub mod server;
mod stats;
mod statuses;
mod storage_broker;
mod stuck;
mod trace;

pub use app::App;
pub use archive::Archive;
pub use live::Live;
pub use reading::{ReadError, Reader, Sessions};
pub use ready::ready_check;
pub use router::{MOUNTS, router};
