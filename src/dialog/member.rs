//! What members write and do in an app's chat.

use super::Undecidable;
use super::plan::{Choice, Plan, Vars};
use crate::content::{Candidate, Known, Place, Source, Trigger};
use crate::model::Action;
use crate::wecom::event::MemberMessage;
use crate::wecom::id::UserId;

/// A member wrote.
pub(super) fn message(plan: &mut Plan<'_>, message: &MemberMessage) -> Result<(), Undecidable> {
    answer(plan, Trigger::Message, &message.member, message.text.as_deref())
}

/// A member opened the app.
pub(super) fn entered(plan: &mut Plan<'_>, member: &UserId) -> Result<(), Undecidable> {
    answer(plan, Trigger::AppEntered, member, None)
}

/// A member came into the app's visible range.
pub(super) fn subscribed(plan: &mut Plan<'_>, member: &UserId) -> Result<(), Undecidable> {
    answer(plan, Trigger::MemberSubscribed, member, None)
}

/// A member left it.
pub(super) fn unsubscribed(plan: &mut Plan<'_>, member: &UserId) -> Result<(), Undecidable> {
    answer(plan, Trigger::MemberUnsubscribed, member, None)
}

/// A member clicked a menu item.
pub(super) fn clicked(plan: &mut Plan<'_>, member: &UserId, key: &str) -> Result<(), Undecidable> {
    answer(plan, Trigger::MenuClick, member, Some(key))
}

/// An answer that is already too late is planned all the same: it ends `expired: deadline`, on record like
/// every other, and starts no cool-down because nobody will have read it.
fn answer(plan: &mut Plan<'_>, on: Trigger, member: &UserId, text: Option<&str>) -> Result<(), Undecidable> {
    plan.expect_member(member)?;
    let at = plan.accepted();
    let event = Candidate {
        on,
        source: Some(Source::Agent),
        app: plan.input.entry.body.app.as_str(),
        kf: None,
        member: Some(member.as_str()),
        text,
        at,
    };
    let Choice::Rule(rule, keyword) = plan.choose(&event, &Known::default(), None) else {
        return Ok(());
    };
    let mut vars = Vars::new();
    vars.insert("member.userid".into(), member.to_string());
    if on == Trigger::Message {
        vars.extend(text.map(|t| ("message.text".into(), t.into())));
        vars.extend(keyword.map(|k| ("message.keyword".into(), k)));
    }
    let deadline = at.plus(plan.input.corp.kf.max_age);
    let mut spoken = false;
    for template in rule.replies(&plan.conversation()) {
        for part in plan.input.bundle.parts(template, Place::App) {
            let say = plan.say(template, part, at, &vars);
            let member = member.clone();
            plan.job(Action::AppMessage { member, say }, Some(&rule.name), Some(deadline));
            spoken = true;
        }
    }
    if spoken && plan.input.now < deadline {
        plan.cool(rule, None);
    }
    Ok(())
}
