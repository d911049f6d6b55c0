//! Jobs in a worker's memory: due → prepared → started → called → ended.

use std::collections::VecDeque;
use std::sync::Arc;

use super::calls::CallState;
use super::recover::{Found, found};
use super::run::{self, Work};
use super::slots::{Slot, lane_index};
use super::worker::{Gone, Worker};
use super::{Done, Finish};
use crate::delivery::FactPatch;
use crate::dialog;
use crate::model::job::Class;
use crate::model::{Action, Ending, Job, JobId, Lane, Outcome, StoreTime};
use crate::store::{Defer, Start, StoredJob};

/// Jobs of one lane in memory at most (DESIGN, "due window").
pub(super) const WINDOW: usize = 1000;
/// Jobs of one lane and partition that wait for a slot or are prepared at once; the rest waits in a list, which
/// is cheaper than a task with a copy of the document.
const PREPARING: usize = 32;

/// A job in memory.
pub(super) struct Live {
    pub stored: StoredJob,
    pub job: Job,
    pub phase: Phase,
}

/// How far a job is.
pub(super) enum Phase {
    /// Due; nothing begun.
    Due,
    /// Waits for a slot, look-ups, a permit.
    Preparing,
    /// Its start is in the next commit.
    Starting(Box<(Work, Slot)>),
    /// Called.
    Calling,
    /// Its outcome or its new due time is in the next commit.
    Ending,
}

impl Live {
    /// Something of it is under way that must be committed or answered.
    pub fn in_flight(&self) -> bool {
        matches!(self.phase, Phase::Starting(_) | Phase::Calling | Phase::Ending)
    }
}

/// What preparing a job led to.
pub(super) struct Prep {
    pub id: JobId,
    pub result: PrepResult,
    pub facts: crate::delivery::FactPatch,
}

/// See [`Prep`].
pub(super) enum PrepResult {
    /// It may be called.
    Ready(Box<(Work, Slot)>),
    /// It ends or waits without a call.
    Finish(Box<Done>),
}

impl Worker {
    /// Loads due jobs of lanes that may have some.
    pub(super) async fn refill_lanes(&mut self) -> Result<(), Gone> {
        let now = self.shared.context.clock.now();
        let wanted = |i: usize| self.refill[i] || self.next_due[i].is_some_and(|t| t <= now);
        let lanes: Vec<Lane> = Lane::ALL.into_iter().filter(|l| wanted(lane_index(*l))).collect();
        if lanes.is_empty() {
            return Ok(());
        }
        // Half empty first: a page read for every single job that ends would cost more than the job.
        let have = self.lanes();
        for lane in lanes.into_iter().filter(|l| have[lane_index(*l)] <= WINDOW / 2) {
            let page = self
                .shared
                .context
                .store
                .due(self.fence.partition, lane, WINDOW)
                .await?;
            self.refill[lane_index(lane)] = false;
            self.next_due[lane_index(lane)] = page.next;
            for stored in page.jobs {
                self.load(stored).await?;
            }
        }
        Ok(())
    }

    async fn load(&mut self, stored: StoredJob) -> Result<(), Gone> {
        let id = stored.id;
        if self.jobs.contains_key(&id) {
            return Ok(());
        }
        match Job::decode(&stored.blob) {
            Ok(job) => {
                let phase = self.phase_of(&stored, &job);
                self.doc(&job.conversation.key()).await?;
                if matches!(phase, Phase::Due) {
                    self.queue.push_back(id);
                }
                self.jobs.insert(id, Live { stored, job, phase });
                if let Some(Found::End(ending)) = self.verdict(id) {
                    self.end(id, ending);
                }
            }
            Err(why) => {
                tracing::error!(partition = %self.fence.partition, job = %id, why, "a stored job cannot be read");
                self.end(id, Ending::new(Outcome::Dead, "unreadable_job"));
            }
        }
        Ok(())
    }

    fn verdict(&self, id: JobId) -> Option<Found> {
        let live = self.jobs.get(&id)?;
        let call = self.shared.calls.state(self.fence.partition, id);
        let class = live.job.action.class();
        let context = &self.shared.context;
        Some(found(&live.stored, class, &context.nonce, call, context.clock.now()))
    }

    fn phase_of(&self, stored: &StoredJob, job: &Job) -> Phase {
        let state = self.shared.calls.state(self.fence.partition, stored.id);
        // A call without a mark (repeatable, not a message) may be under way too: it is not begun twice.
        if matches!(state, CallState::Running | CallState::Answered) {
            return Phase::Calling;
        }
        let context = &self.shared.context;
        match found(stored, job.action.class(), &context.nonce, state, context.clock.now()) {
            Found::Ours => Phase::Calling,
            Found::Go | Found::NeverCalled | Found::End(_) => Phase::Due,
        }
    }

    /// Begins to prepare due jobs, as many as may be under way.
    pub(super) async fn launch(&mut self) -> Result<(), Gone> {
        if self.draining {
            return Ok(());
        }
        let mut later = VecDeque::new();
        while let Some(id) = self.queue.pop_front() {
            let Some(live) = self.jobs.get(&id).filter(|l| matches!(l.phase, Phase::Due)) else {
                continue;
            };
            let lane = lane_index(live.stored.lane);
            if self.preparing[lane] >= PREPARING {
                later.push_back(id);
            } else if matches!(self.verdict(id), Some(Found::NeverCalled)) {
                self.defer(id, StoreTime(0), true);
            } else {
                self.preparing[lane] += 1;
                self.launch_one(id).await?;
            }
        }
        self.queue = later;
        Ok(())
    }

    async fn launch_one(&mut self, id: JobId) -> Result<(), Gone> {
        let Some(key) = self.jobs.get(&id).map(|l| l.job.conversation.key()) else {
            return Ok(());
        };
        let doc = self.doc(&key).await?.doc.clone();
        let (partition, position) = (self.fence.partition, self.position);
        let Some(live) = self.jobs.get_mut(&id) else {
            return Ok(());
        };
        live.phase = Phase::Preparing;
        let (job, mut stored) = (live.job.clone(), live.stored.clone());
        stored.attempts = stored.attempts.max(self.tried.get(&id).copied().unwrap_or(0));
        let (shared, tx) = (Arc::clone(&self.shared), self.prepared_tx.clone());
        tokio::spawn(async move {
            // The slot comes first: what is prepared early would wait with stale look-ups and permits.
            let pull = matches!(job.action, Action::KfPull { .. });
            let Some(slot) = shared.slots.take(stored.lane, pull).await else {
                return;
            };
            // A task of its own, so that a panic (a bug) ends this job and not its lane.
            let (id, inner) = (stored.id, Arc::clone(&shared));
            let prepared =
                tokio::spawn(async move { run::prepare(&inner, partition, position, &job, &stored, &doc, slot).await });
            let prep = prepared.await.unwrap_or_else(|_| {
                let finish = Finish::End(Ending::new(Outcome::Dead, "panic_in_delivery"));
                let result = PrepResult::Finish(Box::new(Done::only(finish)));
                Prep {
                    id,
                    result,
                    facts: FactPatch::default(),
                }
            });
            // The worker may be gone: then nobody waits for this, and the slot is free again.
            let _ = tx.send(prep);
        });
        Ok(())
    }

    /// A job is prepared: its start goes into the next commit, or it is called at once where no mark is needed.
    pub(super) fn take_prepared(&mut self, prep: Prep) {
        let Some(live) = self.jobs.get(&prep.id).filter(|l| matches!(l.phase, Phase::Preparing)) else {
            return;
        };
        let lane = lane_index(live.stored.lane);
        let (id, key, job) = (prep.id, live.job.conversation.key(), live.job.clone());
        let now = self.shared.context.clock.now();
        self.preparing[lane] = self.preparing[lane].saturating_sub(1);
        self.patch(&key, |doc| prep.facts.apply(doc, now));
        match prep.result {
            PrepResult::Finish(done) => self.take_done(id, *done),
            PrepResult::Ready(ready) if self.draining => drop(ready),
            PrepResult::Ready(ready) => {
                let said = ready.0.said();
                let tries = self.jobs.get(&id).map_or(0, |l| l.stored.tries);
                let refusal = self
                    .docs
                    .get(&key)
                    .and_then(|c| dialog::may_start(&c.doc, &job, tries, said, now));
                match refusal {
                    Some(ending) => self.finish(id, Finish::End(ending)),
                    None if job.action.is_message() => self.start(id, &key, &job, tries, ready),
                    None => self.call(id, *ready),
                }
            }
        }
    }

    fn start(&mut self, id: JobId, key: &str, job: &Job, tries: u32, ready: Box<(Work, Slot)>) {
        let now = self.shared.context.clock.now();
        self.patch(key, |doc| dialog::started(doc, job, tries, now));
        let frozen = ready.0.frozen_job();
        let blob = frozen.as_ref().map(Job::encode);
        self.pending.commit.starts.push(Start { id, blob: blob.clone() });
        if let Some(live) = self.jobs.get_mut(&id) {
            if let (Some(job), Some(blob)) = (frozen, blob) {
                live.job = job;
                live.stored.blob = blob;
            }
            live.phase = Phase::Starting(ready);
        }
        self.touch(true);
    }

    /// The start is durable (or none was needed): calls.
    pub(super) fn call(&mut self, id: JobId, (work, slot): (Work, Slot)) {
        let Some(live) = self.jobs.get_mut(&id) else { return };
        live.phase = Phase::Calling;
        let (job, mut stored) = (live.job.clone(), live.stored.clone());
        if !job.action.is_message() {
            // No start is noted for these, so their tries are counted in memory: a restart begins anew.
            let tried = self.tried.entry(id).or_default();
            *tried += 1;
            stored.attempts = stored.attempts.max(*tried);
        }
        let partition = self.fence.partition;
        let (shared, notify) = (Arc::clone(&self.shared), Arc::clone(&self.notify));
        shared.calls.begin(partition, id);
        tokio::spawn(async move {
            let (inner, class) = (Arc::clone(&shared), job.action.class());
            let called = tokio::spawn(async move { run::call(&inner, partition, &job, &stored, work).await });
            // After a panic (a bug) nobody knows whether the call went out.
            let done = called.await.unwrap_or_else(|_| {
                let outcome = if class == Class::Repeatable {
                    Outcome::Dead
                } else {
                    Outcome::Uncertain
                };
                Done::only(Finish::End(Ending::new(outcome, "panic_in_delivery")))
            });
            shared.calls.answer(partition, id, done);
            drop(slot);
            notify.notify_one();
        });
    }

    /// Takes the results that have come in.
    pub(super) async fn collect_results(&mut self) -> Result<(), Gone> {
        for (id, done) in self.shared.calls.answered(self.fence.partition) {
            match self.jobs.get(&id) {
                Some(live) if matches!(live.phase, Phase::Ending) => {}
                Some(live) => {
                    let key = live.job.conversation.key();
                    self.doc(&key).await?;
                    self.take_done(id, done);
                    let unclear = self.pending.commit.defers.iter().any(|d| d.id == id && !d.refused);
                    self.pending.settled.push((id, unclear));
                }
                None => self.adopt(id).await?,
            }
        }
        Ok(())
    }

    /// A result for a job that is not in memory: load it if it is still open and still ours, else drop the result.
    async fn adopt(&mut self, id: JobId) -> Result<(), Gone> {
        let partition = self.fence.partition;
        let stored = self.shared.context.store.job(partition, id).await?;
        let ours = |s: &StoredJob| s.started.as_ref().is_none_or(|m| m.nonce == self.shared.context.nonce);
        match stored {
            Some(s) if ours(&s) => {
                // Its result is applied at the next step, which comes at once.
                self.notify.notify_one();
                self.load(s).await
            }
            _ => {
                self.shared.calls.committed(partition, id, false);
                Ok(())
            }
        }
    }

    fn take_done(&mut self, id: JobId, done: Done) {
        let Some(live) = self.jobs.get(&id) else { return };
        let key = live.job.conversation.key();
        let now = self.shared.context.clock.now();
        self.patch(&key, |doc| {
            done.facts.apply(doc, now);
            if let Some(account) = done.account {
                doc.kf_account = Some(account);
            }
        });
        self.finish(id, done.finish);
    }

    /// Puts a new due time into the next commit; the job leaves memory until then.
    pub(super) fn defer(&mut self, id: JobId, until: StoreTime, refused: bool) {
        let Some(live) = self.jobs.get_mut(&id) else { return };
        // Only a start raises tries; a wait before any start has nothing to take back.
        let refused = refused && live.stored.started.is_some();
        live.phase = Phase::Ending;
        self.pending.commit.defers.push(Defer {
            id,
            due: until,
            refused,
            blob: None,
        });
        self.touch(false);
    }

    /// Part of the work is done; the rest goes on after the commit.
    pub(super) fn again(&mut self, id: JobId) {
        self.tried.remove(&id);
        self.defer(id, StoreTime(0), true);
        self.touch(true);
    }
}
