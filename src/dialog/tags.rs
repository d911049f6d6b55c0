//! Tags belong to member × contact. Where the pair is not complete they wait; where there is no pair they are
//! kept as labels of the contact.

use std::collections::BTreeSet;

use super::contact::Change;
use super::plan::Plan;
use crate::content::Rule;
use crate::model::Action;
use crate::model::doc::Stage;
use crate::model::job::TagName;
use crate::wecom::id::{ExternalUserId, UserId};

/// The relation is complete: the channel's tags, the rule's, and all that waited for this moment, in one call.
pub(super) fn on_added(plan: &mut Plan<'_>, change: &Change<'_>, rule: Option<&Rule>) {
    if let Some(found) = change.channel {
        plan.won(&format!("channel:{}", found.channel.state));
        if found.channel.ignore {
            return plan.skip("tags", "ignored_channel", None);
        }
    }
    let mut add: BTreeSet<TagName> = rule.iter().flat_map(|r| r.add_tags.iter().cloned()).collect();
    if let Some(found) = change.channel {
        add.extend(found.channel.tags.iter().cloned());
    }
    let facts = plan.doc.contact_mut();
    add.append(&mut facts.labels);
    if let Some(relation) = facts.relations.get_mut(&change.event.member) {
        add.append(&mut relation.pending_tags);
    }
    let remove: Vec<TagName> = rule.map(|r| r.remove_tags.clone()).unwrap_or_default();
    add.retain(|t| !remove.contains(t));
    let winner = rule.map(|r| r.name.as_str());
    mark(plan, &change.event.member, &change.event.contact, add, remove, winner);
}

/// Every other change: the rule's tags, as far as the relation can bear them.
pub(super) fn on_change(plan: &mut Plan<'_>, change: &Change<'_>, rule: Option<&Rule>) {
    let Some(rule) = rule.filter(|r| !r.add_tags.is_empty() || !r.remove_tags.is_empty()) else {
        return;
    };
    if change.channel.is_some_and(|c| c.channel.ignore) {
        return plan.skip("tags", "ignored_channel", Some(&rule.name));
    }
    match change.stage {
        Stage::Removed => plan.skip("tags", "relation_ended", Some(&rule.name)),
        Stage::Half => pend(plan, &change.event.member, rule),
        // WeCom spoke of the pair, so it exists, even if this store has never heard of it.
        Stage::None | Stage::Full | Stage::Lost => {
            let (member, contact) = (&change.event.member, &change.event.contact);
            let add = rule.add_tags.iter().cloned().collect();
            mark(plan, member, contact, add, rule.remove_tags.clone(), Some(&rule.name));
        }
    }
}

/// A kf rule's tags: on every known relation of the contact, else as labels.
pub(super) fn on_kf(plan: &mut Plan<'_>, contact: &ExternalUserId, rule: &Rule) {
    if rule.add_tags.is_empty() && rule.remove_tags.is_empty() {
        return;
    }
    let relations: Vec<(UserId, Stage)> = plan
        .doc
        .contact
        .iter()
        .flat_map(|c| &c.relations)
        .map(|(m, r)| (m.clone(), r.stage))
        .filter(|(_, stage)| matches!(stage, Stage::Half | Stage::Full | Stage::Lost))
        .collect();
    if relations.is_empty() {
        let labels = &mut plan.doc.contact_mut().labels;
        labels.retain(|t| !rule.remove_tags.contains(t));
        labels.extend(rule.add_tags.iter().cloned());
        return;
    }
    for (member, stage) in relations {
        if stage == Stage::Half {
            pend(plan, &member, rule);
        } else {
            let add = rule.add_tags.iter().cloned().collect();
            mark(plan, &member, contact, add, rule.remove_tags.clone(), Some(&rule.name));
        }
    }
}

/// Tags and labels that conditions may ask for: those of one relation, or of all where no member is meant. What
/// waits to be set counts as set.
pub(super) fn known(plan: &Plan<'_>, member: Option<&UserId>) -> Vec<TagName> {
    let Some(facts) = &plan.doc.contact else {
        return Vec::new();
    };
    let meant = facts
        .relations
        .iter()
        .filter(|(m, _)| member.is_none_or(|wanted| *m == wanted));
    let of_relations = meant.flat_map(|(_, r)| r.tags.iter().chain(&r.pending_tags));
    facts.labels.iter().chain(of_relations).cloned().collect()
}

fn pend(plan: &mut Plan<'_>, member: &UserId, rule: &Rule) {
    let pending = &mut plan.doc.relation_mut(member).pending_tags;
    pending.retain(|t| !rule.remove_tags.contains(t));
    pending.extend(rule.add_tags.iter().cloned());
}

fn mark(
    plan: &mut Plan<'_>,
    member: &UserId,
    contact: &ExternalUserId,
    add: BTreeSet<TagName>,
    remove: Vec<TagName>,
    rule: Option<&str>,
) {
    if add.is_empty() && remove.is_empty() {
        return;
    }
    let action = Action::MarkTags {
        member: member.clone(),
        contact: contact.clone(),
        add: add.into_iter().collect(),
        remove,
    };
    plan.job(action, rule, None);
}
