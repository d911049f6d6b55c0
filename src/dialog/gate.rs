//! Asked just before a call goes out, and told when it has gone: what the conversation has learnt since the
//! job was decided may forbid it.

use super::plan::prune_said;
use super::{KF_MESSAGES, KF_WINDOW, REPEAT, kf, welcome};
use crate::model::doc::{KfSession, WelcomeMark};
use crate::model::job::Say;
use crate::model::{Action, Doc, Ending, Job, Outcome, StoreTime};

/// Whether a job may still go: `None` yes, `Some` the outcome it has instead. `tries`: tries that may have
/// arrived; `said`: hash of what would be said.
///
/// A job with such a try behind it is not judged again: only WeCom's answer to the repeat can say what became
/// of it. Deadlines are the caller's.
pub fn may_start(doc: &Doc, job: &Job, tries: u32, said: Option<u64>, now: StoreTime) -> Option<Ending> {
    if tries > 0 {
        return None;
    }
    forbidden(doc, job, now).or_else(|| repeat(doc, job, said, now))
}

fn forbidden(doc: &Doc, job: &Job, now: StoreTime) -> Option<Ending> {
    let facts = doc.contact.as_ref()?;
    match &job.action {
        Action::Welcome { member, .. } => facts
            .relations
            .get(member)
            .filter(|r| welcome::already(r, now))
            .map(|_| Ending::new(Outcome::Cancelled, welcome::ALREADY)),
        Action::KfMessage { account, say, .. } => facts
            .kf
            .get(account)
            .and_then(|s| silent(s, &counted_as(job, say), now)),
        Action::KfPool { account, .. } => facts.kf.get(account).and_then(closed),
        Action::KfEventMessage { .. }
        | Action::AppMessage { .. }
        | Action::MarkTags { .. }
        | Action::KfPull { .. }
        | Action::ReadContact { .. }
        | Action::BroadcastChunk { .. } => None,
    }
}

/// A session in which nothing of ours may be said or moved without an event's code.
fn closed(session: &KfSession) -> Option<Ending> {
    if kf::serves(session) {
        return Some(Ending::new(Outcome::Rejected, "person_serves"));
    }
    (session.state == Some(4)).then(|| Ending::new(Outcome::Rejected, "session_ended"))
}

/// `name`: a message that was counted already, and refused for a while, has its place among the five.
fn silent(session: &KfSession, name: &str, now: StoreTime) -> Option<Ending> {
    if let Some(ending) = closed(session) {
        return Some(ending);
    }
    if session.last_message.is_some_and(|at| now.since(at) >= KF_WINDOW) {
        return Some(Ending::new(Outcome::Expired, "kf_window_closed"));
    }
    let full = session.sent >= KF_MESSAGES && session.counted.as_deref() != Some(name);
    full.then(|| Ending::new(Outcome::Rejected, "kf_limit_5"))
}

/// What tells one message from the next in its sequence, where only one is under way.
fn counted_as(job: &Job, say: &Say) -> String {
    format!("{}/{}/{:?}", job.accepted.0, say.template, say.part)
}

fn repeat(doc: &Doc, job: &Job, said: Option<u64>, now: StoreTime) -> Option<Ending> {
    let mark = answer_mark(&job.action, said?)?;
    doc.said
        .iter()
        .any(|(known, at)| *known == mark && now.since(*at) < REPEAT)
        .then(|| Ending::new(Outcome::Cancelled, "repeat"))
}

/// What marks an answer as said in its chat; `None` for what is no answer. A contact may write to several kf
/// accounts: the same words in another chat are no repeat. Welcomes have a mark of their own.
fn answer_mark(action: &Action, said: u64) -> Option<u64> {
    match action {
        Action::KfMessage { account, .. } | Action::KfEventMessage { account, .. } => {
            Some(account.as_str().bytes().fold(said, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
            }))
        }
        Action::AppMessage { .. } => Some(said),
        Action::Welcome { .. }
        | Action::MarkTags { .. }
        | Action::KfPool { .. }
        | Action::KfPull { .. }
        | Action::ReadContact { .. }
        | Action::BroadcastChunk { .. } => None,
    }
}

/// Remembers what was said, for 60 s.
pub(super) fn remember(doc: &mut Doc, job: &Job, ending: &Ending, now: StoreTime) {
    if !matches!(ending.outcome, Outcome::Delivered | Outcome::Uncertain) {
        return;
    }
    prune_said(doc, now);
    let mark = ending.said.and_then(|said| answer_mark(&job.action, said));
    doc.said.extend(mark.map(|mark| (mark, now)));
}

/// What a call that begins now changes: a kf message is counted once, when it is first sent, however often it
/// is tried; a welcome that follows a failed one is in flight again. `tries`: tries before this start that may
/// have arrived. The repeat of such a try is not counted again although the customer may have written since, or it
/// would take the place of an answer to what they wrote.
pub fn started(doc: &mut Doc, job: &Job, tries: u32, now: StoreTime) {
    match &job.action {
        Action::KfMessage { account, say, .. } if tries == 0 => {
            let name = counted_as(job, say);
            let session = doc.kf_mut(account);
            if session.counted.as_ref() != Some(&name) {
                session.sent = session.sent.saturating_add(1);
                session.sent_at.push(now);
                session.counted = Some(name);
            }
        }
        Action::Welcome { member, .. } => {
            let mark = doc
                .relation_mut(member)
                .welcome
                .get_or_insert(WelcomeMark { at: now, ended: None });
            mark.ended = None;
        }
        Action::KfMessage { .. }
        | Action::KfEventMessage { .. }
        | Action::AppMessage { .. }
        | Action::MarkTags { .. }
        | Action::KfPool { .. }
        | Action::KfPull { .. }
        | Action::ReadContact { .. }
        | Action::BroadcastChunk { .. } => {}
    }
}
