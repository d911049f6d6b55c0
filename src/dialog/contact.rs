//! Change events of a contact: where the relation stands, the channel it came by, and what follows from it.
//!
//! Events may come late, twice or in another order than they happened. So a stage is only ever derived from
//! the stage before and the event, and counters rise when the stage moves, never because an event came.

use super::plan::{Plan, Vars};
use super::{Undecidable, tags, welcome};
use crate::content::{Candidate, ChannelMatch, Known, Rule, Trigger};
use crate::model::doc::Stage;
use crate::model::{Action, StoreTime};
use crate::wecom::event::{ContactChange, ContactChangeKind as Kind};

/// One change of one pair, with what surrounds it.
pub(super) struct Change<'s> {
    pub event: &'s ContactChange,
    /// Where the relation stands now.
    pub stage: Stage,
    /// The state it came by: the event's, else the one remembered.
    pub state: Option<&'s str>,
    pub channel: Option<ChannelMatch<'s>>,
    /// True when nobody of the corp has known this contact before.
    pub is_new: bool,
}

/// Decides one `change_external_contact`.
pub(super) fn decide(plan: &mut Plan<'_>, event: &ContactChange) -> Result<(), Undecidable> {
    plan.expect_contact(&event.contact)?;
    let is_new = is_new(plan, event);
    let moved = enter(plan, event);
    let channel = plan.input.bundle.channel(moved.state.as_deref());
    let change = Change {
        event,
        stage: moved.after,
        state: moved.state.as_deref(),
        channel,
        is_new,
    };
    if moved.before != moved.after {
        count(plan, &change);
    }
    let rule = own_rule(plan, trigger(&event.kind), &change);
    match event.kind {
        Kind::Added => {
            welcome::plan(plan, &change, rule);
            tags::on_added(plan, &change, rule);
            read(plan, &change);
        }
        Kind::HalfAdded | Kind::ArchiveAgreed => {
            welcome::plan(plan, &change, rule);
            tags::on_change(plan, &change, rule);
        }
        Kind::Edited => {
            tags::on_change(plan, &change, rule);
            read(plan, &change);
        }
        Kind::Lost | Kind::Removed | Kind::Transferred | Kind::TransferFailed(_) => {
            tags::on_change(plan, &change, rule);
        }
    }
    Ok(())
}

/// The best rule for a trigger, as this change is seen by rules.
pub(super) fn own_rule<'a>(plan: &mut Plan<'a>, on: Trigger, change: &Change<'_>) -> Option<&'a Rule> {
    let candidate = Candidate {
        on,
        source: None,
        app: plan.input.entry.body.app.as_str(),
        kf: None,
        member: Some(change.event.member.as_str()),
        text: None,
        at: plan.accepted(),
    };
    let tags = tags::known(plan, Some(&change.event.member));
    let known = Known {
        tags: &tags,
        ..Known::default()
    };
    let ranked = plan.input.bundle.matching_with(&candidate, &known);
    let (rule, _) = ranked.matching.into_iter().next()?;
    plan.won(&rule.name);
    Some(rule)
}

/// Values that the event brings to templates.
pub(super) fn vars(change: &Change<'_>) -> Vars {
    let mut vars = Vars::new();
    vars.insert("member.userid".into(), change.event.member.to_string());
    vars.insert("contact.is_new".into(), change.is_new.to_string());
    if let Some(state) = change.state {
        vars.insert("channel.state".into(), state.into());
    }
    if let Some(found) = change.channel {
        vars.insert("channel.name".into(), found.channel.name.clone());
        vars.insert("channel.param".into(), found.param.into());
    }
    vars
}

/// How an event moved its relation.
struct Moved {
    before: Stage,
    after: Stage,
    state: Option<String>,
}

/// Moves the relation and remembers the state it came by.
fn enter(plan: &mut Plan<'_>, event: &ContactChange) -> Moved {
    let known = plan.doc.contact.as_ref().and_then(|c| c.relations.get(&event.member));
    let before = known.map(|r| r.stage).unwrap_or_default();
    let after = next(before, &event.kind);
    // A relation that begins anew does not inherit the channel of the one before.
    let anew = matches!(before, Stage::Lost | Stage::Removed) && matches!(after, Stage::Half | Stage::Full);
    let remembered = known.and_then(|r| r.state.clone()).filter(|_| !anew);
    let state = event.state.clone().filter(|s| !s.is_empty()).or(remembered);
    // An edit of somebody who was never added here tells nothing that is worth a relation of our own.
    if known.is_some() || after != before {
        let relation = plan.doc.relation_mut(&event.member);
        relation.stage = after;
        relation.state.clone_from(&state);
        if after == Stage::Removed {
            relation.tags.clear();
            relation.remark = None;
        }
    }
    Moved { before, after, state }
}

/// Raises the counter of the transition, under the channel's state as written (so that a `store-*` is one
/// counter, not one for each store).
fn count(plan: &mut Plan<'_>, change: &Change<'_>) {
    let name = change.channel.map_or("-", |c| match c.channel.state.as_str() {
        "" => c.channel.name.as_str(),
        state => state,
    });
    plan.count(format!("channel:{name}:{}", transition(&change.event.kind)));
}

/// True when neither this member (but for a half addition) nor another has known the contact.
fn is_new(plan: &Plan<'_>, event: &ContactChange) -> bool {
    plan.doc.contact.as_ref().is_none_or(|c| {
        c.relations.iter().all(|(member, relation)| match relation.stage {
            Stage::None => true,
            Stage::Half => *member == event.member,
            Stage::Full | Stage::Lost | Stage::Removed => false,
        })
    })
}

/// Where a relation stands after an event.
///
/// A half addition that comes after the full one is late news; everything else is believed.
fn next(before: Stage, kind: &Kind) -> Stage {
    match kind {
        Kind::Added => Stage::Full,
        Kind::HalfAdded if before == Stage::Full => Stage::Full,
        Kind::HalfAdded => Stage::Half,
        Kind::Lost if before == Stage::Removed => Stage::Removed,
        Kind::Lost => Stage::Lost,
        Kind::Removed | Kind::Transferred => Stage::Removed,
        Kind::Edited | Kind::TransferFailed(_) | Kind::ArchiveAgreed => before,
    }
}

/// The word of a transition in counters.
fn transition(kind: &Kind) -> &'static str {
    match kind {
        Kind::Added => "added",
        Kind::HalfAdded => "half",
        Kind::Lost => "lost",
        Kind::Removed => "removed",
        Kind::Transferred => "transferred",
        Kind::Edited => "edited",
        Kind::TransferFailed(_) => "transfer_failed",
        Kind::ArchiveAgreed => "archive_agreed",
    }
}

fn trigger(kind: &Kind) -> Trigger {
    match kind {
        Kind::Added => Trigger::ContactAdded,
        Kind::HalfAdded => Trigger::ContactHalfAdded,
        Kind::Edited => Trigger::ContactEdited,
        Kind::Lost => Trigger::ContactLost,
        Kind::Removed => Trigger::ContactRemoved,
        Kind::Transferred => Trigger::ContactTransferred,
        Kind::TransferFailed(_) => Trigger::TransferFailed,
        Kind::ArchiveAgreed => Trigger::ArchiveAgreed,
    }
}

/// Reads name, tags and remark again: a chore that waits for nothing and that nothing waits for.
fn read(plan: &mut Plan<'_>, change: &Change<'_>) {
    let contact = change.event.contact.clone();
    plan.job(Action::ReadContact { contact }, None, None);
}

/// When a code that came with this event is no longer worth sending.
pub(super) fn code_deadline(plan: &Plan<'_>) -> StoreTime {
    plan.accepted().plus(super::CODE_LIFE)
}
