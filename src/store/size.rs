//! How much one call may carry. Both stores refuse the same things, so a caller that fits one fits the other.

use super::{Append, Ask, Commit, DocPut, Reserve, StoreError, StoreResult};

/// Most elements of any list of a call. The Lua scripts unpack at most 1,000 values at a time; four values an
/// element stay below that.
pub const MAX_ENTRIES: usize = 256;

/// Most bytes of a call, its largest single piece not counted. Redis runs one script at a time: more would
/// hold up every other partition for more than a millisecond.
pub const MAX_BYTES: usize = 256 * 1024;

/// Most bytes of one entry, job or document: WeCom's bodies are refused above 1 MiB before they get here, and
/// what fits there must fit here (alone in its call), or it could be neither decided nor set aside.
pub const MAX_PIECE: usize = 1024 * 1024 + 64 * 1024;

/// Adds up one call.
#[derive(Default)]
struct Sum {
    bytes: usize,
    largest: usize,
}

impl Sum {
    fn add(&mut self, bytes: usize) {
        self.bytes += bytes;
        self.largest = self.largest.max(bytes);
    }

    fn check(&self) -> StoreResult<()> {
        if self.largest > MAX_PIECE {
            return Err(refused(format!("{} bytes in one piece", self.largest)));
        }
        if self.bytes - self.largest > MAX_BYTES {
            return Err(refused(format!("{} bytes in one call", self.bytes)));
        }
        Ok(())
    }
}

fn refused(what: String) -> StoreError {
    StoreError::Refused(format!(
        "{what}; at most {MAX_ENTRIES} elements a list, {MAX_BYTES} bytes a call and {MAX_PIECE} bytes a piece"
    ))
}

/// A list may have at most [`MAX_ENTRIES`].
pub fn list(what: &str, len: usize) -> StoreResult<()> {
    if len > MAX_ENTRIES {
        return Err(refused(format!("{len} {what} in one call")));
    }
    Ok(())
}

/// Refuses a batch that is too large. Nothing of it was written then.
pub fn append(batch: &[Append]) -> StoreResult<()> {
    list("entries", batch.len())?;
    let mut sum = Sum::default();
    batch.iter().for_each(|a| sum.add(a.blob.len()));
    sum.check()
}

/// Refuses a document that is too large.
pub fn document(put: &DocPut) -> StoreResult<()> {
    let mut sum = Sum::default();
    sum.add(put.key.len() + put.value.as_ref().map_or(0, Vec::len));
    sum.check()
}

/// Refuses a commit that is too large. The owner, who asks before it sends, splits it by events.
pub fn commit(commit: &Commit) -> StoreResult<()> {
    list("jobs", commit.jobs.len())?;
    list("documents", commit.docs.len())?;
    list("entries", commit.entries.len())?;
    list("quarantined entries", commit.quarantine.len())?;
    list("starts", commit.starts.len())?;
    list("defers", commit.defers.len())?;
    list("ends", commit.ends.len())?;
    list("counters", commit.counters.len())?;
    sum_of(commit).check()
}

/// Bytes that a commit carries, for the buffer that takes them.
pub fn commit_bytes(commit: &Commit) -> usize {
    sum_of(commit).bytes
}

fn sum_of(commit: &Commit) -> Sum {
    let optional = |blob: &Option<Vec<u8>>| blob.as_ref().map_or(0, Vec::len);
    let mut sum = Sum::default();
    commit.jobs.iter().for_each(|j| sum.add(j.blob.len()));
    commit
        .docs
        .iter()
        .for_each(|d| sum.add(d.key.len() + optional(&d.value)));
    commit.entries.iter().for_each(|e| sum.add(e.blob.len()));
    commit
        .quarantine
        .iter()
        .for_each(|q| sum.add(q.blob.len() + q.reason.len()));
    commit.starts.iter().for_each(|s| sum.add(optional(&s.blob)));
    commit.defers.iter().for_each(|d| sum.add(optional(&d.blob)));
    commit.ends.iter().for_each(|e| sum.add(e.record.len()));
    commit.counters.iter().for_each(|(name, _)| sum.add(name.len()));
    sum
}

/// Refuses a batch of asks that is too large, or one that names a scope or a length of
/// window twice (it would take one for two).
pub fn asks(asks: &[Ask]) -> StoreResult<()> {
    list("asks", asks.len())?;
    list("scopes", asks.iter().map(|a| a.scopes.len()).sum())?;
    for ask in asks {
        for (i, (scope, windows)) in ask.scopes.iter().enumerate() {
            if ask.scopes[..i].iter().any(|(s, _)| s == scope) {
                return Err(StoreError::Refused("one ask names a scope twice".into()));
            }
            if (1..windows.len()).any(|i| windows[..i].iter().any(|w| w.window == windows[i].window)) {
                return Err(StoreError::Refused("one scope has two windows of one length".into()));
            }
        }
    }
    Ok(())
}

/// Refuses a reservation that is too large, or that names a contact twice (a refund names the contact only).
pub fn reservation(reserve: &Reserve) -> StoreResult<()> {
    list("contacts", reserve.contacts.len())?;
    let mut names: Vec<&str> = reserve.contacts.iter().map(|(c, _)| c.as_str()).collect();
    names.sort_unstable();
    if names.windows(2).any(|w| w[0] == w[1]) {
        return Err(StoreError::Refused("one reservation names a contact twice".into()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Partition;

    fn entry(bytes: usize) -> Append {
        Append {
            partition: Partition::of_key("c/ww1/wm1"),
            mark: None,
            age: std::time::Duration::ZERO,
            blob: vec![0; bytes],
            wake: false,
        }
    }

    #[test]
    fn one_large_body_fits_alone_and_two_do_not() {
        assert!(append(&[entry(1024 * 1024)]).is_ok());
        assert!(append(&[entry(1024 * 1024), entry(1)]).is_ok());
        assert!(append(&[entry(300 * 1024), entry(300 * 1024)]).is_err());
        assert!(append(&[entry(2 * 1024 * 1024)]).is_err());
    }

    #[test]
    fn a_call_has_at_most_256_entries() {
        assert!(append(&vec![entry(1); 256]).is_ok());
        assert!(append(&vec![entry(1); 257]).is_err());
    }
}
