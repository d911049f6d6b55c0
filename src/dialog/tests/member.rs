//! Members' chats with an app.

use super::*;

const RULES: &str = r#"
[[rule]]
name = "price"
on = "message"
source = ["agent"]
keywords = { any = ["价格"] }
reply = ["price", "two"]
cooldown = "30s"
[[rule]]
name = "fallback"
on = "message"
source = ["agent"]
fallback = true
reply = ["help"]
[[rule]]
name = "enter"
on = "app_entered"
reply = ["hello"]
[[rule]]
name = "menu"
on = "menu_click"
keywords = { exact = ["k1"] }
reply = ["night"]
[[rule]]
name = "joined"
on = "member_subscribed"
reply = ["hello"]
"#;

fn event(house: &mut House, name: &str, more: &[(&str, &str)]) -> Decision {
    let mut all = vec![("Event", name)];
    all.extend_from_slice(more);
    house.member("event", &all)
}

#[test]
fn a_members_message_gets_all_replies_of_its_rule_in_order() {
    let mut house = House::new("", RULES);
    let decision = house.member_text("价格？");
    assert_eq!(words(&decision), ["app_message:price", "app_message:two"]);
    assert_eq!(decision.rule.as_deref(), Some("price"));
    let say = decision.jobs[0].action.say().unwrap();
    assert_eq!(say.vars["message.text"], "价格？");
    assert_eq!(say.vars["message.keyword"], "价格");
    assert_eq!(say.vars["member.userid"], "zhangsan");
    assert_eq!(decision.jobs[0].deadline, Some(house.now.plus(secs(600))));
}

#[test]
fn a_keyword_rule_that_cools_down_is_silent_and_no_fallback_speaks_for_it() {
    let mut house = House::new("", RULES);
    house.member_text("价格");
    let again = house.member_text("价格");
    assert!(again.jobs.is_empty());
    assert_eq!(undone(&again), ["reply:cooldown"]);
    house.later(secs(30));
    assert_eq!(words(&house.member_text("价格")).len(), 2);
}

#[test]
fn a_message_rule_without_keywords_cools_down_for_an_hour() {
    let mut house = House::new("", RULES);
    assert_eq!(words(&house.member_text("hi")), ["app_message:help"]);
    house.later(secs(3599));
    assert_eq!(undone(&house.member_text("hi")), ["reply:cooldown"]);
    house.later(secs(1));
    assert_eq!(words(&house.member_text("hi")), ["app_message:help"]);
}

#[test]
fn app_entered_cools_down_for_24_hours_per_member() {
    let mut house = House::new("", RULES);
    assert_eq!(words(&event(&mut house, "enter_agent", &[])), ["app_message:hello"]);
    house.later(secs(86_399));
    assert!(event(&mut house, "enter_agent", &[]).jobs.is_empty());
    house.later(secs(1));
    assert_eq!(words(&event(&mut house, "enter_agent", &[])), ["app_message:hello"]);
}

#[test]
fn menus_and_subscriptions_are_answered_by_their_rules() {
    let mut house = House::new("", RULES);
    assert_eq!(
        words(&event(&mut house, "click", &[("EventKey", "k1")])),
        ["app_message:night"]
    );
    assert!(event(&mut house, "click", &[("EventKey", "k2")]).jobs.is_empty());
    assert_eq!(words(&event(&mut house, "subscribe", &[])), ["app_message:hello"]);
    assert!(event(&mut house, "unsubscribe", &[]).jobs.is_empty());
}

#[test]
fn an_answer_to_a_members_message_older_than_max_age_is_planned_to_expire_and_cools_nothing_down() {
    let mut house = House::new("", RULES);
    let accepted = house.now;
    house.later(secs(600));
    let body = house.member_body("text", &[("Content", "价格"), ("MsgId", "7")]);
    let decision = house.try_decide_accepted(body, accepted).unwrap();
    assert!(decision.jobs.iter().all(|j| j.deadline == Some(house.now)));
    assert_eq!(words(&house.member_text("价格")).len(), 2);
}

#[test]
fn what_a_member_sends_in_another_kind_is_answered_by_no_keyword() {
    let mut house = House::new("", RULES);
    let decision = house.member("image", &[("PicUrl", "http://p"), ("MediaId", "m"), ("MsgId", "8")]);
    assert_ne!(decision.rule.as_deref(), Some("price"));
}

#[test]
fn kinds_that_no_rule_knows_are_decided_with_nothing_to_do() {
    let mut house = House::new("", RULES);
    let body = house.body(
        Conversation::Payload(corp_id(), "00".into()),
        What::Callback,
        "<xml><MsgType>event</MsgType><Event>brand_new</Event></xml>".into(),
    );
    assert_eq!(house.try_decide(body), Ok(Decision::default()));
}

#[test]
fn the_next_keyword_rule_speaks_while_the_better_one_cools_down_but_a_fallback_does_not() {
    let second = r#"
[[rule]]
name = "second"
on = "message"
source = ["agent"]
keywords = { any = ["价格"] }
reply = ["night"]
cooldown = "30s"
priority = -1
"#;
    let mut house = House::new("", &format!("{RULES}{second}"));
    assert_eq!(house.member_text("价格").rule.as_deref(), Some("price"));
    let next = house.member_text("价格");
    assert_eq!(words(&next), ["app_message:night"]);
    assert_eq!(next.rule.as_deref(), Some("second"));
    assert_eq!(undone(&next), ["reply:cooldown"]);
    let third = house.member_text("价格");
    assert!(third.jobs.is_empty());
    assert_eq!(undone(&third), ["reply:cooldown", "reply:cooldown"]);
}
