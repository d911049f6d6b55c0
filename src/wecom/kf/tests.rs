use proptest::prelude::*;

use super::*;
use crate::wecom::event::WelcomeCode;

fn message(json: &str) -> KfMessage {
    KfMessage::parse(json.as_bytes()).unwrap()
}

#[test]
fn a_customers_text_is_typed_with_its_menu_item() {
    let m = message(
        r#"{"msgid":"m1","open_kfid":"wk1","external_userid":"wm1","send_time":1615478585,"origin":3,
            "msgtype":"text","text":{"content":"hi","menu_id":"price"}}"#,
    );
    assert_eq!(m.account, OpenKfId::parse("wk1").ok());
    assert_eq!(m.contact, ExternalUserId::parse("wm1").ok());
    assert_eq!((m.send_time, m.origin), (Some(1_615_478_585), Origin::Customer));
    assert_eq!(m.rules_name(), Some("message"));
    let KfBody::Text { content, menu_id } = &m.body else {
        panic!()
    };
    assert_eq!((content.as_str(), menu_id.as_deref()), ("hi", Some("price")));
    assert!(!format!("{m:?}").contains("hi\""));
}

#[test]
fn an_event_names_account_and_customer_inside_and_keeps_its_code_to_itself() {
    let m = message(
        r#"{"msgid":"m2","send_time":"1615478585","origin":4,"msgtype":"event","event":{"event_type":"enter_session",
            "open_kfid":"wk1","external_userid":"wm1","scene":"s","scene_param":"a%3D1","welcome_code":"SECRET"}}"#,
    );
    assert_eq!(m.account, OpenKfId::parse("wk1").ok());
    assert_eq!(m.contact, ExternalUserId::parse("wm1").ok());
    assert_eq!((m.kind(), m.rules_name()), ("enter_session", Some("enter_session")));
    assert!(format!("{m:?}").contains("WelcomeCode(…)") && !format!("{m:?}").contains("SECRET"));
}

#[test]
fn every_documented_event_is_typed() {
    let event = |fields: &str| {
        let json = format!(r#"{{"msgid":"m","msgtype":"event","origin":4,"event":{{{fields}}}}}"#);
        match message(&json).body {
            KfBody::Event(e) => e,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(
        event(r#""event_type":"msg_send_fail","fail_msgid":"f","fail_type":6"#),
        KfEvent::SendFailed {
            fail_msgid: "f".into(),
            fail_type: 6
        }
    );
    assert_eq!(
        event(
            r#""event_type":"session_status_change","change_type":3,"old_servicer_userid":"li","new_servicer_userid":"","msg_code":"c""#
        ),
        KfEvent::SessionChanged {
            change_type: 3,
            old_servicer: UserId::parse("li").ok(),
            new_servicer: None,
            msg_code: Some(WelcomeCode("c".into())),
        }
    );
    assert_eq!(
        event(r#""event_type":"servicer_status_change","status":2,"stop_type":1"#),
        KfEvent::ServicerStatus { status: 2 }
    );
    assert_eq!(
        event(r#""event_type":"user_recall_msg","recall_msgid":"r""#),
        KfEvent::UserRecalled {
            recall_msgid: "r".into()
        }
    );
    assert_eq!(
        event(r#""event_type":"servicer_recall_msg","recall_msgid":"r""#),
        KfEvent::ServicerRecalled {
            recall_msgid: "r".into()
        }
    );
    assert_eq!(
        event(r#""event_type":"reject_customer_msg_switch_change","reject_switch":1"#),
        KfEvent::RejectSwitch { rejects: true }
    );
    assert_eq!(
        event(r#""event_type":"new""#),
        KfEvent::Other {
            event_type: "new".into()
        }
    );
    assert_eq!(
        event(""),
        KfEvent::Other {
            event_type: String::new()
        }
    );
}

#[test]
fn what_is_unknown_is_kept_and_only_what_has_no_msgid_is_an_error() {
    let m = message(r#"{"msgid":"m","msgtype":"hologram","origin":3,"external_userid":"","send_time":null}"#);
    assert_eq!((m.kind(), &m.body, &m.contact), ("hologram", &KfBody::Other, &None));
    assert_eq!(KfMessage::parse(b"{\"msgtype\":\"text\"}"), Err(KfParseError::NoMsgId));
    assert_eq!(KfMessage::parse(b"[]"), Err(KfParseError::Json));
    assert_eq!(KfMessage::parse(b""), Err(KfParseError::Json));
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes: Vec<u8>, word in "[a-z_]{0,12}", n: i64) {
        let _ = KfMessage::parse(&bytes);
        let json = format!(r#"{{"msgid":"m","msgtype":"{word}","origin":{n},"event":{n},"text":[{n}],"send_time":"{word}"}}"#);
        let _ = KfMessage::parse(json.as_bytes());
    }
}
