//! The lease: whether a call may still start.
//!
//! The store's fence protects the store, not the world outside: a process that was stopped for a minute and
//! wakes up would call WeCom before it learns that its partition has another owner. So every call looks here
//! immediately before its first byte: no call starts when the last successful beat is older than 3 s, which
//! is less than the 5 s after which another gateway may take the partition.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::clock;
use crate::model::Partition;

/// No call starts when the last successful beat began longer ago than this (DESIGN, "Calls").
pub const FRESH: Duration = Duration::from_secs(3);

/// When each partition was last surely ours.
#[derive(Default)]
pub struct Leases(Mutex<HashMap<Partition, Instant>>);

impl Leases {
    /// The record was ours at a request that began at `at`. Call with the instant **before** the request.
    pub fn held(&self, partition: Partition, at: Instant) {
        self.lock().insert(partition, at);
    }

    /// The partition is not ours any more.
    pub fn lost(&self, partition: Partition) {
        self.lock().remove(&partition);
    }

    /// May a call of this partition start now?
    pub fn fresh(&self, partition: Partition) -> bool {
        let at = self.lock().get(&partition).copied();
        at.is_some_and(|at| clock::monotonic().saturating_duration_since(at) <= FRESH)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Partition, Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_may_start_only_while_the_last_beat_is_fresh() {
        let p = Partition::new(1).unwrap();
        let leases = Leases::default();
        assert!(!leases.fresh(p));
        leases.held(p, clock::monotonic());
        assert!(leases.fresh(p));
        leases.held(p, clock::monotonic() - FRESH - Duration::from_millis(1));
        assert!(!leases.fresh(p));
        leases.held(p, clock::monotonic());
        leases.lost(p);
        assert!(!leases.fresh(p));
    }
}
