//! Shared values.

use std::time::Duration;

use crate::support::harness::*;

const TTL: Option<Duration> = Some(Duration::from_secs(100));

pub async fn a_value_is_set_only_by_who_knows_its_version(h: &Harness) {
    let s = &h.store;
    let none = s.shared("ww1", "token:main").await.unwrap();
    assert_eq!(
        (none.version, none.value, none.expires, none.now),
        (0, None, None, h.now())
    );
    assert!(
        !s.compare_and_set("ww1", "token:main", 7, Some(b"x"), TTL)
            .await
            .unwrap()
    );
    assert!(
        s.compare_and_set("ww1", "token:main", 0, Some(b"one"), TTL)
            .await
            .unwrap()
    );
    assert!(
        !s.compare_and_set("ww1", "token:main", 0, Some(b"two"), TTL)
            .await
            .unwrap()
    );
    let one = s.shared("ww1", "token:main").await.unwrap();
    assert_eq!(
        (one.value.as_deref(), one.expires),
        (Some(b"one".as_slice()), Some(h.now().plus(Duration::from_secs(100))))
    );
    assert!(
        s.compare_and_set("ww1", "token:main", one.version, Some(b"two"), None)
            .await
            .unwrap()
    );
    let two = s.shared("ww1", "token:main").await.unwrap();
    assert!(two.version > one.version);
    assert_eq!((two.value.as_deref(), two.expires), (Some(b"two".as_slice()), None));
    assert_eq!(s.shared("ww2", "token:main").await.unwrap().version, 0, "another corp");
}

pub async fn a_deleted_value_is_absent_and_its_version_never_comes_back(h: &Harness) {
    let s = &h.store;
    assert!(s.compare_and_set("ww1", "k", 0, Some(b"a"), None).await.unwrap());
    let old = s.shared("ww1", "k").await.unwrap().version;
    assert!(!s.compare_and_set("ww1", "k", 0, None, None).await.unwrap());
    assert!(s.compare_and_set("ww1", "k", old, None, None).await.unwrap());
    assert_eq!(s.shared("ww1", "k").await.unwrap().version, 0);
    assert!(s.compare_and_set("ww1", "k", 0, Some(b"b"), None).await.unwrap());
    assert!(!s.compare_and_set("ww1", "k", old, Some(b"stale"), None).await.unwrap());
    assert_eq!(
        s.shared("ww1", "k").await.unwrap().value.as_deref(),
        Some(b"b".as_slice())
    );
}

pub async fn of_many_who_set_at_once_one_wins(h: &Harness) {
    let calls: Vec<_> = (0..20u8)
        .map(|i| {
            let store = h.store.clone();
            tokio::spawn(async move { store.compare_and_set("ww1", "race", 0, Some(&[i]), TTL).await.unwrap() })
        })
        .collect();
    let mut won = 0;
    for call in calls {
        won += usize::from(call.await.unwrap());
    }
    assert_eq!(won, 1);
}

pub async fn a_value_that_has_expired_is_absent(h: &Harness) {
    let s = &h.store;
    assert!(s.compare_and_set("ww1", "short", 0, Some(b"a"), TTL).await.unwrap());
    h.advance(Duration::from_secs(101));
    let gone = s.shared("ww1", "short").await.unwrap();
    assert_eq!((gone.version, gone.value), (0, None));
    assert!(s.compare_and_set("ww1", "short", 0, Some(b"b"), TTL).await.unwrap());
}
