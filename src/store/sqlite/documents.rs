//! Documents, shared values, and the sweep of what has expired.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};

use super::super::{DocPut, FOR_EVER, Shared};
use super::journal;
use super::worker::Done;
use crate::model::{Partition, StoreTime};

fn expiry(now: StoreTime, ttl: Duration) -> Option<i64> {
    (ttl < FOR_EVER).then(|| now.plus(ttl).0)
}

/// Documents by key; one that has expired is not there.
pub fn get(conn: &Connection, p: Partition, keys: &[String], now: StoreTime) -> Done<Vec<Option<Vec<u8>>>> {
    let mut get =
        conn.prepare_cached("SELECT value FROM docs WHERE p = ?1 AND key = ?2 AND (expires IS NULL OR expires > ?3)")?;
    let mut out = Vec::with_capacity(keys.len());
    for key in keys {
        out.push(
            get.query_row(params![p.index() as i64, key, now.0], |r| r.get(0))
                .optional()?,
        );
    }
    Ok(out)
}

/// Writes or deletes one.
pub fn put(conn: &Connection, p: Partition, put: &DocPut, now: StoreTime) -> Done<()> {
    match &put.value {
        Some(value) => conn
            .prepare_cached("INSERT OR REPLACE INTO docs (p, key, value, expires) VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![p.index() as i64, put.key, value, expiry(now, put.ttl)])?,
        None => conn
            .prepare_cached("DELETE FROM docs WHERE p = ?1 AND key = ?2")?
            .execute(params![p.index() as i64, put.key])?,
    };
    Ok(())
}

/// A shared value.
pub fn shared(conn: &Connection, corp: &str, key: &str, now: StoreTime) -> Done<Shared> {
    let found = conn
        .prepare_cached(
            "SELECT version, value, expires FROM shared
             WHERE corp = ?1 AND key = ?2 AND (expires IS NULL OR expires > ?3)",
        )?
        .query_row(params![corp, key, now.0], |r| {
            Ok(Shared {
                version: r.get::<_, i64>(0)? as u64,
                value: Some(r.get(1)?),
                expires: r.get::<_, Option<i64>>(2)?.map(StoreTime),
                now,
            })
        })
        .optional()?;
    Ok(found.unwrap_or(Shared {
        version: 0,
        value: None,
        expires: None,
        now,
    }))
}

/// Sets a shared value if its version is still `version`. Versions come from one counter of the store, so one
/// that expired or was deleted never comes back with a version somebody still remembers.
pub fn compare_and_set(
    conn: &Connection,
    (corp, key): (&str, &str),
    version: u64,
    value: Option<&[u8]>,
    ttl: Option<Duration>,
    now: StoreTime,
) -> Done<bool> {
    if shared(conn, corp, key, now)?.version != version {
        return Ok(false);
    }
    let Some(value) = value else {
        conn.prepare_cached("DELETE FROM shared WHERE corp = ?1 AND key = ?2")?
            .execute(params![corp, key])?;
        return Ok(true);
    };
    let next: i64 = conn
        .prepare_cached(
            "INSERT INTO meta (key, value) VALUES ('version', '1')
             ON CONFLICT DO UPDATE SET value = CAST(value + 1 AS TEXT) RETURNING CAST(value AS INTEGER)",
        )?
        .query_row([], |r| r.get(0))?;
    conn.prepare_cached(
        "INSERT OR REPLACE INTO shared (corp, key, version, value, expires) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![corp, key, next, value, ttl.and_then(|t| expiry(now, t))])?;
    Ok(true)
}

/// Deletes a little of everything whose time has passed. Called with each announcement (once a second): what
/// has expired is invisible already, this only gives the space back.
pub fn sweep(conn: &Connection, now: StoreTime) -> Done<()> {
    for table in ["docs", "quota", "reservations", "shared", "windows", "freezes"] {
        let key = match table {
            "docs" | "reservations" => "rowid",
            "quota" => "(p, who, win)",
            "shared" => "(corp, key)",
            "windows" => "(corp, scope, ms)",
            _ => "(corp, scope)",
        };
        let columns = key.trim_matches(['(', ')']);
        conn.prepare_cached(&format!(
            "DELETE FROM {table} WHERE {key} IN (SELECT {columns} FROM {table} WHERE expires <= ?1 LIMIT 1000)"
        ))?
        .execute([now.0])?;
    }
    journal::sweep_marks(conn, now)
}
