//! The directory: who may sign in. It is a users file, or InfluxDB itself.

pub mod edit;
mod fair;
pub mod file;
pub mod hashing;
pub mod influxdb;
pub mod parse;
mod turns;
pub mod users;

use std::sync::Arc;

pub use fair::Claim;
use file::FileDirectory;
use influxdb::InfluxdbDirectory;
pub use turns::Busy;

/// The directory of users.
pub enum Directory {
    /// A users file.
    File(Arc<FileDirectory>),
    /// InfluxDB 2.
    Influxdb(Arc<InfluxdbDirectory>),
}
