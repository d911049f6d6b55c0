//! Answers that failed for good, and who sees the customer then.

use super::kf::RULES;
use super::*;

#[test]
fn a_message_whose_answer_failed_for_good_goes_to_the_pool_once_per_session() {
    for (outcome, reason) in [
        (Outcome::Rejected, "kf_limit_5"),
        (Outcome::Expired, "deadline"),
        (Outcome::Dead, "retries_used_up"),
    ] {
        let mut house = House::new("", RULES);
        let said = house.kf_text("价格");
        let made = house.make(&said);
        house.starts(&made[0]);
        let entries = house.ends_as(&made[0], outcome, reason);
        assert_eq!(entries.len(), 1, "{reason}");
        assert_eq!(entries[0].conversation, Conversation::Contact(corp_id(), contact()));
        assert_eq!(words(&house.try_decide(entries[0].clone()).unwrap()), ["kf_pool"]);
        // The second part fails too: a person has been called already.
        assert!(house.ends_as(&made[1], outcome, reason).is_empty());
        assert_eq!(
            undone(&house.try_decide(entries[0].clone()).unwrap()),
            ["pool:already_pooled"]
        );
    }
}

#[test]
fn an_answer_that_arrived_or_that_we_chose_not_to_send_calls_nobody() {
    for (outcome, reason) in [
        (Outcome::Delivered, "ok"),
        (Outcome::Cancelled, "repeat"),
        (Outcome::Cancelled, "observe"),
        (Outcome::Uncertain, "started"),
        (Outcome::Rejected, "person_serves"),
        (Outcome::Rejected, "session_ended"),
        (Outcome::Expired, "session_ended"),
    ] {
        let mut house = House::new("", RULES);
        let said = house.kf_text("价格");
        let made = house.make(&said);
        assert!(house.ends_as(&made[0], outcome, reason).is_empty(), "{reason}");
    }
}

#[test]
fn a_failed_answer_is_left_in_silence_if_the_settings_say_so() {
    let mut house = House::new("", RULES);
    house.corp.kf.unmatched = Unmatched::Silent;
    let said = house.kf_text("价格");
    let made = house.make(&said);
    assert!(house.ends_as(&made[0], Outcome::Dead, "x").is_empty());
}

#[test]
fn that_a_person_serves_is_remembered_until_the_session_changes() {
    let mut house = House::new("", RULES);
    let said = house.kf_text("价格");
    let made = house.make(&said);
    house.ends_as(&made[0], Outcome::Rejected, "person_serves");
    house.later(secs(3600));
    assert_eq!(undone(&house.kf_text("hi")), ["reply:person_serves"]);
    house.kf_event(serde_json::json!({ "event_type": "session_status_change", "change_type": 3 }));
    assert_eq!(words(&house.kf_text("价格")).len(), 2);
}

#[test]
fn who_waits_in_the_pool_is_served_by_a_person() {
    let mut house = House::new("", RULES);
    let said = house.kf_text("hi");
    let made = house.make(&said);
    house.ends_as(&made[0], Outcome::Delivered, "ok");
    assert_eq!(undone(&house.kf_text("价格")), ["reply:person_serves"]);
}
