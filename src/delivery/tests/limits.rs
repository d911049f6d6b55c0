//! Permits, freezes, pauses.

use super::*;

#[tokio::test]
async fn frequency_freezes_that_api_for_all_gateways_and_no_other() {
    let h = house().await;
    h.always(
        "externalcontact/get_corp_tag_list",
        Reply::Json(json!({"tag_group": [{"group_id": "g", "group_name": "G", "tag": [{"id": "i", "name": "T"}]}]})),
    );
    h.next("externalcontact/mark_tag", [errcode(45009)]);
    let t = h.tags(&[("G", "T")]);
    let now = h.clock.now();
    let Then::Later { until, refused, reason } = h.go(&t).await.then else {
        panic!()
    };
    assert!(refused && reason == "frequency");
    assert!(until >= now.plus(Duration::from_secs(59)) && until <= now.plus(Duration::from_secs(62)));
    let ready = h.ready(&t).await;
    assert!(h.delivery.permit(&ready).await.is_err());
    assert!(h.neighbour().permit(&ready).await.is_err());
    assert_eq!(what(&h.end(&h.welcome("hi")).await).0, Outcome::Delivered);
    h.pass(Duration::from_secs(62));
    assert_eq!(what(&h.end(&t).await), (Outcome::Delivered, "ok"));
    h.next("externalcontact/mark_tag", [errcode(45009)]);
    let now = h.clock.now();
    let Then::Later { until, .. } = h.go(&t).await.then else {
        panic!()
    };
    assert!(
        until.since(now) > Duration::from_secs(3500),
        "the second block in a row is an hour"
    );
}

#[tokio::test]
async fn one_member_gets_thirty_messages_a_minute_and_the_next_one_waits() {
    let h = house().await;
    for _ in 0..30 {
        let ready = h.ready(&h.app()).await;
        h.delivery.permit(&ready).await.unwrap();
    }
    let ready = h.ready(&h.app()).await;
    let until = h.delivery.permit(&ready).await.unwrap_err();
    assert!(until > h.clock.now());
    assert!(h.seen("message/send").is_empty());
}

#[tokio::test]
async fn an_untrusted_ip_pauses_every_app_of_the_corp() {
    let h = house().await;
    h.next("kf/send_msg", [errcode(60020)]);
    let called = h.go(&h.kf("plain", Part::Text)).await;
    assert!(matches!(&called.then, Then::Later { refused: true, reason, .. } if reason == "ip_not_trusted"));
    let ready = h.ready(&h.app()).await;
    assert!(h.delivery.permit(&ready).await.is_err());
    assert!(h.neighbour().permit(&ready).await.is_err());
    h.pass(Duration::from_secs(303));
    h.delivery.permit(&ready).await.unwrap();
}

#[tokio::test]
async fn a_missing_right_pauses_only_that_api_of_that_app() {
    let h = house().await;
    h.next("kf/send_msg", [errcode(95017)]);
    let called = h.go(&h.kf("plain", Part::Text)).await;
    assert!(matches!(&called.then, Then::Later { reason, .. } if reason == "kf_api_off"));
    let kf = h.ready(&h.kf("plain", Part::Text)).await;
    assert!(h.delivery.permit(&kf).await.is_err());
    let app = h.ready(&h.app()).await;
    h.delivery.permit(&app).await.unwrap();
}
