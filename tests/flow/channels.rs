//! Channels: who gets which welcome and which tags.

use crate::script::{CHEN, LI, Script, WANG, ZHOU};
use crate::stage::scan;

#[tokio::test]
async fn the_longest_matching_channel_welcomes_and_tags() {
    let play = Script::coffee()
        .template("store", "text = \"门店{{ channel.param }}，{{ channel.name }}\"")
        .channel("poster", "welcome = \"a\"\ntags = [\"来源/海报\", \"城市/上海\"]")
        .channel("store-*", "welcome = \"store\"\ntags = [\"来源/门店\"]")
        .channel("store-vip-*", "welcome = \"b\"")
        .channel("", "welcome = \"c\"\ntags = [\"来源/直接\"]")
        .channel("*", "welcome = \"hello\"")
        .setup(|s| s.contact("wmE", "戊").contact("wmF", "己").contact("wmG", "庚"))
        .play()
        .await;
    for (contact, state) in [
        (WANG, "poster"),
        (LI, "store-042"),
        ("wmE", "store-vip-7"),
        ("wmF", ""),
        ("wmG", "poster2"),
    ] {
        play.scan(contact, state).await;
    }
    play.settle().await;
    assert_eq!(play.seen(WANG), ["甲"]);
    assert_eq!(play.seen(LI), ["门店042，渠道 store-*"]);
    assert_eq!(play.seen("wmE"), ["乙"]);
    assert_eq!(play.seen("wmF"), ["丙"]);
    assert_eq!(play.seen("wmG"), ["你好庚，我是张三"]);
    assert_eq!(play.wecom.tags_of("zhangsan", WANG), ["城市/上海", "来源/海报"]);
    assert_eq!(play.wecom.tags_of("zhangsan", LI), ["来源/门店"]);
    assert_eq!(play.wecom.tags_of("zhangsan", "wmF"), ["来源/直接"]);
    assert!(play.wecom.tags_of("zhangsan", "wmG").is_empty());
    play.end().await;
}

#[tokio::test]
async fn an_ignored_channel_gets_neither_welcome_nor_tags() {
    let play = Script::coffee()
        .channel("mall-*", "ignore = true")
        .channel("*", "welcome = \"a\"\ntags = [\"来源/其他\"]")
        .rule("标签", "on = \"contact_added\"\ntags = { add = [\"客户/新\"] }")
        .play()
        .await;
    play.scan(WANG, "mall-9").await;
    play.settle().await;
    assert!(play.seen(WANG).is_empty());
    assert!(play.wecom.tags_of("zhangsan", WANG).is_empty());
    assert_eq!(play.skipped("welcome", "ignored_channel"), 1.0);
    play.end().await;
}

#[tokio::test]
async fn a_rule_with_a_reply_is_the_welcome_and_the_tags_of_rule_and_channel_are_united() {
    let play = Script::coffee()
        .channel("*", "welcome = \"a\"\ntags = [\"来源/其他\"]")
        .rule(
            "新客",
            "on = \"contact_added\"\nreply = [\"b\"]\ntags = { add = [\"客户/新\"] }",
        )
        .play()
        .await;
    play.scan(WANG, "x").await;
    play.settle().await;
    assert_eq!(play.seen(WANG), ["乙"]);
    assert_eq!(play.wecom.tags_of("zhangsan", WANG), ["客户/新", "来源/其他"]);
    assert_eq!(play.calls("externalcontact/mark_tag"), 1, "one call for all of them");
    play.end().await;
}

#[tokio::test]
async fn a_matching_when_comes_before_the_weights_and_the_weights_are_stable_per_contact() {
    let play = Script::coffee()
        .channel(
            "*",
            "welcome = [ { template = \"c\", when = { members = [\"lisi\"] } },\n\
             { template = \"a\", weight = 50 }, { template = \"b\", weight = 50 } ]",
        )
        .setup(|s| (0..24).fold(s, |s, i| s.contact(&format!("wmN{i}"), "新")))
        .play()
        .await;
    play.act(scan("lisi", WANG, None, false)).await;
    for i in 0..24 {
        play.scan(&format!("wmN{i}"), "x").await;
    }
    play.settle().await;
    assert_eq!(play.seen(WANG), ["丙"]);
    let got: Vec<String> = (0..24).flat_map(|i| play.seen(&format!("wmN{i}"))).collect();
    assert_eq!(got.len(), 24);
    assert!(
        got.contains(&"甲".to_owned()) && got.contains(&"乙".to_owned()),
        "{got:?}"
    );
    // Deleted and added again: the same person hears the same.
    for i in 0..4 {
        let contact = format!("wmN{i}");
        play.act(wecom_gateway::sandbox::Act::DeleteContact {
            member: "zhangsan".into(),
            contact: contact.clone(),
            transfer: false,
        })
        .await;
        assert_eq!(play.seen(&contact)[0], got[i as usize]);
    }
    play.end().await;
}

#[tokio::test]
async fn of_a_half_addition_and_its_completion_one_welcomes_and_the_other_tags() {
    let play = Script::coffee()
        .channel("poster", "welcome = \"hello\"\ntags = [\"来源/海报\"]")
        .play()
        .await;
    play.act(scan("zhangsan", WANG, Some("poster".into()), true)).await;
    play.settle().await;
    assert_eq!(play.seen(WANG).len(), 1);
    assert_eq!(
        play.calls("externalcontact/mark_tag"),
        0,
        "tags wait for the full addition"
    );
    play.act(wecom_gateway::sandbox::Act::Confirm {
        member: "zhangsan".into(),
        contact: WANG.into(),
    })
    .await;
    play.settle().await;
    assert_eq!(play.seen(WANG).len(), 1, "one welcome per relation");
    assert_eq!(play.wecom.tags_of("zhangsan", WANG), ["来源/海报"]);
    play.end().await;
}

#[tokio::test]
async fn tags_of_a_loss_can_still_be_set_and_a_handover_is_no_loss() {
    let play = Script::coffee()
        .rule("流失", "on = \"contact_lost\"\ntags = { add = [\"状态/流失\"] }")
        .play()
        .await;
    play.act(wecom_gateway::sandbox::Act::DeleteMember {
        member: "zhangsan".into(),
        contact: CHEN.into(),
    })
    .await;
    play.act(wecom_gateway::sandbox::Act::DeleteContact {
        member: "zhangsan".into(),
        contact: ZHOU.into(),
        transfer: true,
    })
    .await;
    play.settle().await;
    assert_eq!(play.wecom.tags_of("zhangsan", CHEN), ["状态/流失"]);
    assert!(play.wecom.tags_of("lisi", CHEN).is_empty(), "that member's, no other's");
    assert_eq!(play.outcomes("mark_tags").await, ["delivered: ok"]);
    play.end().await;
}
