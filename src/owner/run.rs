//! One run of a job, outside the worker: prepare it, call, and say what became of it.

use super::outbox::{Prep, PrepResult};
use super::slots::Slot;
use super::worker::Shared;
use super::{Done, Finish};
use crate::broadcast;
use crate::clock;
use crate::delivery::{Attempt, FactPatch, Prepared, Ready, Then};
use crate::kf;
use crate::model::{Action, Doc, Ending, Job, Outcome, Partition};
use crate::store::StoredJob;

/// What is ready to be called.
pub(super) enum Work {
    /// A call of the delivery room.
    Call(Box<Ready>),
    /// The next page of a kf account.
    Pull(kf::Page),
    /// A chunk of a broadcast.
    Broadcast(Box<broadcast::Chunk>),
}

impl Work {
    /// Hash of what would be said.
    pub fn said(&self) -> Option<u64> {
        match self {
            Self::Call(ready) => ready.said,
            Self::Pull(_) | Self::Broadcast(_) => None,
        }
    }

    /// The job with its facts frozen into it, if that changed it.
    pub fn frozen_job(&self) -> Option<Job> {
        match self {
            Self::Call(ready) => ready.job.clone(),
            Self::Pull(_) | Self::Broadcast(_) => None,
        }
    }
}

/// Looks up, renders, uploads, asks the limiter. Nothing here puts a message before a person.
pub(super) async fn prepare(
    shared: &Shared,
    partition: Partition,
    position: u64,
    job: &Job,
    stored: &StoredJob,
    doc: &Doc,
    slot: Slot,
) -> Prep {
    let id = stored.id;
    let context = &shared.context;
    let prep = |facts, result| Prep { id, result, facts };
    let finish = |f: Finish| PrepResult::Finish(Box::new(Done::only(f)));
    let now = context.clock.now();
    let ready = match &job.action {
        Action::KfPull { .. } => match kf::next_page(doc, id.n, position) {
            Some(page) => Work::Pull(page),
            None => {
                let ending = Ending::new(Outcome::Delivered, "coalesced");
                return prep(FactPatch::default(), finish(Finish::End(ending)));
            }
        },
        Action::BroadcastChunk { .. } => {
            match broadcast::prepare(&context.delivery, &context.store, job, doc, now).await {
                broadcast::Prepared::Ready(chunk) => Work::Broadcast(chunk),
                broadcast::Prepared::End(ending) => return prep(FactPatch::default(), finish(Finish::End(ending))),
                broadcast::Prepared::Later { until, reason } => {
                    let wait = Finish::Wait {
                        until,
                        refused: false,
                        reason: reason.into(),
                    };
                    return prep(FactPatch::default(), finish(wait));
                }
            }
        }
        _ => {
            let attempt = Attempt {
                job,
                id,
                partition,
                doc,
                tries: stored.tries,
                attempts: stored.attempts,
                started: stored.started.as_ref(),
                now,
            };
            let outcome = context.delivery.prepare(&attempt).await;
            match outcome.prepared {
                Prepared::End(ending) => return prep(outcome.facts, finish(Finish::End(ending))),
                Prepared::Later { until, reason } => {
                    return prep(
                        outcome.facts,
                        finish(Finish::Wait {
                            until,
                            refused: false,
                            reason: reason.into(),
                        }),
                    );
                }
                Prepared::Ready(ready) => match context.delivery.permit(&ready).await {
                    Ok(()) => return prep(outcome.facts, PrepResult::Ready(Box::new((Work::Call(ready), slot)))),
                    Err(until) => {
                        let wait = Finish::Wait {
                            until,
                            refused: false,
                            reason: "limit".into(),
                        };
                        return prep(outcome.facts, finish(wait));
                    }
                },
            }
        }
    };
    prep(FactPatch::default(), PrepResult::Ready(Box::new((ready, slot))))
}

/// The call. No call starts when the last successful beat is older than 3 s.
pub(super) async fn call(shared: &Shared, partition: Partition, job: &Job, stored: &StoredJob, work: Work) -> Done {
    let context = &shared.context;
    if !shared.leases.fresh(partition) {
        let until = context.clock.now().plus(std::time::Duration::from_secs(1));
        return Done::only(Finish::Wait {
            until,
            refused: true,
            reason: "lease_stale".into(),
        });
    }
    let began = clock::monotonic();
    let done = match work {
        Work::Call(ready) => {
            let result = context.delivery.call(*ready).await;
            let finish = match result.then {
                Then::End(ending) => Finish::End(ending),
                Then::Retry { after, refused, reason } => Finish::Wait {
                    until: context.clock.now().plus(after),
                    refused,
                    reason,
                },
                Then::Later { until, refused, reason } => Finish::Wait { until, refused, reason },
            };
            Done {
                finish,
                facts: result.facts,
                account: None,
            }
        }
        Work::Pull(page) => kf_done(
            kf::pull(&context.delivery, &context.intake, job, stored.attempts, page).await,
            shared,
        ),
        Work::Broadcast(chunk) => {
            let ending = broadcast::call(&context.delivery, &context.store, job, *chunk, stored.attempts).await;
            let finish = match ending {
                broadcast::Called::End(ending) => Finish::End(ending),
                broadcast::Called::Retry { after, reason } => Finish::Wait {
                    until: context.clock.now().plus(after),
                    refused: true,
                    reason: reason.into(),
                },
            };
            Done::only(finish)
        }
    };
    let took = clock::monotonic().saturating_duration_since(began);
    tracing::debug!(%partition, job = %stored.id, action = job.action.word(), took_ms = took.as_millis(), "called");
    done
}

fn kf_done(pulled: kf::Pulled, shared: &Shared) -> Done {
    let now = shared.context.clock.now();
    match pulled {
        kf::Pulled::Page { account, more } => {
            let finish = if more {
                Finish::Again
            } else {
                Finish::End(Ending::new(Outcome::Delivered, "ok"))
            };
            Done {
                finish,
                facts: FactPatch::default(),
                account: Some(account),
            }
        }
        kf::Pulled::Retry { after, reason } => Done::only(Finish::Wait {
            until: now.plus(after),
            refused: true,
            reason: reason.into(),
        }),
        kf::Pulled::End(ending) => Done::only(Finish::End(ending)),
    }
}
