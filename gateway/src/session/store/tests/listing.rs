//! Lists of sessions.

use std::collections::BTreeSet;

use super::*;

pub(super) async fn sessions_are_listed(make: &Make) {
    let stage = Stage::new(make, 10, 10);
    let ada = stage.create("ada", at(0)).await.unwrap();
    stage.create("bob", at(0)).await.unwrap();
    assert!(stage.lives(&ada, at(500)).await);
    let all = stage.store.page(Place::default(), 2, at(500)).await.unwrap().records;
    assert_eq!((all.len(), stage.store.count(at(500)).await.unwrap()), (2, 2));
    // One after the other.
    let first = stage.store.page(Place::default(), 1, at(500)).await.unwrap();
    let second = stage.store.page(first.next.unwrap(), 1, at(500)).await.unwrap();
    let names =
        |page: &Page| page.records.iter().map(|it| it.user_name.clone()).collect::<String>();
    assert_eq!(BTreeSet::from([names(&first), names(&second)]).len(), 2);
    let third = stage.store.page(second.next.unwrap(), 1, at(500)).await.unwrap();
    assert!(third.records.is_empty() && third.next.is_none());

    let of_ada = stage.store.find(Wanted::User("ada".to_owned()), at(500)).await.unwrap();
    let [record] = &of_ada[..] else { panic!("{} records", of_ada.len()) };
    assert!(record.id == ada.id() && record.user_name == "ada");
    let own = |name, now| stage.store.records_of(user(name).id(), now);
    let [record] = &own("ada", at(500)).await.unwrap()[..] else { panic!("not ada's one") };
    assert!(record.id == ada.id() && own("eve", at(500)).await.unwrap().is_empty());
    let digits = |count| Wanted::Id(ada.id().digits(count));
    assert_eq!(stage.store.find(digits(16), at(500)).await.unwrap().len(), 1);
    assert_eq!(stage.store.find(Wanted::Id("ff".repeat(32)), at(500)).await.unwrap().len(), 0);
    assert_eq!(record.last_used.0 - record.started.0, 500_000);
    assert_eq!(record.expires.0 - record.last_used.0, 600_000);
    // Bob's has idled out.
    assert_eq!(
        (own("ada", at(700)).await.unwrap().len(), own("bob", at(700)).await.unwrap().len()),
        (1, 0)
    );
    let live = stage.store.page(Place::default(), 9, at(700)).await.unwrap().records;
    assert!(live.len() == 1 && live[0].user_name == "ada");
}
