//! Accepts events: makes them durable before anybody is told that they arrived.
//!
//! Comes in: typed events with their marks. Goes out: a journal entry in the store, or an event in the spool while
//! the store is out of reach. Must never know: HTTP, rules.
//!
//! The hard decision: **whatever keeps the store from answering within a second is one and the same reason** to
//! turn to the spool (time-out, broken connection, disk full, a missed replica). It may have been stored all the
//! same; the spool brings it again with the same mark, and the store knows it. From then on every new event goes
//! through the spool, so that order is kept, until a probe every 250 ms has found the store and emptied it.

mod drain;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{Mutex, RwLock};

pub use drain::Step;

use crate::metrics::Metrics;
use crate::model::{EntryBody, Partition};
use crate::store::spool::Spool;
use crate::store::{Append, Appended, Mark, Store, StoreError, StoreResult, size};

/// How long the store may take to accept. WeCom gives up after 5 s; the spool needs its part of them.
pub const PATIENCE: Duration = Duration::from_secs(1);

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

/// How the intake reaches the owner of a partition in this process.
#[derive(Clone)]
pub struct Local {
    /// Is the partition owned here? Then nobody else is told.
    pub owns: Arc<dyn Fn(Partition) -> bool + Send + Sync>,
    /// Tells the owner here that its journal has something new. Must not block.
    pub handover: Arc<dyn Fn(Partition) + Send + Sync>,
}

impl Local {
    /// For a process that owns nothing: everybody else is told.
    pub fn nobody() -> Self {
        Self {
            owns: Arc::new(|_| false),
            handover: Arc::new(|_| {}),
        }
    }
}

/// The intake of one gateway.
pub struct Intake {
    store: Arc<dyn Store>,
    spool: Option<Spool>,
    metrics: Arc<Metrics>,
    local: Local,
    /// True while events go through the spool. Putting into the spool holds the lock for reading; turning back
    /// to the store holds it for writing, so that nothing slips into a spool that is thought empty.
    spooling: RwLock<bool>,
    /// The same without waiting, for readiness and the fast path.
    spooling_now: AtomicBool,
    /// One drains at a time: two would bring the same events twice, and doorbells have no marks.
    draining: Mutex<()>,
}

impl Intake {
    /// An intake; with a spool it starts the task that drains it, which ends with the intake. What an earlier run
    /// left in the spool is drained first.
    pub async fn new(
        store: Arc<dyn Store>,
        spool: Option<Spool>,
        metrics: Arc<Metrics>,
        local: Local,
    ) -> StoreResult<Arc<Self>> {
        let waiting = match &spool {
            Some(spool) => spool.depth().await?,
            None => 0,
        };
        metrics.spool_depth.set(i64::try_from(waiting).unwrap_or(i64::MAX));
        let intake = Arc::new(Self {
            store,
            spool,
            metrics,
            local,
            spooling: RwLock::new(waiting > 0),
            spooling_now: AtomicBool::new(waiting > 0),
            draining: Mutex::new(()),
        });
        if intake.spool.is_some() {
            drain::spawn(&intake);
        }
        Ok(intake)
    }

    /// Could an event be made durable now? Asks by a real write to the store, or to the spool if that fails.
    pub async fn can_accept(&self) -> bool {
        if !self.spooling_now.load(Ordering::Acquire)
            && matches!(tokio::time::timeout(PATIENCE, self.store.probe()).await, Ok(Ok(_)))
        {
            return true;
        }
        match &self.spool {
            Some(spool) => spool.probe().await.is_ok(),
            None => false,
        }
    }

    /// True while events go through the spool.
    pub fn spooling(&self) -> bool {
        self.spooling_now.load(Ordering::Acquire)
    }

    /// Appends many entries (a page of kf messages), in order, without the spool: the caller has a cursor and
    /// brings them again. An error may have appended some of them; their marks make the repeat harmless.
    pub async fn append_entries(&self, entries: &[(EntryBody, Option<Mark>)]) -> StoreResult<Vec<Appended>> {
        let mut out = Vec::with_capacity(entries.len());
        let mut batch: Vec<Append> = Vec::new();
        let mut bytes = 0;
        for (body, mark) in entries {
            let entry = self.entry(body, mark.clone());
            let more = entry.blob.len();
            if batch.len() == size::MAX_ENTRIES || (bytes + more > size::MAX_BYTES && !batch.is_empty()) {
                out.extend(self.append(&batch).await?);
                batch.clear();
                bytes = 0;
            }
            bytes += more;
            batch.push(entry);
        }
        if !batch.is_empty() {
            out.extend(self.append(&batch).await?);
        }
        Ok(out)
    }

    fn entry(&self, body: &EntryBody, mark: Option<Mark>) -> Append {
        let partition = body.conversation.partition();
        Append {
            partition,
            mark,
            age: Duration::ZERO,
            blob: body.encode(),
            wake: !(self.local.owns)(partition),
        }
    }

    /// Appends and tells the owners here.
    async fn append(&self, batch: &[Append]) -> StoreResult<Vec<Appended>> {
        let done = self.store.append(batch).await?;
        for (entry, appended) in batch.iter().zip(&done) {
            if matches!(appended, Appended::New { .. }) && (self.local.owns)(entry.partition) {
                (self.local.handover)(entry.partition);
            }
        }
        Ok(done)
    }

    /// The same, but no longer than [`PATIENCE`].
    async fn append_soon(&self, batch: &[Append]) -> StoreResult<Vec<Appended>> {
        self.append_within(batch, PATIENCE).await
    }

    /// The same, but no longer than this.
    async fn append_within(&self, batch: &[Append], patience: Duration) -> StoreResult<Vec<Appended>> {
        match tokio::time::timeout(patience, self.append(batch)).await {
            Ok(done) => done,
            Err(_) => Err(StoreError::Unavailable(format!(
                "the store took more than {} ms",
                patience.as_millis()
            ))),
        }
    }

    /// Puts one event into the spool, after the store failed with `why` or while the spool is not yet drained.
    async fn keep(&self, entry: Append, why: Option<&StoreError>) -> Result<Accepted, CannotStore> {
        let because = |what: String| {
            CannotStore(match why {
                Some(e) => format!("{e}; {what}"),
                None => what,
            })
        };
        let Some(spool) = &self.spool else {
            return Err(because("no spool is set".into()));
        };
        let new = spool.put(entry.partition, entry.mark, entry.blob).await;
        match new {
            Ok(true) => {
                self.metrics.spool_depth.inc();
                Ok(Accepted::New)
            }
            Ok(false) => Ok(Accepted::Duplicate),
            Err(e) => Err(because(format!("spool: {e}"))),
        }
    }

    /// From now on events go through the spool.
    async fn turn_to_spool(&self, why: &StoreError) {
        let mut spooling = self.spooling.write().await;
        if !*spooling {
            tracing::warn!(error = %why, "the store is out of reach: events go to the spool");
            *spooling = true;
            self.spooling_now.store(true, Ordering::Release);
        }
    }
}

#[async_trait]
impl Accept for Intake {
    async fn accept(&self, body: EntryBody, mark: Option<Mark>) -> Result<Accepted, CannotStore> {
        let entry = self.entry(&body, mark);
        if self.spooling() {
            let spooling = self.spooling.read().await;
            if *spooling {
                return self.keep(entry, None).await;
            }
        }
        match self.append_soon(std::slice::from_ref(&entry)).await {
            Ok(done) => Ok(match done.first() {
                Some(Appended::Duplicate) => Accepted::Duplicate,
                Some(Appended::New { .. }) | None => Accepted::New,
            }),
            // What the store will never take the spool must not take either: it could not be drained.
            Err(e @ StoreError::Refused(_)) => Err(CannotStore(e.to_string())),
            Err(e) => {
                if self.spool.is_none() {
                    return self.keep(entry, Some(&e)).await;
                }
                loop {
                    self.turn_to_spool(&e).await;
                    // It may have been drained and turned back in between: never put into a spool at rest.
                    let spooling = self.spooling.read().await;
                    if *spooling {
                        return self.keep(entry, Some(&e)).await;
                    }
                }
            }
        }
    }
}
