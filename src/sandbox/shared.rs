//! The world behind its lock, with the clock that can be moved and the client that posts.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::post::{Poster, poster};
use super::world::World;

/// What handlers, people and callbacks share.
pub(super) struct Shared {
    world: Mutex<World>,
    pub poster: Poster,
}

impl Shared {
    pub(super) fn new(world: World) -> Self {
        Self {
            world: Mutex::new(world),
            poster: poster(),
        }
    }

    /// The world, locked. Never held over an await.
    pub(super) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The sandbox's time: this host's, moved.
    pub(super) fn now(&self) -> i64 {
        let offset = self.world().offset_ms;
        crate::clock::wall().0 + offset
    }
}
