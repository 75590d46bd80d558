//! The directory: who may sign in. It is a users file, or InfluxDB itself.

mod admission;
pub mod client_tokens;
pub mod edit;
mod fair_queue;
pub mod file;
pub mod hash_pool;
pub mod influxdb;
pub mod link;
pub mod parse;
pub mod users;

use std::sync::Arc;

pub use admission::Overloaded;
pub use fair_queue::Claim;
use file::FileDirectory;
use influxdb::InfluxdbDirectory;

/// The directory of users.
pub enum Directory {
    /// A users file.
    File(Arc<FileDirectory>),
    /// InfluxDB 2.
    Influxdb(Arc<InfluxdbDirectory>),
}
