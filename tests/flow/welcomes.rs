//! The welcome: once, in time, and what becomes of it when WeCom or the network fails.

use wecom_gateway::sandbox::{Act, Fault, Lost, ToldTo};

use crate::script::{LI, Script, WANG};
use crate::stage::{Play, scan};

const SEND: &str = "externalcontact/send_welcome_msg";

fn script() -> Script {
    Script::coffee()
        .channel("*", "welcome = \"hello\"\ntags = [\"来源/其他\"]")
        .channel("", "welcome = \"hello\"")
}

/// When the first welcome reached a contact, counted from the act.
async fn took(play: &Play, contact: &str, began: i64) -> i64 {
    play.sees(contact, 1).await[0].at_ms - began
}

#[tokio::test]
async fn the_same_callback_again_and_the_other_apps_copy_have_no_further_effect() {
    let play = script().second_app().play().await;
    let told = ToldTo {
        copies: 3,
        ..ToldTo::default()
    };
    let acted = play
        .wecom
        .act_with(scan("zhangsan", WANG, Some("x".into()), false), told)
        .await
        .unwrap();
    assert_eq!(acted.callbacks.len(), 6);
    assert!(acted.callbacks.iter().all(|c| c.delivered()));
    assert_eq!(play.outcomes("welcome").await, ["delivered: ok"]);
    assert_eq!(play.seen(WANG), ["你好小王，我是张三"]);
    assert_eq!(play.outcomes("mark_tags").await, ["delivered: ok"]);
    assert_eq!(play.metric("wecom_callbacks_accepted_total", &[]), 1.0);
    assert_eq!(play.metric("wecom_callbacks_duplicate_total", &[]), 5.0);
    play.end().await;
}

#[tokio::test]
async fn without_a_code_nothing_is_sent_and_that_is_counted() {
    let setup = |mut s: wecom_gateway::sandbox::Setup| {
        s.members.get_mut("zhangsan").unwrap().console_welcome = true;
        s
    };
    let play = script().setup(setup).play().await;
    play.scan(WANG, "x").await;
    play.settle().await;
    assert!(play.seen(WANG).is_empty());
    assert_eq!(play.calls(SEND), 0);
    assert_eq!(play.skipped("welcome", "no_welcome_code"), 1.0);
    assert_eq!(play.wecom.tags_of("zhangsan", WANG), ["来源/其他"], "tags need no code");
    play.end().await;
}

#[tokio::test]
async fn after_a_first_welcome_that_failed_a_later_code_is_used() {
    let play = script().play().await;
    play.wecom.fault(Fault::on(SEND).errcode(41050));
    play.act(scan("zhangsan", WANG, Some("x".into()), true)).await;
    assert_eq!(play.outcomes("welcome").await, ["expired: code_expired"]);
    play.act(Act::Confirm {
        member: "zhangsan".into(),
        contact: WANG.into(),
    })
    .await;
    play.settle().await;
    assert_eq!(play.seen(WANG), ["你好小王，我是张三"]);
    play.end().await;
}

#[tokio::test]
async fn somebody_elses_welcome_is_a_rejection_and_ours_whose_answer_was_lost_a_delivery() {
    let play = script().play().await;
    play.wecom.fault(Fault::on(SEND).errcode(41051));
    play.scan(WANG, "x").await;
    assert_eq!(play.outcomes("welcome").await, ["rejected: already_welcomed"]);
    play.wecom.fault(Fault::on(SEND).lost(Lost::After));
    play.scan(LI, "x").await;
    play.settle().await;
    assert_eq!(play.seen(LI).len(), 1);
    let outcomes = play.outcomes("welcome").await;
    assert_eq!(outcomes[1], "delivered: welcome_presumed");
    play.end().await;
}

#[tokio::test]
async fn while_another_app_is_welcoming_ours_is_tried_again() {
    let play = script().play().await;
    play.wecom.fault(Fault::on(SEND).errcode(41096));
    play.scan(WANG, "x").await;
    assert_eq!(play.outcomes("welcome").await, ["delivered: ok"]);
    assert_eq!(play.calls(SEND), 2);
    play.end().await;
}

#[tokio::test]
async fn a_lost_answer_before_the_effect_is_made_good() {
    let play = script().play().await;
    play.wecom.fault(Fault::on(SEND).lost(Lost::Before));
    play.scan(WANG, "x").await;
    assert_eq!(play.outcomes("welcome").await, ["delivered: ok"]);
    assert_eq!(play.seen(WANG).len(), 1);
    play.end().await;
}

#[tokio::test]
async fn a_slow_name_makes_way_for_the_fallback_word() {
    let play = script().play().await;
    play.wecom
        .fault(Fault::on("externalcontact/get").delay_ms(3_000).always());
    let began = play.wecom.now_ms();
    play.scan(WANG, "x").await;
    let took = took(&play, WANG, began).await;
    assert_eq!(play.seen(WANG), ["你好朋友，我是张三"]);
    assert!(took < 2_300, "1.5 s for the look-up, and it took {took} ms");
    play.wecom.clear_faults();
    play.end().await;
}

#[tokio::test]
async fn a_welcome_waits_for_its_media_and_goes_without_them_before_it_is_too_late() {
    let play = Script::coffee()
        .picture("p.png")
        .template(
            "picture",
            "text = \"看图\"\n[[attachments]]\ntype = \"image\"\nfile = \"media/p.png\"",
        )
        .channel("slow", "welcome = \"picture\"")
        .setup(|s| s.contact("wmE", "戊"));
    let wecom = play.setup.clone().start().await.unwrap();
    wecom.fault(Fault::on("media/upload").status(502).always());
    let play = play.play_before(wecom).await;
    let began = play.wecom.now_ms();
    play.scan(WANG, "slow").await;
    // Uploads work again a while later; whoever comes then has the picture at once.
    let took = took(&play, WANG, began).await;
    assert!(
        (13_000..15_500).contains(&took),
        "5 s before its deadline, and it took {took} ms"
    );
    play.wecom.clear_faults();
    play.scan(LI, "slow").await;
    play.settle().await;
    assert_eq!(play.seen(WANG), ["看图"]);
    let ended = play.ended("welcome").await;
    assert_eq!(ended[0].notes, ["without:media/p.png"]);
    assert_eq!(play.seen(LI).len(), 2, "text and picture: {ended:#?}");
    play.end().await;
}

#[tokio::test]
async fn a_storm_of_tags_and_slow_calls_does_not_delay_a_welcome() {
    let play = script()
        .setup(|s| {
            (0..200).fold(s, |s, i| {
                s.contact(&format!("wmN{i}"), "新").related("lisi", &format!("wmN{i}"))
            })
        })
        .rule("流失", "on = \"contact_lost\"\ntags = { add = [\"状态/流失\"] }")
        .play()
        .await;
    play.wecom
        .fault(Fault::on("externalcontact/mark_tag").delay_ms(1_000).always());
    for i in 0..200 {
        let act = Act::DeleteMember {
            member: "lisi".into(),
            contact: format!("wmN{i}"),
        };
        let told = ToldTo {
            wait: false,
            ..ToldTo::default()
        };
        play.wecom.act_with(act, told).await.unwrap();
    }
    play.until("the storm", || {
        play.metric("wecom_callbacks_accepted_total", &[]) == 200.0
    })
    .await;
    let began = play.wecom.now_ms();
    play.scan(WANG, "x").await;
    let took = took(&play, WANG, began).await;
    let tagged = play.metric("wecom_jobs_total", &[("lane", "chore")]);
    assert!(tagged < 150.0, "the storm was over too early: {tagged} of 200");
    assert!(took < 1_500, "{took} ms");
    play.wecom.clear_faults();
    play.end().await;
}
