//! Brings what is in the spool back to the store, in order, and turns the intake back to the store.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::{Intake, PATIENCE};
use crate::clock;
use crate::model::Partition;
use crate::store::spool::oldest_age;
use crate::store::{Append, StoreError, StoreResult, size};

/// How often a store that is out of reach is tried.
const PROBE: Duration = Duration::from_millis(250);

/// Entries brought back in one call of the store.
const AT_ONCE: usize = 32;
/// How long such a call may take.
const DRAIN_PATIENCE: Duration = Duration::from_secs(5);

/// What one step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Events do not go through the spool.
    Idle,
    /// Some were brought back, or came in the meantime: there may be more.
    Drained,
    /// The spool is empty: new events go to the store again.
    Done,
    /// The store (or the spool's disk) is still out of reach.
    Waiting,
}

/// Runs the steps for as long as the intake lives.
pub fn spawn(intake: &Arc<Intake>) {
    let weak: Weak<Intake> = Arc::downgrade(intake);
    tokio::spawn(async move {
        loop {
            clock::sleep(PROBE).await;
            let Some(intake) = weak.upgrade() else {
                return;
            };
            while matches!(intake.drain_step().await, Step::Drained) {}
        }
    });
}

impl Intake {
    /// One step: the oldest events go to the store, then leave the spool. Killed in between, they are brought
    /// again and their marks are known.
    pub async fn drain_step(&self) -> Step {
        let Some(spool) = &self.spool else {
            return Step::Idle;
        };
        if !self.spooling() {
            return Step::Idle;
        }
        let _one = self.draining.lock().await;
        let age = oldest_age(spool).await.ok().flatten().unwrap_or_default();
        self.metrics
            .spool_oldest
            .set(i64::try_from(age.as_secs()).unwrap_or(i64::MAX));
        match self.bring_back().await {
            Ok(0) => self.turn_back().await,
            Ok(_) => Step::Drained,
            Err(e) => {
                tracing::debug!(error = %e, "the spool cannot be drained yet");
                Step::Waiting
            }
        }
    }

    async fn bring_back(&self) -> StoreResult<usize> {
        let Some(spool) = &self.spool else {
            return Ok(0);
        };
        let waiting = spool.oldest(size::MAX_ENTRIES, size::MAX_BYTES).await?;
        if waiting.is_empty() {
            return Ok(0);
        }
        let ids: Vec<i64> = waiting.iter().map(|s| s.id).collect();
        let batch: Vec<Append> = waiting
            .into_iter()
            .map(|s| Append {
                partition: s.partition,
                mark: s.mark,
                age: s.age,
                blob: s.blob,
                wake: !self.owns(s.partition),
            })
            .collect();
        // Entries without a mark (doorbells) are brought again after a time-out, so a slow store gets fewer at once
        // than a new event's patience allows for, and longer.
        for some in batch.chunks(AT_ONCE) {
            self.append_within(some, DRAIN_PATIENCE).await?;
        }
        let n = ids.len();
        spool.remove(ids).await?;
        let depth = spool.depth().await?;
        self.metrics.spool_depth.set(i64::try_from(depth).unwrap_or(i64::MAX));
        Ok(n)
    }

    /// The spool looked empty: once nobody is putting anything into it, and it still is, and the store takes a
    /// write, events go to the store again.
    async fn turn_back(&self) -> Step {
        let Some(spool) = &self.spool else {
            return Step::Idle;
        };
        let probed = match tokio::time::timeout(PATIENCE, self.store.probe()).await {
            Ok(done) => done.map(|_| ()),
            Err(_) => Err(StoreError::Unavailable("probe timed out".into())),
        };
        if probed.is_err() {
            return Step::Waiting;
        }
        let mut spooling = self.spooling.write().await;
        match spool.depth().await {
            Ok(0) => {}
            Ok(_) => return Step::Drained,
            Err(_) => return Step::Waiting,
        }
        *spooling = false;
        self.spooling_now.store(false, Ordering::Release);
        self.metrics.spool_depth.set(0);
        self.metrics.spool_oldest.set(0);
        tracing::info!("the spool is drained: events go to the store again");
        Step::Done
    }

    fn owns(&self, p: Partition) -> bool {
        (self.local.owns)(p)
    }
}
