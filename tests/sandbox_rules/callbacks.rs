use std::time::Duration;

use serde_json::json;

use crate::client::{CHEN, WANG, Wecom, element};
use wecom_gateway::sandbox::{Act, Kind, Sandbox, ToldTo};

fn change(xml: &str) -> String {
    element(xml, "ChangeType").unwrap()
}

#[tokio::test]
async fn a_scan_arrives_encrypted_signed_and_complete() {
    let wecom = Wecom::coffee().await;
    let inbox = wecom.receive(&[]).await;
    let code = wecom.scan(WANG, false).await;
    let got = inbox.got();
    let xml = &got[0];
    let expected = [
        ("ToUserName", "ww0123456789abcdef"),
        ("FromUserName", "sys"),
        ("MsgType", "event"),
        ("Event", "change_external_contact"),
        ("ChangeType", "add_external_contact"),
        ("UserID", "zhangsan"),
        ("ExternalUserID", WANG),
        ("State", "store-1"),
        ("WelcomeCode", &code),
    ];
    for (name, value) in expected {
        assert_eq!(element(xml, name).as_deref(), Some(value), "{name}");
    }
}

#[tokio::test]
async fn the_admin_page_verifies_the_url() {
    let wecom = Wecom::coffee().await;
    assert!(wecom.sandbox.verify_callback("main").await.is_err());
    let _inbox = wecom.receive(&[]).await;
    wecom.sandbox.verify_callback("main").await.unwrap();
    assert_eq!(
        wecom.control("/sandbox/verify", json!({"app": "main"})).await["verified"],
        true
    );
}

#[tokio::test]
async fn a_refused_callback_is_tried_three_times_with_the_same_xml() {
    let setup = Sandbox::coffee().limits(|l| l.callback_retry_ms = 20);
    let wecom = Wecom::start(setup).await;
    let inbox = wecom.receive(&[503, 403, 500, 500]).await;
    let acted = wecom
        .sandbox
        .act(Act::MemberEnterAgent {
            app: None,
            member: "lisi".into(),
        })
        .await
        .unwrap();
    assert_eq!(acted.callbacks[0].status, Some(503));
    while wecom.sandbox.callbacks().len() < 3 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    tokio::time::sleep(Duration::from_millis(80)).await;
    let got = inbox.got();
    assert_eq!(got.len(), 3, "three tries in all");
    assert!(got.iter().all(|xml| *xml == got[0]));
}

#[tokio::test]
async fn a_callback_without_an_answer_counts_as_failed() {
    let setup = Sandbox::coffee().limits(|l| {
        l.callback_timeout_ms = 50;
        l.callback_attempts = 1;
    });
    let wecom = Wecom::start(setup).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    wecom
        .sandbox
        .set_callback("main", &format!("http://{}/", listener.local_addr().unwrap()))
        .unwrap();
    let acted = wecom.act(Act::KfRing { account: None }).await;
    assert_eq!(
        (acted.callbacks[0].status, acted.callbacks[0].delivered()),
        (None, false)
    );
}

#[tokio::test]
async fn a_callback_can_be_lost_or_come_twice() {
    let wecom = Wecom::coffee().await;
    let inbox = wecom.receive(&[]).await;
    wecom
        .do_json(json!({"do": "kf_write", "contact": WANG, "text": "hi", "silent": true}))
        .await;
    assert!(inbox.got().is_empty());
    wecom
        .do_json(json!({"do": "member_write", "member": "lisi", "text": "hi", "copies": 2}))
        .await;
    let got = inbox.got();
    assert_eq!((got.len(), got[0] == got[1]), (2, true));
    let told = ToldTo {
        wait: false,
        ..ToldTo::default()
    };
    let acted = wecom
        .sandbox
        .act_with(Act::KfRing { account: None }, told)
        .await
        .unwrap();
    assert!(acted.callbacks.is_empty());
}

#[tokio::test]
async fn partings_and_edits_say_who_did_it() {
    let wecom = Wecom::coffee().await;
    let inbox = wecom.receive(&[]).await;
    let (member, contact) = ("zhangsan".to_owned(), CHEN.to_owned());
    wecom
        .do_json(json!({"do": "make_tags", "group": "City", "tags": ["Shanghai"]}))
        .await;
    wecom
        .do_json(
            json!({"do": "edit", "member": member, "contact": CHEN, "remark": "陈总", "add_tags": ["City/Shanghai"]}),
        )
        .await;
    wecom
        .act(Act::DeleteMember {
            member: member.clone(),
            contact: contact.clone(),
        })
        .await;
    wecom
        .act(Act::DeleteContact {
            member: member.clone(),
            contact: contact.clone(),
            transfer: true,
        })
        .await;
    wecom
        .act(Act::TransferFail {
            member,
            contact,
            reason: "customer_refused".into(),
        })
        .await;
    let got = inbox.got();
    assert_eq!(element(&got[0], "TagType").as_deref(), Some("tag_group"));
    assert_eq!(element(&got[1], "TagType").as_deref(), Some("tag"));
    let kinds: Vec<String> = got[2..].iter().map(|x| change(x)).collect();
    assert_eq!(
        kinds,
        [
            "edit_external_contact",
            "del_follow_user",
            "del_external_contact",
            "transfer_fail"
        ]
    );
    assert_eq!(element(&got[4], "Source").as_deref(), Some("DELETE_BY_TRANSFER"));
    assert_eq!(element(&got[5], "FailReason").as_deref(), Some("customer_refused"));
}

#[tokio::test]
async fn what_the_api_does_calls_nobody_back() {
    let wecom = Wecom::coffee().await;
    let inbox = wecom.receive(&[]).await;
    let made = wecom
        .post(
            "externalcontact/add_corp_tag",
            json!({"group_name": "A", "tag": [{"name": "b"}]}),
        )
        .await;
    let id = &made["tag_group"]["tag"][0]["id"];
    let mark = json!({"userid": "zhangsan", "external_userid": CHEN, "add_tag": [id]});
    assert_eq!(wecom.code("externalcontact/mark_tag", mark).await, 0);
    assert!(inbox.got().is_empty());
}

#[tokio::test]
async fn a_members_acts_reach_the_app_with_its_agent_id() {
    let wecom = Wecom::coffee().await;
    let inbox = wecom.receive(&[]).await;
    wecom
        .do_json(json!({"do": "member_write", "member": "lisi", "text": "a ]]> b"}))
        .await;
    wecom
        .do_json(json!({"do": "menu_click", "member": "lisi", "key": "price"}))
        .await;
    wecom.do_json(json!({"do": "unsubscribe", "member": "lisi"})).await;
    wecom
        .do_json(json!({"do": "raw", "app": "main", "xml": "<xml><Event>odd</Event></xml>"}))
        .await;
    let got = inbox.got();
    assert!(got[0].contains("<Content><![CDATA[a ]]]]><![CDATA[> b]]></Content>"));
    assert_eq!(element(&got[0], "AgentID").as_deref(), Some("1000002"));
    assert!(element(&got[0], "MsgId").unwrap().parse::<u64>().is_ok());
    assert_eq!(element(&got[1], "EventKey").as_deref(), Some("price"));
    assert_eq!(element(&got[2], "Event").as_deref(), Some("unsubscribe"));
    assert_eq!(got[3], "<xml><Event>odd</Event></xml>");
    let gone = wecom
        .do_json(json!({"do": "member_write", "member": "lisi", "text": "hi"}))
        .await;
    assert!(gone["error"].is_string(), "who has left the visible range cannot write");
}

#[tokio::test]
async fn every_entitled_app_gets_its_own_copy_and_code() {
    let wecom = Wecom::start(Sandbox::coffee().app("crm", 1_000_003, &[Kind::Contacts])).await;
    let inbox = wecom.receive(&[]).await;
    // The other app has the same credentials here, so that one receiver can open both.
    wecom
        .sandbox
        .change_app(None, "crm", |app| {
            app.token = "mainToken".into();
            app.callback_url = Some(inbox.url.clone());
        })
        .unwrap();
    wecom.scan(WANG, false).await;
    let got = inbox.got();
    assert_eq!(got.len(), 2);
    assert_ne!(element(&got[0], "WelcomeCode"), element(&got[1], "WelcomeCode"));
}

#[tokio::test]
async fn an_act_that_makes_no_sense_is_refused_with_a_sentence() {
    let wecom = Wecom::coffee().await;
    for act in [
        json!({"do": "confirm", "member": "zhangsan", "contact": CHEN}),
        json!({"do": "scan", "member": "nobody", "contact": WANG}),
        json!({"do": "scan", "member": "zhangsan", "contact": WANG, "colour": "red"}),
        json!({"do": "kf_take", "contact": WANG, "servicer": "lisi"}),
        json!({"do": "dance"}),
    ] {
        assert!(wecom.do_json(act.clone()).await["error"].is_string(), "{act}");
    }
    assert_eq!(
        wecom.look("/sandbox/state").await["corps"][0]["corp_id"],
        "ww0123456789abcdef"
    );
}

#[tokio::test]
async fn dropping_the_handle_closes_the_sandbox() {
    let handle = Sandbox::coffee().start().await.unwrap();
    let addr = handle.addr();
    drop(handle);
    while tokio::net::TcpStream::connect(addr).await.is_ok() {
        tokio::task::yield_now().await;
    }
}
