//! `config/channels.toml`: where a contact came from, and what is said there.

use std::collections::BTreeMap;

use super::choice;
use super::faults::{Faults, SourceFile, Spot};
use super::reader::{self, Table, Written};
use super::rule::Known;
use super::tag;
use super::when::{self, When};
use crate::model::job::TagName;
use crate::model::{StoreTime, Text};

/// `[[channel]]`
#[derive(Debug)]
pub struct Channel {
    /// As written: exact, `prefix-*`, `""` or `*`.
    pub state: String,
    /// `{{ channel.name }}`
    pub name: String,
    /// To set on contact_added.
    pub tags: Vec<TagName>,
    /// Another system's channel: no welcome, no tags.
    pub ignore: bool,
    pub(super) entries: Vec<Entry>,
}

/// One entry of `welcome`.
#[derive(Debug)]
pub(super) struct Entry {
    pub template: Written,
    weight: Option<u32>,
    when: Option<When>,
}

/// The channel a state belongs to.
#[derive(Debug, Clone, Copy)]
pub struct ChannelMatch<'a> {
    /// Which.
    pub channel: &'a Channel,
    /// What the star matched.
    pub param: &'a str,
}

impl Channel {
    /// The template that welcomes this contact, by `when`, then by weight from a stable hash of channel and
    /// contact. `None`: this channel has no welcome.
    ///
    /// The first entry whose `when` holds goes before all entries without one. If it has a weight, it shares
    /// with the other weighted entries whose `when` holds; without a weight it stands alone.
    pub fn welcome(&self, contact: &str, member: &str, at: StoreTime) -> Option<&str> {
        let holds = |e: &&Entry| {
            e.when
                .as_ref()
                .is_some_and(|w| w.holds(Some(member).filter(|m| !m.is_empty()), at, &Known::default()))
        };
        let mut matching: Vec<&Entry> = self.entries.iter().filter(holds).collect();
        if matching.first().is_some_and(|first| first.weight.is_none()) {
            matching.truncate(1);
        }
        let special: Vec<&Entry> = match matching.len() {
            1 => matching,
            _ => matching.into_iter().filter(|e| e.weight.is_some()).collect(),
        };
        let plain: Vec<&Entry> = self.entries.iter().filter(|e| e.when.is_none()).collect();
        [special, plain].into_iter().find_map(|among| {
            let weights: Vec<u32> = among.iter().map(|e| e.weight.unwrap_or(1)).collect();
            choice::choose(&weights, &[&self.state, contact]).map(|i| among[i].template.text.as_str())
        })
    }
}

/// Channels by state, for look-up.
#[derive(Debug, Default)]
pub(super) struct ChannelIndex {
    exact: BTreeMap<String, usize>,
    prefix: BTreeMap<String, usize>,
    last_resort: Option<usize>,
}

impl ChannelIndex {
    /// Over these channels; of two with one state the first counts (the other is a reported fault).
    pub fn of(channels: &[Channel]) -> Self {
        let mut index = Self::default();
        for (i, channel) in channels.iter().enumerate() {
            match channel.state.strip_suffix('*') {
                Some("") => {
                    index.last_resort.get_or_insert(i);
                }
                Some(prefix) => {
                    index.prefix.entry(prefix.to_owned()).or_insert(i);
                }
                None => {
                    index.exact.entry(channel.state.clone()).or_insert(i);
                }
            }
        }
        index
    }

    /// The channel's place and what the star matched: exact, else longest prefix, else `*`.
    pub fn find<'s>(&self, state: &'s str) -> Option<(usize, &'s str)> {
        if let Some(i) = self.exact.get(state) {
            return Some((*i, ""));
        }
        let ends = state.char_indices().map(|(at, c)| at + c.len_utf8()).rev();
        let longest = ends
            .filter_map(|end| Some((*self.prefix.get(&state[..end])?, &state[end..])))
            .next();
        longest.or_else(|| self.last_resort.map(|i| (i, state)))
    }
}

/// Compiles `channels.toml`.
pub(super) fn compile(file: &SourceFile<'_>, faults: &mut Faults) -> Vec<Channel> {
    let Some(parsed) = reader::parse(file, faults) else {
        return Vec::new();
    };
    let root = reader::root(file, &parsed);
    root.only(&["channel"], faults);
    let mut seen: BTreeMap<String, Spot> = BTreeMap::new();
    let mut channels = Vec::new();
    for table in root.tables("channel", faults) {
        let Some(channel) = one(&table, &mut seen, faults) else {
            continue;
        };
        channels.push(channel);
    }
    channels
}

fn one(table: &Table<'_>, seen: &mut BTreeMap<String, Spot>, faults: &mut Faults) -> Option<Channel> {
    table.only(&["state", "name", "tags", "welcome", "ignore"], faults);
    let state = checked_state(table, faults);
    let entries = welcome(table, faults);
    let tags = tag::list(table, "tags", faults);
    let ignore = table.flag("ignore", faults).unwrap_or(false);
    if ignore && (!tags.is_empty() || !entries.is_empty()) {
        faults.error(
            &table.spot(),
            "ignored_channel",
            Text::new(
                "ignore = true 的渠道不能有欢迎语和标签",
                "a channel with ignore = true has neither welcome nor tags",
            ),
            Text::new(
                "去掉 ignore，或去掉 welcome 和 tags",
                "Remove ignore, or welcome and tags",
            ),
        );
    }
    let name = table.text("name", faults).map(|w| w.text);
    let state = state?;
    if let Some(first) = seen.get(&state.text) {
        faults.error(
            &state.spot,
            "duplicate_channel",
            Text::new(
                format!("渠道 \"{}\" 已在 {first} 定义", state.text),
                format!("channel \"{}\" already stands at {first}", state.text),
            ),
            Text::new("合并两处，或改一个 state", "Merge the two, or change one state"),
        );
    }
    seen.entry(state.text.clone()).or_insert_with(|| state.spot.clone());
    Some(Channel {
        name: name.unwrap_or_else(|| state.text.clone()),
        state: state.text,
        tags,
        ignore,
        entries,
    })
}

fn checked_state(table: &Table<'_>, faults: &mut Faults) -> Option<Written> {
    let Some(state) = table.text("state", faults) else {
        if table.get("state").is_none() {
            faults.error(
                &table.spot(),
                "missing_key",
                Text::new("渠道缺少 state", "the channel has no state"),
                Text::new(
                    "写上 state = \"…\"；没有 state 的写 \"\"，兜底的写 \"*\"",
                    "Write state = \"…\"; \"\" means came without one, \"*\" is the last resort",
                ),
            );
        }
        return None;
    };
    let stars = state.text.matches('*').count();
    if stars > 1 || (stars == 1 && !state.text.ends_with('*')) {
        faults.error(
            &state.spot,
            "bad_state",
            Text::new("“*”只能是最后一个字", "\"*\" can only be the last character"),
            Text::new("写成 \"store-*\"", "Write it like \"store-*\""),
        );
    }
    if state.text.trim_end_matches('*').len() > 64 || state.text.chars().any(char::is_control) {
        faults.error(
            &state.spot,
            "bad_state",
            Text::new(
                "state 超过 64 字节，或有控制字符",
                "the state has more than 64 bytes, or a control character",
            ),
            Text::new(
                "企业微信的 state 最多 30 个字",
                "WeCom's states have at most 30 characters",
            ),
        );
    }
    Some(state)
}

fn welcome(table: &Table<'_>, faults: &mut Faults) -> Vec<Entry> {
    let Some(value) = table.get("welcome") else {
        return Vec::new();
    };
    let plain = |template: Written| Entry {
        template,
        weight: None,
        when: None,
    };
    if let Some(one) = value.as_text() {
        return vec![plain(one)];
    }
    let items = value.as_list().unwrap_or_else(|| vec![value]);
    let texts: Vec<Written> = items.iter().filter_map(reader::Value::as_text).collect();
    if texts.len() > 1 {
        faults.error(
            &value.spot(),
            "two_templates_in_a_welcome",
            Text::new("一次欢迎语只能用一个模板", "a welcome is one template"),
            Text::new(
                "要轮换就写 [{ template = \"a\", weight = 50 }, { template = \"b\", weight = 50 }]；要一起发就并成一个模板",
                "To choose, write [{ template = \"a\", weight = 50 }, { template = \"b\", weight = 50 }]; to say both, merge them",
            ),
        );
    }
    let mut entries: Vec<Entry> = Vec::new();
    for item in &items {
        match (item.as_text(), item.as_table()) {
            (Some(text), _) => entries.push(plain(text)),
            (None, Some(table)) => entries.extend(entry(&table, faults)),
            (None, None) => {
                item.wrong::<()>(
                    faults,
                    "welcome",
                    (
                        "模板名，或 { template = \"…\", weight = 50 }",
                        "a template's name, or { template = \"…\", weight = 50 }",
                    ),
                );
            }
        }
    }
    let mut plain_weights = entries
        .iter()
        .filter(|e| e.when.is_none())
        .map(|e| e.weight.unwrap_or(1))
        .peekable();
    if plain_weights.peek().is_some() && plain_weights.all(|weight| weight == 0) {
        faults.error(
            &value.spot(),
            "bad_weight",
            Text::new("所有权重都是 0", "all weights are 0"),
            Text::new(
                "至少给一个模板大于 0 的权重",
                "Give at least one template a weight above 0",
            ),
        );
    }
    entries
}

fn entry(table: &Table<'_>, faults: &mut Faults) -> Option<Entry> {
    table.only(&["template", "weight", "when"], faults);
    let weight = choice::weight(table, faults);
    let when = When::compile(table, &when::TIME_AND_MEMBER, faults);
    let template = table.text("template", faults);
    if table.get("template").is_none() {
        missing_template(&table.spot(), faults);
    }
    Some(Entry {
        template: template?,
        weight,
        when,
    })
}

/// An entry of a choice that names no template.
pub(super) fn missing_template(spot: &Spot, faults: &mut Faults) {
    faults.error(
        spot,
        "missing_key",
        Text::new("缺少 template", "template is missing"),
        Text::new(
            "写成 { template = \"a\", weight = 50 }",
            "Write { template = \"a\", weight = 50 }",
        ),
    );
}
