//! Jobs, documents, history, quarantine: what a commit does.

use std::time::Duration;

use wecom_gateway::model::{JobId, Lane, Partition};
use wecom_gateway::store::{Commit, Defer, Fence, Quarantined, Start, Started, StoreError};

use crate::support::harness::*;

const LONG: Duration = Duration::from_secs(3600);

/// An owned partition with ten entries and a first commit of jobs.
async fn with_jobs(h: &Harness, p: Partition, jobs: Vec<wecom_gateway::store::NewJob>) -> Fence {
    h.fill(p, 10).await;
    let f = h.acquire(p, "me").await.fence;
    let c = Commit {
        position: 1,
        jobs,
        ..Commit::default()
    };
    h.store.commit(&f, 0, &c).await.unwrap();
    f
}

async fn step(h: &Harness, f: &Fence, c: Commit) -> Vec<JobId> {
    h.store
        .commit(f, 1, &Commit { position: 1, ..c })
        .await
        .unwrap()
        .released
}

pub async fn due_jobs_come_by_time_then_id_and_by_lane(h: &Harness) {
    let p = part(22);
    let now = h.now();
    let later = now.plus(Duration::from_secs(5));
    with_jobs(
        h,
        p,
        vec![
            job(10, 0, Lane::Reply, now, None),
            job(9, 1, Lane::Reply, now, None),
            job(9, 0, Lane::Reply, now, None),
            job(11, 0, Lane::Reply, now.minus(Duration::from_secs(1)), None),
            job(8, 0, Lane::Reply, later, None),
            job(7, 0, Lane::Urgent, now, None),
        ],
    )
    .await;
    let all = h.store.due(p, Lane::Reply, 10).await.unwrap();
    assert_eq!(
        all.jobs.iter().map(|j| j.id).collect::<Vec<_>>(),
        [id(11, 0), id(9, 0), id(9, 1), id(10, 0)]
    );
    assert_eq!((all.next, all.now), (Some(later), now));
    assert_eq!(all.jobs[1].blob, b"job 9-0");
    let some = h.store.due(p, Lane::Reply, 2).await.unwrap();
    assert_eq!(some.jobs.len(), 2);
    assert_eq!(some.next, Some(now));
    assert_eq!(h.ids_due(p, Lane::Urgent).await, [id(7, 0)]);
    assert_eq!(h.store.due(p, Lane::Bulk, 5).await.unwrap().next, None);
    h.advance(Duration::from_secs(5));
    assert_eq!(h.ids_due(p, Lane::Reply).await.len(), 5);
    assert_eq!(
        h.store.due(p, Lane::Reply, 0).await.unwrap().next,
        Some(now.minus(Duration::from_secs(1)))
    );
}

pub async fn a_follower_becomes_due_only_when_the_one_before_it_has_ended(h: &Harness) {
    let p = part(23);
    let now = h.now();
    let (a, b, c) = (id(1, 0), id(1, 1), id(1, 2));
    let f = with_jobs(
        h,
        p,
        vec![
            job(1, 0, Lane::Reply, now, None),
            job(1, 1, Lane::Chore, now, Some(a)),
            job(1, 2, Lane::Reply, now, Some(b)),
        ],
    )
    .await;
    assert_eq!(h.ids_due(p, Lane::Reply).await, [a]);
    assert!(h.ids_due(p, Lane::Chore).await.is_empty());
    assert_eq!(h.store.due(p, Lane::Chore, 9).await.unwrap().next, None);
    assert_eq!(
        step(
            h,
            &f,
            Commit {
                ends: vec![end(a)],
                ..at(1)
            }
        )
        .await,
        [b]
    );
    assert_eq!(h.ids_due(p, Lane::Chore).await, [b]);
    assert!(h.ids_due(p, Lane::Reply).await.is_empty());
    assert!(
        step(
            h,
            &f,
            Commit {
                ends: vec![end(a)],
                ..at(1)
            }
        )
        .await
        .is_empty(),
        "ended twice"
    );
    assert_eq!(
        step(
            h,
            &f,
            Commit {
                ends: vec![end(b)],
                ..at(1)
            }
        )
        .await,
        [c]
    );
    assert_eq!(h.ids_due(p, Lane::Reply).await, [c]);
}

pub async fn a_follower_of_a_job_that_has_ended_is_due_at_once(h: &Harness) {
    let p = part(24);
    let f = with_jobs(h, p, vec![job(1, 0, Lane::Reply, h.now(), None)]).await;
    step(
        h,
        &f,
        Commit {
            ends: vec![end(id(1, 0))],
            ..at(1)
        },
    )
    .await;
    step(
        h,
        &f,
        Commit {
            jobs: vec![job(2, 0, Lane::Reply, h.now(), Some(id(1, 0)))],
            ..at(1)
        },
    )
    .await;
    assert_eq!(h.ids_due(p, Lane::Reply).await, [id(2, 0)]);
}

pub async fn a_chain_that_ends_in_one_step_releases_what_is_left_open(h: &Harness) {
    let p = part(25);
    let now = h.now();
    let f = with_jobs(
        h,
        p,
        vec![
            job(1, 0, Lane::Reply, now, None),
            job(1, 1, Lane::Reply, now, Some(id(1, 0))),
            job(1, 2, Lane::Reply, now, Some(id(1, 1))),
        ],
    )
    .await;
    let got = step(
        h,
        &f,
        Commit {
            ends: vec![end(id(1, 0)), end(id(1, 1))],
            ..at(1)
        },
    )
    .await;
    assert_eq!(got, [id(1, 2)]);
    assert_eq!(h.ids_due(p, Lane::Reply).await, [id(1, 2)]);
}

pub async fn a_waiting_job_that_is_ended_early_lets_its_own_follower_go(h: &Harness) {
    let p = part(26);
    let now = h.now();
    let f = with_jobs(
        h,
        p,
        vec![
            job(1, 0, Lane::Reply, now, None),
            job(1, 1, Lane::Reply, now, Some(id(1, 0))),
            job(1, 2, Lane::Reply, now, Some(id(1, 1))),
        ],
    )
    .await;
    assert_eq!(
        step(
            h,
            &f,
            Commit {
                ends: vec![end(id(1, 1))],
                ..at(1)
            }
        )
        .await,
        [id(1, 2)]
    );
    assert_eq!(h.ids_due(p, Lane::Reply).await, [id(1, 0), id(1, 2)]);
    // Its place behind the first is free again.
    step(
        h,
        &f,
        Commit {
            jobs: vec![job(2, 0, Lane::Reply, now, Some(id(1, 0)))],
            ..at(1)
        },
    )
    .await;
    assert_eq!(
        step(
            h,
            &f,
            Commit {
                ends: vec![end(id(1, 0))],
                ..at(1)
            }
        )
        .await,
        [id(2, 0)]
    );
}

pub async fn a_second_follower_and_a_second_job_of_one_id_are_refused_whole(h: &Harness) {
    let p = part(27);
    let now = h.now();
    let f = with_jobs(
        h,
        p,
        vec![
            job(1, 0, Lane::Reply, now, None),
            job(1, 1, Lane::Reply, now, Some(id(1, 0))),
        ],
    )
    .await;
    for bad in [
        vec![
            job(3, 0, Lane::Reply, now, None),
            job(2, 0, Lane::Reply, now, Some(id(1, 0))),
        ],
        vec![job(3, 0, Lane::Reply, now, None), job(1, 0, Lane::Reply, now, None)],
        vec![job(3, 0, Lane::Reply, now, None), job(3, 0, Lane::Reply, now, None)],
        vec![
            job(3, 0, Lane::Reply, now, None),
            job(3, 1, Lane::Reply, now, Some(id(3, 0))),
            job(3, 2, Lane::Reply, now, Some(id(3, 0))),
        ],
    ] {
        let c = Commit {
            position: 2,
            jobs: bad,
            ..Commit::default()
        };
        assert!(matches!(h.store.commit(&f, 1, &c).await, Err(StoreError::Refused(_))));
    }
    assert_eq!(h.store.stats(&[p]).await.unwrap()[0].jobs, [0, 2, 0, 0]);
    assert_eq!(h.store.stats(&[p]).await.unwrap()[0].position, 1);
}

pub async fn a_start_counts_and_keeps_the_first_time_that_may_have_arrived(h: &Harness) {
    let p = part(28);
    let a = id(1, 0);
    let f = with_jobs(h, p, vec![job(1, 0, Lane::Reply, h.now(), None)]).await;
    let first = h.now();
    step(
        h,
        &f,
        Commit {
            starts: vec![Start {
                id: a,
                blob: Some(b"frozen".to_vec()),
            }],
            ..at(1)
        },
    )
    .await;
    let got = h.store.job(p, a).await.unwrap().unwrap();
    let me = |at| Some(Started { at, nonce: "me".into() });
    assert_eq!(
        (got.tries, got.attempts, got.started, got.blob.as_slice()),
        (1, 1, me(first), b"frozen".as_slice())
    );
    h.advance(Duration::from_secs(7));
    let due = h.now().plus(Duration::from_secs(3));
    step(
        h,
        &f,
        Commit {
            defers: vec![Defer {
                id: a,
                due,
                refused: false,
                blob: None,
            }],
            ..at(1)
        },
    )
    .await;
    let got = h.store.job(p, a).await.unwrap().unwrap();
    assert_eq!((got.tries, got.attempts, got.started, got.due), (1, 1, me(first), due));
    assert!(h.ids_due(p, Lane::Reply).await.is_empty());
    step(
        h,
        &f,
        Commit {
            starts: vec![Start { id: a, blob: None }],
            ..at(1)
        },
    )
    .await;
    let got = h.store.job(p, a).await.unwrap().unwrap();
    assert_eq!((got.tries, got.attempts, got.started), (2, 2, me(first)));
    // The second was refused: the first may still have arrived.
    step(
        h,
        &f,
        Commit {
            defers: vec![Defer {
                id: a,
                due,
                refused: true,
                blob: None,
            }],
            ..at(1)
        },
    )
    .await;
    let got = h.store.job(p, a).await.unwrap().unwrap();
    assert_eq!((got.tries, got.attempts, got.started), (1, 2, me(first)));
}

pub async fn a_refused_only_try_leaves_no_trace_but_the_attempt(h: &Harness) {
    let p = part(29);
    let a = id(1, 0);
    let f = with_jobs(h, p, vec![job(1, 0, Lane::Bulk, h.now(), None)]).await;
    let defer = |blob: Option<&[u8]>| Defer {
        id: a,
        due: h.now(),
        refused: true,
        blob: blob.map(<[u8]>::to_vec),
    };
    step(
        h,
        &f,
        Commit {
            starts: vec![Start { id: a, blob: None }],
            ..at(1)
        },
    )
    .await;
    step(
        h,
        &f,
        Commit {
            defers: vec![defer(Some(b"new"))],
            ..at(1)
        },
    )
    .await;
    let got = h.store.job(p, a).await.unwrap().unwrap();
    assert_eq!(
        (got.tries, got.attempts, got.started, got.blob.as_slice()),
        (0, 1, None, b"new".as_slice())
    );
    step(
        h,
        &f,
        Commit {
            defers: vec![defer(None)],
            ..at(1)
        },
    )
    .await;
    assert_eq!(
        h.store.job(p, a).await.unwrap().unwrap().tries,
        0,
        "never below nothing"
    );
    assert_eq!(h.ids_due(p, Lane::Bulk).await, [a]);
}

pub async fn the_nonce_is_that_of_who_started_last(h: &Harness) {
    let p = part(30);
    let a = id(1, 0);
    let f = with_jobs(h, p, vec![job(1, 0, Lane::Reply, h.now(), None)]).await;
    let first = h.now();
    step(
        h,
        &f,
        Commit {
            starts: vec![Start { id: a, blob: None }],
            ..at(1)
        },
    )
    .await;
    h.advance(Duration::from_secs(1));
    let g = h.acquire(p, "a nonce of another length").await.fence;
    step(
        h,
        &g,
        Commit {
            starts: vec![Start { id: a, blob: None }],
            ..at(1)
        },
    )
    .await;
    let got = h.store.job(p, a).await.unwrap().unwrap();
    assert_eq!(
        got.started,
        Some(Started {
            at: first,
            nonce: "a nonce of another length".into()
        })
    );
    assert_eq!(got.blob, b"job 1-0");
}

pub async fn what_names_a_job_that_is_gone_is_passed_over(h: &Harness) {
    let p = part(31);
    let f = with_jobs(h, p, vec![job(1, 0, Lane::Reply, h.now(), None)]).await;
    let gone = id(5, 5);
    let got = step(
        h,
        &f,
        Commit {
            starts: vec![Start {
                id: gone,
                blob: Some(b"x".to_vec()),
            }],
            defers: vec![Defer {
                id: gone,
                due: h.now(),
                refused: true,
                blob: None,
            }],
            ends: vec![end(gone)],
            ..at(1)
        },
    )
    .await;
    assert!(got.is_empty());
    assert_eq!(h.store.job(p, gone).await.unwrap(), None);
    assert!(h.store.history(p, 9).await.unwrap().is_empty());
    assert_eq!(h.ids_due(p, Lane::Reply).await, [id(1, 0)]);
}

pub async fn a_waiting_job_can_be_deferred_and_still_waits(h: &Harness) {
    let p = part(32);
    let now = h.now();
    let f = with_jobs(
        h,
        p,
        vec![
            job(1, 0, Lane::Reply, now, None),
            job(1, 1, Lane::Reply, now, Some(id(1, 0))),
        ],
    )
    .await;
    let due = now.plus(Duration::from_secs(10));
    step(
        h,
        &f,
        Commit {
            defers: vec![Defer {
                id: id(1, 1),
                due,
                refused: false,
                blob: None,
            }],
            ..at(1)
        },
    )
    .await;
    assert_eq!(h.store.due(p, Lane::Reply, 9).await.unwrap().next, None);
    step(
        h,
        &f,
        Commit {
            ends: vec![end(id(1, 0))],
            ..at(1)
        },
    )
    .await;
    assert_eq!(h.store.due(p, Lane::Reply, 9).await.unwrap().next, Some(due));
}

pub async fn one_step_may_add_start_defer_and_end_in_that_order(h: &Harness) {
    let p = part(33);
    let now = h.now();
    let f = with_jobs(h, p, vec![]).await;
    let c = Commit {
        jobs: vec![job(1, 0, Lane::Reply, now, None), job(1, 1, Lane::Reply, now, None)],
        starts: vec![
            Start {
                id: id(1, 0),
                blob: None,
            },
            Start {
                id: id(1, 1),
                blob: None,
            },
        ],
        defers: vec![Defer {
            id: id(1, 1),
            due: now,
            refused: true,
            blob: None,
        }],
        ends: vec![end(id(1, 0))],
        ..at(1)
    };
    step(h, &f, c).await;
    let left = h.store.due(p, Lane::Reply, 9).await.unwrap().jobs;
    assert_eq!(
        (left.len(), left[0].id, left[0].tries, left[0].attempts),
        (1, id(1, 1), 0, 1)
    );
}

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
