//! `when = { … }`: conditions on time, member, and what is known of the contact. All of them must hold; in a
//! list one is enough. What is not known matches nothing.

use super::faults::{Faults, Spot};
use super::reader::{Table, Written};
use super::rule::Known;
use super::tag;
use crate::model::job::TagName;
use crate::model::{StoreTime, Text};

/// Conditions; the empty one always holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct When {
    /// Minutes of the day in China, from–to; `from > to` goes over midnight.
    hours: Vec<(u16, u16)>,
    /// Bit 0 Monday … bit 6 Sunday; 0: any day. A window over midnight belongs to the day it began.
    weekdays: u8,
    /// `userid`s.
    pub members: Vec<String>,
    /// Scene of a kf link.
    pub scene: Vec<String>,
    /// Its parameter.
    pub scene_param: Vec<String>,
    /// Tags or labels of the contact.
    pub tags: Vec<TagName>,
}

/// Keys that a channel's welcome may use.
pub(super) const TIME_AND_MEMBER: [&str; 3] = ["hours", "weekdays", "members"];
/// Keys that a rule may use.
pub(super) const ALL: [&str; 6] = ["hours", "weekdays", "members", "scene", "scene_param", "tags"];

impl When {
    /// Compiles `table.when`.
    pub fn compile(table: &Table<'_>, known: &[&str], faults: &mut Faults) -> Option<Self> {
        let table = table.table("when", faults)?;
        table.only(known, faults);
        let plain = |key: &str, faults: &mut Faults| -> Vec<String> {
            let found = table.texts(key, faults).unwrap_or_default();
            if table.get(key).is_some() && found.is_empty() {
                empty(&table.spot(), key, faults);
            }
            found.into_iter().map(|w| w.text).collect()
        };
        let hours = table.texts("hours", faults).unwrap_or_default();
        Some(Self {
            hours: hours.iter().filter_map(|w| hours_of(w, faults)).collect(),
            weekdays: weekdays_of(&table, faults),
            members: plain("members", faults),
            scene: plain("scene", faults),
            scene_param: plain("scene_param", faults),
            tags: tag::list(&table, "tags", faults),
        })
    }

    /// True when all conditions hold.
    pub fn holds(&self, member: Option<&str>, at: StoreTime, known: &Known<'_>) -> bool {
        let one_of = |list: &[String], value: Option<&str>| {
            list.is_empty() || value.is_some_and(|v| list.iter().any(|l| l == v))
        };
        self.holds_at(at)
            && one_of(&self.members, member)
            && one_of(&self.scene, known.scene)
            && one_of(&self.scene_param, known.scene_param)
            && (self.tags.is_empty() || self.tags.iter().any(|t| known.tags.contains(t)))
    }

    fn holds_at(&self, at: StoreTime) -> bool {
        let (minute, today) = (at.shanghai_minute(), at.shanghai_weekday());
        let on = |day: u8| self.weekdays == 0 || self.weekdays & (1 << day) != 0;
        let yesterday = (today + 6) % 7;
        if self.hours.is_empty() {
            return on(today);
        }
        self.hours.iter().any(|&(from, to)| match from < to {
            true => (from..to).contains(&minute) && on(today),
            false => (minute >= from && on(today)) || (minute < to && on(yesterday)),
        })
    }
}

fn empty(spot: &Spot, key: &str, faults: &mut Faults) {
    faults.error(
        spot,
        "empty_list",
        Text::new(
            format!("{key} 是空的，永远不会成立"),
            format!("{key} is empty and never holds"),
        ),
        Text::new("写上至少一项，或删掉这个键", "Give at least one, or remove the key"),
    );
}

fn hours_of(written: &Written, faults: &mut Faults) -> Option<(u16, u16)> {
    let minute = |text: &str| -> Option<u16> {
        let (h, m) = text.trim().split_once(':')?;
        let digits = |t: &str| (1..=2).contains(&t.len()) && t.bytes().all(|b| b.is_ascii_digit());
        if !digits(h) || m.len() != 2 || !digits(m) {
            return None;
        }
        let (h, m) = (h.parse::<u16>().ok()?, m.parse::<u16>().ok()?);
        (m < 60 && h * 60 + m <= 1440).then_some(h * 60 + m)
    };
    let parsed = written
        .text
        .split_once('-')
        .and_then(|(from, to)| Some((minute(from)?, minute(to)?)));
    match parsed {
        Some((from, to)) if from != to && from < 1440 => Some((from, to)),
        _ => {
            faults.error(
                &written.spot,
                "bad_hours",
                Text::new(
                    format!("“{}”不是时间段", written.text),
                    format!("\"{}\" is no span of hours", written.text),
                ),
                Text::new(
                    "写成 \"09:00-21:00\"，可以跨午夜：\"22:00-08:00\"",
                    "Write \"09:00-21:00\", over midnight: \"22:00-08:00\"",
                ),
            );
            None
        }
    }
}

const DAYS: [[&str; 4]; 7] = [
    ["mon", "monday", "周一", "星期一"],
    ["tue", "tuesday", "周二", "星期二"],
    ["wed", "wednesday", "周三", "星期三"],
    ["thu", "thursday", "周四", "星期四"],
    ["fri", "friday", "周五", "星期五"],
    ["sat", "saturday", "周六", "星期六"],
    ["sun", "sunday", "周日", "星期日"],
];

fn day(text: &str) -> Option<u8> {
    let text = text.trim().to_lowercase();
    let alias = match text.as_str() {
        "周天" | "星期天" => "周日",
        other => other,
    };
    (0..7u8).find(|d| DAYS[usize::from(*d)].contains(&alias))
}

fn weekdays_of(table: &Table<'_>, faults: &mut Faults) -> u8 {
    let Some(value) = table.get("weekdays") else { return 0 };
    let items = value.as_list().unwrap_or_else(|| vec![value]);
    let mut bits = 0u8;
    for item in &items {
        let number = item.as_int().and_then(|n| u8::try_from(n - 1).ok()).filter(|d| *d < 7);
        let found = match (number, item.as_text()) {
            (Some(day), _) => Some((day, day)),
            (None, Some(word)) => match word.text.split_once('-') {
                Some((from, to)) => day(from).zip(day(to)),
                None => day(&word.text).map(|d| (d, d)),
            },
            (None, None) => None,
        };
        let Some((from, to)) = found else {
            faults.error(
                &item.spot(),
                "bad_weekday",
                Text::new("不是星期几", "no day of the week"),
                Text::new(
                    "写成 [\"mon\", \"tue\"]、[\"mon-fri\"]、[\"周一\"] 或 1 到 7（1 是星期一）",
                    "Write [\"mon\", \"tue\"], [\"mon-fri\"], [\"周一\"], or 1 to 7 (1 is Monday)",
                ),
            );
            continue;
        };
        let mut d = from;
        loop {
            bits |= 1 << d;
            if d == to {
                break;
            }
            d = (d + 1) % 7;
        }
    }
    if items.is_empty() {
        empty(&value.spot(), "weekdays", faults);
    }
    bits
}
