//! Whatever comes in, a decision or an honest refusal goes out.

use super::*;
use proptest::prelude::*;

const RULES: &str = r#"
[[rule]]
name = "price"
on = "message"
keywords = { any = ["价格", "a"] }
reply = ["price"]
tags = { add = ["Intent/Price"] }
[[rule]]
name = "enter"
on = "enter_session"
reply = ["hello"]
"#;

fn what() -> impl Strategy<Value = What> {
    prop_oneof![
        Just(What::Callback),
        any::<i64>().prop_map(|first| What::Kf {
            account: account(),
            first_served: StoreTime(first),
        }),
        Just(What::KfPoll { account: account() }),
    ]
}

fn conversation() -> impl Strategy<Value = Conversation> {
    prop_oneof![
        Just(Conversation::Contact(corp_id(), contact())),
        Just(Conversation::MemberChat(
            corp_id(),
            AppName::new("main"),
            member("zhangsan")
        )),
        Just(Conversation::KfAccount(corp_id(), account())),
    ]
}

/// Bytes, and JSON that comes nearer to what WeCom sends.
fn raw() -> impl Strategy<Value = Vec<u8>> {
    let json = (any::<i64>(), 0..7_i64, ".{0,20}", any::<i64>(), 0..6_usize).prop_map(|(at, origin, text, n, kind)| {
        let kinds = [
            "enter_session",
            "msg_send_fail",
            "session_status_change",
            "user_recall_msg",
            "",
            "x",
        ];
        let (msgtype, contact) = if origin == 4 {
            ("event", None)
        } else {
            ("text", Some("wm1"))
        };
        serde_json::json!({
            "msgid": "m", "open_kfid": "wk1", "external_userid": contact, "send_time": at, "origin": origin,
            "msgtype": msgtype, "text": { "content": text },
            "event": { "event_type": kinds[kind], "open_kfid": "wk1", "external_userid": "wm1", "scene": text,
                       "welcome_code": text, "msg_code": text, "change_type": n % 6, "fail_type": n % 14 },
        })
        .to_string()
        .into_bytes()
    });
    prop_oneof![proptest::collection::vec(any::<u8>(), 0..200), json]
}

#[test]
fn no_entry_makes_a_decision_panic() {
    let house = std::cell::RefCell::new(House::new("", RULES));
    proptest!(|(what in what(), chat in conversation(), raw in raw(), accepted in any::<i64>(), now in any::<i64>())| {
        let mut house = house.borrow_mut();
        house.now = StoreTime(now);
        let body = EntryBody { conversation: chat, app: AppName::new("main"), what, raw };
        // `try_decide_accepted` also holds the second decision against the first.
        if let Ok(decision) = house.try_decide_accepted(body, StoreTime(accepted)) {
            for made in house.make(&decision) {
                if house.asks(&made, 1).is_none() {
                    house.starts(&made);
                }
                house.ends_as(&made, Outcome::Dead, "x");
            }
        }
    });
}
