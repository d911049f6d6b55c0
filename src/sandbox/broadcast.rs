//! 企业群发: `add_msg_template` makes a task; only a member's confirmation sends anything.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::call::Call;
use super::corp::{Bond, Broadcast, Corp, Recipient, Way};
use super::fields::Fields;
use super::limits::reachable;
use super::refusal::{Answer, Refusal, refuse};
use super::welcome::{content, show_parts};

/// `externalcontact/add_msg_template`. Not idempotent, as in WeCom: the same call again is a second task.
pub(super) fn add(corp: &mut Corp, call: &Call<'_>) -> Answer {
    let body = call.fields();
    match body.may_text("chat_type")?.unwrap_or("single") {
        "single" => {}
        "group" => return refuse(86214, "the sandbox has no customer groups yet"),
        other => return refuse(86214, other),
    }
    let named = body.texts("external_userid", 10_000)?;
    let sender = body.may_text("sender")?;
    let filter = tag_filter(body)?;
    if named.is_empty() && sender.is_none() && filter.is_none() {
        return refuse(40058, "sender, external_userid and tag_filter are all empty");
    }
    if let Some(sender) = sender
        && !corp.sees(call.app, sender)
    {
        return refuse(40003, sender);
    }
    let content = content(corp, call)?;
    let mut fail_list = Vec::new();
    let mut recipients: Vec<Recipient> = Vec::new();
    if named.is_empty() {
        recipients = by_filter(corp, sender, filter.as_deref());
    } else {
        let unique: BTreeSet<&str> = named.iter().copied().collect();
        for contact in unique {
            match member_for(corp, call.app, sender, contact) {
                Some(member) => recipients.push(pending(&member, contact)),
                None => fail_list.push(contact.to_owned()),
            }
        }
    }
    if recipients.is_empty() {
        return refuse(41048, "");
    }
    let msgid = corp.ids.make("msgGCAAAX");
    corp.broadcasts.push(Broadcast {
        msgid: msgid.clone(),
        since_ms: call.now,
        content,
        chat_type: "single".to_owned(),
        recipients,
        confirmed: BTreeMap::new(),
        cancelled: false,
        reminded_ms: Vec::new(),
    });
    Ok(json!({"fail_list": fail_list, "msgid": msgid}))
}

fn pending(member: &str, contact: &str) -> Recipient {
    Recipient {
        contact: contact.to_owned(),
        member: member.to_owned(),
        status: 0,
        sent_ms: 0,
    }
}

/// Whose task a customer becomes: the sender's, else of the member who last chatted with them.
fn member_for(corp: &Corp, app: &str, sender: Option<&str>, contact: &str) -> Option<String> {
    corp.relations
        .iter()
        .filter(|((m, c), r)| {
            c == contact && r.bond == Bond::Full && corp.sees(app, m) && sender.is_none_or(|s| s == m)
        })
        .max_by_key(|(_, r)| (r.chatted_ms.unwrap_or(0), r.since_ms))
        .map(|((m, _), _)| m.clone())
}

type Filter<'a> = Vec<Vec<&'a str>>;

fn tag_filter(body: Fields<'_>) -> Result<Option<Filter<'_>>, Refusal> {
    if body.0.get("tag_filter").is_none_or(Value::is_null) {
        return Ok(None);
    }
    let mut lists = Vec::new();
    for group in body
        .object("tag_filter")?
        .list("group_list", usize::MAX)?
        .iter()
        .map(Fields)
    {
        lists.push(group.texts("tag_list", 100)?);
    }
    Ok((!lists.is_empty()).then_some(lists))
}

/// Everybody whom a sender or a tag filter alone addresses: OR inside a list, AND across lists.
fn by_filter(corp: &Corp, sender: Option<&str>, filter: Option<&[Vec<&str>]>) -> Vec<Recipient> {
    let mut seen = BTreeSet::new();
    corp.relations
        .iter()
        .filter(|((m, _), r)| r.bond == Bond::Full && sender.is_none_or(|s| s == m))
        .filter(|(_, r)| filter.is_none_or(|f| f.iter().all(|list| list.iter().any(|t| r.tags.contains(*t)))))
        .filter(|((_, c), _)| seen.insert(c.clone()))
        .map(|((m, c), _)| pending(m, c))
        .collect()
}

/// A member confirms their part in the client: each of their customers gets it (1), is no friend any more
/// (2) or has used up the quota (3). Returns how many got it; `None`: no such task for that member.
pub(super) fn confirm(corp: &mut Corp, msgid: &str, member: &str, now: i64) -> Option<usize> {
    let at = corp.broadcasts.iter().position(|b| b.msgid == msgid && !b.cancelled)?;
    if !corp.broadcasts[at].recipients.iter().any(|r| r.member == member) {
        return None;
    }
    let mut task = corp.broadcasts[at].clone();
    task.confirmed.entry(member.to_owned()).or_insert(now);
    let mut got = 0;
    for recipient in task
        .recipients
        .iter_mut()
        .filter(|r| r.member == member && r.status == 0)
    {
        let friend = corp
            .relation(member, &recipient.contact)
            .is_some_and(|r| r.bond == Bond::Full);
        let before = corp.reached.entry(recipient.contact.clone()).or_default();
        recipient.status = if !friend {
            2
        } else if !reachable(corp.limits.broadcast_rule, before, now) {
            3
        } else {
            before.push(now);
            show_parts(corp, now, Way::Broadcast, member, &recipient.contact, &task.content);
            got += 1;
            1
        };
        recipient.sent_ms = now;
    }
    corp.broadcasts[at] = task;
    Some(got)
}
