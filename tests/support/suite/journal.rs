//! Append, marks, read.

use std::time::Duration;

use wecom_gateway::model::StoreTime;
use wecom_gateway::store::{Append, Appended, MarkKind, OwnEntry, StoreError};

use crate::support::harness::*;

pub async fn numbers_are_gapless_from_one_and_entries_come_back_in_order(h: &Harness) {
    let p = part(7);
    let now = h.now();
    let batch: Vec<Append> = (0..5u8).map(|i| entry(p, None, &[i, 0, 255])).collect();
    let got = h.store.append(&batch).await.unwrap();
    assert_eq!(got, (1..=5).map(|n| Appended::New { n, at: now }).collect::<Vec<_>>());
    let read = h.store.read(p, 2, 2).await.unwrap();
    assert_eq!(
        read.iter().map(|e| (e.n, e.blob[0])).collect::<Vec<_>>(),
        [(3, 2), (4, 3)]
    );
    assert_eq!(read[0].at, now);
    assert!(h.store.read(p, 5, 10).await.unwrap().is_empty());
    assert_eq!(h.store.heads().await.unwrap()[7], 5);
    assert_eq!(h.store.heads().await.unwrap().len(), 64);
    assert!(h.store.read(part(8), 0, 10).await.unwrap().is_empty());
}

pub async fn a_batch_over_several_partitions_answers_in_its_own_order(h: &Harness) {
    let (a, b) = (part(0), part(63));
    let batch = [
        entry(a, None, b"1"),
        entry(b, None, b"2"),
        entry(a, None, b"3"),
        entry(b, None, b"4"),
    ];
    let got = h.store.append(&batch).await.unwrap();
    let n = |i: usize| match got[i] {
        Appended::New { n, .. } => n,
        Appended::Duplicate => 0,
    };
    assert_eq!([n(0), n(1), n(2), n(3)], [1, 1, 2, 2]);
    assert!(h.store.append(&[]).await.unwrap().is_empty());
}

pub async fn the_age_is_subtracted_from_the_stores_own_time(h: &Harness) {
    let p = part(1);
    let mut e = entry(p, None, b"late");
    e.age = Duration::from_millis(90_500);
    h.store.append(&[e]).await.unwrap();
    assert_eq!(
        h.store.read(p, 0, 1).await.unwrap()[0].at,
        h.now().minus(Duration::from_millis(90_500))
    );
}

pub async fn a_known_mark_is_a_duplicate_for_at_least_as_long_as_its_kind_says(h: &Harness) {
    let p = part(2);
    for (i, kind) in [MarkKind::Event, MarkKind::KfMessage, MarkKind::Broadcast]
        .into_iter()
        .enumerate()
    {
        let e = entry(p, Some(mark(kind, i as u8)), b"once");
        let start = h.now();
        assert!(matches!(
            h.store.append(std::slice::from_ref(&e)).await.unwrap()[0],
            Appended::New { .. }
        ));
        for part in [1, 2, 3, 4] {
            h.set_time(start.0 + kind.keep().as_millis() as i64 * part / 4);
            assert_eq!(
                h.store.append(std::slice::from_ref(&e)).await.unwrap()[0],
                Appended::Duplicate,
                "{kind:?}"
            );
        }
        // In the third generation it is new again: nothing grows for ever.
        h.set_time(start.0 + kind.keep().as_millis() as i64 * 2);
        assert!(matches!(
            h.store.append(std::slice::from_ref(&e)).await.unwrap()[0],
            Appended::New { .. }
        ));
    }
    assert_eq!(h.store.heads().await.unwrap()[2], 6);
}

pub async fn one_mark_twice_in_a_batch_is_journalled_once(h: &Harness) {
    let p = part(3);
    let m = Some(mark(MarkKind::Event, 1));
    let got = h
        .store
        .append(&[entry(p, m.clone(), b"a"), entry(p, m, b"b"), entry(p, None, b"c")])
        .await
        .unwrap();
    let now = h.now();
    assert_eq!(
        got,
        [
            Appended::New { n: 1, at: now },
            Appended::Duplicate,
            Appended::New { n: 2, at: now }
        ]
    );
}

pub async fn marks_of_two_kinds_do_not_meet(h: &Harness) {
    let p = part(3);
    for kind in [MarkKind::Event, MarkKind::KfMessage, MarkKind::Broadcast] {
        let got = h.store.append(&[entry(p, Some(mark(kind, 9)), b"x")]).await.unwrap();
        assert!(matches!(got[0], Appended::New { .. }));
    }
}

pub async fn concurrent_repeats_of_one_event_leave_one_entry(h: &Harness) {
    let p = part(4);
    let calls = (0..50).map(|_| {
        let store = h.store.clone();
        tokio::spawn(async move {
            store
                .append(&[entry(p, Some(mark(MarkKind::Event, 5)), b"same")])
                .await
                .unwrap()
        })
    });
    let calls: Vec<_> = calls.collect();
    let mut new = 0;
    for call in calls {
        new += usize::from(call.await.unwrap()[0] != Appended::Duplicate);
    }
    assert_eq!(new, 1);
    assert_eq!(h.store.heads().await.unwrap()[4], 1);
}

pub async fn too_large_a_batch_is_refused_whole(h: &Harness) {
    let p = part(5);
    let many: Vec<Append> = (0..257).map(|_| entry(p, None, b"x")).collect();
    let heavy: Vec<Append> = (0..3).map(|_| entry(p, None, &vec![1; 200 * 1024])).collect();
    for batch in [many, heavy, vec![entry(p, None, &vec![1; 2 * 1024 * 1024])]] {
        assert!(matches!(h.store.append(&batch).await, Err(StoreError::Refused(_))));
    }
    assert_eq!(h.store.heads().await.unwrap()[5], 0);
    assert!(h.store.append(&[entry(p, None, &vec![1; 1024 * 1024])]).await.is_ok());
    assert_eq!(h.store.read(p, 0, 9).await.unwrap()[0].blob.len(), 1024 * 1024);
}

pub async fn own_entries_get_the_next_numbers_and_respect_marks(h: &Harness) {
    let p = part(6);
    let got = h.acquire(p, "n").await;
    h.fill(p, 1).await;
    let own = |m, blob: &[u8]| OwnEntry {
        mark: m,
        blob: blob.to_vec(),
    };
    let mut c = at(1);
    c.entries = vec![
        own(Some(mark(MarkKind::Event, 1)), b"t1"),
        own(Some(mark(MarkKind::Event, 1)), b"t2"),
        own(None, b"t3"),
    ];
    let done = h.store.commit(&got.fence, 0, &c).await.unwrap();
    assert_eq!(done.head, 3);
    let read = h.store.read(p, 1, 9).await.unwrap();
    assert_eq!(
        read.iter().map(|e| e.blob.as_slice()).collect::<Vec<_>>(),
        [b"t1", b"t3"]
    );
    assert_eq!(read[0].at, h.now());
}

pub async fn what_is_not_decided_is_never_trimmed_and_what_is_decided_goes_after_keep(h: &Harness) {
    let p = part(6);
    let got = h.acquire(p, "n").await;
    h.fill(p, 40).await;
    h.store.commit(&got.fence, 0, &at(16)).await.unwrap();
    assert_eq!(
        h.store.read(p, 0, 100).await.unwrap().len(),
        40,
        "nothing is old enough"
    );
    h.advance(KEEP + Duration::from_secs(1));
    h.store.commit(&got.fence, 16, &at(32)).await.unwrap();
    let left: Vec<u64> = h.store.read(p, 0, 100).await.unwrap().iter().map(|e| e.n).collect();
    assert_eq!(left, (33..=40).collect::<Vec<_>>());
    assert_eq!(h.store.heads().await.unwrap()[6], 40);
}

pub async fn a_wake_names_the_partition_and_only_when_asked(h: &Harness) {
    let mut wakes = h.store.wakes();
    h.store.probe().await.unwrap();
    // Pub/sub is subscribed in the background: ring until it is heard. Lossy by contract.
    let mut e = entry(part(9), None, b"x");
    e.wake = true;
    let mut quiet = entry(part(10), None, b"x");
    quiet.wake = false;
    for _ in 0..200 {
        h.store.append(&[quiet.clone(), e.clone()]).await.unwrap();
        if let Ok(heard) = tokio::time::timeout(Duration::from_millis(20), wakes.recv()).await {
            assert_eq!(heard.unwrap(), 9);
            return;
        }
    }
    panic!("no wake was heard");
}

pub async fn the_journal_keeps_first_acceptance_even_before_the_epoch(h: &Harness) {
    let p = part(11);
    let mut e = entry(p, None, b"x");
    e.age = Duration::from_millis(h.now().0 as u64 + 5);
    h.store.append(&[e]).await.unwrap();
    assert_eq!(h.store.read(p, 0, 1).await.unwrap()[0].at, StoreTime(-5));
}
