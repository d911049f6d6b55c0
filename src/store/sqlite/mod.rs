//! The embedded store: one SQLite file, one process that serves it, others that append and read.
//!
//! Comes in: the trait's calls. Goes out: their results once durable (WAL, `synchronous=FULL`, one fsync for
//! all that waits). Store time is this host's wall clock. Must never know: what the bytes mean.
//!
//! Every call is one closure on the writer's or the reader's thread (`worker`), so each is atomic; a caller
//! that is cancelled midway loses only the answer. Disk full, busy and I/O errors are
//! [`StoreError::Unavailable`] and pass when their cause does.

mod documents;
pub(super) mod file;
mod journal;
mod limits;
mod outbox;
mod owner;
pub(super) mod worker;

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rusqlite::Connection;
use tokio::sync::broadcast;

use super::{
    Acquired, Append, Appended, Ask, Beat, Commit, Committed, DocPut, Due, Fence, JournalEntry, Live, OwnerRecord,
    PartitionStats, Permit, Quarantined, Reserve, Role, Shared, Store, StoreError, StoreResult, StoredJob, Verdict,
    size,
};
use crate::clock;
use crate::model::{JobId, Lane, Partition, StoreTime};
use worker::{Done, Worker};

/// Reads the store's clock.
pub type Clock = Arc<dyn Fn() -> StoreTime + Send + Sync>;

/// The embedded store. Dropping the last handle ends its threads and gives the lock back.
pub struct SqliteStore {
    writer: Worker,
    reader: Worker,
    clock: Clock,
    keep: Duration,
    generation: String,
    wakes: broadcast::Sender<u8>,
    _lock: Option<File>,
}

impl SqliteStore {
    /// Opens or makes the file. `keep`: how long decided entries stay readable.
    pub fn open(path: &Path, role: Role, keep: Duration) -> StoreResult<Self> {
        Self::open_with_clock(path, role, keep, Arc::new(clock::wall))
    }

    /// The same with a clock of the caller's: for tests that move time.
    pub fn open_with_clock(path: &Path, role: Role, keep: Duration, clock: Clock) -> StoreResult<Self> {
        let opened = file::open(path, role)?;
        Ok(Self {
            writer: Worker::writer(opened.writer)?,
            reader: Worker::reader(opened.reader)?,
            clock,
            keep,
            generation: opened.generation,
            wakes: broadcast::channel(1024).0,
            _lock: opened.lock,
        })
    }

    /// A change; the time is read when its turn has come.
    async fn write<T, F>(&self, work: F) -> StoreResult<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection, StoreTime) -> Done<T> + Send + 'static,
    {
        let clock = self.clock.clone();
        self.writer.call(move |conn| work(conn, clock())).await
    }

    /// A look.
    async fn look<T, F>(&self, work: F) -> StoreResult<T>
    where
        T: Send + 'static,
        F: FnOnce(&Connection, StoreTime) -> Done<T> + Send + 'static,
    {
        let clock = self.clock.clone();
        self.reader.call(move |conn| work(conn, clock())).await
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn append(&self, batch: &[Append]) -> StoreResult<Vec<Appended>> {
        size::append(batch)?;
        let wakes: Vec<u8> = batch
            .iter()
            .filter(|a| a.wake)
            .map(|a| a.partition.index() as u8)
            .collect();
        let batch = batch.to_vec();
        let done = self
            .write(move |c, now| {
                batch
                    .iter()
                    .map(|a| journal::append(c, a, now))
                    .collect::<Done<Vec<_>>>()
            })
            .await?;
        for p in wakes {
            // Nobody listens: nobody needs the hint.
            let _ = self.wakes.send(p);
        }
        Ok(done)
    }

    async fn owners(&self) -> StoreResult<Vec<OwnerRecord>> {
        self.look(|c, _| owner::all(c)).await
    }

    async fn acquire(
        &self,
        partition: Partition,
        seen: &OwnerRecord,
        nonce: &str,
        node: &str,
    ) -> StoreResult<Option<Acquired>> {
        let (seen, nonce, node) = (seen.clone(), nonce.to_owned(), node.to_owned());
        self.write(move |c, now| owner::acquire(c, partition, &seen, &nonce, &node, now))
            .await
    }

    async fn beat(&self, fences: &[Fence]) -> StoreResult<Beat> {
        let fences = fences.to_vec();
        self.write(move |c, now| owner::beat(c, &fences, now)).await
    }

    async fn release(&self, fence: &Fence) -> StoreResult<()> {
        let fence = fence.clone();
        self.write(move |c, _| owner::release(c, &fence)).await
    }

    async fn announce(&self, node: &str, counted: bool) -> StoreResult<Live> {
        let (node, generation) = (node.to_owned(), self.generation.clone());
        self.write(move |c, now| {
            documents::sweep(c, now)?;
            owner::announce(c, &node, counted, &generation, now)
        })
        .await
    }

    async fn retire(&self, node: &str) -> StoreResult<()> {
        let node = node.to_owned();
        self.write(move |c, _| owner::retire(c, &node)).await
    }

    async fn heads(&self) -> StoreResult<Vec<u64>> {
        self.look(|c, _| {
            let mut get = c.prepare_cached("SELECT head FROM parts ORDER BY p")?;
            let rows = get.query_map([], |r| r.get::<_, i64>(0).map(|n| n as u64))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    fn wakes(&self) -> broadcast::Receiver<u8> {
        self.wakes.subscribe()
    }

    async fn read(&self, partition: Partition, after: u64, max: usize) -> StoreResult<Vec<JournalEntry>> {
        self.look(move |c, _| journal::read(c, partition, after, max)).await
    }

    async fn docs(&self, partition: Partition, keys: &[String]) -> StoreResult<Vec<Option<Vec<u8>>>> {
        size::list("keys", keys.len())?;
        let keys = keys.to_vec();
        self.look(move |c, now| documents::get(c, partition, &keys, now)).await
    }

    async fn put_part(&self, partition: Partition, put: &DocPut) -> StoreResult<()> {
        size::document(put)?;
        let put = put.clone();
        self.write(move |c, now| documents::put(c, partition, &put, now)).await
    }

    async fn due(&self, partition: Partition, lane: Lane, max: usize) -> StoreResult<Due> {
        self.look(move |c, now| outbox::due(c, partition, lane, max, now)).await
    }

    async fn commit(&self, fence: &Fence, expected: u64, commit: &Commit) -> StoreResult<Committed> {
        size::commit(commit)?;
        let (fence, commit, keep) = (fence.clone(), commit.clone(), self.keep);
        self.write(move |c, now| outbox::commit(c, &fence, expected, &commit, now, now.minus(keep)))
            .await
            .map_err(|e| match e {
                StoreError::Unavailable(why) => StoreError::Lost(format!("unclear: {why}")),
                StoreError::Lost(_) | StoreError::Refused(_) => e,
            })
    }

    async fn job(&self, partition: Partition, id: JobId) -> StoreResult<Option<StoredJob>> {
        self.look(move |c, _| outbox::job(c, partition, id)).await
    }

    async fn history(&self, partition: Partition, max: usize) -> StoreResult<Vec<Vec<u8>>> {
        self.look(move |c, _| outbox::history(c, partition, max)).await
    }

    async fn quarantined(&self, partition: Partition, max: usize) -> StoreResult<Vec<Quarantined>> {
        self.look(move |c, _| outbox::quarantined(c, partition, max)).await
    }

    async fn stats(&self, partitions: &[Partition]) -> StoreResult<Vec<PartitionStats>> {
        let partitions = partitions.to_vec();
        self.look(move |c, _| partitions.iter().map(|p| outbox::stats(c, *p)).collect())
            .await
    }

    async fn counters(&self, partition: Partition) -> StoreResult<Vec<(String, i64)>> {
        self.look(move |c, _| outbox::counters(c, partition)).await
    }

    async fn permit(&self, corp: &str, asks: &[Ask]) -> StoreResult<Vec<Permit>> {
        size::asks(asks)?;
        let (corp, asks) = (corp.to_owned(), asks.to_vec());
        self.write(move |c, now| limits::permit(c, &corp, &asks, now)).await
    }

    async fn freeze(&self, corp: &str, scope: &str, pause: Duration) -> StoreResult<StoreTime> {
        let (corp, scope) = (corp.to_owned(), scope.to_owned());
        self.write(move |c, now| limits::freeze(c, &corp, &scope, now.plus(pause)))
            .await
    }

    async fn reserve(&self, reserve: &Reserve) -> StoreResult<Vec<Verdict>> {
        size::reservation(reserve)?;
        let reserve = reserve.clone();
        self.write(move |c, now| limits::reserve(c, &reserve, now)).await
    }

    async fn settle(&self, partition: Partition, id: &str, refund: &[String]) -> StoreResult<()> {
        let (id, refund) = (id.to_owned(), refund.to_vec());
        self.write(move |c, now| limits::settle(c, partition, &id, &refund, now))
            .await
    }

    async fn shared(&self, corp: &str, key: &str) -> StoreResult<Shared> {
        let (corp, key) = (corp.to_owned(), key.to_owned());
        self.look(move |c, now| documents::shared(c, &corp, &key, now)).await
    }

    async fn compare_and_set(
        &self,
        corp: &str,
        key: &str,
        version: u64,
        value: Option<&[u8]>,
        ttl: Option<Duration>,
    ) -> StoreResult<bool> {
        let (corp, key, value) = (corp.to_owned(), key.to_owned(), value.map(<[u8]>::to_vec));
        self.write(move |c, now| documents::compare_and_set(c, (&corp, &key), version, value.as_deref(), ttl, now))
            .await
    }

    async fn probe(&self) -> StoreResult<String> {
        let generation = self.generation.clone();
        self.write(move |c, now| {
            c.prepare_cached("INSERT OR REPLACE INTO meta (key, value) VALUES ('probe', ?1)")?
                .execute([now.0.to_string()])?;
            Ok(generation)
        })
        .await
    }
}
