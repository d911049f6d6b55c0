//! Events of a kf session: coming in, changes of who serves, failures told later. What is said here goes out
//! with an event's own code: one message per code, whatever the session's state.

use super::CODE_LIFE;
use super::kf::{Turn, ask, vars};
use super::plan::{Choice, Plan};
use super::pool;
use crate::content::{Place, Trigger};
use crate::model::job::{Code, Part};
use crate::model::{Action, StoreTime};
use crate::wecom::event::WelcomeCode;

/// WeCom's fail types after which no person can reach the customer either: account deleted, app closed, over
/// 48 h, session closed, refused by the customer (callbacks.md §4.5).
const BEYOND_HELP: [i64; 5] = [1, 2, 4, 5, 10];

/// What an event's code can carry.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Carries {
    TextOrMenu,
    TextOnly,
}

/// The customer came in: the one welcome of a kf account.
pub(super) fn entered(plan: &mut Plan<'_>, turn: &Turn<'_>, code: Option<WelcomeCode>) {
    let deadline = plan.accepted().plus(CODE_LIFE).min(turn.stale_from);
    let said = Said {
        on: Trigger::EnterSession,
        no_code: "no_welcome_code",
        carries: Carries::TextOrMenu,
        deadline,
    };
    speak(plan, turn, code, &said);
}

/// A receptionist took, passed on, ended or re-opened the session.
pub(super) fn session_changed(plan: &mut Plan<'_>, turn: &Turn<'_>, change: i64, code: Option<WelcomeCode>) {
    let session = plan.doc.kf_mut(turn.account);
    let state = match change {
        1 | 2 | 4 => 3,
        3 => 4,
        // A change WeCom has added since: who serves now is not known, so the next answer is tried.
        _ => {
            session.state = None;
            return plan.skip("reply", "unknown_session_change", None);
        }
    };
    session.state = Some(state);
    if state == 4 {
        session.pooled = false;
    }
    // The code of an ended session lives 20 s, that of a taken one 48 h; no answer outlives `max_age`.
    let (carries, deadline) = if change == 1 {
        (Carries::TextOnly, turn.stale_from)
    } else {
        (
            Carries::TextOrMenu,
            plan.accepted().plus(CODE_LIFE).min(turn.stale_from),
        )
    };
    let said = Said {
        on: Trigger::SessionChanged,
        no_code: "no_event_code",
        carries,
        deadline,
    };
    speak(plan, turn, code, &said);
}

/// WeCom says afterwards that a message of ours did not arrive.
pub(super) fn send_failed(plan: &mut Plan<'_>, turn: &Turn<'_>, fail_type: i64) {
    plan.skip("kf_message", &format!("later:msg_send_fail_{fail_type}"), None);
    let session = plan.doc.kf_mut(turn.account);
    match fail_type {
        4 | 5 => session.state = Some(4),
        6 => session.sent = super::KF_MESSAGES,
        _ => {}
    }
    if !turn.early && !BEYOND_HELP.contains(&fail_type) {
        pool::unanswered(plan, turn.account, &turn.contact, None);
    }
}

/// What an event asks of the rules.
struct Said {
    on: Trigger,
    no_code: &'static str,
    carries: Carries,
    deadline: StoreTime,
}

fn speak(plan: &mut Plan<'_>, turn: &Turn<'_>, code: Option<WelcomeCode>, said: &Said) {
    if turn.early {
        return plan.skip("reply", "before_first_served", None);
    }
    let Choice::Rule(rule, _) = ask(plan, turn, said.on, None) else {
        return;
    };
    super::tags::on_kf(plan, &turn.contact, rule);
    let seed = plan.conversation();
    let replies = rule.replies(&seed);
    let Some(template) = replies.first() else {
        return;
    };
    let Some(code) = code.filter(|c| !c.0.is_empty()) else {
        return plan.skip("reply", said.no_code, Some(&rule.name));
    };
    let menu = plan.input.bundle.parts(template, Place::Kf).contains(&Part::Menu);
    if menu && said.carries == Carries::TextOnly {
        return plan.skip("reply", "code_takes_text_only", Some(&rule.name));
    }
    let say = plan.say(template, Part::Whole, turn.at, &vars(plan, turn));
    let action = Action::KfEventMessage {
        account: turn.account.clone(),
        contact: turn.contact.clone(),
        code: Code(code.0),
        say,
    };
    plan.job(action, Some(&rule.name), Some(said.deadline));
    if replies.len() > 1 {
        plan.skip("reply", "one_message_per_code", Some(&rule.name));
    }
    if plan.input.now < said.deadline {
        plan.cool(rule, Some(turn.account.as_str()));
    }
}
