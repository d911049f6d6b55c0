//! The store: one trait of semantic operations, two implementations, one conformance suite for both.
//!
//! Comes in: bytes that others made (entries, jobs, documents). Goes out: the same bytes, in order, and the
//! promise that each operation happened whole or not at all. Must never know: WeCom, rules, templates.
//!
//! The hard decision: **an unclear answer counts as lost.** Every error of [`Store::commit`], a time-out
//! included, means "forget this partition, acquire it again, reload". One path heals restarts, failover,
//! flushed scripts and migration; therefore no operation tries to be clever about what may have happened.
//!
//! Error policy: [`StoreError::Lost`] is the fence (another owner, another position, another generation);
//! [`StoreError::Unavailable`] is everything that may pass by itself; [`StoreError::Refused`] is an argument
//! that the store will never take (too large, wrong type of a key) and would fail again.

pub mod calendar;
mod open;
pub mod redis;
pub mod rolling;
pub mod size;
pub mod spool;
pub mod sqlite;
mod types;

use std::time::Duration;

use async_trait::async_trait;

use crate::model::{JobId, Lane, Partition, StoreTime};

pub use open::{FOR_EVER, Role, open, random_name};
pub use types::{
    Acquired, Append, Appended, Ask, Beat, Commit, Committed, Defer, DocPut, Due, End, Fence, JournalEntry, Live, Mark,
    MarkKind, NewJob, OwnEntry, OwnerRecord, PartitionStats, Permit, Quarantined, QuotaRule, Reserve, Shared, Start,
    Started, StoredJob, Verdict, Window,
};

/// Result of a store operation.
pub type StoreResult<T> = Result<T, StoreError>;

/// Why a store operation did not happen (or may not have happened).
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The fence did not match: this gateway does not own the partition at this position (any more).
    #[error("partition lost: {0}")]
    Lost(String),
    /// Connection, time-out, disk full, MISCONF, OOM: may pass. For a write it is unclear whether it happened.
    #[error("store unavailable: {0}")]
    Unavailable(String),
    /// The store will never take this.
    #[error("store refused: {0}")]
    Refused(String),
}

/// The semantic operations. Every one is atomic. "Anyone" means any process; "owner" means fenced.
///
/// Sizes: at most 256 elements in any list of a call and 256 KiB a call, its largest single piece not counted
/// (callers chunk); more is [`StoreError::Refused`]. See [`size`].
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Anyone: appends entries (each by itself atomic with its mark), in the order given per partition.
    /// Returns only when durable at the chosen level. Called twice with the same mark: `Duplicate`.
    async fn append(&self, batch: &[Append]) -> StoreResult<Vec<Appended>>;

    /// Anyone: all 64 ownership records, in order.
    async fn owners(&self) -> StoreResult<Vec<OwnerRecord>>;

    /// Anyone: replaces the record `seen` by one of our own (epoch + 1) if it is still exactly that
    /// (beats included). `None`: somebody was faster.
    async fn acquire(
        &self,
        partition: Partition,
        seen: &OwnerRecord,
        nonce: &str,
        node: &str,
    ) -> StoreResult<Option<Acquired>>;

    /// Owner: raises `beats` of each record that is still ours.
    async fn beat(&self, fences: &[Fence]) -> StoreResult<Beat>;

    /// Owner: empties nonce and node, keeps the epoch. Not ours any more: nothing happens.
    async fn release(&self, fence: &Fence) -> StoreResult<()>;

    /// Anyone: says that this node is alive. `counted`: it takes partitions.
    async fn announce(&self, node: &str, counted: bool) -> StoreResult<Live>;

    /// Anyone: takes a node off the list of the living.
    async fn retire(&self, node: &str) -> StoreResult<()>;

    /// Anyone: last journal number of every partition, in order (the 250 ms poll).
    async fn heads(&self) -> StoreResult<Vec<u64>>;

    /// Hints that a partition has something new: its index. Lossy; the poll is the truth.
    fn wakes(&self) -> tokio::sync::broadcast::Receiver<u8>;

    /// Anyone: entries after number `after`, in order, at most `max`.
    async fn read(&self, partition: Partition, after: u64, max: usize) -> StoreResult<Vec<JournalEntry>>;

    /// Anyone: documents by key.
    async fn docs(&self, partition: Partition, keys: &[String]) -> StoreResult<Vec<Option<Vec<u8>>>>;

    /// Anyone: puts a document that only its id and content decide (parts of a broadcast's list); idempotent.
    async fn put_part(&self, partition: Partition, put: &DocPut) -> StoreResult<()>;

    /// Owner's read: due jobs of one lane.
    async fn due(&self, partition: Partition, lane: Lane, max: usize) -> StoreResult<Due>;

    /// Owner: one atomic step. The fence and `expected` (the position before) are compared before the first
    /// write, else [`StoreError::Lost`]. Starts, defers and ends of a job that does not exist (it has an
    /// outcome already) are passed over. Order inside the step: jobs, starts, defers, ends, documents,
    /// entries, quarantine, counters, position. Journal entries up to the new position may be trimmed.
    ///
    /// A position beyond the journal's head is `Lost` (the store has lost its tail); `Refused` are a position
    /// before `expected`, a job id that is open already and a second follower of one job. Called twice: the second
    /// finds another position, `Lost` (a commit that leaves the position where it is happens twice: starts and counters count
    /// twice, everything else is harmless or passed over). Cancelled midway: it happened or not, as a whole.
    async fn commit(&self, fence: &Fence, expected: u64, commit: &Commit) -> StoreResult<Committed>;

    /// Anyone: one job by id, open or `None`.
    async fn job(&self, partition: Partition, id: JobId) -> StoreResult<Option<StoredJob>>;

    /// Anyone: the newest records of ended jobs, newest first.
    async fn history(&self, partition: Partition, max: usize) -> StoreResult<Vec<Vec<u8>>>;

    /// Anyone: entries in quarantine, oldest first.
    async fn quarantined(&self, partition: Partition, max: usize) -> StoreResult<Vec<Quarantined>>;

    /// Anyone: figures of some partitions.
    async fn stats(&self, partitions: &[Partition]) -> StoreResult<Vec<PartitionStats>>;

    /// Anyone: counters of a partition, by name.
    async fn counters(&self, partition: Partition) -> StoreResult<Vec<(String, i64)>>;

    /// Anyone: takes from the limiter, each ask by itself, in order. A frozen scope refuses until its time.
    async fn permit(&self, corp: &str, asks: &[Ask]) -> StoreResult<Vec<Permit>>;

    /// Anyone: nothing of this scope before `until`; an earlier time never shortens a later one.
    async fn freeze(&self, corp: &str, scope: &str, pause: Duration) -> StoreResult<StoreTime>;

    /// Anyone: reserves quota. Same id again: the same verdicts.
    async fn reserve(&self, reserve: &Reserve) -> StoreResult<Vec<Verdict>>;

    /// Anyone: ends a reservation; `refund` gets back what was reserved for these contacts. Twice: nothing.
    async fn settle(&self, partition: Partition, id: &str, refund: &[String]) -> StoreResult<()>;

    /// Anyone: a shared value.
    async fn shared(&self, corp: &str, key: &str) -> StoreResult<Shared>;

    /// Anyone: sets a shared value if its version is still `version`. `false`: it is not. `ttl` `None`: for ever.
    async fn compare_and_set(
        &self,
        corp: &str,
        key: &str,
        version: u64,
        value: Option<&[u8]>,
        ttl: Option<Duration>,
    ) -> StoreResult<bool>;

    /// Anyone: a durable write of the store's own, for readiness: a store that can be read but not written is
    /// not ready. Returns the generation.
    async fn probe(&self) -> StoreResult<String>;
}
