//! Jobs: what a commit does to them.

use std::time::Duration;

use wecom_gateway::model::{JobId, Lane, Partition};
use wecom_gateway::store::{Commit, Defer, Fence, Start, Started};

use crate::support::harness::*;

/// An owned partition with ten entries and a first commit of jobs.
pub async fn with_jobs(h: &Harness, p: Partition, jobs: Vec<wecom_gateway::store::NewJob>) -> Fence {
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

pub async fn step(h: &Harness, f: &Fence, c: Commit) -> Vec<JobId> {
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
