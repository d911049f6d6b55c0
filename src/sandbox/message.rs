//! `message/send`: app messages to members.
//!
//! Bad recipients hide inside errcode 0, and what is over a member's limits is dropped without a word:
//! both are as in WeCom.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::call::Call;
use super::corp::{Corp, Kind, Way};
use super::fields::{Fields, cut};
use super::limits::china_day;
use super::media::must_have;
use super::refusal::{Answer, Refusal, refuse};

/// Beyond so many remembered requests, those older than the longest interval (M5) are forgotten.
const MOST_REMEMBERED: usize = 10_000;

/// `message/send`
pub(super) fn send(corp: &mut Corp, call: &Call<'_>) -> Answer {
    let body = call.fields();
    check_agent(corp, call, body)?;
    let (members, invalid_users, invalid_parties, invalid_tags) = recipients(corp, call, body)?;
    let content = content(corp, call, body)?;
    let interval = body.may_int("duplicate_check_interval")?.unwrap_or(1_800);
    if !(0..=14_400).contains(&interval) {
        return refuse(40058, "duplicate_check_interval");
    }
    let duplicate_check = match body.may_int("enable_duplicate_check")?.unwrap_or(0) {
        0 => false,
        1 => true,
        _ => return refuse(40058, "enable_duplicate_check"),
    };
    if members.is_empty() {
        return refuse(81013, "");
    }
    let count = u32::try_from(members.len()).unwrap_or(u32::MAX);
    let today = corp
        .person_messages
        .entry((call.app.to_owned(), china_day(call.now)))
        .or_default();
    if today.saturating_add(count) > corp.limits.app_per_day {
        return refuse(45009, "messages of this app today");
    }
    *today += count;
    let key = (call.app.to_owned(), call.body.to_string());
    let repeated = duplicate_check
        && corp
            .duplicates
            .get(&key)
            .is_some_and(|before| call.now - before < interval * 1_000);
    if !repeated {
        if duplicate_check {
            if corp.duplicates.len() >= MOST_REMEMBERED {
                corp.duplicates.retain(|_, at| call.now - *at < 14_400_000);
            }
            corp.duplicates.insert(key, call.now);
        }
        let (per_minute, per_hour) = (corp.limits.member_per_minute, corp.limits.member_per_hour);
        for member in members {
            let meter = format!("app {} member {member}", call.app);
            if corp.meters.room(&meter, call.now, per_minute, per_hour) {
                corp.show(call.now, Way::App, call.app, &member, content.clone());
            }
        }
    }
    Ok(json!({
        "invaliduser": invalid_users.join("|").to_lowercase(),
        "invalidparty": invalid_parties.join("|"),
        "invalidtag": invalid_tags.join("|"),
        "msgid": corp.ids.make("msg"),
    }))
}

fn check_agent(corp: &Corp, call: &Call<'_>, body: Fields<'_>) -> Result<(), Refusal> {
    let given = match body.0.get("agentid") {
        None if body.0.get("msgtype").and_then(Value::as_str) == Some("miniprogram_notice") => return Ok(()),
        // Some SDKs send the number as text; WeCom takes it.
        Some(Value::String(text)) => text.parse().ok(),
        Some(v) => v.as_i64(),
        None => None,
    };
    let Some(given) = given else {
        return refuse(40056, "agentid");
    };
    let own = corp
        .app(call.app)
        .filter(|a| a.agent_id == given && a.kinds.contains(&Kind::Agent));
    if own.is_none() {
        refuse(301002, given.to_string())
    } else {
        Ok(())
    }
}

type Recipients = (BTreeSet<String>, Vec<String>, Vec<String>, Vec<String>);

fn recipients(corp: &Corp, call: &Call<'_>, body: Fields<'_>) -> Result<Recipients, Refusal> {
    let split = |key| -> Result<Vec<&str>, Refusal> {
        Ok(body
            .may_text(key)?
            .map(|t| t.split('|').filter(|p| !p.is_empty()).collect())
            .unwrap_or_default())
    };
    let (users, parties, tags) = (split("touser")?, split("toparty")?, split("totag")?);
    if users.is_empty() && parties.is_empty() && tags.is_empty() {
        return refuse(82001, "");
    }
    for (list, most, code) in [(&users, 1_000, 40032), (&parties, 100, 82002), (&tags, 100, 82003)] {
        if list.len() > most {
            return refuse(code, "");
        }
    }
    let visible: Vec<&String> = corp.members.keys().filter(|m| corp.sees(call.app, m)).collect();
    if users.contains(&"@all") {
        return Ok((
            visible.into_iter().cloned().collect(),
            Vec::new(),
            Vec::new(),
            Vec::new(),
        ));
    }
    let mut found = BTreeSet::new();
    let mut invalid_users = Vec::new();
    for user in users {
        match visible.iter().find(|m| m.eq_ignore_ascii_case(user)) {
            Some(m) => drop(found.insert((*m).clone())),
            None => invalid_users.push(user.to_owned()),
        }
    }
    let mut invalid_parties = Vec::new();
    for party in parties {
        let inside: Vec<_> = visible
            .iter()
            .filter(|m| corp.members[**m].departments.iter().any(|d| d.to_string() == party))
            .collect();
        if inside.is_empty() {
            invalid_parties.push(party.to_owned());
        }
        found.extend(inside.into_iter().map(|m| (*m).clone()));
    }
    // The sandbox has no member tags.
    Ok((
        found,
        invalid_users,
        invalid_parties,
        tags.into_iter().map(str::to_owned).collect(),
    ))
}

/// Checks the message and returns it as the member sees it: over-long texts are cut, not refused.
fn content(corp: &Corp, call: &Call<'_>, body: Fields<'_>) -> Result<Value, Refusal> {
    let kind = body.text("msgtype", 40008)?;
    let mut shown = json!({"msgtype": kind, kind: call.body.get(kind).cloned().unwrap_or(Value::Null)});
    match kind {
        "text" | "markdown" => {
            let text = body.object(kind)?.text("content", 44004)?;
            shown[kind]["content"] = cut(text, 2_048).into();
        }
        "image" | "voice" | "video" | "file" => {
            must_have(corp, body.object(kind)?.text("media_id", 41006)?, &[kind], call.now)?;
        }
        "textcard" => {
            let card = body.object(kind)?;
            card.text("title", 41016)?;
            card.text("description", 41033)?;
            card.sized("url", 2_048)?;
        }
        "news" | "mpnews" => {
            if body.may_int("safe")?.unwrap_or(0) != 0 && kind == "news" {
                return refuse(40074, "safe");
            }
            let articles = body.object(kind)?.list("articles", usize::MAX)?;
            if articles.is_empty() {
                return refuse(40063, "articles");
            }
            if articles.len() > 8 {
                return refuse(45008, "articles");
            }
            for article in articles.iter().map(Fields) {
                article.text("title", 41016)?;
                if kind == "mpnews" {
                    article.text("content", 40063)?;
                    must_have(corp, article.text("thumb_media_id", 41006)?, &["image"], call.now)?;
                } else if article.may_text("appid")?.is_none() {
                    article.sized("url", 2_048)?;
                } else {
                    article.text("pagepath", 40063)?;
                }
            }
        }
        "miniprogram_notice" => {
            let notice = body.object(kind)?;
            notice.text("appid", 40063)?;
            notice.text("title", 41016)?;
            if notice.list("content_item", usize::MAX)?.len() > 10 {
                return refuse(90201, "content_item");
            }
        }
        "template_card" => {
            let card = body.object(kind)?.text("card_type", 42031)?;
            let known = [
                "text_notice",
                "news_notice",
                "button_interaction",
                "vote_interaction",
                "multiple_interaction",
            ];
            if !known.contains(&card) {
                return refuse(42031, card);
            }
        }
        _ => return refuse(40008, kind),
    }
    Ok(shown)
}
