//! Holds the partitions: beats, takes orphans, gives back surplus, starts and restarts workers.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::task::{AbortHandle, JoinSet};

use super::balance::{Me, Watch};
use super::handle::{OwnerOptions, OwnerStatus, Waker};
use super::kf_accounts::KfAccounts;
use super::watchers;
use super::worker::{Careful, Gone, Shared, Worker};
use crate::clock;
use crate::model::Partition;
use crate::store::{Acquired, Fence};

/// The beat (DESIGN: "the owner raises `beats` each second").
const BEAT: Duration = Duration::from_secs(1);
/// A pause before a lost partition is looked at again, or a store that refuses would be asked without end.
const AGAIN: Duration = Duration::from_millis(50);
/// Calls in flight get so long when the gateway stops.
const GRACE: Duration = Duration::from_secs(8);

/// Nothing but the beat is awaited by the supervisor: whatever may be slow runs beside it and ends with it.
struct AbortOnDrop(AbortHandle);

impl AbortOnDrop {
    fn spawn(task: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(tokio::spawn(task).abort_handle())
    }
}

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

/// Holds the partitions of this process.
pub(super) struct Supervisor {
    shared: Arc<Shared>,
    options: OwnerOptions,
    notifies: Arc<[Arc<Notify>]>,
    held: HashMap<Partition, Held>,
    workers: JoinSet<(Partition, Result<(), Gone>)>,
    watch: Watch,
    status: watch::Sender<OwnerStatus>,
    careful: HashMap<Partition, Careful>,
    /// A partition was lost a moment ago: look again soon, not at the next beat.
    again: bool,
}

impl Supervisor {
    /// A supervisor that holds nothing yet.
    pub fn new(
        shared: Arc<Shared>,
        notifies: Arc<[Arc<Notify>]>,
        options: OwnerOptions,
        status: watch::Sender<OwnerStatus>,
    ) -> Self {
        Self {
            shared,
            options,
            notifies,
            held: HashMap::new(),
            workers: JoinSet::new(),
            watch: Watch::default(),
            status,
            careful: HashMap::new(),
            again: false,
        }
    }

    /// Runs until it is told to stop, then drains.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>, waker: Waker) {
        let mut beside = vec![
            AbortOnDrop::spawn(watchers::hints(Arc::clone(&self.shared), waker.clone())),
            AbortOnDrop::spawn(watchers::poll(Arc::clone(&self.shared), waker.clone())),
            AbortOnDrop::spawn(watchers::gauges(Arc::clone(&self.shared), waker.clone())),
        ];
        // A command that owns one partition for one broadcast polls no kf account.
        if self.options.only.is_none() {
            let accounts = KfAccounts::default().run(Arc::clone(&self.shared), waker);
            beside.push(AbortOnDrop::spawn(accounts));
        }
        let mut beat = tokio::time::interval(BEAT);
        beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = stop.changed() => break,
                _ = beat.tick() => self.beat().await,
                () = clock::sleep(AGAIN), if self.again => {
                    self.again = false;
                    self.beat().await;
                }
                Some(ended) = self.workers.join_next(), if !self.workers.is_empty() => self.ended(ended).await,
            }
        }
        drop(beside);
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
        let fences: Vec<Fence> = self.held.values().map(|h| h.fence.clone()).collect();
        if !fences.is_empty() {
            match context.store.beat(&fences).await {
                Ok(beat) => self.take_beat(&fences, &beat.held, began),
                Err(e) => return tracing::warn!(error = %e, "beat failed"),
            }
        }
        let Ok(records) = self.shared.context.store.owners().await else {
            return;
        };
        for (partition, record) in Partition::all().zip(&records) {
            // Whoever owns it now has read our marks and decided; our results are nobody's any more.
            if !record.nonce.is_empty() && record.nonce != self.shared.context.nonce {
                self.shared.calls.forget(partition);
            }
        }
        let held: Vec<Partition> = self.held.keys().copied().collect();
        let plan = self
            .watch
            .look(&self.me(), records, &live.owners, &held, clock::monotonic());
        self.acquire(plan.take).await;
        for partition in plan.give {
            // A partition stands still while it is given back, so one with a call under way is kept for a later
            // look. The worker ends by itself once all is committed; `ended` releases the partition.
            if self.shared.calls.busy(partition) {
                continue;
            }
            if let Some(h) = self.held.get(&partition) {
                let _ = h.stop.send(true);
            }
        }
        let count = self.held.len();
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
                if let Some(h) = self.held.get(&fence.partition).filter(|h| &h.fence == fence) {
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
        let careful = self.careful.remove(&partition).unwrap_or(Careful::No);
        let notify = Arc::clone(&self.notifies[partition.index()]);
        let worker = Worker::new(Arc::clone(&self.shared), acquired, notify, careful);
        let (stop, stopped) = watch::channel(false);
        let abort = self
            .workers
            .spawn(async move { (partition, worker.run(stopped).await) });
        self.shared.owned[partition.index()].store(true, Ordering::Release);
        self.held.insert(partition, Held { fence, stop, abort });
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
        let Some(held) = self.drop_held(partition) else {
            return;
        };
        let store = Arc::clone(&self.shared.context.store);
        match result {
            Ok(()) => {
                let _ = store.release(&held.fence).await;
            }
            Err(gone) => {
                self.shared.context.metrics.partitions_lost.inc();
                let (careful, reason) = match gone {
                    Gone::Refused(why, careful) => (careful, why),
                    Gone::Lost(why) => (Careful::No, why),
                };
                tracing::warn!(%partition, reason, "partition lost: acquiring and loading it again");
                self.careful.insert(partition, careful);
                self.again = true;
            }
        }
    }

    /// Forgets workers that ended without a word.
    fn sweep(&mut self) {
        let gone: Vec<Partition> = self
            .held
            .iter()
            .filter(|(_, h)| h.abort.is_finished())
            .map(|(partition, _)| *partition)
            .collect();
        for partition in gone {
            self.drop_held(partition);
            self.shared.context.metrics.partitions_lost.inc();
        }
    }

    fn drop_held(&mut self, partition: Partition) -> Option<Held> {
        self.shared.leases.lost(partition);
        self.shared.owned[partition.index()].store(false, Ordering::Release);
        self.held.remove(&partition)
    }

    async fn drain(mut self) {
        for held in self.held.values() {
            let _ = held.stop.send(true);
        }
        let deadline = clock::sleep(GRACE);
        tokio::pin!(deadline);
        let mut beat = tokio::time::interval(BEAT);
        while !self.workers.is_empty() {
            tokio::select! {
                Some(ended) = self.workers.join_next() => {
                    let Ok((partition, _)) = ended else { continue };
                    let held = self.drop_held(partition);
                    if let Some(held) = held {
                        let _ = self.shared.context.store.release(&held.fence).await;
                    }
                }
                _ = beat.tick() => {
                    let began = clock::monotonic();
                    let fences: Vec<Fence> = self.held.values().map(|h| h.fence.clone()).collect();
                    if let Ok(b) = self.shared.context.store.beat(&fences).await {
                        self.take_beat(&fences, &b.held, began);
                    }
                }
                () = &mut deadline => break,
            }
        }
        // Whoever is left had its time: its marks stay, and the next owner reads them.
        let rest: Vec<Fence> = self.held.drain().map(|(_, h)| h.fence).collect();
        self.workers.shutdown().await;
        for fence in rest {
            let _ = self.shared.context.store.release(&fence).await;
        }
        let _ = self.shared.context.store.retire(&self.options.node).await;
    }
}
