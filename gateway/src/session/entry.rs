//! A session in a form for another process of the same machine and user, which takes over from this one.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::Session;
use super::origin::Origin;
use super::token::SessionId;
use crate::clock::Moment;
use crate::request_meta::{Client, ClientKind};
use crate::user::access::Access;
use crate::user::name::Username;
use crate::user::secret::UpstreamSession;
use crate::user::{Status, User, UserId};

/// All there is to know of a session but its token, which nobody has. InfluxDB's cookie is in it.
#[derive(Serialize, Deserialize)]
pub struct Entry {
    id: String,
    /// The id under which it is counted.
    counted: u64,
    user: u64,
    name: String,
    is_active: bool,
    access: String,
    /// That of the password that the user has, where there is a users file.
    mark: Option<String>,
    started: u64,
    usage: u64,
    kind: u32,
    agent: String,
    address: Option<IpAddr>,
    origin: Option<Box<Origin>>,
    cookie: Option<Zeroizing<String>>,
}

impl Entry {
    /// That of `session`; `mark` is that of its user's password. `None` if InfluxDB no longer knows the session.
    pub fn of(session: &Session, mark: Option<String>) -> Option<Self> {
        let (user, client) = (session.user(), session.client());
        let cookie = match session.upstream() {
            Some(half) if half.is_forgotten() => return None,
            Some(half) => Some(Zeroizing::new(half.session().cookie().to_str().ok()?.to_owned())),
            None => None,
        };
        Some(Self {
            id: session.id().hex(),
            counted: session.user_id().bits(),
            user: user.id().bits(),
            name: user.name.as_str().to_owned(),
            is_active: user.status == Status::Active,
            access: user.access.word().to_owned(),
            mark,
            started: session.started.millis(),
            usage: session.usage().word(),
            kind: client.kind.bits(),
            agent: client.kind.family().to_owned(),
            address: client.address,
            origin: session.origin.clone(),
            cookie,
        })
    }

    /// The session; its user is who `known` says it is, of the user as the other process has it and the mark.
    pub fn session(
        self,
        known: impl FnOnce(User, Option<&str>) -> Option<Arc<User>>,
    ) -> Option<Session> {
        let access = Access::ALL.into_iter().find(|access| access.word() == self.access)?;
        let status = if self.is_active { Status::Active } else { Status::Inactive };
        let (name, id) = (Username::of_influxdb(&self.name)?, UserId::of_bits(self.user));
        let user = known(User { name, id, status, access, token: None }, self.mark.as_deref())?;
        let cookie = match &self.cookie {
            Some(cookie) => Some(UpstreamSession::parse(cookie.as_bytes())?),
            None => None,
        };
        let id = SessionId::of_hex(self.id.as_bytes())?;
        let kind = ClientKind::of_bits(self.kind).called(self.agent.as_bytes());
        // When InfluxDB was last asked is not known here, so it is asked soon.
        let session = Session::start(id, user, cookie, Moment::from_millis(0));
        Some(Session {
            user_id: AtomicU64::new(self.counted),
            started: Moment::from_millis(self.started),
            usage: AtomicU64::new(self.usage),
            client: Client { address: self.address, kind },
            origin: self.origin,
            ..session
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::session::Lifetime;
    use crate::session::token::SessionToken;
    use crate::user::tests::user;

    #[test]
    fn a_session_is_the_same_in_the_other_process() {
        let lifetime = Lifetime { idle: Duration::from_secs(600), absolute: None };
        let at = |seconds| Moment::START.after(Duration::from_secs(seconds));
        let client = Client {
            address: Some("2001:db8::1".parse().unwrap()),
            kind: ClientKind::of(b"Mozilla/5.0 Firefox/140.0"),
        };
        let cookie = UpstreamSession::parse(b"influxdb-oss-session=\"x\"");
        let id = SessionToken::generate().id();
        let session = Session::start(id, Arc::new(user("ada")), cookie, at(1))
            .of_client(client)
            .with_origin(Origin::new("provider", "subject", Some("session")));
        assert!(session.renew(at(5), &lifetime));
        let text = serde_json::to_string(&Entry::of(&session, Some("m".to_owned()))).unwrap();
        let read = || serde_json::from_str::<Option<Entry>>(&text).unwrap().unwrap();
        assert!(read().session(|_, mark| mark.is_none().then(|| session.user())).is_none());
        let other = read().session(|user, _| Some(Arc::new(user))).unwrap();
        assert!(*other.user() == *session.user() && other.named().eq(session.named()));
        assert_eq!((other.id(), other.client()), (session.id(), session.client()));
        assert_eq!(other.client().kind.family(), "Firefox");
        assert_eq!(other.deadline(&lifetime), Some(at(605)));
        assert_eq!((other.started, other.usage()), (session.started, session.usage()));
        let cookie = |session: &Session| session.upstream().unwrap().session().cookie();
        assert_eq!(cookie(&other), cookie(&session));
        session.end();
        let text = serde_json::to_string(&Entry::of(&session, None)).unwrap();
        let ended: Option<Entry> = serde_json::from_str(&text).unwrap();
        assert!(ended.unwrap().session(|user, _| Some(Arc::new(user))).unwrap().has_ended());
        session.upstream().unwrap().forget();
        assert!(Entry::of(&session, None).is_none());
    }
}
