//! Records of broadcasts: list, tasks, results, reminder, cancellation.

use serde_json::{Value, json};

use super::call::Call;
use super::corp::{Broadcast, Corp};
use super::fields::next_cursor;
use super::refusal::{Answer, Refusal, refuse};

/// A month, as the span of a query may be.
const MONTH_S: i64 = 31 * 86_400;

fn task<'a>(corp: &'a mut Corp, call: &Call<'_>) -> Result<&'a mut Broadcast, Refusal> {
    let msgid = call.fields().text("msgid", 41046)?;
    let wait = corp.limits.dispatch_ms;
    match corp.broadcasts.iter_mut().find(|b| b.msgid == msgid) {
        None => refuse(41047, msgid),
        Some(b) if call.now - b.since_ms < wait => refuse(41063, msgid),
        Some(b) => Ok(b),
    }
}

/// `get_groupmsg_task`: per member 0 not sent, 2 sent.
pub(super) fn tasks(corp: &mut Corp, call: &Call<'_>) -> Answer {
    let (from, limit) = call.fields().page(500, 1_000)?;
    let task = task(corp, call)?;
    let mut members: Vec<&str> = task.recipients.iter().map(|r| r.member.as_str()).collect();
    members.sort_unstable();
    members.dedup();
    let page: Vec<Value> = members
        .iter()
        .skip(from)
        .take(limit)
        .map(|m| match task.confirmed.get(*m) {
            Some(at) => json!({"userid": m, "status": 2, "send_time": at / 1000}),
            None => json!({"userid": m, "status": 0}),
        })
        .collect();
    Ok(json!({"next_cursor": next_cursor(from, page.len(), members.len()), "task_list": page}))
}

/// `get_groupmsg_send_result`
pub(super) fn results(corp: &mut Corp, call: &Call<'_>) -> Answer {
    let (from, limit) = call.fields().page(500, 1_000)?;
    let member = call.fields().text("userid", 41009)?;
    let task = task(corp, call)?;
    let rows: Vec<_> = task.recipients.iter().filter(|r| r.member == member).collect();
    if rows.is_empty() {
        return refuse(40003, member);
    }
    let page: Vec<Value> = rows
        .iter()
        .skip(from)
        .take(limit)
        .map(|r| {
            let mut row = json!({"external_userid": r.contact, "userid": r.member, "status": r.status});
            if r.status == 1 {
                row["send_time"] = (r.sent_ms / 1000).into();
            }
            row
        })
        .collect();
    Ok(json!({"next_cursor": next_cursor(from, page.len(), rows.len()), "send_list": page}))
}

/// `get_groupmsg_list_v2`
pub(super) fn list(corp: &mut Corp, call: &Call<'_>) -> Answer {
    let body = call.fields();
    let chat_type = body.text("chat_type", 40063)?;
    if !["single", "group"].contains(&chat_type) {
        return refuse(86214, chat_type);
    }
    let (start, end) = (body.int("start_time")?, body.int("end_time")?);
    if start > end || end - start > MONTH_S {
        return refuse(40058, "start_time and end_time");
    }
    let personal_only = body.may_int("filter_type")? == Some(1);
    // Above 100 WeCom takes its default, not the maximum.
    let limit = match body.may_int("limit")? {
        Some(n @ 1..=100) => usize::try_from(n).unwrap_or(50),
        _ => 50,
    };
    let from = body.cursor()?;
    let rows: Vec<&Broadcast> = corp
        .broadcasts
        .iter()
        .filter(|b| !personal_only && b.chat_type == chat_type && (start..=end).contains(&(b.since_ms / 1000)))
        .collect();
    let page: Vec<Value> = rows
        .iter()
        .skip(from)
        .take(limit)
        .map(|b| {
            json!({
                "msgid": b.msgid, "create_time": (b.since_ms / 1000).to_string(), "create_type": 0,
                "text": b.content["text"], "attachments": b.content["attachments"],
            })
        })
        .collect();
    Ok(json!({"next_cursor": next_cursor(from, page.len(), rows.len()), "group_msg_list": page}))
}

/// `remind_groupmsg_send`: three a day and task.
pub(super) fn remind(corp: &mut Corp, call: &Call<'_>) -> Answer {
    let task = task(corp, call)?;
    if task.cancelled {
        return refuse(41093, "");
    }
    task.reminded_ms.retain(|at| call.now - at < 86_400_000);
    if task.reminded_ms.len() >= 3 {
        return refuse(41094, "");
    }
    task.reminded_ms.push(call.now);
    Ok(json!({}))
}

/// `cancel_groupmsg_send`: who has not sent yet cannot any more.
pub(super) fn cancel(corp: &mut Corp, call: &Call<'_>) -> Answer {
    let task = task(corp, call)?;
    if task.cancelled {
        return refuse(41093, "");
    }
    task.cancelled = true;
    Ok(json!({}))
}
