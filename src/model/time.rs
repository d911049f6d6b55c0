//! Instants of the store's clock, and WeCom's calendar.

use std::time::Duration;

/// An instant in store time: milliseconds since the Unix epoch, read by the store itself.
///
/// Every stored instant is one of these; hosts' clocks are never compared with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct StoreTime(pub i64);

/// WeCom's calendar is China's: UTC+8 all year (no daylight saving since 1991).
pub const SHANGHAI_OFFSET_MS: i64 = 8 * 3_600_000;
const DAY_MS: i64 = 86_400_000;

impl StoreTime {
    /// From whole seconds, as WeCom's `CreateTime` and `send_time` count.
    pub fn from_secs(secs: i64) -> Self {
        Self(secs.saturating_mul(1000))
    }

    /// This instant moved forward.
    pub fn plus(self, by: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)))
    }

    /// This instant moved back.
    pub fn minus(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)))
    }

    /// How long after `earlier` this is; zero when it is not after.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// Number of the day in China, counted from 1970-01-01.
    pub fn shanghai_day(self) -> i64 {
        (self.0 + SHANGHAI_OFFSET_MS).div_euclid(DAY_MS)
    }

    /// The date in China.
    pub fn shanghai_date(self) -> jiff::civil::Date {
        // Only instants outside the years ±9999 have no date; no store's clock shows one.
        let instant = jiff::Timestamp::from_millisecond(self.0).unwrap_or_default();
        jiff::tz::Offset::constant(8).to_datetime(instant).date()
    }

    /// Minute of the day in China, 0..1440.
    pub fn shanghai_minute(self) -> u16 {
        u16::try_from((self.0 + SHANGHAI_OFFSET_MS).rem_euclid(DAY_MS) / 60_000).unwrap_or(0)
    }

    /// Weekday in China: 0 Monday … 6 Sunday. (1970-01-01 was a Thursday.)
    pub fn shanghai_weekday(self) -> u8 {
        u8::try_from((self.shanghai_day() + 3).rem_euclid(7)).unwrap_or(0)
    }

    /// First instant of a day in China.
    pub fn of_shanghai_day(day: i64) -> Self {
        Self(day.saturating_mul(DAY_MS) - SHANGHAI_OFFSET_MS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_day_in_china_begins_eight_hours_before_greenwichs() {
        // 2026-02-28 16:00 UTC is midnight in China.
        let midnight = StoreTime(1_772_294_400_000);
        assert_eq!(midnight.shanghai_date(), jiff::civil::date(2026, 3, 1));
        assert_eq!(
            StoreTime(midnight.0 - 1).shanghai_date(),
            jiff::civil::date(2026, 2, 28)
        );
        assert_eq!(StoreTime::of_shanghai_day(midnight.shanghai_day()), midnight);
        assert_eq!(midnight.shanghai_weekday(), 6, "a Sunday");
    }
}
