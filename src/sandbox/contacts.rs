//! Reading customers, and the remark.

use serde_json::{Value, json};

use super::call::Call;
use super::corp::{Corp, Relation};
use super::fields::next_cursor;
use super::media::must_have;
use super::refusal::{Answer, refuse};

fn profile(corp: &Corp, id: &str) -> Value {
    let contact = corp.contacts.get(id).cloned().unwrap_or_default();
    let kind = if contact.from_wecom { 2 } else { 1 };
    json!({"external_userid": id, "name": contact.name, "avatar": "", "type": kind, "gender": 0})
}

fn follow(corp: &Corp, member: &str, relation: &Relation, tag_ids_only: bool) -> Value {
    let mut out = json!({
        "userid": member, "remark": relation.remark, "description": relation.description,
        "createtime": relation.since_ms / 1000, "remark_corp_name": relation.remark_company,
        "remark_mobiles": relation.remark_mobiles, "add_way": 1, "oper_userid": member,
    });
    if let Some(state) = &relation.state {
        out["state"] = state.as_str().into();
    }
    if tag_ids_only {
        out["tag_id"] = json!(relation.tags);
    } else {
        let tags = corp.tag_groups.iter().flat_map(|group| {
            group
                .tags
                .iter()
                .filter(|t| relation.tags.contains(&t.id))
                .map(|tag| json!({"group_name": group.name, "tag_name": tag.name, "tag_id": tag.id, "type": 1}))
        });
        out["tags"] = tags.collect();
    }
    out
}

/// `externalcontact/get`
pub(super) fn get(corp: &mut Corp, call: &Call<'_>) -> Answer {
    let id = call.param("external_userid", 41035)?;
    if !corp.contacts.contains_key(id) {
        return refuse(40096, id);
    }
    let followers: Vec<Value> = corp
        .relations
        .iter()
        .filter(|((member, contact), r)| contact == id && r.holds() && corp.sees(call.app, member))
        .map(|((member, _), r)| follow(corp, member, r, false))
        .collect();
    if followers.is_empty() {
        return refuse(84061, id);
    }
    Ok(json!({"external_contact": profile(corp, id), "follow_user": followers}))
}

/// `externalcontact/list`: a member without customers answers 84061, not an empty list.
pub(super) fn list(corp: &mut Corp, call: &Call<'_>) -> Answer {
    let id = call.param("userid", 41009)?;
    if !corp.members.contains_key(id) {
        return refuse(40003, id);
    }
    if !corp.sees(call.app, id) {
        return refuse(60011, id);
    }
    let ids: Vec<&str> = corp
        .relations
        .iter()
        .filter(|((m, _), r)| m == id && r.holds())
        .map(|((_, c), _)| c.as_str())
        .collect();
    if ids.is_empty() {
        return refuse(84061, id);
    }
    Ok(json!({"external_userid": ids}))
}

/// `externalcontact/get_follow_user_list`
pub(super) fn follow_users(corp: &mut Corp, call: &Call<'_>) -> Answer {
    let members: Vec<&str> = corp
        .members
        .iter()
        .filter(|(id, m)| !m.no_contacts && corp.sees(call.app, id))
        .map(|(id, _)| id.as_str())
        .collect();
    Ok(json!({"follow_user": members}))
}

/// `externalcontact/batch/get_by_user`
pub(super) fn by_user(corp: &mut Corp, call: &Call<'_>) -> Answer {
    let body = call.fields();
    let members = body.texts("userid_list", 100)?;
    if members.is_empty() {
        return refuse(40063, "userid_list");
    }
    for member in &members {
        if !corp.sees(call.app, member) {
            return refuse(40003, *member);
        }
    }
    let limit = body
        .may_int("limit")?
        .filter(|n| *n > 0)
        .map_or(50, |n| usize::try_from(n.min(100)).unwrap_or(100));
    let from = body.cursor()?;
    let rows: Vec<Value> = corp
        .relations
        .iter()
        .filter(|((m, _), r)| members.contains(&m.as_str()) && r.holds())
        .map(|((m, c), r)| json!({"external_contact": profile(corp, c), "follow_info": follow(corp, m, r, true)}))
        .collect();
    let page: Vec<&Value> = rows.iter().skip(from).take(limit).collect();
    Ok(json!({"external_contact_list": page, "next_cursor": next_cursor(from, page.len(), rows.len())}))
}

/// `externalcontact/remark`
pub(super) fn remark(corp: &mut Corp, call: &Call<'_>) -> Answer {
    let body = call.fields();
    let member = body.text("userid", 41009)?;
    let contact = body.text("external_userid", 41035)?;
    let remark = body.short("remark", 20)?;
    let description = body.short("description", 150)?;
    let company = body.short("remark_company", 20)?;
    let mobiles = body.texts("remark_mobiles", 100)?;
    if let Some(media) = body.may_text("remark_pic_mediaid")? {
        must_have(corp, media, &["image"], call.now)?;
    }
    if [
        "remark",
        "description",
        "remark_company",
        "remark_mobiles",
        "remark_pic_mediaid",
    ]
    .iter()
    .all(|k| call.body.get(k).is_none())
    {
        return refuse(40058, "nothing to change");
    }
    pair(corp, call.app, member, contact)?;
    let Some(relation) = corp.relation_mut(member, contact) else {
        return refuse(84061, contact);
    };
    if call.body.get("remark").is_some() {
        relation.remark = remark.unwrap_or_default().to_owned();
    }
    if call.body.get("description").is_some() {
        relation.description = description.unwrap_or_default().to_owned();
    }
    if call.body.get("remark_company").is_some() {
        relation.remark_company = company.unwrap_or_default().to_owned();
    }
    if !mobiles.is_empty() {
        relation.remark_mobiles = mobiles
            .iter()
            .filter(|m| !m.is_empty())
            .map(|m| (*m).to_owned())
            .collect();
    }
    Ok(json!({}))
}

/// The member must be there and visible, the contact must exist, and the member's side of their relation
/// must hold: 40003, 60011, 40096, 84061.
pub(super) fn pair(corp: &Corp, app: &str, member: &str, contact: &str) -> Result<(), super::refusal::Refusal> {
    if !corp.members.contains_key(member) {
        return refuse(40003, member);
    }
    if !corp.sees(app, member) {
        return refuse(60011, member);
    }
    if !corp.contacts.contains_key(contact) {
        return refuse(40096, contact);
    }
    if corp.relation(member, contact).is_some_and(Relation::holds) {
        Ok(())
    } else {
        refuse(84061, contact)
    }
}
