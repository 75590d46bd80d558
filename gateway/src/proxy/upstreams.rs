//! The servers that requests go to: InfluxDB, and perhaps another one for its pages.

use std::sync::Arc;

use super::upstream::Upstream;
use crate::api::forward::Forward;

/// Where requests go.
#[derive(Clone)]
pub struct Upstreams {
    /// InfluxDB.
    pub influxdb: Arc<Upstream>,
    /// The server of its pages, if that is another.
    pub ui: Option<Arc<Upstream>>,
}

impl Upstreams {
    /// Where a request with this leave goes.
    ///
    /// Leave to go elsewhere is given only where there is such a server: that is so from the start of the process to its
    /// end.
    pub fn of(&self, forward: Option<&Forward>) -> &Arc<Upstream> {
        let is_apart = forward.is_some_and(Forward::is_apart);
        self.ui.as_ref().filter(|_| is_apart).unwrap_or(&self.influxdb)
    }

    /// Where Pingora loads authorities from for all connections, as one upstream has it.
    pub fn authorities(&self) -> Option<String> {
        let of_ui = self.ui.as_ref().map_or_else(|| Some(String::new()), |ui| ui.authorities());
        of_ui.and(self.influxdb.authorities())
    }
}
