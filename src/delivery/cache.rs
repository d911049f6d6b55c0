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
    known: Mutex<HashMap<Key, (Arc<str>, StoreTime)>>,
    flights: Mutex<HashMap<Key, Arc<tokio::sync::Mutex<()>>>>,
}

/// A shared value: the text, and when it is to be read anew.
#[derive(serde::Serialize, serde::Deserialize)]
struct Kept {
    v: Arc<str>,
    until: StoreTime,
}

impl Inner {
    /// The value in memory.
    pub(super) fn remembered(&self, corp: &CorpId, key: &str) -> Option<Arc<str>> {
        let known = self.cache.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (value, until) = known.get(&(corp.clone(), key.to_owned()))?;
        (self.clock.now() < *until).then(|| Arc::clone(value))
    }

    fn remember(&self, corp: &CorpId, key: &str, kept: &Kept) {
        let mut known = self.cache.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX {
            let now = self.clock.now();
            known.retain(|_, (_, until)| now < *until);
            if known.len() >= MAX {
                known.clear();
            }
        }
        known.insert((corp.clone(), key.to_owned()), (Arc::clone(&kept.v), kept.until));
    }

    /// The value in memory or in the store.
    pub(super) async fn known(&self, corp: &CorpId, key: &str) -> Option<Arc<str>> {
        if let Some(v) = self.remembered(corp, key) {
            return Some(v);
        }
        let shared = self.store.shared(corp.as_str(), key).await.ok()?;
        let kept: Kept = serde_json::from_slice(shared.value.as_deref()?).ok()?;
        if shared.now >= kept.until {
            return None;
        }
        self.remember(corp, key, &kept);
        Some(kept.v)
    }

    /// Keeps a value for all gateways for as long as `life`.
    pub(super) async fn keep(&self, corp: &CorpId, key: &str, value: &str, life: Duration) {
        let kept = Kept {
            v: value.into(),
            until: self.clock.now().plus(life),
        };
        self.remember(corp, key, &kept);
        let Ok(bytes) = serde_json::to_vec(&kept) else { return };
        for _ in 0..3 {
            let Ok(shared) = self.store.shared(corp.as_str(), key).await else {
                return;
            };
            match self
                .store
                .compare_and_set(corp.as_str(), key, shared.version, Some(&bytes), Some(life))
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
            if known.get(&k).is_some_and(|(v, _)| v.as_ref() == value) {
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
