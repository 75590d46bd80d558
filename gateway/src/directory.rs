//! Who may sign in, and who says so: a users file, or InfluxDB itself.

pub mod edit;
pub mod file;
pub mod influxdb;
pub mod parse;
pub mod users;

use std::sync::Arc;

use file::FileDirectory;
use influxdb::InfluxdbDirectory;

/// The directory of users.
pub enum Directory {
    /// A users file.
    File(FileDirectory),
    /// InfluxDB 2.
    Influxdb(Arc<InfluxdbDirectory>),
}
