//! `kf/send_msg` and `kf/send_msg_on_event`.
//!
//! Parameters are checked before state and counts, as a service that validates first does: the same msgid
//! again is 40058 whatever became of the session.

use serde_json::{Value, json};

use super::call::Call;
use super::corp::{Corp, Way};
use super::fields::{Fields, cut};
use super::kf_account::{ACTIVE_MS, managed};
use super::media::must_have;
use super::refusal::{Answer, Refusal, refuse};

/// API messages after a customer's message (K1).
const MOST_AFTER_MESSAGE: u32 = 5;

/// `kf/send_msg`
pub(super) fn send(corp: &mut Corp, call: &Call<'_>) -> Answer {
    let body = call.fields();
    let contact = body.text("touser", 40063)?;
    let account = body.text("open_kfid", 40063)?;
    managed(corp, account, contact)?;
    let content = content(corp, call, 50)?;
    let msgid = own_msgid(corp, account, body)?;
    let key = (account.to_owned(), contact.to_owned());
    let Some(session) = corp.sessions.get_mut(&key) else {
        return refuse(95018, "no session");
    };
    if !matches!(session.state, 0 | 1) {
        return refuse(95018, format!("state {}", session.state));
    }
    match session.wrote_ms {
        Some(at) if call.now - at <= ACTIVE_MS => {}
        _ => return refuse(95002, ""),
    }
    if session.sent >= MOST_AFTER_MESSAGE {
        return refuse(95001, "");
    }
    session.sent += 1;
    session.state = 1;
    Ok(deliver(corp, call.now, Way::Kf, account, contact, msgid, content))
}

/// `kf/send_msg_on_event`. The number for a bad code is documented nowhere; 41050 stands for used, late and
/// unknown ones.
pub(super) fn on_event(corp: &mut Corp, call: &Call<'_>) -> Answer {
    let body = call.fields();
    let code = body.text("code", 40063)?;
    let content = content(corp, call, 10)?;
    let Some(kept) = corp.kf_codes.get(code).filter(|c| call.now <= c.until_ms).cloned() else {
        return refuse(41050, "code");
    };
    managed(corp, &kept.account, &kept.contact)?;
    match content["msgtype"].as_str() {
        Some("text") => {}
        Some("msgmenu") if kept.menu => {}
        _ => return refuse(95030, "msgtype"),
    }
    let msgid = own_msgid(corp, &kept.account, body)?;
    let session = corp
        .sessions
        .entry((kept.account.clone(), kept.contact.clone()))
        .or_default();
    match kept.state {
        Some(state) if state != session.state => return refuse(95018, format!("state {}", session.state)),
        Some(_) => {}
        None => session.welcomed_ms = Some(call.now),
    }
    corp.kf_codes.remove(code);
    Ok(deliver(
        corp,
        call.now,
        Way::KfEvent,
        &kept.account,
        &kept.contact,
        msgid,
        content,
    ))
}

fn deliver(
    corp: &mut Corp,
    now: i64,
    way: Way,
    account: &str,
    contact: &str,
    msgid: Option<String>,
    content: Value,
) -> Value {
    let msgid = msgid.unwrap_or_else(|| corp.ids.make("kfmsg"));
    if let Some(account) = corp.kf.get_mut(account) {
        account.msgids.insert(msgid.clone());
    }
    corp.show(now, way, account, contact, content);
    json!({"msgid": msgid})
}

/// The caller's msgid: ≤ 32 bytes of `[0-9a-zA-Z_-]`, never used in this account before.
fn own_msgid(corp: &Corp, account: &str, body: Fields<'_>) -> Result<Option<String>, Refusal> {
    let Some(id) = body.may_text("msgid")? else {
        return Ok(None);
    };
    let plain = id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    let used = corp.kf.get(account).is_some_and(|a| a.msgids.contains(id));
    if id.len() > 32 || !plain || used {
        refuse(40058, "msgid")
    } else {
        Ok(Some(id.to_owned()))
    }
}

/// Checks the message and returns it as the customer sees it.
fn content(corp: &Corp, call: &Call<'_>, most_items: usize) -> Result<Value, Refusal> {
    let body = call.fields();
    let kind = body.text("msgtype", 40008)?;
    let mut shown = json!({"msgtype": kind, kind: call.body.get(kind).cloned().unwrap_or(Value::Null)});
    match kind {
        "text" => {
            let text = body.object(kind)?.text("content", 44004)?;
            shown[kind]["content"] = cut(text, 2_048).into();
        }
        "image" | "voice" | "video" | "file" => {
            must_have(corp, body.object(kind)?.text("media_id", 41006)?, &[kind], call.now)?;
        }
        "link" => {
            let link = body.object(kind)?;
            shown[kind]["title"] = cut(link.text("title", 40063)?, 128).into();
            if let Some(desc) = link.may_text("desc")? {
                shown[kind]["desc"] = cut(desc, 512).into();
            }
            link.sized("url", 2_048)?;
            must_have(corp, link.text("thumb_media_id", 41006)?, &["image"], call.now)?;
        }
        "miniprogram" => {
            let mini = body.object(kind)?;
            mini.text("appid", 40063)?;
            if !mini
                .text("pagepath", 40063)?
                .split('?')
                .next()
                .unwrap_or_default()
                .ends_with(".html")
            {
                return refuse(40058, "pagepath");
            }
            if let Some(title) = mini.may_text("title")? {
                shown[kind]["title"] = cut(title, 64).into();
            }
            must_have(corp, mini.text("thumb_media_id", 41006)?, &["image"], call.now)?;
        }
        "msgmenu" => menu(body.object(kind)?, most_items)?,
        "location" => {
            let place = body.object(kind)?.0;
            if !place["latitude"].is_number() || !place["longitude"].is_number() {
                return refuse(40063, "latitude and longitude");
            }
        }
        "ca_link" => drop(body.object(kind)?.text("link_url", 40063)?),
        _ => return refuse(40008, kind),
    }
    Ok(shown)
}

fn menu(menu: Fields<'_>, most_items: usize) -> Result<(), Refusal> {
    for key in ["head_content", "tail_content"] {
        if menu.may_text(key)?.is_some_and(|t| t.len() > 1_024) {
            return refuse(40058, key);
        }
    }
    let list = menu.list("list", usize::MAX)?;
    if list.len() > most_items {
        return refuse(95008, "list");
    }
    let mut clickable = 0;
    for item in list.iter().map(Fields) {
        let kind = item.text("type", 95009)?;
        clickable += usize::from(kind != "text");
        let inner = match kind {
            "click" | "view" | "miniprogram" | "text" => item.object(kind)?,
            _ => return refuse(95009, kind),
        };
        match kind {
            "click" => {
                inner.sized("content", 128)?;
                if inner.may_text("id")?.is_some_and(|id| id.len() > 128) {
                    return refuse(40058, "id");
                }
            }
            "view" => {
                inner.sized("url", 2_048)?;
                inner.sized("content", 1_024)?;
            }
            "miniprogram" => {
                inner.sized("appid", 32)?;
                inner.sized("pagepath", 1_024)?;
                inner.sized("content", 1_024)?;
            }
            _ => drop(inner.sized("content", 256)?),
        }
    }
    if clickable > 10 {
        refuse(95008, "clickable items")
    } else {
        Ok(())
    }
}
