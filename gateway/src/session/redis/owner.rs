//! Whose session a record is of, and what they may do now.

use std::sync::Arc;
use std::time::Duration;

use super::RedisStore;
use super::fields::Fields;
use crate::clock::Moment;
use crate::session::provider::{Kept, ProviderHalf};
use crate::user::User;

/// Whose session that is whose record is `fields`, and which began at that moment; `None` if nobody may have it any more.
pub(super) fn owner(
    store: &RedisStore,
    fields: &Fields,
    began: Moment,
) -> Option<(Arc<User>, Option<ProviderHalf>)> {
    let Some(of) = &fields.provider else {
        let here = store.whose.user(fields.user, || Some(fields.as_recorded()))?;
        return Some((fields.bound(&here), None));
    };
    // Of a user of this gateway's own, the provider says no more than who it is.
    let (user, token) = if let Some(here) = store.whose.known(fields.user) {
        // Somebody else may be that user by now: the file may have changed while no gateway ran.
        if !store.whose.came_by(fields.user, of) {
            return None;
        }
        (fields.bound(&here), None)
    } else {
        // Nor may somebody who was a user of the file be one of the provider's alone: their ids follow from what it calls them.
        let is_by_grant =
            of.subject.as_ref().is_some_and(|it| it.starts_with(&fields.user.to_string()));
        if !is_by_grant || store.whose.is_taken(&fields.name) {
            return None;
        }
        let granted = store.granting.get()?.granted(&of.id, &fields.name, &of.groups)?;
        (fields.with_access(granted.access), granted.token)
    };
    let since = of.refreshed.map_or(0, |time| time.0.saturating_sub(fields.started.0));
    let refreshed = began.after(Duration::from_millis(since));
    let kept = Kept { groups: of.groups.clone(), ..Kept::default() };
    Some((user, Some(ProviderHalf::new(of.id.as_str().into(), token, kept, refreshed))))
}
