use proptest::prelude::*;

use super::kinds::{Family, KINDS, KeyOf, Who};
use super::*;
use crate::wecom::id::ChatId;

fn notice(xml: &str) -> Notice {
    Notice::parse(xml.as_bytes()).unwrap()
}

fn contact_event(change: &str, more: &str) -> String {
    format!(
        "<xml><ToUserName><![CDATA[ww1]]></ToUserName><FromUserName><![CDATA[sys]]></FromUserName>\
         <CreateTime>1403610513</CreateTime><MsgType><![CDATA[event]]></MsgType>\
         <Event><![CDATA[change_external_contact]]></Event><ChangeType><![CDATA[{change}]]></ChangeType>\
         <UserID><![CDATA[zhangsan]]></UserID><ExternalUserID><![CDATA[woAJ2G]]></ExternalUserID>{more}</xml>"
    )
}

fn key(notice: &Notice) -> &str {
    match &notice.dedupe {
        Dedupe::Key(key) => key,
        other => panic!("{other:?}"),
    }
}

/// A payload of this kind with every element that the table asks for.
fn sample(kind: &kinds::Kind, suffix: &str) -> String {
    if kind.family == Family::Bot {
        let body = match kind.word {
            "enter_chat" | "template_card_event" | "feedback_event" => {
                format!(r#""msgtype":"event","event":{{"eventtype":"{}"}}"#, kind.word)
            }
            word => format!(r#""msgtype":"{word}""#),
        };
        return format!(r#"{{"msgid":"m{suffix}","from":{{"userid":"li{suffix}"}},{body}}}"#);
    }
    let name = match kind.family {
        Family::Event => format!("<MsgType>event</MsgType><Event>{}</Event>", kind.word),
        Family::Message => format!("<MsgType>{}</MsgType>", kind.word),
        Family::Info | Family::Bot => format!("<InfoType>{}</InfoType>", kind.word),
    };
    let change = kind
        .change
        .map_or(String::new(), |c| format!("<ChangeType>{c}</ChangeType>"));
    let person = match kind.who {
        Who::Contact => "<UserID>li</UserID><ExternalUserID>wo</ExternalUserID>".replace("</", &format!("{suffix}</")),
        Who::Member => format!("<FromUserName>li{suffix}</FromUserName><MsgId>1{suffix}</MsgId>"),
        Who::Group => format!("<ChatId>wr{suffix}</ChatId>"),
        Who::KfAccount => format!("<OpenKfId>wk{suffix}</OpenKfId>"),
        Who::BotChat | Who::Nobody => String::new(),
    };
    let mut rest = String::new();
    if let KeyOf::Fields(fields) | KeyOf::FieldsAndHash(fields) = kind.key {
        for field in fields {
            let (outer, inner) = field
                .trim_end_matches('?')
                .split_once('/')
                .map_or(("", *field), |(o, i)| (o, i));
            let inner = inner.trim_end_matches('?');
            if inner == "CreateTime" || person.contains(&format!("<{inner}>")) {
                continue;
            }
            rest += &match outer {
                "" => format!("<{inner}>v{suffix}</{inner}>"),
                outer => format!("<{outer}><{inner}>v{suffix}</{inner}></{outer}>"),
            };
        }
    }
    format!(
        "<xml><ToUserName>ww1</ToUserName><CreateTime>7</CreateTime>{name}{change}{person}{rest}<X>{suffix}</X></xml>"
    )
}

#[test]
fn every_kind_of_the_table_is_recognised_and_tells_its_repeats_from_its_neighbours() {
    for kind in KINDS {
        let (a, again, b) = (sample(kind, ""), sample(kind, ""), sample(kind, "2"));
        let a = notice(&a);
        assert_eq!(a.kind, kind.word, "{kind:?}");
        assert_ne!(a.event.body, EventBody::Unknown, "{kind:?}");
        assert_eq!(a.rules_name().is_some(), kind.rule.is_some(), "{kind:?}");
        assert!(
            kind.change.is_none() || a.change_type.as_deref() == kind.change,
            "{kind:?}"
        );
        assert_eq!(a.dedupe, notice(&again).dedupe);
        match (&a.dedupe, notice(&b).dedupe) {
            (Dedupe::Key(a), Dedupe::Key(b)) => {
                assert_ne!(*a, b);
            }
            (a, b) => assert_eq!(std::mem::discriminant(a), std::mem::discriminant(&b)),
        }
    }
}

#[test]
fn a_contact_event_is_typed_with_channel_and_code_and_both_people_in_its_key() {
    let n = notice(&contact_event(
        "add_external_contact",
        "<State><![CDATA[store-1]]></State><WelcomeCode><![CDATA[CODE]]></WelcomeCode>",
    ));
    let EventBody::Contact(change) = &n.event.body else {
        panic!()
    };
    assert_eq!(change.kind, ContactChangeKind::Added);
    assert_eq!(
        (change.member.as_str(), change.contact.as_str()),
        ("zhangsan", "woAJ2G")
    );
    assert_eq!(change.state.as_deref(), Some("store-1"));
    assert_eq!(change.welcome_code, Some(WelcomeCode("CODE".into())));
    assert_eq!(n.event.create_time, Some(1_403_610_513));
    assert_eq!(n.scope, Scope::Corp);
    assert_eq!(
        key(&n),
        "change_external_contact|add_external_contact|zhangsan|woAJ2G|1403610513"
    );
    assert!(!format!("{n:?}").contains("CODE"));
}

#[test]
fn each_direction_of_a_relation_has_the_name_that_rules_use() {
    let transfer = "<Source>DELETE_BY_TRANSFER</Source>";
    for (change, more, name) in [
        ("add_external_contact", "", "contact_added"),
        ("add_half_external_contact", "", "contact_half_added"),
        ("edit_external_contact", "", "contact_edited"),
        ("del_follow_user", "", "contact_lost"),
        ("del_external_contact", "", "contact_removed"),
        ("del_external_contact", transfer, "contact_transferred"),
        (
            "transfer_fail",
            "<FailReason>customer_refused</FailReason>",
            "transfer_failed",
        ),
        ("msg_audit_approved", "", "archive_agreed"),
    ] {
        let xml = contact_event(change, more);
        assert_eq!(notice(&xml).rules_name(), Some(name));
        assert_eq!(Event::parse(xml.as_bytes()).unwrap().rules_name(), Some(name));
    }
    let empty = notice(&contact_event("add_external_contact", "<State></State><WelcomeCode/>"));
    let EventBody::Contact(change) = empty.event.body else {
        panic!()
    };
    assert_eq!((change.state, change.welcome_code), (None, None));
}

#[test]
fn two_customers_who_add_one_member_in_one_second_are_two_events() {
    let one = contact_event("add_external_contact", "");
    let two = one.replace("woAJ2G", "woOTHER");
    assert_ne!(notice(&one).dedupe, notice(&two).dedupe);
    let three = one.replace("zhangsan", "lisi");
    assert_ne!(notice(&one).dedupe, notice(&three).dedupe);
}

#[test]
fn ids_that_cannot_be_ids_make_an_event_unknown_instead_of_losing_it() {
    let good = contact_event("add_external_contact", "");
    for bad in [
        good.replace("woAJ2G", ""),
        good.replace("woAJ2G", &"x".repeat(129)),
        good.replace("zhangsan", ""),
        contact_event("added_by_hologram", ""),
        "<xml/>".into(),
        "<xml><MsgType>event</MsgType></xml>".into(),
        "<xml><MsgType>text</MsgType></xml>".into(),
        "{\"hello\":1}".into(),
        format!("<xml>{}</xml>", "<a>".repeat(40) + &"</a>".repeat(40)),
    ] {
        let n = notice(&bad);
        assert_eq!(
            (&n.event.body, n.kind, n.rules_name()),
            (&EventBody::Unknown, "unknown", None),
            "{bad}"
        );
        assert_eq!((n.subject, n.dedupe), (Subject::Payload, Dedupe::Hash));
    }
}

#[test]
fn a_members_message_keeps_its_text_as_written_and_prints_none_of_it() {
    let n = notice(
        "<xml><FromUserName><![CDATA[li]]></FromUserName><CreateTime></CreateTime><MsgType><![CDATA[text]]></MsgType>\
         <Content><![CDATA[ 价格? ]]]]><![CDATA[> ]]></Content><MsgId>1234567890123456789</MsgId><AgentID>1</AgentID></xml>",
    );
    let EventBody::MemberMessage(m) = &n.event.body else {
        panic!()
    };
    assert_eq!(m.text.as_deref(), Some(" 价格? ]]> "));
    assert_eq!((n.event.create_time, key(&n)), (None, "text|1234567890123456789"));
    assert_eq!(n.subject, Subject::Member(UserId::parse("li").unwrap()));
    assert!(!format!("{n:?}").contains("价格"));
}

#[test]
fn a_key_that_lacks_a_part_is_completed_by_the_payloads_hash() {
    let with = |content: &str| {
        notice(&format!(
            "<xml><FromUserName>li</FromUserName><MsgType>text</MsgType><Content>{content}</Content></xml>"
        ))
    };
    assert_ne!(with("a").dedupe, with("b").dedupe);
    assert_eq!(key(&with("a")).len(), "text||".len() + 64);
}

#[test]
fn a_separator_inside_a_value_never_makes_two_keys_equal() {
    let click = |event_key: &str, agent: &str| {
        notice(&format!(
            "<xml><FromUserName>li</FromUserName><CreateTime>1</CreateTime><MsgType>event</MsgType><Event>click</Event>\
             <EventKey>{event_key}</EventKey><AgentID>{agent}</AgentID></xml>"
        ))
    };
    assert_eq!(key(&click("a|b%", "1")), "click|1|li|1|a%7Cb%25");
    assert_eq!(click("k", "").rules_name(), Some("menu_click"));
}

#[test]
fn the_doorbell_has_no_sender_and_is_never_a_repeat() {
    let n = notice(
        "<xml><ToUserName>ww1</ToUserName><CreateTime>1348831860</CreateTime><MsgType>event</MsgType>\
         <Event>kf_msg_or_event</Event><Token>ENCAp</Token><OpenKfId>wk1</OpenKfId></xml>",
    );
    assert_eq!(
        (n.dedupe.clone(), n.kind, n.rules_name()),
        (Dedupe::None, "kf_msg_or_event", None)
    );
    assert_eq!(n.subject, Subject::KfAccount(OpenKfId::parse("wk1").unwrap()));
    assert!(!format!("{n:?}").contains("ENCAp"));
}

#[test]
fn groups_are_known_by_version_and_old_ones_without_a_change_type_are_updates() {
    let group = |more: &str| {
        notice(&format!(
            "<xml><CreateTime>1</CreateTime><MsgType>event</MsgType><Event>change_external_chat</Event>\
             <ChatId>wr1</ChatId>{more}</xml>"
        ))
    };
    let n = group("<ChangeType>update</ChangeType><UpdateDetail>add_member</UpdateDetail><CurMemVer>v2</CurMemVer>");
    assert_eq!(key(&n), "change_external_chat|update|wr1|add_member|v2|1");
    assert_eq!(n.subject, Subject::Group(ChatId::parse("wr1").unwrap()));
    assert_eq!(n.rules_name(), Some("group_changed"));
    let old = group("");
    assert_eq!(
        (old.kind, old.change_type.as_deref()),
        ("change_external_chat", Some("update"))
    );
}

#[test]
fn tags_made_in_one_second_are_different_events() {
    let tag = |id: &str, kind: &str| {
        notice(&format!(
            "<xml><FromUserName>sys</FromUserName><CreateTime>1</CreateTime><MsgType>event</MsgType>\
             <Event>change_external_tag</Event><ChangeType>create</ChangeType><Id>{id}</Id><TagType>{kind}</TagType></xml>"
        ))
    };
    assert_ne!(tag("1", "tag").dedupe, tag("2", "tag").dedupe);
    assert_ne!(tag("1", "tag").dedupe, tag("1", "tag_group").dedupe);
}

#[test]
fn bot_messages_are_known_by_msgid_and_refresh_polls_never() {
    let n = notice(
        r#"{"msgid":"CAIQ","aibotid":"A","chatid":"C","chattype":"group","from":{"userid":"li"},"msgtype":"text","text":{"content":"hi"}}"#,
    );
    assert_eq!(
        (n.kind, &n.event.body, key(&n)),
        ("text", &EventBody::Other, "text|CAIQ")
    );
    let n = notice(
        r#"{"msgid":"M","create_time":7,"from":{"userid":"li"},"msgtype":"event","event":{"eventtype":"enter_chat"}}"#,
    );
    assert_eq!((n.kind, n.event.create_time), ("enter_chat", Some(7)));
    let poll = notice(r#"{"msgid":"M","from":{"userid":"li"},"msgtype":"stream","stream":{"id":"s"}}"#);
    assert_eq!(poll.dedupe, Dedupe::None);
}

#[test]
fn provider_callbacks_are_known_by_their_info_type() {
    let n = notice(
        "<xml><SuiteId>s</SuiteId><InfoType> <![CDATA[suite_ticket]]></InfoType><TimeStamp>1403610513</TimeStamp></xml>",
    );
    assert_eq!((n.kind, key(&n)), ("suite_ticket", "suite_ticket|s|1403610513"));
    assert_eq!(n.event.create_time, Some(1_403_610_513));
}

#[test]
fn what_is_neither_xml_nor_a_json_object_is_an_error() {
    for bad in ["", "hello", "<xml>", "[1]", "{", "\"x\""] {
        assert_eq!(Event::parse(bad.as_bytes()), Err(ParseError), "{bad}");
    }
}

#[test]
fn a_character_cut_in_half_does_not_lose_the_event() {
    let mut xml = contact_event("add_external_contact", "<State>stXX</State>").into_bytes();
    let at = xml.windows(2).position(|w| w == b"XX").unwrap();
    xml[at..at + 2].copy_from_slice(&[0xe4, 0xbd]);
    let EventBody::Contact(change) = Event::parse(&xml).unwrap().body else {
        panic!()
    };
    assert_eq!(change.state.as_deref(), Some("st\u{fffd}"));
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes: Vec<u8>, name in "[A-Za-z]{1,12}", value: String) {
        let _ = Notice::parse(&bytes);
        let cdata = format!("<xml><MsgType>event</MsgType><Event>click</Event><{name}><![CDATA[{value}]]></{name}></xml>");
        let _ = Notice::parse(cdata.as_bytes());
        let json = serde_json::json!({ "msgtype": value, name: [value] }).to_string();
        let _ = Notice::parse(json.as_bytes());
    }
}
