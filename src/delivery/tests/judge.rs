//! The judgement, as a table.

use std::time::Duration;

use super::super::judge::{Answer, Case, Kind, Verdict, judge, of_session};
use crate::model::job::Class;
use crate::model::{Outcome, StoreTime};

const NOW: StoreTime = StoreTime(1_000_000);

fn after(secs: u64) -> StoreTime {
    NOW.plus(Duration::from_secs(secs))
}

fn case(kind: Kind) -> Case {
    let class = match kind {
        Kind::KfEvent | Kind::Chunk => Class::Once,
        Kind::App => Class::ForAWhile,
        _ => Class::Repeatable,
    };
    let deadline = matches!(kind, Kind::Welcome | Kind::KfEvent).then(|| after(15));
    Case {
        kind,
        class,
        earlier: 0,
        attempts: 0,
        started: NOW,
        now: NOW,
        accepted: NOW,
        deadline,
        half: false,
        jitter: 500,
    }
}

/// `earlier` tries may have arrived.
fn again(kind: Kind, earlier: u32) -> Case {
    Case {
        earlier,
        attempts: earlier,
        ..case(kind)
    }
}

/// One word for a verdict, so that a table can be read.
fn word(v: &Verdict) -> String {
    match v {
        Verdict::End(e) => format!("{} {}", e.outcome.word(), e.reason),
        Verdict::Retry { refused, reason, .. } => {
            format!("retry {} {reason}", if *refused { "refused" } else { "unclear" })
        }
        Verdict::Later { refused, reason, .. } => {
            format!("later {} {reason}", if *refused { "refused" } else { "unclear" })
        }
        Verdict::AskSession(_) => "ask".into(),
    }
}

fn code(n: i64) -> Answer {
    Answer::Errcode(n, None)
}

fn paused(n: i64) -> Answer {
    Answer::Errcode(n, Some(after(300)))
}

#[test]
fn every_class_of_answer_means_what_the_contract_says() {
    use Kind::{App, Chunk, Kf, KfEvent, Pool, Tags, Welcome};
    let rows: &[(Case, Answer, &str)] = &[
        (case(Welcome), Answer::Accepted, "delivered ok"),
        // Nothing was sent.
        (case(Welcome), Answer::NotSent("connect"), "retry refused connect"),
        (case(KfEvent), Answer::NotSent("connect"), "retry refused connect"),
        (case(Chunk), Answer::NotSent("connect"), "retry refused connect"),
        (case(App), Answer::NotSent("connect"), "retry refused connect"),
        // Nobody knows.
        (case(Welcome), Answer::Unclear("timeout"), "retry unclear timeout"),
        (case(Kf), Answer::Unclear("http_5xx"), "retry unclear http_5xx"),
        (case(Tags), Answer::Unclear("timeout"), "retry unclear timeout"),
        (case(KfEvent), Answer::Unclear("timeout"), "uncertain lost_answer"),
        (case(Chunk), Answer::Unclear("timeout"), "uncertain lost_answer"),
        (case(App), Answer::Unclear("timeout"), "retry unclear timeout"),
        // Welcome.
        (case(Welcome), code(41051), "rejected already_welcomed"),
        (again(Welcome, 1), code(41051), "delivered welcome_presumed"),
        (case(Welcome), code(41050), "expired code_expired"),
        (case(Welcome), code(41096), "retry refused welcome_in_progress"),
        (case(Welcome), code(41053), "expired archive_not_agreed"),
        (case(Welcome), paused(48002), "expired deadline"),
        (case(KfEvent), code(41050), "expired code_expired"),
        // kf.
        (case(Kf), code(40058), "rejected invalid_parameter"),
        (again(Kf, 1), code(40058), "delivered duplicate_msgid_presumed"),
        (again(Kf, 1), code(40035), "delivered duplicate_msgid_presumed"),
        (again(Kf, 2), code(40063), "delivered duplicate_msgid_presumed"),
        (again(Kf, 1), code(40003), "rejected invalid_userid"),
        (case(Kf), code(95018), "ask"),
        (case(Kf), code(95001), "rejected kf_count_limit"),
        (case(Kf), code(95002), "expired kf_window_closed"),
        (case(Kf), code(95013), "expired session_ended"),
        (case(Kf), code(48007), "rejected kf_account_not_authorised"),
        (case(Pool), code(95016), "ask"),
        // Tags.
        (case(Tags), code(84061), "rejected not_a_friend"),
        (
            Case {
                half: true,
                ..case(Tags)
            },
            code(84061),
            "later refused half_added",
        ),
        (
            Case {
                half: true,
                ..case(Tags)
            },
            code(84084),
            "later refused half_added",
        ),
        // Classes.
        (case(Tags), code(6000), "retry refused version_conflict"),
        (case(Tags), paused(45009), "later refused frequency"),
        (case(Tags), paused(60020), "later refused ip_not_trusted"),
        (case(Tags), paused(40014), "later refused invalid_token"),
        (case(Tags), paused(40001), "later refused invalid_secret"),
        (case(Tags), code(60011), "rejected no_permission"),
        (case(Tags), code(99_999), "rejected wecom_99999"),
        (case(Tags), Answer::Later(after(60), "limit"), "later refused limit"),
        // message/send whose first try may have arrived: only inside its window.
        (again(App, 1), paused(45009), "uncertain lost_answer"),
        (again(App, 1), code(-1), "retry refused system_busy"),
    ];
    for (case, answer, expected) in rows {
        assert_eq!(&word(&judge(case, *answer)), expected, "{case:?} {answer:?}");
    }
}

#[test]
fn system_busy_is_retried_three_times_and_other_trouble_longer() {
    let tried = |attempts| Case {
        attempts,
        ..case(Kind::Tags)
    };
    assert_eq!(word(&judge(&tried(2), code(-1))), "retry refused system_busy");
    assert_eq!(word(&judge(&tried(3), code(-1))), "dead system_busy");
    assert_eq!(
        word(&judge(&tried(19), Answer::Unclear("timeout"))),
        "retry unclear timeout"
    );
    assert_eq!(word(&judge(&tried(20), Answer::Unclear("timeout"))), "dead timeout");
}

#[test]
fn waits_grow_one_two_four_and_end_before_the_deadline() {
    let wait = |attempts, now| {
        let case = Case {
            attempts,
            now,
            ..case(Kind::Welcome)
        };
        match judge(&case, code(41096)) {
            Verdict::Retry { after, .. } => after.as_millis(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!([wait(0, NOW), wait(1, NOW), wait(2, NOW)], [1000, 2000, 4000]);
    assert_eq!(wait(3, after(10)), 4000, "one second before the deadline at the latest");
    let late = Case {
        now: after(14),
        ..case(Kind::Welcome)
    };
    assert_eq!(word(&judge(&late, code(41096))), "expired deadline");
}

#[test]
fn a_back_off_never_exceeds_ten_minutes_and_a_quarter() {
    for attempts in 0..20 {
        let case = Case {
            attempts,
            jitter: 1000,
            ..case(Kind::Tags)
        };
        let Verdict::Retry { after, .. } = judge(&case, code(6000)) else {
            panic!()
        };
        assert!(after <= Duration::from_secs(750), "{after:?}");
        assert!(after >= Duration::from_secs(1));
    }
}

#[test]
fn message_send_is_repeated_only_inside_the_duplicate_window_of_its_first_try() {
    let at = |secs| Case {
        now: after(secs),
        ..again(Kind::App, 1)
    };
    assert_eq!(
        word(&judge(&at(40), Answer::Unclear("timeout"))),
        "retry unclear timeout"
    );
    assert_eq!(
        word(&judge(&at(49), Answer::Unclear("timeout"))),
        "uncertain lost_answer"
    );
    assert_eq!(
        word(&judge(&at(49), Answer::NotSent("connect"))),
        "uncertain lost_answer"
    );
}

#[test]
fn a_session_tells_whether_a_person_serves_or_it_has_ended() {
    let said = |case: Case, state| word(&of_session(&case, 95018, state));
    assert_eq!(said(case(Kind::Kf), 3), "rejected person_serves");
    assert_eq!(said(case(Kind::Kf), 2), "rejected person_serves");
    assert_eq!(said(case(Kind::Kf), 4), "rejected session_ended");
    assert_eq!(said(case(Kind::Kf), u8::MAX), "rejected session_state");
    assert_eq!(said(again(Kind::Pool, 1), 2), "delivered moved_before");
    assert_eq!(said(case(Kind::Pool), 2), "rejected person_serves");
}

#[test]
fn an_end_by_time_says_when_the_message_may_have_arrived() {
    let late = Case {
        now: after(14),
        ..case(Kind::Welcome)
    };
    let Verdict::End(e) = judge(&late, Answer::Unclear("timeout")) else {
        panic!()
    };
    assert_eq!(
        (e.outcome, e.notes.as_slice()),
        (Outcome::Expired, &["may_have_arrived".to_owned()][..])
    );
    let Verdict::End(e) = judge(&late, code(41096)) else {
        panic!()
    };
    assert!(e.notes.is_empty());
}
