//! What members do with apps, what administrators do, and broadcasts confirmed.

use serde_json::json;

use super::act::{Act, Done};
use super::broadcast::confirm;
use super::corp::{Contact, Corp, Kind, Member};
use super::ring::{Ring, Xml, app_event, entitled, tag_created};
use super::tags::append;

pub(super) fn perform(corp: &mut Corp, act: Act, now: i64) -> Result<Done, String> {
    match act {
        Act::MemberWrite { app, member, text } => {
            let id = 7_000_000_000_000_000_000 + i64::try_from(corp.ids.next).unwrap_or(0);
            corp.ids.next += 1;
            let rings = to_apps(corp, app.as_deref(), &member)?
                .into_iter()
                .map(|(name, agent_id)| {
                    let xml = Xml::new(&corp.corp_id, Some(&member), now, "text")
                        .text("Content", &text)
                        .number("MsgId", id)
                        .number("AgentID", agent_id)
                        .end();
                    Ring { app: name, xml }
                })
                .collect();
            Ok(Done::new(json!({"msgid": id.to_string()}), rings))
        }
        Act::MemberEnterAgent { app, member } => event(corp, now, app, &member, "enter_agent", ""),
        Act::MenuClick { app, member, key } => event(corp, now, app, &member, "click", &key),
        Act::Subscribe { app, member } => {
            for a in corp
                .apps
                .iter_mut()
                .filter(|a| app.as_ref().is_none_or(|n| *n == a.name))
            {
                if let Some(visible) = &mut a.visible {
                    visible.insert(member.clone());
                }
            }
            event(corp, now, app, &member, "subscribe", "")
        }
        Act::Unsubscribe { app, member } => {
            let done = event(corp, now, app.clone(), &member, "unsubscribe", "")?;
            let everybody: std::collections::BTreeSet<String> = corp.members.keys().cloned().collect();
            for a in corp
                .apps
                .iter_mut()
                .filter(|a| app.as_ref().is_none_or(|n| *n == a.name))
            {
                a.visible.get_or_insert_with(|| everybody.clone()).remove(&member);
            }
            Ok(done)
        }
        Act::AddMember { member, name } => {
            corp.members.insert(
                member,
                Member {
                    name,
                    departments: vec![1],
                    ..Member::default()
                },
            );
            Ok(Done::new(json!({}), Vec::new()))
        }
        Act::AddContact { contact, name } => {
            corp.contacts.insert(
                contact,
                Contact {
                    name,
                    ..Contact::default()
                },
            );
            Ok(Done::new(json!({}), Vec::new()))
        }
        Act::ConfirmBroadcast { msgid, member } => {
            let task = corp.broadcasts.iter().find(|b| b.msgid == msgid);
            let mut members: Vec<String> = task
                .into_iter()
                .flat_map(|b| b.recipients.iter().map(|r| r.member.clone()))
                .collect();
            members.sort_unstable();
            members.dedup();
            members.retain(|m| member.as_ref().is_none_or(|only| only == m));
            let sent: Vec<usize> = members.iter().filter_map(|m| confirm(corp, &msgid, m, now)).collect();
            if sent.is_empty() {
                return Err(format!("no open broadcast {msgid} for that member"));
            }
            Ok(Done::new(json!({"sent": sent.iter().sum::<usize>()}), Vec::new()))
        }
        Act::MakeTags { group, tags } => {
            let found = corp.tag_groups.iter().position(|g| g.name == group);
            let wanted: Vec<(String, i64)> = tags.iter().map(|t| (t.clone(), 0)).collect();
            let at = append(corp, found, &group, 0, &wanted, None, now);
            let made = &corp.tag_groups[at];
            let mut ids: Vec<(String, &str)> = Vec::new();
            if found.is_none() {
                ids.push((made.id.clone(), "tag_group"));
            }
            ids.extend(
                made.tags
                    .iter()
                    .filter(|t| tags.contains(&t.name))
                    .map(|t| (t.id.clone(), "tag")),
            );
            let rings = tag_created(corp, now, &ids);
            Ok(Done::new(
                json!({"ids": ids.iter().map(|(id, _)| id).collect::<Vec<_>>()}),
                rings,
            ))
        }
        Act::Raw { app, xml } => match corp.app(&app) {
            Some(_) => Ok(Done::new(json!({}), vec![Ring { app, xml }])),
            None => Err(format!("no app {app}")),
        },
        other => Err(format!("not an act with apps: {other:?}")),
    }
}

/// The named app, or all with messages of members: (name, agent id).
fn to_apps(corp: &Corp, named: Option<&str>, member: &str) -> Result<Vec<(String, i64)>, String> {
    if !corp.members.contains_key(member) {
        return Err(format!("no member {member}"));
    }
    let apps: Vec<_> = entitled(corp, Kind::Agent, Some(member))
        .filter(|a| named.is_none_or(|n| n == a.name))
        .map(|a| (a.name.clone(), a.agent_id))
        .collect();
    if apps.is_empty() {
        Err(format!("no app that {member} sees"))
    } else {
        Ok(apps)
    }
}

fn event(corp: &Corp, now: i64, named: Option<String>, member: &str, name: &str, key: &str) -> Result<Done, String> {
    let apps = to_apps(corp, named.as_deref(), member)?;
    let rings = apps
        .iter()
        .filter_map(|(app, _)| corp.app(app))
        .map(|app| app_event(corp, now, app, member, name, key))
        .collect();
    Ok(Done::new(json!({}), rings))
}
