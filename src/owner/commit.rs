//! The one atomic step, and what memory makes of it.

use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::decide::Decided;
use super::outbox::{Live, Phase};
use super::slots::lane_index;
use super::worker::{Gone, Pending, Worker};
use crate::dialog;
use crate::model::{Action, Conversation, Ending, Job, JobId, Outcome, Skipped, StoreTime};
use crate::store::{Commit, Committed, DocPut, End, NewJob, OwnEntry, Started};

/// Endings, starts and defers in one commit at most: each may bring a document, and a step takes 256 entries.
const EACH: usize = 60;
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
        let committed = self
            .shared
            .context
            .store
            .commit(&self.fence, self.position, &plan.commit)
            .await?;
        self.careful = false;
        self.apply(plan, &committed);
        Ok(())
    }

    fn plan(&mut self, decided: Option<Decided>) -> Plan {
        let pending = std::mem::take(&mut self.pending);
        let mut commit = Commit {
            position: self.position,
            ..Commit::default()
        };
        let (rules, skipped) = decided.map_or_else(Default::default, |d| d.into_commit(&mut commit));
        let Pending {
            commit: waiting,
            mut endings,
            mut settled,
            ..
        } = pending;
        (commit.starts, self.pending.commit.starts) = split(waiting.starts);
        (commit.defers, self.pending.commit.defers) = split(waiting.defers);
        self.pending.endings = endings.split_off(endings.len().min(EACH));
        let later: HashSet<JobId> = self.pending.endings.iter().map(|(id, _)| *id).collect();
        let later_defers: HashSet<JobId> = self.pending.commit.defers.iter().map(|d| d.id).collect();
        let wait = |(id, _): &(JobId, bool)| later.contains(id) || later_defers.contains(id);
        self.pending.settled = settled.iter().copied().filter(wait).collect();
        settled.retain(|s| !wait(s));
        for (id, ending) in &endings {
            self.settle(&mut commit, *id, ending);
        }
        self.put_docs(&mut commit);
        let rest = !self.pending.endings.is_empty()
            || !self.pending.commit.starts.is_empty()
            || !self.pending.commit.defers.is_empty();
        if rest {
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

    fn put_docs(&mut self, commit: &mut Commit) {
        for (key, cached) in self.docs.iter_mut().filter(|(_, c)| c.dirty) {
            commit.docs.push(DocPut {
                key: key.clone(),
                value: Some(cached.doc.encode()),
                ttl: keep(key),
            });
            cached.dirty = false;
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
        self.count(&commit, &endings, &rules, &skipped, committed.now);
        for new in commit.jobs {
            self.add(new);
        }
        for (id, _) in &endings {
            self.jobs.remove(id);
            self.tried.remove(id);
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
        // A follower is not due yet; the store releases it when the job before it has ended.
        if new.after.is_some() {
            return;
        }
        let lane = lane_index(new.lane);
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

    fn count(
        &self,
        commit: &Commit,
        endings: &[(JobId, Ending)],
        rules: &[Option<String>],
        skipped: &[Skipped],
        now: StoreTime,
    ) {
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
            if ending.outcome == Outcome::Delivered && job.action.is_message() {
                let took = now.since(job.accepted).as_secs_f64();
                m.answer_seconds.with_label_values(&[job.action.word()]).observe(took);
            }
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

fn split<T>(mut all: Vec<T>) -> (Vec<T>, Vec<T>) {
    let rest = all.split_off(all.len().min(EACH));
    (all, rest)
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
