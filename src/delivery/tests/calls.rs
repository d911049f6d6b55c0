//! Safety, lost answers, and what a call teaches.

use super::*;
use crate::model::doc::Stage;

#[tokio::test]
async fn observe_mode_calls_nothing_that_changes_wecom_but_reads_go() {
    let h = house_with(|c| c.safety.observe = true).await;
    for t in [
        h.welcome("pic"),
        h.kf("plain", Part::Text),
        h.app(),
        h.tags(&[("G", "T")]),
    ] {
        assert_eq!(what(&h.end(&t).await), (Outcome::Cancelled, "observe"));
    }
    assert!(h.script.lock().unwrap().seen.is_empty());
    h.next("externalcontact/get", [contact()]);
    let read = h.go(&h.job(Action::ReadContact { contact: wm() })).await;
    assert!(matches!(read.then, Then::End(e) if e.outcome == Outcome::Delivered));
    assert_eq!(read.facts.name.as_deref(), Some("小王"));
}

fn contact() -> Reply {
    Reply::Json(
        json!({"errcode": 0, "external_contact": {"name": "小王"}, "follow_user": [{"userid": "lisi", "remark": "王总"}]}),
    )
}

#[tokio::test]
async fn only_names_the_people_who_may_be_reached() {
    let h = house_with(|c| c.safety.only = vec!["wm2".into(), "lisi".into()]).await;
    assert_eq!(
        what(&h.end(&h.welcome("hi")).await),
        (Outcome::Cancelled, "not_in_only")
    );
    assert_eq!(what(&h.end(&h.app()).await), (Outcome::Delivered, "ok"));
}

#[tokio::test]
async fn a_job_that_nobody_can_do_is_rejected_with_the_reason() {
    let h = house_with(|c| c.apps[0].kind = vec![AppKind::Contacts]).await;
    assert_eq!(
        what(&h.end(&h.kf("plain", Part::Text)).await),
        (Outcome::Rejected, "no_app_for:kf")
    );
    assert_eq!(
        what(&h.end(&h.welcome("nix")).await),
        (Outcome::Rejected, "no_template")
    );
    let mut t = h.welcome("hi");
    t.job.corp = CorpId::parse("ww2").unwrap();
    assert_eq!(what(&h.end(&t).await), (Outcome::Rejected, "no_corp"));
    let mut t = h.welcome("hi");
    t.job.deadline = Some(h.clock.now());
    assert_eq!(what(&h.end(&t).await), (Outcome::Expired, "deadline"));
}

#[tokio::test]
async fn a_broken_answer_is_unclear_and_a_refused_connection_is_not() {
    let h = house().await;
    for reply in [
        Reply::Status(502),
        Reply::Text("<html>"),
        Reply::Text("{\"errcode\":\"x\"}"),
        Reply::Text("[]"),
        Reply::Text(""),
        Reply::Coded(404, "{\"message\":\"no such page\"}"),
        Reply::Coded(302, "{}"),
    ] {
        h.next("externalcontact/send_welcome_msg", [reply]);
        let called = h.go(&h.welcome("hi")).await;
        assert!(matches!(called.then, Then::Retry { refused: false, .. }), "{called:?}");
    }
    // Port 1 is closed: no byte is written.
    let h = house_with(|c| c.api_base = "http://127.0.0.1:1".into()).await;
    let event = h.job(Action::KfEventMessage {
        account: wk(),
        contact: wm(),
        code: Code("C".into()),
        say: h.say("plain", Part::Whole),
    });
    let called = h.go(&event).await;
    assert!(matches!(called.then, Then::Retry { refused: true, .. }), "{called:?}");
}

#[tokio::test]
async fn a_lost_answer_of_a_welcome_is_repeated_and_41051_then_means_delivered() {
    let h = house().await;
    h.next("externalcontact/send_welcome_msg", [Reply::Hang]);
    let mut t = h.welcome("hi");
    t.job.deadline = Some(h.clock.now().plus(Duration::from_millis(2500)));
    let began = h.clock.now();
    let called = h.go(&t).await;
    assert!(
        h.clock.now().since(began) < Duration::from_secs(4),
        "bounded by the deadline"
    );
    assert!(matches!(called.then, Then::End(e) if e.reason == "deadline" && e.notes == ["may_have_arrived"]));
    let t = h.welcome("hi").lost(h.clock.now());
    h.next("externalcontact/send_welcome_msg", [errcode(41051)]);
    assert_eq!(what(&h.end(&t).await), (Outcome::Delivered, "welcome_presumed"));
    h.next("externalcontact/send_welcome_msg", [errcode(41051)]);
    assert_eq!(
        what(&h.end(&h.welcome("hi")).await),
        (Outcome::Rejected, "already_welcomed")
    );
}

#[tokio::test]
async fn an_event_message_that_was_started_and_has_no_outcome_is_never_called_again() {
    let h = house().await;
    let event = || {
        h.job(Action::KfEventMessage {
            account: wk(),
            contact: wm(),
            code: Code("C".into()),
            say: h.say("plain", Part::Whole),
        })
    };
    let ending = h.end(&event().lost(h.clock.now())).await;
    assert_eq!(what(&ending), (Outcome::Uncertain, "lost_answer"));
    assert!(h.seen("kf/send_msg_on_event").is_empty());
    h.next("kf/send_msg_on_event", [Reply::Status(500)]);
    assert_eq!(what(&h.end(&event()).await), (Outcome::Uncertain, "lost_answer"));
}

#[tokio::test]
async fn message_send_is_repeated_byte_for_byte_inside_its_window_and_never_after() {
    let h = house().await;
    let t = h.app();
    h.next("message/send", [Reply::Status(504)]);
    assert!(matches!(h.go(&t).await.then, Then::Retry { refused: false, .. }));
    let t = t.lost(h.clock.now());
    assert_eq!(what(&h.end(&t).await), (Outcome::Delivered, "ok"));
    let sent = h.seen("message/send");
    assert_eq!(sent[0].body, sent[1].body);
    assert_eq!(sent[0].json()["enable_duplicate_check"], 1);
    h.pass(Duration::from_secs(51));
    assert_eq!(what(&h.end(&t).await), (Outcome::Uncertain, "lost_answer"));
    assert_eq!(h.seen("message/send").len(), 2);
}

#[tokio::test]
async fn a_member_whom_wecom_calls_invalid_did_not_get_the_message() {
    let h = house().await;
    h.next(
        "message/send",
        [Reply::Json(json!({"errcode": 0, "invaliduser": "lisi"}))],
    );
    let ending = h.end(&h.app()).await;
    assert_eq!(what(&ending), (Outcome::Rejected, "invaliduser"));
    assert_eq!(
        (ending.recipients[0].id.as_str(), ending.recipients[0].outcome),
        ("lisi", Outcome::Rejected)
    );
}

#[tokio::test]
async fn a_session_that_a_person_serves_is_remembered() {
    let h = house().await;
    h.next("kf/send_msg", [errcode(95018)]);
    h.next(
        "kf/service_state/get",
        [Reply::Json(json!({"errcode": 0, "service_state": 3}))],
    );
    let called = h.go(&h.kf("plain", Part::Text)).await;
    assert!(matches!(&called.then, Then::End(e) if what(e) == (Outcome::Rejected, "person_serves")));
    let mut doc = Doc::default();
    called.facts.apply(&mut doc, h.clock.now());
    assert_eq!(doc.contact.unwrap().kf[&wk()].state, Some(3));
}

#[tokio::test]
async fn the_pool_is_asked_only_when_somebody_is_on_duty() {
    let h = house().await;
    let pool = || {
        h.job(Action::KfPool {
            account: wk(),
            contact: wm(),
        })
    };
    h.next(
        "kf/servicer/list",
        [Reply::Json(json!({"servicer_list": [{"userid": "a", "status": 1}]}))],
    );
    assert_eq!(what(&h.end(&pool()).await), (Outcome::Cancelled, "nobody_on_duty"));
    assert!(h.seen("kf/service_state/trans").is_empty());
    h.always(
        "kf/servicer/list",
        Reply::Json(json!({"servicer_list": [{"userid": "a", "status": 0}]})),
    );
    let called = h.go(&pool()).await;
    assert_eq!(called.facts.session, Some((wk(), 2)));
    h.next("kf/service_state/trans", [errcode(95016)]);
    h.next("kf/service_state/get", [Reply::Json(json!({"service_state": 2}))]);
    assert_eq!(
        what(&h.end(&pool().lost(h.clock.now())).await),
        (Outcome::Delivered, "moved_before")
    );
}

#[tokio::test]
async fn tags_of_a_half_added_contact_wait_and_of_a_stranger_are_refused() {
    let h = house().await;
    h.always(
        "externalcontact/get_corp_tag_list",
        Reply::Json(json!({"tag_group": [{"group_name": "G", "tag": [{"id": "i", "name": "T"}]}]})),
    );
    h.always("externalcontact/mark_tag", errcode(84061));
    let mut t = h.tags(&[("G", "T")]);
    let called = h.go(&t).await;
    assert!(matches!(&called.then, Then::End(e) if what(e) == (Outcome::Rejected, "not_a_friend")));
    assert_eq!(called.facts.not_a_friend, Some(li()));
    t.doc.relation_mut(&li()).stage = Stage::Half;
    let called = h.go(&t).await;
    assert!(matches!(&called.then, Then::Later { reason, .. } if reason == "half_added"));
    assert!(called.facts.is_empty());
}
