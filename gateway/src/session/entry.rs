//! A session in a form for another process of the same machine and user, which takes over from this one.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::Session;
use super::origin::{Named, Origin};
use super::provider::{Kept, ProviderHalf};
use super::token::SessionId;
use crate::clock::Moment;
use crate::request_meta::{Client, ClientKind};
use crate::user::access::Access;
use crate::user::name::Username;
use crate::user::password::PasswordMark;
use crate::user::secret::{Shared, UpstreamSession};
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
    mark: Option<u64>,
    started: u64,
    usage: u64,
    kind: u32,
    agent: String,
    address: Option<IpAddr>,
    origin: Option<Box<Origin>>,
    provider: Option<Provided>,
    cookie: Option<Zeroizing<String>>,
}

/// What is kept of the sign-in provider that the user came by.
#[derive(Serialize, Deserialize)]
struct Provided {
    provider: String,
    kept: Kept,
    refreshed: u64,
}

/// Who a user of another process is here.
pub struct KnownHere {
    /// The user.
    pub user: Arc<User>,
    /// The token that goes upstream by the user's grant, if there is one.
    pub token: Option<Arc<Shared>>,
}

impl Entry {
    /// That of `session`; `mark` is that of its user's password. `None` if InfluxDB no longer knows the session.
    pub fn of(session: &Session, mark: Option<PasswordMark>) -> Option<Self> {
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
            mark: mark.map(|mark| mark.0),
            started: session.started.millis(),
            usage: session.usage().word(),
            kind: client.kind.bits(),
            agent: client.kind.family().to_owned(),
            address: client.address,
            origin: session.origin.clone(),
            provider: session.provider().map(|half| Provided {
                provider: half.provider().to_string(),
                kept: half.kept(),
                refreshed: half.refreshed().millis(),
            }),
            cookie,
        })
    }

    /// The sign-in provider that the user came by, as it is called here, and the groups of the user that grants are for.
    pub fn came_by(&self) -> Option<(&str, &[String])> {
        self.provider.as_ref().map(|it| (it.provider.as_str(), it.kept.groups.as_slice()))
    }

    /// Whether the user is one of the users file, who came by that provider.
    pub fn is_linked(&self) -> bool {
        self.provider.as_ref().is_some_and(|it| it.kept.is_linked)
    }

    /// What that provider calls the user.
    pub fn subject(&self) -> Option<Named> {
        self.provider.as_ref()?.kept.subject
    }

    /// The mark of the user's password, where there is a users file.
    pub fn mark(&self) -> Option<PasswordMark> {
        self.mark.map(PasswordMark)
    }

    /// The session; its user is who `known` says it is, of the user as the other process has it.
    pub fn session(self, known: impl FnOnce(&Self, User) -> Option<KnownHere>) -> Option<Session> {
        let access = Access::ALL.into_iter().find(|access| access.word() == self.access)?;
        let status = if self.is_active { Status::Active } else { Status::Inactive };
        let (name, id) = (Username::of_influxdb(&self.name)?, UserId::of_bits(self.user));
        let KnownHere { user, token } =
            known(&self, User { name, id, status, access, token: None })?;
        let half = |Provided { provider, kept, refreshed }| {
            let refreshed = Moment::from_millis(refreshed);
            Box::new(ProviderHalf::new(provider.as_str().into(), token, kept, refreshed))
        };
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
            provider: self.provider.map(half),
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

    fn half() -> ProviderHalf {
        let refresh = Some("secret".to_owned().into());
        let kept = Kept { groups: vec!["g".to_owned()], refresh, ..Kept::default() };
        ProviderHalf::new("corp".into(), None, kept, Moment::from_millis(7))
    }

    fn here(user: Arc<User>) -> KnownHere {
        KnownHere { user, token: None }
    }

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
            .with_origin(Origin::new("provider", "subject", Some("session")))
            .with_provider(half());
        assert!(session.renew(at(5), &lifetime));
        let text = serde_json::to_string(&Entry::of(&session, Some(PasswordMark(9)))).unwrap();
        let read = || serde_json::from_str::<Option<Entry>>(&text).unwrap().unwrap();
        assert!(
            read()
                .session(|entry, _| entry.mark().is_none().then(|| here(session.user())))
                .is_none()
        );
        let other = read().session(|_, user| Some(here(Arc::new(user)))).unwrap();
        assert!(*other.user() == *session.user() && other.named().eq(session.named()));
        assert_eq!((other.id(), other.client()), (session.id(), session.client()));
        assert_eq!(other.client().kind.family(), "Firefox");
        assert_eq!(other.deadline(&lifetime), Some(at(605)));
        assert_eq!((other.started, other.usage()), (session.started, session.usage()));
        let cookie = |session: &Session| session.upstream().unwrap().session().cookie();
        assert_eq!(cookie(&other), cookie(&session));
        let [ours, there] = [&session, &other].map(|it| it.provider().unwrap());
        assert_eq!((ours.provider(), ours.refreshed()), (there.provider(), there.refreshed()));
        let kept = there.kept();
        assert_eq!((kept.groups, kept.refresh.unwrap().as_str()), (vec!["g".to_owned()], "secret"));
        session.end();
        let text = serde_json::to_string(&Entry::of(&session, None)).unwrap();
        let ended: Option<Entry> = serde_json::from_str(&text).unwrap();
        assert!(ended.unwrap().session(|_, user| Some(here(Arc::new(user)))).unwrap().has_ended());
        session.upstream().unwrap().forget();
        assert!(Entry::of(&session, None).is_none());
    }
}
