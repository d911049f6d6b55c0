//! The owner's atomic step and what is read of its results.

use rusqlite::{Connection, OptionalExtension, Row, ffi, params};

use super::super::{
    Commit, Committed, Due, Fence, NewJob, PartitionStats, Quarantined, Started, StoreError, StoredJob,
};
use super::worker::{Done, Fail};
use super::{documents, journal, owner};
use crate::model::{JobId, Lane, Partition, StoreTime};

/// Records of ended jobs kept of each partition.
const HISTORY: i64 = 1_000;

fn lane_number(lane: Lane) -> i64 {
    Lane::ALL.iter().position(|l| *l == lane).unwrap_or(0) as i64
}

const COLUMNS: &str = "n, k, lane, due, tries, attempts, started, nonce, blob";

fn job_of(r: &Row<'_>) -> rusqlite::Result<StoredJob> {
    let lane: i64 = r.get(2)?;
    let started: Option<i64> = r.get(6)?;
    let nonce: Option<String> = r.get(7)?;
    Ok(StoredJob {
        id: JobId {
            n: r.get::<_, i64>(0)? as u64,
            k: r.get(1)?,
        },
        lane: Lane::ALL.get(lane as usize).copied().unwrap_or(Lane::Chore),
        due: StoreTime(r.get(3)?),
        tries: r.get(4)?,
        attempts: r.get(5)?,
        started: started.zip(nonce).map(|(at, nonce)| Started {
            at: StoreTime(at),
            nonce,
        }),
        blob: r.get(8)?,
    })
}

/// The step. See [`super::super::Store::commit`].
pub fn commit(
    conn: &Connection,
    fence: &Fence,
    expected: u64,
    c: &Commit,
    now: StoreTime,
    trim_before: StoreTime,
) -> Done<Committed> {
    let mut head = owner::check(conn, fence, expected)?;
    if c.position < expected {
        let what = format!("position {} is before {expected}", c.position);
        return Err(StoreError::Refused(what).into());
    }
    if c.position > head {
        return Err(StoreError::Lost(format!(
            "{} ends at {head}, decided up to {}",
            fence.partition, c.position
        ))
        .into());
    }
    let p = fence.partition;
    for job in &c.jobs {
        add(conn, p, job)?;
    }
    for s in &c.starts {
        conn.prepare_cached(
            "UPDATE jobs SET tries = tries + 1, attempts = attempts + 1, started = coalesce(started, ?4), nonce = ?5,
               blob = coalesce(?6, blob) WHERE p = ?1 AND n = ?2 AND k = ?3",
        )?
        .execute(params![
            p.index() as i64,
            s.id.n as i64,
            s.id.k,
            now.0,
            fence.nonce,
            s.blob
        ])?;
    }
    for d in &c.defers {
        // Right-hand sides see the row as it was: `tries < 2` means that no try is left that may have arrived.
        conn.prepare_cached(
            "UPDATE jobs SET due = ?4, blob = coalesce(?6, blob),
               tries = CASE WHEN ?5 THEN max(tries - 1, 0) ELSE tries END,
               nonce = CASE WHEN ?5 AND tries < 2 THEN NULL ELSE nonce END,
               started = CASE WHEN ?5 AND tries < 2 THEN NULL ELSE started END
             WHERE p = ?1 AND n = ?2 AND k = ?3",
        )?
        .execute(params![
            p.index() as i64,
            d.id.n as i64,
            d.id.k,
            d.due.0,
            d.refused,
            d.blob
        ])?;
    }
    let mut released = Vec::new();
    for e in &c.ends {
        if let Some(follower) = end(conn, p, e.id, &e.record)? {
            released.push(follower);
        }
    }
    if !c.ends.is_empty() {
        conn.prepare_cached(
            "DELETE FROM history WHERE p = ?1 AND id <=
               (SELECT id FROM history WHERE p = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)",
        )?
        .execute(params![p.index() as i64, HISTORY])?;
    }
    released.retain(|id| !c.ends.iter().any(|e| e.id == *id));
    for put in &c.docs {
        documents::put(conn, p, put, now)?;
    }
    for e in &c.entries {
        if let Some(n) = journal::put(conn, p, e.mark.as_ref(), now, now, &e.blob)? {
            head = n;
        }
    }
    for q in &c.quarantine {
        conn.prepare_cached("INSERT INTO quarantine (p, n, reason, blob) VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![p.index() as i64, q.n as i64, q.reason, q.blob])?;
    }
    for (name, by) in &c.counters {
        conn.prepare_cached(
            "INSERT INTO counters (p, name, value) VALUES (?1, ?2, ?3)
             ON CONFLICT DO UPDATE SET value = value + excluded.value",
        )?
        .execute(params![p.index() as i64, name, by])?;
    }
    if c.position > expected {
        conn.prepare_cached("UPDATE parts SET position = ?2 WHERE p = ?1")?
            .execute(params![p.index() as i64, c.position as i64])?;
        // Every 16th number is often enough: each time more entries go than came since.
        if c.position / 16 > expected / 16 {
            journal::trim(conn, p, c.position, trim_before)?;
        }
    }
    Ok(Committed { now, head, released })
}

/// Adds a job; it waits if the one before it is open.
fn add(conn: &Connection, p: Partition, job: &NewJob) -> Done<()> {
    let open = match job.after {
        Some(before) => conn
            .prepare_cached("SELECT 1 FROM jobs WHERE p = ?1 AND n = ?2 AND k = ?3")?
            .query_row(params![p.index() as i64, before.n as i64, before.k], |_| Ok(before))
            .optional()?,
        None => None,
    };
    let added = conn
        .prepare_cached(
            "INSERT INTO jobs (p, n, k, lane, due, after_n, after_k, blob) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute(params![
            p.index() as i64,
            job.id.n as i64,
            job.id.k,
            lane_number(job.lane),
            job.due.0,
            open.map(|o| o.n as i64),
            open.map(|o| o.k),
            job.blob
        ]);
    match added {
        Ok(_) => Ok(()),
        // A second job of one id, or a second follower of one job: the caller's fault, for ever.
        Err(rusqlite::Error::SqliteFailure(e, _)) if e.code == ffi::ErrorCode::ConstraintViolation => {
            Err(StoreError::Refused(format!(
                "job {} is there already, or another one waits for the same",
                job.id
            ))
            .into())
        }
        Err(e) => Err(Fail::Sql(e)),
    }
}

/// Ends a job; returns the follower it released.
fn end(conn: &Connection, p: Partition, id: JobId, record: &[u8]) -> Done<Option<JobId>> {
    let (p, n, k) = (p.index() as i64, id.n as i64, id.k);
    let gone = conn
        .prepare_cached("DELETE FROM jobs WHERE p = ?1 AND n = ?2 AND k = ?3")?
        .execute(params![p, n, k])?;
    if gone == 0 {
        return Ok(None);
    }
    conn.prepare_cached("INSERT INTO history (p, record) VALUES (?1, ?2)")?
        .execute(params![p, record])?;
    Ok(conn
        .prepare_cached(
            "UPDATE jobs SET after_n = NULL, after_k = NULL WHERE p = ?1 AND after_n = ?2 AND after_k = ?3 RETURNING n, k",
        )?
        .query_row(params![p, n, k], |r| {
            Ok(JobId {
                n: r.get::<_, i64>(0)? as u64,
                k: r.get(1)?,
            })
        })
        .optional()?)
}

/// Due jobs of a lane.
pub fn due(conn: &Connection, p: Partition, lane: Lane, max: usize, now: StoreTime) -> Done<Due> {
    let mut get = conn.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM jobs WHERE p = ?1 AND lane = ?2 AND after_n IS NULL ORDER BY due, n, k LIMIT ?3"
    ))?;
    let mut rows = get.query(params![p.index() as i64, lane_number(lane), max as i64 + 1])?;
    let mut jobs = Vec::new();
    while let Some(r) = rows.next()? {
        let due = StoreTime(r.get(3)?);
        if due > now || jobs.len() == max {
            return Ok(Due {
                jobs,
                next: Some(due),
                now,
            });
        }
        jobs.push(job_of(r)?);
    }
    Ok(Due { jobs, next: None, now })
}

/// One open job.
pub fn job(conn: &Connection, p: Partition, id: JobId) -> Done<Option<StoredJob>> {
    Ok(conn
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM jobs WHERE p = ?1 AND n = ?2 AND k = ?3"
        ))?
        .query_row(params![p.index() as i64, id.n as i64, id.k], job_of)
        .optional()?)
}

/// Newest records first.
pub fn history(conn: &Connection, p: Partition, max: usize) -> Done<Vec<Vec<u8>>> {
    let mut get = conn.prepare_cached("SELECT record FROM history WHERE p = ?1 ORDER BY id DESC LIMIT ?2")?;
    let rows = get.query_map(params![p.index() as i64, (max as i64).min(HISTORY)], |r| r.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Oldest first.
pub fn quarantined(conn: &Connection, p: Partition, max: usize) -> Done<Vec<Quarantined>> {
    let mut get = conn.prepare_cached("SELECT n, reason, blob FROM quarantine WHERE p = ?1 ORDER BY id LIMIT ?2")?;
    let rows = get.query_map(params![p.index() as i64, max as i64], |r| {
        Ok(Quarantined {
            n: r.get::<_, i64>(0)? as u64,
            reason: r.get(1)?,
            blob: r.get(2)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Counters by name.
pub fn counters(conn: &Connection, p: Partition) -> Done<Vec<(String, i64)>> {
    let mut get = conn.prepare_cached("SELECT name, value FROM counters WHERE p = ?1 ORDER BY name")?;
    let rows = get.query_map([p.index() as i64], |r| Ok((r.get(0)?, r.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Figures of one partition.
pub fn stats(conn: &Connection, p: Partition) -> Done<PartitionStats> {
    let p = p.index() as i64;
    let mut out = PartitionStats::default();
    (out.head, out.position) = conn
        .prepare_cached("SELECT head, position FROM parts WHERE p = ?1")?
        .query_row([p], |r| Ok((r.get::<_, i64>(0)? as u64, r.get::<_, i64>(1)? as u64)))?;
    out.quarantined = conn
        .prepare_cached("SELECT count(*) FROM quarantine WHERE p = ?1")?
        .query_row([p], |r| r.get::<_, i64>(0))? as u64;
    let mut get = conn.prepare_cached(
        "SELECT lane, count(*), min(due) FILTER (WHERE after_n IS NULL) FROM jobs WHERE p = ?1 GROUP BY lane",
    )?;
    let mut rows = get.query([p])?;
    while let Some(r) = rows.next()? {
        let lane = r.get::<_, i64>(0)? as usize;
        if lane < Lane::ALL.len() {
            out.jobs[lane] = r.get::<_, i64>(1)? as u64;
            out.oldest[lane] = r.get::<_, Option<i64>>(2)?.map(StoreTime);
        }
    }
    Ok(out)
}
