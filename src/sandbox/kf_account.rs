//! 微信客服: accounts, receptionists, customers.

use serde_json::{Value, json};

use super::call::Call;
use super::corp::Corp;
use super::kf_table::{Duty, KfAccount};
use super::refusal::{Answer, Refusal, refuse};

/// How long a customer counts as active, and a session lives: 48 h.
pub(super) const ACTIVE_MS: i64 = 48 * 3_600_000;

/// The account must exist (95004).
pub(super) fn account<'a>(corp: &'a Corp, id: &str) -> Result<&'a KfAccount, Refusal> {
    corp.kf.get(id).map_or_else(|| refuse(95004, id), Ok)
}

/// The account must exist (95004) and be handed to the API (48007), the customer must exist (40096).
pub(super) fn managed(corp: &Corp, id: &str, contact: &str) -> Result<(), Refusal> {
    if !account(corp, id)?.managed {
        return refuse(48007, id);
    }
    if corp.contacts.contains_key(contact) {
        Ok(())
    } else {
        refuse(40096, contact)
    }
}

/// `kf/account/list`
pub(super) fn list(corp: &mut Corp, call: &Call<'_>) -> Answer {
    let offset = usize::try_from(call.fields().may_int("offset")?.unwrap_or(0));
    let limit = call.fields().may_int("limit")?.unwrap_or(100);
    let (Ok(offset), 1..=100) = (offset, limit) else {
        return refuse(40058, "offset or limit");
    };
    let rows: Vec<Value> = corp
        .kf
        .iter()
        .skip(offset)
        .take(usize::try_from(limit).unwrap_or(100))
        .map(|(id, a)| json!({"open_kfid": id, "name": a.name, "avatar": "", "manage_privilege": a.managed}))
        .collect();
    Ok(json!({"account_list": rows}))
}

/// `kf/servicer/list`
pub(super) fn servicers(corp: &mut Corp, call: &Call<'_>) -> Answer {
    let id = call.param("open_kfid", 40063)?;
    let rows: Vec<Value> = account(corp, id)?
        .servicers
        .iter()
        .map(|(userid, duty)| json!({"userid": userid, "status": i64::from(*duty == Duty::Off), "stop_type": 0}))
        .collect();
    Ok(json!({"servicer_list": rows}))
}

/// `kf/customer/batchget`: only who entered or wrote within 48 h is valid.
pub(super) fn customers(corp: &mut Corp, call: &Call<'_>) -> Answer {
    let ids = call.fields().texts("external_userid_list", 100)?;
    if ids.is_empty() {
        return refuse(40058, "external_userid_list");
    }
    let context = call.fields().may_int("need_enter_session_context")? == Some(1);
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    for id in ids {
        let session = corp
            .sessions
            .iter()
            .filter(|((_, contact), _)| contact == id)
            .map(|(_, s)| s)
            .max_by_key(|s| s.wrote_ms.max(s.entered_ms));
        let active = session.filter(|s| s.wrote_ms.max(s.entered_ms).is_some_and(|at| call.now - at < ACTIVE_MS));
        match (active, corp.contacts.get(id)) {
            (Some(session), Some(contact)) => {
                let mut row = json!({"external_userid": id, "nickname": contact.name, "avatar": "", "gender": 0});
                if context {
                    row["enter_session_context"] =
                        json!({"scene": session.entered_scene, "scene_param": session.entered_param});
                }
                good.push(row);
            }
            _ => bad.push(id),
        }
    }
    Ok(json!({"customer_list": good, "invalid_external_userid": bad}))
}
