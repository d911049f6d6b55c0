use serde_json::{Value, json};

use crate::client::{KF, WANG, Wecom, element};
use wecom_gateway::sandbox::Sandbox;

const SEND: &str = "kf/send_msg";

fn text(msgid: &str, content: &str) -> Value {
    json!({"touser": WANG, "open_kfid": KF, "msgid": msgid, "msgtype": "text", "text": {"content": content}})
}

async fn sync(wecom: &Wecom, cursor: &Value) -> Value {
    wecom
        .post("kf/sync_msg", json!({"open_kfid": KF, "cursor": cursor}))
        .await
}

#[tokio::test]
async fn a_customers_message_rings_and_is_pulled_once_by_cursor() {
    let wecom = Wecom::coffee().await;
    let inbox = wecom.receive(&[]).await;
    let msgid = wecom.write(WANG, "多少钱").await;
    let bell = &inbox.got()[0];
    assert_eq!(element(bell, "Event").as_deref(), Some("kf_msg_or_event"));
    assert_eq!(element(bell, "FromUserName"), None);
    let token = element(bell, "Token").unwrap();
    let page = wecom
        .post("kf/sync_msg", json!({"open_kfid": KF, "token": token}))
        .await;
    let message = &page["msg_list"][0];
    assert_eq!((&message["msgid"], &message["origin"]), (&json!(msgid), &json!(3)));
    assert_eq!(message["text"]["content"], "多少钱");
    assert_eq!(message["external_userid"], WANG);
    let rest = sync(&wecom, &page["next_cursor"]).await;
    assert_eq!((&rest["msg_list"], &rest["has_more"]), (&json!([]), &json!(0)));
}

#[tokio::test]
async fn own_messages_are_never_pulled() {
    let wecom = Wecom::coffee().await;
    wecom.write(WANG, "hi").await;
    assert_eq!(wecom.code(SEND, text("a", "hello")).await, 0);
    assert_eq!(
        sync(&wecom, &Value::Null).await["msg_list"].as_array().unwrap().len(),
        1
    );
    assert_eq!(wecom.sandbox.messages_to(WANG)[0].text, "hello");
}

#[tokio::test]
async fn pages_go_on_until_has_more_is_zero_even_over_empty_ones() {
    let wecom = Wecom::start(Sandbox::coffee().limits(|l| l.sync_page = 2)).await;
    for n in 0..3 {
        wecom.write(WANG, &n.to_string()).await;
    }
    wecom.do_json(json!({"do": "kf_empty_pages", "pages": 1})).await;
    let empty = sync(&wecom, &Value::Null).await;
    assert_eq!((&empty["msg_list"], &empty["has_more"]), (&json!([]), &json!(1)));
    let first = sync(&wecom, &empty["next_cursor"]).await;
    assert_eq!(
        (first["msg_list"].as_array().unwrap().len(), &first["has_more"]),
        (2, &json!(1))
    );
    let last = sync(&wecom, &first["next_cursor"]).await;
    assert_eq!(
        (last["msg_list"].as_array().unwrap().len(), &last["has_more"]),
        (1, &json!(0))
    );
}

#[tokio::test]
async fn a_pull_is_checked_and_limited() {
    let wecom = Wecom::start(Sandbox::coffee().limits(|l| l.sync_tokenless_per_minute = 2)).await;
    let api = "kf/sync_msg";
    let inbox = wecom.receive(&[]).await;
    wecom.write(WANG, "hi").await;
    let token = element(&inbox.got()[0], "Token").unwrap();
    assert_eq!(wecom.code(api, json!({})).await, 40063);
    assert_eq!(wecom.code(api, json!({"open_kfid": "wkNone"})).await, 95004);
    assert_eq!(wecom.code(api, json!({"open_kfid": KF, "limit": 1_001})).await, 40058);
    assert_eq!(
        wecom
            .code(api, json!({"open_kfid": KF, "token": token, "cursor": "x"}))
            .await,
        50100
    );
    for expected in [0, 0, 45009] {
        assert_eq!(wecom.code(api, json!({"open_kfid": KF})).await, expected);
    }
    assert_eq!(wecom.code(api, json!({"open_kfid": KF, "token": token})).await, 0);
    wecom.sandbox.advance(600_001);
    assert_eq!(wecom.code(api, json!({"open_kfid": KF, "token": token})).await, 95007);
}

#[tokio::test]
async fn messages_older_than_three_days_are_gone() {
    let mut wecom = Wecom::coffee().await;
    wecom.write(WANG, "old").await;
    wecom.sandbox.advance(3 * 86_400_000 + 1);
    wecom.token = wecom.new_token("main").await;
    wecom.write(WANG, "new").await;
    let page = sync(&wecom, &Value::Null).await;
    assert_eq!(page["msg_list"].as_array().unwrap().len(), 1);
    assert_eq!(page["msg_list"][0]["text"]["content"], "new");
}

#[tokio::test]
async fn five_answers_follow_a_message_and_a_new_one_opens_five_more() {
    let wecom = Wecom::coffee().await;
    wecom.write(WANG, "hi").await;
    for n in 0..5 {
        assert_eq!(wecom.code(SEND, text(&format!("a{n}"), "x")).await, 0);
    }
    assert_eq!(wecom.code(SEND, text("a5", "x")).await, 95001);
    wecom.write(WANG, "again").await;
    assert_eq!(wecom.code(SEND, text("a6", "x")).await, 0);
}

#[tokio::test]
async fn after_48_hours_answers_are_95002() {
    let mut wecom = Wecom::coffee().await;
    wecom.write(WANG, "hi").await;
    wecom.sandbox.advance(48 * 3_600_000 + 1);
    wecom.token = wecom.new_token("main").await;
    assert_eq!(wecom.code(SEND, text("a", "x")).await, 95002);
}

#[tokio::test]
async fn a_msgid_is_used_once_and_only_by_a_message_that_went_out() {
    let wecom = Wecom::coffee().await;
    assert_eq!(wecom.code(SEND, text("a", "x")).await, 95018, "nobody wrote yet");
    wecom.write(WANG, "hi").await;
    assert_eq!(wecom.post(SEND, text("a", "x")).await["msgid"], "a");
    assert_eq!(wecom.code(SEND, text("a", "x")).await, 40058);
    assert_eq!(wecom.sandbox.messages_to(WANG).len(), 1);
    for bad in ["with space", &"a".repeat(33), "汉"] {
        assert_eq!(wecom.code(SEND, text(bad, "x")).await, 40058, "{bad}");
    }
}

#[tokio::test]
async fn a_kf_message_is_checked_field_by_field() {
    let wecom = Wecom::coffee().await;
    wecom.write(WANG, "hi").await;
    let with = |kind: &str, body: Value| json!({"touser": WANG, "open_kfid": KF, "msgtype": kind, kind: body});
    let click = json!({"type": "click", "click": {"id": "1", "content": "价目表"}});
    let cases = [
        (with("text", json!({"content": ""})), 44004),
        (with("image", json!({"media_id": "none"})), 40007),
        (with("smoke", json!({})), 40008),
        (with("msgmenu", json!({"list": vec![click.clone(); 11]})), 95008),
        (with("msgmenu", json!({"list": [{"type": "smoke"}]})), 95009),
        (with("link", json!({"title": "t", "url": "https://example.com"})), 41006),
        (
            with(
                "miniprogram",
                json!({"appid": "wx0", "thumb_media_id": "x", "pagepath": "pages/index"}),
            ),
            40058,
        ),
        (
            json!({"touser": "wmNobody", "open_kfid": KF, "msgtype": "text", "text": {"content": "x"}}),
            40096,
        ),
        (
            json!({"touser": WANG, "open_kfid": "wkNone", "msgtype": "text", "text": {"content": "x"}}),
            95004,
        ),
        (with("msgmenu", json!({"head_content": "请选择", "list": [click]})), 0),
        (with("text", json!({"content": "长".repeat(700)})), 0),
    ];
    for (body, expected) in cases {
        assert_eq!(wecom.code(SEND, body.clone()).await, expected, "{body}");
    }
    let seen = wecom.sandbox.messages_to(WANG);
    assert_eq!((seen[0].text.as_str(), seen[1].text.len()), ("请选择", 2_046));
}

#[tokio::test]
async fn a_customers_picture_can_be_fetched() {
    let wecom = Wecom::coffee().await;
    wecom
        .do_json(json!({"do": "kf_write", "contact": WANG, "content": {"msgtype": "image"}}))
        .await;
    let page = sync(&wecom, &Value::Null).await;
    let id = page["msg_list"][0]["image"]["media_id"].as_str().unwrap();
    let fetch = hyper::Request::get(wecom.api("media/get", &format!("&media_id={id}")));
    assert!(wecom.raw(fetch, "".into()).await.unwrap().1.starts_with(b"\x89PNG"));
}

#[tokio::test]
async fn accounts_receptionists_and_active_customers_are_listed() {
    let wecom = Wecom::coffee().await;
    let accounts = wecom.post("kf/account/list", json!({"offset": 0, "limit": 100})).await;
    assert_eq!(accounts["account_list"][0]["open_kfid"], KF);
    assert_eq!(accounts["account_list"][0]["manage_privilege"], true);
    assert_eq!(wecom.code("kf/account/list", json!({"limit": 101})).await, 40058);
    assert_eq!(
        wecom.get("kf/account/list", "").await["errcode"],
        0,
        "the verb of older SDKs"
    );
    wecom
        .do_json(json!({"do": "kf_duty", "servicer": "lisi", "on": false}))
        .await;
    let people = wecom.get("kf/servicer/list", &format!("&open_kfid={KF}")).await;
    assert_eq!(
        (
            &people["servicer_list"][0]["userid"],
            &people["servicer_list"][0]["status"]
        ),
        (&json!("lisi"), &json!(1))
    );
    let ask = json!({"external_userid_list": [WANG, "wmXiaoLi"], "need_enter_session_context": 1});
    wecom
        .do_json(json!({"do": "kf_enter", "contact": WANG, "scene": "poster", "scene_param": "7"}))
        .await;
    let got = wecom.post("kf/customer/batchget", ask).await;
    assert_eq!(got["customer_list"][0]["nickname"], "小王");
    assert_eq!(got["customer_list"][0]["enter_session_context"]["scene"], "poster");
    assert_eq!(got["invalid_external_userid"], json!(["wmXiaoLi"]));
}
