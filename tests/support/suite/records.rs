//! What else a commit does: documents, history, quarantine, counters, figures.

use std::time::Duration;

use wecom_gateway::model::Lane;
use wecom_gateway::store::{Commit, Quarantined, Start, StoreError};

use super::outbox::{step, with_jobs};
use crate::support::harness::*;

const LONG: Duration = Duration::from_secs(3600);

pub async fn history_is_newest_first_and_capped_at_a_thousand(h: &Harness) {
    let p = part(34);
    let f = with_jobs(h, p, vec![]).await;
    for round in 0..5u64 {
        let n = round + 2;
        let jobs = (0..205).map(|k| job(n, k, Lane::Chore, h.now(), None)).collect();
        let ends = (0..205).map(|k| end(id(n, k))).collect();
        step(h, &f, Commit { jobs, ends, ..at(1) }).await;
    }
    let got = h.store.history(p, 5_000).await.unwrap();
    assert_eq!(got.len(), 1_000);
    assert_eq!(got[0], end(id(6, 204)).record);
    assert_eq!(got[999], end(id(2, 25)).record);
    assert_eq!(
        h.store.history(p, 2).await.unwrap(),
        [end(id(6, 204)).record, end(id(6, 203)).record]
    );
    assert_eq!(h.store.stats(&[p]).await.unwrap()[0].jobs, [0; 4]);
}

pub async fn documents_live_as_long_as_they_were_given(h: &Harness) {
    let p = part(35);
    let f = with_jobs(h, p, vec![]).await;
    let c = Commit {
        docs: vec![
            doc("a", Some(b"1"), LONG),
            doc("b", Some(b""), Duration::MAX),
            doc("c", Some(b"3"), LONG),
            doc("c", None, LONG),
            doc("文/é\n", Some(&[0, 255]), LONG),
        ],
        ..at(1)
    };
    step(h, &f, c).await;
    h.store.put_part(p, &doc("part", Some(b"list"), LONG)).await.unwrap();
    h.store.put_part(p, &doc("part", Some(b"list"), LONG)).await.unwrap();
    let keys = ["a", "b", "c", "文/é\n", "part", "none"].map(String::from);
    let got = h.store.docs(p, &keys).await.unwrap();
    assert_eq!(
        got,
        [
            Some(b"1".to_vec()),
            Some(vec![]),
            None,
            Some(vec![0, 255]),
            Some(b"list".to_vec()),
            None
        ]
    );
    assert!(h.store.docs(p, &[]).await.unwrap().is_empty());
    assert_eq!(
        h.store.docs(part(36), &keys[..1]).await.unwrap(),
        [None],
        "another partition"
    );
}

pub async fn quarantine_keeps_entry_and_reason_and_the_position_advances(h: &Harness) {
    let p = part(37);
    let f = with_jobs(h, p, vec![]).await;
    let q = |n, reason: &str| Quarantined {
        n,
        reason: reason.into(),
        blob: vec![0, 10, 255],
    };
    let c = Commit {
        position: 3,
        quarantine: vec![q(2, "不能读"), q(3, "")],
        ..Commit::default()
    };
    h.store.commit(&f, 1, &c).await.unwrap();
    assert_eq!(h.store.quarantined(p, 9).await.unwrap(), [q(2, "不能读"), q(3, "")]);
    assert_eq!(h.store.quarantined(p, 1).await.unwrap(), [q(2, "不能读")]);
    let stats = h.store.stats(&[p]).await.unwrap()[0].clone();
    assert_eq!((stats.quarantined, stats.position, stats.head), (2, 3, 10));
}

pub async fn counters_add_up(h: &Harness) {
    let p = part(38);
    let f = with_jobs(h, p, vec![]).await;
    let c = |by| Commit {
        counters: vec![("b".into(), by), ("a".into(), 1), ("b".into(), 1)],
        ..at(1)
    };
    step(h, &f, c(5)).await;
    step(h, &f, c(-2)).await;
    assert_eq!(
        h.store.counters(p).await.unwrap(),
        [("a".to_owned(), 2), ("b".to_owned(), 5)]
    );
}

pub async fn figures_count_waiting_jobs_but_the_oldest_is_a_head(h: &Harness) {
    let p = part(39);
    let now = h.now();
    let old = now.minus(Duration::from_secs(50));
    with_jobs(
        h,
        p,
        vec![
            job(1, 0, Lane::Reply, now, None),
            job(1, 1, Lane::Reply, old, Some(id(1, 0))),
            job(1, 2, Lane::Bulk, old, None),
        ],
    )
    .await;
    let all = h.store.stats(&[part(40), p]).await.unwrap();
    assert_eq!(
        (all[1].jobs, all[1].oldest),
        ([0, 2, 0, 1], [None, Some(now), None, Some(old)])
    );
    assert_eq!(all[0], wecom_gateway::store::PartitionStats::default());
}

pub async fn too_large_a_commit_is_refused_whole(h: &Harness) {
    let p = part(41);
    let f = with_jobs(h, p, vec![]).await;
    let big = vec![7u8; 150 * 1024];
    let many = Commit {
        counters: vec![("c".into(), 1); 257],
        ..at(1)
    };
    let heavy = Commit {
        docs: (0..3).map(|i| doc(&format!("{i}"), Some(&big), LONG)).collect(),
        ..at(1)
    };
    for c in [many, heavy] {
        assert!(matches!(h.store.commit(&f, 1, &c).await, Err(StoreError::Refused(_))));
    }
    let largest = Commit {
        jobs: (0..256).map(|k| job(2, k, Lane::Bulk, h.now(), None)).collect(),
        docs: (0..256).map(|i| doc(&format!("{i}"), Some(&[1; 512]), LONG)).collect(),
        starts: (0..256)
            .map(|k| Start {
                id: id(2, k),
                blob: None,
            })
            .collect(),
        ends: (0..256).map(|k| end(id(2, k))).collect(),
        ..at(1)
    };
    step(h, &f, largest).await;
    assert_eq!(h.store.history(p, 999).await.unwrap().len(), 256);
}
