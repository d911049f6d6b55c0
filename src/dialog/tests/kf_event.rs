//! 微信客服: events and their codes.

use super::*;
use serde_json::json;

const RULES: &str = r#"
[[rule]]
name = "enter"
on = "enter_session"
reply = ["menu"]
[[rule]]
name = "changed"
on = "session_changed"
reply = ["hello"]
[[rule]]
name = "any"
on = "message"
source = ["kf"]
keywords = { any = ["价格"] }
reply = ["price"]
"#;

#[test]
fn who_comes_in_is_answered_with_the_events_code_within_its_twenty_seconds() {
    let mut house = House::new("", RULES);
    let decision = house.kf_event(json!({
        "event_type": "enter_session", "scene": "s1", "scene_param": "p1", "welcome_code": "W1",
    }));
    assert_eq!(words(&decision), ["kf_event_message:menu"]);
    assert_eq!(decision.jobs[0].deadline, Some(house.now.plus(secs(19))));
    let say = decision.jobs[0].action.say().unwrap();
    assert_eq!(
        (say.vars["kf.scene"].as_str(), say.vars["kf.scene_param"].as_str()),
        ("s1", "p1")
    );
    // The scene is remembered for the messages that follow.
    let text = house.kf_text("价格");
    assert_eq!(text.jobs[0].action.say().unwrap().vars["kf.scene"], "s1");
}

#[test]
fn without_a_welcome_code_nothing_is_said_to_who_comes_in() {
    let mut house = House::new("", RULES);
    let decision = house.kf_event(json!({ "event_type": "enter_session" }));
    assert!(decision.jobs.is_empty());
    assert_eq!(undone(&decision), ["reply:no_welcome_code"]);
}

#[test]
fn an_entry_that_is_read_too_late_is_planned_to_expire() {
    let mut house = House::new("", RULES);
    let entered = json!({
        "msgid": "e1", "send_time": house.now.0 / 1000, "origin": 4, "msgtype": "event",
        "event": { "event_type": "enter_session", "open_kfid": "wk1", "external_userid": "wm1", "welcome_code": "W" },
    });
    house.later(secs(3600));
    let decision = house.kf(&entered);
    assert!(decision.jobs[0].deadline.unwrap() < house.now);
}

#[test]
fn a_session_that_changes_hands_is_remembered_and_its_code_is_used() {
    let mut house = House::new("", RULES);
    for (change, code, state, said) in [
        (1, Some("C1"), 3, true),
        (2, None, 3, false),
        (3, Some("C3"), 4, true),
        (4, None, 3, false),
    ] {
        let mut event = json!({ "event_type": "session_status_change", "change_type": change });
        if let Some(code) = code {
            event["msg_code"] = code.into();
        }
        let decision = house.kf_event(event);
        let session = &house.doc.contact.as_ref().unwrap().kf[&account()];
        assert_eq!(session.state, Some(state), "{change}");
        assert_eq!(words(&decision) == ["kf_event_message:hello"], said, "{change}");
        assert_eq!(undone(&decision).is_empty(), said, "{change}");
    }
}

#[test]
fn the_code_of_a_taken_session_carries_text_only() {
    let rules = RULES.replace("reply = [\"hello\"]", "reply = [\"menu\"]");
    let mut house = House::new("", &rules);
    let taken = json!({ "event_type": "session_status_change", "change_type": 1, "msg_code": "C" });
    assert_eq!(undone(&house.kf_event(taken)), ["reply:code_takes_text_only"]);
    let ended = json!({ "event_type": "session_status_change", "change_type": 3, "msg_code": "C" });
    let decision = house.kf_event(ended);
    assert_eq!(words(&decision), ["kf_event_message:menu"]);
    assert_eq!(decision.jobs[0].deadline, Some(house.now.plus(secs(19))));
}

#[test]
fn the_customers_next_message_opens_an_ended_session_again() {
    let mut house = House::new("", RULES);
    house.kf_event(json!({ "event_type": "session_status_change", "change_type": 3 }));
    assert_eq!(words(&house.kf_text("价格")), ["kf_message:price"]);
    let session = &house.doc.contact.as_ref().unwrap().kf[&account()];
    assert_eq!(session.state, Some(0));
}

#[test]
fn a_message_that_did_not_arrive_is_put_on_record_and_a_person_called() {
    let mut house = House::new("", RULES);
    house.kf_text("价格");
    let decision = house.kf_event(json!({ "event_type": "msg_send_fail", "fail_msgid": "x", "fail_type": 6 }));
    assert_eq!(undone(&decision), ["kf_message:later:msg_send_fail_6"]);
    assert_eq!(words(&decision), ["kf_pool"]);
    // Where nobody could reach the customer, nobody is called.
    let decision = house.kf_event(json!({ "event_type": "msg_send_fail", "fail_msgid": "x", "fail_type": 5 }));
    assert!(decision.jobs.is_empty());
    assert_eq!(house.doc.contact.as_ref().unwrap().kf[&account()].state, Some(4));
}

#[test]
fn what_the_customer_takes_back_is_noted() {
    let mut house = House::new("", RULES);
    let decision = house.kf_event(json!({ "event_type": "user_recall_msg", "recall_msgid": "m1" }));
    assert_eq!(undone(&decision), ["recall:user_recall_msg"]);
}

#[test]
fn an_event_about_receptionists_alone_changes_nothing() {
    let mut house = House::new("", RULES);
    let event = json!({
        "msgid": "e1", "send_time": 1, "origin": 4, "msgtype": "event",
        "event": { "event_type": "servicer_status_change", "open_kfid": "wk1", "servicer_userid": "a", "status": 2 },
    });
    assert_eq!(house.kf(&event), Decision::default());
}
