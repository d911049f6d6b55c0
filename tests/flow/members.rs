//! Messages to members: duplicates, lost answers, limits, and who cannot be reached.

use wecom_gateway::sandbox::{Act, Fault, Lost};

use crate::script::{Script, kf_free};

const SEND: &str = "message/send";

fn script() -> Script {
    kf_free(Script::coffee())
        .template("echo", "text = \"收到{{ message.text }}\"")
        .rule(
            "价格",
            "on = \"message\"\nsource = [\"agent\"]\nkeywords = { any = [\"价格\"] }\nreply = [\"a\", \"b\"]",
        )
        .rule(
            "回声",
            "on = \"message\"\nsource = [\"agent\"]\nkeywords = { prefix = [\"e\"] }\nreply = [\"echo\"]",
        )
        .rule("打开", "on = \"app_entered\"\nreply = [\"c\"]")
}

#[tokio::test]
async fn a_keyword_is_answered_with_all_replies_in_order_and_folding_ignores_width_and_case() {
    let play = script().play().await;
    play.member_writes("请问 价 格？").await;
    play.settle().await;
    assert_eq!(play.seen("zhangsan"), ["甲", "乙"]);
    play.member_writes("ＥＣＨＯ").await;
    play.settle().await;
    assert_eq!(play.seen("zhangsan").last().unwrap(), "收到ＥＣＨＯ");
    for _ in 0..2 {
        let opens = Act::MemberEnterAgent {
            app: None,
            member: "zhangsan".into(),
        };
        play.act(opens).await;
        // An event of the same second would be the same event.
        play.wecom.advance(1_000);
    }
    play.settle().await;
    assert_eq!(
        play.seen("zhangsan").iter().filter(|t| *t == "丙").count(),
        1,
        "24 h per member"
    );
    assert_eq!(play.skipped("reply", "cooldown"), 1.0);
    play.end().await;
}

#[tokio::test]
async fn an_identical_answer_within_60_s_is_a_repeat() {
    let play = script().play().await;
    play.member_writes("价格").await;
    play.member_writes("价格呢").await;
    let mut outcomes = play.outcomes("app_message").await;
    outcomes.sort_unstable();
    assert_eq!(
        outcomes,
        [
            "cancelled: repeat",
            "cancelled: repeat",
            "delivered: ok",
            "delivered: ok"
        ]
    );
    assert_eq!(play.seen("zhangsan"), ["甲", "乙"]);
    play.end().await;
}

#[tokio::test]
async fn a_lost_answer_is_repeated_inside_the_duplicate_window_and_seen_once() {
    let play = script().play().await;
    play.wecom.fault(Fault::on(SEND).lost(Lost::After));
    play.member_writes("e1").await;
    assert_eq!(play.outcomes("app_message").await, ["delivered: ok"]);
    let calls = play.wecom.calls_of(SEND);
    assert_eq!(calls.len(), 2);
    assert_eq!(calls[0].body, calls[1].body, "the same bytes");
    assert_eq!(calls[0].body["enable_duplicate_check"], 1);
    assert_eq!(calls[0].body["duplicate_check_interval"], 60);
    assert!(calls[1].at_ms - calls[0].at_ms < 50_000);
    assert_eq!(play.seen("zhangsan"), ["收到e1"]);
    play.end().await;
}

#[tokio::test]
async fn a_malformed_answer_is_an_unclear_one_and_a_server_error_too() {
    let play = script().play().await;
    play.wecom.fault(Fault::on(SEND).malformed());
    play.member_writes("e1").await;
    play.settle().await;
    play.wecom.fault(Fault::on(SEND).status(502).after_effect());
    play.member_writes("e2").await;
    assert_eq!(play.outcomes("app_message").await, ["delivered: ok", "delivered: ok"]);
    assert_eq!(play.seen("zhangsan"), ["收到e1", "收到e2"], "each once");
    play.end().await;
}

#[tokio::test]
async fn the_31st_message_of_a_minute_waits_instead_of_being_dropped() {
    let play = script().play().await;
    for i in 0..31 {
        play.member_writes(&format!("e{i}")).await;
    }
    play.sees("zhangsan", 30).await;
    play.until("the last one waits", || {
        play.metric("wecom_queue_jobs", &[("lane", "reply")]) == 1.0
    })
    .await;
    assert_eq!(play.calls(SEND), 30, "WeCom would drop it without a word");
    let order: Vec<String> = (0..30).map(|i| format!("收到e{i}")).collect();
    assert_eq!(play.seen("zhangsan"), order, "in order");
    play.leave();
}

#[tokio::test]
async fn whom_wecom_calls_invalid_is_rejected() {
    let play = script().play().await;
    // In WeCom a member may leave the app's range between their message and our answer.
    play.wecom.fault(Fault::on("user/get").delay_ms(1));
    play.wecom
        .change_app(None, "main", |a| a.visible = Some(["lisi".to_owned()].into()))
        .unwrap();
    let raw = format!(
        "<xml><ToUserName>ww0123456789abcdef</ToUserName><FromUserName>zhangsan</FromUserName>\
         <CreateTime>{}</CreateTime><MsgType>text</MsgType><Content>e1</Content><MsgId>71</MsgId>\
         <AgentID>1000002</AgentID></xml>",
        play.wecom.now_ms() / 1000
    );
    play.act(Act::Raw {
        app: "main".into(),
        xml: raw,
    })
    .await;
    let outcomes = play.outcomes("app_message").await;
    assert_eq!(outcomes.len(), 1);
    assert!(outcomes[0].starts_with("rejected: "), "{outcomes:?}");
    play.end().await;
}
