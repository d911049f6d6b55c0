//! The pull behind the doorbell: pages, rings, lost callbacks, and messages that are too old.

use wecom_gateway::sandbox::{Act, Fault};

use crate::kf::script;
use crate::script::{CHEN, KF, Script, WANG, ZHOU};
use crate::stage::kf_write;

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
