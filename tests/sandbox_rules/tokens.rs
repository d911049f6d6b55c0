use hyper::Request;
use serde_json::json;

use crate::client::Wecom;
use wecom_gateway::sandbox::{Kind, Sandbox};

#[tokio::test]
async fn the_same_token_is_given_again_while_it_lives() {
    let wecom = Wecom::coffee().await;
    assert_eq!(wecom.new_token("main").await, wecom.token);
    wecom.sandbox.advance(7_200_000);
    assert_eq!(wecom.get("getcallbackip", "").await["errcode"], 42001);
    assert_ne!(wecom.new_token("main").await, wecom.token);
}

#[tokio::test]
async fn a_call_without_a_good_token_is_refused_by_number() {
    let mut wecom = Wecom::coffee().await;
    let none = wecom.look("/cgi-bin/getcallbackip").await;
    assert_eq!(none["errcode"], 41001);
    assert!(
        none["errmsg"]
            .as_str()
            .unwrap()
            .contains("more info at https://open.work.weixin.qq.com")
    );
    wecom.sandbox.expire_tokens();
    assert_eq!(wecom.get("getcallbackip", "").await["errcode"], 42001);
    wecom.token = wecom.new_token("main").await;
    assert_eq!(wecom.get("getcallbackip", "").await["errcode"], 0);
    wecom.control("/sandbox/tokens", json!({"do": "forget"})).await;
    assert_eq!(wecom.get("getcallbackip", "").await["errcode"], 40014);
}

#[tokio::test]
async fn wrong_secrets_ban_the_address_for_an_hour() {
    let wecom = Wecom::start(Sandbox::coffee().limits(|l| l.wrong_secrets = 3)).await;
    for _ in 0..3 {
        assert_eq!(wecom.gettoken("wrong").await["errcode"], 40001);
    }
    assert_eq!(wecom.gettoken("main-secret").await["errcode"], 45009);
    wecom.control("/sandbox/clock", json!({"advance_ms": 3_600_000})).await;
    assert_eq!(wecom.gettoken("main-secret").await["errcode"], 0);
}

#[tokio::test]
async fn a_missing_or_unknown_corp_and_a_missing_secret_have_their_numbers() {
    let wecom = Wecom::coffee().await;
    assert_eq!(wecom.look("/cgi-bin/gettoken").await["errcode"], 41002);
    assert_eq!(
        wecom.look("/cgi-bin/gettoken?corpid=ww0123456789abcdef").await["errcode"],
        41004
    );
    assert_eq!(
        wecom.look("/cgi-bin/gettoken?corpid=wwnone&corpsecret=x").await["errcode"],
        40013
    );
}

#[tokio::test]
async fn an_api_over_its_minute_is_blocked_for_a_minute_and_others_go_on() {
    let wecom = Wecom::start(Sandbox::coffee().limits(|l| l.api_per_minute = 2)).await;
    for expected in [0, 0, 45009, 45009] {
        assert_eq!(wecom.get("getcallbackip", "").await["errcode"], expected);
    }
    assert_eq!(wecom.get("user/get", "&userid=lisi").await["errcode"], 0);
    wecom.sandbox.advance(60_000);
    assert_eq!(wecom.get("getcallbackip", "").await["errcode"], 0);
}

#[tokio::test]
async fn limits_change_over_http_and_unknown_ones_are_refused() {
    let wecom = Wecom::coffee().await;
    let refused = wecom.control("/sandbox/limits", json!({"api_per_minuet": 1})).await;
    assert!(refused["error"].as_str().unwrap().contains("api_per_minuet"));
    wecom.control("/sandbox/limits", json!({"api_per_minute": 1})).await;
    assert_eq!(wecom.get("getcallbackip", "").await["errcode"], 0);
    assert_eq!(wecom.get("getcallbackip", "").await["errcode"], 45009);
}

#[tokio::test]
async fn a_wrong_verb_or_broken_json_is_40058_with_http_200() {
    let wecom = Wecom::coffee().await;
    assert_eq!(wecom.get("externalcontact/mark_tag", "").await["errcode"], 40058);
    let broken = wecom
        .raw(Request::post(wecom.api("message/send", "")), "{\"touser\":".into())
        .await
        .unwrap();
    assert_eq!(broken.0, 200);
    assert!(String::from_utf8_lossy(&broken.1).contains("40058"));
}

#[tokio::test]
async fn an_app_may_call_only_what_its_kinds_allow() {
    let mut wecom = Wecom::start(Sandbox::coffee().app("crm", 1_000_003, &[Kind::Contacts])).await;
    wecom.token = wecom.new_token("crm").await;
    assert_eq!(wecom.code("kf/account/list", json!({})).await, 48007);
    assert_eq!(wecom.code("message/send", json!({})).await, 48002);
    assert_eq!(wecom.code("externalcontact/get_corp_tag_list", json!({})).await, 0);
}

#[tokio::test]
async fn too_many_calls_at_the_same_time_are_45033() {
    let wecom = Wecom::start(Sandbox::coffee().limits(|l| l.api_concurrent = 1)).await;
    wecom
        .control("/sandbox/fault", json!({"path": "user/get", "delay_ms": 1_000}))
        .await;
    let (slow, fast) = tokio::join!(wecom.get("user/get", "&userid=lisi"), async {
        while wecom.sandbox.state()["faults"] != json!([]) {
            tokio::task::yield_now().await;
        }
        wecom.get("user/get", "&userid=lisi").await
    });
    assert_eq!(
        (slow["errcode"].as_i64(), fast["errcode"].as_i64()),
        (Some(0), Some(45033))
    );
}
