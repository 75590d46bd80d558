//! What benches, examples and fuzz targets reach of the gateway; no part of the program.

pub use crate::api::cookie::{CookieRules, SameSite, Secure};
pub use crate::api::forward::Forward;
pub use crate::api::framing::{self, HeadLimits, HeadScan};
pub use crate::api::identity::IdentityHeaders;
pub use crate::api::path;
pub use crate::api::route::{Forwarding, Route, Unversioned};
pub use crate::app::{Loaded, bind, load};
pub use crate::auth::credential::{Caller, Shared};
pub use crate::clock::Moment;
pub use crate::edge::head;
pub use crate::edge::identity::Preparation;
pub use crate::edge::listener::Bound;
pub use crate::edge::origin::{ClientInfo, TrustedProxies};
pub use crate::edge::request_id::{RequestId, X_REQUEST_ID};
pub use crate::edge::upstream::Upstream;
pub use crate::limits::Limits;
pub use crate::session::memory::{Capacity, MemoryStore};
pub use crate::session::token::{SessionId, SessionToken};
pub use crate::session::{Lifetime, Session};
pub use crate::user::access::Access;
pub use crate::user::secret::{ApiToken, Scheme};
pub use crate::user::{Status, User, UserId};
