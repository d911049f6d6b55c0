//! What others hold of the owner: a handle to stop it, a waker, its status.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::{Notify, watch};

use super::Context;
use super::supervisor::Supervisor;
use super::worker::Shared;
use crate::model::Partition;

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
}

impl Waker {
    /// Something is new in this partition's journal.
    pub fn wake(&self, partition: Partition) {
        self.shared.hints[partition.index()].store(true, Ordering::Release);
        self.notifies[partition.index()].notify_one();
    }

    /// Is it owned by this process?
    pub fn owns(&self, partition: Partition) -> bool {
        self.shared.owned[partition.index()].load(Ordering::Acquire)
    }
}

impl Owner {
    /// Starts to own. Returns at once; partitions come within the first beat.
    pub fn start(context: Context, options: OwnerOptions) -> (Self, Waker) {
        let shared = Arc::new(Shared::new(context));
        let notifies: Arc<[Arc<Notify>]> = Partition::all().map(|_| Arc::new(Notify::new())).collect();
        let (stop, stopped) = watch::channel(false);
        let (status_tx, status) = watch::channel(OwnerStatus::default());
        let waker = Waker {
            shared: Arc::clone(&shared),
            notifies: Arc::clone(&notifies),
        };
        let supervisor = Supervisor::new(Arc::clone(&shared), Arc::clone(&notifies), options, status_tx);
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
