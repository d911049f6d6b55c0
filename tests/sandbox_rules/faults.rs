use hyper::Request;
use serde_json::json;

use crate::client::{KF, WANG, Wecom};
use wecom_gateway::sandbox::{Fault, Lost};

const SEND: &str = "kf/send_msg";

fn text(msgid: &str) -> serde_json::Value {
    json!({"touser": WANG, "open_kfid": KF, "msgid": msgid, "msgtype": "text", "text": {"content": "x"}})
}

async fn raw(wecom: &Wecom, msgid: &str) -> Result<(u16, String), String> {
    let sent = wecom
        .raw(Request::post(wecom.api(SEND, "")), text(msgid).to_string().into())
        .await;
    sent.map(|(status, body)| (status, String::from_utf8_lossy(&body).into_owned()))
}

#[tokio::test]
async fn a_told_errcode_comes_as_often_as_told_and_nothing_happens() {
    let wecom = Wecom::coffee().await;
    wecom.write(WANG, "hi").await;
    wecom
        .control(
            "/sandbox/fault",
            json!({"path": "kf/send_msg", "times": 2, "errcode": -1}),
        )
        .await;
    for expected in [-1, -1, 0] {
        assert_eq!(wecom.code(SEND, text("a")).await, expected);
    }
    assert_eq!(wecom.sandbox.messages_to(WANG).len(), 1);
}

#[tokio::test]
async fn a_told_status_stays_until_cleared() {
    let wecom = Wecom::coffee().await;
    wecom.write(WANG, "hi").await;
    wecom.sandbox.fault(Fault::on(SEND).status(502).always());
    assert_eq!(raw(&wecom, "a").await.unwrap().0, 502);
    assert_eq!(raw(&wecom, "a").await.unwrap().0, 502);
    let clear = Request::delete(wecom.url("/sandbox/fault"));
    wecom.raw(clear, "".into()).await.unwrap();
    assert_eq!(wecom.code(SEND, text("a")).await, 0);
}

#[tokio::test]
async fn an_answer_lost_before_processing_changed_nothing() {
    let wecom = Wecom::coffee().await;
    wecom.write(WANG, "hi").await;
    wecom.sandbox.fault(Fault::on(SEND).lost(Lost::Before));
    assert!(raw(&wecom, "a").await.is_err());
    assert!(wecom.sandbox.messages().is_empty());
    assert_eq!(wecom.code(SEND, text("a")).await, 0);
}

#[tokio::test]
async fn an_answer_lost_after_processing_took_effect() {
    let wecom = Wecom::coffee().await;
    wecom.write(WANG, "hi").await;
    wecom
        .control("/sandbox/fault", json!({"path": SEND, "drop": "after"}))
        .await;
    assert!(raw(&wecom, "a").await.is_err());
    assert_eq!(wecom.sandbox.messages_to(WANG).len(), 1);
    assert_eq!(wecom.code(SEND, text("a")).await, 40058, "the msgid is used");
}

#[tokio::test]
async fn a_malformed_answer_took_effect_too() {
    let wecom = Wecom::coffee().await;
    wecom.write(WANG, "hi").await;
    wecom.sandbox.fault(Fault::on(SEND).malformed());
    let (status, body) = raw(&wecom, "a").await.unwrap();
    assert_eq!(status, 200);
    assert!(serde_json::from_str::<serde_json::Value>(&body).is_err());
    assert_eq!(wecom.sandbox.messages_to(WANG).len(), 1);
}

#[tokio::test]
async fn a_fault_can_wait_for_one_body_and_for_every_path() {
    let wecom = Wecom::coffee().await;
    wecom.write(WANG, "hi").await;
    wecom.sandbox.fault(Fault::on("*").containing("\"b\"").errcode(6000));
    assert_eq!(wecom.code(SEND, text("a")).await, 0);
    assert_eq!(wecom.code(SEND, text("b")).await, 6000);
}

#[tokio::test]
async fn the_ledger_has_every_call_with_its_token_hidden() {
    let wecom = Wecom::coffee().await;
    wecom.write(WANG, "hi").await;
    wecom.post(SEND, text("a")).await;
    let all = wecom.look("/sandbox/calls").await;
    assert!(!all.to_string().contains(&wecom.token));
    assert!(!all.to_string().contains("main-secret"));
    let sends = wecom.look("/sandbox/calls?path=kf/send_msg").await;
    let call = &sends["calls"][0];
    assert_eq!(
        (&call["body"]["msgid"], &call["answer"]["errcode"]),
        (&json!("a"), &json!(0))
    );
    assert_eq!((&call["app"], &call["processed"]), (&json!("main"), &json!(true)));
    let seen = wecom.look(&format!("/sandbox/messages?to={WANG}")).await;
    assert_eq!(
        (&seen["messages"][0]["way"], &seen["messages"][0]["text"]),
        (&json!("kf"), &json!("x"))
    );
    assert_eq!(wecom.look("/sandbox/messages?to=wmXiaoLi").await["messages"], json!([]));
}
