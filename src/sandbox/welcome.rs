//! Welcomes: the code's life, and what a welcome or a broadcast may contain.

use serde_json::{Value, json};

use super::call::Call;
use super::corp::{Code, Corp, Kind, Way};
use super::fields::Fields;
use super::media::must_have;
use super::refusal::{Answer, Refusal, refuse};

/// How long a code can be used (C1).
const CODE_MS: i64 = 20_000;

/// `externalcontact/send_welcome_msg`
pub(super) fn send(corp: &mut Corp, call: &Call<'_>) -> Answer {
    let body = call.fields();
    let code = body.text("welcome_code", 41049)?;
    let content = content(corp, call)?;
    // A code is good only with the token of the app that received it.
    let Some(code) = corp.codes.get(code).filter(|c| c.app == call.app).cloned() else {
        return refuse(41050, "");
    };
    if call.now - code.given_ms > CODE_MS {
        return refuse(41050, "over 20 s");
    }
    if corp.contacts.get(&code.contact).is_some_and(|c| c.archive_pending) {
        return refuse(41053, "");
    }
    let Some(relation) = corp.relation_mut(&code.member, &code.contact) else {
        return refuse(41050, "");
    };
    if let Some((until, succeeds)) = relation.welcoming {
        if call.now < until {
            return refuse(41096, "");
        }
        relation.welcoming = None;
        relation.welcomed |= succeeds;
    }
    if relation.welcomed || relation.chatted_ms.is_some() {
        return refuse(41051, "");
    }
    relation.welcomed = true;
    show_parts(corp, call.now, Way::Welcome, &code.member, &code.contact, &content);
    Ok(json!({}))
}

/// Text and attachments arrive as several messages.
pub(super) fn show_parts(corp: &mut Corp, now: i64, way: Way, from: &str, to: &str, content: &Value) {
    if let Some(text) = content
        .get("text")
        .filter(|t| t["content"].as_str().is_some_and(|c| !c.is_empty()))
    {
        corp.show(now, way, from, to, json!({"msgtype": "text", "text": text}));
    }
    for part in content["attachments"].as_array().map(Vec::as_slice).unwrap_or_default() {
        corp.show(now, way, from, to, part.clone());
    }
}

/// Checks text and attachments (api.md §4.1) and returns them.
pub(super) fn content(corp: &Corp, call: &Call<'_>) -> Result<Value, Refusal> {
    let body = call.fields();
    let text = match call.body.get("text") {
        None | Some(Value::Null) => None,
        Some(_) => body.object("text")?.may_text("content")?,
    };
    if text.is_some_and(|t| t.len() > 4_000) {
        return refuse(40058, "text.content");
    }
    let attachments = body.list("attachments", usize::MAX)?;
    if attachments.len() > 9 {
        return refuse(41064, "attachments");
    }
    if text.is_none() && attachments.is_empty() {
        return refuse(40058, "text and attachments are both empty");
    }
    for part in attachments.iter().map(Fields) {
        attachment(corp, call.now, part)?;
    }
    Ok(json!({"text": {"content": text.unwrap_or_default()}, "attachments": attachments}))
}

fn attachment(corp: &Corp, now: i64, part: Fields<'_>) -> Result<(), Refusal> {
    let kind = part.text("msgtype", 41065)?;
    match kind {
        "image" => {
            let image = part.object(kind)?;
            match (image.may_text("media_id")?, image.may_text("pic_url")?) {
                (Some(id), _) => must_have(corp, id, &["image"], now),
                (None, Some(url)) if corp.images.contains(url) => Ok(()),
                (None, Some(url)) => refuse(40058, url),
                (None, None) => refuse(41006, "image"),
            }
        }
        "link" => {
            let link = part.object(kind)?;
            link.sized("title", 128)?;
            link.sized("url", 2_048)?;
            for (key, most) in [("desc", 512), ("picurl", 2_048)] {
                if link.may_text(key)?.is_some_and(|t| t.len() > most) {
                    return refuse(40058, key);
                }
            }
            Ok(())
        }
        "miniprogram" => {
            let mini = part.object(kind)?;
            mini.sized("title", 64)?;
            mini.text("appid", 40063)?;
            mini.text("page", 40063)?;
            must_have(corp, mini.text("pic_media_id", 41006)?, &["image"], now)
        }
        "video" | "file" => must_have(corp, part.object(kind)?.text("media_id", 41006)?, &[kind], now),
        _ => refuse(41065, kind),
    }
}

/// A code for each app that may receive one; empty when WeCom gives none (welcome in the admin page, chat
/// begun, already welcomed, a contact from another WeCom corp).
pub(super) fn codes(corp: &mut Corp, member: &str, contact: &str, now: i64) -> Vec<(String, String)> {
    let none = corp.members.get(member).is_none_or(|m| m.console_welcome)
        || corp.contacts.get(contact).is_none_or(|c| c.from_wecom)
        || corp
            .relation(member, contact)
            .is_none_or(|r| r.welcomed || r.chatted_ms.is_some());
    if none {
        return Vec::new();
    }
    let apps: Vec<String> = corp
        .apps
        .iter()
        .filter(|a| a.kinds.contains(&Kind::Contacts))
        .map(|a| a.name.clone())
        .collect();
    apps.into_iter()
        .map(|app| {
            let id = corp.ids.make("WELCOME");
            let code = Code {
                app: app.clone(),
                member: member.to_owned(),
                contact: contact.to_owned(),
                given_ms: now,
            };
            corp.codes.insert(id.clone(), code);
            (app, id)
        })
        .collect()
}
