//! Reads the journal in order and lets the rules decide.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;

use super::worker::{CachedDoc, Careful, Gone, Worker};
use crate::dialog::{self, Input};
use crate::model::decision::Decision;
use crate::model::{Doc, Entry, EntryBody, Job, JobId};
use crate::store::{Commit, JournalEntry, NewJob, Quarantined};

/// Entries read at once; beyond 8 a larger batch gains little (PARTITIONS §4), 128 bounds a commit.
const READ: usize = 128;
/// A commit takes no more decisions beyond these; one step of the store takes 256 entries or 256 KiB.
const JOBS: usize = 160;
const BYTES: usize = 64 * 1024;
/// One decision alone may not be larger than what one commit can carry.
const ONE_JOBS: usize = 250;
const ONE_BYTES: usize = 112 * 1024;
/// Clean documents kept in memory.
const DOCS: usize = 2000;

/// Decisions that go into one commit.
#[derive(Default)]
pub(super) struct Decided {
    pub position: u64,
    pub jobs: Vec<NewJob>,
    pub quarantine: Vec<Quarantined>,
    pub counters: Vec<(String, i64)>,
    /// For metrics, after the commit.
    pub rules: Vec<Option<String>>,
    pub skipped: Vec<crate::model::Skipped>,
    /// Documents that these decisions changed: they go into the same commit.
    pub docs: Vec<String>,
    /// Bytes of jobs and documents.
    pub bytes: usize,
}

impl Decided {
    pub(super) fn into_commit(self, commit: &mut Commit) -> (Vec<Option<String>>, Vec<crate::model::Skipped>) {
        commit.position = self.position;
        commit.jobs = self.jobs;
        commit.quarantine = self.quarantine;
        commit.counters = self.counters;
        (self.rules, self.skipped)
    }
}

impl Worker {
    /// Decides what waits in the journal, as much as one commit carries; `None` when nothing waits.
    pub(super) async fn decide_batch(&mut self) -> Result<Option<Decided>, Gone> {
        let hint = &self.shared.hints[self.fence.partition.index()];
        if self.draining || !hint.swap(false, Ordering::AcqRel) {
            return Ok(None);
        }
        let max = if self.careful == Careful::No { READ } else { 1 };
        let entries = self
            .shared
            .context
            .store
            .read(self.fence.partition, self.position, max)
            .await?;
        if entries.is_empty() {
            return Ok(None);
        }
        let bodies: Vec<Result<EntryBody, String>> = entries.iter().map(|e| EntryBody::decode(&e.blob)).collect();
        self.load_docs(bodies.iter().flatten().map(|b| b.conversation.key()))
            .await?;
        let mut decided = Decided {
            position: self.position,
            ..Decided::default()
        };
        for (entry, body) in entries.into_iter().zip(bodies) {
            if entry.n != decided.position + 1 {
                return Err(Gone::Lost(format!("journal has a gap before {}", entry.n)));
            }
            let decision = match self.careful {
                // The store refused this entry's decision twice: whatever it is, it stops nobody else.
                Careful::SetAside => Err("refused_by_store".to_owned()),
                Careful::No | Careful::OneByOne => self.decide_one(&mut decided, &entry, body),
            };
            if let Err(reason) = decision {
                tracing::error!(partition = %self.fence.partition, n = entry.n, reason, "event set aside in quarantine");
                decided.bytes += entry.blob.len();
                decided.quarantine.push(Quarantined {
                    n: entry.n,
                    reason,
                    blob: entry.blob,
                });
            }
            decided.position = entry.n;
            if decided.jobs.len() >= JOBS || decided.bytes >= BYTES || decided.quarantine.len() >= 16 {
                break;
            }
        }
        // There may be more: look again after this commit.
        self.shared.hints[self.fence.partition.index()].store(true, Ordering::Release);
        Ok(Some(decided))
    }

    fn decide_one(
        &mut self,
        decided: &mut Decided,
        entry: &JournalEntry,
        body: Result<EntryBody, String>,
    ) -> Result<(), String> {
        let body = body.map_err(|why| format!("unreadable_entry: {why}"))?;
        let context = &self.shared.context;
        let corp = context.settings.corp_by_id(body.corp()).ok_or("no_corp")?;
        let bundle = (context.live)(body.corp()).ok_or("no_bundle")?;
        let key = body.conversation.key();
        let before = match self.docs.get(&key) {
            Some(cached) if !cached.unreadable => cached.doc.clone(),
            _ => return Err("unreadable_document".into()),
        };
        let entry = Entry {
            n: entry.n,
            accepted: entry.at,
            body,
        };
        let input = Input {
            entry: &entry,
            doc: &before,
            bundle: &bundle,
            corp,
            now: context.clock.now(),
        };
        // A poison event stops nobody: whatever it does to the rules, it ends in quarantine.
        let decision = catch_unwind(AssertUnwindSafe(|| dialog::decide(&input)))
            .map_err(|_| "panic_in_rules".to_owned())?
            .map_err(|undecidable| undecidable.reason)?;
        self.adopt_decision(decided, &entry, &key, before, decision)
    }

    fn adopt_decision(
        &mut self,
        decided: &mut Decided,
        entry: &Entry,
        key: &str,
        before: Doc,
        decision: Decision,
    ) -> Result<(), String> {
        let changed = decision.doc.is_some();
        let mut doc = decision.doc.unwrap_or(before);
        let mut jobs = Vec::with_capacity(decision.jobs.len());
        let mut bytes = 0;
        for (k, planned) in decision.jobs.into_iter().enumerate() {
            let id = JobId {
                n: entry.n,
                k: u32::try_from(k).map_err(|_| "too_many_jobs")?,
            };
            let after = planned.action.sequence().and_then(|s| doc.tails.insert(s, id));
            let lane = planned.action.lane();
            let job = Job {
                corp: entry.body.corp().clone(),
                app: entry.body.app.clone(),
                conversation: entry.body.conversation.clone(),
                rule: planned.rule,
                accepted: entry.accepted,
                deadline: planned.deadline,
                action: planned.action,
            };
            let blob = job.encode();
            bytes += blob.len();
            jobs.push(NewJob {
                id,
                lane,
                due: entry.accepted,
                after,
                blob,
            });
        }
        if changed || !jobs.is_empty() {
            bytes += doc.encode().len();
        }
        if jobs.len() > ONE_JOBS || bytes > ONE_BYTES {
            return Err(format!("too_large: {} jobs, {bytes} bytes", jobs.len()));
        }
        if changed || !jobs.is_empty() {
            let len = doc.encode().len();
            self.docs.insert(
                key.to_owned(),
                CachedDoc {
                    doc,
                    dirty: true,
                    unreadable: false,
                    len,
                },
            );
            decided.docs.push(key.to_owned());
        }
        decided.bytes += bytes;
        decided.jobs.extend(jobs);
        decided.counters.extend(decision.counters);
        decided.rules.push(decision.rule);
        decided.skipped.extend(decision.skipped);
        Ok(())
    }

    /// A conversation's document, loaded if it is not in memory.
    pub(super) async fn doc(&mut self, key: &str) -> Result<&mut CachedDoc, Gone> {
        if !self.docs.contains_key(key) {
            self.load_docs(std::iter::once(key.to_owned())).await?;
        }
        Ok(self.docs.entry(key.to_owned()).or_insert_with(CachedDoc::unreadable))
    }

    /// Changes a document in memory; the next commit writes it. A document that is not in memory was never
    /// loaded, and then nothing that changes it is under way.
    pub(super) fn patch(&mut self, key: &str, change: impl FnOnce(&mut Doc)) {
        if let Some(cached) = self.docs.get_mut(key) {
            let before = cached.doc.clone();
            // A panic here (a bug) would end the worker again and again: the change is dropped instead.
            if catch_unwind(AssertUnwindSafe(|| change(&mut cached.doc))).is_err() {
                tracing::error!(partition = %self.fence.partition, "a change of a document panicked and was dropped");
                cached.doc = before;
                return;
            }
            if cached.doc != before && !cached.dirty && !cached.unreadable {
                cached.dirty = true;
                self.touch(false);
            }
        }
    }

    async fn load_docs(&mut self, keys: impl Iterator<Item = String>) -> Result<(), Gone> {
        let mut missing: Vec<String> = keys.filter(|k| !self.docs.contains_key(k)).collect();
        missing.sort_unstable();
        missing.dedup();
        if missing.is_empty() {
            return Ok(());
        }
        let found = self.shared.context.store.docs(self.fence.partition, &missing).await?;
        for (key, bytes) in missing.into_iter().zip(found) {
            let cached = match bytes.map(|b| (b.len(), Doc::decode(&b))) {
                None => CachedDoc {
                    doc: Doc::default(),
                    dirty: false,
                    unreadable: false,
                    len: 0,
                },
                Some((len, Ok(doc))) => CachedDoc {
                    doc,
                    dirty: false,
                    unreadable: false,
                    len,
                },
                Some((_, Err(why))) => {
                    // Never overwritten: entries of this conversation go to quarantine until a version that can
                    // read it is back.
                    tracing::error!(partition = %self.fence.partition, why, "a stored document cannot be read");
                    CachedDoc::unreadable()
                }
            };
            self.docs.insert(key, cached);
        }
        Ok(())
    }

    /// Forgets clean documents that no job uses. Only between steps: a batch needs all that it loaded.
    pub(super) fn forget_docs(&mut self) {
        if self.docs.len() > DOCS {
            let used: std::collections::HashSet<String> =
                self.jobs.values().map(|l| l.job.conversation.key()).collect();
            self.docs.retain(|k, c| c.dirty || used.contains(k));
        }
    }
}
