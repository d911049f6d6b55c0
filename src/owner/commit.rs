//! The one atomic step, and what memory makes of it.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::decide::Decided;
use super::outbox::{Live, Phase};
use super::slots::lane_index;
use super::worker::{Careful, Gone, Pending, Worker};
use crate::dialog;
use crate::model::{Action, Conversation, Ending, Job, JobId, Skipped, StoreTime};
use crate::store::{Commit, Committed, DocPut, End, NewJob, OwnEntry, Started, StoreError};

/// Endings, starts and defers in one commit at most: each may bring a document, and with those of 128 decisions
/// they must stay below the 256 that one step takes.
const EACH: usize = 40;
/// The same after the store refused a commit.
const EACH_CAREFUL: usize = 4;
/// Documents in one commit at most.
const DOCS: usize = 250;
/// Bytes after which a commit takes no more: the store takes 256 KiB, and a document may grow by what is settled.
const BUDGET: usize = 160 * 1024;
/// A line of history, as the budget counts it.
const RECORD: usize = 600;
/// Facts are forgotten after 30 days without use, broadcasts after 90, kf cursors never (DESIGN, table of state).
const KEEP: Duration = Duration::from_secs(30 * 86_400);
const KEEP_BROADCAST: Duration = Duration::from_secs(90 * 86_400);
const KEEP_CURSOR: Duration = Duration::from_secs(3650 * 86_400);

fn keep(key: &str) -> Duration {
    match key.as_bytes().first() {
        Some(b'b') => KEEP_BROADCAST,
        Some(b'k') => KEEP_CURSOR,
        _ => KEEP,
    }
}

/// What one commit carries so far.
#[derive(Default)]
struct Budget {
    bytes: usize,
    docs: HashSet<String>,
}

/// What a commit will have done, for memory and metrics once it is through.
struct Plan {
    commit: Commit,
    endings: Vec<(JobId, Ending)>,
    settled: Vec<(JobId, bool)>,
    rules: Vec<Option<String>>,
    skipped: Vec<Skipped>,
}

impl Worker {
    /// Commits decisions and whatever waits. Any error ends the worker: the answer was unclear or a refusal.
    pub(super) async fn commit(&mut self, decided: Option<Decided>) -> Result<(), Gone> {
        let plan = self.plan(decided);
        if plan.commit.is_empty(self.position) {
            self.forget_settled(&plan.settled);
            return Ok(());
        }
        let store = Arc::clone(&self.shared.context.store);
        let committed = store.commit(&self.fence, self.position, &plan.commit).await;
        let committed = committed.map_err(|e| match e {
            StoreError::Refused(why) => Gone::Refused(why, self.careful.more()),
            StoreError::Lost(_) | StoreError::Unavailable(_) => Gone::Lost(e.to_string()),
        })?;
        self.careful = Careful::No;
        self.apply(plan, &committed);
        Ok(())
    }

    fn plan(&mut self, decided: Option<Decided>) -> Plan {
        let Pending {
            commit: waiting,
            endings,
            settled,
            ..
        } = std::mem::take(&mut self.pending);
        let mut commit = Commit {
            position: self.position,
            ..Commit::default()
        };
        let mut budget = Budget::default();
        if let Some(d) = &decided {
            budget.bytes = d.bytes;
            budget.docs.extend(d.docs.iter().cloned());
        }
        let (rules, skipped) = decided.map_or_else(Default::default, |d| d.into_commit(&mut commit));
        let blob = |b: &Option<Vec<u8>>| b.as_ref().map_or(0, Vec::len);
        let starts = self.fitting(&mut budget, waiting.starts, |s| (s.id, blob(&s.blob)));
        (commit.starts, self.pending.commit.starts) = starts;
        let defers = self.fitting(&mut budget, waiting.defers, |d| (d.id, blob(&d.blob)));
        (commit.defers, self.pending.commit.defers) = defers;
        let (endings, later) = self.fitting(&mut budget, endings, |(id, _)| (*id, RECORD));
        self.pending.endings = later;
        let mut wait: HashSet<JobId> = self.pending.endings.iter().map(|(id, _)| *id).collect();
        wait.extend(self.pending.commit.defers.iter().map(|d| d.id));
        let (later, settled): (Vec<_>, Vec<_>) = settled.into_iter().partition(|(id, _)| wait.contains(id));
        self.pending.settled = later;
        for (id, ending) in &endings {
            self.settle(&mut commit, *id, ending);
        }
        self.put_docs(&mut commit, &mut budget);
        if !wait.is_empty() || !self.pending.commit.starts.is_empty() || self.docs.values().any(|c| c.dirty) {
            self.touch(true);
        }
        Plan {
            commit,
            endings,
            settled,
            rules,
            skipped,
        }
    }

    /// As many as one commit takes, with the documents that they change; and the rest.
    fn fitting<T>(&self, budget: &mut Budget, all: Vec<T>, cost: impl Fn(&T) -> (JobId, usize)) -> (Vec<T>, Vec<T>) {
        let each = if self.careful == Careful::No {
            EACH
        } else {
            EACH_CAREFUL
        };
        let (mut now, mut later) = (Vec::new(), Vec::new());
        for item in all {
            let (id, bytes) = cost(&item);
            let key = self.jobs.get(&id).map(|l| l.job.conversation.key());
            let fits = later.is_empty() && now.len() < each && (now.is_empty() || budget.bytes < BUDGET);
            if !fits {
                later.push(item);
                continue;
            }
            budget.bytes += bytes;
            if let Some(key) = key
                && !budget.docs.contains(&key)
            {
                budget.bytes += self.docs.get(&key).map_or(0, |c| c.len) + key.len();
                budget.docs.insert(key);
            }
            now.push(item);
        }
        (now, later)
    }

    fn settle(&mut self, commit: &mut Commit, id: JobId, ending: &Ending) {
        let now = self.shared.context.clock.now();
        let live = self.jobs.get(&id).map(|l| l.job.clone());
        if let Some(job) = &live {
            let key = job.conversation.key();
            let corp = self.shared.context.settings.corp_by_id(&job.corp).cloned();
            let mut entries = Vec::new();
            self.patch(&key, |doc| {
                doc.tails.retain(|_, tail| *tail != id);
                if let (Action::BroadcastChunk { .. }, Some(broadcast)) = (&job.action, &mut doc.broadcast) {
                    broadcast.ended += 1;
                }
                if let Some(corp) = &corp {
                    entries = dialog::settle(doc, job, id, ending, now, corp);
                }
            });
            commit.entries.extend(entries.iter().map(|e| OwnEntry {
                mark: None,
                blob: e.encode(),
            }));
        }
        commit.ends.push(End {
            id,
            record: record(id, live.as_ref(), ending, now),
        });
    }

    /// Documents of what this commit carries, and others that changed while there is room.
    fn put_docs(&mut self, commit: &mut Commit, budget: &mut Budget) {
        for (key, cached) in self.docs.iter_mut().filter(|(_, c)| c.dirty && !c.unreadable) {
            let must = budget.docs.contains(key);
            if !must && (budget.docs.len() >= DOCS || budget.bytes + cached.len > BUDGET) {
                continue;
            }
            if !must {
                budget.bytes += cached.len + key.len();
                budget.docs.insert(key.clone());
            }
            let value = cached.doc.encode();
            cached.len = value.len();
            cached.dirty = false;
            commit.docs.push(DocPut {
                key: key.clone(),
                value: Some(value),
                ttl: keep(key),
            });
        }
    }

    fn apply(&mut self, plan: Plan, committed: &Committed) {
        let Plan {
            commit,
            endings,
            settled,
            rules,
            skipped,
        } = plan;
        self.position = commit.position;
        let at = self.fence.partition.index();
        self.shared.positions[at].store(self.position, Ordering::Release);
        if committed.head > self.position {
            self.shared.hints[at].store(true, Ordering::Release);
        }
        self.count(&commit, &endings, &rules, &skipped);
        for new in commit.jobs {
            self.add(new);
        }
        for (id, _) in &endings {
            self.jobs.remove(id);
            self.tried.remove(id);
            self.shared.calls.committed(self.fence.partition, *id, false);
        }
        self.forget_settled(&settled);
        for defer in &commit.defers {
            if let Some(live) = self.jobs.remove(&defer.id) {
                let next = &mut self.next_due[lane_index(live.stored.lane)];
                *next = Some(next.map_or(defer.due, |n| n.min(defer.due)));
            }
        }
        if !committed.released.is_empty() {
            self.refill = [true; 4];
        }
        for start in commit.starts {
            self.begin(start.id, committed.now);
        }
    }

    fn begin(&mut self, id: JobId, now: StoreTime) {
        let nonce = self.fence.nonce.clone();
        let Some(live) = self.jobs.get_mut(&id) else { return };
        live.stored.tries += 1;
        live.stored.attempts += 1;
        let at = live.stored.started.as_ref().map_or(now, |s| s.at);
        live.stored.started = Some(Started { at, nonce });
        match std::mem::replace(&mut live.phase, Phase::Calling) {
            Phase::Starting(ready) => self.call(id, *ready),
            other => live.phase = other,
        }
    }

    fn add(&mut self, new: NewJob) {
        let lane = lane_index(new.lane);
        // A follower is not due yet; the store releases it when the job before it has ended. If that one is not
        // in memory it may have ended already, and then this one is due: the store knows.
        if let Some(before) = new.after {
            self.refill[lane] |= !self.jobs.contains_key(&before);
            return;
        }
        match Job::decode(&new.blob) {
            Ok(job) if self.jobs.len() < 2000 => {
                let stored = crate::store::StoredJob {
                    id: new.id,
                    lane: new.lane,
                    due: new.due,
                    tries: 0,
                    attempts: 0,
                    started: None,
                    blob: new.blob,
                };
                self.queue.push_back(new.id);
                self.jobs.insert(
                    new.id,
                    Live {
                        stored,
                        job,
                        phase: Phase::Due,
                    },
                );
            }
            _ => self.refill[lane] = true,
        }
    }

    fn forget_settled(&self, settled: &[(JobId, bool)]) {
        for (id, unclear) in settled {
            self.shared.calls.committed(self.fence.partition, *id, *unclear);
        }
    }

    fn count(&self, commit: &Commit, endings: &[(JobId, Ending)], rules: &[Option<String>], skipped: &[Skipped]) {
        let m = &self.shared.context.metrics;
        m.quarantined.inc_by(commit.quarantine.len() as u64);
        for rule in rules {
            m.decided.with_label_values(&[rule.as_deref().unwrap_or("none")]).inc();
        }
        for s in skipped {
            m.skipped.with_label_values(&[s.what.as_str(), s.reason.as_str()]).inc();
        }
        for (id, ending) in endings {
            for r in &ending.recipients {
                m.recipients
                    .with_label_values(&[r.outcome.word(), r.reason.as_ref()])
                    .inc();
            }
            let Some(live) = self.jobs.get(id) else { continue };
            let (lane, job) = (live.stored.lane, &live.job);
            m.jobs
                .with_label_values(&[lane.word(), ending.outcome.word(), ending.reason.as_ref()])
                .inc();
            tracing::info!(
                conversation = kind(&job.conversation),
                job = %id, action = job.action.word(), outcome = ending.outcome.word(), reason = %ending.reason,
                errcode = ending.errcode, "job ended"
            );
        }
    }
}

/// The letter of a conversation's kind: logs name no person.
fn kind(conversation: &Conversation) -> &'static str {
    match conversation {
        Conversation::Contact(..) => "contact",
        Conversation::MemberChat(..) => "member",
        Conversation::Group(..) => "group",
        Conversation::KfAccount(..) => "kf_account",
        Conversation::Broadcast(..) => "broadcast",
        Conversation::Corp(..) => "corp",
        Conversation::Payload(..) => "unknown",
    }
}

/// The line of history: who, what, how it ended; never what was said.
fn record(id: JobId, job: Option<&Job>, ending: &Ending, now: StoreTime) -> Vec<u8> {
    let mut ending = ending.clone();
    // The full list of a broadcast lies beside the broadcast.
    ending.recipients.truncate(20);
    let line = serde_json::json!({
        "job": id,
        "at": now,
        "conversation": job.map(|j| j.conversation.key()),
        "action": job.map(|j| j.action.word()),
        "rule": job.and_then(|j| j.rule.clone()),
        "ending": ending,
    });
    line.to_string().into_bytes()
}
