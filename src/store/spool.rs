//! The spool: one gateway's own disk for when the store is out of reach (Redis only).
//!
//! Comes in: events that the store did not take within a second. Goes out: the same events in order, once the
//! store is back. One SQLite file, `synchronous=FULL`, mode 0600 (it holds message texts), one process
//! (`PATH.lock`), at most [`MAX_BYTES`].
//!
//! An event's age is measured on the monotonic clock of the run that spooled it; an event of an earlier run can
//! only be aged by the wall clock, never below zero. A wall clock that was set in between makes a late welcome
//! look younger or older than it is, and does nothing else.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OptionalExtension, params};

use super::sqlite::{file, worker};
use super::{Mark, MarkKind, StoreError, StoreResult, random_name};
use crate::clock;
use crate::model::{Partition, StoreTime};
use worker::{Done, Worker};

/// The whole file. A day of a busy corp (10 events a second of 300 B) is less; what does not fit is a 503, and
/// WeCom brings it again.
pub const MAX_BYTES: u32 = 256 * 1024 * 1024;

const PAGE: u32 = 4096;

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS spool (
  id INTEGER PRIMARY KEY AUTOINCREMENT, p INTEGER NOT NULL, kind INTEGER, mark BLOB,
  wall INTEGER NOT NULL, run TEXT NOT NULL, mono INTEGER NOT NULL, blob BLOB NOT NULL) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS spool_mark ON spool (kind, mark) WHERE mark IS NOT NULL;
CREATE TABLE IF NOT EXISTS probe (id INTEGER PRIMARY KEY, at INTEGER NOT NULL) STRICT;";

/// One event in the spool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spooled {
    /// Order of arrival.
    pub id: i64,
    /// Where it belongs.
    pub partition: Partition,
    /// Its mark.
    pub mark: Option<Mark>,
    /// How long ago it was accepted.
    pub age: Duration,
    /// The entry.
    pub blob: Vec<u8>,
}

/// The spool. Dropping it ends its thread and gives the lock back.
pub struct Spool {
    worker: Worker,
    run: String,
    since: Instant,
    _lock: File,
}

const KINDS: [MarkKind; 3] = [MarkKind::Event, MarkKind::KfMessage, MarkKind::Broadcast];

fn kind_number(kind: MarkKind) -> i64 {
    KINDS.iter().position(|k| *k == kind).unwrap_or(0) as i64
}

impl Spool {
    /// Opens or makes the file. `Refused` while another process has it; `Unavailable` when the disk will not.
    pub fn open(path: &Path) -> StoreResult<Self> {
        Self::open_limited(path, MAX_BYTES)
    }

    /// The same with another limit.
    pub fn open_limited(path: &Path, max_bytes: u32) -> StoreResult<Self> {
        let cannot = |e: &dyn std::fmt::Display| {
            StoreError::Unavailable(format!("cannot open the spool {}: {e}", path.display()))
        };
        if let Some(parent) = path.parent().filter(|p| !p.as_os_str().is_empty()) {
            std::fs::create_dir_all(parent).map_err(|e| cannot(&e))?;
        }
        let lock = file::take_lock(path)?;
        // Made before SQLite sees it, which gives its side files the same mode.
        OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(path)
            .map_err(|e| cannot(&e))?;
        let conn = Connection::open(path).map_err(|e| cannot(&e))?;
        prepare(&conn, max_bytes).map_err(|e| cannot(&e))?;
        Ok(Self {
            worker: Worker::writer(conn)?,
            run: random_name(),
            since: clock::monotonic(),
            _lock: lock,
        })
    }

    fn mono(&self) -> i64 {
        clock::monotonic().saturating_duration_since(self.since).as_millis() as i64
    }

    /// Keeps one event; false if one with its mark is here already. Durable when it returns. An error (full,
    /// disk) has kept nothing. Cancelled midway: kept or not.
    pub async fn put(&self, partition: Partition, mark: Option<Mark>, blob: Vec<u8>) -> StoreResult<bool> {
        let (wall, run, mono) = (clock::wall(), self.run.clone(), self.mono());
        self.worker
            .call(move |c| put(c, partition, mark.as_ref(), (wall, &run, mono), &blob))
            .await
    }

    /// The oldest events, in order, at most `max` and about `bytes`.
    pub async fn oldest(&self, max: usize, bytes: usize) -> StoreResult<Vec<Spooled>> {
        let (wall, run, mono) = (clock::wall(), self.run.clone(), self.mono());
        self.worker
            .call(move |c| oldest(c, max, bytes, (wall, &run, mono)))
            .await
    }

    /// Forgets these: the store has them. Twice: nothing.
    pub async fn remove(&self, ids: Vec<i64>) -> StoreResult<()> {
        self.worker
            .call(move |c| {
                let mut delete = c.prepare_cached("DELETE FROM spool WHERE id = ?1")?;
                ids.iter().try_for_each(|id| delete.execute([id]).map(|_| ()))?;
                Ok(())
            })
            .await
    }

    /// How many events are here.
    pub async fn depth(&self) -> StoreResult<u64> {
        self.worker
            .call(|c| {
                let n: i64 = c
                    .prepare_cached("SELECT count(*) FROM spool")?
                    .query_row([], |r| r.get(0))?;
                Ok(n as u64)
            })
            .await
    }

    /// A durable write: could an event be kept now?
    pub async fn probe(&self) -> StoreResult<()> {
        let now = clock::wall();
        self.worker
            .call(move |c| {
                c.prepare_cached("INSERT OR REPLACE INTO probe (id, at) VALUES (1, ?1)")?
                    .execute([now.0])?;
                Ok(())
            })
            .await
    }
}

fn prepare(conn: &Connection, max_bytes: u32) -> rusqlite::Result<()> {
    conn.set_prepared_statement_cache_capacity(16);
    conn.execute_batch(&format!(
        "PRAGMA page_size = {PAGE}; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
         PRAGMA max_page_count = {};",
        max_bytes / PAGE
    ))?;
    conn.execute_batch(SCHEMA)
}

fn put(
    conn: &Connection,
    p: Partition,
    mark: Option<&Mark>,
    (wall, run, mono): (StoreTime, &str, i64),
    blob: &[u8],
) -> Done<bool> {
    let kept = conn
        .prepare_cached(
            "INSERT INTO spool (p, kind, mark, wall, run, mono, blob) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
             ON CONFLICT DO NOTHING",
        )?
        .execute(params![
            p.index() as i64,
            mark.map(|m| kind_number(m.kind)),
            mark.map(|m| m.key.as_slice()),
            wall.0,
            run,
            mono,
            blob
        ])?;
    Ok(kept == 1)
}

fn oldest(
    conn: &Connection,
    max: usize,
    bytes: usize,
    (wall, run, mono): (StoreTime, &str, i64),
) -> Done<Vec<Spooled>> {
    let mut get =
        conn.prepare_cached("SELECT id, p, kind, mark, wall, run, mono, blob FROM spool ORDER BY id LIMIT ?1")?;
    let mut rows = get.query([max as i64])?;
    let (mut out, mut sum) = (Vec::new(), 0);
    while let Some(r) = rows.next()? {
        let blob: Vec<u8> = r.get(7)?;
        sum += blob.len();
        if sum > bytes && !out.is_empty() {
            break;
        }
        let kind: Option<i64> = r.get(2)?;
        let key: Option<[u8; 32]> = r.get(3)?;
        let kind = kind.and_then(|k| KINDS.get(k as usize)).copied();
        let age = if r.get::<_, String>(5)? == run {
            Duration::from_millis(u64::try_from(mono - r.get::<_, i64>(6)?).unwrap_or(0))
        } else {
            wall.since(StoreTime(r.get(4)?))
        };
        let p: u8 = r.get(1)?;
        let Some(partition) = Partition::new(p) else {
            return Err(StoreError::Refused(format!("the spool names partition {p}")).into());
        };
        out.push(Spooled {
            id: r.get(0)?,
            partition,
            mark: kind.zip(key).map(|(kind, key)| Mark { kind, key }),
            age,
            blob,
        });
    }
    Ok(out)
}

/// Age of the oldest event, for the metric.
pub async fn oldest_age(spool: &Spool) -> StoreResult<Option<Duration>> {
    let (wall, run, mono) = (clock::wall(), spool.run.clone(), spool.mono());
    spool
        .worker
        .call(move |c| {
            let found: Option<(i64, String, i64)> = c
                .prepare_cached("SELECT wall, run, mono FROM spool ORDER BY id LIMIT 1")?
                .query_row([], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)))
                .optional()?;
            Ok(found.map(|(at, of, then)| {
                if of == run {
                    Duration::from_millis(u64::try_from(mono - then).unwrap_or(0))
                } else {
                    wall.since(StoreTime(at))
                }
            }))
        })
        .await
}
