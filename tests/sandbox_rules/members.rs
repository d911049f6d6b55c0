use serde_json::{Value, json};

use crate::client::Wecom;
use wecom_gateway::sandbox::Sandbox;

const SEND: &str = "message/send";

fn text(to: &str, content: &str) -> Value {
    json!({"touser": to, "msgtype": "text", "agentid": 1_000_002, "text": {"content": content}})
}

#[tokio::test]
async fn a_member_is_read_with_name_and_alias() {
    let wecom = Wecom::coffee().await;
    assert_eq!(wecom.get("user/get", "&userid=zhangsan").await["name"], "张三");
    assert_eq!(wecom.get("user/get", "&userid=nobody").await["errcode"], 60111);
    assert_eq!(wecom.get("user/get", "").await["errcode"], 41009);
    assert!(wecom.get("get_api_domain_ip", "").await["ip_list"].is_array());
}

#[tokio::test]
async fn bad_recipients_hide_inside_success_unless_all_are_bad() {
    let wecom = Wecom::coffee().await;
    let some = wecom.post(SEND, text("zhangsan|NoBody", "hi")).await;
    assert_eq!(
        (some["errcode"].as_i64(), some["invaliduser"].as_str()),
        (Some(0), Some("nobody"))
    );
    assert_eq!(wecom.code(SEND, text("nobody|noone", "hi")).await, 81013);
    assert_eq!(wecom.sandbox.messages_to("zhangsan").len(), 1);
}

#[tokio::test]
async fn a_long_text_is_cut_at_2048_bytes_without_a_word() {
    let wecom = Wecom::coffee().await;
    assert_eq!(wecom.code(SEND, text("zhangsan", &"长".repeat(1_000))).await, 0);
    assert_eq!(wecom.sandbox.messages_to("zhangsan")[0].text, "长".repeat(682));
}

#[tokio::test]
async fn the_second_copy_inside_the_interval_is_swallowed() {
    let wecom = Wecom::coffee().await;
    let mut body = text("zhangsan", "hi");
    body["enable_duplicate_check"] = 1.into();
    body["duplicate_check_interval"] = 60.into();
    assert_eq!(wecom.code(SEND, body.clone()).await, 0);
    assert_eq!(wecom.code(SEND, body.clone()).await, 0);
    assert_eq!(wecom.sandbox.messages_to("zhangsan").len(), 1);
    wecom.sandbox.advance(60_001);
    assert_eq!(wecom.code(SEND, body.clone()).await, 0);
    assert_eq!(wecom.sandbox.messages_to("zhangsan").len(), 2);
    body["duplicate_check_interval"] = 14_401.into();
    assert_eq!(wecom.code(SEND, body).await, 40058);
}

#[tokio::test]
async fn more_than_thirty_a_minute_are_dropped_in_silence() {
    let wecom = Wecom::coffee().await;
    for n in 0..31 {
        assert_eq!(wecom.code(SEND, text("zhangsan", &n.to_string())).await, 0);
    }
    assert_eq!(wecom.sandbox.messages_to("zhangsan").len(), 30);
    wecom.sandbox.advance(60_000);
    wecom.post(SEND, text("zhangsan", "later")).await;
    assert_eq!(wecom.sandbox.messages_to("zhangsan").len(), 31);
}

#[tokio::test]
async fn more_than_the_hour_allows_are_dropped_in_silence_too() {
    let wecom = Wecom::start(Sandbox::coffee().limits(|l| l.member_per_hour = 2)).await;
    for n in 0..3 {
        wecom.post(SEND, text("zhangsan", &n.to_string())).await;
        wecom.sandbox.advance(60_000);
    }
    assert_eq!(wecom.sandbox.messages_to("zhangsan").len(), 2);
}

#[tokio::test]
async fn the_apps_day_of_person_messages_ends_in_45009() {
    let mut wecom = Wecom::start(Sandbox::coffee().limits(|l| l.app_per_day = 2)).await;
    assert_eq!(wecom.code(SEND, text("zhangsan|lisi", "hi")).await, 0);
    assert_eq!(wecom.code(SEND, text("zhangsan", "hi")).await, 45009);
    wecom.sandbox.advance(86_400_000);
    wecom.token = wecom.new_token("main").await;
    assert_eq!(wecom.code(SEND, text("zhangsan", "hi")).await, 0);
}

#[tokio::test]
async fn a_message_is_checked_field_by_field() {
    let wecom = Wecom::coffee().await;
    let with = |kind: &str, body: Value| json!({"touser": "lisi", "msgtype": kind, "agentid": 1_000_002, kind: body});
    let article = json!({"title": "t", "url": "https://example.com"});
    let cases = [
        (
            json!({"touser": "lisi", "msgtype": "text", "text": {"content": "x"}}),
            40056,
        ),
        (
            json!({"touser": "lisi", "agentid": 1, "msgtype": "text", "text": {"content": "x"}}),
            301002,
        ),
        (
            json!({"agentid": 1_000_002, "msgtype": "text", "text": {"content": "x"}}),
            82001,
        ),
        (with("text", json!({"content": ""})), 44004),
        (with("smoke", json!({})), 40008),
        (with("image", json!({"media_id": "none"})), 40007),
        (with("news", json!({"articles": vec![article.clone(); 9]})), 45008),
        (with("news", json!({"articles": [article]})), 0),
        (
            with("textcard", json!({"title": "t", "url": "https://example.com"})),
            41033,
        ),
        (text(&vec!["u"; 1_001].join("|"), "x"), 40032),
    ];
    for (body, expected) in cases {
        assert_eq!(wecom.code(SEND, body.clone()).await, expected, "{body}");
    }
    assert_eq!(wecom.code(SEND, text("@all", "everybody")).await, 0);
    assert_eq!(wecom.sandbox.messages_to("zhangsan").len(), 1);
}
