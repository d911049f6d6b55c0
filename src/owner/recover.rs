//! What to do with a job that was found with a mark: somebody began to call and left no outcome.

use std::time::Duration;

use super::calls::CallState;
use crate::model::job::Class;
use crate::model::{Ending, Outcome, StoreTime};
use crate::store::StoredJob;

/// WeCom's duplicate check covers 60 s of which 10 are margin (issue: "repeated only within 50 s of `started`").
pub const REPEAT_WITHIN: Duration = Duration::from_secs(50);

/// What a job's mark means to the owner that found it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// No mark, or one that allows another call.
    Go,
    /// Our own call, still under way or answered: wait for its result.
    Ours,
    /// Our own start whose commit was unclear: the call was never made. Take the mark back.
    NeverCalled,
    /// It may have arrived and must not be repeated.
    End(Ending),
}

/// Reads a mark. `ours`: the nonce of this process; `call`: what this process knows of the call.
///
/// This process calls only after the start's commit was answered; so a start of our own without a call is a
/// start whose answer we did not get, and nothing went out.
pub fn found(stored: &StoredJob, class: Class, ours: &str, call: CallState, now: StoreTime) -> Found {
    let Some(started) = &stored.started else {
        return Found::Go;
    };
    if started.nonce == ours {
        match call {
            CallState::Running | CallState::Answered => return Found::Ours,
            CallState::Unknown if stored.tries <= 1 => return Found::NeverCalled,
            CallState::Unknown | CallState::Unclear => {}
        }
    }
    match class {
        Class::Repeatable => Found::Go,
        Class::ForAWhile if now.since(started.at) <= REPEAT_WITHIN => Found::Go,
        Class::ForAWhile => Found::End(Ending::new(Outcome::Uncertain, "duplicate_window_over")),
        Class::Once => Found::End(Ending::new(Outcome::Uncertain, "answer_lost")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{JobId, Lane};
    use crate::store::Started;

    fn stored(started: Option<(&str, i64)>, tries: u32) -> StoredJob {
        StoredJob {
            id: JobId { n: 1, k: 0 },
            lane: Lane::Reply,
            due: StoreTime(0),
            tries,
            attempts: tries,
            started: started.map(|(n, at)| Started {
                at: StoreTime(at),
                nonce: n.into(),
            }),
            blob: vec![],
        }
    }

    #[test]
    fn a_call_that_must_not_be_repeated_ends_uncertain_when_somebody_else_began_it() {
        let f = found(
            &stored(Some(("them", 0)), 1),
            Class::Once,
            "us",
            CallState::Unknown,
            StoreTime(1),
        );
        assert!(matches!(f, Found::End(e) if e.outcome == Outcome::Uncertain));
    }

    #[test]
    fn a_message_is_repeated_only_while_the_duplicate_check_covers_it() {
        let s = stored(Some(("them", 0)), 1);
        assert_eq!(
            found(&s, Class::ForAWhile, "us", CallState::Unknown, StoreTime(50_000)),
            Found::Go
        );
        let late = found(&s, Class::ForAWhile, "us", CallState::Unknown, StoreTime(50_001));
        assert!(matches!(late, Found::End(e) if e.outcome == Outcome::Uncertain));
    }

    #[test]
    fn our_own_try_without_a_clear_answer_is_judged_by_its_class() {
        let s = stored(Some(("us", 0)), 1);
        assert_eq!(
            found(&s, Class::ForAWhile, "us", CallState::Unclear, StoreTime(1)),
            Found::Go
        );
        let late = found(&s, Class::ForAWhile, "us", CallState::Unclear, StoreTime(50_001));
        assert!(matches!(late, Found::End(e) if e.outcome == Outcome::Uncertain));
    }

    #[test]
    fn our_own_start_without_a_call_was_never_called() {
        let s = stored(Some(("us", 0)), 1);
        assert_eq!(
            found(&s, Class::Once, "us", CallState::Unknown, StoreTime(0)),
            Found::NeverCalled
        );
        assert_eq!(
            found(&s, Class::Once, "us", CallState::Running, StoreTime(0)),
            Found::Ours
        );
    }
}
