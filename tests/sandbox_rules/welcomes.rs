use serde_json::json;

use crate::client::{LI, WANG, Wecom, element};
use wecom_gateway::sandbox::{Act, Way};

const SEND: &str = "externalcontact/send_welcome_msg";

fn hello(code: &str) -> serde_json::Value {
    json!({"welcome_code": code, "text": {"content": "您好"}})
}

fn pair(contact: &str) -> (String, String) {
    ("zhangsan".to_owned(), contact.to_owned())
}

#[tokio::test]
async fn a_welcome_arrives_once_and_the_code_is_then_41051() {
    let wecom = Wecom::coffee().await;
    let code = wecom.scan(WANG, false).await;
    assert_eq!(wecom.code(SEND, hello(&code)).await, 0);
    assert_eq!(wecom.code(SEND, hello(&code)).await, 41051);
    let seen = wecom.sandbox.messages_to(WANG);
    assert_eq!(
        (seen.len(), seen[0].way, seen[0].text.as_str()),
        (1, Way::Welcome, "您好")
    );
    assert_eq!(seen[0].from, "zhangsan");
}

#[tokio::test]
async fn a_code_dies_after_twenty_seconds() {
    let wecom = Wecom::coffee().await;
    let code = wecom.scan(WANG, false).await;
    wecom.sandbox.advance(20_001);
    assert_eq!(wecom.code(SEND, hello(&code)).await, 41050);
    assert_eq!(wecom.code(SEND, hello("never-given")).await, 41050);
    assert_eq!(wecom.code(SEND, json!({"text": {"content": "x"}})).await, 41049);
    assert!(wecom.sandbox.messages().is_empty());
}

#[tokio::test]
async fn a_code_is_good_only_with_the_token_of_the_app_that_got_it() {
    let mut wecom = Wecom::with_two_apps().await;
    let code = wecom.scan(WANG, false).await;
    wecom.token = wecom.new_token("crm").await;
    assert_eq!(wecom.code(SEND, hello(&code)).await, 41050);
}

#[tokio::test]
async fn while_another_app_sends_its_welcome_the_answer_is_41096_then_41051_or_success() {
    let wecom = Wecom::coffee().await;
    for (contact, succeeds, then) in [(WANG, true, 41051), (LI, false, 0)] {
        let code = wecom.scan(contact, false).await;
        let (member, contact) = pair(contact);
        wecom
            .act(Act::OtherWelcome {
                member,
                contact,
                ms: 3_000,
                succeeds,
            })
            .await;
        assert_eq!(wecom.code(SEND, hello(&code)).await, 41096);
        wecom.sandbox.advance(3_001);
        assert_eq!(wecom.code(SEND, hello(&code)).await, then);
    }
}

#[tokio::test]
async fn a_chat_that_has_begun_makes_the_welcome_too_late() {
    let wecom = Wecom::coffee().await;
    let code = wecom.scan(WANG, false).await;
    let (member, contact) = pair(WANG);
    wecom.act(Act::ContactWrite { member, contact }).await;
    assert_eq!(wecom.code(SEND, hello(&code)).await, 41051);
}

#[tokio::test]
async fn half_and_full_addition_bring_two_codes_unless_the_first_was_used() {
    let wecom = Wecom::coffee().await;
    let inbox = wecom.receive(&[]).await;
    let first = wecom.scan(WANG, true).await;
    let (member, contact) = pair(WANG);
    wecom.act(Act::Confirm { member, contact }).await;
    wecom.scan(LI, true).await;
    let second = element(&inbox.got()[2], "WelcomeCode").unwrap();
    assert_eq!(wecom.code(SEND, hello(&second)).await, 0);
    let (member, contact) = pair(LI);
    wecom.act(Act::Confirm { member, contact }).await;
    let got = inbox.got();
    let kinds: Vec<_> = got.iter().map(|x| element(x, "ChangeType").unwrap()).collect();
    let half_full = ["add_half_external_contact", "add_external_contact"];
    assert_eq!(kinds, [half_full, half_full].concat());
    assert_eq!(element(&got[0], "WelcomeCode"), Some(first));
    assert!(
        element(&got[1], "WelcomeCode").is_some(),
        "not welcomed yet: a second code"
    );
    assert_eq!(element(&got[3], "WelcomeCode"), None, "welcomed already: no code");
}

#[tokio::test]
async fn no_code_comes_where_the_admin_page_has_a_welcome_or_the_contact_is_a_colleague_elsewhere() {
    let mut setup = wecom_gateway::sandbox::Sandbox::coffee();
    setup.members.get_mut("zhangsan").unwrap().console_welcome = true;
    setup.contacts.get_mut(LI).unwrap().from_wecom = true;
    let wecom = Wecom::start(setup).await;
    assert_eq!(wecom.scan(WANG, false).await, "");
    let colleague = json!({"do": "scan", "member": "lisi", "contact": LI});
    assert!(wecom.do_json(colleague).await["result"]["welcome_code"].is_null());
}

#[tokio::test]
async fn without_consent_to_archiving_the_welcome_is_41053_until_they_agree() {
    let mut setup = wecom_gateway::sandbox::Sandbox::coffee();
    setup.contacts.get_mut(WANG).unwrap().archive_pending = true;
    let wecom = Wecom::start(setup).await;
    let code = wecom.scan(WANG, false).await;
    assert_eq!(wecom.code(SEND, hello(&code)).await, 41053);
    let (member, contact) = pair(WANG);
    let agreed = wecom.act(Act::ArchiveAgree { member, contact }).await;
    assert_eq!(
        wecom
            .code(SEND, hello(agreed.result["welcome_code"].as_str().unwrap()))
            .await,
        0
    );
}

#[tokio::test]
async fn a_welcome_is_checked_field_by_field() {
    let wecom = Wecom::coffee().await;
    let code = wecom.scan(WANG, false).await;
    let with = |attachments: serde_json::Value| json!({"welcome_code": code, "attachments": attachments});
    let link = json!({"msgtype": "link", "link": {"title": "a", "url": "https://example.com"}});
    let long = "长".repeat(1_334);
    let cases = [
        (json!({"welcome_code": code}), 40058),
        (json!({"welcome_code": code, "text": {"content": long}}), 40058),
        (with(json!(vec![link.clone(); 10])), 41064),
        (with(json!([{"msgtype": "voice", "voice": {}}])), 41065),
        (
            with(json!([{"msgtype": "image", "image": {"media_id": "none"}}])),
            40007,
        ),
        (with(json!([{"msgtype": "image", "image": {}}])), 41006),
        (with(json!([{"msgtype": "link", "link": {"title": "a"}}])), 40063),
        (
            with(json!([{"msgtype": "link", "link": {"title": "标".repeat(43), "url": "https://e.com"}}])),
            40058,
        ),
    ];
    for (body, expected) in cases {
        assert_eq!(wecom.code(SEND, body.clone()).await, expected, "{body}");
    }
    let image = wecom.image().await;
    let both = json!({"welcome_code": code, "text": {"content": "您好"},
        "attachments": [{"msgtype": "image", "image": {"media_id": image}}, link]});
    assert_eq!(wecom.code(SEND, both).await, 0);
    assert_eq!(
        wecom.sandbox.messages_to(WANG).len(),
        3,
        "text and attachments arrive as several messages"
    );
}
