//! The tag library, and tags on customers. Tags belong to the pair of member and customer.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::call::Call;
use super::contacts::pair;
use super::corp::{Corp, Tag, TagGroup};
use super::fields::Fields;
use super::refusal::{Answer, Refusal, refuse};

/// All tags of a corp together (C3).
const MOST_TAGS: usize = 10_000;

/// `externalcontact/mark_tag`
pub(super) fn mark(corp: &mut Corp, call: &Call<'_>) -> Answer {
    let body = call.fields();
    let member = body.text("userid", 41009)?;
    let contact = body.text("external_userid", 41035)?;
    let add = body.texts("add_tag", usize::MAX)?;
    let remove = body.texts("remove_tag", usize::MAX)?;
    if add.is_empty() && remove.is_empty() {
        return refuse(40063, "add_tag and remove_tag");
    }
    pair(corp, call.app, member, contact)?;
    let known: BTreeSet<&str> = corp
        .tag_groups
        .iter()
        .flat_map(|g| &g.tags)
        .map(|t| t.id.as_str())
        .collect();
    if let Some(unknown) = add.iter().chain(&remove).find(|id| !known.contains(**id)) {
        return refuse(40068, *unknown);
    }
    if let Some(relation) = corp.relation_mut(member, contact) {
        relation.tags.extend(add.iter().map(|t| (*t).to_owned()));
        relation.tags.retain(|t| !remove.contains(&t.as_str()));
    }
    Ok(json!({}))
}

fn group_json(group: &TagGroup, only: Option<&[&str]>) -> Value {
    let tags: Vec<Value> = group
        .tags
        .iter()
        .filter(|t| only.is_none_or(|ids| ids.contains(&t.id.as_str())))
        .map(|t| json!({"id": t.id, "name": t.name, "create_time": t.since_ms / 1000, "order": t.order}))
        .collect();
    json!({
        "group_id": group.id, "group_name": group.name, "create_time": group.since_ms / 1000,
        "order": group.order, "tag": tags,
    })
}

/// `externalcontact/get_corp_tag_list`: of both filters only the groups count.
pub(super) fn list(corp: &mut Corp, call: &Call<'_>) -> Answer {
    let tag_ids = call.fields().texts("tag_id", usize::MAX)?;
    let group_ids = call.fields().texts("group_id", usize::MAX)?;
    let groups: Vec<Value> = if !group_ids.is_empty() {
        corp.tag_groups
            .iter()
            .filter(|g| group_ids.contains(&g.id.as_str()))
            .map(|g| group_json(g, None))
            .collect()
    } else if !tag_ids.is_empty() {
        corp.tag_groups
            .iter()
            .filter(|g| g.tags.iter().any(|t| tag_ids.contains(&t.id.as_str())))
            .map(|g| group_json(g, Some(&tag_ids)))
            .collect()
    } else {
        corp.tag_groups.iter().map(|g| group_json(g, None)).collect()
    };
    Ok(json!({"tag_group": groups}))
}

fn name_fits(name: &str) -> Result<(), Refusal> {
    if name.chars().count() > 30 {
        refuse(40072, name)
    } else {
        Ok(())
    }
}

/// `externalcontact/add_corp_tag`: an existing group of that name gets the tags; a tag that is already there
/// refuses the whole call with 40071.
pub(super) fn add(corp: &mut Corp, call: &Call<'_>) -> Answer {
    let body = call.fields();
    let order = body.may_int("order")?.unwrap_or(0);
    let mut wanted: Vec<(String, i64)> = Vec::new();
    for tag in body.list("tag", usize::MAX)?.iter().map(Fields) {
        let name = tag.text("name", 40063)?;
        name_fits(name)?;
        let order = tag.may_int("order")?.unwrap_or(0);
        if !(0..1 << 32).contains(&order) {
            return refuse(40058, "order");
        }
        // Duplicate names inside a request are merged.
        if !wanted.iter().any(|(n, _)| n == name) {
            wanted.push((name.to_owned(), order));
        }
    }
    if wanted.is_empty() {
        return refuse(40063, "tag");
    }
    let found = match body.may_text("group_id")? {
        Some(id) => match corp.tag_groups.iter().position(|g| g.id == id) {
            None => return refuse(40068, id),
            at => at,
        },
        None => {
            let name = body.text("group_name", 40063)?;
            name_fits(name)?;
            corp.tag_groups.iter().position(|g| g.name == name)
        }
    };
    if let Some(at) = found
        && let Some((name, _)) = wanted
            .iter()
            .find(|(n, _)| corp.tag_groups[at].tags.iter().any(|t| t.name == *n))
    {
        return refuse(40071, name);
    }
    if corp.tag_groups.iter().map(|g| g.tags.len()).sum::<usize>() + wanted.len() > MOST_TAGS {
        return refuse(40126, "");
    }
    let names: Vec<String> = wanted.iter().map(|(n, _)| n.clone()).collect();
    let group_name = body.may_text("group_name")?.unwrap_or_default();
    let at = append(corp, found, group_name, order, &wanted, Some(call.app), call.now);
    let group = &corp.tag_groups[at];
    let ids: Vec<&str> = group
        .tags
        .iter()
        .filter(|t| names.contains(&t.name))
        .map(|t| t.id.as_str())
        .collect();
    Ok(json!({"tag_group": group_json(group, Some(&ids))}))
}

/// Puts tags into the library and returns the group's place.
pub(super) fn append(
    corp: &mut Corp,
    found: Option<usize>,
    group_name: &str,
    order: i64,
    wanted: &[(String, i64)],
    made_by: Option<&str>,
    now: i64,
) -> usize {
    let at = found.unwrap_or_else(|| {
        let id = corp.ids.make("etg");
        corp.tag_groups.push(TagGroup {
            id,
            name: group_name.to_owned(),
            order,
            since_ms: now,
            made_by: made_by.map(str::to_owned),
            tags: Vec::new(),
        });
        corp.tag_groups.len() - 1
    });
    for (name, order) in wanted {
        let id = corp.ids.make("et");
        corp.tag_groups[at].tags.push(Tag {
            id,
            name: name.clone(),
            order: *order,
            since_ms: now,
        });
    }
    at
}

fn own(group: &TagGroup, app: &str) -> Result<(), Refusal> {
    if group.made_by.as_deref() == Some(app) {
        Ok(())
    } else {
        refuse(60011, &group.id)
    }
}

/// `externalcontact/edit_corp_tag`: only what this app made.
pub(super) fn edit(corp: &mut Corp, call: &Call<'_>) -> Answer {
    let body = call.fields();
    let id = body.text("id", 40068)?;
    let name = body.may_text("name")?;
    let order = body.may_int("order")?;
    name_fits(name.unwrap_or_default())?;
    if let Some(at) = corp.tag_groups.iter().position(|g| g.id == id) {
        own(&corp.tag_groups[at], call.app)?;
        if name.is_some_and(|n| corp.tag_groups.iter().any(|g| g.name == n && g.id != id)) {
            return refuse(40071, name.unwrap_or_default());
        }
        let group = &mut corp.tag_groups[at];
        group.name = name.map_or_else(|| group.name.clone(), str::to_owned);
        group.order = order.unwrap_or(group.order);
        return Ok(json!({}));
    }
    let Some(group) = corp.tag_groups.iter_mut().find(|g| g.tags.iter().any(|t| t.id == id)) else {
        return refuse(40068, id);
    };
    own(group, call.app)?;
    if name.is_some_and(|n| group.tags.iter().any(|t| t.name == n && t.id != id)) {
        return refuse(40071, name.unwrap_or_default());
    }
    if let Some(tag) = group.tags.iter_mut().find(|t| t.id == id) {
        tag.name = name.map_or_else(|| tag.name.clone(), str::to_owned);
        tag.order = order.unwrap_or(tag.order);
    }
    Ok(json!({}))
}

/// `externalcontact/del_corp_tag`: only what this app made; the last tag takes its group with it.
pub(super) fn delete(corp: &mut Corp, call: &Call<'_>) -> Answer {
    let tags = call.fields().texts("tag_id", usize::MAX)?;
    let groups = call.fields().texts("group_id", usize::MAX)?;
    if tags.is_empty() && groups.is_empty() {
        return refuse(40068, "tag_id and group_id");
    }
    let concerns =
        |g: &&TagGroup| groups.contains(&g.id.as_str()) || g.tags.iter().any(|t| tags.contains(&t.id.as_str()));
    let there = |id: &str| {
        corp.tag_groups
            .iter()
            .any(|g| g.id == id || g.tags.iter().any(|t| t.id == id))
    };
    if let Some(unknown) = tags.iter().chain(&groups).find(|id| !there(id)) {
        return refuse(40068, *unknown);
    }
    for group in corp.tag_groups.iter().filter(concerns) {
        own(group, call.app)?;
    }
    for group in &mut corp.tag_groups {
        let whole = groups.contains(&group.id.as_str());
        group.tags.retain(|t| !whole && !tags.contains(&t.id.as_str()));
    }
    corp.tag_groups.retain(|g| !g.tags.is_empty());
    let left: BTreeSet<String> = corp
        .tag_groups
        .iter()
        .flat_map(|g| &g.tags)
        .map(|t| t.id.clone())
        .collect();
    for relation in corp.relations.values_mut() {
        relation.tags.retain(|t| left.contains(t));
    }
    Ok(json!({}))
}
