//! Slots: how many jobs of a lane may be under way at once in this process.
//!
//! Each lane has slots of its own, so a storm of tags or broadcasts never holds a welcome (promise 6). A job
//! takes its slot before it is prepared and keeps it until its call has an answer; therefore `started` is
//! only ever noted for calls that are about to be made.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::model::Lane;

/// Slots by lane, in the order of [`Lane::ALL`]. A slot is held for the look-ups too (up to 1.5 s), so 128
/// urgent ones carry some 80 welcomes a second when every name must be looked up slowly. Bulk is small
/// because two calls of 10,000 recipients each are already a lot for WeCom.
const SLOTS: [usize; 4] = [128, 64, 32, 2];

/// Pulls are as urgent as welcomes, but a hanging `sync_msg` on many accounts must not take welcomes' slots.
const PULLS: usize = 64;

/// All slots of a process.
#[derive(Clone)]
pub struct Slots {
    lanes: [Arc<Semaphore>; 4],
    pulls: Arc<Semaphore>,
}

/// One slot; free again when dropped.
#[derive(Debug)]
pub struct Slot {
    _permit: OwnedSemaphorePermit,
}

impl Default for Slots {
    fn default() -> Self {
        Self {
            lanes: SLOTS.map(|n| Arc::new(Semaphore::new(n))),
            pulls: Arc::new(Semaphore::new(PULLS)),
        }
    }
}

impl Slots {
    /// Waits for a slot of this lane. `pull`: for a page of a kf account. `None` once [`Slots::close`] was called.
    pub async fn take(&self, lane: Lane, pull: bool) -> Option<Slot> {
        let slots = if pull {
            &self.pulls
        } else {
            &self.lanes[lane_index(lane)]
        };
        let permit = Arc::clone(slots).acquire_owned().await.ok()?;
        Some(Slot { _permit: permit })
    }

    /// No more slots from here on: the gateway is stopping.
    pub fn close(&self) {
        for s in self.lanes.iter().chain([&self.pulls]) {
            s.close();
        }
    }
}

/// Place of a lane in [`Lane::ALL`].
pub fn lane_index(lane: Lane) -> usize {
    match lane {
        Lane::Urgent => 0,
        Lane::Reply => 1,
        Lane::Chore => 2,
        Lane::Bulk => 3,
    }
}
