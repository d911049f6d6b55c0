//! Accepts events: makes them durable before anybody is told that they arrived.

use async_trait::async_trait;

use crate::model::EntryBody;
use crate::store::Mark;

/// What became of an event that is now durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepted {
    /// Journalled (or spooled).
    New,
    /// Its mark was known: somebody brought it before.
    Duplicate,
}

/// Neither the store nor the spool took the event; whoever brought it must bring it again. Says why, for the log.
#[derive(Debug, Clone, thiserror::Error)]
#[error("cannot store: {0}")]
pub struct CannotStore(pub String);

/// Takes an event and answers only once it is durable at the chosen level. Safe to call twice with the same mark:
/// the second call says [`Accepted::Duplicate`]. Cancelled midway, the event may or may not have been taken.
#[async_trait]
pub trait Accept: Send + Sync {
    /// Accepts one event; without a mark it is never a duplicate (doorbells).
    async fn accept(&self, body: EntryBody, mark: Option<Mark>) -> Result<Accepted, CannotStore>;
}

/// Temporary pass-through.
pub struct Intake {
    store: std::sync::Arc<dyn crate::store::Store>,
    wake: std::sync::Arc<dyn Fn(crate::model::Partition) + Send + Sync>,
}
impl Intake {
    #[expect(missing_docs)]
    pub fn new(
        store: std::sync::Arc<dyn crate::store::Store>,
        _spool: Option<crate::store::spool::Spool>,
        _metrics: std::sync::Arc<crate::metrics::Metrics>,
        _local: std::sync::Arc<dyn Fn(crate::model::Partition) -> bool + Send + Sync>,
        wake: std::sync::Arc<dyn Fn(crate::model::Partition) + Send + Sync>,
    ) -> Self {
        Self { store, wake }
    }
    #[expect(missing_docs)]
    pub fn plain(store: std::sync::Arc<dyn crate::store::Store>, _m: std::sync::Arc<crate::metrics::Metrics>) -> Self {
        Self { store, wake: std::sync::Arc::new(|_| {}) }
    }
    #[expect(missing_docs)]
    pub fn can_spool(&self) -> bool { false }
    #[expect(missing_docs)]
    pub fn spool_depth(&self) -> u64 { 0 }
    #[expect(missing_docs)]
    pub async fn append_entries(&self, entries: &[(EntryBody, Option<Mark>)]) -> crate::store::StoreResult<Vec<crate::store::Appended>> {
        let batch: Vec<_> = entries.iter().map(|(e, m)| crate::store::Append { partition: e.conversation.partition(), mark: m.clone(), age: std::time::Duration::ZERO, blob: e.encode(), wake: true }).collect();
        let mut out = vec![];
        for c in batch.chunks(100) { out.extend(self.store.append(c).await?); for a in c { (self.wake)(a.partition) } }
        Ok(out)
    }
}
#[async_trait]
impl Accept for Intake {
    async fn accept(&self, body: EntryBody, mark: Option<Mark>) -> Result<Accepted, CannotStore> {
        let r = self.append_entries(&[(body, mark)]).await.map_err(|e| CannotStore(e.to_string()))?;
        Ok(match r.first() { Some(crate::store::Appended::New { .. }) => Accepted::New, _ => Accepted::Duplicate })
    }
}
