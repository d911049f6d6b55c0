//! Bytes as they lie in Redis: job ids, jobs, quarantined entries. The other half is in the Lua scripts.

use std::time::Duration;

use redis::Value;

use super::super::{FOR_EVER, Mark, MarkKind, Quarantined, Started, StoreError, StoreResult, StoredJob};
use crate::model::{JobId, Lane, StoreTime};

fn odd(what: &str) -> StoreError {
    StoreError::Refused(format!("redis holds or answered an odd {what}"))
}

/// 12 bytes, big endian: members of one score are sorted by bytes, so by number, then place.
pub fn id(id: JobId) -> [u8; 12] {
    let mut out = [0; 12];
    out[..8].copy_from_slice(&id.n.to_be_bytes());
    out[8..].copy_from_slice(&id.k.to_be_bytes());
    out
}

/// Reads [`id`] back.
pub fn read_id(bytes: &[u8]) -> StoreResult<JobId> {
    let (n, rest) = bytes.split_first_chunk::<8>().ok_or_else(|| odd("job id"))?;
    let k: [u8; 4] = rest.try_into().map_err(|_| odd("job id"))?;
    Ok(JobId {
        n: u64::from_be_bytes(*n),
        k: u32::from_be_bytes(k),
    })
}

/// Reads a job as `commit.lua` packs it: lane, due, tries, attempts, time of the start, nonce, blob.
pub fn read_job(job: JobId, bytes: &[u8]) -> StoreResult<StoredJob> {
    let read = || {
        let (lane, rest) = bytes.split_first()?;
        let (due, rest) = rest.split_first_chunk::<8>()?;
        let (tries, rest) = rest.split_first_chunk::<4>()?;
        let (attempts, rest) = rest.split_first_chunk::<4>()?;
        let (at, rest) = rest.split_first_chunk::<8>()?;
        let (len, rest) = rest.split_first()?;
        let (nonce, blob) = rest.split_at_checked(usize::from(*len))?;
        let started = (!nonce.is_empty()).then(|| Started {
            at: StoreTime(i64::from_be_bytes(*at)),
            nonce: String::from_utf8_lossy(nonce).into_owned(),
        });
        Some(StoredJob {
            id: job,
            lane: *Lane::ALL.get(usize::from(*lane))?,
            due: StoreTime(i64::from_be_bytes(*due)),
            tries: u32::from_be_bytes(*tries),
            attempts: u32::from_be_bytes(*attempts),
            started,
            blob: blob.to_vec(),
        })
    };
    read().ok_or_else(|| odd("job"))
}

/// Number, length of the reason, reason, entry.
pub fn quarantined(q: &Quarantined) -> Vec<u8> {
    let mut out = Vec::with_capacity(12 + q.reason.len() + q.blob.len());
    out.extend_from_slice(&q.n.to_be_bytes());
    out.extend_from_slice(&(q.reason.len() as u32).to_be_bytes());
    out.extend_from_slice(q.reason.as_bytes());
    out.extend_from_slice(&q.blob);
    out
}

/// Reads [`quarantined`] back.
pub fn read_quarantined(bytes: &[u8]) -> StoreResult<Quarantined> {
    let read = || {
        let (n, rest) = bytes.split_first_chunk::<8>()?;
        let (len, rest) = rest.split_first_chunk::<4>()?;
        let (reason, blob) = rest.split_at_checked(u32::from_be_bytes(*len) as usize)?;
        Some(Quarantined {
            n: u64::from_be_bytes(*n),
            reason: String::from_utf8_lossy(reason).into_owned(),
            blob: blob.to_vec(),
        })
    };
    read().ok_or_else(|| odd("quarantined entry"))
}

/// A mark for a script: letter of its kind, 63 bits in decimal, bucket, milliseconds of a generation.
pub fn mark(mark: Option<&Mark>) -> (&'static str, u64, u8, u64) {
    let Some(m) = mark else {
        return ("", 0, 0, 1);
    };
    let letter = match m.kind {
        MarkKind::Event => "e",
        MarkKind::KfMessage => "k",
        MarkKind::Broadcast => "b",
    };
    let mut first = [0; 8];
    first.copy_from_slice(&m.key[..8]);
    (letter, u64::from_be_bytes(first) >> 1, m.key[8], ms(m.kind.keep()))
}

/// Whole milliseconds, bounded so that no sum of them overflows.
pub fn ms(d: Duration) -> u64 {
    u64::try_from(d.min(FOR_EVER).as_millis()).unwrap_or(u64::MAX)
}

/// Time to live for `PX`: 0 is for ever, and nothing shorter than a millisecond can be asked.
pub fn ttl(d: Duration) -> u64 {
    if d >= FOR_EVER { 0 } else { ms(d).max(1) }
}

/// An integer of an answer.
pub fn int(v: &Value) -> StoreResult<i64> {
    match v {
        Value::Int(n) => Ok(*n),
        other => redis::from_redis_value_ref(other).map_err(|_| odd("number")),
    }
}

/// A time of an answer, or none if it is empty.
pub fn time(v: &Value) -> StoreResult<Option<StoreTime>> {
    match v {
        Value::BulkString(b) if b.is_empty() => Ok(None),
        Value::Nil => Ok(None),
        other => int(other).map(|n| Some(StoreTime(n))),
    }
}

/// Bytes of an answer.
pub fn bytes(v: Value) -> StoreResult<Vec<u8>> {
    match v {
        Value::BulkString(b) => Ok(b),
        _ => Err(odd("answer")),
    }
}
