//! Decides: (event, what is known, time, bundle) → decision. Pure: no clock, no network, no store.
//!
//! Comes in: one journal entry, the document of its conversation, the corp's settings and live bundle, store
//! time. Goes out: jobs, the document afterwards, counters, and what was deliberately left undone. The same
//! input always gives the same decision, so that a decision can be previewed, explained and repeated after a
//! crash. An unknown fact matches nothing; deciding never waits.
//!
//! The same room answers the owner's three questions about a job that was decided: [`may_start`], [`started`]
//! and [`settle()`].
//!
//! The hard decision: **what a cool-down silences.** It silences its rule, and the next best rule may speak; but
//! while a keyword rule cools down no *fallback* speaks for it and no person is called: it has understood the
//! message and answered it moments ago, so the second tap on a menu gets silence, not "I did not understand". A
//! fallback that cools down has said all it can say; the message then counts as one that no rule answers (in
//! kf: the waiting pool).

mod broadcast;
mod contact;
mod gate;
mod kf;
mod kf_event;
mod member;
mod plan;
mod pool;
mod settle;
mod tags;
#[cfg(test)]
mod tests;
mod welcome;

use std::time::Duration;

use crate::content::Bundle;
use crate::model::entry::What;
use crate::model::{Decision, Doc, Entry, StoreTime};
use crate::settings::Corp;
use crate::wecom::event::{Event, EventBody};
use plan::Plan;

pub use gate::{may_start, started};
pub use settle::settle;

/// A code of WeCom lives 20 s from its event; one second is kept for the way there (DESIGN, promise 6).
const CODE_LIFE: Duration = Duration::from_secs(19);
/// After this a welcome of the same relation may be sent again (DESIGN, "Who owns which state").
const WELCOME_MARK: Duration = Duration::from_secs(600);
/// A kf session, and the time after a customer's message in which we may write (WeCom, limits K1).
const KF_WINDOW: Duration = Duration::from_secs(48 * 3600);
/// Messages that WeCom allows us after a customer's message (limits K1).
const KF_MESSAGES: u8 = 5;
/// An identical answer within this time is a `repeat` (CONTENT, "Rules").
const REPEAT: Duration = Duration::from_secs(60);

/// Everything a decision depends on.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// What happened.
    pub entry: &'a Entry,
    /// What is known of its conversation.
    pub doc: &'a Doc,
    /// The corp's live templates, rules and channels.
    pub bundle: &'a Bundle,
    /// The corp's settings.
    pub corp: &'a Corp,
    /// Store time.
    pub now: StoreTime,
}

/// The entry cannot be decided now or ever: the owner puts it into quarantine and goes on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Undecidable {
    /// Stable snake_case word, then details for a person; never a message's text.
    pub reason: String,
}

impl Undecidable {
    fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into() }
    }
}

/// What the rules choose for one entry.
///
/// # Errors
/// [`Undecidable`] when WeCom's text cannot be read, when the entry lies in a conversation that is not its
/// own, or when a broadcast names no recipients.
pub fn decide(input: &Input<'_>) -> Result<Decision, Undecidable> {
    let mut plan = Plan::new(*input);
    match &input.entry.body.what {
        What::Callback => {
            let event =
                Event::parse(&input.entry.body.raw).map_err(|e| Undecidable::new(format!("unreadable_event: {e}")))?;
            event_of(&mut plan, &event.body)?;
        }
        What::Kf { account, first_served } => kf::decide(&mut plan, account, *first_served)?,
        What::KfPoll { account } => kf::pull(&mut plan, account, None),
        What::KfAnswerFailed { account, contact, .. } => pool::answer_failed(&mut plan, account, contact)?,
        What::Broadcast(order) => broadcast::decide(&mut plan, order)?,
    }
    Ok(plan.finish())
}

fn event_of(plan: &mut Plan<'_>, event: &EventBody) -> Result<(), Undecidable> {
    match event {
        EventBody::Contact(change) => contact::decide(plan, change),
        EventBody::KfBell { account, token } => {
            kf::pull(plan, account, token.as_deref());
            Ok(())
        }
        EventBody::MemberMessage(message) => member::message(plan, message),
        EventBody::AppEntered { member } => member::entered(plan, member),
        EventBody::MemberSubscribed { member } => member::subscribed(plan, member),
        EventBody::MemberUnsubscribed { member } => member::unsubscribed(plan, member),
        EventBody::MenuClick { member, key } => member::clicked(plan, member, key),
        EventBody::Other | EventBody::Unknown => Ok(()),
    }
}
