//! What happens in 微信客服: it goes into the account's log, and the doorbell rings.

use serde_json::{Value, json};

use super::act::{Act, Done};
use super::corp::{Corp, Media};
use super::kf_account::ACTIVE_MS;
use super::kf_session::{make_code, move_to, state};
use super::kf_sync::{log_event, log_message};
use super::kf_table::Duty;
use super::ring::kf_bell;

/// How long an enter code is good (K3).
const ENTER_CODE_MS: i64 = 20_000;

pub(super) fn perform(corp: &mut Corp, act: Act, now: i64) -> Result<Done, String> {
    match act {
        Act::KfEnter {
            account,
            contact,
            scene,
            scene_param,
        } => enter(corp, now, &account_of(corp, account)?, &contact, &scene, &scene_param),
        Act::KfWrite {
            account,
            contact,
            text,
            menu_id,
            content,
        } => {
            let content = match (text, content) {
                (Some(text), None) => match menu_id {
                    Some(id) => json!({"msgtype": "text", "text": {"content": text, "menu_id": id}}),
                    None => json!({"msgtype": "text", "text": {"content": text}}),
                },
                (None, Some(content)) if content["msgtype"].is_string() => content,
                _ => return Err("either text, or content with its msgtype".to_owned()),
            };
            let content = with_media(corp, now, content);
            write(corp, now, &account_of(corp, account)?, &contact, &content)
        }
        Act::KfRecall {
            account,
            contact,
            msgid,
        } => {
            let account = account_of(corp, account)?;
            let event = json!({"event_type": "user_recall_msg", "external_userid": contact, "recall_msgid": msgid});
            Ok(event_done(corp, now, &account, event, Value::Null))
        }
        Act::KfTake {
            account,
            contact,
            servicer,
        } => receptionist(corp, now, account, &contact, Some(&servicer), (1, &[2], 3)),
        Act::KfTransfer {
            account,
            contact,
            servicer,
        } => receptionist(corp, now, account, &contact, Some(&servicer), (2, &[3], 3)),
        Act::KfEnd { account, contact } => receptionist(corp, now, account, &contact, None, (3, &[3], 4)),
        Act::KfReopen {
            account,
            contact,
            servicer,
        } => receptionist(corp, now, account, &contact, Some(&servicer), (4, &[4], 3)),
        Act::KfServicerWrite {
            account,
            contact,
            servicer,
            text,
        } => {
            let account = account_of(corp, account)?;
            let content = json!({"msgtype": "text", "text": {"content": text}});
            let msgid = log_message(corp, &account, &contact, Some(&servicer), &content, now);
            Ok(Done::new(json!({"msgid": msgid}), kf_bell(corp, now, &account)))
        }
        Act::KfDuty { account, servicer, on } => {
            let account = account_of(corp, account)?;
            let duty = if on { Duty::On } else { Duty::Off };
            if let Some(kf) = corp.kf.get_mut(&account) {
                kf.servicers.insert(servicer.clone(), duty);
            }
            let mut event = json!({"event_type": "servicer_status_change", "servicer_userid": servicer});
            event["status"] = if on { 1 } else { 2 }.into();
            event["stop_type"] = 0.into();
            Ok(event_done(corp, now, &account, event, Value::Null))
        }
        Act::KfSendFail {
            account,
            contact,
            msgid,
            fail_type,
        } => {
            let account = account_of(corp, account)?;
            let event = json!({
                "event_type": "msg_send_fail", "external_userid": contact, "fail_msgid": msgid, "fail_type": fail_type,
            });
            Ok(event_done(corp, now, &account, event, Value::Null))
        }
        Act::KfRing { account } => {
            let account = account_of(corp, account)?;
            Ok(Done::new(json!({}), kf_bell(corp, now, &account)))
        }
        Act::KfEmptyPages { account, pages } => {
            let account = account_of(corp, account)?;
            if let Some(kf) = corp.kf.get_mut(&account) {
                kf.empty_pages = pages;
            }
            Ok(Done::new(json!({}), Vec::new()))
        }
        other => Err(format!("not an act of kf: {other:?}")),
    }
}

/// A picture (voice, video, file) without a media_id gets one that `media/get` knows.
fn with_media(corp: &mut Corp, now: i64, mut content: Value) -> Value {
    let kind = content["msgtype"].as_str().unwrap_or_default().to_owned();
    if !["image", "voice", "video", "file"].contains(&kind.as_str()) || content[&kind]["media_id"].is_string() {
        return content;
    }
    let id = corp.ids.make("MEDIA");
    let media = Media {
        kind: kind.clone(),
        name: format!("customer.{kind}"),
        content_type: "application/octet-stream".to_owned(),
        bytes: bytes::Bytes::from_static(b"\x89PNG\r\n\x1a\nsandbox"),
        since_ms: now,
    };
    corp.media.insert(id.clone(), media);
    content[&kind] = json!({"media_id": id});
    content
}

fn account_of(corp: &Corp, named: Option<String>) -> Result<String, String> {
    match named {
        Some(id) if corp.kf.contains_key(&id) => Ok(id),
        Some(id) => Err(format!("no kf account {id}")),
        None => corp
            .kf
            .keys()
            .next()
            .cloned()
            .ok_or_else(|| "the corp has no kf account".to_owned()),
    }
}

fn event_done(corp: &mut Corp, now: i64, account: &str, event: Value, code: Value) -> Done {
    let msgid = log_event(corp, account, event, now);
    Done::new(json!({"msgid": msgid, "code": code}), kf_bell(corp, now, account))
}

/// A welcome code comes only if there was no welcome and no message of the customer for 48 h (K6).
fn enter(corp: &mut Corp, now: i64, account: &str, contact: &str, scene: &str, param: &str) -> Result<Done, String> {
    if !corp.contacts.contains_key(contact) {
        return Err(format!("no contact {contact}"));
    }
    let session = corp
        .sessions
        .entry((account.to_owned(), contact.to_owned()))
        .or_default();
    session.entered_ms = Some(now);
    session.entered_scene = scene.to_owned();
    session.entered_param = param.to_owned();
    let quiet = session
        .welcomed_ms
        .max(session.wrote_ms)
        .is_none_or(|at| now - at >= ACTIVE_MS);
    let mut event = json!({
        "event_type": "enter_session", "external_userid": contact, "scene": scene, "scene_param": param,
    });
    let mut code = Value::Null;
    if quiet {
        code = make_code(corp, account, contact, None, now + ENTER_CODE_MS, true).into();
        event["welcome_code"] = code.clone();
    }
    Ok(event_done(corp, now, account, event, code))
}

/// A customer's message opens an ended session as untreated and a new allowance of answers.
fn write(corp: &mut Corp, now: i64, account: &str, contact: &str, content: &Value) -> Result<Done, String> {
    if !corp.contacts.contains_key(contact) {
        return Err(format!("no contact {contact}"));
    }
    let open = state(corp, account, contact, now) != 4;
    let session = corp
        .sessions
        .entry((account.to_owned(), contact.to_owned()))
        .or_default();
    if !open {
        session.state = 0;
        session.servicer = None;
    }
    session.wrote_ms = Some(now);
    session.sent = 0;
    let msgid = log_message(corp, account, contact, None, content, now);
    Ok(Done::new(json!({"msgid": msgid}), kf_bell(corp, now, account)))
}

/// A receptionist moves a session: (change_type, states it may be in, state it gets).
fn receptionist(
    corp: &mut Corp,
    now: i64,
    account: Option<String>,
    contact: &str,
    servicer: Option<&str>,
    (change_type, from, to): (i64, &[i64], i64),
) -> Result<Done, String> {
    let account = account_of(corp, account)?;
    let key = (account.clone(), contact.to_owned());
    let is = corp.sessions.get(&key).map_or(4, |s| s.state);
    if !from.contains(&is) {
        return Err(format!("the session is in state {is}, not {from:?}"));
    }
    if let Some(servicer) = servicer
        && !corp
            .kf
            .get(&account)
            .is_some_and(|a| a.servicers.contains_key(servicer))
    {
        return Err(format!("{servicer} is no receptionist of {account}"));
    }
    let old = corp.sessions.get(&key).and_then(|s| s.servicer.clone());
    let code = move_to(corp, &account, contact, to, servicer, now);
    let mut event = json!({
        "event_type": "session_status_change", "external_userid": contact, "change_type": change_type,
    });
    if let Some(old) = old.filter(|_| change_type != 1) {
        event["old_servicer_userid"] = old.into();
    }
    if let Some(new) = servicer {
        event["new_servicer_userid"] = new.into();
    }
    let mut told = Value::Null;
    if matches!(change_type, 1 | 3) {
        told = code.into();
        event["msg_code"] = told.clone();
    }
    Ok(event_done(corp, now, &account, event, told))
}
