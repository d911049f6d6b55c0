//! Ownership, fences, the living.

use std::time::Duration;

use wecom_gateway::store::{OwnerRecord, StoreError};

use crate::support::harness::*;

pub async fn a_new_store_has_64_records_without_an_owner(h: &Harness) {
    assert_eq!(h.store.owners().await.unwrap(), vec![OwnerRecord::default(); 64]);
}

pub async fn acquire_raises_the_epoch_and_tells_position_and_head(h: &Harness) {
    let p = part(12);
    h.fill(p, 3).await;
    let got = h.acquire(p, "a").await;
    assert_eq!(
        (got.fence.clone(), got.position, got.head, got.now),
        (fence(p, 1, "a"), 0, 3, h.now())
    );
    assert_eq!(h.store.owners().await.unwrap()[12], record(1, "a", 0));
    h.store.commit(&got.fence, 0, &at(2)).await.unwrap();
    let again = h.acquire(p, "b").await;
    assert_eq!((again.fence.epoch, again.position, again.head), (2, 2, 3));
}

pub async fn only_the_record_exactly_as_seen_is_replaced(h: &Harness) {
    let p = part(13);
    let got = h.acquire(p, "a").await;
    let seen = h.store.owners().await.unwrap()[13].clone();
    let other = |f: &dyn Fn(&mut OwnerRecord)| {
        let mut r = seen.clone();
        f(&mut r);
        r
    };
    for wrong in [
        OwnerRecord::default(),
        other(&|r| r.epoch += 1),
        other(&|r| r.nonce = "z".into()),
        other(&|r| r.node = "z".into()),
        other(&|r| r.beats += 1),
    ] {
        assert_eq!(h.store.acquire(p, &wrong, "b", "node").await.unwrap(), None);
    }
    h.store.beat(std::slice::from_ref(&got.fence)).await.unwrap();
    assert_eq!(
        h.store.acquire(p, &seen, "b", "node").await.unwrap(),
        None,
        "it beat since"
    );
}

pub async fn of_two_who_want_the_same_record_one_gets_it(h: &Harness) {
    let p = part(14);
    let seen = OwnerRecord::default();
    let (a, b) = tokio::join!(h.store.acquire(p, &seen, "a", "x"), h.store.acquire(p, &seen, "b", "y"));
    assert_eq!(usize::from(a.unwrap().is_some()) + usize::from(b.unwrap().is_some()), 1);
}

pub async fn a_beat_raises_what_is_ours_and_says_what_is_not(h: &Harness) {
    let (a, b) = (part(15), part(16));
    let ours = h.acquire(a, "me").await.fence;
    let lost = h.acquire(b, "me").await.fence;
    h.acquire(b, "you").await;
    let told = h
        .store
        .beat(&[ours.clone(), lost, fence(part(17), 1, "me")])
        .await
        .unwrap();
    assert_eq!((told.held, told.now), (vec![true, false, false], h.now()));
    h.store.beat(&[ours]).await.unwrap();
    let all = h.store.owners().await.unwrap();
    assert_eq!((all[15].beats, all[16].beats), (2, 0));
    assert_eq!(all[17], OwnerRecord::default());
    assert_eq!(h.store.beat(&[]).await.unwrap().now, h.now());
}

pub async fn release_keeps_the_epoch_and_only_the_owner_can(h: &Harness) {
    let p = part(18);
    let got = h.acquire(p, "a").await.fence;
    h.store.release(&fence(p, 1, "other")).await.unwrap();
    assert_eq!(h.store.owners().await.unwrap()[18].nonce, "a");
    h.store.release(&got).await.unwrap();
    let r = h.store.owners().await.unwrap()[18].clone();
    assert_eq!((r.epoch, r.nonce.as_str(), r.node.as_str()), (1, "", ""));
    h.store.release(&got).await.unwrap();
    assert!(matches!(
        h.store.commit(&got, 0, &at(0)).await,
        Err(StoreError::Lost(_))
    ));
    assert_eq!(h.acquire(p, "b").await.fence.epoch, 2);
}

pub async fn a_stale_fence_or_position_changes_nothing(h: &Harness) {
    let p = part(19);
    h.fill(p, 4).await;
    let old = h.acquire(p, "a").await.fence;
    h.store.commit(&old, 0, &at(1)).await.unwrap();
    let mut c = at(2);
    c.docs = vec![doc("d", Some(b"bad"), Duration::from_secs(60))];
    c.counters = vec![("c".into(), 1)];
    for (f, expected) in [
        (old.clone(), 0),
        (old.clone(), 2),
        (fence(p, 2, "a"), 1),
        (fence(p, 1, "b"), 1),
        (fence(part(20), 1, "a"), 1),
    ] {
        assert!(
            matches!(h.store.commit(&f, expected, &c).await, Err(StoreError::Lost(_))),
            "{f:?} {expected}"
        );
    }
    let new = h.acquire(p, "b").await.fence;
    assert!(matches!(h.store.commit(&old, 1, &c).await, Err(StoreError::Lost(_))));
    assert_eq!(h.store.docs(p, &["d".into()]).await.unwrap(), [None]);
    assert!(h.store.counters(p).await.unwrap().is_empty());
    assert!(h.store.commit(&new, 1, &c).await.is_ok());
    assert!(
        matches!(h.store.commit(&new, 1, &c).await, Err(StoreError::Lost(_))),
        "the same commit twice"
    );
    assert_eq!(h.store.counters(p).await.unwrap(), [("c".to_owned(), 1)]);
}

pub async fn the_position_stays_between_where_it_was_and_the_head(h: &Harness) {
    let p = part(21);
    h.fill(p, 2).await;
    let f = h.acquire(p, "a").await.fence;
    assert!(matches!(h.store.commit(&f, 0, &at(3)).await, Err(StoreError::Lost(_))));
    h.store.commit(&f, 0, &at(2)).await.unwrap();
    assert!(matches!(
        h.store.commit(&f, 2, &at(1)).await,
        Err(StoreError::Refused(_))
    ));
    h.store.commit(&f, 2, &at(2)).await.unwrap();
}

pub async fn the_living_are_those_who_spoke_within_five_seconds_and_take_partitions(h: &Harness) {
    let first = h.store.announce("b", true).await.unwrap();
    assert_eq!(
        (first.owners.as_slice(), first.now),
        (["b".to_owned()].as_slice(), h.now())
    );
    h.store.announce("intake", false).await.unwrap();
    h.advance(Duration::from_secs(4));
    assert_eq!(h.store.announce("a", true).await.unwrap().owners, ["a", "b"]);
    h.advance(Duration::from_secs(2));
    assert_eq!(h.store.announce("intake", false).await.unwrap().owners, ["a"]);
    h.store.retire("a").await.unwrap();
    h.store.retire("a").await.unwrap();
    assert!(h.store.announce("intake", false).await.unwrap().owners.is_empty());
    assert_eq!(h.store.announce("intake", true).await.unwrap().owners, ["intake"]);
}

pub async fn the_generation_is_one_and_the_same(h: &Harness) {
    let a = h.store.probe().await.unwrap();
    assert!(!a.is_empty());
    assert_eq!(h.store.announce("n", true).await.unwrap().generation, a);
    assert_eq!(h.store.probe().await.unwrap(), a);
}
