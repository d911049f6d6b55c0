//! Jobs that wait for each other.

use std::time::Duration;

use wecom_gateway::model::Lane;
use wecom_gateway::store::{Commit, Defer, StoreError};

use super::outbox::{step, with_jobs};
use crate::support::harness::*;

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
