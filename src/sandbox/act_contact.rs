//! What customers and members do with each other. The chat between them is theirs: only changes call back.

use serde_json::json;

use super::act::{Act, Done};
use super::corp::{Bond, Corp, Relation};
use super::ring::contact_change;
use super::welcome::codes;

pub(super) fn perform(corp: &mut Corp, act: Act, now: i64) -> Result<Done, String> {
    match act {
        Act::Scan {
            member,
            contact,
            state,
            half,
            name,
        } => scan(corp, now, &member, &contact, state, half, name),
        Act::Confirm { member, contact } => {
            let relation = known(corp, &member, &contact)?;
            if relation.bond != Bond::Half {
                return Err(format!("{member} has not been half-added by {contact}"));
            }
            relation.bond = Bond::Full;
            let state = relation.state.clone();
            let codes = codes(corp, &member, &contact, now);
            let pair = (member.as_str(), contact.as_str());
            Ok(change(
                corp,
                now,
                "add_external_contact",
                pair,
                state.as_deref(),
                &codes,
                None,
            ))
        }
        Act::DeleteMember { member, contact } => {
            known(corp, &member, &contact)?.bond = Bond::Lost;
            Ok(change(
                corp,
                now,
                "del_follow_user",
                (&member, &contact),
                None,
                &[],
                None,
            ))
        }
        Act::DeleteContact {
            member,
            contact,
            transfer,
        } => {
            let relation = known(corp, &member, &contact)?;
            relation.bond = Bond::Removed;
            relation.tags.clear();
            let source = transfer.then_some(("Source", "DELETE_BY_TRANSFER"));
            Ok(change(
                corp,
                now,
                "del_external_contact",
                (&member, &contact),
                None,
                &[],
                source,
            ))
        }
        Act::TransferFail {
            member,
            contact,
            reason,
        } => {
            let extra = Some(("FailReason", reason.as_str()));
            Ok(change(
                corp,
                now,
                "transfer_fail",
                (&member, &contact),
                None,
                &[],
                extra,
            ))
        }
        Act::Edit {
            member,
            contact,
            remark,
            add_tags,
            remove_tags,
        } => {
            let add = tag_ids(corp, &add_tags)?;
            let remove = tag_ids(corp, &remove_tags)?;
            let relation = known(corp, &member, &contact)?;
            if let Some(remark) = remark {
                relation.remark = remark;
            }
            relation.tags.extend(add);
            relation.tags.retain(|t| !remove.contains(t));
            let state = relation.state.clone();
            Ok(change(
                corp,
                now,
                "edit_external_contact",
                (&member, &contact),
                state.as_deref(),
                &[],
                None,
            ))
        }
        Act::ArchiveAgree { member, contact } => {
            known(corp, &member, &contact)?;
            if let Some(contact) = corp.contacts.get_mut(&contact) {
                contact.archive_pending = false;
            }
            let codes = codes(corp, &member, &contact, now);
            Ok(change(
                corp,
                now,
                "msg_audit_approved",
                (&member, &contact),
                None,
                &codes,
                None,
            ))
        }
        Act::ContactWrite { member, contact } => {
            known(corp, &member, &contact)?.chatted_ms = Some(now);
            Ok(Done::new(json!({}), Vec::new()))
        }
        Act::OtherWelcome {
            member,
            contact,
            ms,
            succeeds,
        } => {
            known(corp, &member, &contact)?.welcoming = Some((now + ms, succeeds));
            Ok(Done::new(json!({}), Vec::new()))
        }
        other => Err(format!("not an act between customers and members: {other:?}")),
    }
}

fn change(
    corp: &Corp,
    now: i64,
    kind: &str,
    pair: (&str, &str),
    state: Option<&str>,
    codes: &[(String, String)],
    extra: Option<(&str, &str)>,
) -> Done {
    let rings = contact_change(corp, now, kind, pair, state, codes, extra);
    let code = codes.first().map(|(_, code)| code.as_str());
    Done::new(json!({"welcome_code": code}), rings)
}

fn scan(
    corp: &mut Corp,
    now: i64,
    member: &str,
    contact: &str,
    state: Option<String>,
    half: bool,
    name: Option<String>,
) -> Result<Done, String> {
    if corp.members.get(member).is_none_or(|m| m.no_contacts) {
        return Err(format!("{member} is no member with 客户联系"));
    }
    let born = corp.contacts.entry(contact.to_owned()).or_default();
    if let Some(name) = name {
        born.name = name;
    }
    let key = (member.to_owned(), contact.to_owned());
    let before = corp.relations.get(&key);
    if before.is_some_and(|r| r.bond == Bond::Full || (half && r.bond == Bond::Half)) {
        // Friends already: the chat opens, nothing is called back.
        return Ok(Done::new(json!({"already": true}), Vec::new()));
    }
    let mut relation = Relation::new(if half { Bond::Half } else { Bond::Full }, now);
    match before {
        // The half-added's scan again, now with confirmation: the same acquaintance goes on.
        Some(r) if r.bond == Bond::Half => {
            relation = r.clone();
            relation.bond = Bond::Full;
        }
        // After a loss the member's tags are still there.
        Some(r) => relation.tags = r.tags.clone(),
        None => {}
    }
    relation.state = state.or(relation.state);
    let state = relation.state.clone();
    corp.relations.insert(key, relation);
    let codes = codes(corp, member, contact, now);
    let kind = if half {
        "add_half_external_contact"
    } else {
        "add_external_contact"
    };
    Ok(change(
        corp,
        now,
        kind,
        (member, contact),
        state.as_deref(),
        &codes,
        None,
    ))
}

fn known<'a>(corp: &'a mut Corp, member: &str, contact: &str) -> Result<&'a mut Relation, String> {
    corp.relation_mut(member, contact)
        .ok_or_else(|| format!("{member} and {contact} do not know each other"))
}

fn tag_ids(corp: &Corp, wanted: &[String]) -> Result<Vec<String>, String> {
    wanted
        .iter()
        .map(|tag| {
            corp.tag_groups
                .iter()
                .flat_map(|g| g.tags.iter().map(move |t| (g, t)))
                .find(|(g, t)| t.id == *tag || format!("{}/{}", g.name, t.name) == *tag)
                .map(|(_, t)| t.id.clone())
                .ok_or_else(|| format!("no tag {tag}"))
        })
        .collect()
}
