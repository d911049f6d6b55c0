//! A small client of the sandbox, and a small gateway that receives its callbacks.

use std::sync::{Arc, Mutex};

use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use wecom_gateway::sandbox::{Act, Acted, Handle, Kind, Sandbox, Setup};
use wecom_gateway::wecom::crypto::{AesKey, signature};

pub const KF: &str = "wkCoffee0001";
pub const WANG: &str = "wmXiaoWang";
pub const LI: &str = "wmXiaoLi";
pub const CHEN: &str = "wmLaoChen";
pub const ZHOU: &str = "wmLaoZhou";

/// A sandbox with a token for its app `main`.
pub struct Wecom {
    pub sandbox: Handle,
    pub token: String,
    http: Client<HttpConnector, Full<Bytes>>,
}

impl Wecom {
    pub async fn coffee() -> Self {
        Self::start(Sandbox::coffee()).await
    }

    pub async fn start(setup: Setup) -> Self {
        let sandbox = setup.start().await.unwrap();
        let http = Client::builder(TokioExecutor::new()).build_http();
        let mut wecom = Self {
            sandbox,
            token: String::new(),
            http,
        };
        wecom.token = wecom.new_token("main").await;
        wecom
    }

    /// With a second app `crm` that has contacts only.
    pub async fn with_two_apps() -> Self {
        Self::start(Sandbox::coffee().app("crm", 1_000_003, &[Kind::Contacts])).await
    }

    pub async fn gettoken(&self, secret: &str) -> Value {
        let path = format!("/cgi-bin/gettoken?corpid=ww0123456789abcdef&corpsecret={secret}");
        self.json(Request::get(self.url(&path)), Bytes::new()).await
    }

    pub async fn new_token(&self, app: &str) -> String {
        self.gettoken(&format!("{app}-secret")).await["access_token"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// GET of an API; `rest` is the query after the token, beginning with `&`, or empty.
    pub async fn get(&self, api: &str, rest: &str) -> Value {
        self.json(Request::get(self.api(api, rest)), Bytes::new()).await
    }

    pub async fn post(&self, api: &str, body: Value) -> Value {
        self.json(Request::post(self.api(api, "")), body.to_string().into())
            .await
    }

    pub async fn code(&self, api: &str, body: Value) -> i64 {
        self.post(api, body).await["errcode"].as_i64().unwrap()
    }

    pub async fn control(&self, path: &str, body: Value) -> Value {
        self.json(Request::post(self.url(path)), body.to_string().into()).await
    }

    pub async fn look(&self, path: &str) -> Value {
        self.json(Request::get(self.url(path)), Bytes::new()).await
    }

    pub async fn act(&self, act: Act) -> Acted {
        self.sandbox.act(act).await.unwrap()
    }

    pub async fn do_json(&self, act: Value) -> Value {
        self.control("/sandbox/act", act).await
    }

    pub async fn upload(&self, api: &str, query: &str, file: &str, bytes: &[u8]) -> Value {
        let mut body = format!(
            "--XX\r\nContent-Disposition: form-data; name=\"media\"; filename=\"{file}\"; filelength={}\r\n\
             Content-Type: application/octet-stream\r\n\r\n",
            bytes.len()
        )
        .into_bytes();
        body.extend_from_slice(bytes);
        body.extend_from_slice(b"\r\n--XX--\r\n");
        let request = Request::post(self.api(api, query)).header("content-type", "multipart/form-data; boundary=XX");
        self.json(request, body.into()).await
    }

    pub async fn image(&self) -> String {
        let said = self
            .upload("media/upload", "&type=image", "a.png", b"\x89PNG\r\n\x1a\nrest")
            .await;
        said["media_id"].as_str().unwrap().to_owned()
    }

    pub fn api(&self, api: &str, rest: &str) -> String {
        self.url(&format!("/cgi-bin/{api}?access_token={}{rest}", self.token))
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.sandbox.base_url())
    }

    async fn json(&self, request: hyper::http::request::Builder, body: Bytes) -> Value {
        let (status, bytes) = self.raw(request, body).await.unwrap();
        assert!(status < 500, "HTTP {status}");
        serde_json::from_slice(&bytes).unwrap()
    }

    /// Status and body; an error when the connection closed without an answer.
    pub async fn raw(&self, request: hyper::http::request::Builder, body: Bytes) -> Result<(u16, Bytes), String> {
        let answer = self
            .http
            .request(request.body(Full::new(body)).unwrap())
            .await
            .map_err(|e| e.to_string())?;
        let status = answer.status().as_u16();
        Ok((
            status,
            answer
                .into_body()
                .collect()
                .await
                .map_err(|e| e.to_string())?
                .to_bytes(),
        ))
    }

    /// A contact scans, and the welcome code that `main` got.
    pub async fn scan(&self, contact: &str, half: bool) -> String {
        let act = Act::Scan {
            member: "zhangsan".into(),
            contact: contact.into(),
            state: Some("store-1".into()),
            half,
            name: None,
        };
        self.act(act).await.result["welcome_code"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    pub async fn write(&self, contact: &str, text: &str) -> String {
        let act = json!({"do": "kf_write", "contact": contact, "text": text});
        self.do_json(act).await["result"]["msgid"].as_str().unwrap().to_owned()
    }

    /// A receiving end for the app's callbacks, answering with these statuses in turn, then 200.
    pub async fn receive(&self, statuses: &[u16]) -> Receiver {
        let receiver = Receiver::start(statuses).await;
        self.sandbox.set_callback("main", &receiver.url).unwrap();
        receiver
    }
}

/// A small gateway: verifies, decrypts, keeps.
pub struct Receiver {
    pub url: String,
    inbox: Inbox,
}

type Inbox = Arc<Mutex<(Vec<u16>, Vec<String>)>>;

impl Receiver {
    async fn start(statuses: &[u16]) -> Self {
        let inbox: Inbox = Arc::new(Mutex::new((statuses.iter().rev().copied().collect(), Vec::new())));
        let router = axum::Router::new()
            .route("/callback", axum::routing::post(take).get(echo))
            .with_state(Arc::clone(&inbox));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/callback", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, inbox }
    }

    /// The decrypted XML of everything that came, also of what was refused.
    pub fn got(&self) -> Vec<String> {
        self.inbox.lock().unwrap().1.clone()
    }
}

fn open(query: &str, encrypt: &str) -> Vec<u8> {
    let part = |name: &str| {
        query
            .split('&')
            .find_map(|p| p.strip_prefix(name).and_then(|v| v.strip_prefix('=')))
            .unwrap()
            .to_owned()
    };
    let sign = signature("mainToken", &part("timestamp"), &part("nonce"), encrypt);
    assert_eq!(sign, part("msg_signature"), "the callback's signature");
    let key = AesKey::parse("jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C").unwrap();
    let plain = key.decrypt(encrypt).unwrap();
    assert_eq!(plain.receive_id(), b"ww0123456789abcdef");
    plain.into_msg()
}

async fn take(State(inbox): State<Inbox>, RawQuery(query): RawQuery, body: String) -> StatusCode {
    let encrypt = body
        .split("<Encrypt><![CDATA[")
        .nth(1)
        .unwrap()
        .split("]]>")
        .next()
        .unwrap();
    let xml = String::from_utf8(open(&query.unwrap(), encrypt)).unwrap();
    let mut inbox = inbox.lock().unwrap();
    inbox.1.push(xml);
    StatusCode::from_u16(inbox.0.pop().unwrap_or(200)).unwrap()
}

async fn echo(RawQuery(query): RawQuery) -> Vec<u8> {
    let query = query.unwrap();
    let echo = query.split("echostr=").nth(1).unwrap();
    let echo = echo.replace("%2B", "+").replace("%2F", "/").replace("%3D", "=");
    open(&query, &echo)
}

/// The text of an XML element.
pub fn element(xml: &str, name: &str) -> Option<String> {
    let text = xml
        .split(&format!("<{name}>"))
        .nth(1)?
        .split(&format!("</{name}>"))
        .next()?;
    Some(text.trim_start_matches("<![CDATA[").trim_end_matches("]]>").to_owned())
}
