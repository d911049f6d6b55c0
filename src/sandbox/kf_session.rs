//! Session states of 微信客服 and their moves.
//!
//! 0 untreated, 1 assistant, 2 waiting pool, 3 human, 4 ended or not begun. The complete graph is a picture
//! in WeCom's documentation; allowed here is what the text beside it says, all else is 95016.

use serde_json::json;

use super::call::Call;
use super::corp::Corp;
use super::kf_account::{ACTIVE_MS, managed};
use super::kf_table::{Duty, KfCode, Session};
use super::refusal::{Answer, Refusal, refuse};

/// How long the code of an ended session is good (K5).
const ENDED_CODE_MS: i64 = 20_000;

/// The state as WeCom shows it: a session ends by itself 48 h after the customer's last message.
pub(super) fn state(corp: &Corp, account: &str, contact: &str, now: i64) -> i64 {
    match corp.sessions.get(&(account.to_owned(), contact.to_owned())) {
        Some(Session {
            state,
            wrote_ms: Some(at),
            ..
        }) if now - at <= ACTIVE_MS => *state,
        _ => 4,
    }
}

/// `kf/service_state/get`
pub(super) fn get(corp: &mut Corp, call: &Call<'_>) -> Answer {
    let account = call.fields().text("open_kfid", 40063)?;
    let contact = call.fields().text("external_userid", 41035)?;
    managed(corp, account, contact)?;
    let state = state(corp, account, contact, call.now);
    let servicer = corp
        .sessions
        .get(&(account.to_owned(), contact.to_owned()))
        .and_then(|s| s.servicer.as_deref());
    Ok(match servicer {
        Some(servicer) if state == 3 => json!({"service_state": state, "servicer_userid": servicer}),
        _ => json!({"service_state": state}),
    })
}

/// `kf/service_state/trans`
pub(super) fn trans(corp: &mut Corp, call: &Call<'_>) -> Answer {
    let body = call.fields();
    let account = body.text("open_kfid", 40063)?;
    let contact = body.text("external_userid", 41035)?;
    let to = body.int("service_state")?;
    managed(corp, account, contact)?;
    if !(0..=4).contains(&to) {
        return refuse(40058, "service_state");
    }
    let from = state(corp, account, contact, call.now);
    if from == 4 {
        return refuse(95013, "");
    }
    if !matches!((from, to), (0 | 1, 2 | 3) | (2, 3) | (3, 3 | 4)) {
        return refuse(95016, format!("{from} to {to}"));
    }
    let servicer = if to == 3 {
        Some(body.text("servicer_userid", 40063)?)
    } else {
        None
    };
    if let Some(servicer) = servicer {
        on_duty(corp, account, servicer)?;
    }
    let code = move_to(corp, account, contact, to, servicer, call.now);
    Ok(json!({"msg_code": code}))
}

/// The receptionist must be one of the account (95014) and on duty (95019).
pub(super) fn on_duty(corp: &Corp, account: &str, servicer: &str) -> Result<(), Refusal> {
    match corp.kf.get(account).and_then(|a| a.servicers.get(servicer)) {
        None => refuse(95014, servicer),
        Some(Duty::Off) => refuse(95019, servicer),
        Some(Duty::On) => Ok(()),
    }
}

/// Moves a session and makes the code that its change gives.
pub(super) fn move_to(
    corp: &mut Corp,
    account: &str,
    contact: &str,
    to: i64,
    servicer: Option<&str>,
    now: i64,
) -> String {
    let session = corp
        .sessions
        .entry((account.to_owned(), contact.to_owned()))
        .or_default();
    session.state = to;
    session.servicer = servicer.map(str::to_owned);
    let life = if to == 4 { ENDED_CODE_MS } else { ACTIVE_MS };
    make_code(corp, account, contact, Some(to), now + life, to == 4)
}

/// A one-use code for `send_msg_on_event`.
pub(super) fn make_code(
    corp: &mut Corp,
    account: &str,
    contact: &str,
    state: Option<i64>,
    until_ms: i64,
    menu: bool,
) -> String {
    let id = corp.ids.make("CODE");
    let code = KfCode {
        account: account.to_owned(),
        contact: contact.to_owned(),
        until_ms,
        state,
        menu,
    };
    corp.kf_codes.insert(id.clone(), code);
    id
}
