use serde_json::{Value, json};

use crate::client::{CHEN, WANG, Wecom, ZHOU};
use wecom_gateway::sandbox::{Act, BroadcastRule, Sandbox};

const ADD: &str = "externalcontact/add_msg_template";

fn to(contacts: &[&str]) -> Value {
    json!({"chat_type": "single", "external_userid": contacts, "sender": "zhangsan", "text": {"content": "新品"}})
}

async fn results(wecom: &Wecom, msgid: &Value) -> Vec<(String, i64)> {
    let body = json!({"msgid": msgid, "userid": "zhangsan"});
    let got = wecom.post("externalcontact/get_groupmsg_send_result", body).await;
    let row = |r: &Value| {
        (
            r["external_userid"].as_str().unwrap().to_owned(),
            r["status"].as_i64().unwrap(),
        )
    };
    got["send_list"].as_array().unwrap().iter().map(row).collect()
}

async fn confirm(wecom: &Wecom, msgid: &Value) {
    wecom.do_json(json!({"do": "confirm_broadcast", "msgid": msgid})).await;
}

#[tokio::test]
async fn a_broadcast_sends_nothing_until_the_member_confirms() {
    let wecom = Wecom::coffee().await;
    let made = wecom.post(ADD, to(&[CHEN, ZHOU, WANG])).await;
    assert_eq!(
        (made["errcode"].as_i64(), &made["fail_list"]),
        (Some(0), &json!([WANG]))
    );
    assert!(wecom.sandbox.messages().is_empty());
    let msgid = &made["msgid"];
    let task = wecom
        .post("externalcontact/get_groupmsg_task", json!({"msgid": msgid}))
        .await;
    assert_eq!(task["task_list"], json!([{"userid": "zhangsan", "status": 0}]));
    confirm(&wecom, msgid).await;
    assert_eq!(
        results(&wecom, msgid).await,
        [(CHEN.to_owned(), 1), (ZHOU.to_owned(), 1)]
    );
    assert_eq!(wecom.sandbox.messages_to(CHEN)[0].text, "新品");
    let task = wecom
        .post("externalcontact/get_groupmsg_task", json!({"msgid": msgid}))
        .await;
    assert_eq!(task["task_list"][0]["status"], 2);
}

#[tokio::test]
async fn who_has_left_is_status_2_and_who_has_had_enough_is_status_3() {
    let wecom = Wecom::start(Sandbox::coffee().limits(|l| l.broadcast_rule = BroadcastRule::Day1)).await;
    let first = wecom.post(ADD, to(&[CHEN])).await["msgid"].clone();
    let second = wecom.post(ADD, to(&[CHEN, ZHOU])).await["msgid"].clone();
    confirm(&wecom, &first).await;
    wecom
        .act(Act::DeleteMember {
            member: "zhangsan".into(),
            contact: ZHOU.into(),
        })
        .await;
    confirm(&wecom, &second).await;
    assert_eq!(
        results(&wecom, &second).await,
        [(CHEN.to_owned(), 3), (ZHOU.to_owned(), 2)]
    );
    assert_eq!(wecom.sandbox.messages_to(CHEN).len(), 1);
}

#[tokio::test]
async fn a_task_is_checked_field_by_field() {
    let wecom = Wecom::coffee().await;
    let many: Vec<String> = (0..10_001).map(|n| format!("wm{n}")).collect();
    let cases = [
        (json!({"external_userid": many, "text": {"content": "x"}}), 40058),
        (json!({"text": {"content": "x"}}), 40058),
        (json!({"external_userid": [CHEN]}), 40058),
        (
            json!({"external_userid": [CHEN], "sender": "nobody", "text": {"content": "x"}}),
            40003,
        ),
        (
            json!({"chat_type": "duet", "external_userid": [CHEN], "text": {"content": "x"}}),
            86214,
        ),
        (to(&[WANG]), 41048),
    ];
    for (body, expected) in cases {
        assert_eq!(wecom.code(ADD, body).await, expected);
    }
    assert!(wecom.sandbox.broadcasts().is_empty());
}

#[tokio::test]
async fn without_a_sender_the_member_who_chatted_last_gets_the_task() {
    let wecom = Wecom::coffee().await;
    wecom
        .act(Act::ContactWrite {
            member: "lisi".into(),
            contact: CHEN.into(),
        })
        .await;
    let body = json!({"external_userid": [CHEN], "text": {"content": "x"}});
    let msgid = wecom.post(ADD, body).await["msgid"].clone();
    let task = wecom
        .post("externalcontact/get_groupmsg_task", json!({"msgid": msgid}))
        .await;
    assert_eq!(task["task_list"][0]["userid"], "lisi");
}

#[tokio::test]
async fn the_same_call_twice_is_two_tasks_and_both_are_listed() {
    let wecom = Wecom::coffee().await;
    let ids = [
        wecom.post(ADD, to(&[CHEN])).await["msgid"].clone(),
        wecom.post(ADD, to(&[CHEN])).await["msgid"].clone(),
    ];
    assert_ne!(ids[0], ids[1]);
    let now = wecom.sandbox.now_ms() / 1_000;
    let span = |start: i64| json!({"chat_type": "single", "start_time": start, "end_time": now + 1});
    let api = "externalcontact/get_groupmsg_list_v2";
    let list = wecom.post(api, span(now - 60)).await;
    let listed: Vec<&Value> = list["group_msg_list"]
        .as_array()
        .unwrap()
        .iter()
        .map(|m| &m["msgid"])
        .collect();
    assert_eq!(listed, [&ids[0], &ids[1]]);
    assert_eq!(wecom.code(api, span(now - 32 * 86_400)).await, 40058);
}

#[tokio::test]
async fn records_right_after_creation_are_41063_and_unknown_ones_41047() {
    let wecom = Wecom::start(Sandbox::coffee().limits(|l| l.dispatch_ms = 5_000)).await;
    let msgid = wecom.post(ADD, to(&[CHEN])).await["msgid"].clone();
    let api = "externalcontact/get_groupmsg_task";
    assert_eq!(wecom.code(api, json!({"msgid": msgid})).await, 41063);
    wecom.sandbox.advance(5_000);
    assert_eq!(wecom.code(api, json!({"msgid": msgid})).await, 0);
    assert_eq!(wecom.code(api, json!({"msgid": "none"})).await, 41047);
    assert_eq!(wecom.code(api, json!({})).await, 41046);
}

#[tokio::test]
async fn three_reminders_a_day_and_one_cancellation() {
    let wecom = Wecom::coffee().await;
    let msgid = wecom.post(ADD, to(&[CHEN])).await["msgid"].clone();
    for expected in [0, 0, 0, 41094] {
        assert_eq!(
            wecom
                .code("externalcontact/remind_groupmsg_send", json!({"msgid": msgid}))
                .await,
            expected
        );
    }
    for expected in [0, 41093] {
        assert_eq!(
            wecom
                .code("externalcontact/cancel_groupmsg_send", json!({"msgid": msgid}))
                .await,
            expected
        );
    }
    let said = wecom.do_json(json!({"do": "confirm_broadcast", "msgid": msgid})).await;
    assert!(said["error"].is_string());
    assert!(wecom.sandbox.messages().is_empty());
}
