//! `[[corp]]` and what lies in it: apps, broadcast rule, kf, safety.

use std::collections::BTreeMap;

use secrecy::SecretString;

use super::faults::Faults;
use super::read;
use super::secret::{self, Env};
use super::section::{Leaf, Section, Wrong};
use super::tree::{Node, Place, Value};
use super::value;
use super::{App, AppKind, BroadcastRule, ContentDirs, Corp, Kf, MonthQuota, Safety};
use crate::model::{AppName, CorpName, Text};
use crate::wecom::id::{CorpId, IdError, OpenKfId};

/// More broadcasts than this to one contact are a typing error. Taste; WeCom's own largest is 31 a month.
const MOST_BROADCASTS: i64 = 1000;

/// Reads every corp; a corp with faults is left out of the answer and its faults are reported.
pub(super) fn read_all(nodes: &[Node], content: &ContentDirs, env: &Env, faults: &Faults) -> Vec<Corp> {
    let (mut names, mut ids) = (Unique::default(), Unique::default());
    let read = |(n, node): (usize, &Node)| {
        let Value::Table(table) = &node.value else {
            let leaf = Leaf {
                node,
                path: format!("corp[{n}]"),
                faults,
            };
            leaf.wrong_type(["表", "a table"], "[[corp]]");
            return None;
        };
        let path = format!("corp.{}", label(node, n));
        corp(
            Section::new(table, &node.place, path, faults),
            content,
            env,
            &mut names,
            &mut ids,
        )
    };
    nodes.iter().enumerate().filter_map(read).collect()
}

/// What people call the n-th table of a list: its name, else its place in the list.
fn label(node: &Node, n: usize) -> String {
    if let Value::Table(table) = &node.value
        && let Some(Value::Text(name)) = table.get("name").map(|n| &n.value)
        && !name.is_empty()
    {
        return name.clone();
    }
    (n + 1).to_string()
}

/// Values that must differ, with where each was first written.
#[derive(Default)]
struct Unique(BTreeMap<String, Place>);

impl Unique {
    /// Reports a value that was there before.
    fn check(&mut self, leaf: &Leaf<'_>, value: &str) {
        let Some(first) = self.0.insert(value.to_owned(), leaf.node.place.clone()) else {
            return;
        };
        let at = format!("{}:{}", first.file, first.line);
        leaf.faults.push(
            &leaf.node.place,
            "duplicate",
            Text::new(
                format!("`{}` = {value:?} 在 {at} 已经用过", leaf.path),
                format!("`{}` = {value:?} stands at {at} already", leaf.path),
            ),
            Text::new(
                "改成不同的值，或删掉其中一处",
                "Make the two differ, or remove one of them",
            ),
        );
    }
}

fn corp(section: Section<'_>, common: &ContentDirs, env: &Env, names: &mut Unique, ids: &mut Unique) -> Option<Corp> {
    let name = name(&section, names);
    let display_name = section
        .get("display_name")
        .and_then(|l| l.parse("\"某某咖啡\"", |t| Ok(t.to_owned())))
        .filter(|t| !t.trim().is_empty());
    let corp_id = section
        .need(
            "corp_id",
            ["我的企业 → 企业信息 → 企业ID", "See 我的企业 → 企业信息 → 企业ID (ww…)"],
        )
        .and_then(|l| {
            let id = l.parse("\"ww0123456789abcdef\"", |t| CorpId::parse(t).map_err(bad_id))?;
            ids.check(&l, id.as_str());
            Some(id)
        });
    let api_base = section
        .get("api_base")
        .and_then(|l| l.parse("\"https://qyapi.weixin.qq.com\"", value::api_base));
    let broadcast = section.section("broadcast").and_then(broadcast);
    let apps = apps(&section, env);
    let kf = section.section("kf").and_then(kf);
    let safety = section.section("safety").and_then(safety);
    let content = match section.get("content") {
        Some(leaf) => leaf.section().map(|s| read::content(s, common)),
        None => Some(common.clone()),
    };
    section.finish();
    let name = name?;
    Some(Corp {
        display_name: display_name.unwrap_or_else(|| name.clone()),
        name: CorpName::new(&name),
        corp_id: corp_id?,
        api_base: api_base?,
        broadcast: broadcast?,
        apps: apps?,
        kf: kf?,
        safety: safety?,
        content: content?,
    })
}

fn name(section: &Section<'_>, names: &mut Unique) -> Option<String> {
    let leaf = section.need(
        "name",
        [
            "起一个名字，用在回调 URL 里",
            "Give it a name; it stands in the callback URL",
        ],
    )?;
    let name = leaf.parse("\"acme\"", value::name)?;
    names.check(&leaf, &name);
    Some(name)
}

fn bad_id(error: IdError) -> Wrong {
    Wrong::new(
        ["不可能是企业微信的 ID", &format!("{error}")],
        [
            "从企业微信后台原样复制，前后不要有空格",
            "Copy it from WeCom's page as it stands, without spaces around it",
        ],
    )
}

fn apps(corp: &Section<'_>, env: &Env) -> Option<Vec<App>> {
    let leaf = corp.need(
        "app",
        [
            "加一个 [[corp.app]]，见 docs/connect.zh-CN.md",
            "Add a [[corp.app]], see docs/connect.md",
        ],
    )?;
    let Value::List(list) = &leaf.node.value else {
        leaf.wrong_type(["[[corp.app]] 列表", "a list of [[corp.app]]"], "[[corp.app]]");
        return None;
    };
    let mut names = Unique::default();
    let mut apps = Vec::with_capacity(list.len());
    for (n, node) in list.iter().enumerate() {
        let leaf = Leaf {
            node,
            path: format!("{}.{}", leaf.path, label(node, n)),
            faults: leaf.faults,
        };
        apps.push(leaf.section().and_then(|s| app(s, env, &mut names)));
    }
    if apps.is_empty() {
        leaf.wrong_type(["至少一个 [[corp.app]]", "at least one [[corp.app]]"], "[[corp.app]]");
        return None;
    }
    apps.into_iter().collect()
}

fn app(section: Section<'_>, env: &Env, names: &mut Unique) -> Option<App> {
    let name = name(&section, names);
    let secret = section.get("secret");
    let has_secret = secret.is_some();
    let secret = secret.map(|l| read_secret(&l, env, value::app_secret));
    let kind = match section.get("kind") {
        Some(leaf) => kinds(&leaf),
        // An app that only receives may call nothing.
        None if !has_secret => Some(Vec::new()),
        None => {
            section.need(
                "kind",
                [
                    "写这个 Secret 能调用的功能：contacts、kf、agent、bot，可写成列表",
                    "Say what its secret may call: contacts, kf, agent, bot; one word or a list",
                ],
            );
            None
        }
    };
    let agent_id = section.get("agent_id");
    if agent_id.is_none() && kind.as_ref().is_some_and(|k| k.contains(&AppKind::Agent)) {
        section.need(
            "agent_id",
            [
                "kind 含 agent 的应用要写 AgentId（应用详情页顶部）",
                "An app of kind agent needs its AgentId (top of the app's page)",
            ],
        );
    }
    let agent_id = agent_id.map(|l| l.int(1, i64::from(u32::MAX)));
    let token = section
        .need(
            "token",
            ["接收消息 → 设置 API 接收 → Token", "See 接收消息 → 设置API接收 → Token"],
        )
        .and_then(|l| read_secret(&l, env, value::token));
    let encoding_aes_key = section
        .need(
            "encoding_aes_key",
            [
                "接收消息 → 设置 API 接收 → EncodingAESKey",
                "See 接收消息 → 设置API接收 → EncodingAESKey",
            ],
        )
        .and_then(|l| read_secret(&l, env, value::aes_key));
    section.finish();
    Some(App {
        name: AppName::new(&name?),
        kind: kind?,
        agent_id: flat(agent_id)?,
        secret: flat(secret)?,
        token: token?,
        encoding_aes_key: encoding_aes_key?,
    })
}

/// A missing value is fine (`Some(None)`), a faulty one is not (`None`).
fn flat<T>(read: Option<Option<T>>) -> Option<Option<T>> {
    match read {
        Some(Some(value)) => Some(Some(value)),
        Some(None) => None,
        None => Some(None),
    }
}

fn read_secret(leaf: &Leaf<'_>, env: &Env, check: fn(&str) -> Result<(), Wrong>) -> Option<SecretString> {
    secret::read(leaf, env, |text| check(text).map(|()| SecretString::from(text)))
}

fn kinds(leaf: &Leaf<'_>) -> Option<Vec<AppKind>> {
    const KINDS: [AppKind; 4] = [AppKind::Contacts, AppKind::Kf, AppKind::Agent, AppKind::Bot];
    let mut kinds = Vec::new();
    let mut sound = true;
    for (word, place) in leaf.words("\"contacts\"")? {
        match KINDS.into_iter().find(|k| k.word() == word) {
            Some(kind) if kinds.contains(&kind) => {}
            Some(kind) => kinds.push(kind),
            None => {
                sound = false;
                let node = Node {
                    value: Value::Text(word.clone()),
                    place,
                };
                let leaf = Leaf {
                    node: &node,
                    path: leaf.path.clone(),
                    faults: leaf.faults,
                };
                leaf.wrong(value::one_of(&word, &KINDS.map(AppKind::word)));
            }
        }
    }
    sound.then_some(kinds)
}

fn broadcast(section: Section<'_>) -> Option<BroadcastRule> {
    let number = |key| {
        section
            .get(key)
            .map(|l| l.int(0, MOST_BROADCASTS).and_then(|n| u32::try_from(n).ok()))
    };
    let rule = section.get("rule");
    let (day, week, month) = (number("per_day"), number("per_week"), number("per_month"));
    let numbers = day.is_some() || week.is_some() || month.is_some();
    let place = section.place.clone();
    let (path, faults) = (section.path.clone(), section.faults);
    section.finish();
    match rule {
        Some(leaf) if !numbers => leaf.parse("\"day_1\"", rule_by_name),
        None if numbers => Some(BroadcastRule {
            per_day: flat(day)?,
            per_week: flat(week)?,
            per_month: flat(month)?.map_or(MonthQuota::Unlimited, MonthQuota::Count),
            member_per_day: None,
        }),
        _ => {
            faults.push(
                &place,
                "bad_value",
                Text::new(
                    format!("`{path}`：rule 和 per_day、per_week、per_month 只能二选一，且不能都没有"),
                    format!("`{path}`: wants either rule, or some of per_day, per_week, per_month"),
                ),
                Text::new("例如 { rule = \"day_1\" }", "For example { rule = \"day_1\" }"),
            );
            None
        }
    }
}

fn rule_by_name(word: &str) -> Result<BroadcastRule, Wrong> {
    let none = BroadcastRule {
        per_day: None,
        per_week: None,
        per_month: MonthQuota::Unlimited,
        member_per_day: None,
    };
    match word {
        "day_1" => Ok(BroadcastRule {
            per_day: Some(1),
            ..none
        }),
        "week_7" => Ok(BroadcastRule {
            per_week: Some(7),
            ..none
        }),
        "month_days" => Ok(BroadcastRule {
            per_month: MonthQuota::DaysOfMonth,
            ..none
        }),
        "member_day_1_corp_week_1" => Ok(BroadcastRule {
            per_week: Some(1),
            member_per_day: Some(1),
            ..none
        }),
        _ => Err(value::one_of(
            word,
            &["month_days", "week_7", "day_1", "member_day_1_corp_week_1"],
        )),
    }
}

fn kf(section: Section<'_>) -> Option<Kf> {
    let accounts = section.section("accounts").map(accounts);
    let unmatched = section
        .get("unmatched")
        .and_then(|l| l.parse("\"pool\"", value::unmatched));
    let max_age = section.get("max_age").and_then(|l| l.parse("\"10m\"", value::duration));
    let poll = section.get("poll").and_then(|l| l.parse("\"60s\"", value::duration));
    section.finish();
    Some(Kf {
        accounts: accounts?,
        unmatched: unmatched?,
        max_age: max_age?,
        poll: poll?,
    })
}

fn accounts(section: Section<'_>) -> BTreeMap<String, OpenKfId> {
    let mut ids = Unique::default();
    section
        .members()
        .filter_map(|(name, leaf)| {
            let id = leaf.parse("\"wkAJ2…\"", |t| OpenKfId::parse(t).map_err(bad_id))?;
            ids.check(&leaf, id.as_str());
            Some((name.to_owned(), id))
        })
        .collect()
}

fn safety(section: Section<'_>) -> Option<Safety> {
    let observe = section.get("mode").and_then(|l| l.parse("\"live\"", value::observe));
    let only = section.get("only").and_then(|l| l.words("[\"zhangsan\"]"));
    let quiet_hours = match section.get("quiet_hours") {
        Some(leaf) if leaf.text().is_some_and(|t| t.trim().is_empty()) => Some(None),
        Some(leaf) => leaf.parse("\"21:00-09:00\"", value::hours).map(Some),
        None => Some(None),
    };
    section.finish();
    Some(Safety {
        observe: observe?,
        only: only?.into_iter().map(|(id, _)| id).collect(),
        quiet_hours: quiet_hours?,
    })
}
