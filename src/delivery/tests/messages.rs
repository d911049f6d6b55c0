//! What is said: facts looked up, frozen, and never told to logs.

use super::*;

fn contact() -> Reply {
    Reply::Json(json!({"errcode": 0, "external_contact": {"name": "小王"}, "follow_user": [{"userid": "lisi"}]}))
}

#[tokio::test]
async fn unknown_facts_are_looked_up_in_parallel_and_frozen_into_the_job() {
    let h = house().await;
    h.next("externalcontact/get", [contact()]);
    h.next("user/get", [Reply::Json(json!({"errcode": 0, "name": "李四"}))]);
    let mut t = h.welcome("hi");
    let Preparation { prepared, facts } = h.prepare(&t).await;
    assert_eq!(facts.name.as_deref(), Some("小王"));
    let Prepared::Ready(ready) = prepared else { panic!() };
    t.job = ready.job.clone().unwrap();
    h.delivery.call(*ready).await;
    h.next("externalcontact/send_welcome_msg", []);
    assert!(h.ready(&t).await.job.is_none(), "frozen already");
    h.end(&t).await;
    let sent = h.seen("externalcontact/send_welcome_msg");
    assert_eq!(sent[0].json()["text"]["content"], "你好 小王，我是李四");
    assert_eq!(sent[0].body, sent[1].body);
    assert_eq!(h.seen("externalcontact/get").len(), 1);
    assert_eq!(h.seen("user/get").len(), 1);
}

#[tokio::test]
async fn a_slow_look_up_leaves_the_word_to_the_template_within_a_second_and_a_half() {
    let h = house().await;
    h.always("externalcontact/get", Reply::Hang);
    h.next("user/get", [Reply::Json(json!({"errcode": 0, "name": "李四"}))]);
    let began = h.clock.now();
    let t = h.welcome("hi");
    h.end(&t).await;
    assert!(h.clock.now().since(began) < Duration::from_millis(2500));
    let sent = h.seen("externalcontact/send_welcome_msg")[0].json();
    assert_eq!(sent["text"]["content"], "你好 朋友，我是李四");
}

#[tokio::test]
async fn what_the_document_knows_is_not_asked_again() {
    let h = house().await;
    let mut t = h.kf("hi", Part::Text);
    t.doc.contact_mut().name = Some("小张".into());
    let ready = h.ready(&t).await;
    assert!(ready.said.is_some());
    assert!(h.seen("kf/customer/batchget").is_empty());
    let names =
        json!({"customer_list": [{"external_userid": "wm1", "nickname": "小王"}], "invalid_external_userid": []});
    h.next("kf/customer/batchget", [Reply::Json(names)]);
    let p = h.prepare(&h.kf("hi", Part::Text)).await;
    assert_eq!(p.facts.name.as_deref(), Some("小王"));
    assert!(h.seen("externalcontact/get").is_empty());
}

#[tokio::test]
async fn the_same_answer_has_the_same_hash_and_another_one_another() {
    let h = house().await;
    let house = &h;
    let said = |t: Try| async move { house.ready(&t).await.said };
    let a = said(h.kf("plain", Part::Text)).await;
    assert_eq!(a, said(h.kf("plain", Part::Text)).await);
    assert_ne!(a, said(h.app()).await);
    assert_ne!(a, said(h.kf("pic", Part::Attachment(0))).await);
    let ending = h.end(&h.kf("plain", Part::Text)).await;
    assert_eq!(ending.said, a);
}

#[tokio::test]
async fn metrics_and_debug_texts_hold_no_token_code_text_or_person() {
    let h = house().await;
    let t = h.welcome("hi");
    let ready = h.ready(&t).await;
    let debug = format!("{:?}", ready.call);
    h.end(&t).await;
    h.next("kf/send_msg", [errcode(40003)]);
    h.end(&h.kf("plain", Part::Text)).await;
    let page = h.metrics.render() + &debug;
    for secret in ["T1", "CODE", "答案", "wm1", "lisi", "s3cret"] {
        assert!(!page.contains(secret), "{secret}");
    }
    assert!(page.contains(r#"wecom_api_seconds_count{errcode="40003",path="kf/send_msg"} 1"#));
}
