//! What may still go, just before it goes.

use super::kf::RULES;
use super::*;

fn reason(ending: Option<Ending>) -> Option<(Outcome, String)> {
    ending.map(|e| (e.outcome, e.reason.into_owned()))
}

fn said(hash: u64) -> Ending {
    let mut ending = Ending::new(Outcome::Delivered, "ok");
    ending.said = Some(hash);
    ending
}

#[test]
fn an_identical_answer_within_sixty_seconds_is_a_repeat() {
    let mut house = House::new("", RULES);
    let decision = house.kf_text("价格");
    let made = house.make(&decision);
    assert_eq!(house.asks(&made[0], 7), None);
    house.starts(&made[0]);
    house.ends(&made[0], &said(7));
    assert_eq!(
        reason(house.asks(&made[1], 7)),
        Some((Outcome::Cancelled, "repeat".into()))
    );
    assert_eq!(house.asks(&made[1], 8), None);
    house.later(secs(60));
    assert_eq!(house.asks(&made[1], 7), None);
}

#[test]
fn the_same_words_in_another_chat_are_no_repeat() {
    let mut house = House::new("", RULES);
    let decision = house.kf_text("价格");
    let made = house.make(&decision);
    house.ends(&made[0], &said(7));
    let mut other = made[1].job.clone();
    if let Action::KfMessage { account, .. } = &mut other.action {
        *account = OpenKfId::parse("wk2").unwrap();
    }
    assert_eq!(may_start(&house.doc, &other, 0, Some(7), house.now), None);
}

#[test]
fn a_try_that_may_have_arrived_is_left_to_wecom_to_judge() {
    let mut house = House::new("", RULES);
    let decision = house.kf_text("价格");
    let made = house.make(&decision);
    house.ends(&made[0], &said(7));
    house.doc.kf_mut(&account()).state = Some(3);
    assert_eq!(may_start(&house.doc, &made[1].job, 1, Some(7), house.now), None);
}

#[test]
fn five_messages_may_follow_a_customers_message_and_the_next_one_clears_the_count() {
    let mut house = House::new("", RULES);
    let decision = house.kf_text("价格");
    let made = house.make(&decision);
    for n in 0..5 {
        assert_eq!(house.asks(&made[n % 2], n as u64), None, "{n}");
        house.starts(&made[n % 2]);
        house.ends(&made[n % 2], &said(100 + n as u64));
    }
    assert_eq!(
        reason(house.asks(&made[1], 1)),
        Some((Outcome::Rejected, "kf_limit_5".into()))
    );
    house.kf_text("hi");
    assert_eq!(house.asks(&made[1], 1), None);
}

#[test]
fn a_message_written_before_our_answers_and_read_after_them_does_not_clear_their_count() {
    let mut house = House::new("", RULES);
    let decision = house.kf_text("价格");
    let made = house.make(&decision);
    let written = house.now.0 / 1000 + 1;
    house.starts(&made[0]);
    house.ends(&made[0], &said(1));
    house.later(secs(3));
    for n in 0..4 {
        house.starts(&made[n % 2]);
        house.ends(&made[n % 2], &said(10 + n as u64));
    }
    assert!(house.asks(&made[1], 1).is_some());
    house.kf_text_sent("hi", written);
    assert_eq!(house.doc.kf_mut(&account()).sent, 4);
    house.kf_text("hi");
    assert_eq!(house.doc.kf_mut(&account()).sent, 0);
}

#[test]
fn a_message_is_counted_once_however_often_it_is_tried() {
    let mut house = House::new("", RULES);
    let decision = house.kf_text("价格");
    let made = house.make(&decision);
    house.doc.kf_mut(&account()).sent = 4;
    for _ in 0..3 {
        assert_eq!(house.asks(&made[0], 1), None);
        house.starts(&made[0]);
        assert_eq!(house.doc.kf_mut(&account()).sent, 5);
    }
    house.ends_as(&made[0], Outcome::Delivered, "ok");
    assert!(house.asks(&made[1], 1).is_some());
}

#[test]
fn forty_eight_hours_after_the_customers_message_the_window_is_closed() {
    let mut house = House::new("", RULES);
    let decision = house.kf_text("价格");
    let made = house.make(&decision);
    house.later(secs(48 * 3600));
    assert_eq!(
        reason(house.asks(&made[0], 1)),
        Some((Outcome::Expired, "kf_window_closed".into()))
    );
}

#[test]
fn a_reply_goes_only_in_states_zero_and_one() {
    let mut house = House::new("", RULES);
    let decision = house.kf_text("价格");
    let made = house.make(&decision);
    for (state, wanted) in [
        (None, None),
        (Some(0), None),
        (Some(1), None),
        (Some(2), Some("person_serves")),
        (Some(3), Some("person_serves")),
        (Some(4), Some("session_ended")),
    ] {
        house.doc.kf_mut(&account()).state = state;
        let got = reason(house.asks(&made[0], 1));
        assert_eq!(got, wanted.map(|w| (Outcome::Rejected, w.to_owned())), "{state:?}");
    }
}

#[test]
fn an_answer_makes_a_new_session_the_assistants() {
    let mut house = House::new("", RULES);
    let decision = house.kf_text("价格");
    let made = house.make(&decision);
    house.ends_as(&made[0], Outcome::Delivered, "ok");
    assert_eq!(house.doc.kf_mut(&account()).state, Some(1));
}
