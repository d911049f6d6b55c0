//! Journals and their marks.

use rusqlite::{Connection, OptionalExtension, params};

use super::super::{Append, Appended, JournalEntry, Mark, MarkKind};
use super::worker::Done;
use crate::model::{Partition, StoreTime};

/// The journal's key: partition and number in one integer.
pub fn key(partition: Partition, n: u64) -> i64 {
    ((partition.index() as i64) << 48) | (n & 0xffff_ffff_ffff) as i64
}

fn number(key: i64) -> u64 {
    (key & 0xffff_ffff_ffff) as u64
}

/// 63 bits of the mark's SHA-256, as on Redis.
fn hash(mark: &Mark) -> i64 {
    let mut first = [0; 8];
    first.copy_from_slice(&mark.key[..8]);
    (u64::from_be_bytes(first) >> 1) as i64
}

fn kind(kind: MarkKind) -> i64 {
    match kind {
        MarkKind::Event => 0,
        MarkKind::KfMessage => 1,
        MarkKind::Broadcast => 2,
    }
}

/// All kinds, for the sweep.
pub const KINDS: [MarkKind; 3] = [MarkKind::Event, MarkKind::KfMessage, MarkKind::Broadcast];

/// The generation of marks that a time belongs to.
fn generation(k: MarkKind, now: StoreTime) -> i64 {
    now.0.div_euclid(k.keep().as_millis() as i64)
}

/// Sets a mark; false if it was known.
fn mark(conn: &Connection, p: Partition, mark: &Mark, now: StoreTime) -> Done<bool> {
    let (k, g, p, h) = (
        kind(mark.kind),
        generation(mark.kind, now),
        p.index() as i64,
        hash(mark),
    );
    let known = conn
        .prepare_cached("SELECT 1 FROM marks WHERE kind = ?1 AND generation = ?2 AND p = ?3 AND hash = ?4")?
        .query_row(params![k, g - 1, p, h], |_| Ok(()))
        .optional()?;
    if known.is_some() {
        return Ok(false);
    }
    let set = conn
        .prepare_cached("INSERT OR IGNORE INTO marks (kind, generation, p, hash) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![k, g, p, h])?;
    Ok(set == 1)
}

/// Appends one entry.
pub fn append(conn: &Connection, entry: &Append, now: StoreTime) -> Done<Appended> {
    let at = now.minus(entry.age);
    Ok(
        match put(conn, entry.partition, entry.mark.as_ref(), at, now, &entry.blob)? {
            Some(n) => Appended::New { n, at },
            None => Appended::Duplicate,
        },
    )
}

/// Appends bytes first accepted at `at`, unless the mark is known; returns the number given.
pub fn put(
    conn: &Connection,
    p: Partition,
    m: Option<&Mark>,
    at: StoreTime,
    now: StoreTime,
    blob: &[u8],
) -> Done<Option<u64>> {
    if let Some(m) = m
        && !mark(conn, p, m, now)?
    {
        return Ok(None);
    }
    let n: i64 = conn
        .prepare_cached("UPDATE parts SET head = head + 1 WHERE p = ?1 RETURNING head")?
        .query_row([p.index() as i64], |r| r.get(0))?;
    let n = n as u64;
    conn.prepare_cached("INSERT INTO journal (id, at, blob) VALUES (?1, ?2, ?3)")?
        .execute(params![key(p, n), at.0, blob])?;
    Ok(Some(n))
}

/// Entries after a number.
pub fn read(conn: &Connection, p: Partition, after: u64, max: usize) -> Done<Vec<JournalEntry>> {
    let mut get =
        conn.prepare_cached("SELECT id, at, blob FROM journal WHERE id > ?1 AND id <= ?2 ORDER BY id LIMIT ?3")?;
    let rows = get.query_map(params![key(p, after), key(p, u64::MAX), max as i64], |r| {
        Ok(JournalEntry {
            n: number(r.get(0)?),
            at: StoreTime(r.get(1)?),
            blob: r.get(2)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Drops decided entries from the oldest on, as far as they were accepted before `before`, a few at a time.
pub fn trim(conn: &Connection, p: Partition, position: u64, before: StoreTime) -> Done<()> {
    conn.prepare_cached(
        "WITH old AS (SELECT id, at FROM journal WHERE id > ?1 AND id <= ?2 ORDER BY id LIMIT 64)
         DELETE FROM journal WHERE id IN (SELECT id FROM old WHERE id <
           (SELECT coalesce(min(id), ?2 + 1) FROM old WHERE at >= ?3))",
    )?
    .execute(params![key(p, 0), key(p, position), before.0])?;
    Ok(())
}

/// Drops marks of generations that nobody asks for any more, a few at a time.
pub fn sweep_marks(conn: &Connection, now: StoreTime) -> Done<()> {
    for k in KINDS {
        conn.prepare_cached(
            "DELETE FROM marks WHERE (kind, generation, p, hash) IN
               (SELECT kind, generation, p, hash FROM marks WHERE kind = ?1 AND generation < ?2 LIMIT 5000)",
        )?
        .execute(params![kind(k), generation(k, now) - 1])?;
    }
    Ok(())
}
