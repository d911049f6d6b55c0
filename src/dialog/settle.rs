//! What a job's outcome changes in the document, and what it sets going.

use super::gate::remember;
use super::welcome;
use crate::model::doc::WelcomeMark;
use crate::model::entry::What;
use crate::model::{Action, Doc, Ending, EntryBody, Job, JobId, Outcome, StoreTime};
use crate::settings::{Corp, Unmatched};

/// Writes an outcome into the document, in the commit that records it; the entries go to the end of the same
/// journal. Called again with the same outcome it returns its entries again, and the pool is still asked once.
/// What a broadcast's chunk or a pull leaves behind is written by those who run them.
pub fn settle(doc: &mut Doc, job: &Job, id: JobId, ending: &Ending, now: StoreTime, corp: &Corp) -> Vec<EntryBody> {
    remember(doc, job, ending, now);
    match &job.action {
        Action::Welcome { member, .. } => {
            // The one that stood back for another says nothing about that other.
            if ending.reason != welcome::ALREADY || ending.outcome != Outcome::Cancelled {
                let mark = doc
                    .relation_mut(member)
                    .welcome
                    .get_or_insert(WelcomeMark { at: now, ended: None });
                mark.ended = Some(ending.outcome);
            }
        }
        Action::KfMessage { account, .. } => {
            let session = doc.kf_mut(account);
            session.counted = None;
            match (ending.outcome, ending.reason.as_ref()) {
                (Outcome::Delivered, _) => {
                    // An answer through the API makes a new session the assistant's (state 1).
                    if matches!(session.state, None | Some(0)) {
                        session.state = Some(1);
                    }
                }
                (Outcome::Rejected, "person_serves") => {
                    if !super::kf::serves(session) {
                        session.state = Some(3);
                    }
                }
                (_, "session_ended") => session.state = Some(4),
                (Outcome::Rejected | Outcome::Expired | Outcome::Dead, _) => return failed(doc, job, id, corp),
                (Outcome::Cancelled | Outcome::Uncertain, _) => {}
            }
        }
        Action::KfPool { account, .. } if ending.outcome == Outcome::Delivered => {
            let session = doc.kf_mut(account);
            if session.state != Some(3) {
                session.state = Some(2);
            }
        }
        Action::MarkTags {
            member, add, remove, ..
        } if ending.outcome == Outcome::Delivered => {
            let tags = &mut doc.relation_mut(member).tags;
            tags.retain(|t| !remove.contains(t));
            tags.extend(add.iter().cloned());
        }
        Action::KfPool { .. }
        | Action::MarkTags { .. }
        | Action::KfEventMessage { .. }
        | Action::AppMessage { .. }
        | Action::KfPull { .. }
        | Action::ReadContact { .. }
        | Action::BroadcastChunk { .. } => {}
    }
    Vec::new()
}

/// A person should see this customer; unless one was called already, or the settings want silence.
fn failed(doc: &mut Doc, job: &Job, id: JobId, corp: &Corp) -> Vec<EntryBody> {
    let Action::KfMessage { account, contact, .. } = &job.action else {
        return Vec::new();
    };
    if corp.kf.unmatched == Unmatched::Silent || doc.kf_mut(account).pooled {
        return Vec::new();
    }
    vec![EntryBody {
        conversation: job.conversation.clone(),
        app: job.app.clone(),
        what: What::KfAnswerFailed {
            account: account.clone(),
            contact: contact.clone(),
            job: id,
        },
        raw: Vec::new(),
    }]
}
