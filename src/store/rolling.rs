//! The rolling window of the limiter: never more than `limit` within **any** span of `window`, whoever asks.
//! Pure: time and state are arguments. `lua/permit.lua` is the same arithmetic; the conformance suite compares
//! the two.
//!
//! A window is cut into [`BUCKETS`] buckets. Any span as long as the window touches at most `BUCKETS + 1` of
//! them, so keeping the sum over the last `BUCKETS + 1` at or below the limit is enough. A caller who always
//! asks at the exact time gets at least `BUCKETS / (BUCKETS + 1)` = 98 % of the limit, at 30 a minute as at
//! 10,000 (an exact log of all instants would get 100 % and cost memory by the limit).

use super::{StoreTime, Window};

/// Buckets a window. More: closer to the limit, but every permit reads them all (51 numbers fit one small
/// listpack).
pub const BUCKETS: i64 = 50;

/// What was taken from one window, by bucket number; buckets older than the window may linger.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Taken(pub Vec<(i64, u32)>);

/// Length of a bucket in milliseconds.
pub fn bucket_ms(window: Window) -> i64 {
    let ms = i64::try_from(window.window.as_millis()).unwrap_or(i64::MAX);
    ((ms + BUCKETS - 1) / BUCKETS).max(1)
}

impl Taken {
    /// Forgets what is out of the window. What lies in the future (the clock was set back) counts as taken
    /// now: the safe side, and over after one window at most. True if there was any: the caller must keep the
    /// result then, or each later look would begin that window anew.
    pub fn tidy(&mut self, window: Window, now: StoreTime) -> bool {
        let current = now.0.div_euclid(bucket_ms(window));
        let mut ahead = 0u32;
        self.0.retain(|(bucket, count)| {
            if *bucket > current {
                ahead = ahead.saturating_add(*count);
            }
            *bucket >= current - BUCKETS && *bucket <= current
        });
        if ahead > 0 {
            self.add(current, ahead);
        }
        ahead > 0
    }

    /// The earliest time at which one more fits; `None`: now. Call [`Taken::tidy`] first.
    pub fn next(&self, window: Window, now: StoreTime) -> Option<StoreTime> {
        if window.limit == 0 {
            return Some(now.plus(window.window));
        }
        let mut sum: u64 = self.0.iter().map(|(_, count)| u64::from(*count)).sum();
        let limit = u64::from(window.limit);
        if sum < limit {
            return None;
        }
        let mut by_age = self.0.clone();
        by_age.sort_unstable();
        for (bucket, count) in by_age {
            sum -= u64::from(count);
            if sum < limit {
                return Some(StoreTime((bucket + BUCKETS + 1) * bucket_ms(window)));
            }
        }
        None
    }

    /// Takes one.
    pub fn take(&mut self, window: Window, now: StoreTime) {
        self.add(now.0.div_euclid(bucket_ms(window)), 1);
    }

    fn add(&mut self, bucket: i64, count: u32) {
        match self.0.iter_mut().find(|(b, _)| *b == bucket) {
            Some((_, c)) => *c = c.saturating_add(count),
            None => self.0.push((bucket, count)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    /// Asks as early as allowed for a while; returns when it was granted.
    fn greedy(window: Window, start: i64, span: i64, pauses: &[i64]) -> Vec<i64> {
        let mut taken = Taken::default();
        let (mut now, mut granted) = (start, Vec::new());
        let mut pauses = pauses.iter().cycle();
        while now < start + span {
            taken.tidy(window, StoreTime(now));
            match taken.next(window, StoreTime(now)) {
                None => {
                    taken.take(window, StoreTime(now));
                    granted.push(now);
                    now += pauses.next().copied().unwrap_or(0);
                }
                Some(at) => {
                    assert!(at.0 > now, "asked again at {at:?} for {now}");
                    now = at.0;
                }
            }
        }
        granted
    }

    fn most_in_any_window(granted: &[i64], window: i64) -> usize {
        (0..granted.len())
            .map(|i| granted[i..].iter().take_while(|t| **t < granted[i] + window).count())
            .max()
            .unwrap_or(0)
    }

    proptest! {
        #[test]
        fn no_rolling_window_ever_holds_more_than_the_limit(
            start in 0i64..100_000,
            limit in 1u32..60,
            ms in 100i64..100_000,
            pauses in prop::collection::vec(0i64..3_000, 1..20),
        ) {
            let window = Window { window: Duration::from_millis(ms.unsigned_abs()), limit };
            let granted = greedy(window, start, ms * 6, &pauses);
            prop_assert!(most_in_any_window(&granted, ms) <= limit as usize);
        }
    }

    #[test]
    fn at_30_a_minute_at_least_95_of_100_are_usable() {
        let window = Window {
            window: Duration::from_secs(60),
            limit: 30,
        };
        for start in [0, 1, 599, 1_199, 31_337] {
            let got = greedy(window, start, 3_600_000, &[0]).len();
            assert!(got >= 30 * 60 * 95 / 100, "{got} of 1800 from {start}");
        }
    }

    #[test]
    fn a_clock_set_back_neither_opens_the_window_nor_closes_it_for_longer_than_one_window() {
        let window = Window {
            window: Duration::from_secs(60),
            limit: 2,
        };
        let mut taken = Taken::default();
        taken.take(window, StoreTime(86_400_000));
        taken.take(window, StoreTime(86_400_000));
        let now = StoreTime(1_000_000);
        taken.tidy(window, now);
        let next = taken.next(window, now).unwrap();
        assert!(next > now && next <= StoreTime(now.0 + 62_000));
    }
}
