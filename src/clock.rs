//! The one place that reads time. Everything else is told the time.

#![expect(clippy::disallowed_methods, reason = "this is the one file that may read the clocks")]

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::model::StoreTime;

/// This process's monotonic clock.
pub fn monotonic() -> Instant {
    Instant::now()
}

/// This host's wall clock in milliseconds since the epoch. Only the SQLite store (whose time is this host's),
/// log lines and the comparison with WeCom's clock (`check --online`) may use it.
pub fn wall() -> StoreTime {
    let ms = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| d.as_millis());
    StoreTime(i64::try_from(ms).unwrap_or(i64::MAX))
}

/// Store time as this process knows it: the store told it at the last beat, the monotonic clock carries it on.
#[derive(Clone)]
pub struct StoreClock(Arc<Mutex<(Instant, StoreTime)>>);

impl StoreClock {
    /// Starts from one reading of the store.
    pub fn new(told: StoreTime) -> Self {
        Self(Arc::new(Mutex::new((monotonic(), told))))
    }

    /// What the store's clock shows now, as far as we know.
    pub fn now(&self) -> StoreTime {
        let (at, told) = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.plus(monotonic().saturating_duration_since(at))
    }

    /// Takes a new reading; returns the step in milliseconds when it differs by more than 2 s from what we
    /// expected (the caller logs and counts it).
    pub fn learn(&self, told: StoreTime) -> Option<i64> {
        let expected = self.now();
        let step = told.0 - expected.0;
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = (monotonic(), told);
        (step.unsigned_abs() > 2000).then_some(step)
    }

    /// The monotonic instant at which the store's clock will show `t`.
    pub fn instant_of(&self, t: StoreTime) -> Instant {
        let now = self.now();
        monotonic() + t.since(now)
    }
}

/// Sleeps. Here so that tests with paused tokio time cover every wait.
pub async fn sleep(d: Duration) {
    tokio::time::sleep(d).await;
}
