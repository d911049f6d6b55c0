//! Holds the partitions: beats, takes orphans, gives back surplus, starts and restarts workers.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{Notify, broadcast, watch};
use tokio::task::{AbortHandle, JoinSet};

use super::Context;
use super::balance::{Me, Watch};
use super::kf_accounts::KfAccounts;
use super::worker::{Gone, Shared, Worker};
use crate::clock;
use crate::model::{Lane, Partition};
use crate::store::{Acquired, Fence, StoreError};

/// The beat (DESIGN: "the owner raises `beats` each second").
const BEAT: Duration = Duration::from_secs(1);
/// The poll behind lost wakes (DESIGN, "Waking").
const POLL: Duration = Duration::from_millis(250);
/// Calls in flight get so long when the gateway stops.
const GRACE: Duration = Duration::from_secs(8);
/// Gauges of queues are read so often.
const GAUGES: Duration = Duration::from_secs(5);

/// How to own.
#[derive(Debug, Clone)]
pub struct OwnerOptions {
    /// Node identity from the locked node file.
    pub node: String,
    /// At most so many partitions; 0: intake only.
    pub max_partitions: u8,
    /// A lock outside the store says that nobody else owns anything (SQLite).
    pub exclusive: bool,
    /// Only this partition.
    pub only: Option<Partition>,
}

/// What others may know of the owner.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OwnerStatus {
    /// Partitions held.
    pub held: usize,
    /// The store's generation as last told.
    pub generation: String,
}

/// A running owner: all partitions of this process.
pub struct Owner {
    shared: Arc<Shared>,
    notifies: Arc<[Arc<Notify>]>,
    status: watch::Receiver<OwnerStatus>,
    stop: watch::Sender<bool>,
    task: tokio::task::JoinHandle<()>,
}

/// Wakes the owner of a partition in this process; cheap and harmless when it is owned elsewhere.
#[derive(Clone)]
pub struct Waker {
    shared: Arc<Shared>,
    notifies: Arc<[Arc<Notify>]>,
    held: Arc<Mutex<HashMap<Partition, Held>>>,
}

impl Waker {
    /// Something is new in this partition's journal.
    pub fn wake(&self, partition: Partition) {
        self.shared.hints[partition.index()].store(true, Ordering::Release);
        self.notifies[partition.index()].notify_one();
    }

    /// Is it owned by this process?
    pub fn owns(&self, partition: Partition) -> bool {
        self.held
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .contains_key(&partition)
    }
}

struct AbortOnDrop(AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

struct Held {
    fence: Fence,
    stop: watch::Sender<bool>,
    abort: AbortHandle,
}

struct Supervisor {
    shared: Arc<Shared>,
    options: OwnerOptions,
    notifies: Arc<[Arc<Notify>]>,
    held: Arc<Mutex<HashMap<Partition, Held>>>,
    workers: JoinSet<(Partition, Result<(), Gone>)>,
    watch: Watch,
    status: watch::Sender<OwnerStatus>,
    careful: HashMap<Partition, bool>,
}

impl Owner {
    /// Starts to own. Returns at once; partitions come within the first beat.
    pub fn start(context: Context, options: OwnerOptions) -> (Self, Waker) {
        let shared = Arc::new(Shared::new(context));
        let notifies: Arc<[Arc<Notify>]> = Partition::all().map(|_| Arc::new(Notify::new())).collect();
        let (stop, stopped) = watch::channel(false);
        let (status_tx, status) = watch::channel(OwnerStatus::default());
        let held = Arc::new(Mutex::new(HashMap::new()));
        let waker = Waker {
            shared: Arc::clone(&shared),
            notifies: Arc::clone(&notifies),
            held: Arc::clone(&held),
        };
        let supervisor = Supervisor {
            shared: Arc::clone(&shared),
            options,
            notifies: Arc::clone(&notifies),
            held,
            workers: JoinSet::new(),
            watch: Watch::default(),
            status: status_tx,
            careful: HashMap::new(),
        };
        let task = tokio::spawn(supervisor.run(stopped, waker.clone()));
        (
            Self {
                shared,
                notifies,
                status,
                stop,
                task,
            },
            waker,
        )
    }

    /// What is held now.
    pub fn status(&self) -> watch::Receiver<OwnerStatus> {
        self.status.clone()
    }

    /// Begins no new call, gives calls in flight 8 s, commits, hands the partitions over. Returns when done.
    pub async fn shutdown(self) {
        let _ = self.stop.send(true);
        self.shared.slots.close();
        for n in self.notifies.iter() {
            n.notify_one();
        }
        let _ = self.task.await;
    }
}

async fn next_hint(wakes: Option<&mut broadcast::Receiver<u8>>) -> Result<u8, RecvError> {
    match wakes {
        Some(wakes) => wakes.recv().await,
        None => std::future::pending().await,
    }
}

impl Supervisor {
    async fn run(mut self, mut stop: watch::Receiver<bool>, waker: Waker) {
        // A command that owns one partition for one broadcast polls nothing.
        let _accounts = self.options.only.is_none().then(|| {
            let polls = KfAccounts::default().run(Arc::clone(&self.shared), waker.clone());
            AbortOnDrop(tokio::spawn(polls).abort_handle())
        });
        // Who owns nothing needs no hints: on Redis they cost as much as accepting itself.
        let mut wakes = (self.options.max_partitions > 0).then(|| self.shared.context.store.wakes());
        let mut beat = tokio::time::interval(BEAT);
        let mut poll = tokio::time::interval(POLL);
        let mut gauges = tokio::time::interval(GAUGES);
        for i in [&mut beat, &mut poll, &mut gauges] {
            i.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        }
        loop {
            tokio::select! {
                _ = stop.changed() => break,
                _ = beat.tick() => self.beat().await,
                _ = poll.tick() => self.poll(&waker).await,
                _ = gauges.tick() => self.gauges().await,
                hint = next_hint(wakes.as_mut()) => match hint {
                    Ok(n) => if let Some(p) = Partition::new(n) { waker.wake(p) },
                    Err(RecvError::Lagged(_)) => {}
                    // The store's hints ended: the poll is the truth.
                    Err(RecvError::Closed) => clock::sleep(POLL).await,
                },
                Some(ended) = self.workers.join_next(), if !self.workers.is_empty() => self.ended(ended).await,
            }
        }
        self.drain().await;
    }

    async fn beat(&mut self) {
        let context = &self.shared.context;
        let began = clock::monotonic();
        let counted = self.options.max_partitions > 0 && self.options.only.is_none();
        let live = match context.store.announce(&self.options.node, counted).await {
            Ok(live) => live,
            Err(e) => return tracing::warn!(error = %e, "beat failed: store not reachable"),
        };
        if let Some(step_ms) = context.clock.learn(live.now) {
            context.metrics.clock_steps.inc();
            tracing::warn!(step_ms, "the store's clock stepped");
        }
        context.delivery.set_generation(&live.generation);
        let fences: Vec<Fence> = self.lock().values().map(|h| h.fence.clone()).collect();
        if !fences.is_empty() {
            match context.store.beat(&fences).await {
                Ok(beat) => self.take_beat(&fences, &beat.held, began),
                Err(e) => return tracing::warn!(error = %e, "beat failed"),
            }
        }
        let Ok(records) = self.shared.context.store.owners().await else {
            return;
        };
        let held: Vec<Partition> = self.lock().keys().copied().collect();
        let plan = self
            .watch
            .look(&self.me(), records, &live.owners, &held, clock::monotonic());
        self.acquire(plan.take).await;
        for partition in plan.give {
            // The worker ends by itself once its calls are committed; `ended` releases the partition.
            if let Some(h) = self.lock().get(&partition) {
                let _ = h.stop.send(true);
            }
        }
        let count = self.lock().len();
        let status = OwnerStatus {
            held: count,
            generation: live.generation,
        };
        self.shared
            .context
            .metrics
            .owned_partitions
            .set(i64::try_from(count).unwrap_or(0));
        self.status
            .send_if_modified(|s| std::mem::replace(s, status.clone()) != status);
    }

    fn take_beat(&self, fences: &[Fence], held: &[bool], began: std::time::Instant) {
        for (fence, ours) in fences.iter().zip(held) {
            if *ours {
                self.shared.leases.held(fence.partition, began);
            } else {
                self.shared.leases.lost(fence.partition);
                if let Some(h) = self.lock().get(&fence.partition).filter(|h| &h.fence == fence) {
                    h.abort.abort();
                }
            }
        }
    }

    fn me(&self) -> Me {
        Me {
            nonce: self.shared.context.nonce.clone(),
            node: self.options.node.clone(),
            max: usize::from(self.options.max_partitions),
            exclusive: self.options.exclusive,
            only: self.options.only,
        }
    }

    async fn acquire(&mut self, take: Vec<(Partition, crate::store::OwnerRecord)>) {
        let (nonce, node) = (self.shared.context.nonce.clone(), self.options.node.clone());
        let mut attempts = JoinSet::new();
        for (partition, record) in take {
            let (store, nonce, node) = (Arc::clone(&self.shared.context.store), nonce.clone(), node.clone());
            attempts.spawn(async move {
                let began = clock::monotonic();
                (partition, began, store.acquire(partition, &record, &nonce, &node).await)
            });
        }
        while let Some(result) = attempts.join_next().await {
            let Ok((partition, began, acquired)) = result else {
                continue;
            };
            match acquired {
                Ok(Some(acquired)) => self.spawn(partition, acquired, began),
                Ok(None) => {}
                Err(e) => tracing::warn!(%partition, error = %e, "could not acquire"),
            }
        }
    }

    fn spawn(&mut self, partition: Partition, acquired: Acquired, began: std::time::Instant) {
        let fence = acquired.fence.clone();
        tracing::debug!(%partition, epoch = fence.epoch, position = acquired.position, head = acquired.head, "acquired");
        self.shared.leases.held(partition, began);
        self.shared.hints[partition.index()].store(true, Ordering::Release);
        self.shared.positions[partition.index()].store(acquired.position, Ordering::Release);
        let careful = self.careful.remove(&partition).unwrap_or(false);
        let notify = Arc::clone(&self.notifies[partition.index()]);
        let worker = Worker::new(Arc::clone(&self.shared), acquired, notify, careful);
        let (stop, stopped) = watch::channel(false);
        let abort = self
            .workers
            .spawn(async move { (partition, worker.run(stopped).await) });
        self.lock().insert(partition, Held { fence, stop, abort });
    }

    /// A worker ended: hand its partition over, or take it again and reload.
    async fn ended(&mut self, ended: Result<(Partition, Result<(), Gone>), tokio::task::JoinError>) {
        let (partition, result) = match ended {
            Ok(x) => x,
            // Aborted (the beat said that it is not ours) or panicked: which one is known by who has no task.
            Err(e) => {
                if e.is_panic() {
                    tracing::error!(error = %e, "a partition's worker panicked");
                }
                return self.sweep();
            }
        };
        let Some(held) = self.lock().remove(&partition) else {
            return;
        };
        let store = Arc::clone(&self.shared.context.store);
        match result {
            Ok(()) => {
                self.shared.leases.lost(partition);
                let _ = store.release(&held.fence).await;
            }
            Err(gone) => {
                self.shared.context.metrics.partitions_lost.inc();
                let (refused, reason) = match gone {
                    Gone::Refused(why) => (true, why),
                    Gone::Lost(why) => (false, why),
                };
                tracing::warn!(%partition, reason, "partition lost: acquiring and loading it again");
                self.careful.insert(partition, refused);
                // A short pause, or a store that refuses everything would be asked without end.
                clock::sleep(Duration::from_millis(20)).await;
                self.reacquire(partition, &held.fence).await;
            }
        }
    }

    /// The record may still be ours (an unclear answer): then a new epoch at once. If not, the watch decides.
    async fn reacquire(&mut self, partition: Partition, fence: &Fence) {
        let records = match self.shared.context.store.owners().await {
            Ok(records) => records,
            Err(e) => return tracing::debug!(%partition, error = %e, "will be acquired at a later beat"),
        };
        if let Some(record) = records.get(partition.index()).filter(|r| r.nonce == fence.nonce) {
            self.acquire(vec![(partition, record.clone())]).await;
        }
    }

    fn sweep(&self) {
        self.lock().retain(|partition, held| {
            let gone = held.abort.is_finished();
            if gone {
                self.shared.leases.lost(*partition);
                self.shared.context.metrics.partitions_lost.inc();
            }
            !gone
        });
    }

    async fn poll(&self, waker: &Waker) {
        let Ok(heads) = self.shared.context.store.heads().await else {
            return;
        };
        let held: Vec<Partition> = self.lock().keys().copied().collect();
        for partition in held {
            let decided = self.shared.positions[partition.index()].load(Ordering::Acquire);
            if heads.get(partition.index()).is_some_and(|head| *head > decided) {
                waker.wake(partition);
            }
        }
    }

    async fn gauges(&self) {
        let held: Vec<Partition> = self.lock().keys().copied().collect();
        let context = &self.shared.context;
        let stats = match context.store.stats(&held).await {
            Ok(stats) => stats,
            Err(StoreError::Lost(_) | StoreError::Unavailable(_) | StoreError::Refused(_)) => return,
        };
        let now = context.clock.now();
        let waiting: u64 = stats.iter().map(|s| s.head.saturating_sub(s.position)).sum();
        context
            .metrics
            .journal_waiting
            .set(i64::try_from(waiting).unwrap_or(i64::MAX));
        for (i, lane) in Lane::ALL.into_iter().enumerate() {
            let jobs: u64 = stats.iter().map(|s| s.jobs[i]).sum();
            let oldest = stats.iter().filter_map(|s| s.oldest[i]).filter(|t| t.0 > 0).min();
            let labels = [lane.word()];
            context
                .metrics
                .queue_jobs
                .with_label_values(&labels)
                .set(i64::try_from(jobs).unwrap_or(i64::MAX));
            let age = oldest.map_or(0.0, |t| now.since(t).as_secs_f64());
            context.metrics.queue_oldest.with_label_values(&labels).set(age);
        }
    }

    async fn drain(mut self) {
        for held in self.lock().values() {
            let _ = held.stop.send(true);
        }
        let deadline = clock::sleep(GRACE);
        tokio::pin!(deadline);
        let mut beat = tokio::time::interval(BEAT);
        while !self.workers.is_empty() {
            tokio::select! {
                Some(ended) = self.workers.join_next() => {
                    let Ok((partition, _)) = ended else { continue };
                    let held = self.lock().remove(&partition);
                    if let Some(held) = held {
                        let _ = self.shared.context.store.release(&held.fence).await;
                    }
                }
                _ = beat.tick() => {
                    let began = clock::monotonic();
                    let fences: Vec<Fence> = self.lock().values().map(|h| h.fence.clone()).collect();
                    if let Ok(b) = self.shared.context.store.beat(&fences).await {
                        self.take_beat(&fences, &b.held, began);
                    }
                }
                () = &mut deadline => break,
            }
        }
        // Whoever is left had its time: its marks stay, and the next owner reads them.
        let rest: Vec<Fence> = self.lock().drain().map(|(_, h)| h.fence).collect();
        self.workers.shutdown().await;
        for fence in rest {
            let _ = self.shared.context.store.release(&fence).await;
        }
        let _ = self.shared.context.store.retire(&self.options.node).await;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Partition, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
