//! 微信客服: what customers write, and whether we, a person or nobody answers.
//!
//! We speak only in session states 0, 1 and unknown. What a person serves we leave to them; what we cannot
//! answer goes to the waiting pool (`pool`).

use super::plan::{Choice, Plan, Vars};
use super::{KF_WINDOW, Undecidable, kf_event, pool, tags};
use crate::content::{Candidate, Known, Place, Rule, Source, Trigger};
use crate::model::doc::{KfSession, Stage};
use crate::model::job::Code;
use crate::model::{Action, StoreTime};
use crate::wecom::id::{ExternalUserId, OpenKfId};
use crate::wecom::kf::{KfBody, KfEvent, KfMessage, Origin};

/// One message or event of a kf account, with what surrounds it.
pub(super) struct Turn<'e> {
    pub account: &'e OpenKfId,
    pub contact: ExternalUserId,
    /// Its short name in the settings.
    pub short: Option<String>,
    /// `send_time`, never later than the acceptance.
    pub at: StoreTime,
    /// Older than the first moment this store served the account: only remembered.
    pub early: bool,
    /// From here on an answer is too old.
    pub stale_from: StoreTime,
    /// True when nobody of the corp has known this contact before.
    pub is_new: bool,
}

/// A ring or the slow poll: one pull each. Rings are never deduped; a superfluous pull ends `coalesced`.
pub(super) fn pull(plan: &mut Plan<'_>, account: &OpenKfId, token: Option<&str>) {
    let served = &plan.input.corp.kf.accounts;
    if !served.is_empty() && !served.values().any(|a| a == account) {
        return plan.skip("pull", "account_not_served", None);
    }
    let action = Action::KfPull {
        account: account.clone(),
        token: token.filter(|t| !t.is_empty()).map(|t| Code(t.into())),
    };
    plan.job(action, None, None);
}

/// Decides one element of `msg_list`.
pub(super) fn decide(plan: &mut Plan<'_>, account: &OpenKfId, first_served: StoreTime) -> Result<(), Undecidable> {
    let message = KfMessage::parse(&plan.input.entry.body.raw)
        .map_err(|e| Undecidable::new(format!("unreadable_kf_message: {e}")))?;
    // Events about receptionists alone name no customer and ask nothing of us.
    let Some(contact) = message.contact.clone() else {
        return Ok(());
    };
    plan.expect_contact(&contact)?;
    // A clock of WeCom's that runs ahead of ours must not make an answer live longer.
    let accepted = plan.accepted().max(StoreTime(0));
    let at = message
        .send_time
        .map_or(accepted, StoreTime::from_secs)
        .clamp(StoreTime(0), accepted);
    let accounts = &plan.input.corp.kf.accounts;
    let turn = Turn {
        account,
        contact,
        short: accounts
            .iter()
            .find(|(_, a)| *a == account)
            .map(|(name, _)| name.clone()),
        at,
        // `send_time` counts whole seconds: what was written in the second we began in is ours.
        early: at.0.saturating_add(999) < first_served.0,
        stale_from: at.plus(plan.input.corp.kf.max_age),
        is_new: is_new(plan, account),
    };
    wake(plan, &turn);
    match (message.body, message.origin) {
        (KfBody::Event(event), _) => happened(plan, &turn, event),
        (KfBody::Text { content, menu_id }, Origin::Customer) => {
            customer(plan, &turn, Some(&content), menu_id.as_deref());
        }
        (KfBody::Other, Origin::Customer) => customer(plan, &turn, None, None),
        (KfBody::Text { .. } | KfBody::Other, Origin::Servicer) => plan.doc.kf_mut(account).state = Some(3),
        (KfBody::Text { .. } | KfBody::Other, Origin::System | Origin::Other(_)) => {}
    }
    Ok(())
}

/// Something happened in the session.
fn happened(plan: &mut Plan<'_>, turn: &Turn<'_>, event: KfEvent) {
    match event {
        KfEvent::EnterSession {
            scene,
            scene_param,
            welcome_code,
        } => {
            let session = plan.doc.kf_mut(turn.account);
            session.scene = scene;
            session.scene_param = scene_param;
            kf_event::entered(plan, turn, welcome_code);
        }
        KfEvent::SessionChanged {
            change_type, msg_code, ..
        } => kf_event::session_changed(plan, turn, change_type, msg_code),
        KfEvent::SendFailed { fail_type, .. } => kf_event::send_failed(plan, turn, fail_type),
        // Noted; an answer that waits in the outbox is not taken back for it yet.
        KfEvent::UserRecalled { .. } => plan.skip("recall", "user_recall_msg", None),
        KfEvent::ServicerStatus { .. }
        | KfEvent::ServicerRecalled { .. }
        | KfEvent::RejectSwitch { .. }
        | KfEvent::Other { .. } => {}
    }
}

/// The customer wrote, or clicked a menu item (which also says the item's text).
fn customer(plan: &mut Plan<'_>, turn: &Turn<'_>, text: Option<&str>, menu: Option<&str>) {
    let session = plan.doc.kf_mut(turn.account);
    session.last_message = session.last_message.max(Some(turn.at));
    // WeCom counts from the customer's last message, not from when we read it. `send_time` counts whole seconds;
    // within one the customer is believed.
    let end_of_second = StoreTime(turn.at.0.saturating_add(999));
    session.sent_at.retain(|sent| *sent > end_of_second);
    session.sent = u8::try_from(session.sent_at.len()).unwrap_or(u8::MAX);
    if session.sent == 0 {
        session.counted = None;
    }
    if session.state == Some(4) {
        session.state = Some(0);
        session.pooled = false;
    }
    let person = serves(session);
    if turn.early {
        return plan.skip("reply", "before_first_served", None);
    }
    let late = plan.input.now >= turn.stale_from;
    let choice = choose(plan, turn, text, menu);
    let rule = match &choice {
        Choice::Rule(rule, _) => Some(rule.name.as_str()),
        Choice::Cooling { .. } | Choice::None => None,
    };
    if let Choice::Rule(rule, _) = &choice {
        tags::on_kf(plan, &turn.contact, rule);
    }
    if person {
        return plan.skip("reply", "person_serves", rule);
    }
    let answered = match &choice {
        Choice::Rule(rule, keyword) => reply(plan, turn, rule, text, keyword.as_deref()),
        Choice::Cooling { understood } => *understood,
        Choice::None => false,
    };
    // An answer that is too old is planned all the same, so that it ends `expired: deadline` on record.
    if !answered || late {
        pool::unanswered(plan, turn.account, &turn.contact, rule);
    }
}

/// The rule that decides: on a click one that listens to the item's id, else one that listens to its text.
fn choose<'a>(plan: &mut Plan<'a>, turn: &Turn<'_>, text: Option<&str>, menu: Option<&str>) -> Choice<'a> {
    if let Some(key) = menu {
        match ask(plan, turn, Trigger::MenuClick, Some(key)) {
            Choice::None => {}
            choice => return choice,
        }
    }
    ask(plan, turn, Trigger::Message, text)
}

/// Plans all of the rule's replies; false when it leaves the message unanswered. A rule that does nothing at
/// all (`reply = []` without tags) is silent on purpose, and that is an answer; one that only tags is none.
fn reply(plan: &mut Plan<'_>, turn: &Turn<'_>, rule: &Rule, text: Option<&str>, keyword: Option<&str>) -> bool {
    let mut vars = vars(plan, turn);
    vars.extend(text.map(|t| ("message.text".into(), t.into())));
    vars.extend(keyword.map(|k| ("message.keyword".into(), k.into())));
    if !rule.has_reply() {
        return rule.add_tags.is_empty() && rule.remove_tags.is_empty();
    }
    let mut spoken = false;
    for template in rule.replies(&plan.conversation()) {
        for part in plan.input.bundle.parts(template, Place::Kf) {
            let action = Action::KfMessage {
                account: turn.account.clone(),
                contact: turn.contact.clone(),
                say: plan.say(template, part, turn.at, &vars),
            };
            plan.job(action, Some(&rule.name), Some(turn.stale_from));
            spoken = true;
        }
    }
    if spoken && plan.input.now < turn.stale_from {
        plan.cool(rule, Some(turn.account.as_str()));
    }
    spoken
}

/// True while a person serves the customer, or is about to.
pub(super) fn serves(session: &KfSession) -> bool {
    matches!(session.state, Some(2 | 3))
}

/// The best rule for an event of this chat, knowing the session's scene and the contact's tags.
pub(super) fn ask<'a>(plan: &mut Plan<'a>, turn: &Turn<'_>, on: Trigger, text: Option<&str>) -> Choice<'a> {
    let session = plan.doc.contact.as_ref().and_then(|c| c.kf.get(turn.account));
    let scene = session.and_then(|s| s.scene.clone());
    let scene_param = session.and_then(|s| s.scene_param.clone());
    let tags = tags::known(plan, None);
    let event = Candidate {
        on,
        source: Some(Source::Kf),
        app: plan.input.entry.body.app.as_str(),
        kf: turn.short.as_deref(),
        member: None,
        text,
        at: turn.at,
    };
    let known = Known {
        scene: scene.as_deref(),
        scene_param: scene_param.as_deref(),
        tags: &tags,
    };
    plan.choose(&event, &known, Some(turn.account.as_str()))
}

/// Values that the event and the session bring to templates.
pub(super) fn vars(plan: &Plan<'_>, turn: &Turn<'_>) -> Vars {
    let session = plan.doc.contact.as_ref().and_then(|c| c.kf.get(turn.account));
    let mut vars = Vars::new();
    vars.insert("contact.is_new".into(), turn.is_new.to_string());
    let scene = session.and_then(|s| s.scene.clone());
    vars.extend(scene.map(|s| ("kf.scene".into(), s)));
    let param = session.and_then(|s| s.scene_param.clone());
    vars.extend(param.map(|p| ("kf.scene_param".into(), p)));
    vars
}

fn is_new(plan: &Plan<'_>, account: &OpenKfId) -> bool {
    plan.doc.contact.as_ref().is_none_or(|c| {
        let heard = c.kf.iter().any(|(a, s)| a != account || s.last_message.is_some());
        !heard && c.relations.values().all(|r| r.stage == Stage::None)
    })
}

/// Forgets sessions in which nothing happened for 48 h, and touches this one. This account's own is measured
/// by the time of the event, so that a backlog read late is judged as it happened.
fn wake(plan: &mut Plan<'_>, turn: &Turn<'_>) {
    let now = plan.input.now;
    let facts = plan.doc.contact_mut();
    facts.kf.retain(|account, session| {
        let seen_at = if account == turn.account { turn.at } else { now };
        seen_at.since(session.touched) < KF_WINDOW
    });
    let session = facts.kf.entry(turn.account.clone()).or_default();
    session.touched = session.touched.max(turn.at);
}
