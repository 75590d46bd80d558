//! The gateways that share a Redis, and whether they have the same users, or the same key.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use super::{RedisStore, millis, scripts};
use crate::session::error::StoreError;
use crate::session::lock;

/// How often a gateway says that it lives.
pub(super) const EVERY: Duration = Duration::from_secs(2);

/// For how long it is believed.
const LIFE: Duration = Duration::from_secs(10);

/// What another gateway says: its name, up to when it lives, a digest of its users, and its host.
type Other = (String, u64, String, String);

/// What the other gateways have said last.
#[derive(Default)]
pub(super) struct Roster(Mutex<Known>);

#[derive(Default)]
struct Known {
    digest: String,
    others: HashMap<String, Seen>,
}

struct Seen {
    ends: u64,
    digest: String,
    /// Whether the log says that its users are others.
    is_told: bool,
}

/// Something for the log.
#[derive(Debug, PartialEq, Eq)]
enum News {
    Differs(String),
    Agrees(String),
}

/// Says that this gateway lives, and compares what it has with what the others have.
pub(super) async fn announce(store: &RedisStore) -> Result<(), StoreError> {
    let (what, digest) = store.whose.common();
    let others: Vec<Other> = say(store, &digest, LIFE).await?;
    for news in lock(&store.roster.0).compare(digest, &others) {
        match news {
            News::Differs(host) => log::warn!(
                "the {what} differs from that of the gateway on {host}, which shares this session store: \
                 expected the same at all gateways; give each the same {what}"
            ),
            News::Agrees(host) => {
                log::info!("the {what} is that of the gateway on {host} again");
            }
        }
    }
    Ok(())
}

/// Says that this gateway stops.
pub(super) async fn leave(store: &RedisStore) {
    // Otherwise it is believed to live for a little longer.
    let _: Result<Vec<Other>, _> = say(store, "", Duration::ZERO).await;
}

async fn say(store: &RedisStore, digest: &str, life: Duration) -> Result<Vec<Other>, StoreError> {
    let mut run = store.script(&scripts::GATEWAYS, store.shared.keys.key("gateways"), None);
    let host = rustix::system::uname();
    let host = host.nodename().to_string_lossy();
    run.arg(&store.gateway).arg(digest).arg(&*host).arg(millis(life));
    store.link.ask(&run).await
}

impl Known {
    /// What is new. That users are others is so once it was seen twice, of a gateway that has spoken in
    /// between: not all read a changed file in the same moment, and one of them may be gone.
    fn compare(&mut self, digest: String, others: &[Other]) -> Vec<News> {
        let is_settled = self.digest == digest;
        self.digest = digest;
        let mut news = Vec::new();
        let mut seen = HashMap::new();
        for (name, ends, digest, host) in others {
            let before = self.others.remove(name);
            let was_told = before.as_ref().is_some_and(|before| before.is_told);
            let differs = *digest != self.digest;
            let is_lasting = is_settled
                && before.is_some_and(|before| before.digest == *digest && before.ends != *ends);
            if differs && is_lasting && !was_told {
                news.push(News::Differs(host.clone()));
            }
            if !differs && was_told {
                news.push(News::Agrees(host.clone()));
            }
            let is_told = differs && (was_told || is_lasting);
            seen.insert(name.clone(), Seen { ends: *ends, digest: digest.clone(), is_told });
        }
        self.others = seen;
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What another gateway says with its users `digest` for the `time`th time.
    fn other(digest: &str, time: u64) -> [Other; 1] {
        [("b".to_owned(), time, digest.to_owned(), "host".to_owned())]
    }

    #[test]
    fn users_that_differ_are_told_of_once_when_that_lasts() {
        let (mut known, host) = (Known::default(), || "host".to_owned());
        let mut look = |own: &str, others: &[Other]| known.compare(own.to_owned(), others);
        assert_eq!(look("1", &other("1", 1)), []);
        // It reads the new file first; so does this one, a little later.
        assert_eq!(look("1", &other("2", 2)), []);
        assert_eq!(look("2", &other("2", 3)), []);
        // Here it lasts.
        assert_eq!(look("3", &other("2", 4)), []);
        assert_eq!(look("3", &other("2", 5)), [News::Differs(host())]);
        assert_eq!(look("3", &other("2", 6)), []);
        assert_eq!(look("3", &other("3", 7)), [News::Agrees(host())]);
        // One that was killed says nothing more.
        assert_eq!(look("3", &other("4", 8)), []);
        assert_eq!(look("3", &other("4", 8)), []);
        assert_eq!(look("3", &[]), []);
    }
}
