//! What an answer means for its job: a pure function, and the heart of promises 4, 5 and 6.
//!
//! Comes in: the kind of call, what came back, how often it was tried, the time. Goes out: an ending, a retry, a
//! wait, or the wish to look at a session first. Must never know: the network, the store.
//!
//! The hard decision: *what may have arrived is never called refused.* Each try that got no clear answer counts
//! (`earlier`); a refusal afterwards is read in its light: 41051 is our own welcome, a refused msgid is our own
//! message.

use std::borrow::Cow;
use std::time::Duration;

use crate::model::job::Class as Repeat;
use crate::model::{Action, Ending, Outcome, StoreTime};
use crate::wecom::errcode::{self, Class, Reach};
use crate::wecom::limits;

/// `-1`: WeCom allows three retries.
const BUSY_RETRIES: u32 = 3;
/// All else that passes by itself: with a back-off of up to ten minutes about two hours.
const RETRIES: u32 = 20;
/// The longest back-off.
const LONGEST: Duration = Duration::from_secs(600);
/// A try so near to the deadline could not be answered in time.
const LAST_MOMENT: Duration = Duration::from_secs(1);
/// How long tags wait for a relation that is only half there, and how often we look.
const HALF_ADDED_LOOK: Duration = Duration::from_secs(600);
const HALF_ADDED_LIFE: Duration = Duration::from_secs(7 * 86_400);

/// The calls that are judged here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Welcome,
    KfEvent,
    Kf,
    App,
    Tags,
    Pool,
    Read,
    Pull,
    Chunk,
}

impl Kind {
    pub(super) fn of(action: &Action) -> Self {
        match action {
            Action::Welcome { .. } => Self::Welcome,
            Action::KfEventMessage { .. } => Self::KfEvent,
            Action::KfMessage { .. } => Self::Kf,
            Action::AppMessage { .. } => Self::App,
            Action::MarkTags { .. } => Self::Tags,
            Action::KfPool { .. } => Self::Pool,
            Action::ReadContact { .. } => Self::Read,
            Action::KfPull { .. } => Self::Pull,
            Action::BroadcastChunk { .. } => Self::Chunk,
        }
    }
}

/// Everything about a job that its judgement depends on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Case {
    pub(super) kind: Kind,
    pub(super) class: Repeat,
    /// Tries before this one that may have arrived.
    pub(super) earlier: u32,
    /// All tries before this one.
    pub(super) attempts: u32,
    /// When the first try that may have arrived began: this one, if there is none before.
    pub(super) started: StoreTime,
    pub(super) now: StoreTime,
    pub(super) accepted: StoreTime,
    pub(super) deadline: Option<StoreTime>,
    /// The relation is only half added.
    pub(super) half: bool,
    /// 0..1000, from the job's id: spreads retries of many jobs.
    pub(super) jitter: u32,
}

/// What came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    Accepted,
    /// Nothing was sent, and should not be before a time.
    Later(StoreTime, &'static str),
    NotSent(&'static str),
    Unclear(&'static str),
    /// Refused; the time is set where this froze an API or paused an app.
    Errcode(i64, Option<StoreTime>),
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    End(Ending),
    Retry {
        after: Duration,
        refused: bool,
        reason: Cow<'static, str>,
    },
    Later {
        until: StoreTime,
        refused: bool,
        reason: Cow<'static, str>,
    },
    /// Read the kf session's state, then [`of_session`].
    AskSession(i64),
}

pub(super) fn judge(case: &Case, answer: Answer) -> Verdict {
    match answer {
        Answer::Accepted => end(Outcome::Delivered, "ok"),
        Answer::Later(until, reason) => case.wait(until, reason.into(), None),
        Answer::NotSent(reason) => case.again(true, reason.into(), None),
        Answer::Unclear(reason) => case.unclear(reason),
        Answer::Errcode(code, until) => case.refused(code, until),
    }
}

/// The rest of a judgement that needed the session's state.
pub(super) fn of_session(case: &Case, code: i64, state: u8) -> Verdict {
    let ending = match (case.kind, state) {
        // The move that we asked for has happened, in a try whose answer was lost.
        (Kind::Pool, 2 | 3) if case.earlier > 0 => Ending::new(Outcome::Delivered, "moved_before"),
        (_, 2 | 3) => Ending::new(Outcome::Rejected, "person_serves").with_errcode(code),
        (_, 4) => Ending::new(Outcome::Rejected, "session_ended").with_errcode(code),
        _ => Ending::new(Outcome::Rejected, "session_state").with_errcode(code),
    };
    Verdict::End(ending)
}

fn end(outcome: Outcome, reason: &'static str) -> Verdict {
    Verdict::End(Ending::new(outcome, reason))
}

fn ended(outcome: Outcome, reason: Cow<'static, str>, code: i64) -> Verdict {
    Verdict::End(Ending::new(outcome, reason).with_errcode(code))
}

impl Case {
    fn unclear(&self, reason: &'static str) -> Verdict {
        match self.class {
            Repeat::Once => self.lost(reason),
            // Each repeat must reach WeCom inside the duplicate window of the first.
            Repeat::ForAWhile if self.window_missed(self.now.plus(self.backoff(true))) => self.lost(reason),
            Repeat::ForAWhile => self.again(false, reason.into(), None),
            Repeat::Repeatable => self.again(false, reason.into(), None),
        }
    }

    /// Nobody knows whether it arrived, and it must not be repeated.
    fn lost(&self, reason: &'static str) -> Verdict {
        Verdict::End(Ending {
            notes: vec![reason.to_owned()],
            ..Ending::new(Outcome::Uncertain, "lost_answer")
        })
    }

    fn refused(&self, code: i64, until: Option<StoreTime>) -> Verdict {
        let meaning = errcode::of(code);
        let reason = meaning.reason;
        match (self.kind, code) {
            (Kind::Welcome, 41051) if self.earlier > 0 => {
                return ended(Outcome::Delivered, "welcome_presumed".into(), code);
            }
            (Kind::Kf, c) if self.earlier > 0 && errcode::REUSED_MSGID.contains(&c) => {
                return ended(Outcome::Delivered, "duplicate_msgid_presumed".into(), code);
            }
            (Kind::Kf | Kind::KfEvent, 95018) | (Kind::Pool, 95013 | 95016) => return Verdict::AskSession(code),
            (Kind::KfEvent, 41050 | 95007) => return ended(Outcome::Expired, "code_expired".into(), code),
            // Until the customer writes again, which is a new job.
            (_, 95001) => return ended(Outcome::Rejected, reason, code),
            (Kind::Tags | Kind::Read, 84061 | 84084)
                if self.half && self.now.since(self.accepted) < HALF_ADDED_LIFE =>
            {
                return self.wait(self.now.plus(HALF_ADDED_LOOK), "half_added".into(), Some(code));
            }
            _ => {}
        }
        if let Some(until) = until {
            return self.wait(until, reason, Some(code));
        }
        match meaning.class {
            Class::Backoff => self.again(true, reason, Some(code)),
            Class::Expired => ended(Outcome::Expired, reason, code),
            Class::Reject | Class::NotAFriend | Class::Config(Reach::Object) => ended(Outcome::Rejected, reason, code),
            // These come with a time; without one (a caller that did not pause) a minute is a fair guess.
            Class::RefreshToken | Class::Freeze | Class::Config(_) => {
                self.wait(self.now.plus(Duration::from_secs(60)), reason, Some(code))
            }
        }
    }

    /// Again after a back-off, if there are retries and time left.
    fn again(&self, refused: bool, reason: Cow<'static, str>, code: Option<i64>) -> Verdict {
        let most = if code == Some(-1) { BUSY_RETRIES } else { RETRIES };
        if self.attempts >= most {
            return self.close(Outcome::Dead, reason, code, refused);
        }
        let mut after = self.backoff(code == Some(41096));
        if let Some(deadline) = self.deadline {
            let left = deadline.since(self.now);
            if left <= LAST_MOMENT {
                return self.close(Outcome::Expired, "deadline".into(), code, refused);
            }
            after = after.min(left - LAST_MOMENT);
        }
        if self.earlier > 0 && self.window_missed(self.now.plus(after)) {
            return self.lost("refused_after_lost_answer");
        }
        Verdict::Retry { after, refused, reason }
    }

    fn wait(&self, until: StoreTime, reason: Cow<'static, str>, code: Option<i64>) -> Verdict {
        if self.deadline.is_some_and(|d| until >= d) {
            let mut v = self.close(Outcome::Expired, "deadline".into(), code, true);
            if let Verdict::End(e) = &mut v {
                e.notes.push(format!("waited:{reason}"));
            }
            return v;
        }
        if self.earlier > 0 && self.window_missed(until) {
            return self.lost("refused_after_lost_answer");
        }
        Verdict::Later {
            until,
            refused: true,
            reason,
        }
    }

    /// A `message/send` at `then` would be outside the duplicate window of the first try that may have arrived.
    fn window_missed(&self, then: StoreTime) -> bool {
        self.class == Repeat::ForAWhile && then > self.started.plus(limits::DUPLICATE_SAFE)
    }

    fn close(&self, outcome: Outcome, reason: Cow<'static, str>, code: Option<i64>, refused: bool) -> Verdict {
        let mut ending = Ending::new(outcome, reason);
        ending.errcode = code;
        let message = !matches!(self.kind, Kind::Tags | Kind::Pool | Kind::Read | Kind::Pull);
        if message && (self.earlier > 0 || !refused) {
            ending.notes.push("may_have_arrived".to_owned());
        }
        Verdict::End(ending)
    }

    /// 1, 2, 4, … seconds up to ten minutes, and up to a quarter more.
    fn backoff(&self, exact: bool) -> Duration {
        let base = Duration::from_secs(1 << self.attempts.min(10)).min(LONGEST);
        let jitter = if exact { 0 } else { self.jitter.min(1000) };
        base + base * jitter / 4000
    }
}
