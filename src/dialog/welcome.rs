//! The welcome: at most one per relation, by whichever event first brings a code.

use super::WELCOME_MARK;
use super::contact::{Change, code_deadline, own_rule, vars};
use super::plan::Plan;
use crate::content::{Rule, Trigger};
use crate::model::doc::{Relation, WelcomeMark};
use crate::model::job::{Code, Part};
use crate::model::{Action, Outcome, StoreTime};
use crate::wecom::event::ContactChangeKind as Kind;

/// A welcome stands back because another one of the same relation has reached the contact.
pub(super) const ALREADY: &str = "already_welcomed";

/// Plans the welcome, or puts on record why there is none. `own`: the best rule of the event's own trigger.
pub(super) fn plan<'a>(plan: &mut Plan<'a>, change: &Change<'_>, own: Option<&'a Rule>) {
    if change.channel.is_some_and(|c| c.channel.ignore) {
        return plan.skip("welcome", "ignored_channel", None);
    }
    let Some(code) = &change.event.welcome_code else {
        return plan.skip("welcome", "no_welcome_code", None);
    };
    let now = plan.input.now;
    let mark = plan
        .doc
        .contact
        .as_ref()
        .and_then(|c| c.relations.get(&change.event.member))
        .and_then(|r| r.welcome.clone())
        .filter(|m| fresh(m, now));
    if mark.as_ref().is_some_and(done) {
        return plan.skip("welcome", ALREADY, None);
    }
    let Some((template, winner)) = words(plan, change, own, mark.is_some()) else {
        return;
    };
    let say = plan.say(&template, Part::Whole, plan.accepted(), &vars(change));
    let action = Action::Welcome {
        code: Code(code.0.clone()),
        member: change.event.member.clone(),
        contact: change.event.contact.clone(),
        say,
    };
    let deadline = code_deadline(plan);
    plan.job(action, Some(&winner), Some(deadline));
    // While the first is in flight its mark stays: this job waits for it in their sequence, and `may_start`
    // reads from the mark how it ended.
    if mark.is_none_or(|m| m.ended.is_some()) {
        plan.doc.relation_mut(&change.event.member).welcome = Some(WelcomeMark { at: now, ended: None });
    }
}

/// True when a welcome of this relation may have reached the contact within the last 10 minutes.
pub(super) fn already(relation: &Relation, now: StoreTime) -> bool {
    relation.welcome.as_ref().is_some_and(|m| fresh(m, now) && done(m))
}

fn fresh(mark: &WelcomeMark, now: StoreTime) -> bool {
    now.since(mark.at) < WELCOME_MARK
}

/// `uncertain` and `dead` may have arrived: a second welcome would be spam. Only a welcome that surely did not
/// arrive makes room for a later code.
fn done(mark: &WelcomeMark) -> bool {
    matches!(
        mark.ended,
        Some(Outcome::Delivered | Outcome::Uncertain | Outcome::Dead)
    )
}

/// Template and who chose it: the event's own rule if it has a reply, else the rule on `contact_added`, else
/// the channel. `again`: an earlier welcome of this addition has failed, so its cool-down does not count.
fn words<'a>(plan: &mut Plan<'a>, change: &Change<'_>, own: Option<&'a Rule>, again: bool) -> Option<(String, String)> {
    let added = match change.event.kind {
        Kind::Added => None,
        _ => own_rule(plan, Trigger::ContactAdded, change),
    };
    let seed = plan.conversation();
    for rule in [own, added].into_iter().flatten() {
        let Some(template) = rule.replies(&seed).first().map(ToString::to_string) else {
            continue;
        };
        if !again && plan.cools(rule, None) {
            plan.skip("welcome", "cooldown", Some(&rule.name));
            return None;
        }
        plan.cool(rule, None);
        return Some((template, rule.name.clone()));
    }
    let Some(found) = change.channel else {
        plan.skip("welcome", "no_channel", None);
        return None;
    };
    let name = format!("channel:{}", found.channel.state);
    plan.won(&name);
    let (contact, member) = (change.event.contact.as_str(), change.event.member.as_str());
    match found.channel.welcome(contact, member, plan.accepted()) {
        Some(template) => Some((template.into(), name)),
        None => {
            plan.skip("welcome", "no_welcome_in_channel", Some(&name));
            None
        }
    }
}
