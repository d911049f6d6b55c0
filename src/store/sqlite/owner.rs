//! Who owns which partition, and who is alive.

use std::time::Duration;

use rusqlite::{Connection, params};

use super::super::{Acquired, Beat, Fence, Live, OwnerRecord, StoreError};
use super::worker::Done;
use crate::model::{Partition, StoreTime};

/// A gateway counts as alive for this long after its last word (DESIGN, "live gateways").
pub const ALIVE: Duration = Duration::from_secs(5);

/// All 64 records.
pub fn all(conn: &Connection) -> Done<Vec<OwnerRecord>> {
    let mut get = conn.prepare_cached("SELECT epoch, nonce, node, beats FROM parts ORDER BY p")?;
    let rows = get.query_map([], |r| {
        Ok(OwnerRecord {
            epoch: r.get::<_, i64>(0)? as u64,
            nonce: r.get(1)?,
            node: r.get(2)?,
            beats: r.get::<_, i64>(3)? as u64,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Replaces a record that is still as seen.
pub fn acquire(
    conn: &Connection,
    partition: Partition,
    seen: &OwnerRecord,
    nonce: &str,
    node: &str,
    now: StoreTime,
) -> Done<Option<Acquired>> {
    let mut set = conn.prepare_cached(
        "UPDATE parts SET epoch = epoch + 1, nonce = ?1, node = ?2, beats = 0
         WHERE p = ?3 AND epoch = ?4 AND nonce = ?5 AND node = ?6 AND beats = ?7
         RETURNING epoch, position, head",
    )?;
    let mut rows = set.query(params![
        nonce,
        node,
        partition.index() as i64,
        seen.epoch as i64,
        seen.nonce,
        seen.node,
        seen.beats as i64
    ])?;
    let Some(r) = rows.next()? else {
        return Ok(None);
    };
    Ok(Some(Acquired {
        fence: Fence {
            partition,
            epoch: r.get::<_, i64>(0)? as u64,
            nonce: nonce.to_owned(),
        },
        position: r.get::<_, i64>(1)? as u64,
        head: r.get::<_, i64>(2)? as u64,
        now,
    }))
}

/// Raises the beats of what is still ours.
pub fn beat(conn: &Connection, fences: &[Fence], now: StoreTime) -> Done<Beat> {
    let mut set =
        conn.prepare_cached("UPDATE parts SET beats = beats + 1 WHERE p = ?1 AND epoch = ?2 AND nonce = ?3")?;
    let mut held = Vec::with_capacity(fences.len());
    for f in fences {
        held.push(set.execute(params![f.partition.index() as i64, f.epoch as i64, f.nonce])? == 1);
    }
    Ok(Beat { held, now })
}

/// Empties the record if it is still ours.
pub fn release(conn: &Connection, f: &Fence) -> Done<()> {
    conn.prepare_cached("UPDATE parts SET nonce = '', node = '' WHERE p = ?1 AND epoch = ?2 AND nonce = ?3")?
        .execute(params![f.partition.index() as i64, f.epoch as i64, f.nonce])?;
    Ok(())
}

/// The fence: epoch, nonce and position are as expected, else lost. Returns the head.
pub fn check(conn: &Connection, f: &Fence, expected: u64) -> Done<u64> {
    let (epoch, nonce, position, head): (i64, String, i64, i64) = conn
        .prepare_cached("SELECT epoch, nonce, position, head FROM parts WHERE p = ?1")?
        .query_row([f.partition.index() as i64], |r| {
            Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?))
        })?;
    // An empty nonce is a released record: nobody's.
    if epoch as u64 != f.epoch || nonce != f.nonce || nonce.is_empty() {
        return Err(StoreError::Lost(format!("{} has epoch {epoch}, ours is {}", f.partition, f.epoch)).into());
    }
    if position as u64 != expected {
        return Err(StoreError::Lost(format!("{} is at {position}, expected {expected}", f.partition)).into());
    }
    Ok(head as u64)
}

/// Notes that a node is alive; returns those that are.
pub fn announce(conn: &Connection, node: &str, counted: bool, generation: &str, now: StoreTime) -> Done<Live> {
    conn.prepare_cached("INSERT OR REPLACE INTO nodes (node, counted, at) VALUES (?1, ?2, ?3)")?
        .execute(params![node, counted, now.0])?;
    let oldest = now.minus(ALIVE).0;
    conn.prepare_cached("DELETE FROM nodes WHERE at < ?1")?
        .execute([oldest])?;
    let mut get = conn.prepare_cached("SELECT node FROM nodes WHERE counted ORDER BY node")?;
    let owners = get.query_map([], |r| r.get(0))?.collect::<Result<_, _>>()?;
    Ok(Live {
        owners,
        now,
        generation: generation.to_owned(),
    })
}

/// Takes a node off the list.
pub fn retire(conn: &Connection, node: &str) -> Done<()> {
    conn.prepare_cached("DELETE FROM nodes WHERE node = ?1")?
        .execute([node])?;
    Ok(())
}
