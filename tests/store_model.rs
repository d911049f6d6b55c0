//! Random sequences of commands against a store and a small model, with shrinking: after each command both must
//! say the same, and at the end they must hold the same.

#![expect(clippy::unwrap_used, reason = "tests")]

mod support;

use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use support::harness::*;
use support::model::Model;
use wecom_gateway::model::Lane;
use wecom_gateway::store::{Appended, Commit, Defer, Fence, MarkKind, OwnEntry, Quarantined, Start, StoreError};

/// Two owners fight over one partition; ids, marks and keys are few, so that they meet.
#[derive(Debug, Clone)]
enum Command {
    Append {
        mark: Option<u8>,
        age: u16,
    },
    Acquire {
        who: usize,
        stale: bool,
    },
    Beat {
        who: usize,
    },
    Release {
        who: usize,
    },
    Commit {
        who: usize,
        off: i8,
        advance: u8,
        step: Step,
    },
    Advance {
        ms: u32,
    },
}

/// Number, place, lane, due from now, the one before.
type PlannedJob = (u8, u8, u8, i16, Option<(u8, u8)>);

#[derive(Debug, Clone, Default)]
struct Step {
    jobs: Vec<PlannedJob>,
    starts: Vec<((u8, u8), bool)>,
    defers: Vec<((u8, u8), i16, bool, bool)>,
    ends: Vec<(u8, u8)>,
    docs: Vec<(u8, Option<u8>)>,
    entries: Vec<Option<u8>>,
    quarantine: bool,
    counters: Vec<(u8, i8)>,
}

fn job_id() -> impl Strategy<Value = (u8, u8)> {
    (1u8..4, 0u8..3)
}

fn a_step() -> impl Strategy<Value = Step> {
    let few = 0..3usize;
    (
        prop::collection::vec((1u8..4, 0u8..3, 0u8..4, -200i16..200, prop::option::of(job_id())), 0..4),
        prop::collection::vec((job_id(), any::<bool>()), few.clone()),
        prop::collection::vec((job_id(), -200i16..200, any::<bool>(), any::<bool>()), few.clone()),
        prop::collection::vec(job_id(), few.clone()),
        prop::collection::vec((0u8..3, prop::option::of(any::<u8>())), few.clone()),
        prop::collection::vec(prop::option::of(0u8..4), few.clone()),
        any::<bool>(),
        prop::collection::vec((0u8..3, any::<i8>()), few),
    )
        .prop_map(
            |(jobs, starts, defers, ends, docs, entries, quarantine, counters)| Step {
                jobs,
                starts,
                defers,
                ends,
                docs,
                entries,
                quarantine,
                counters,
            },
        )
}

fn a_command() -> impl Strategy<Value = Command> {
    prop_oneof![
        3 => (prop::option::of(0u8..4), 0u16..5000).prop_map(|(mark, age)| Command::Append { mark, age }),
        1 => (0usize..2, prop::bool::weighted(0.2)).prop_map(|(who, stale)| Command::Acquire { who, stale }),
        1 => (0usize..2).prop_map(|who| Command::Beat { who }),
        1 => (0usize..2).prop_map(|who| Command::Release { who }),
        8 => (0usize..2, prop_oneof![8 => Just(0i8), 1 => -1i8..2], 0u8..3, a_step())
            .prop_map(|(who, off, advance, step)| Command::Commit { who, off, advance, step }),
        1 => (0u32..300).prop_map(|ms| Command::Advance { ms }),
    ]
}

fn the_commit(position: u64, s: &Step, now: wecom_gateway::model::StoreTime) -> Commit {
    let id = |(n, k): (u8, u8)| id(u64::from(n), u32::from(k));
    let at = |ms: i16| wecom_gateway::model::StoreTime(now.0 + i64::from(ms));
    let blob = |some: bool| some.then(|| b"changed".to_vec());
    Commit {
        position,
        jobs: s
            .jobs
            .iter()
            .map(|(n, k, lane, due, after)| {
                job(
                    u64::from(*n),
                    u32::from(*k),
                    Lane::ALL[usize::from(*lane)],
                    at(*due),
                    after.map(id),
                )
            })
            .collect(),
        docs: s
            .docs
            .iter()
            .map(|(k, v)| {
                doc(
                    &format!("k{k}"),
                    v.as_ref().map(std::slice::from_ref),
                    Duration::from_secs(3600),
                )
            })
            .collect(),
        entries: s
            .entries
            .iter()
            .map(|m| OwnEntry {
                mark: m.map(|m| mark(MarkKind::Event, m)),
                blob: b"own".to_vec(),
            })
            .collect(),
        quarantine: if s.quarantine {
            vec![Quarantined {
                n: position,
                reason: "why".into(),
                blob: vec![1],
            }]
        } else {
            vec![]
        },
        starts: s
            .starts
            .iter()
            .map(|(j, b)| Start {
                id: id(*j),
                blob: blob(*b),
            })
            .collect(),
        defers: s
            .defers
            .iter()
            .map(|(j, due, refused, b)| Defer {
                id: id(*j),
                due: at(*due),
                refused: *refused,
                blob: blob(*b),
            })
            .collect(),
        ends: s.ends.iter().map(|j| end(id(*j))).collect(),
        counters: s
            .counters
            .iter()
            .map(|(c, by)| (format!("c{c}"), i64::from(*by)))
            .collect(),
    }
}

const NONCES: [&str; 2] = ["alpha", "be"];

/// Runs one sequence in partition `p` of a store.
async fn run(h: &Harness, p: wecom_gateway::model::Partition, commands: &[Command]) -> Result<(), TestCaseError> {
    let mut model = Model::default();
    let mut fences: [Option<Fence>; 2] = [None, None];
    let mut stale = model.owner.clone();
    for command in commands {
        let now = h.now();
        match command {
            Command::Append { mark: m, age } => {
                let mut e = entry(p, m.map(|m| mark(MarkKind::Event, m)), b"event");
                e.age = Duration::from_millis(u64::from(*age));
                let at = now.minus(e.age);
                let want = model.append(at, e.mark.as_ref(), &e.blob);
                let want = want.map_or(Appended::Duplicate, |n| Appended::New { n, at });
                prop_assert_eq!(h.store.append(&[e]).await.unwrap(), vec![want]);
            }
            Command::Acquire { who, stale: old } => {
                let seen = if *old { stale.clone() } else { model.owner.clone() };
                stale = model.owner.clone();
                let got = h.store.acquire(p, &seen, NONCES[*who], "node").await.unwrap();
                prop_assert_eq!(got.is_some(), model.acquire(&seen, NONCES[*who]));
                if let Some(got) = got {
                    prop_assert_eq!((got.position, got.head), (model.position, model.journal.len() as u64));
                    fences[*who] = Some(got.fence);
                }
            }
            Command::Beat { who } => {
                if let Some(f) = &fences[*who] {
                    let ours = model.owner.epoch == f.epoch && model.owner.nonce == f.nonce;
                    model.owner.beats += u64::from(ours);
                    prop_assert_eq!(h.store.beat(std::slice::from_ref(f)).await.unwrap().held, vec![ours]);
                }
            }
            Command::Release { who } => {
                if let Some(f) = &fences[*who] {
                    if model.owner.epoch == f.epoch && model.owner.nonce == f.nonce {
                        model.owner.nonce.clear();
                        model.owner.node.clear();
                    }
                    h.store.release(f).await.unwrap();
                }
            }
            Command::Commit {
                who,
                off,
                advance,
                step,
            } => {
                let Some(f) = &fences[*who] else { continue };
                let expected = model.position.saturating_add_signed(i64::from(*off));
                let c = the_commit(expected + u64::from(*advance), step, now);
                let want = model.commit((f.epoch, &f.nonce), expected, &c, now);
                let got = h.store.commit(f, expected, &c).await;
                match (want, got) {
                    (Ok(want), Ok(got)) => prop_assert_eq!(got, want),
                    (Err(StoreError::Lost(_)), Err(StoreError::Lost(_)))
                    | (Err(StoreError::Refused(_)), Err(StoreError::Refused(_))) => {}
                    (want, got) => prop_assert!(false, "the model says {want:?}, the store {got:?}"),
                }
            }
            Command::Advance { ms } => h.advance(Duration::from_millis(u64::from(*ms))),
        }
        same(h, p, &model).await?;
    }
    Ok(())
}

/// All that can be read is the same.
async fn same(h: &Harness, p: wecom_gateway::model::Partition, m: &Model) -> Result<(), TestCaseError> {
    let s = &h.store;
    prop_assert_eq!(&s.owners().await.unwrap()[p.index()], &m.owner);
    prop_assert_eq!(s.stats(&[p]).await.unwrap(), vec![m.stats()]);
    for lane in Lane::ALL {
        for max in [2, 100] {
            prop_assert_eq!(s.due(p, lane, max).await.unwrap(), m.due(lane, max, h.now()));
        }
    }
    for n in 1..4 {
        for k in 0..3 {
            prop_assert_eq!(
                s.job(p, id(n, k)).await.unwrap(),
                m.jobs.get(&id(n, k)).map(|(j, _)| j.clone())
            );
        }
    }
    let journal: Vec<_> = s
        .read(p, 0, 10_000)
        .await
        .unwrap()
        .into_iter()
        .map(|e| (e.at, e.blob))
        .collect();
    prop_assert_eq!(&journal, &m.journal);
    prop_assert_eq!(&s.history(p, 10_000).await.unwrap(), &m.history);
    prop_assert_eq!(&s.quarantined(p, 10_000).await.unwrap(), &m.quarantine);
    prop_assert_eq!(
        s.counters(p).await.unwrap(),
        m.counters.clone().into_iter().collect::<Vec<_>>()
    );
    let keys = ["k0", "k1", "k2"].map(String::from);
    prop_assert_eq!(
        s.docs(p, &keys).await.unwrap(),
        keys.iter().map(|k| m.docs.get(k).cloned()).collect::<Vec<_>>()
    );
    Ok(())
}

/// Many sequences on stores made by `make`, each in a partition nobody used yet.
fn check(cases: u32, make: impl Fn(&tokio::runtime::Runtime) -> Harness) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let current = std::cell::RefCell::new((make(&runtime), 0u8));
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    TestRunner::new(config)
        .run(&prop::collection::vec(a_command(), 1..40), |commands| {
            if current.borrow().1 == 64 {
                *current.borrow_mut() = (make(&runtime), 0);
            }
            let at = current.borrow().1;
            current.borrow_mut().1 += 1;
            runtime.block_on(run(&current.borrow().0, part(at), &commands))
        })
        .unwrap();
}

#[test]
fn sqlite_does_what_the_model_does() {
    check(60, |_| Harness::sqlite());
}

#[test]
fn redis_does_what_the_model_does() {
    check(60, |runtime| runtime.block_on(Harness::redis()));
}
