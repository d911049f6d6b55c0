//! 微信客服: who is answered, with what, in which order, and when we are silent.

use serde_json::json;
use wecom_gateway::sandbox::{Act, Fault, Lost};

use crate::script::{CHEN, KF, Script, WANG, ZHOU};
use crate::stage::{kf_enter, kf_write};

const SEND: &str = "kf/send_msg";
const TRANS: &str = "kf/service_state/trans";

/// Polls only at the start: what comes later comes by the doorbell.
fn script() -> Script {
    Script::coffee()
        .kf("poll = \"1h\"")
        .template("kf-hello", "text = \"欢迎{{ contact.name }}\"")
        .template("three", "text = \"一\"")
        .rule("进入", "on = \"enter_session\"\nreply = [\"kf-hello\"]")
        .rule(
            "价格",
            "on = \"message\"\nsource = [\"kf\"]\nkeywords = { any = [\"价格\"] }\nreply = [\"a\", \"b\", \"c\"]",
        )
        .rule(
            "回声",
            "on = \"message\"\nsource = [\"kf\"]\nkeywords = { prefix = [\"e\"] }\nreply = [\"echo\"]",
        )
        .template("echo", "text = \"收到{{ message.text }}\"")
}

fn duty(on: bool) -> Act {
    Act::KfDuty {
        account: None,
        servicer: "lisi".into(),
        on,
    }
}

fn take(contact: &str) -> Act {
    Act::KfTake {
        account: None,
        contact: contact.into(),
        servicer: "lisi".into(),
    }
}

#[tokio::test]
async fn a_customer_is_welcomed_and_answered_with_all_parts_in_order() {
    let play = script()
        .picture("p.png")
        .template(
            "rich",
            "text = \"看\"\n[[attachments]]\ntype = \"image\"\nfile = \"media/p.png\"\n\
             [menu]\nhead = \"选\"\nitems = [ { id = \"k1\", text = \"甲项\" } ]\ntail = \"完\"",
        )
        .rule(
            "图",
            "on = \"message\"\nsource = [\"kf\"]\nkeywords = { exact = [\"图\"] }\nreply = [\"rich\"]",
        )
        .play()
        .await;
    let began = play.wecom.now_ms();
    play.act(kf_enter(CHEN)).await;
    let seen = play.sees(CHEN, 1).await;
    assert!(seen[0].at_ms - began < 2_000);
    assert_eq!(seen[0].text, "欢迎老陈");
    play.writes(CHEN, "价 格 呢").await;
    play.settle().await;
    assert_eq!(play.seen(CHEN)[1..], ["甲", "乙", "丙"]);
    play.writes(WANG, "图").await;
    play.settle().await;
    let kinds: Vec<_> = play
        .wecom
        .messages_to(WANG)
        .iter()
        .map(|m| m.content["msgtype"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(kinds, ["text", "image", "msgmenu"]);
    assert_eq!(
        play.wecom.kf_state(KF, CHEN),
        1,
        "an answer through the API makes it the assistant's"
    );
    play.end().await;
}

#[tokio::test]
async fn a_click_on_a_menu_is_answered_by_the_items_rule() {
    let play = script()
        .rule(
            "点甲",
            "on = \"menu_click\"\nsource = [\"kf\"]\nkeywords = { exact = [\"k1\"] }\nreply = [\"c\"]",
        )
        .play()
        .await;
    play.act(Act::KfWrite {
        account: None,
        contact: CHEN.into(),
        text: Some("甲项".into()),
        menu_id: Some("k1".into()),
        content: None,
    })
    .await;
    play.settle().await;
    assert_eq!(play.seen(CHEN), ["丙"]);
    play.end().await;
}

#[tokio::test]
async fn a_fallback_answers_once_and_cools_down_for_an_hour() {
    let play = script()
        .rule(
            "兜底",
            "on = \"message\"\nsource = [\"kf\"]\nfallback = true\nreply = [\"c\"]",
        )
        .play()
        .await;
    for text in ["天气", "足球"] {
        play.writes(CHEN, text).await;
        play.settle().await;
    }
    assert_eq!(play.seen(CHEN), ["丙"]);
    assert_eq!(play.skipped("reply", "cooldown"), 1.0);
    assert_eq!(
        play.wecom.kf_state(KF, CHEN),
        2,
        "what it did not answer a second time a person sees"
    );
    play.end().await;
}

#[tokio::test]
async fn what_nobody_answers_goes_to_the_pool_once_per_session() {
    let play = script().play().await;
    play.writes(CHEN, "天气").await;
    play.settle().await;
    assert_eq!(play.wecom.kf_state(KF, CHEN), 2);
    play.writes(CHEN, "足球").await;
    play.settle().await;
    assert_eq!(play.calls(TRANS), 1);
    assert_eq!(play.outcomes("kf_pool").await, ["delivered: ok"]);
    assert!(play.seen(CHEN).is_empty());
    play.end().await;
}

#[tokio::test]
async fn nobody_goes_to_a_pool_that_no_receptionist_watches_or_that_is_switched_off() {
    let nobody = async {
        let play = script().play().await;
        play.act(duty(false)).await;
        play.writes(CHEN, "天气").await;
        play.settle().await;
        assert_eq!(play.wecom.kf_state(KF, CHEN), 0);
        assert_eq!(play.calls(TRANS), 0);
        play.end().await;
    };
    let silent = async {
        let play = script().kf("unmatched = \"silent\"").play().await;
        play.writes(CHEN, "天气").await;
        play.settle().await;
        assert_eq!(play.wecom.kf_state(KF, CHEN), 0);
        assert_eq!(play.skipped("pool", "unmatched_silent"), 1.0);
        play.end().await;
    };
    tokio::join!(nobody, silent);
}

#[tokio::test]
async fn while_a_person_serves_we_are_silent_until_the_session_changes() {
    let play = script()
        .rule("结束", "on = \"session_changed\"\nreply = [\"c\"]")
        .play()
        .await;
    play.writes(CHEN, "天气").await;
    play.settle().await;
    play.act(take(CHEN)).await;
    play.settle().await;
    let seen = play.seen(CHEN).len();
    play.writes(CHEN, "价格").await;
    play.settle().await;
    assert_eq!(play.seen(CHEN).len(), seen);
    assert_eq!(play.calls(SEND), 0, "we know without asking");
    assert_eq!(play.skipped("reply", "person_serves"), 1.0);
    play.act(Act::KfEnd {
        account: None,
        contact: CHEN.into(),
    })
    .await;
    play.settle().await;
    play.writes(CHEN, "价格").await;
    play.settle().await;
    assert!(
        play.seen(CHEN).ends_with(&["甲".into(), "乙".into(), "丙".into()]),
        "{:?}",
        play.seen(CHEN)
    );
    play.end().await;
}

#[tokio::test]
async fn a_refusal_because_a_person_serves_is_on_record_and_remembered() {
    let play = script().play().await;
    play.writes(CHEN, "天气").await;
    play.settle().await;
    // The answer is decided; before it goes out somebody takes the customer, and WeCom loses the callback.
    play.wecom.act_silently(take(CHEN)).await.unwrap();
    let told = play.writes(CHEN, "价格").await;
    assert_eq!(told.callbacks.len(), 1);
    play.settle().await;
    assert!(play.seen(CHEN).is_empty());
    // Nothing in the log says that zhou's session is a person's: only the refusal does.
    play.wecom.fault(Fault::on(SEND).errcode(95018));
    play.wecom.fault(Fault::on(SEND).errcode(95018));
    play.writes(ZHOU, "e1").await;
    let outcomes = play.outcomes("kf_message").await;
    assert_eq!(
        outcomes,
        ["rejected: session_state"],
        "WeCom says 95018 and state 0: neither is trusted"
    );
    play.end().await;
}

#[tokio::test]
async fn the_sixth_answer_after_the_customers_last_word_is_not_sent() {
    let play = script().play().await;
    play.settle().await;
    for text in ["价格", "e4", "e5"] {
        play.wecom.act_silently(kf_write(CHEN, text)).await.unwrap();
    }
    play.writes(CHEN, "e6").await;
    let outcomes = play.outcomes("kf_message").await;
    assert_eq!(outcomes.iter().filter(|o| *o == "delivered: ok").count(), 5);
    assert!(outcomes.contains(&"rejected: kf_limit_5".to_owned()), "{outcomes:?}");
    assert_eq!(play.calls(SEND), 5, "WeCom is not asked for what it refuses");
    assert_eq!(play.seen(CHEN), ["甲", "乙", "丙", "收到e4", "收到e5"]);
    play.end().await;
}

#[tokio::test]
async fn the_customers_next_message_clears_the_five() {
    let play = script().play().await;
    for text in ["e1", "e2", "e3", "e4", "e5", "e6", "e7"] {
        play.writes(CHEN, text).await;
        play.settle().await;
    }
    assert_eq!(play.outcomes("kf_message").await, vec!["delivered: ok"; 7]);
    let seen: Vec<String> = (1..8).map(|i| format!("收到e{i}")).collect();
    assert_eq!(play.seen(CHEN), seen, "each once, in order");
    play.end().await;
}

#[tokio::test]
async fn a_msgid_that_wecom_knows_after_a_lost_answer_is_a_delivery() {
    let play = script().play().await;
    play.wecom.fault(Fault::on(SEND).lost(Lost::After));
    play.writes(CHEN, "e1").await;
    assert_eq!(
        play.outcomes("kf_message").await,
        ["delivered: duplicate_msgid_presumed"]
    );
    let calls = play.wecom.calls_of(SEND);
    assert_eq!(calls[0].body["msgid"], calls[1].body["msgid"]);
    assert_eq!(play.seen(CHEN), ["收到e1"]);
    play.end().await;
}

#[tokio::test]
async fn a_lost_answer_to_an_event_message_is_uncertain_and_never_a_second_welcome() {
    let play = script().play().await;
    play.wecom.fault(Fault::on("kf/send_msg_on_event").lost(Lost::After));
    play.act(kf_enter(CHEN)).await;
    let outcomes = play.outcomes("kf_event_message").await;
    assert_eq!(outcomes.len(), 1);
    assert!(outcomes[0].starts_with("uncertain: "), "{outcomes:?}");
    assert_eq!(play.seen(CHEN), ["欢迎老陈"]);
    play.end().await;
}

#[tokio::test]
async fn an_empty_page_with_more_behind_it_is_no_end_and_pages_are_read_to_the_last() {
    let play = script().limits(|l| l.sync_page = 2).play().await;
    play.settle().await;
    for (contact, text) in [(CHEN, "e1"), (ZHOU, "e2"), (CHEN, "e3"), (WANG, "e4")] {
        play.wecom.act_silently(kf_write(contact, text)).await.unwrap();
    }
    let empty = Act::KfEmptyPages {
        account: None,
        pages: 3,
    };
    play.act(empty).await;
    play.writes(ZHOU, "e5").await;
    play.settle().await;
    assert_eq!(play.seen(CHEN), ["收到e1", "收到e3"], "not only the last one of a page");
    assert_eq!(play.seen(ZHOU), ["收到e2", "收到e5"]);
    assert_eq!(play.seen(WANG), ["收到e4"]);
    play.end().await;
}

#[tokio::test]
async fn a_ring_during_a_pull_causes_one_more_pull() {
    let play = script().play().await;
    play.settle().await;
    let before = play.calls("kf/sync_msg");
    // The first pull has read its page, and its answer is on the way when the second message comes.
    play.wecom.fault(Fault::on("kf/sync_msg").delay_ms(800).after_effect());
    play.writes(CHEN, "e1").await;
    play.until("the first pull", || {
        !play.wecom.state()["faults"].as_array().unwrap().iter().any(|_| true)
    })
    .await;
    for text in ["e2", "e3", "e4"] {
        play.writes(CHEN, text).await;
    }
    play.settle().await;
    assert_eq!(play.seen(CHEN), ["收到e1", "收到e2", "收到e3", "收到e4"]);
    let pulls = play.calls("kf/sync_msg") - before;
    assert!(
        pulls <= 3,
        "three rings during one pull are one more pull, not three: {pulls}"
    );
    play.end().await;
}

#[tokio::test]
async fn a_lost_callback_is_made_good_by_the_slow_poll() {
    let play = Script::coffee()
        .kf("poll = \"1s\"")
        .rule(
            "价",
            "on = \"message\"\nsource = [\"kf\"]\nkeywords = { any = [\"价格\"] }\nreply = [\"a\"]",
        )
        .play()
        .await;
    play.settle().await;
    play.wecom.act_silently(kf_write(CHEN, "价格")).await.unwrap();
    play.sees(CHEN, 1).await;
    assert_eq!(play.metric("wecom_callbacks_accepted_total", &[]), 0.0);
    play.leave();
}

#[tokio::test]
async fn an_old_message_gets_no_answer_but_a_person_and_one_from_before_our_time_neither() {
    let play = script().kf("max_age = \"3s\"").play().await;
    play.settle().await;
    play.wecom.advance(-3_600_000);
    play.wecom.act_silently(kf_write(ZHOU, "价格")).await.unwrap();
    play.wecom.advance(3_600_000 - 6_000);
    play.wecom.act_silently(kf_write(CHEN, "价格")).await.unwrap();
    play.wecom.advance(6_000);
    play.writes(WANG, "价格").await;
    play.settle().await;
    assert_eq!(play.seen(WANG), ["甲", "乙", "丙"]);
    assert!(play.seen(CHEN).is_empty(), "older than max_age");
    assert_eq!(play.wecom.kf_state(KF, CHEN), 2, "a person sees it");
    assert!(play.seen(ZHOU).is_empty(), "older than first served");
    assert_eq!(play.wecom.kf_state(KF, ZHOU), 0, "and no pool either");
    assert_eq!(play.skipped("reply", "before_first_served"), 1.0);
    let outcomes = play.outcomes("kf_message").await;
    assert_eq!(
        outcomes.iter().filter(|o| *o == "expired: deadline").count(),
        3,
        "{outcomes:?}"
    );
    play.end().await;
}

#[tokio::test]
async fn recalls_failures_told_later_and_unknown_messages_do_no_harm() {
    let play = script().play().await;
    let acted = play.writes(CHEN, "e1").await;
    let msgid = acted.result["msgid"].as_str().unwrap().to_owned();
    play.settle().await;
    play.act(Act::KfRecall {
        account: None,
        contact: CHEN.into(),
        msgid,
    })
    .await;
    let mut content = json!({"msgtype": "channels_shop_product", "channels_shop_product": {"product_id": "1"}});
    content["extra"] = json!([1, {"deep": null}]);
    play.act(Act::KfWrite {
        account: None,
        contact: WANG.into(),
        text: None,
        menu_id: None,
        content: Some(content),
    })
    .await;
    let sent = play.wecom.calls_of(SEND)[0].body["msgid"].as_str().unwrap().to_owned();
    play.act(Act::KfSendFail {
        account: None,
        contact: CHEN.into(),
        msgid: sent,
        fail_type: 13,
    })
    .await;
    play.act(duty(true)).await;
    play.settle().await;
    assert_eq!(play.seen(CHEN), ["收到e1"]);
    play.end().await;
}

#[tokio::test]
async fn an_answer_that_failed_for_good_brings_a_person() {
    let play = script().play().await;
    play.wecom.fault(Fault::on(SEND).errcode(40058));
    play.writes(CHEN, "e1").await;
    play.settle().await;
    assert_eq!(play.wecom.kf_state(KF, CHEN), 2);
    assert_eq!(play.outcomes("kf_pool").await, ["delivered: ok"]);
    play.end().await;
}

#[tokio::test]
async fn tags_go_to_every_known_relation_and_wait_where_there_is_none() {
    let play = script()
        .rule(
            "意向",
            "on = \"message\"\nsource = [\"kf\"]\nkeywords = { exact = [\"要\"] }\nreply = [\"a\"]\n\
             tags = { add = [\"意向/高\"] }",
        )
        .channel("", "welcome = \"a\"")
        .play()
        .await;
    play.writes(WANG, "要").await;
    play.settle().await;
    assert_eq!(play.calls("externalcontact/mark_tag"), 0);
    play.scan(WANG, "").await;
    play.settle().await;
    assert_eq!(
        play.wecom.tags_of("zhangsan", WANG),
        ["意向/高"],
        "the label was applied"
    );
    play.end().await;
}
