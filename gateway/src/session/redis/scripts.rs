//! The scripts that Redis runs, each as a whole or not at all.

use std::sync::LazyLock;

use redis::{Script, ScriptInvocation};

use crate::session::origin::Named;
use crate::user::password::PasswordMark;

/// A script of this name, behind what every script begins with.
macro_rules! script {
    ($name:ident, $file:literal) => {
        pub(super) static $name: LazyLock<Script> = LazyLock::new(|| {
            Script::new(concat!(include_str!("prelude.lua"), include_str!($file)))
        });
    };
}

script!(ASSIGN, "assign.lua");
script!(COUNT, "count.lua");
script!(CREATE, "create.lua");
script!(END, "end.lua");
script!(GATEWAYS, "gateways.lua");
script!(HAND, "hand.lua");
script!(KEY, "key.lua");
script!(LIFT, "lift.lua");
script!(LIST, "list.lua");
script!(LOGGED_OUT, "logged_out.lua");
script!(LOOK_UP, "look_up.lua");
script!(OF_USER, "of_user.lua");
script!(ONCE, "once.lua");
script!(PASSWORD, "password.lua");
script!(PROVIDER, "provider.lua");
script!(REFRESH, "refresh.lua");
script!(SAME, "same.lua");
script!(SETTLE, "halves/settle.lua");
script!(SWEEP, "sweep.lua");
script!(TAKE, "halves/take.lua");
script!(THROTTLE, "throttle.lua");
script!(USER, "user.lua");

/// Where everything is in Redis.
pub(super) struct Keys {
    prefix: String,
}

impl Keys {
    /// With `prefix` before every key.
    pub(super) fn new(prefix: String) -> Self {
        Self { prefix }
    }

    /// A key of this name.
    pub(super) fn key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// That of a session's record; `id` in hex digits.
    pub(super) fn record(&self, id: &str) -> String {
        format!("{}s:{id}", self.prefix)
    }

    /// The id, in hex digits, in the key of a record; `None` if it is the key of something else.
    pub(super) fn id_in<'k>(&self, key: &'k [u8]) -> Option<&'k [u8]> {
        key.strip_prefix(self.prefix.as_bytes())?.strip_prefix(b"s:")
    }

    /// Where gateways say to each other what they say of the key that they seal by.
    pub(super) fn agreement(&self) -> String {
        self.key("key")
    }

    /// Whether that is `key`.
    pub(super) fn is_agreement(&self, key: &[u8]) -> bool {
        key.strip_prefix(self.prefix.as_bytes()) == Some(b"key")
    }

    /// That of the index of a user's sessions; `user` in hex digits.
    pub(super) fn user(&self, user: &str) -> String {
        format!("{}u:{user}", self.prefix)
    }

    /// That of what is kept of a password.
    pub(super) fn same_as(&self, password: PasswordMark) -> String {
        format!("{}same:{password}", self.prefix)
    }

    /// That of the index of sessions that a sign-in provider calls so.
    pub(super) fn named(&self, named: &Named) -> String {
        let index = match named {
            Named::Subject(_) => "p",
            Named::Session(_) => "i",
        };
        format!("{}{index}:{named}", self.prefix)
    }

    /// A run of `script` on `key`, its time told by `clock`: if empty, by Redis.
    pub(super) fn run<'s>(
        &self,
        script: &'s Script,
        key: String,
        clock: &str,
    ) -> ScriptInvocation<'s> {
        let mut run = script.prepare_invoke();
        run.key(key).arg(&self.prefix).arg(clock);
        run
    }
}
