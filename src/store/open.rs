//! Opens the store that the settings name.

use std::sync::Arc;
use std::time::Duration;

use super::redis::{RedisOptions, RedisStore};
use super::sqlite::SqliteStore;
use super::{Store, StoreResult};
use crate::settings::{StoreSettings, StoreUrl};

/// What this process does with the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// `serve`, `demo`, and a broadcast that runs the loop itself: may own partitions. On SQLite it holds the
    /// file's lock; on Redis it comes up even while the server is away.
    Serve,
    /// Any other command: appends and reads. Never waits for a lock; a Redis that is away is an error.
    Command,
}

/// A time to live from here on means "for ever" (both stores; Redis cannot count much further).
pub const FOR_EVER: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// Opens the store.
///
/// Errors: `Refused` with the remedy where waiting does not help (served by another process, another format,
/// a server weaker than `durability` asks), `Unavailable` where it may.
pub async fn open(settings: &StoreSettings, role: Role) -> StoreResult<Arc<dyn Store>> {
    match &settings.url {
        StoreUrl::Sqlite(path) => Ok(Arc::new(SqliteStore::open(path, role, settings.keep)?)),
        StoreUrl::Redis(url) => {
            let options = RedisOptions {
                url: url.clone(),
                durability: settings.durability,
                keep: settings.keep,
                clock_key: None,
            };
            Ok(Arc::new(RedisStore::open(options, role).await?))
        }
    }
}

/// 128 random bits in hex: a generation, a nonce.
pub fn random_name() -> String {
    let mut bytes = [0u8; 16];
    // Where the system's generator fails two runs must still differ: the clock is the last resort.
    if getrandom::fill(&mut bytes).is_err() {
        bytes[..8].copy_from_slice(&crate::clock::wall().0.to_be_bytes());
    }
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
