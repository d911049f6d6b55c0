//! A store of maps and vectors: what the trait says, in the plainest words, for comparing.

use std::collections::{BTreeMap, BTreeSet};

use wecom_gateway::model::{JobId, Lane, StoreTime};
use wecom_gateway::store::{
    Commit, Committed, Due, Mark, OwnerRecord, PartitionStats, Quarantined, Started, StoreError, StoredJob,
};

/// One partition.
#[derive(Default)]
pub struct Model {
    pub owner: OwnerRecord,
    pub position: u64,
    pub journal: Vec<(StoreTime, Vec<u8>)>,
    pub marks: BTreeSet<Mark>,
    /// Job, and the one it waits for.
    pub jobs: BTreeMap<JobId, (StoredJob, Option<JobId>)>,
    pub docs: BTreeMap<String, Vec<u8>>,
    pub history: Vec<Vec<u8>>,
    pub quarantine: Vec<Quarantined>,
    pub counters: BTreeMap<String, i64>,
}

impl Model {
    pub fn append(&mut self, at: StoreTime, mark: Option<&Mark>, blob: &[u8]) -> Option<u64> {
        if let Some(m) = mark
            && !self.marks.insert(m.clone())
        {
            return None;
        }
        self.journal.push((at, blob.to_vec()));
        Some(self.journal.len() as u64)
    }

    pub fn acquire(&mut self, seen: &OwnerRecord, nonce: &str) -> bool {
        let same = self.owner == *seen;
        if same {
            self.owner = OwnerRecord {
                epoch: seen.epoch + 1,
                nonce: nonce.into(),
                node: "node".into(),
                beats: 0,
            };
        }
        same
    }

    fn is_waiting_for(&self, before: JobId) -> Option<JobId> {
        self.jobs
            .iter()
            .find(|(_, (_, after))| *after == Some(before))
            .map(|(id, _)| *id)
    }

    pub fn commit(
        &mut self,
        (epoch, nonce): (u64, &str),
        expected: u64,
        c: &Commit,
        now: StoreTime,
    ) -> Result<Committed, StoreError> {
        if (self.owner.epoch, self.owner.nonce.as_str(), self.position) != (epoch, nonce, expected) || nonce.is_empty()
        {
            return Err(StoreError::Lost(String::new()));
        }
        if c.position < expected {
            return Err(StoreError::Refused(String::new()));
        }
        if c.position > self.journal.len() as u64 {
            return Err(StoreError::Lost(String::new()));
        }
        let before = self.jobs.clone();
        for j in &c.jobs {
            let after = j.after.filter(|b| self.jobs.contains_key(b));
            if self.jobs.contains_key(&j.id) || after.is_some_and(|b| self.is_waiting_for(b).is_some()) {
                self.jobs = before;
                return Err(StoreError::Refused(String::new()));
            }
            let stored = StoredJob {
                id: j.id,
                lane: j.lane,
                due: j.due,
                tries: 0,
                attempts: 0,
                started: None,
                blob: j.blob.clone(),
            };
            self.jobs.insert(j.id, (stored, after));
        }
        for s in &c.starts {
            if let Some((j, _)) = self.jobs.get_mut(&s.id) {
                j.tries += 1;
                j.attempts += 1;
                let at = j.started.take().map_or(now, |s| s.at);
                j.started = Some(Started {
                    at,
                    nonce: nonce.into(),
                });
                j.blob = s.blob.clone().unwrap_or_else(|| j.blob.clone());
            }
        }
        for d in &c.defers {
            if let Some((j, _)) = self.jobs.get_mut(&d.id) {
                j.due = d.due;
                j.blob = d.blob.clone().unwrap_or_else(|| j.blob.clone());
                if d.refused {
                    j.tries = j.tries.saturating_sub(1);
                    if j.tries == 0 {
                        j.started = None;
                    }
                }
            }
        }
        let mut released = Vec::new();
        for e in &c.ends {
            if self.jobs.remove(&e.id).is_some() {
                self.history.insert(0, e.record.clone());
                if let Some(follower) = self.is_waiting_for(e.id) {
                    self.jobs.get_mut(&follower).unwrap().1 = None;
                    released.push(follower);
                }
            }
        }
        self.history.truncate(1000);
        released.retain(|id| self.jobs.contains_key(id));
        for d in &c.docs {
            match &d.value {
                Some(v) => self.docs.insert(d.key.clone(), v.clone()),
                None => self.docs.remove(&d.key),
            };
        }
        for e in &c.entries {
            self.append(now, e.mark.as_ref(), &e.blob);
        }
        self.quarantine.extend(c.quarantine.iter().cloned());
        for (name, by) in &c.counters {
            *self.counters.entry(name.clone()).or_default() += by;
        }
        self.position = c.position;
        Ok(Committed {
            now,
            head: self.journal.len() as u64,
            released,
        })
    }

    pub fn due(&self, lane: Lane, max: usize, now: StoreTime) -> Due {
        let mut heads: Vec<&StoredJob> = self
            .jobs
            .values()
            .filter(|(j, after)| j.lane == lane && after.is_none())
            .map(|(j, _)| j)
            .collect();
        heads.sort_by_key(|j| (j.due, j.id));
        let jobs: Vec<StoredJob> = heads
            .iter()
            .take_while(|j| j.due <= now)
            .take(max)
            .map(|j| (*j).clone())
            .collect();
        Due {
            next: heads.get(jobs.len()).map(|j| j.due),
            jobs,
            now,
        }
    }

    pub fn stats(&self) -> PartitionStats {
        let lane = |l: Lane| self.jobs.values().filter(move |(j, _)| j.lane == l);
        PartitionStats {
            head: self.journal.len() as u64,
            position: self.position,
            quarantined: self.quarantine.len() as u64,
            jobs: Lane::ALL.map(|l| lane(l).count() as u64),
            oldest: Lane::ALL.map(|l| lane(l).filter(|(_, after)| after.is_none()).map(|(j, _)| j.due).min()),
        }
    }
}
