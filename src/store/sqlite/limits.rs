//! The limiter and the quota book.

use std::collections::HashMap;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, params};

use super::super::calendar::{self, QuotaWindow};
use super::super::rolling::Taken;
use super::super::{Ask, Permit, Reserve, Verdict, Window};
use super::worker::Done;
use crate::model::{Partition, StoreTime};

/// Counters and reservations outlive their window by this, so that a late refund finds them.
const DAY: Duration = Duration::from_secs(24 * 3600);

fn load(conn: &Connection, corp: &str, scope: &str, w: Window, now: StoreTime) -> Done<Taken> {
    let bytes: Option<Vec<u8>> = conn
        .prepare_cached("SELECT taken FROM windows WHERE corp = ?1 AND scope = ?2 AND ms = ?3")?
        .query_row(params![corp, scope, w.window.as_millis() as i64], |r| r.get(0))
        .optional()?;
    let mut taken = Taken::default();
    for chunk in bytes.unwrap_or_default().chunks_exact(12) {
        let (bucket, count) = chunk.split_at(8);
        if let (Ok(bucket), Ok(count)) = (bucket.try_into(), count.try_into()) {
            taken.0.push((i64::from_be_bytes(bucket), u32::from_be_bytes(count)));
        }
    }
    if taken.tidy(w, now) {
        save(conn, corp, scope, w, &taken, now)?;
    }
    Ok(taken)
}

fn save(conn: &Connection, corp: &str, scope: &str, w: Window, taken: &Taken, now: StoreTime) -> Done<()> {
    let mut bytes = Vec::with_capacity(taken.0.len() * 12);
    for (bucket, count) in &taken.0 {
        bytes.extend_from_slice(&bucket.to_be_bytes());
        bytes.extend_from_slice(&count.to_be_bytes());
    }
    let expires = now.plus(w.window * 2).0;
    conn.prepare_cached(
        "INSERT OR REPLACE INTO windows (corp, scope, ms, taken, expires) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![corp, scope, w.window.as_millis() as i64, bytes, expires])?;
    Ok(())
}

fn frozen(conn: &Connection, corp: &str, scope: &str) -> Done<Option<StoreTime>> {
    Ok(conn
        .prepare_cached("SELECT expires FROM freezes WHERE corp = ?1 AND scope = ?2")?
        .query_row([corp, scope], |r| r.get(0).map(StoreTime))
        .optional()?)
}

/// Takes from the limiter.
pub fn permit(conn: &Connection, corp: &str, asks: &[Ask], now: StoreTime) -> Done<Vec<Permit>> {
    let mut out = Vec::with_capacity(asks.len());
    for ask in asks {
        let mut wait: Option<StoreTime> = None;
        let mut room = Vec::new();
        for (scope, windows) in &ask.scopes {
            wait = wait.max(frozen(conn, corp, scope)?.filter(|until| *until > now));
            for w in windows {
                let taken = load(conn, corp, scope, *w, now)?;
                wait = wait.max(taken.next(*w, now));
                room.push((scope, *w, taken));
            }
        }
        out.push(match wait {
            Some(at) => Permit::NotBefore(at),
            None => {
                for (scope, w, mut taken) in room {
                    taken.take(w, now);
                    save(conn, corp, scope, w, &taken, now)?;
                }
                Permit::Granted
            }
        });
    }
    Ok(out)
}

/// Freezes a scope; a shorter time never replaces a longer one.
pub fn freeze(conn: &Connection, corp: &str, scope: &str, until: StoreTime) -> Done<StoreTime> {
    Ok(conn
        .prepare_cached(
            "INSERT INTO freezes (corp, scope, expires) VALUES (?1, ?2, ?3)
             ON CONFLICT DO UPDATE SET expires = max(expires, excluded.expires) RETURNING expires",
        )?
        .query_row(params![corp, scope, until.0], |r| r.get(0).map(StoreTime))?)
}

/// What a reservation took, and for whom.
#[derive(serde::Serialize, serde::Deserialize)]
struct Record {
    verdicts: Vec<Verdict>,
    /// Contact → counters (who, window) to give back.
    taken: HashMap<String, Vec<(String, String)>>,
}

fn who(corp: &str, contact: &str, member: Option<&str>, window: &QuotaWindow) -> String {
    match member.filter(|_| window.per_member) {
        Some(member) => format!("{corp}/{contact}/{member}"),
        None => format!("{corp}/{contact}"),
    }
}

/// Reserves one message for each contact.
pub fn reserve(conn: &Connection, r: &Reserve, now: StoreTime) -> Done<Vec<Verdict>> {
    let p = r.partition.index() as i64;
    let known: Option<Vec<u8>> = conn
        .prepare_cached("SELECT record FROM reservations WHERE p = ?1 AND id = ?2 AND expires > ?3")?
        .query_row(params![p, r.id, now.0], |row| row.get(0))
        .optional()?;
    if let Some(record) = known.and_then(|b| serde_json::from_slice::<Record>(&b).ok()) {
        return Ok(record.verdicts);
    }
    let mut record = Record {
        verdicts: Vec::with_capacity(r.contacts.len()),
        taken: HashMap::new(),
    };
    let mut last = now;
    for (contact, member) in &r.contacts {
        let windows = calendar::windows(&r.rule, now, member.is_some());
        last = windows.iter().map(|w| w.until).fold(last, StoreTime::max);
        let mut full: Option<&QuotaWindow> = None;
        for w in &windows {
            let count: Option<i64> = conn
                .prepare_cached("SELECT count FROM quota WHERE p = ?1 AND who = ?2 AND win = ?3")?
                .query_row(params![p, who(&r.corp, contact, member.as_deref(), w), w.id], |row| {
                    row.get(0)
                })
                .optional()?;
            // Of several full windows the one that ends last decides when it is worth trying again.
            if count.unwrap_or(0) >= i64::from(w.limit) && full.is_none_or(|f| w.until > f.until) {
                full = Some(w);
            }
        }
        if let Some(w) = full {
            record.verdicts.push(Verdict::Full {
                window: w.name.to_owned(),
                until: w.until,
            });
            continue;
        }
        let taken = record.taken.entry(contact.clone()).or_default();
        for w in &windows {
            let name = who(&r.corp, contact, member.as_deref(), w);
            conn.prepare_cached(
                "INSERT INTO quota (p, who, win, count, expires) VALUES (?1, ?2, ?3, 1, ?4)
                 ON CONFLICT DO UPDATE SET count = count + 1",
            )?
            .execute(params![p, name, w.id, w.until.plus(DAY).0])?;
            taken.push((name, w.id.clone()));
        }
        record.verdicts.push(Verdict::Reserved);
    }
    conn.prepare_cached(
        "INSERT OR REPLACE INTO reservations (p, id, record, settled, expires) VALUES (?1, ?2, ?3, 0, ?4)",
    )?
    .execute(params![
        p,
        r.id,
        serde_json::to_vec(&record).unwrap_or_default(),
        last.plus(DAY).0
    ])?;
    Ok(record.verdicts)
}

/// Ends a reservation; its verdicts are remembered for a day, so that a late repeat still takes nothing.
pub fn settle(conn: &Connection, p: Partition, id: &str, refund: &[String], now: StoreTime) -> Done<()> {
    let p = p.index() as i64;
    let open: Option<Vec<u8>> = conn
        .prepare_cached(
            "UPDATE reservations SET settled = 1, expires = ?3
             WHERE p = ?1 AND id = ?2 AND settled = 0 AND expires > ?4 RETURNING record",
        )?
        .query_row(params![p, id, now.plus(DAY).0, now.0], |r| r.get(0))
        .optional()?;
    let Some(mut record) = open.and_then(|b| serde_json::from_slice::<Record>(&b).ok()) else {
        return Ok(());
    };
    for contact in refund {
        for (who, window) in record.taken.remove(contact).unwrap_or_default() {
            conn.prepare_cached("UPDATE quota SET count = max(count - 1, 0) WHERE p = ?1 AND who = ?2 AND win = ?3")?
                .execute(params![p, who, window])?;
        }
    }
    Ok(())
}
