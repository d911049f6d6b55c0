//! `kf/sync_msg`: the log of an account, read by cursor.
//!
//! The log holds what customers and receptionists wrote and what happened; messages sent by the API are
//! never in it. Cursors are places in the log, so they stay good whatever is appended.

use serde_json::{Value, json};

use super::call::Call;
use super::corp::Corp;
use super::refusal::{Answer, refuse};

/// Messages are kept three days (K9).
const KEPT_MS: i64 = 3 * 86_400_000;
/// A callback's token is good for ten minutes (K8).
const TOKEN_MS: i64 = 600_000;
const CURSOR: &str = "4gw7MepFLfgF2VC5";

/// `kf/sync_msg`
pub(super) fn sync(corp: &mut Corp, call: &Call<'_>) -> Answer {
    let body = call.fields();
    let id = body.text("open_kfid", 40063)?;
    let cursor = body.may_text("cursor")?;
    let limit = match body.may_int("limit")?.unwrap_or(1_000) {
        0 => 1_000,
        n @ 1..=1_000 => usize::try_from(n).unwrap_or(1_000),
        _ => return refuse(40058, "limit"),
    };
    if !matches!(body.may_int("voice_format")?, None | Some(0 | 1)) {
        return refuse(40058, "voice_format");
    }
    super::kf_account::account(corp, id)?;
    match body.may_text("token")? {
        None => {
            let most = corp.limits.sync_tokenless_per_minute;
            if !corp
                .meters
                .pass(&format!("sync_msg without token {id}"), call.now, most, u32::MAX)
            {
                return refuse(45009, "without token");
            }
        }
        Some(token) => {
            let given = corp.kf.get(id).and_then(|a| a.bell_tokens.get(token));
            if given.is_none_or(|at| call.now - at > TOKEN_MS) {
                return refuse(95007, "token");
            }
        }
    }
    let page = limit.min(corp.limits.sync_page.max(1));
    let Some(account) = corp.kf.get_mut(id) else {
        return refuse(95004, id);
    };
    let oldest = account.log.partition_point(|(at, _)| call.now - at > KEPT_MS);
    let from = match cursor {
        None => oldest,
        Some(c) => match c.strip_prefix(CURSOR).and_then(|n| n.parse::<usize>().ok()) {
            Some(n) if n <= account.log.len() => n.max(oldest),
            _ => return refuse(50100, "cursor"),
        },
    };
    if account.empty_pages > 0 {
        account.empty_pages -= 1;
        return Ok(json!({"next_cursor": format!("{CURSOR}{from}"), "has_more": 1, "msg_list": []}));
    }
    let messages: Vec<&Value> = account.log.iter().skip(from).take(page).map(|(_, m)| m).collect();
    let next = from + messages.len();
    let more = i64::from(next < account.log.len());
    Ok(json!({"next_cursor": format!("{CURSOR}{next}"), "has_more": more, "msg_list": messages}))
}

/// Puts a message of the customer (origin 3) or a receptionist (5) into the log; returns its msgid.
pub(super) fn log_message(
    corp: &mut Corp,
    account: &str,
    contact: &str,
    servicer: Option<&str>,
    content: &Value,
    now: i64,
) -> String {
    let msgid = corp.ids.make("4z9SfM");
    let mut message = json!({
        "msgid": msgid, "open_kfid": account, "external_userid": contact, "send_time": now / 1000,
        "origin": if servicer.is_some() { 5 } else { 3 },
    });
    if let Some(servicer) = servicer {
        message["servicer_userid"] = servicer.into();
    }
    for (key, value) in content.as_object().into_iter().flatten() {
        message[key] = value.clone();
    }
    push(corp, account, message, now);
    msgid
}

/// Puts an event (origin 4) into the log; its ids stand inside `event`.
pub(super) fn log_event(corp: &mut Corp, account: &str, mut event: Value, now: i64) -> String {
    let msgid = corp.ids.make("4z9SfE");
    event["open_kfid"] = account.into();
    let message = json!({"msgid": msgid, "send_time": now / 1000, "origin": 4, "msgtype": "event", "event": event});
    push(corp, account, message, now);
    msgid
}

fn push(corp: &mut Corp, account: &str, message: Value, now: i64) {
    if let Some(account) = corp.kf.get_mut(account) {
        account.log.push((now, message));
    }
}

/// A token for the next `kf_msg_or_event` of an account.
pub(super) fn bell_token(corp: &mut Corp, account: &str, now: i64) -> String {
    let token = corp.ids.make("ENCApHxnGDNAVNY4AaSJKj4Tb5mwsEMzxhFmHVG");
    if let Some(account) = corp.kf.get_mut(account) {
        account.bell_tokens.retain(|_, at| now - *at <= TOKEN_MS);
        account.bell_tokens.insert(token.clone(), now);
    }
    token
}
