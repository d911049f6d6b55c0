//! The owner's step and what is read of its results.

use redis::{Value, cmd};

use super::super::{Commit, Committed, Due, Fence, PartitionStats, Quarantined, StoreError, StoreResult, StoredJob};
use super::{RedisStore, pack};
use crate::model::{JobId, Lane, Partition, StoreTime};

/// One unpack of a script.
const MOST_DUE: usize = 1_000;

fn lane_number(lane: Lane) -> usize {
    Lane::ALL.iter().position(|l| *l == lane).unwrap_or(0)
}

fn odd() -> StoreError {
    StoreError::Unavailable("redis gave an odd answer".into())
}

fn optional(cmd: &mut redis::Cmd, blob: &Option<Vec<u8>>) {
    match blob {
        Some(b) => cmd.arg(1).arg(b.as_slice()),
        None => cmd.arg(0).arg(""),
    };
}

impl RedisStore {
    /// One script call. Every unclear answer is `Lost`: it may have happened.
    pub(super) async fn commit_step(&self, fence: &Fence, expected: u64, c: &Commit) -> StoreResult<Committed> {
        let k = self.keys(fence.partition);
        let args = 14
            + 5 * (c.jobs.len() + c.defers.len() + c.entries.len())
            + 3 * (c.starts.len() + c.docs.len())
            + 2 * (c.ends.len() + c.counters.len())
            + c.quarantine.len();
        let bytes = super::super::size::commit_bytes(c);
        let mut call = self.scripts.commit.call(13 + c.docs.len(), args, bytes);
        call.arg(&k.state)
            .arg(&k.seq)
            .arg(&k.journal)
            .arg(&k.jobs)
            .arg(&k.next)
            .arg(&k.open);
        call.arg(&k.history).arg(&k.quarantine).arg(&k.counters).arg(&k.due);
        for d in &c.docs {
            call.arg(format!("{}{}", k.docs, d.key));
        }
        call.arg(fence.epoch)
            .arg(&fence.nonce)
            .arg(expected)
            .arg(c.position)
            .arg(pack::ms(self.keep))
            .arg(&k.marks);
        call.arg(&[c.jobs.len(), c.starts.len(), c.defers.len(), c.ends.len()]);
        call.arg(&[c.docs.len(), c.entries.len(), c.quarantine.len(), c.counters.len()]);
        for j in &c.jobs {
            call.arg(&pack::id(j.id)).arg(lane_number(j.lane)).arg(j.due.0);
            match j.after {
                Some(before) => call.arg(&pack::id(before)),
                None => call.arg(""),
            };
            call.arg(j.blob.as_slice());
        }
        for s in &c.starts {
            optional(call.arg(&pack::id(s.id)), &s.blob);
        }
        for d in &c.defers {
            optional(
                call.arg(&pack::id(d.id)).arg(d.due.0).arg(i32::from(d.refused)),
                &d.blob,
            );
        }
        for e in &c.ends {
            call.arg(&pack::id(e.id)).arg(e.record.as_slice());
        }
        for d in &c.docs {
            match &d.value {
                Some(v) => call.arg(1).arg(pack::ttl(d.ttl)).arg(v.as_slice()),
                None => call.arg(0).arg(0).arg(""),
            };
        }
        for e in &c.entries {
            let (kind, hash, bucket, keep) = pack::mark(e.mark.as_ref());
            call.arg(kind).arg(hash).arg(bucket).arg(keep).arg(e.blob.as_slice());
        }
        for q in &c.quarantine {
            call.arg(pack::quarantined(q));
        }
        for (name, by) in &c.counters {
            call.arg(name).arg(*by);
        }
        let told: Vec<Value> = self
            .link
            .script(&self.scripts.commit, &call)
            .await
            .map_err(|e| match e {
                StoreError::Unavailable(why) => StoreError::Lost(format!("unclear: {why}")),
                StoreError::Lost(_) | StoreError::Refused(_) => e,
            })?;
        let lost = |e: StoreError| StoreError::Lost(e.to_string());
        let mut told = told.into_iter();
        let (Some(now), Some(head)) = (told.next(), told.next()) else {
            return Err(lost(odd()));
        };
        Ok(Committed {
            now: StoreTime(pack::int(&now).map_err(lost)?),
            head: pack::int(&head).map_err(lost)? as u64,
            released: told
                .map(|v| pack::bytes(v).and_then(|b| pack::read_id(&b)))
                .collect::<StoreResult<_>>()
                .map_err(lost)?,
        })
    }

    /// Due jobs; at most 1,000 whatever is asked.
    pub(super) async fn due_jobs(&self, p: Partition, lane: Lane, max: usize) -> StoreResult<Due> {
        let k = self.keys(p);
        let mut call = self.scripts.due.call(2, 1, 0);
        call.arg(&k.due[lane_number(lane)]).arg(&k.jobs).arg(max.min(MOST_DUE));
        let told: Vec<Value> = self.link.script(&self.scripts.due, &call).await?;
        let mut told = told.into_iter();
        let (Some(now), Some(next)) = (told.next(), told.next()) else {
            return Err(odd());
        };
        let mut jobs = Vec::with_capacity(told.len() / 2);
        while let (Some(id), Some(job)) = (told.next(), told.next()) {
            jobs.push(pack::read_job(pack::read_id(&pack::bytes(id)?)?, &pack::bytes(job)?)?);
        }
        Ok(Due {
            jobs,
            next: pack::time(&next)?,
            now: StoreTime(pack::int(&now)?),
        })
    }

    /// One open job.
    pub(super) async fn one_job(&self, p: Partition, id: JobId) -> StoreResult<Option<StoredJob>> {
        let mut get = cmd("HGET");
        get.arg(&self.keys(p).jobs).arg(&pack::id(id));
        let found: Option<Vec<u8>> = self.link.command(&get).await?;
        found.map(|bytes| pack::read_job(id, &bytes)).transpose()
    }

    /// The first `max` of a list.
    pub(super) async fn list(&self, key: &str, max: usize) -> StoreResult<Vec<Vec<u8>>> {
        if max == 0 {
            return Ok(Vec::new());
        }
        let mut range = cmd("LRANGE");
        range.arg(key).arg(0).arg(max - 1);
        self.link.command(&range).await
    }

    /// Entries set aside.
    pub(super) async fn set_aside(&self, p: Partition, max: usize) -> StoreResult<Vec<Quarantined>> {
        let rows = self.list(&self.keys(p).quarantine, max).await?;
        rows.iter().map(|b| pack::read_quarantined(b)).collect()
    }

    /// Figures of one partition.
    pub(super) async fn figures(&self, p: Partition) -> StoreResult<PartitionStats> {
        let k = self.keys(p);
        let mut call = self.scripts.stats.call(8, 0, 0);
        call.arg(&k.state)
            .arg(&k.seq)
            .arg(&k.quarantine)
            .arg(&k.open)
            .arg(&k.due);
        let told: Vec<Value> = self.link.script(&self.scripts.stats, &call).await?;
        let number = |i: usize| told.get(i).ok_or_else(odd).and_then(pack::int).map(|n| n as u64);
        let due = |i: usize| told.get(i).ok_or_else(odd).and_then(pack::time);
        Ok(PartitionStats {
            head: number(0)?,
            position: number(1)?,
            quarantined: number(2)?,
            jobs: [number(3)?, number(4)?, number(5)?, number(6)?],
            oldest: [due(7)?, due(8)?, due(9)?, due(10)?],
        })
    }
}
