use serde_json::{Value, json};

use crate::client::{KF, WANG, Wecom};

const TRANS: &str = "kf/service_state/trans";
const ON_EVENT: &str = "kf/send_msg_on_event";

fn to(state: i64) -> Value {
    json!({"open_kfid": KF, "external_userid": WANG, "service_state": state, "servicer_userid": "lisi"})
}

fn on_event(code: &Value) -> Value {
    json!({"code": code, "msgtype": "text", "text": {"content": "欢迎"}})
}

async fn state(wecom: &Wecom) -> i64 {
    let got = wecom
        .post(
            "kf/service_state/get",
            json!({"open_kfid": KF, "external_userid": WANG}),
        )
        .await;
    got["service_state"].as_i64().unwrap()
}

async fn send(wecom: &Wecom) -> i64 {
    let text = json!({"touser": WANG, "open_kfid": KF, "msgtype": "text", "text": {"content": "x"}});
    wecom.code("kf/send_msg", text).await
}

#[tokio::test]
async fn a_session_goes_from_nothing_to_untreated_to_assistant() {
    let wecom = Wecom::coffee().await;
    assert_eq!(state(&wecom).await, 4);
    wecom.write(WANG, "hi").await;
    assert_eq!(state(&wecom).await, 0);
    assert_eq!(send(&wecom).await, 0);
    assert_eq!(state(&wecom).await, 1);
    assert_eq!(wecom.sandbox.kf_state(KF, WANG), 1);
}

#[tokio::test]
async fn with_the_pool_or_a_person_in_charge_the_api_may_not_send() {
    let wecom = Wecom::coffee().await;
    wecom.write(WANG, "hi").await;
    assert_eq!(wecom.code(TRANS, to(2)).await, 0);
    assert_eq!(send(&wecom).await, 95018);
    wecom
        .do_json(json!({"do": "kf_take", "contact": WANG, "servicer": "lisi"}))
        .await;
    assert_eq!(state(&wecom).await, 3);
    assert_eq!(send(&wecom).await, 95018);
    wecom.write(WANG, "still there?").await;
    assert_eq!(state(&wecom).await, 3, "a message leaves the person in charge");
    wecom.do_json(json!({"do": "kf_end", "contact": WANG})).await;
    assert_eq!((state(&wecom).await, send(&wecom).await), (4, 95018));
    wecom.write(WANG, "one more thing").await;
    assert_eq!((state(&wecom).await, send(&wecom).await), (0, 0));
}

#[tokio::test]
async fn moves_that_the_table_does_not_have_are_refused() {
    let wecom = Wecom::coffee().await;
    assert_eq!(wecom.code(TRANS, to(2)).await, 95013, "not begun");
    wecom.write(WANG, "hi").await;
    for (target, expected) in [(0, 95016), (1, 95016), (4, 95016), (9, 40058), (2, 0), (2, 95016)] {
        assert_eq!(wecom.code(TRANS, to(target)).await, expected, "to {target}");
    }
    let mut stranger = to(3);
    stranger["servicer_userid"] = "zhangsan".into();
    assert_eq!(wecom.code(TRANS, stranger).await, 95014);
    wecom
        .do_json(json!({"do": "kf_duty", "servicer": "lisi", "on": false}))
        .await;
    assert_eq!(wecom.code(TRANS, to(3)).await, 95019);
    wecom
        .do_json(json!({"do": "kf_duty", "servicer": "lisi", "on": true}))
        .await;
    assert_eq!(wecom.code(TRANS, to(3)).await, 0);
    assert_eq!(wecom.code(TRANS, to(2)).await, 95016);
    assert_eq!(wecom.code(TRANS, to(4)).await, 0);
}

#[tokio::test]
async fn an_enter_code_is_good_once_and_for_twenty_seconds() {
    let wecom = Wecom::coffee().await;
    let enter = json!({"do": "kf_enter", "contact": WANG});
    let late = wecom.do_json(enter.clone()).await["result"]["code"].clone();
    wecom.sandbox.advance(20_001);
    assert_eq!(wecom.code(ON_EVENT, on_event(&late)).await, 41050);
    let code = wecom.do_json(enter.clone()).await["result"]["code"].clone();
    assert_eq!(wecom.code(ON_EVENT, on_event(&code)).await, 0);
    assert_eq!(wecom.code(ON_EVENT, on_event(&code)).await, 41050);
    assert!(
        wecom.do_json(enter).await["result"]["code"].is_null(),
        "welcomed within 48 h: no code"
    );
    assert_eq!(wecom.sandbox.messages_to(WANG).len(), 1);
}

#[tokio::test]
async fn who_has_written_within_48_hours_enters_without_a_code() {
    let wecom = Wecom::coffee().await;
    wecom.write(WANG, "hi").await;
    let enter = json!({"do": "kf_enter", "contact": WANG});
    assert!(wecom.do_json(enter.clone()).await["result"]["code"].is_null());
    wecom.sandbox.advance(48 * 3_600_000);
    assert!(wecom.do_json(enter).await["result"]["code"].is_string());
}

#[tokio::test]
async fn codes_of_a_session_need_the_session_to_be_where_they_were_given() {
    let wecom = Wecom::coffee().await;
    wecom.write(WANG, "hi").await;
    let pool = wecom.post(TRANS, to(2)).await["msg_code"].clone();
    wecom
        .do_json(json!({"do": "kf_take", "contact": WANG, "servicer": "lisi"}))
        .await;
    assert_eq!(wecom.code(ON_EVENT, on_event(&pool)).await, 95018);
    let ended = wecom.do_json(json!({"do": "kf_end", "contact": WANG})).await["result"]["code"].clone();
    let mut menu = json!({"code": ended, "msgtype": "msgmenu", "msgmenu": {"head_content": "满意吗？", "list": []}});
    let click = json!({"type": "click", "click": {"id": "1", "content": "好"}});
    menu["msgmenu"]["list"] = json!(vec![click.clone(); 11]);
    assert_eq!(wecom.code(ON_EVENT, menu.clone()).await, 95008);
    menu["msgmenu"]["list"] = json!([click]);
    assert_eq!(wecom.code(ON_EVENT, menu).await, 0);
}

#[tokio::test]
async fn what_receptionists_do_is_in_the_log_with_ids_inside_the_event() {
    let wecom = Wecom::coffee().await;
    let msgid = wecom.write(WANG, "hi").await;
    wecom.post(TRANS, to(2)).await;
    wecom
        .do_json(json!({"do": "kf_take", "contact": WANG, "servicer": "lisi"}))
        .await;
    wecom
        .do_json(json!({"do": "kf_servicer_write", "contact": WANG, "servicer": "lisi", "text": "在"}))
        .await;
    wecom
        .do_json(json!({"do": "kf_recall", "contact": WANG, "msgid": msgid}))
        .await;
    wecom.do_json(json!({"do": "kf_end", "contact": WANG})).await;
    let page = wecom.post("kf/sync_msg", json!({"open_kfid": KF})).await;
    let list = page["msg_list"].as_array().unwrap();
    let origins: Vec<i64> = list.iter().map(|m| m["origin"].as_i64().unwrap()).collect();
    assert_eq!(origins, [3, 4, 5, 4, 4], "moves by the API are in no log");
    let taken = &list[1];
    assert!(taken.get("external_userid").is_none());
    assert_eq!(
        (&taken["event"]["external_userid"], &taken["event"]["change_type"]),
        (&json!(WANG), &json!(1))
    );
    assert!(taken["event"]["msg_code"].is_string());
    assert_eq!(list[2]["servicer_userid"], "lisi");
    assert_eq!(list[3]["event"]["event_type"], "user_recall_msg");
    assert_eq!(list[4]["event"]["change_type"], 3);
}
