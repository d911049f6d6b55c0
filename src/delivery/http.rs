//! One HTTP request to WeCom, and an honest word about what became of it.
//!
//! The distinction everything else rests on: [`Trouble::NotSent`] only when no byte of the request was written
//! (the connection could not be made); everything else without a usable answer is [`Trouble::Unclear`], and the
//! call may have happened. The URL holds the access token, so neither it nor an error that may quote it is
//! ever logged: an error is one of a few words.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::{CONTENT_TYPE, DATE, HeaderValue};
use hyper::{Method, Request, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use crate::clock;
use crate::model::StoreTime;
use crate::wecom::api::{FilePart, Status, Wire};

/// A TCP connection is made within this or not at all.
const CONNECT: Duration = Duration::from_secs(3);
/// A connection that nobody uses is closed before WeCom's side (60 s, measured by others) closes it.
const IDLE: Duration = Duration::from_secs(30);
/// Largest answer we read. 10,000 tags are about 1.5 MB, 1000 kf messages about 3 MB.
const MAX_ANSWER: usize = 16 << 20;

/// No usable answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// Nothing was written: it surely did not happen.
    NotSent(&'static str),
    /// It may have happened.
    Unclear(&'static str),
}

/// The client, with its pool of connections.
#[derive(Clone)]
pub(super) struct Http {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    date: Arc<Mutex<Option<(HeaderValue, StoreTime)>>>,
}

/// An answer that is JSON and has a status.
pub(super) struct Answer {
    pub(super) status: Status,
    pub(super) body: Bytes,
}

impl Http {
    /// TLS with Mozilla's roots; plain http only where `api_base` says so (the sandbox).
    pub(super) fn new() -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT));
        let tls = HttpsConnectorBuilder::new()
            .with_webpki_roots()
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(IDLE)
            .pool_timer(TokioTimer::new())
            .build(tls);
        Self {
            client,
            date: Arc::default(),
        }
    }

    /// How far this host's clock is ahead of WeCom's, in milliseconds, by the last answer's `Date` (which counts
    /// whole seconds). `None`: no answer yet, or one without a readable date.
    pub(super) fn clock_ahead_ms(&self) -> Option<i64> {
        let noted = self.date.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (date, here) = noted?;
        let there = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(date.to_str().ok()?);
        Some(here.0 - there.ok()?.as_millisecond())
    }

    /// Sends once. Dropped midway it may have been sent: the caller must count that as unclear.
    pub(super) async fn send(
        &self,
        base: &str,
        path: &str,
        token: Option<&str>,
        wire: Wire,
        within: Duration,
    ) -> Result<Answer, Trouble> {
        let request = request(base, path, token, wire)?;
        match tokio::time::timeout(within, self.exchange(request)).await {
            Ok(answer) => answer,
            Err(_) => Err(Trouble::Unclear("timeout")),
        }
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<Answer, Trouble> {
        let response = self.client.request(request).await.map_err(|e| {
            if e.is_connect() {
                Trouble::NotSent("connect")
            } else {
                Trouble::Unclear("connection_lost")
            }
        })?;
        let http = response.status();
        if let Some(date) = response.headers().get(DATE) {
            *self.date.lock().unwrap_or_else(PoisonError::into_inner) = Some((date.clone(), clock::wall()));
        }
        if http.is_server_error() {
            return Err(Trouble::Unclear("http_5xx"));
        }
        let body = Limited::new(response.into_body(), MAX_ANSWER)
            .collect()
            .await
            .map_err(|_| Trouble::Unclear("answer_broken"))?
            .to_bytes();
        // A missing errcode means success, so whatever else could pass for an empty object must not get that far:
        // an array, or a proxy's own JSON under 404.
        if !body.trim_ascii_start().starts_with(b"{") {
            return Err(Trouble::Unclear("answer_not_json"));
        }
        let status: Status = serde_json::from_slice(&body).map_err(|_| Trouble::Unclear("answer_not_json"))?;
        if !http.is_success() && status.errcode == 0 {
            return Err(Trouble::Unclear("http_status"));
        }
        Ok(Answer { status, body })
    }
}

fn request(base: &str, path: &str, token: Option<&str>, wire: Wire) -> Result<Request<Full<Bytes>>, Trouble> {
    let mut url = format!("{base}/cgi-bin/{path}");
    let mut sep = '?';
    let mut add = |name: &str, value: &str| {
        url.push(sep);
        sep = '&';
        url.push_str(name);
        url.push('=');
        encode(&mut url, value);
    };
    if let Some(token) = token {
        add("access_token", token);
    }
    let (method, kind, body) = match wire {
        Wire::Get(query) => {
            for (name, value) in &query {
                add(name, value);
            }
            (Method::GET, None, Bytes::new())
        }
        Wire::Post(json) => (
            Method::POST,
            Some("application/json; charset=utf-8".to_owned()),
            json.into(),
        ),
        Wire::Upload(file) => {
            for (name, value) in &file.query {
                add(name, value);
            }
            let (kind, body) = multipart(&file);
            (Method::POST, Some(kind), body)
        }
    };
    let bad = |_| Trouble::NotSent("bad_request");
    let uri: Uri = url.parse().map_err(|_| Trouble::NotSent("bad_url"))?;
    let mut request = Request::builder().method(method).uri(uri);
    if let Some(kind) = kind {
        let kind = HeaderValue::from_str(&kind).map_err(|_| Trouble::NotSent("bad_request"))?;
        request = request.header(CONTENT_TYPE, kind);
    }
    request.body(Full::new(body)).map_err(bad)
}

/// RFC 3986: everything but unreserved letters as `%XX`.
fn encode(out: &mut String, value: &str) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for b in value.bytes() {
        if b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(b));
        } else {
            out.push('%');
            out.push(char::from(HEX[usize::from(b >> 4)]));
            out.push(char::from(HEX[usize::from(b & 15)]));
        }
    }
}

/// One part named `media`, with file name and length. The boundary is one that the content does not hold.
fn multipart(file: &FilePart) -> (String, Bytes) {
    let mut n = 0u32;
    let boundary = loop {
        let b = format!("wecom-gateway-{n:08x}");
        if !contains(&file.bytes, b.as_bytes()) {
            break b;
        }
        n += 1;
    };
    let name: String = file
        .filename
        .chars()
        .filter(|c| !c.is_control() && !matches!(c, '"' | '\\'))
        .collect();
    let head = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"media\"; filename=\"{name}\"; filelength={}\r\nContent-Type: {}\r\n\r\n",
        file.bytes.len(),
        file.mime
    );
    let mut body = Vec::with_capacity(head.len() + file.bytes.len() + 64);
    body.extend_from_slice(head.as_bytes());
    body.extend_from_slice(&file.bytes);
    body.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    (format!("multipart/form-data; boundary={boundary}"), body.into())
}

fn contains(hay: &[u8], needle: &[u8]) -> bool {
    hay.windows(needle.len()).any(|w| w == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn query_values_are_percent_encoded() {
        let r = request(
            "http://h",
            "user/get",
            Some("a+b/c="),
            Wire::Get(vec![("userid", "李 四&x".into())]),
        )
        .unwrap();
        assert_eq!(
            r.uri().to_string(),
            "http://h/cgi-bin/user/get?access_token=a%2Bb%2Fc%3D&userid=%E6%9D%8E%20%E5%9B%9B%26x"
        );
    }

    #[test]
    fn a_file_that_holds_the_boundary_gets_another_one() {
        let file = FilePart {
            query: vec![],
            filename: "a\"\r\nb.png".into(),
            mime: "image/png",
            bytes: b"xx wecom-gateway-00000000 xx"[..].into(),
        };
        let (kind, body) = multipart(&file);
        assert!(kind.ends_with("00000001"));
        assert!(contains(&body, b"filename=\"ab.png\"; filelength=28"));
    }

    #[tokio::test]
    async fn only_a_connection_that_was_never_made_is_not_sent() {
        let http = Http::new();
        let send = |base: String| {
            let http = http.clone();
            async move {
                let wire = Wire::Post(b"{}".to_vec());
                http.send(&base, "kf/send_msg", None, wire, Duration::from_secs(5))
                    .await
                    .err()
            }
        };
        // A port that was free a moment ago: nobody listens.
        let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", free.local_addr().unwrap());
        drop(free);
        assert_eq!(send(base).await, Some(Trouble::NotSent("connect")));
        // Somebody takes the request and hangs up.
        let rude = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", rude.local_addr().unwrap());
        tokio::spawn(async move {
            use tokio::io::AsyncReadExt;
            while let Ok((mut peer, _)) = rude.accept().await {
                let _ = peer.read(&mut [0; 1024]).await;
            }
        });
        assert_eq!(send(base).await, Some(Trouble::Unclear("connection_lost")));
    }
}
