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
