//! The endpoint through its router, with an intake that remembers what it was given.

use std::sync::Mutex;

use axum::http::Request;
use http_body_util::BodyExt;
use tower::ServiceExt;

use super::fixture::{CORP_ID, KEY, TOKEN, app, corp};
use super::*;
use crate::intake::CannotStore;
use crate::model::Conversation;
use crate::store::Mark;
use crate::wecom::crypto::signature;

struct Intake {
    seen: Mutex<Vec<(EntryBody, Option<Mark>)>>,
    answer: Result<Accepted, CannotStore>,
}

#[async_trait::async_trait]
impl Accept for Intake {
    async fn accept(&self, body: EntryBody, mark: Option<Mark>) -> Result<Accepted, CannotStore> {
        self.seen.lock().unwrap().push((body, mark));
        self.answer.clone()
    }
}

struct Gateway {
    router: Router,
    intake: Arc<Intake>,
    metrics: Arc<Metrics>,
}

impl Gateway {
    fn answering(answer: Result<Accepted, CannotStore>) -> Self {
        let intake = Arc::new(Intake {
            seen: Mutex::default(),
            answer,
        });
        let metrics = Arc::new(Metrics::new().unwrap());
        let corps = [corp(vec![
            app("main", AppKind::Contacts),
            app("second", AppKind::Contacts),
            app("bot", AppKind::Bot),
        ])];
        let state = Callbacks::serving(&corps, Arc::clone(&intake) as Arc<dyn Accept>, Arc::clone(&metrics)).unwrap();
        Self {
            router: router(state),
            intake,
            metrics,
        }
    }

    fn new() -> Self {
        Self::answering(Ok(Accepted::New))
    }

    async fn send(&self, method: &str, uri: &str, body: impl Into<Body>) -> (u16, String) {
        let request = Request::builder().method(method).uri(uri).body(body.into()).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        if status == 200 && method == "GET" {
            assert_eq!(response.headers()["content-type"], "text/plain");
        }
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    async fn post(&self, app: &str, sealed: &Sealed) -> u16 {
        let (status, body) = self.send("POST", &sealed.uri(app), sealed.body.clone()).await;
        assert_eq!(body, "");
        status
    }

    /// How often each reason was counted, without the zeros.
    fn refused(&self, reason: &str) -> u64 {
        self.metrics.callbacks_refused.with_label_values(&[reason]).get()
    }

    fn seen(&self) -> Vec<(EntryBody, Option<Mark>)> {
        self.intake.seen.lock().unwrap().clone()
    }
}

/// A request as WeCom would make it.
#[derive(Clone)]
struct Sealed {
    signature: String,
    body: String,
}

impl Sealed {
    fn of(plain: &str) -> Self {
        Self::with(TOKEN, KEY, CORP_ID, plain)
    }

    fn with(token: &str, key: &str, id: &str, plain: &str) -> Self {
        Self::packed(
            token,
            &AesKey::parse(key).unwrap().encrypt([7; 16], plain.as_bytes(), id),
        )
    }

    fn packed(token: &str, encrypt: &str) -> Self {
        Self {
            signature: signature(token, "1409659813", "n", encrypt),
            body: format!("<xml><AgentID>1</AgentID><Encrypt><![CDATA[{encrypt}]]></Encrypt></xml>"),
        }
    }

    fn uri(&self, app: &str) -> String {
        format!(
            "/callback/acme/{app}?msg_signature={}&timestamp=1409659813&nonce=n",
            self.signature
        )
    }
}

fn added(contact: &str) -> String {
    format!(
        "<xml><ToUserName>{CORP_ID}</ToUserName><FromUserName>sys</FromUserName><CreateTime>1</CreateTime>\
         <MsgType>event</MsgType><Event>change_external_contact</Event><ChangeType>add_external_contact</ChangeType>\
         <UserID>li</UserID><ExternalUserID>{contact}</ExternalUserID><WelcomeCode>CODE</WelcomeCode></xml>"
    )
}

#[tokio::test]
async fn url_verification_answers_the_bare_plaintext() {
    let g = Gateway::new();
    let uri = "/callback/acme/main?msg_signature=5c45ff5e21c57e6ad56bac8758b79b1d9ac89fd3&timestamp=1409659589&nonce=263014780\
               &echostr=P9nAzCzyDtyTWESHep1vC5X9xho%2FqYX3Zpb4yKa9SKld1DsH3Iyt3tP3zNdtp%2B4RPcs8TgAE7OaBO%2BFZXvnaqQ%3D%3D";
    assert_eq!(g.send("GET", uri, "").await, (200, "1616140317555161061".into()));
    assert_eq!(
        g.send("GET", &uri.replace("5c45", "5c46"), "").await,
        (403, String::new())
    );
    assert_eq!(g.send("GET", "/callback/acme/main", "").await, (400, String::new()));
    assert_eq!(
        g.send("GET", &uri.replace("acme", "other"), "").await,
        (404, String::new())
    );
    assert_eq!(
        (
            g.refused("bad_signature"),
            g.refused("malformed"),
            g.refused("unknown_app")
        ),
        (1, 1, 1)
    );
}

#[tokio::test]
async fn an_accepted_event_goes_to_its_contact_with_a_mark_and_its_whole_text() {
    let g = Gateway::new();
    assert_eq!(g.post("main", &Sealed::of(&added("wo1"))).await, 200);
    let (entry, mark) = g.seen().remove(0);
    assert_eq!(entry.conversation.key(), format!("c/{CORP_ID}/wo1"));
    assert_eq!((entry.app.as_str(), entry.what), ("main", What::Callback));
    assert_eq!(entry.raw, added("wo1").as_bytes());
    assert!(mark.is_some());
    let page = g.metrics.render();
    assert!(
        page.contains("wecom_callbacks_accepted_total{app=\"main\",corp=\"acme\"} 1"),
        "{page}"
    );
    assert!(
        page.contains("wecom_events_total{kind=\"change_external_contact\"} 1"),
        "{page}"
    );
    assert!(
        page.contains("wecom_callback_lag_seconds_count{corp=\"acme\"} 1"),
        "{page}"
    );
}

#[tokio::test]
async fn customer_events_share_their_mark_between_apps_and_members_messages_do_not() {
    let g = Gateway::new();
    let text = "<xml><FromUserName>li</FromUserName><MsgType>text</MsgType><MsgId>1</MsgId></xml>";
    for plain in [added("wo1"), added("wo2"), text.to_owned()] {
        for app in ["main", "second"] {
            assert_eq!(g.post(app, &Sealed::of(&plain)).await, 200);
        }
    }
    let marks: Vec<_> = g.seen().into_iter().map(|(_, mark)| mark.unwrap().key).collect();
    assert_eq!(marks[0], marks[1]);
    assert_ne!(marks[0], marks[2]);
    assert_ne!(marks[4], marks[5]);
}

#[tokio::test]
async fn a_doorbell_has_no_mark_and_an_unknown_kind_is_kept_by_its_hash() {
    let g = Gateway::new();
    let bell = "<xml><MsgType>event</MsgType><Event>kf_msg_or_event</Event><OpenKfId>wk1</OpenKfId></xml>";
    assert_eq!(g.post("main", &Sealed::of(bell)).await, 200);
    assert_eq!(
        g.post("main", &Sealed::of("<xml><MsgType>hologram</MsgType></xml>"))
            .await,
        200
    );
    let seen = g.seen();
    assert_eq!(
        (seen[0].0.conversation.key(), &seen[0].1),
        (format!("k/{CORP_ID}/wk1"), &None)
    );
    assert!(matches!(&seen[1].0.conversation, Conversation::Payload(_, hash) if hash.len() == 64));
    assert!(seen[1].1.is_some());
    assert!(g.metrics.render().contains("wecom_events_total{kind=\"unknown\"} 1"));
}

#[tokio::test]
async fn whatever_does_not_open_is_a_403_with_an_empty_body_and_told_apart_only_in_the_metrics() {
    let g = Gateway::new();
    let other_key = "4Ma3YBrSBbX2aez8MJpXGBne5LSDwgGqHbhM9WPYIws";
    assert_eq!(
        g.post("main", &Sealed::with("other", KEY, CORP_ID, "<xml/>")).await,
        403
    );
    assert_eq!(
        g.post("main", &Sealed::with(TOKEN, other_key, CORP_ID, "<xml/>")).await,
        403
    );
    assert_eq!(g.post("main", &Sealed::packed(TOKEN, "%%%")).await, 403);
    assert_eq!(g.post("main", &Sealed::packed(TOKEN, "AAAA")).await, 403);
    assert_eq!(
        g.post("main", &Sealed::with(TOKEN, KEY, "wwother", "<xml/>")).await,
        403
    );
    assert_eq!(g.post("main", &Sealed::with(TOKEN, KEY, "", "<xml/>")).await, 403);
    assert_eq!(
        (
            g.refused("bad_signature"),
            g.refused("bad_key"),
            g.refused("wrong_receiveid")
        ),
        (1, 3, 2)
    );
    assert!(g.seen().is_empty());
}

#[tokio::test]
async fn a_bot_may_be_sealed_for_nobody() {
    let g = Gateway::new();
    let mut sealed = Sealed::with(
        TOKEN,
        KEY,
        "",
        r#"{"msgid":"m","from":{"userid":"li"},"msgtype":"text"}"#,
    );
    sealed.body = format!(
        r#"{{"encrypt":"{}"}}"#,
        AesKey::parse(KEY)
            .unwrap()
            .encrypt([7; 16], br#"{"msgid":"m","from":{"userid":"li"},"msgtype":"text"}"#, "")
    );
    assert_eq!(g.post("bot", &sealed).await, 200);
    assert_eq!(g.seen()[0].0.conversation.key(), format!("m/{CORP_ID}/bot/li"));
}

#[tokio::test]
async fn what_cannot_be_read_before_the_signature_or_after_decryption_is_a_400() {
    let g = Gateway::new();
    let mut sealed = Sealed::of("<xml/>");
    sealed.body = "hello".into();
    assert_eq!(g.post("main", &sealed).await, 400);
    assert_eq!(g.send("POST", "/callback/acme/main?nonce=1", "<xml/>").await.0, 400);
    assert_eq!(g.post("main", &Sealed::of("neither xml nor json")).await, 400);
    assert_eq!(g.post("main", &Sealed::of("")).await, 400);
    assert_eq!(g.refused("malformed"), 4);
}

#[tokio::test]
async fn unknown_corps_and_apps_are_a_404_before_anything_is_read() {
    let g = Gateway::new();
    assert_eq!(g.post("third", &Sealed::of("<xml/>")).await, 404);
    assert_eq!(g.send("POST", "/callback/other/main", "x").await, (404, String::new()));
    assert_eq!(g.refused("unknown_app"), 2);
}

#[tokio::test]
async fn a_body_over_one_mebibyte_is_a_413_and_one_of_exactly_that_size_is_read() {
    let g = Gateway::new();
    let uri = Sealed::of("<xml/>").uri("main");
    for size in [body::LIMIT + 1, 9 << 20] {
        assert_eq!(g.send("POST", &uri, "x".repeat(size)).await, (413, String::new()));
    }
    assert_eq!(g.send("POST", &uri, "x".repeat(body::LIMIT)).await.0, 400);
    assert_eq!(g.refused("too_large"), 2);
}

#[tokio::test]
async fn what_cannot_be_stored_is_a_503_so_that_wecom_brings_it_again() {
    let g = Gateway::answering(Err(CannotStore("disk full".into())));
    assert_eq!(g.post("main", &Sealed::of(&added("wo1"))).await, 503);
    assert_eq!((g.refused("cannot_store"), g.seen().len()), (1, 1));
}

#[tokio::test]
async fn a_duplicate_is_a_200_and_counted_as_one() {
    let g = Gateway::answering(Ok(Accepted::Duplicate));
    assert_eq!(g.post("main", &Sealed::of(&added("wo1"))).await, 200);
    let page = g.metrics.render();
    assert!(page.contains("wecom_callbacks_duplicate_total{app=\"main\",corp=\"acme\"} 1"));
    assert!(page.contains("wecom_callbacks_accepted_total{app=\"main\",corp=\"acme\"} 0"));
}

#[tokio::test]
async fn other_methods_are_not_served() {
    let g = Gateway::new();
    assert_eq!(g.send("PUT", "/callback/acme/main", "").await.0, 405);
}
