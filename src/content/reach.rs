//! Whether a rule's actions can reach its trigger's person, and who may speak in it.

use std::collections::{BTreeMap, BTreeSet};

use super::Place;
use super::faults::{Faults, Spot};
use super::reader::Table;
use super::rule::Rule;
use super::template::Template;
use super::trigger::{Says, Source, Trigger, on_members};
use super::variable::Known;
use crate::model::Text;
use crate::settings::{AppKind, Corp};

/// Most kf messages after one message of the customer (api.md 12.2).
const KF_MESSAGES: usize = 5;

/// What rules refer to.
pub(super) struct Around<'a> {
    /// Names of apps and kf accounts, kinds of apps.
    pub corp: &'a Corp,
    /// By name.
    pub templates: &'a BTreeMap<String, Template>,
}

/// A template used at a place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Using {
    /// Which template.
    pub template: String,
    /// At which place.
    pub place: Place,
    /// Where it is written: file, line, column.
    pub at: (String, usize, usize),
}

impl Using {
    /// A use at a spot.
    pub fn new(template: &str, place: Place, at: &Spot) -> Self {
        Self {
            template: template.to_owned(),
            place,
            at: (at.file.to_string(), at.line, at.column),
        }
    }

    /// Where it is written.
    pub fn spot(&self) -> Spot {
        Spot {
            file: self.at.0.as_str().into(),
            line: self.at.1,
            column: self.at.2,
        }
    }
}

/// Checks every action of the rule against its trigger, settles who may speak, and notes the templates used.
pub(super) fn settle(
    rule: &mut Rule,
    table: &Table<'_>,
    around: &Around<'_>,
    uses: &mut Vec<Using>,
    faults: &mut Faults,
) {
    let at = |key: &str| table.get(key).map_or_else(|| table.spot(), |v| v.spot());
    check_names(rule, &at, around, faults);
    let tagged = !rule.add_tags.is_empty() || !rule.remove_tags.is_empty();
    let silent = table.get("reply").is_none() && table.get("variants").is_none();
    if silent && table.get("tags").is_none() {
        faults.error(
            &table.spot(),
            "no_action",
            Text::new(
                format!("规则“{}”什么也不做", rule.name),
                format!("rule \"{}\" does nothing", rule.name),
            ),
            Text::new(
                "写上 reply、variants 或 tags；有意沉默就写 reply = []",
                "Give it reply, variants or tags; write reply = [] if it is to be silent on purpose",
            ),
        );
    }
    if let Some(what) = rule.on.no_tags().filter(|_| tagged) {
        faults.error(
            &at("tags"),
            "tags_cannot_reach",
            what,
            Text::new("去掉 tags", "Remove tags"),
        );
    }
    let explicit = !rule.sources.is_empty();
    check_sources(rule, &at, tagged, faults);
    if !explicit {
        rule.sources = possible_sources(rule, tagged, around);
    }
    for source in rule.sources.iter().filter(|_| explicit) {
        warn_of_missing_kind(*source, rule, &at, around, faults);
    }
    check_conditions(rule, &at, faults);
    if !rule.has_reply() {
        return;
    }
    let replying = at(if table.get("reply").is_some() {
        "reply"
    } else {
        "variants"
    });
    let places: Vec<Place> = match rule.on.says() {
        Says::Nothing(what, remedy) => return faults.error(&replying, "reply_cannot_reach", what, remedy),
        Says::Welcome => vec![Place::Welcome],
        Says::EventCode => vec![Place::KfEvent],
        Says::Chat => rule.sources.iter().map(|s| s.place()).collect(),
    };
    for place in places {
        check_count(rule, place, &replying, around, faults);
        uses.extend(
            rule.says
                .templates()
                .iter()
                .map(|t| Using::new(&t.text, place, &t.spot)),
        );
    }
}

fn check_names(rule: &Rule, at: &dyn Fn(&str) -> Spot, around: &Around<'_>, faults: &mut Faults) {
    let apps: Vec<&str> = around.corp.apps.iter().map(|a| a.name.as_str()).collect();
    for app in rule.apps.iter().filter(|a| !apps.contains(&a.as_str())) {
        faults.unknown(&at("apps"), "unknown_app", ("应用", "app"), app, &apps);
    }
    let accounts: Vec<&str> = around.corp.kf.accounts.keys().map(String::as_str).collect();
    for kf in rule.kf.iter().filter(|k| !accounts.contains(&k.as_str())) {
        faults.unknown(
            &at("kf"),
            "unknown_kf",
            ("客服账号简称", "short name of a kf account"),
            kf,
            &accounts,
        );
    }
}

/// Faults of an explicit `source`, and of `kf` and tags beside it.
fn check_sources(rule: &mut Rule, at: &dyn Fn(&str) -> Spot, tagged: bool, faults: &mut Faults) {
    let allowed = rule.on.sources();
    let word = rule.on.word();
    for source in &rule.sources {
        if !allowed.contains(source) {
            let all: Vec<&str> = allowed.iter().map(|s| s.word()).collect();
            let remedy = match all.is_empty() {
                true => Text::new("去掉 source", "Remove source"),
                false => Text::new(
                    format!("可用的有：{}", all.join(", ")),
                    format!("Possible: {}", all.join(", ")),
                ),
            };
            let what = Text::new(
                format!("{word} 里没有来源 {}", source.word()),
                format!("nobody speaks as {} in {word}", source.word()),
            );
            faults.error(&at("source"), "source_not_here", what, remedy);
        } else if tagged && *source != Source::Kf && rule.on.no_tags().is_none() {
            faults.error(
                &at("tags"),
                "tags_cannot_reach",
                on_members(),
                Text::new(
                    "写 source = [\"kf\"]，或去掉 tags",
                    "Write source = [\"kf\"], or remove tags",
                ),
            );
        }
    }
    rule.sources.retain(|s| allowed.contains(s));
    let only_others = !rule.sources.is_empty() && !rule.sources.contains(&Source::Kf);
    if !rule.kf.is_empty() && (only_others || !allowed.contains(&Source::Kf)) {
        faults.error(
            &at("kf"),
            "kf_not_here",
            Text::new(
                "这条规则听不到微信客服，kf 没有意义",
                "this rule never hears kf, so kf means nothing",
            ),
            Text::new(
                "去掉 kf，或写 source = [\"kf\"]",
                "Remove kf, or write source = [\"kf\"]",
            ),
        );
    }
}

/// Who may speak when the rule does not say: all that its conditions and actions allow. Where nothing is left,
/// the first that the trigger allows, so that the fault is named for it.
fn possible_sources(rule: &Rule, tagged: bool, around: &Around<'_>) -> Vec<Source> {
    let allowed = rule.on.sources();
    let Some(first) = allowed.first() else {
        return Vec::new();
    };
    let kf_only = tagged || !rule.kf.is_empty() || !rule.when.scene.is_empty() || !rule.when.tags.is_empty();
    let hears = |s: &Source| (!kf_only || *s == Source::Kf) && (rule.when.members.is_empty() || *s != Source::Kf);
    let mut heard: Vec<Source> = allowed.iter().copied().filter(hears).collect();
    if heard.is_empty() {
        heard.push(*first);
    }
    if heard.iter().any(|s| has_kind(*s, around)) {
        heard.retain(|s| has_kind(*s, around));
    }
    let told: Vec<Source> = heard
        .iter()
        .copied()
        .filter(|s| can_say(rule, s.place(), around))
        .collect();
    match told.is_empty() {
        true => heard.into_iter().take(1).collect(),
        false => told,
    }
}

/// True when every template of the rule has a form for this place.
fn can_say(rule: &Rule, place: Place, around: &Around<'_>) -> bool {
    if !matches!(rule.on.says(), Says::Chat) {
        return true;
    }
    let refused = |t: &Template| {
        t.patterns()
            .iter()
            .any(|p| p.variables().any(|(v, _)| v.known_in(place) == Known::Refused))
    };
    let fits = |t: &Template| t.has_form_for(place) && !refused(t);
    let one = place != Place::Bot || rule.says.alternatives().iter().all(|a| a.len() <= 1);
    one && rule
        .says
        .templates()
        .iter()
        .filter_map(|t| around.templates.get(&t.text))
        .all(fits)
}

fn kind(source: Source) -> AppKind {
    match source {
        Source::Kf => AppKind::Kf,
        Source::Agent => AppKind::Agent,
        Source::Bot => AppKind::Bot,
    }
}

fn has_kind(source: Source, around: &Around<'_>) -> bool {
    // An answer goes out with any app of the corp that has the kind, whichever received the event.
    around.corp.apps.iter().any(|a| a.kind.contains(&kind(source)))
}

fn warn_of_missing_kind(
    source: Source,
    rule: &Rule,
    at: &dyn Fn(&str) -> Spot,
    around: &Around<'_>,
    faults: &mut Faults,
) {
    if has_kind(source, around) || !rule.has_reply() {
        return;
    }
    let kind = kind(source).word();
    faults.warn(
        &at("source"),
        "no_app_for_kind",
        Text::new(
            format!("没有 kind 含 {kind} 的应用，回复发不出去"),
            format!("no app has the kind {kind}: replies cannot be sent"),
        ),
        Text::new(
            format!("在 gateway.toml 里给一个应用的 kind 加上 \"{kind}\""),
            format!("Add \"{kind}\" to the kind of an app in gateway.toml"),
        ),
    );
}

/// Conditions on what is never known for this trigger.
fn check_conditions(rule: &Rule, at: &dyn Fn(&str) -> Spot, faults: &mut Faults) {
    let only_kf = !rule.sources.is_empty() && rule.sources.iter().all(|s| *s == Source::Kf);
    let hears_kf = rule.sources.contains(&Source::Kf);
    let contact_event = rule.on.sources().is_empty();
    let faulty: BTreeSet<&str> = [
        ("members", !rule.when.members.is_empty() && only_kf),
        ("scene", !rule.when.scene.is_empty() && !hears_kf),
        ("scene_param", !rule.when.scene_param.is_empty() && !hears_kf),
        ("tags", !rule.when.tags.is_empty() && !hears_kf && !contact_event),
    ]
    .into_iter()
    .filter_map(|(key, wrong)| wrong.then_some(key))
    .collect();
    for key in faulty {
        faults.error(
            &at("when"),
            "condition_never_holds",
            Text::new(
                format!("when.{key} 在 {} 里永远未知，规则永远不会成立", rule.on.word()),
                format!(
                    "when.{key} is never known in {}: the rule would never match",
                    rule.on.word()
                ),
            ),
            Text::new(
                "去掉这个条件，或改 on 和 source",
                "Remove the condition, or change on and source",
            ),
        );
    }
}

fn check_count(rule: &Rule, place: Place, at: &Spot, around: &Around<'_>, faults: &mut Faults) {
    for together in rule.says.alternatives() {
        let parts = together
            .iter()
            .filter_map(|t| around.templates.get(&t.text))
            .map(|t| t.parts(place).len())
            .sum::<usize>();
        let (code, what) = match place {
            Place::Welcome if together.len() > 1 => (
                "two_templates_in_a_welcome",
                Text::new("一次欢迎语只能用一个模板", "a welcome is one template"),
            ),
            Place::KfEvent if together.len() > 1 => (
                "two_templates_for_a_code",
                Text::new("一个事件码只能发一条消息", "an event code carries one message"),
            ),
            Place::Bot if together.len() > 1 => (
                "two_templates_for_a_bot",
                Text::new("机器人一次只回一条消息", "a bot answers with one message"),
            ),
            Place::Kf if parts > KF_MESSAGES => (
                "too_many_messages",
                Text::new(
                    format!("这个回复共 {parts} 条消息，客户每发一条最多回 {KF_MESSAGES} 条"),
                    format!("this reply is {parts} messages; kf allows {KF_MESSAGES} after each of the customer's"),
                ),
            ),
            _ => continue,
        };
        let remedy = Text::new(
            "减少模板或附件；要轮换就用 variants = [{ template = \"a\", weight = 1 }, …]",
            "Use fewer templates or attachments; to choose one of several use variants = [{ template = \"a\", weight = 1 }, …]",
        );
        faults.error(at, code, what, remedy);
    }
}

/// A menu for an event code that only takes it when a session ends.
pub(super) fn warn_of_menus(rules: &[Rule], templates: &BTreeMap<String, Template>, faults: &mut Faults) {
    for rule in rules.iter().filter(|r| r.on == Trigger::SessionChanged) {
        for used in rule.says.templates() {
            if templates.get(&used.text).is_some_and(|t| t.menu.is_some()) {
                faults.warn(
                    &used.spot,
                    "menu_only_at_the_end",
                    Text::new(
                        "会话变化里，菜单只在会话结束时被接受；转人工和排队只接受文字",
                        "of session changes only the end takes a menu; the pool and the hand-over take text only",
                    ),
                    Text::new("用文字模板", "Use a template with a text"),
                );
            }
        }
    }
}
