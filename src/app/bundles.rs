//! The bundles a gateway decides and renders with: the live one of each corp, and older ones that jobs name.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use super::StartError;
use crate::clock;
use crate::content::Bundle;
use crate::delivery::Bundles;
use crate::metrics::Metrics;
use crate::model::{BundleHash, Diagnostic};
use crate::settings::Settings;
use crate::store::Store;
use crate::wecom::id::CorpId;

/// A stored bundle is kept so long after the last start that used it; jobs live far shorter.
const KEEP: Duration = Duration::from_secs(90 * 86_400);

/// All bundles in memory.
pub struct BundleShelf {
    settings: Arc<Settings>,
    live: HashMap<CorpId, Arc<Bundle>>,
    older: Mutex<HashMap<(CorpId, BundleHash), Arc<Bundle>>>,
    store: Mutex<Option<Arc<dyn Store>>>,
}

impl BundleShelf {
    /// Compiles every corp's content. All faults of all corps at once; warnings are logged.
    pub fn load(settings: &Arc<Settings>, metrics: &Metrics) -> Result<Self, StartError> {
        let mut live = HashMap::new();
        let mut faults: Vec<Diagnostic> = Vec::new();
        for corp in &settings.corps {
            match Bundle::load(corp) {
                Ok((bundle, warnings)) => {
                    for w in warnings {
                        tracing::warn!(corp = %corp.name, "{}", w.line(crate::model::text::Lang::En));
                    }
                    metrics
                        .bundle
                        .with_label_values(&[corp.name.as_str(), bundle.hash.as_str()])
                        .set(1);
                    live.insert(corp.corp_id.clone(), Arc::new(bundle));
                }
                Err(found) => faults.extend(found.into_iter().filter(|f| !faults.contains(f)).collect::<Vec<_>>()),
            }
        }
        if !faults.is_empty() {
            return Err(StartError::Content(faults));
        }
        Ok(Self::of(settings, live))
    }

    /// A shelf of bundles that are compiled already.
    pub fn of(settings: &Arc<Settings>, live: HashMap<CorpId, Arc<Bundle>>) -> Self {
        Self {
            settings: Arc::clone(settings),
            live,
            older: Mutex::default(),
            store: Mutex::default(),
        }
    }

    /// The live bundle of a corp.
    pub fn live(&self, corp: &CorpId) -> Option<Arc<Bundle>> {
        self.live.get(corp).cloned()
    }

    /// Stores the live bundles' sources, so that other gateways and later starts can render jobs of theirs.
    /// In the background, again and again until the store takes them.
    pub fn keep_in(&self, store: Arc<dyn Store>) {
        *self.store.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&store));
        for (corp, bundle) in self.live.clone() {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                let key = format!("bundle:{}", bundle.hash);
                let sources = bundle.sources();
                while put(&*store, &corp, &key, &sources).await.is_err() {
                    clock::sleep(Duration::from_secs(1)).await;
                }
            });
        }
    }
}

impl BundleShelf {
    /// Stores one corp's live bundle now; false when the store did not take it.
    pub async fn put_live(&self, store: &dyn Store, corp: &CorpId) -> bool {
        let Some(bundle) = self.live(corp) else { return false };
        put(store, corp, &format!("bundle:{}", bundle.hash), &bundle.sources())
            .await
            .is_ok()
    }
}

async fn put(store: &dyn Store, corp: &CorpId, key: &str, sources: &[u8]) -> Result<(), ()> {
    let shared = store.shared(corp.as_str(), key).await.map_err(|_| ())?;
    // Written again at each start: that is what renews its time to live.
    let set = store
        .compare_and_set(corp.as_str(), key, shared.version, Some(sources), Some(KEEP))
        .await;
    match set {
        Ok(true) => Ok(()),
        Ok(false) | Err(crate::store::StoreError::Unavailable(_) | crate::store::StoreError::Lost(_)) => Err(()),
        Err(crate::store::StoreError::Refused(why)) => {
            tracing::error!(
                why,
                "the bundle is too large for the store: jobs of it cannot be rendered by others"
            );
            Ok(())
        }
    }
}

#[async_trait]
impl Bundles for BundleShelf {
    async fn get(&self, corp: &CorpId, hash: &BundleHash) -> Option<Arc<Bundle>> {
        if let Some(live) = self.live.get(corp).filter(|b| &b.hash == hash) {
            return Some(Arc::clone(live));
        }
        let slot = (corp.clone(), hash.clone());
        if let Some(known) = self.older.lock().unwrap_or_else(PoisonError::into_inner).get(&slot) {
            return Some(Arc::clone(known));
        }
        let store = self.store.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
        let sources = store
            .shared(corp.as_str(), &format!("bundle:{hash}"))
            .await
            .ok()?
            .value?;
        let corp = self.settings.corp_by_id(corp)?;
        let bundle = Arc::new(Bundle::from_sources(&sources, corp).ok()?);
        self.older
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(slot, Arc::clone(&bundle));
        Some(bundle)
    }
}
