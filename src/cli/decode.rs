//! `decode`: says what a saved callback is: whether its signature holds, and what stood inside.
//!
//! In: a query string and a body as files, with the settings' credentials; or a decrypted text, with nothing. Out:
//! one JSON object. It goes through the same verification, table and keys as the endpoint, so what it says is what
//! the gateway would do.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Map, Value, json};

use crate::callback::{BadKey, conversation, credentials, mark_text};
use crate::model::AppName;
use crate::settings::{App, Corp, Settings};
use crate::wecom::callback::{Query, Refusal};
use crate::wecom::event::Notice;
use crate::wecom::event::payload::Payload;
use crate::wecom::id::CorpId;
use crate::wecom::kf::KfMessage;

/// Arguments of `decode`.
#[derive(Debug, Args)]
pub struct DecodeArgs {
    /// 企业的名字（配置里的 name） · The corp's name in the settings
    #[arg(long, required_unless_present = "plain", conflicts_with = "plain")]
    pub corp: Option<String>,
    /// 应用的名字 · The app's name; with --plain only part of the keys that are shown
    #[arg(long, required_unless_present = "plain")]
    pub app: Option<String>,
    /// 保存的查询串 · File with the query string (what stands behind the `?`)
    #[arg(
        long,
        value_name = "FILE",
        required_unless_present = "plain",
        conflicts_with = "plain"
    )]
    pub query: Option<PathBuf>,
    /// 保存的请求体；没有则解码 echostr · File with the body; without it the query's echostr is decoded
    #[arg(long, value_name = "FILE", conflicts_with = "plain")]
    pub body: Option<PathBuf>,
    /// 已解密的 XML 或 JSON，或 sync_msg 的消息 · File with decrypted XML or JSON, or messages of sync_msg
    #[arg(long, value_name = "FILE")]
    pub plain: Option<PathBuf>,
}

/// What `decode` found: print `report`, exit with 0 if `readable`, else with 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoded {
    /// The text could be read; what is unknown could be read, too.
    pub readable: bool,
    /// The one JSON object that is printed.
    pub report: Value,
}

/// Why nothing was decoded: exit code 2.
#[derive(Debug, thiserror::Error)]
pub enum DecodeFault<E> {
    /// The settings could not be read; the caller reports them.
    #[error("settings")]
    Settings(E),
    /// A file could not be read.
    #[error("{0}: {1}")]
    File(PathBuf, std::io::Error),
    /// The settings know no such corp or app, or no file was named.
    #[error("no {0} {1:?} in the settings")]
    Unknown(&'static str, String),
    /// The app's key cannot be one.
    #[error(transparent)]
    Key(#[from] BadKey),
}

/// Decodes what the arguments name; `settings` is called only where credentials are needed.
pub fn run<E>(args: &DecodeArgs, settings: impl FnOnce() -> Result<Settings, E>) -> Result<Decoded, DecodeFault<E>> {
    if let Some(plain) = &args.plain {
        return Ok(decode_plain(&read(plain)?, args.app.as_deref()));
    }
    let settings = settings().map_err(DecodeFault::Settings)?;
    let (corp, app) = (args.corp.as_deref().unwrap_or(""), args.app.as_deref().unwrap_or(""));
    let corp = settings
        .corp(corp)
        .ok_or_else(|| DecodeFault::Unknown("corp", corp.into()))?;
    let app = corp.app(app).ok_or_else(|| DecodeFault::Unknown("app", app.into()))?;
    let query = args.query.as_deref().map_or_else(|| Ok(Vec::new()), read)?;
    let body = args.body.as_deref().map(read).transpose()?;
    Ok(decode_callback(
        corp,
        app,
        &String::from_utf8_lossy(&query),
        body.as_deref(),
    )?)
}

fn read<E>(file: &Path) -> Result<Vec<u8>, DecodeFault<E>> {
    std::fs::read(file).map_err(|e| DecodeFault::File(file.to_owned(), e))
}

/// Decodes a callback as it came over HTTP. The query may be a whole URL or the first line of a request.
pub fn decode_callback(corp: &Corp, app: &App, query: &str, body: Option<&[u8]>) -> Result<Decoded, BadKey> {
    let credentials = credentials(corp, app)?;
    let query = query.rsplit_once('?').map_or(query, |(_, behind)| behind);
    let query = query.split_ascii_whitespace().next().unwrap_or("");
    let opened = Query::parse(query).map_err(Refusal::from).and_then(|query| match body {
        Some(body) => credentials.open(&query, body).map(|verified| {
            let mut decoded = decode_text(verified.plain(), Some(&corp.corp_id), &app.name);
            decoded.report["signature"] = json!("ok");
            decoded
        }),
        None => credentials.verify_url(&query).map(|proof| {
            let mut report = blank("ok");
            report["kind"] = json!("url_verification");
            report["fields"] = json!({ "echostr": String::from_utf8_lossy(&proof) });
            Decoded { readable: true, report }
        }),
    });
    Ok(opened.unwrap_or_else(|refusal| refused(&refusal)))
}

/// Decodes a decrypted text. The corp is the text's own `ToUserName`.
pub fn decode_plain(plain: &[u8], app: Option<&str>) -> Decoded {
    let text = String::from_utf8_lossy(plain);
    if let Ok(json) = serde_json::from_str::<Value>(text.trim_start_matches('\u{feff}'))
        && let Some(decoded) = decode_kf(&json)
    {
        return decoded;
    }
    let corp = Payload::parse(&text)
        .ok()
        .and_then(|payload| CorpId::parse(&payload.get("ToUserName")?).ok());
    decode_text(plain, corp.as_ref(), &AppName::new(app.unwrap_or("-")))
}

fn decode_text(plain: &[u8], corp: Option<&CorpId>, app: &AppName) -> Decoded {
    let mut report = blank("none");
    let text = String::from_utf8_lossy(plain);
    let Ok(payload) = Payload::parse(&text) else {
        report["error"] = json!("malformed");
        return Decoded {
            readable: false,
            report,
        };
    };
    let notice = Notice::read(&payload, plain);
    report["kind"] = json!(notice.kind);
    report["change_type"] = json!(notice.change_type);
    report["event"] = json!(notice.rules_name());
    report["conversation"] = json!(corp.map(|corp| conversation(corp, app, &notice, plain).key()));
    report["dedupe_key"] = json!(match corp {
        Some(corp) => mark_text(corp, app, &notice, plain),
        None => CorpId::parse("-")
            .ok()
            .and_then(|none| mark_text(&none, app, &notice, plain)),
    });
    report["fields"] = payload.to_json();
    Decoded { readable: true, report }
}

/// A message of `sync_msg` or its whole answer; `None` when it is neither.
fn decode_kf(json: &Value) -> Option<Decoded> {
    let mut report = blank("none");
    if let Some(list) = json.get("msg_list").and_then(Value::as_array) {
        let messages: Vec<_> = list
            .iter()
            .filter_map(decode_kf)
            .map(|decoded| decoded.report)
            .collect();
        report["kind"] = json!("sync_msg");
        report["fields"] = json!({ "next_cursor": json.get("next_cursor"), "has_more": json.get("has_more") });
        report["messages"] = json!(messages);
        return Some(Decoded { readable: true, report });
    }
    // Messages of 智能机器人 have a msgid as well, but neither of these.
    json.get("origin").or(json.get("send_time"))?;
    let message = KfMessage::from_value(json).ok()?;
    report["kind"] = json!(message.kind());
    report["event"] = json!(message.rules_name());
    report["dedupe_key"] = json!(message.msgid);
    report["fields"] = json.clone();
    Some(Decoded { readable: true, report })
}

fn blank(signature: &str) -> Value {
    let mut report = Map::new();
    for key in ["kind", "change_type", "event", "conversation", "dedupe_key"] {
        report.insert(key.into(), Value::Null);
    }
    report.insert("signature".into(), json!(signature));
    report.insert("fields".into(), json!({}));
    Value::Object(report)
}

fn refused(refusal: &Refusal) -> Decoded {
    let signature = match refusal {
        Refusal::Malformed(_) => "none",
        Refusal::BadSignature => "bad",
        Refusal::BadKey(_) | Refusal::WrongReceiveId(_) => "ok",
    };
    let mut report = blank(signature);
    report["error"] = json!(refusal.reason());
    report["detail"] = json!(refusal.to_string());
    Decoded {
        readable: false,
        report,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: &str = "<xml><ToUserName>ww1</ToUserName><FromUserName>li</FromUserName><CreateTime>1</CreateTime>\
        <MsgType>text</MsgType><Content>hi</Content><MsgId>9</MsgId></xml>";

    fn plain(text: &str) -> Value {
        let decoded = decode_plain(text.as_bytes(), Some("main"));
        assert!(decoded.readable);
        decoded.report
    }

    #[test]
    fn a_plain_message_is_reported_whole() {
        assert_eq!(
            plain(MESSAGE),
            json!({
                "signature": "none", "kind": "text", "change_type": null, "event": "message",
                "conversation": "m/ww1/main/li", "dedupe_key": "ww1|main|text|9",
                "fields": {"ToUserName": "ww1", "FromUserName": "li", "CreateTime": "1", "MsgType": "text",
                           "Content": "hi", "MsgId": "9"}
            })
        );
    }

    #[test]
    fn an_unknown_kind_is_readable_and_shows_its_raw_names_and_repetitions() {
        let report = plain(
            "<xml><MsgType>event</MsgType><Event>new</Event><ChangeType>x</ChangeType><I>1</I><I>2</I><N><A>3</A></N></xml>",
        );
        assert_eq!(
            (&report["kind"], &report["change_type"]),
            (&json!("unknown"), &json!("x"))
        );
        assert_eq!(
            (&report["event"], &report["conversation"]),
            (&Value::Null, &Value::Null)
        );
        assert_eq!(report["fields"]["I"], json!(["1", "2"]));
        assert_eq!(report["fields"]["N"], json!({"A": "3"}));
    }

    #[test]
    fn kf_messages_are_decoded_alone_and_as_a_whole_answer() {
        let one = r#"{"msgid":"m","origin":4,"send_time":1,"msgtype":"event","event":{"event_type":"enter_session"}}"#;
        let report = plain(one);
        assert_eq!(
            (&report["kind"], &report["event"]),
            (&json!("enter_session"), &json!("enter_session"))
        );
        assert_eq!(report["dedupe_key"], json!("m"));
        let all = plain(&format!(
            r#"{{"errcode":0,"has_more":0,"next_cursor":"c","msg_list":[{one},{one}]}}"#
        ));
        assert_eq!(
            (&all["kind"], all["messages"].as_array().unwrap().len()),
            (&json!("sync_msg"), 2)
        );
        let bot = plain(r#"{"msgid":"b","msgtype":"text","from":{"userid":"li"},"text":{"content":"hi"}}"#);
        assert_eq!(
            (&bot["kind"], &bot["dedupe_key"]),
            (&json!("text"), &json!("-|main|text|b"))
        );
    }

    #[test]
    fn what_cannot_be_read_is_said_to_be_malformed() {
        for text in ["", "hello", "<xml>", "[]"] {
            let decoded = decode_plain(text.as_bytes(), None);
            assert!(!decoded.readable, "{text}");
            assert_eq!(decoded.report["error"], json!("malformed"));
        }
    }

    #[test]
    fn a_plain_file_needs_no_corp_and_a_callback_needs_its_query() {
        #[derive(clap::Parser)]
        struct Line {
            #[command(flatten)]
            args: DecodeArgs,
        }
        let read = |line: &str| <Line as clap::Parser>::try_parse_from(line.split(' ')).map(|l| l.args);
        assert!(read("decode --plain f").unwrap().corp.is_none());
        assert!(read("decode --plain f --app main").is_ok());
        assert!(
            read("decode --corp c --app a --query q --body b")
                .unwrap()
                .body
                .is_some()
        );
        for wrong in [
            "decode",
            "decode --corp c --app a --body b",
            "decode --query q --body b",
            "decode --plain f --query q",
            "decode --plain f --corp c",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn names_and_files_that_do_not_exist_are_faults_and_plain_text_asks_for_no_settings() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("message.xml");
        std::fs::write(&file, MESSAGE).unwrap();
        let args = |plain: PathBuf| DecodeArgs {
            corp: None,
            app: None,
            query: None,
            body: None,
            plain: Some(plain),
        };
        let never = || -> Result<Settings, ()> { panic!("settings are not needed") };
        let decoded = run(&args(file), never).unwrap();
        assert_eq!(decoded.report["conversation"], json!("m/ww1/-/li"));
        let missing = run(&args(dir.path().join("missing")), never);
        assert!(matches!(missing, Err(DecodeFault::File(..))));
    }

    mod callbacks {
        use super::*;
        use crate::callback::fixture::{CORP_ID, KEY, TOKEN, app, corp};
        use crate::settings::AppKind;
        use crate::wecom::crypto::{AesKey, signature};

        fn decode(token: &str, key: &str, id: &str, plain: &str) -> Decoded {
            let app = app("main", AppKind::Agent);
            let sealed = AesKey::parse(key).unwrap().encrypt([3; 16], plain.as_bytes(), id);
            let sign = signature(token, "1", "n", &sealed);
            let body = format!("<xml><Encrypt>{sealed}</Encrypt></xml>");
            let query = format!("POST /callback/acme/main?msg_signature={sign}&timestamp=1&nonce=n HTTP/1.1\r\n");
            decode_callback(&corp(vec![]), &app, &query, Some(body.as_bytes())).unwrap()
        }

        #[test]
        fn a_saved_callback_is_verified_and_decoded() {
            let decoded = decode(TOKEN, KEY, CORP_ID, MESSAGE);
            assert!(decoded.readable);
            assert_eq!(decoded.report["signature"], json!("ok"));
            assert_eq!(decoded.report["conversation"], json!(format!("m/{CORP_ID}/main/li")));
        }

        #[test]
        fn a_bad_signature_a_bad_key_and_a_wrong_receiver_are_told_apart() {
            let other = "4Ma3YBrSBbX2aez8MJpXGBne5LSDwgGqHbhM9WPYIws";
            for (decoded, signature, error) in [
                (decode("other", KEY, CORP_ID, MESSAGE), "bad", "bad_signature"),
                (decode(TOKEN, other, CORP_ID, MESSAGE), "ok", "bad_key"),
                (decode(TOKEN, KEY, "wwother", MESSAGE), "ok", "wrong_receiveid"),
                (decode(TOKEN, KEY, CORP_ID, "hello"), "ok", "malformed"),
            ] {
                assert!(!decoded.readable);
                let report = (&decoded.report["signature"], &decoded.report["error"]);
                assert_eq!(report, (&json!(signature), &json!(error)));
            }
        }

        #[test]
        fn a_saved_url_verification_shows_its_echo() {
            let sealed = AesKey::parse(KEY).unwrap().encrypt([3; 16], b"123", CORP_ID);
            let sign = signature(TOKEN, "1", "n", &sealed);
            let query = format!("msg_signature={sign}&timestamp=1&nonce=n&echostr={sealed}");
            let decoded = decode_callback(&corp(vec![]), &app("main", AppKind::Agent), &query, None).unwrap();
            assert_eq!(
                (decoded.readable, &decoded.report["fields"]["echostr"]),
                (true, &json!("123"))
            );
        }
    }
}
