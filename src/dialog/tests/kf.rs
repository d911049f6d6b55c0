//! 微信客服: messages.

use super::*;

pub const RULES: &str = r#"
[[rule]]
name = "price"
on = "message"
source = ["kf"]
keywords = { any = ["价格"] }
reply = ["price", "two"]
cooldown = "30s"
[[rule]]
name = "only-tag"
on = "message"
source = ["kf"]
keywords = { any = ["退款"] }
tags = { add = ["Intent/Refund"] }
"#;

const FALLBACK: &str = r#"
[[rule]]
name = "fallback"
on = "message"
source = ["kf"]
fallback = true
reply = ["help"]
"#;

#[test]
fn a_customers_message_gets_all_replies_of_its_rule_in_order() {
    let mut house = House::new("", RULES);
    let decision = house.kf_text("价格");
    assert_eq!(words(&decision), ["kf_message:price", "kf_message:two"]);
    let say = decision.jobs[0].action.say().unwrap();
    assert_eq!(say.vars["message.text"], "价格");
    assert_eq!(say.vars["message.keyword"], "价格");
    assert_eq!(say.vars["contact.is_new"], "true");
    assert_eq!(say.at, house.now);
    assert_eq!(decision.jobs[0].deadline, Some(house.now.plus(secs(600))));
}

#[test]
fn an_unmatched_message_goes_to_the_pool_once_per_session() {
    let mut house = House::new("", RULES);
    assert_eq!(words(&house.kf_text("hi")), ["kf_pool"]);
    assert_eq!(undone(&house.kf_text("hi?")), ["pool:already_pooled"]);
    // The session ends, and the customer's next message begins a new one.
    house.kf_event(serde_json::json!({ "event_type": "session_status_change", "change_type": 3 }));
    assert_eq!(words(&house.kf_text("hi again")), ["kf_pool"]);
}

#[test]
fn an_unmatched_message_is_left_in_silence_if_the_settings_say_so() {
    let mut house = House::new("", RULES);
    house.corp.kf.unmatched = Unmatched::Silent;
    let decision = house.kf_text("hi");
    assert!(decision.jobs.is_empty());
    assert_eq!(undone(&decision), ["pool:unmatched_silent"]);
}

#[test]
fn a_rule_without_a_reply_leaves_the_message_unanswered() {
    let mut house = House::new("", RULES);
    let decision = house.kf_text("退款");
    assert_eq!(words(&decision), ["kf_pool"]);
    assert_eq!(decision.rule.as_deref(), Some("only-tag"));
}

#[test]
fn a_keyword_that_cools_down_is_silent_and_calls_no_person() {
    let mut house = House::new("", &format!("{RULES}{FALLBACK}"));
    house.kf_text("价格");
    let again = house.kf_text("价格");
    assert!(again.jobs.is_empty());
    assert_eq!(undone(&again), ["reply:cooldown"]);
}

#[test]
fn a_fallback_that_cools_down_leaves_the_message_to_the_pool() {
    let mut house = House::new("", &format!("{RULES}{FALLBACK}"));
    assert_eq!(words(&house.kf_text("hi")), ["kf_message:help"]);
    let again = house.kf_text("hi?");
    assert_eq!(words(&again), ["kf_pool"]);
    assert_eq!(undone(&again), ["reply:cooldown"]);
}

#[test]
fn while_a_person_serves_we_are_silent() {
    let mut house = House::new("", RULES);
    house.kf_text("价格");
    let by_hand = serde_json::json!({
        "msgid": "s1", "open_kfid": "wk1", "external_userid": "wm1", "send_time": house.now.0 / 1000, "origin": 5,
        "servicer_userid": "lisi", "msgtype": "text", "text": { "content": "hello" },
    });
    house.kf(&by_hand);
    house.later(secs(60));
    for text in ["价格", "hi"] {
        let decision = house.kf_text(text);
        assert!(decision.jobs.is_empty(), "{text}");
        assert_eq!(undone(&decision), ["reply:person_serves"], "{text}");
    }
}

#[test]
fn what_a_person_serves_is_tagged_all_the_same() {
    let mut house = House::new("", RULES);
    house.change("add_external_contact", "zhangsan", &[]);
    house.kf_event(serde_json::json!({ "event_type": "session_status_change", "change_type": 1 }));
    assert_eq!(tagged(&house.kf_text("退款"))["zhangsan"], ["Intent/Refund"]);
}

#[test]
fn a_message_older_than_max_age_is_not_answered_but_seen_by_a_person() {
    let mut house = House::new("", RULES);
    let sent = house.now.0 / 1000;
    house.later(secs(600));
    let decision = house.kf_text_sent("价格", sent);
    // The answers are planned to end `expired: deadline`, on record; the pool does not wait for that.
    assert_eq!(words(&decision), ["kf_message:price", "kf_message:two", "kf_pool"]);
    assert!(decision.jobs[..2].iter().all(|j| j.deadline == Some(house.now)));
    // Nothing was said, so nothing cools down.
    assert!(!undone(&house.kf_text("价格")).contains(&"reply:cooldown".to_owned()));
}

#[test]
fn a_message_older_than_first_served_is_neither_answered_nor_sent_to_the_pool() {
    let mut house = House::new("", RULES);
    let sent = NOON / 1000 - 4 * 86_400 - 1;
    for text in ["价格", "hi"] {
        let decision = house.kf_text_sent(text, sent);
        assert!(decision.jobs.is_empty(), "{text}");
        assert_eq!(undone(&decision), ["reply:before_first_served"], "{text}");
    }
}

#[test]
fn a_message_of_the_second_in_which_we_began_is_ours() {
    let mut house = House::new("", RULES);
    let text = serde_json::json!({
        "msgid": "m1", "open_kfid": "wk1", "external_userid": "wm1", "send_time": NOON / 1000, "origin": 3,
        "msgtype": "text", "text": { "content": "价格" },
    });
    let what = What::Kf {
        account: account(),
        first_served: StoreTime(NOON + 999),
    };
    house.later(secs(2));
    let body = house.body(Conversation::Contact(corp_id(), contact()), what, text.to_string());
    assert_eq!(words(&house.try_decide(body).unwrap()).len(), 2);
}

#[test]
fn a_picture_matches_no_keyword_and_goes_to_the_pool() {
    let mut house = House::new("", RULES);
    let image = serde_json::json!({
        "msgid": "m1", "open_kfid": "wk1", "external_userid": "wm1", "send_time": house.now.0 / 1000, "origin": 3,
        "msgtype": "image", "image": { "media_id": "x" },
    });
    assert_eq!(words(&house.kf(&image)), ["kf_pool"]);
}

#[test]
fn a_session_is_forgotten_after_48_hours_without_an_event() {
    let mut house = House::new("", RULES);
    house.kf_event(serde_json::json!({ "event_type": "session_status_change", "change_type": 1 }));
    house.later(secs(48 * 3600 - 1));
    // A person still serves; and even the message they did not answer keeps the session.
    assert!(house.kf_text("价格").jobs.is_empty());
    house.later(secs(48 * 3600));
    assert_eq!(words(&house.kf_text("价格")).len(), 2);
}

#[test]
fn a_ring_is_one_pull_with_its_token_and_the_slow_poll_one_without() {
    let mut house = House::new("", "");
    let chat = Conversation::KfAccount(corp_id(), account());
    let bell = "<xml><ToUserName>ww1</ToUserName><CreateTime>1772424000</CreateTime><MsgType>event</MsgType>\
                <Event>kf_msg_or_event</Event><Token>T1</Token><OpenKfId>wk1</OpenKfId></xml>";
    for _ in 0..2 {
        let rung = house.body(chat.clone(), What::Callback, bell.into());
        let pull = house.try_decide(rung).unwrap();
        assert_eq!(words(&pull), ["kf_pull"]);
        assert!(matches!(&pull.jobs[0].action, Action::KfPull { token: Some(t), .. } if t.0 == "T1"));
    }
    let poll = house.body(chat, What::KfPoll { account: account() }, String::new());
    let pull = house.try_decide(poll).unwrap();
    assert!(matches!(&pull.jobs[0].action, Action::KfPull { token: None, .. }));
}

#[test]
fn an_account_that_the_settings_do_not_name_is_not_pulled() {
    let mut house = House::new("", "");
    let other = OpenKfId::parse("wk2").unwrap();
    let chat = Conversation::KfAccount(corp_id(), other.clone());
    let poll = house.body(chat, What::KfPoll { account: other }, String::new());
    assert_eq!(
        undone(&house.try_decide(poll.clone()).unwrap()),
        ["pull:account_not_served"]
    );
    house.corp.kf.accounts.clear();
    assert_eq!(words(&house.try_decide(poll).unwrap()), ["kf_pull"]);
}

#[test]
fn a_click_on_a_menu_item_is_answered_by_its_id_else_by_its_text() {
    let clicks = "[[rule]]\nname = \"item\"\non = \"menu_click\"\nsource = [\"kf\"]\nkeywords = { exact = [\"a\"] }\nreply = [\"help\"]\n";
    let mut house = House::new("", &format!("{RULES}{clicks}"));
    for (id, said) in [
        ("a", vec!["kf_message:help"]),
        ("b", vec!["kf_message:price", "kf_message:two"]),
    ] {
        let click = serde_json::json!({
            "msgid": "m1", "open_kfid": "wk1", "external_userid": "wm1", "send_time": house.now.0 / 1000, "origin": 3,
            "msgtype": "text", "text": { "content": "价格", "menu_id": id },
        });
        assert_eq!(words(&house.kf(&click)), said, "{id}");
    }
}

#[test]
fn a_rule_that_is_silent_on_purpose_calls_no_person() {
    let quiet = "[[rule]]\nname = \"quiet\"\non = \"message\"\nsource = [\"kf\"]\nkeywords = { exact = [\"ok\"] }\nreply = []\n";
    let mut house = House::new("", quiet);
    let decision = house.kf_text("OK");
    assert!(decision.jobs.is_empty());
    assert_eq!(decision.rule.as_deref(), Some("quiet"));
}

#[test]
fn conditions_know_the_sessions_scene_and_the_contacts_labels() {
    let rules = r#"
[[rule]]
name = "by-scene"
on = "message"
source = ["kf"]
keywords = { any = ["hi"] }
when = { scene = ["s1"] }
reply = ["help"]
[[rule]]
name = "by-label"
on = "message"
source = ["kf"]
keywords = { any = ["hello"] }
when = { tags = ["Intent/Refund"] }
reply = ["two"]
"#;
    let mut house = House::new("", &format!("{RULES}{rules}"));
    house.corp.kf.unmatched = Unmatched::Silent;
    assert!(house.kf_text("hi").jobs.is_empty());
    assert!(house.kf_text("hello").jobs.is_empty());
    house.kf_event(serde_json::json!({ "event_type": "enter_session", "scene": "s1" }));
    house.kf_text("退款");
    assert_eq!(words(&house.kf_text("hi")), ["kf_message:help"]);
    assert_eq!(words(&house.kf_text("hello")), ["kf_message:two"]);
}
