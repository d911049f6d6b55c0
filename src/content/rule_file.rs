//! `config/rules/*.toml`: reading one rule.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::channel::missing_template;
use super::choice;
use super::faults::{Faults, SourceFile, Spot};
use super::keyword::{Keywords, Rank};
use super::reach::{self, Around, Using};
use super::reader::{self, Table};
use super::rule::{Replies, Rule};
use super::tag;
use super::trigger::{Source, Trigger};
use super::when::{self, When};
use crate::model::Text;
use crate::model::job::TagName;

const KEYS: [&str; 14] = [
    "name", "on", "source", "apps", "kf", "keywords", "when", "reply", "variants", "tags", "priority", "cooldown",
    "fallback", "enabled",
];

/// Compiles one file of rules; `seen` holds the names of all rules before it.
pub(super) fn compile(
    path: &str,
    file: &SourceFile<'_>,
    seen: &mut BTreeMap<String, Spot>,
    around: &Around<'_>,
    uses: &mut Vec<Using>,
    faults: &mut Faults,
) -> Vec<Rule> {
    let Some(parsed) = reader::parse(file, faults) else {
        return Vec::new();
    };
    let root = reader::root(file, &parsed);
    root.only(&["rule"], faults);
    let mut rules = Vec::new();
    for (position, table) in root.tables("rule", faults).iter().enumerate() {
        let Some(rule) = one(path, position, table, around, uses, faults) else {
            continue;
        };
        if let Some(first) = seen.get(&rule.name) {
            faults.error(
                &rule.spot,
                "duplicate_rule_name",
                Text::new(
                    format!("规则名“{}”已在 {first} 用过", rule.name),
                    format!("a rule named \"{}\" already stands at {first}", rule.name),
                ),
                Text::new("改一个名字", "Change one name"),
            );
        }
        seen.entry(rule.name.clone()).or_insert_with(|| rule.spot.clone());
        rules.push(rule);
    }
    rules
}

fn one(
    path: &str,
    position: usize,
    table: &Table<'_>,
    around: &Around<'_>,
    uses: &mut Vec<Using>,
    faults: &mut Faults,
) -> Option<Rule> {
    table.only(&KEYS, faults);
    let on = trigger(table, faults);
    let keywords = Keywords::compile(table, faults);
    let when = When::compile(table, &when::ALL, faults).unwrap_or_default();
    let (add_tags, remove_tags) = tags(table, faults);
    let says = replies(table, faults);
    let apps: Vec<String> = names(table, "apps", faults);
    let kf = names(table, "kf", faults);
    let sources = sources(table, faults);
    let priority = table.int("priority", faults).unwrap_or(0);
    let fallback = table.flag("fallback", faults).unwrap_or(false);
    let cooldown = cooldown(table, faults);
    let enabled = table.flag("enabled", faults).unwrap_or(true);
    let on = on?;
    check_keywords(table, on, keywords.as_ref(), fallback, faults);
    let default = match on {
        Trigger::Message if fallback => Some(Duration::from_secs(3600)),
        Trigger::AppEntered => Some(Duration::from_secs(24 * 3600)),
        _ => None,
    };
    let name = table
        .text("name", faults)
        .map(|w| w.text)
        .filter(|n| !n.trim().is_empty());
    let mut rule = Rule {
        name: name.unwrap_or_else(|| format!("{path}#{}", position + 1)),
        on,
        add_tags,
        remove_tags,
        cooldown: cooldown.or(default).filter(|d| !d.is_zero()),
        spot: table.spot(),
        path: path.to_owned(),
        position,
        priority,
        sources: sources.unwrap_or_default(),
        apps,
        kf,
        when,
        keywords,
        says: says.unwrap_or(Replies::All(Vec::new())),
        fingerprint: String::new(),
    };
    reach::settle(&mut rule, table, around, uses, faults);
    rule.fingerprint = fingerprint(&rule);
    enabled.then_some(rule)
}

fn fingerprint(rule: &Rule) -> String {
    let keywords = rule.keywords.as_ref().map(Keywords::fingerprint);
    format!(
        "{:?}",
        (rule.on, &rule.sources, &rule.apps, &rule.kf, &rule.when, keywords)
    )
}

fn trigger(table: &Table<'_>, faults: &mut Faults) -> Option<Trigger> {
    let known: Vec<&str> = Trigger::ALL.iter().map(|t| t.word()).collect();
    let Some(word) = table.text("on", faults) else {
        if table.get("on").is_none() {
            faults.error(
                &table.spot(),
                "missing_key",
                Text::new("规则缺少 on", "the rule has no on"),
                Text::new(
                    format!("写上 on = \"message\" 等：{}", known.join(", ")),
                    format!("Write on = \"message\" or another of: {}", known.join(", ")),
                ),
            );
        }
        return None;
    };
    let found = Trigger::of(&word.text);
    if found.is_none() {
        faults.unknown(&word.spot, "unknown_trigger", ("事件", "event"), &word.text, &known);
    }
    found
}

fn sources(table: &Table<'_>, faults: &mut Faults) -> Option<Vec<Source>> {
    let known: Vec<&str> = Source::ALL.iter().map(|s| s.word()).collect();
    let mut found = Vec::new();
    for word in table.texts("source", faults)? {
        match Source::of(&word.text) {
            Some(source) if !found.contains(&source) => found.push(source),
            Some(_) => {}
            None => faults.unknown(&word.spot, "unknown_source", ("来源", "source"), &word.text, &known),
        }
    }
    Some(found)
}

fn names(table: &Table<'_>, key: &str, faults: &mut Faults) -> Vec<String> {
    let written = table.texts(key, faults).unwrap_or_default();
    let unique: BTreeSet<String> = written.into_iter().map(|w| w.text).collect();
    unique.into_iter().collect()
}

fn tags(table: &Table<'_>, faults: &mut Faults) -> (Vec<TagName>, Vec<TagName>) {
    let Some(inner) = table.table("tags", faults) else {
        return (Vec::new(), Vec::new());
    };
    inner.only(&["add", "remove"], faults);
    let (add, remove) = (tag::list(&inner, "add", faults), tag::list(&inner, "remove", faults));
    if let Some(both) = add.iter().find(|t| remove.contains(t)) {
        let tag = format!("{}/{}", both.group, both.tag);
        faults.error(
            &inner.spot(),
            "tag_added_and_removed",
            Text::new(
                format!("标签 {tag} 既添加又移除"),
                format!("the tag {tag} is both added and removed"),
            ),
            Text::new("只留一边", "Keep one of the two"),
        );
    }
    (add, remove)
}

fn replies(table: &Table<'_>, faults: &mut Faults) -> Option<Replies> {
    let key = match (table.get("reply"), table.get("variants")) {
        (Some(_), Some(variants)) => {
            faults.error(
                &variants.spot(),
                "reply_and_variants",
                Text::new("reply 和 variants 只能写一个", "a rule has either reply or variants"),
                Text::new(
                    "全部发送用 reply，按权重选一个用 variants",
                    "reply sends all of them, variants chooses one by weight",
                ),
            );
            "reply"
        }
        (Some(_), None) => "reply",
        (None, Some(_)) => "variants",
        (None, None) => return None,
    };
    let tables = table
        .get(key)
        .and_then(|v| v.as_list())
        .is_some_and(|l| l.iter().any(|v| v.as_table().is_some()));
    if key == "reply" && !tables {
        return table.texts("reply", faults).map(Replies::All);
    }
    let mut variants = Vec::new();
    for entry in table.tables(key, faults) {
        entry.only(&["template", "weight"], faults);
        let weight = choice::weight(&entry, faults).unwrap_or(1);
        match entry.text("template", faults) {
            Some(template) => variants.push((template, weight)),
            None if entry.get("template").is_none() => missing_template(&entry.spot(), faults),
            None => {}
        }
    }
    if !variants.is_empty() && variants.iter().all(|(_, w)| *w == 0) {
        faults.error(
            &table.spot(),
            "bad_weight",
            Text::new("所有权重都是 0", "all weights are 0"),
            Text::new(
                "至少给一个模板大于 0 的权重",
                "Give at least one template a weight above 0",
            ),
        );
    }
    Some(Replies::OneOf(variants))
}

fn cooldown(table: &Table<'_>, faults: &mut Faults) -> Option<Duration> {
    let written = table.text("cooldown", faults)?;
    let text = written.text.trim();
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let unit = match &text[digits..] {
        "s" => Some(1),
        "m" => Some(60),
        "h" => Some(3600),
        "d" => Some(86_400),
        "" if text == "0" => Some(1),
        _ => None,
    };
    let seconds = unit.and_then(|unit: u64| text[..digits].parse::<u64>().ok()?.checked_mul(unit));
    // A year: longer than any document lives.
    let found = seconds.filter(|s| *s <= 366 * 86_400).map(Duration::from_secs);
    if found.is_none() {
        faults.error(
            &written.spot,
            "bad_duration",
            Text::new(format!("“{text}”不是时长"), format!("\"{text}\" is no duration")),
            Text::new(
                "写成 \"30s\"、\"10m\"、\"1h\" 或 \"1d\"",
                "Write \"30s\", \"10m\", \"1h\" or \"1d\"",
            ),
        );
    }
    found
}

fn check_keywords(table: &Table<'_>, on: Trigger, keywords: Option<&Keywords>, fallback: bool, faults: &mut Faults) {
    let spot = |key: &str| table.get(key).map_or_else(|| table.spot(), |v| v.spot());
    let listens = matches!(on, Trigger::Message | Trigger::MenuClick);
    if table.get("keywords").is_some() && !listens {
        faults.error(
            &spot("keywords"),
            "keywords_not_here",
            Text::new(
                format!("{} 没有文字，不能用 keywords", on.word()),
                format!("{} has no text for keywords", on.word()),
            ),
            Text::new(
                "去掉 keywords，或用 on = \"message\"",
                "Remove keywords, or use on = \"message\"",
            ),
        );
    }
    if fallback && on != Trigger::Message {
        faults.error(
            &spot("fallback"),
            "fallback_not_here",
            Text::new(
                "fallback 只用于 on = \"message\"",
                "fallback belongs to on = \"message\"",
            ),
            Text::new("去掉 fallback", "Remove fallback"),
        );
    }
    if on != Trigger::Message {
        return;
    }
    // Keywords that were written but are faulty have been reported as what they are.
    let faulty = table.get("keywords").is_some() && keywords.is_none_or(Keywords::is_empty);
    let selective = keywords.is_some_and(|k| k.rank() != Rank::Unconditional);
    if !selective && !fallback && !faulty {
        faults.error(
            &table.spot(),
            "needs_fallback",
            Text::new(
                "没有关键词的消息规则会回答每一条消息",
                "a message rule without keywords answers every message",
            ),
            Text::new(
                "写上 keywords，或明说 fallback = true",
                "Give it keywords, or say fallback = true",
            ),
        );
    }
    if selective && fallback {
        faults.error(
            &spot("fallback"),
            "fallback_with_keywords",
            Text::new(
                "兜底规则不能有关键词（none 除外）",
                "a fallback rule has no keywords (except none)",
            ),
            Text::new("去掉 fallback 或 keywords", "Remove fallback or keywords"),
        );
    }
}
