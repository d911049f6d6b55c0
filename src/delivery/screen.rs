//! Before anything else: may this job be done at all, and may it be tried again?

use super::judge::{Answer, Case, Kind, Verdict, judge};
use super::{Api, Attempt, CallError, Delivery, Then};
use crate::model::doc::Stage;
use crate::model::job::Class;
use crate::model::{Action, Ending, Outcome, StoreTime};
use crate::settings::{AppKind, Corp};
use crate::wecom::limits;

/// The kind of app whose secret may make this call.
pub(super) fn app_kind(action: &Action) -> AppKind {
    match action {
        Action::Welcome { .. }
        | Action::MarkTags { .. }
        | Action::ReadContact { .. }
        | Action::BroadcastChunk { .. } => AppKind::Contacts,
        Action::KfEventMessage { .. } | Action::KfMessage { .. } | Action::KfPool { .. } | Action::KfPull { .. } => {
            AppKind::Kf
        }
        Action::AppMessage { .. } => AppKind::Agent,
    }
}

/// The person on whom the job has an effect; a broadcast's people are its room's to check, one by one.
fn recipient(action: &Action) -> Option<&str> {
    match action {
        Action::Welcome { contact, .. }
        | Action::MarkTags { contact, .. }
        | Action::KfEventMessage { contact, .. }
        | Action::KfMessage { contact, .. }
        | Action::KfPool { contact, .. } => Some(contact.as_str()),
        Action::AppMessage { member, .. } => Some(member.as_str()),
        Action::KfPull { .. } | Action::ReadContact { .. } | Action::BroadcastChunk { .. } => None,
    }
}

/// Safety (`[corp.safety]`): reads go always; what changes WeCom only where it may.
fn safety(corp: &Corp, action: &Action) -> Option<Ending> {
    if matches!(action, Action::KfPull { .. } | Action::ReadContact { .. }) {
        return None;
    }
    if corp.safety.observe {
        return Some(Ending::new(Outcome::Cancelled, "observe"));
    }
    let only = &corp.safety.only;
    let outside = recipient(action).is_some_and(|r| !only.iter().any(|o| o == r));
    (!only.is_empty() && outside).then(|| Ending::new(Outcome::Cancelled, "not_in_only"))
}

/// What earlier tries and the deadline leave of a job.
fn history(a: &Attempt<'_>) -> Option<Ending> {
    let uncertain = || Some(Ending::new(Outcome::Uncertain, "lost_answer"));
    match a.job.action.class() {
        Class::Once if a.started.is_some() => return uncertain(),
        Class::ForAWhile if a.tries > 0 => {
            // The window counts from the first try that may have arrived.
            let in_window = |at: StoreTime| a.now <= at.plus(limits::DUPLICATE_SAFE);
            if !a.started.is_some_and(|s| in_window(s.at)) {
                return uncertain();
            }
        }
        Class::Once | Class::ForAWhile | Class::Repeatable => {}
    }
    if a.job.deadline.is_some_and(|d| a.now >= d) {
        let mut ending = Ending::new(Outcome::Expired, "deadline");
        if a.tries > 0 && a.job.action.is_message() {
            ending.notes.push("may_have_arrived".into());
        }
        return Some(ending);
    }
    None
}

impl Delivery {
    /// The app to call with, or the outcome that the job has without a call: safety first, then earlier tries and
    /// the deadline, then whether an app can do it. For every job, whichever room runs it.
    pub fn screen(&self, a: &Attempt<'_>) -> Result<Api<'_>, Ending> {
        let rejected = |reason| Ending::new(Outcome::Rejected, reason);
        let corp = self.inner.settings.corp_by_id(&a.job.corp);
        let corp = corp.ok_or_else(|| rejected("no_corp"))?;
        if let Some(ending) = safety(corp, &a.job.action).or_else(|| history(a)) {
            return Err(ending);
        }
        let kind = app_kind(&a.job.action);
        self.api(&a.job.corp, &a.job.app, kind).map_err(rejected)
    }

    /// What a call that another room made by [`Api`] means for its job. `error` `None`: WeCom accepted it.
    pub fn judge(&self, a: &Attempt<'_>, error: Option<&CallError>) -> Then {
        let mut case = case(a);
        case.now = self.inner.clock.now();
        match judge(&case, error.map_or(Answer::Accepted, Answer::from)) {
            Verdict::End(ending) => Then::End(ending),
            Verdict::Retry { after, refused, reason } => Then::Retry { after, refused, reason },
            Verdict::Later { until, refused, reason } => Then::Later { until, refused, reason },
            // Only sending and moving ask for a session, and those are called here.
            Verdict::AskSession(code) => Then::End(Ending::new(Outcome::Rejected, "session_state").with_errcode(code)),
        }
    }
}

/// What the judgement of this try depends on.
pub(super) fn case(a: &Attempt<'_>) -> Case {
    let half = match &a.job.action {
        Action::MarkTags { member, .. } => a
            .doc
            .contact
            .as_ref()
            .and_then(|c| c.relations.get(member))
            .is_some_and(|r| r.stage == Stage::Half),
        Action::ReadContact { .. } => a
            .doc
            .contact
            .as_ref()
            .is_some_and(|c| c.relations.values().any(|r| r.stage == Stage::Half)),
        _ => false,
    };
    let spread = a.id.n.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ u64::from(a.id.k ^ (a.attempts << 8));
    Case {
        kind: Kind::of(&a.job.action),
        class: a.job.action.class(),
        earlier: a.tries,
        attempts: a.attempts,
        started: a.started.filter(|_| a.tries > 0).map_or(a.now, |s| s.at),
        now: a.now,
        accepted: a.job.accepted,
        deadline: a.job.deadline,
        half,
        jitter: (spread >> 20) as u32 % 1000,
    }
}

impl From<&CallError> for Answer {
    fn from(e: &CallError) -> Self {
        match e {
            CallError::Later { until, reason } => Self::Later(*until, reason),
            CallError::NotSent(word) => Self::NotSent(word),
            CallError::Unclear(word) => Self::Unclear(word),
            CallError::Refused { errcode, until } => Self::Errcode(*errcode, *until),
        }
    }
}
