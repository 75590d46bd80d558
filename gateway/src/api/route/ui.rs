//! InfluxDB's own pages: who may have them, and which paths are theirs.

use super::places::is_page;

/// What happens to requests for InfluxDB's own pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ui {
    /// They are not forwarded.
    Closed,
    /// They are for everybody, to be looked at: InfluxDB asks for a sign-in by itself.
    Everybody,
    /// They are for who has a session, by any method: the pages themselves ask nobody for anything.
    Sessions {
        /// Whether they come from another server than InfluxDB.
        is_apart: bool,
    },
}

impl Ui {
    /// Whether there are any pages.
    pub fn is_open(self) -> bool {
        self != Self::Closed
    }

    /// Whether they are for who has a session.
    pub fn is_by_session(self) -> bool {
        matches!(self, Self::Sessions { .. })
    }

    /// Whether they come from another server than InfluxDB.
    pub fn is_apart(self) -> bool {
        matches!(self, Self::Sessions { is_apart: true })
    }

    /// The same pages, from another server than InfluxDB or not.
    #[must_use]
    pub fn of_elsewhere(self, is_apart: bool) -> Self {
        if self.is_by_session() { Self::Sessions { is_apart } } else { self }
    }

    /// Whether a page for who has a session is at `path`. A server of its own has paths below `/api/` too: all but
    /// those of a version, which are InfluxDB's.
    pub(super) fn has(self, path: &str) -> bool {
        let Self::Sessions { is_apart } = self else { return false };
        is_page(path) || (is_apart && is_of_its_own_api(path))
    }
}

fn is_of_its_own_api(path: &str) -> bool {
    let is_version = |below: &[u8]| matches!(below, [b'v' | b'V', b'0'..=b'9', ..]);
    path.strip_prefix("/api/").is_some_and(|below| !is_version(below.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_what_is_no_api_of_influxdbs() {
        let (with, apart) = (Ui::Sessions { is_apart: false }, Ui::Sessions { is_apart: true });
        for path in ["/", "/ws", "/assets/app.js", "/orgs/1", "/health/x", "/apix"] {
            assert!(with.has(path) && apart.has(path), "{path}");
            assert!(!Ui::Closed.has(path) && !Ui::Everybody.has(path), "{path}");
        }
        for path in ["/api/connections", "/api/", "/api/vx", "/api/influx/api/v3/query_sql"] {
            assert!(apart.has(path) && !with.has(path), "{path}");
        }
        for path in [
            "/api",
            "/api/v1/health",
            "/api/v2",
            "/api/v2private/notebooks",
            "/api/v3/query_sql",
            "/api/V3/query_sql",
            "/api/v30",
            "/arrow.flight.protocol.FlightService/DoGet",
            "/debug/pprof",
            "/metrics",
            "/private/legacy",
            "/query",
            "/v1/x",
            "/write/",
        ] {
            assert!(!apart.has(path) && !with.has(path), "{path}");
        }
    }
}
