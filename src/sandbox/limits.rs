//! WeCom's numbers (`limits.md`), each changeable so that a test can reach it, and the windows that count them.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

/// How customers may be reached by broadcasts; WeCom's 群发规则.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BroadcastRule {
    /// As many in a calendar month as the month has days.
    MonthDays,
    /// Seven in a calendar week.
    Week7,
    /// One a day.
    Day1,
}

/// The numbers the simulated WeCom enforces. Defaults are WeCom's published ones.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Calls of one API per corp and minute (G1); over it 45009 for 60 s.
    pub api_per_minute: u32,
    /// Calls of one API per corp and hour (G1); over it 45009 for 60 min.
    pub api_per_hour: u32,
    /// Calls of one API per corp at the same time (G4, WeCom publishes no number); over it 45033. 0: no limit.
    pub api_concurrent: u32,
    /// Wrong secrets per caller's address and hour until `gettoken` answers 45009 for an hour (G5).
    pub wrong_secrets: u32,
    /// Seconds a token lives (G8).
    pub token_seconds: i64,
    /// Messages of one app to one member per minute; more are dropped without a word (M2).
    pub member_per_minute: u32,
    /// The same per hour (M2).
    pub member_per_hour: u32,
    /// Person-messages of one app per day in China (M1: account limit × 200).
    pub app_per_day: u32,
    /// `kf/sync_msg` without a token, per account and minute (G7: "strict", no number; taste).
    pub sync_tokenless_per_minute: u32,
    /// The most messages one page of `kf/sync_msg` holds (1000; fewer are legal).
    pub sync_page: usize,
    /// `media/uploadimg` per day in China (D6).
    pub uploadimg_per_day: u32,
    /// Milliseconds after `add_msg_template` during which its records answer 41063 (B14).
    pub dispatch_ms: i64,
    /// How often a customer may be reached by broadcasts (B1, B3, B4).
    pub broadcast_rule: BroadcastRule,
    /// How often a callback is tried in all.
    pub callback_attempts: u32,
    /// Milliseconds a callback may take.
    pub callback_timeout_ms: u64,
    /// Milliseconds between the tries of a callback (not documented by WeCom; taste).
    pub callback_retry_ms: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            api_per_minute: 10_000,
            api_per_hour: 150_000,
            api_concurrent: 0,
            wrong_secrets: 2_000,
            token_seconds: 7_200,
            member_per_minute: 30,
            member_per_hour: 1_000,
            app_per_day: 200 * 1_000,
            sync_tokenless_per_minute: 60,
            sync_page: 1_000,
            uploadimg_per_day: 1_000,
            dispatch_ms: 0,
            broadcast_rule: BroadcastRule::MonthDays,
            callback_attempts: 3,
            callback_timeout_ms: 5_000,
            callback_retry_ms: 5_000,
        }
    }
}

/// A rolling window: exact to the millisecond, constant cost per call on average.
#[derive(Debug, Clone)]
pub(super) struct Window {
    span_ms: i64,
    counts: VecDeque<(i64, u32)>,
    total: u32,
}

impl Window {
    /// An empty window that long.
    pub(super) fn of_ms(span_ms: i64) -> Self {
        Self {
            span_ms,
            counts: VecDeque::new(),
            total: 0,
        }
    }

    /// How many there are in the window that ends `now`.
    pub(super) fn count(&mut self, now: i64) -> u32 {
        while let Some((at, n)) = self.counts.front()
            && *at <= now - self.span_ms
        {
            self.total -= n;
            self.counts.pop_front();
        }
        self.total
    }

    /// Notes one.
    pub(super) fn note(&mut self, now: i64) {
        self.total += 1;
        match self.counts.back_mut() {
            Some((at, n)) if *at == now => *n += 1,
            _ => self.counts.push_back((now, 1)),
        }
    }
}

/// Frequency counters by name.
#[derive(Debug, Clone, Default)]
pub(super) struct Meters {
    windows: BTreeMap<String, [Window; 2]>,
    blocked: BTreeMap<String, i64>,
}

const SPANS_MS: [i64; 2] = [60_000, 3_600_000];

impl Meters {
    /// Counts a call under `key`; false = over a limit, and blocked as long as the window that was full
    /// (60 s or 60 min).
    pub(super) fn pass(&mut self, key: &str, now: i64, per_minute: u32, per_hour: u32) -> bool {
        if self.blocked.get(key).is_some_and(|until| now < *until) {
            return false;
        }
        match self.count(key, now, [per_minute, per_hour]) {
            None => true,
            Some(full_ms) => {
                self.blocked.insert(key.to_owned(), now + full_ms);
                false
            }
        }
    }

    /// Counts under `key` when both windows have room; true = counted. Blocks nobody.
    pub(super) fn room(&mut self, key: &str, now: i64, per_minute: u32, per_hour: u32) -> bool {
        self.count(key, now, [per_minute, per_hour]).is_none()
    }

    /// Counts one, or returns the length of the window that is full.
    fn count(&mut self, key: &str, now: i64, most: [u32; 2]) -> Option<i64> {
        let windows = self
            .windows
            .entry(key.to_owned())
            .or_insert_with(|| SPANS_MS.map(Window::of_ms));
        for (window, most) in windows.iter_mut().zip(most) {
            if window.count(now) >= most {
                return Some(window.span_ms);
            }
        }
        windows.iter_mut().for_each(|w| w.note(now));
        None
    }
}

const DAY_MS: i64 = 86_400_000;

/// The day in China that an instant lies in, counted from 1970-01-01.
pub(super) fn china_day(ms: i64) -> i64 {
    (ms + 8 * 3_600_000).div_euclid(DAY_MS)
}

/// Year and month (1..12) in China, and how many days that month has.
pub(super) fn china_month(ms: i64) -> (i64, i64, usize) {
    // Howard Hinnant's civil_from_days.
    let z = china_day(ms) + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1_460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    let year = yoe + era * 400 + i64::from(month <= 2);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    (year, month, days)
}

/// May a customer who was reached at `sent` be reached at `now`?
pub(super) fn reachable(rule: BroadcastRule, sent: &[i64], now: i64) -> bool {
    let same = |in_window: &dyn Fn(i64) -> bool| sent.iter().filter(|at| in_window(**at)).count();
    match rule {
        BroadcastRule::MonthDays => {
            let (year, month, days) = china_month(now);
            same(&|at| china_month(at).0 == year && china_month(at).1 == month) < days
        }
        // 1970-01-01 was a Thursday; WeCom's week starts on Monday.
        BroadcastRule::Week7 => same(&|at| (china_day(at) + 3).div_euclid(7) == (china_day(now) + 3).div_euclid(7)) < 7,
        BroadcastRule::Day1 => same(&|at| china_day(at) == china_day(now)) < 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;
    /// 2026-02-01 00:00 in China, a Sunday.
    const FEBRUARY: i64 = 1_769_875_200_000;

    #[test]
    fn months_are_chinas_and_know_leap_years() {
        assert_eq!(china_month(FEBRUARY), (2026, 2, 28));
        assert_eq!(china_month(FEBRUARY - 1), (2026, 1, 31));
        assert_eq!(china_month(1_709_136_000_000), (2024, 2, 29));
    }

    #[test]
    fn a_day_rule_opens_again_at_midnight_in_china() {
        let sent = [FEBRUARY - HOUR];
        assert!(!reachable(BroadcastRule::Day1, &sent, FEBRUARY - 1));
        assert!(reachable(BroadcastRule::Day1, &sent, FEBRUARY));
    }

    #[test]
    fn a_week_rule_opens_again_on_monday() {
        let sent = [FEBRUARY; 7];
        assert!(!reachable(BroadcastRule::Week7, &sent, FEBRUARY + 24 * HOUR - 1));
        assert!(reachable(BroadcastRule::Week7, &sent, FEBRUARY + 24 * HOUR));
        assert!(reachable(BroadcastRule::Week7, &sent[..6], FEBRUARY));
    }

    #[test]
    fn a_month_rule_allows_as_many_as_the_month_has_days() {
        let sent = [FEBRUARY; 28];
        assert!(!reachable(BroadcastRule::MonthDays, &sent, FEBRUARY + HOUR));
        assert!(reachable(BroadcastRule::MonthDays, &sent[..27], FEBRUARY + HOUR));
        assert!(reachable(BroadcastRule::MonthDays, &sent, FEBRUARY + 28 * 24 * HOUR));
    }

    #[test]
    fn a_full_window_blocks_as_long_as_it_is() {
        let mut meters = Meters::default();
        assert!(meters.pass("a", 0, 1, 10));
        assert!(!meters.pass("a", 1, 1, 10));
        assert!(!meters.pass("a", 60_000, 1, 10));
        assert!(meters.pass("a", 60_001, 1, 10));
        assert!(meters.pass("b", 1, 1, 10), "one API's block is not another's");
    }
}
