//! One partition's loop.
//!
//! `step` does what can be done now and says when to look again; `run` is the ten lines around it. The
//! worker's memory is a cache of the store: it may be thrown away between any two steps.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, mpsc};

use super::calls::Calls;
use super::lease::Leases;
use super::outbox::{Live, Prep, WINDOW};
use super::slots::{Slots, lane_index};
use super::{Context, Finish};
use crate::clock;
use crate::model::partition::PARTITIONS;
use crate::model::{Doc, Ending, JobId, StoreTime};
use crate::store::{Acquired, Commit, Fence, StoreError};

/// Outcomes wait so long for a decision to ride with (DESIGN, "Loop").
pub(super) const LINGER: Duration = Duration::from_millis(20);
/// The worker looks at its journal at least so often, whatever wakes were lost.
const IDLE: Duration = Duration::from_secs(5);

/// What all workers of a process share beside the [`Context`].
pub(super) struct Shared {
    pub context: Context,
    pub slots: Slots,
    pub calls: Calls,
    pub leases: Leases,
    /// By partition: a worker of this process has it.
    pub owned: [AtomicBool; PARTITIONS as usize],
    /// By partition: something may be new in its journal.
    pub hints: [AtomicBool; PARTITIONS as usize],
    /// By partition: last decided number, for the poll.
    pub positions: [AtomicU64; PARTITIONS as usize],
}

impl Shared {
    pub fn new(context: Context) -> Self {
        Self {
            context,
            slots: Slots::default(),
            calls: Calls::default(),
            leases: Leases::default(),
            owned: std::array::from_fn(|_| AtomicBool::new(false)),
            hints: std::array::from_fn(|_| AtomicBool::new(true)),
            positions: std::array::from_fn(|_| AtomicU64::new(0)),
        }
    }
}

/// A partition's worker.
pub(super) struct Worker {
    pub shared: Arc<Shared>,
    pub fence: Fence,
    /// Last decided journal number.
    pub position: u64,
    /// Documents, as they will be after the next commit.
    pub docs: HashMap<String, CachedDoc>,
    /// Jobs in memory.
    pub jobs: HashMap<JobId, Live>,
    /// Those of them that wait to be prepared, in order.
    pub queue: VecDeque<JobId>,
    /// By lane: jobs being prepared.
    pub preparing: [usize; 4],
    /// Tries of calls that note no start.
    pub tried: HashMap<JobId, u32>,
    /// What the next commit carries beside decisions.
    pub pending: Pending,
    /// By lane: the store may have due jobs that are not in memory.
    pub refill: [bool; 4],
    /// By lane: when the store has the next one.
    pub next_due: [Option<StoreTime>; 4],
    /// After a refused commit.
    pub careful: Careful,
    /// No new job is begun: the gateway is stopping.
    pub draining: bool,
    pub notify: Arc<Notify>,
    pub prepared_tx: mpsc::UnboundedSender<Prep>,
    prepared_rx: mpsc::UnboundedReceiver<Prep>,
}

/// A document in memory.
pub(super) struct CachedDoc {
    pub doc: Doc,
    pub dirty: bool,
    /// It could not be read, and is never written.
    pub unreadable: bool,
    /// Bytes when it was last encoded.
    pub len: usize,
}

impl CachedDoc {
    /// Stands for a stored document that cannot be read.
    pub fn unreadable() -> Self {
        Self {
            doc: Doc::default(),
            dirty: false,
            unreadable: true,
            len: 0,
        }
    }
}

/// How careful a worker is after the store refused a commit of the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Careful {
    /// Batches.
    No,
    /// One entry a commit, to find the one that is refused.
    OneByOne,
    /// That one goes to quarantine.
    SetAside,
}

impl Careful {
    /// After another refusal.
    pub fn more(self) -> Self {
        match self {
            Self::No => Self::OneByOne,
            Self::OneByOne | Self::SetAside => Self::SetAside,
        }
    }
}

/// Parts of the next commit that no decision brings.
#[derive(Default)]
pub(super) struct Pending {
    pub commit: Commit,
    /// Jobs that get their outcome by it, with what metrics need.
    pub endings: Vec<(JobId, Ending)>,
    /// Results that will be durable with it: true when the try was unclear.
    pub settled: Vec<(JobId, bool)>,
    /// Since when something waits.
    pub since: Option<Instant>,
    /// A start waits: no lingering.
    pub urgent: bool,
}

/// Why a worker ended.
#[derive(Debug)]
pub(super) enum Gone {
    /// The partition must be acquired and loaded again.
    Lost(String),
    /// The store refused what we sent: reload and be more careful.
    Refused(String, Careful),
}

impl From<StoreError> for Gone {
    fn from(e: StoreError) -> Self {
        Self::Lost(e.to_string())
    }
}

impl Worker {
    /// A worker with an empty memory.
    pub fn new(shared: Arc<Shared>, acquired: Acquired, notify: Arc<Notify>, careful: Careful) -> Self {
        let (prepared_tx, prepared_rx) = mpsc::unbounded_channel();
        Self {
            shared,
            fence: acquired.fence,
            position: acquired.position,
            docs: HashMap::new(),
            jobs: HashMap::new(),
            queue: VecDeque::new(),
            preparing: [0; 4],
            tried: HashMap::new(),
            pending: Pending::default(),
            refill: [true; 4],
            next_due: [None; 4],
            careful,
            draining: false,
            notify,
            prepared_tx,
            prepared_rx,
        }
    }

    /// Runs until the partition is lost, or until `stop` and everything in flight is committed.
    pub async fn run(mut self, mut stop: tokio::sync::watch::Receiver<bool>) -> Result<(), Gone> {
        let notify = Arc::clone(&self.notify);
        loop {
            // Register before looking, or a wake between the look and the wait is lost.
            let woken = notify.notified();
            tokio::pin!(woken);
            woken.as_mut().enable();
            self.draining = *stop.borrow();
            let wait = self.step().await?;
            if self.draining && self.idle() {
                return Ok(());
            }
            let Some(wait) = wait else { continue };
            tokio::select! {
                () = woken => {}
                Some(prep) = self.prepared_rx.recv() => self.take_prepared(prep),
                () = clock::sleep(wait) => {}
                _ = stop.changed() => {}
            }
        }
    }

    /// Does what can be done now. `None`: there is more to do at once; else how long to wait at most.
    pub async fn step(&mut self) -> Result<Option<Duration>, Gone> {
        while let Ok(prep) = self.prepared_rx.try_recv() {
            self.take_prepared(prep);
        }
        self.collect_results().await?;
        if !self.draining {
            self.refill_lanes().await?;
        }
        let decided = self.decide_batch().await?;
        if decided.is_some() || self.must_flush() {
            self.commit(decided).await?;
            // However long the journal is, what it has decided so far goes out.
            self.launch().await?;
            self.forget_docs();
            return Ok(None);
        }
        self.launch().await?;
        Ok(Some(self.wait()))
    }

    fn must_flush(&self) -> bool {
        let linger_over = self
            .pending
            .since
            .is_some_and(|s| clock::monotonic().saturating_duration_since(s) >= LINGER);
        self.pending.urgent || linger_over || (self.draining && self.pending.since.is_some())
    }

    fn wait(&self) -> Duration {
        let mut wait = IDLE;
        if let Some(since) = self.pending.since {
            wait = wait.min(LINGER.saturating_sub(clock::monotonic().saturating_duration_since(since)));
        }
        let now = self.shared.context.clock.now();
        let full = self.lanes();
        for (due, have) in self.next_due.iter().zip(full) {
            // A full window is refilled when one of its jobs ends, not by the clock.
            if let Some(due) = due.filter(|_| have <= WINDOW / 2) {
                wait = wait.min(due.since(now).max(Duration::from_millis(1)));
            }
        }
        wait
    }

    /// By lane: jobs in memory.
    pub(super) fn lanes(&self) -> [usize; 4] {
        let mut have = [0; 4];
        for live in self.jobs.values() {
            have[lane_index(live.stored.lane)] += 1;
        }
        have
    }

    fn idle(&self) -> bool {
        self.pending.since.is_none() && !self.jobs.values().any(Live::in_flight)
    }

    /// Something waits for the next commit.
    pub(super) fn touch(&mut self, urgent: bool) {
        self.pending.since.get_or_insert_with(clock::monotonic);
        self.pending.urgent |= urgent;
    }

    /// The job has its outcome as soon as the next commit is through.
    pub(super) fn end(&mut self, id: JobId, ending: Ending) {
        let mut followed = false;
        if let Some(live) = self.jobs.get_mut(&id) {
            live.phase = super::outbox::Phase::Ending;
            let doc = self.docs.get(&live.job.conversation.key()).map(|c| &c.doc);
            let tail = live.job.action.sequence().and_then(|s| doc?.tails.get(&s));
            followed = tail.is_some_and(|tail| *tail != id);
        }
        self.pending.endings.push((id, ending));
        // The next message of the chat waits for this outcome: no lingering.
        self.touch(followed);
    }

    /// Takes one run's finish into the next commit.
    pub(super) fn finish(&mut self, id: JobId, finish: Finish) {
        match finish {
            Finish::End(ending) => self.end(id, ending),
            Finish::Wait { until, refused, reason } => {
                tracing::debug!(partition = %self.fence.partition, job = %id, %reason, "job waits");
                self.defer(id, until, refused);
            }
            Finish::Again => self.again(id),
        }
    }
}
