//! Small values that all gateways share: read from memory, then from the store, then from WeCom by whoever asks
//! first.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::Inner;
use crate::model::StoreTime;
use crate::wecom::id::CorpId;

/// Values in memory; more than this and the expired ones go, then all.
const MAX: usize = 20_000;

type Key = (CorpId, String);

/// What is known, and who is just finding out.
#[derive(Default)]
pub(super) struct Cache {
    known: Mutex<HashMap<Key, Kept>>,
    flights: Mutex<HashMap<Key, Arc<tokio::sync::Mutex<()>>>>,
}

/// How long a value is good.
#[derive(Debug, Clone, Copy)]
pub(super) struct Life {
    /// From then on it should be found out anew, by somebody who need not wait for it.
    pub(super) fresh: Duration,
    /// From then on it must not be used.
    pub(super) good: Duration,
}

impl Life {
    /// Fresh to its end.
    pub(super) fn of(life: Duration) -> Self {
        Self {
            fresh: life,
            good: life,
        }
    }
}

/// A value as found.
pub(super) struct Found {
    pub(super) value: Arc<str>,
    /// Good, but to be renewed.
    pub(super) stale: bool,
}

/// A shared value: the text, when to renew it, when to stop using it.
#[derive(Clone, serde::Serialize, serde::Deserialize)]
struct Kept {
    v: Arc<str>,
    renew: StoreTime,
    until: StoreTime,
}

impl Kept {
    fn found(&self, now: StoreTime) -> Option<Found> {
        (now < self.until).then(|| Found {
            value: Arc::clone(&self.v),
            stale: now >= self.renew,
        })
    }
}

impl Inner {
    /// The value in memory.
    pub(super) fn remembered(&self, corp: &CorpId, key: &str) -> Option<Found> {
        let known = self.cache.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&(corp.clone(), key.to_owned()))?.found(self.clock.now())
    }

    fn remember(&self, corp: &CorpId, key: &str, kept: Kept) {
        let mut known = self.cache.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX {
            let now = self.clock.now();
            known.retain(|_, kept| now < kept.until);
            if known.len() >= MAX {
                known.clear();
            }
        }
        known.insert((corp.clone(), key.to_owned()), kept);
    }

    /// The value in memory or in the store. A stale one in memory is looked for in the store first: another
    /// gateway may have renewed it.
    pub(super) async fn found(&self, corp: &CorpId, key: &str) -> Option<Found> {
        let here = self.remembered(corp, key);
        if here.as_ref().is_some_and(|f| !f.stale) {
            return here;
        }
        let Ok(shared) = self.store.shared(corp.as_str(), key).await else {
            return here;
        };
        let kept: Option<Kept> = shared.value.as_deref().and_then(|v| serde_json::from_slice(v).ok());
        let Some(found) = kept.as_ref().and_then(|k| k.found(shared.now)) else {
            return here;
        };
        if let Some(kept) = kept {
            self.remember(corp, key, kept);
        }
        Some(found)
    }

    /// The same for values that are fresh to their end.
    pub(super) async fn known(&self, corp: &CorpId, key: &str) -> Option<Arc<str>> {
        self.found(corp, key).await.map(|f| f.value)
    }

    /// Keeps a value for all gateways.
    pub(super) async fn keep(&self, corp: &CorpId, key: &str, value: &str, life: Life) {
        let now = self.clock.now();
        let kept = Kept {
            v: value.into(),
            renew: now.plus(life.fresh),
            until: now.plus(life.good),
        };
        let bytes = serde_json::to_vec(&kept);
        self.remember(corp, key, kept);
        let Ok(bytes) = bytes else { return };
        for _ in 0..3 {
            let Ok(shared) = self.store.shared(corp.as_str(), key).await else {
                return;
            };
            match self
                .store
                .compare_and_set(corp.as_str(), key, shared.version, Some(&bytes), Some(life.good))
                .await
            {
                Ok(false) => {}
                Ok(true) | Err(_) => return,
            }
        }
    }

    /// Forgets a value everywhere, if it is still this one: a newer one of another gateway stays.
    pub(super) async fn forget(&self, corp: &CorpId, key: &str, value: &str) {
        {
            let mut known = self.cache.known.lock().unwrap_or_else(PoisonError::into_inner);
            let k = (corp.clone(), key.to_owned());
            if known.get(&k).is_some_and(|kept| kept.v.as_ref() == value) {
                known.remove(&k);
            }
        }
        let Ok(shared) = self.store.shared(corp.as_str(), key).await else {
            return;
        };
        let kept: Option<Kept> = shared.value.as_deref().and_then(|v| serde_json::from_slice(v).ok());
        if kept.is_some_and(|k| k.v.as_ref() == value) {
            // False: somebody has just set a newer one.
            let _ = self
                .store
                .compare_and_set(corp.as_str(), key, shared.version, None, None)
                .await;
        }
    }

    /// Held by whoever finds out the value of `key`; the others wait and then look again.
    pub(super) async fn flight(&self, corp: &CorpId, key: &str) -> tokio::sync::OwnedMutexGuard<()> {
        let lock = {
            let mut flights = self.cache.flights.lock().unwrap_or_else(PoisonError::into_inner);
            if flights.len() >= MAX {
                flights.retain(|_, l| Arc::strong_count(l) > 1);
            }
            Arc::clone(flights.entry((corp.clone(), key.to_owned())).or_default())
        };
        lock.lock_owned().await
    }
}
