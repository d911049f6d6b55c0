//! The calendar windows of the quota book: WeCom's days, weeks and months are Asia/Shanghai's, whatever the
//! host's zone (promise 8). Pure; the Lua script `reserve.lua` counts the same way and the conformance suite
//! compares the two.

use super::{QuotaRule, StoreTime};

/// One counter that a message needs: its window, what the window is called, who is counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuotaWindow {
    /// `day`, `week`, `month` or `member_day`: the word in [`super::Verdict::Full`].
    pub name: &'static str,
    /// Names this very window among all: `d20500`, `w2929`, `m683`, `e20500`.
    pub id: String,
    /// How many fit.
    pub limit: u32,
    /// When it ends.
    pub until: StoreTime,
    /// Counted per member × contact instead of per contact.
    pub per_member: bool,
}

/// The windows that hold `now`, in the order day, week, month, member_day, for what the rule limits.
/// `member`: whether the message has one; without one nothing is counted per member.
pub fn windows(rule: &QuotaRule, now: StoreTime, member: bool) -> Vec<QuotaWindow> {
    let day = now.shanghai_day();
    let tomorrow = StoreTime::of_shanghai_day(day + 1);
    // Day 0 was a Thursday; weeks begin on Monday, so week 0 began three days before it.
    let week = (day + 3).div_euclid(7);
    let (month, next_month) = month_of(day);
    let mut out = Vec::with_capacity(4);
    let mut add = |limit: Option<u32>, name, id, until, per_member| {
        if let Some(limit) = limit {
            out.push(QuotaWindow {
                name,
                id,
                limit,
                until,
                per_member,
            });
        }
    };
    add(rule.per_day, "day", format!("d{day}"), tomorrow, false);
    add(
        rule.per_week,
        "week",
        format!("w{week}"),
        StoreTime::of_shanghai_day(week * 7 + 4),
        false,
    );
    add(
        rule.per_month,
        "month",
        format!("m{month}"),
        StoreTime::of_shanghai_day(next_month),
        false,
    );
    add(
        rule.member_per_day.filter(|_| member),
        "member_day",
        format!("e{day}"),
        tomorrow,
        true,
    );
    out
}

/// Number of the month that holds a day (year × 12 + month − 1, month 0 = January of year 0), and the first
/// day of the next one. Days are counted from 1970-01-01 (Howard Hinnant's `civil_from_days`).
fn month_of(day: i64) -> (i64, i64) {
    let month = month_number(day);
    let mut next = day + 28;
    while month_number(next) == month {
        next += 1;
    }
    // `next` lies in the first days of the next month or exactly on its first day.
    while month_number(next - 1) != month {
        next -= 1;
    }
    (month, next)
}

fn month_number(day: i64) -> i64 {
    let z = day + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    let year = yoe + era * 400 + i64::from(month <= 2);
    year * 12 + month - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: QuotaRule = QuotaRule {
        per_day: Some(1),
        per_week: Some(7),
        per_month: Some(30),
        member_per_day: Some(1),
    };

    #[test]
    fn windows_end_at_midnight_in_shanghai() {
        // 2026-11-22 23:59:59.999 in China, a Sunday.
        let now = StoreTime(1_795_363_199_999);
        assert_eq!(now.shanghai_weekday(), 6);
        let w = windows(&ALL, now, true);
        let end = StoreTime(1_795_363_200_000);
        assert_eq!(
            w.iter().map(|w| (w.name, w.until)).collect::<Vec<_>>(),
            [
                ("day", end),
                ("week", end),
                // 2026-12-01 00:00 in China
                ("month", StoreTime(1_796_054_400_000)),
                ("member_day", end),
            ]
        );
        let later = windows(&ALL, end, true);
        assert!(w.iter().zip(&later).all(|(a, b)| (a.id != b.id) == (a.name != "month")));
    }

    #[test]
    fn every_month_of_four_centuries_follows_the_one_before() {
        let mut day = -719_468;
        let (mut month, _) = month_of(day);
        while day < 200_000 {
            let (this, next) = month_of(day);
            assert_eq!(this, month);
            assert!((28..=31).contains(&(next - day)) || day == -719_468);
            day = next;
            month += 1;
        }
    }

    #[test]
    fn without_a_member_nothing_is_counted_per_member() {
        assert_eq!(windows(&ALL, StoreTime(0), false).len(), 3);
        assert!(windows(&QuotaRule::default(), StoreTime(0), true).is_empty());
    }
}
