//! What runs beside the supervisor: hints of the store, the poll behind them, and the gauges.
//!
//! Each may wait for a slow store; the beat must not wait with it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::broadcast::error::RecvError;

use super::handle::Waker;
use super::worker::Shared;
use crate::clock;
use crate::model::{Lane, Partition};

/// The poll behind lost wakes (DESIGN, "Waking").
const POLL: Duration = Duration::from_millis(250);
/// Gauges of queues are read so often.
const GAUGES: Duration = Duration::from_secs(2);

/// Wakes owners at the store's hints, until it gives no more.
pub(super) async fn hints(shared: Arc<Shared>, waker: Waker) {
    let mut wakes = shared.context.store.wakes();
    loop {
        match wakes.recv().await {
            Ok(n) => {
                if let Some(partition) = Partition::new(n) {
                    waker.wake(partition);
                }
            }
            Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return,
        }
    }
}

/// Looks at all journals every 250 ms.
pub(super) async fn poll(shared: Arc<Shared>, waker: Waker) {
    loop {
        clock::sleep(POLL).await;
        let Ok(heads) = shared.context.store.heads().await else {
            continue;
        };
        for partition in Partition::all().filter(|p| waker.owns(*p)) {
            let decided = shared.positions[partition.index()].load(Ordering::Acquire);
            if heads.get(partition.index()).is_some_and(|head| *head > decided) {
                waker.wake(partition);
            }
        }
    }
}

/// Keeps the gauges of journals and queues.
pub(super) async fn gauges(shared: Arc<Shared>, waker: Waker) {
    loop {
        clock::sleep(GAUGES).await;
        let held: Vec<Partition> = Partition::all().filter(|p| waker.owns(*p)).collect();
        let Ok(stats) = shared.context.store.stats(&held).await else {
            continue;
        };
        let (metrics, now) = (&shared.context.metrics, shared.context.clock.now());
        let waiting: u64 = stats.iter().map(|s| s.head.saturating_sub(s.position)).sum();
        metrics.journal_waiting.set(i64::try_from(waiting).unwrap_or(i64::MAX));
        for (i, lane) in Lane::ALL.into_iter().enumerate() {
            let labels = [lane.word()];
            let jobs: u64 = stats.iter().map(|s| s.jobs[i]).sum();
            metrics
                .queue_jobs
                .with_label_values(&labels)
                .set(i64::try_from(jobs).unwrap_or(i64::MAX));
            // 0 is "at once": a job whose try was taken back.
            let oldest = stats.iter().filter_map(|s| s.oldest[i]).filter(|t| t.0 > 0).min();
            let age = oldest.map_or(0.0, |t| now.since(t).as_secs_f64());
            metrics.queue_oldest.with_label_values(&labels).set(age);
        }
    }
}
