//! Requests, by what they asked for and what came of them.

use super::label::{Label, Method, RouteClass, StatusClass};
use super::text::{Kind, Text};
use super::values::{Counter, Metric};

type ByStatus = [Counter; StatusClass::COUNT];
type ByMethod = [ByStatus; Method::COUNT];

/// A counter for each route class, method and status class.
#[repr(align(64))]
pub struct Requests([ByMethod; RouteClass::COUNT]);

impl Requests {
    /// None yet.
    pub const fn new() -> Self {
        Self([const { [const { [const { Counter::new() }; _] }; _] }; _])
    }

    /// One more of these.
    pub fn count(&self, route: RouteClass, method: Method, status: StatusClass) {
        self.0[route.index()][method.index()][status.index()].count();
    }
}

impl Metric for Requests {
    const KIND: Kind = Kind::Counter;

    /// Where there was a request, counters of all statuses are there, so that each is seen to grow from
    /// zero.
    fn write(&self, text: &mut Text) {
        for (by_method, route) in self.0.iter().zip(RouteClass::WORDS) {
            for (by_status, method) in by_method.iter().zip(Method::WORDS) {
                if by_status.iter().all(|counter| counter.get() == 0) {
                    continue;
                }
                for (counter, status) in by_status.iter().zip(StatusClass::WORDS) {
                    let labels = [
                        (RouteClass::NAME, *route),
                        (Method::NAME, method),
                        (StatusClass::NAME, status),
                    ];
                    text.sample("", &labels, counter.get());
                }
            }
        }
    }
}
