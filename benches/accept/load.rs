//! The load: 64 connections, each sending the next callback as soon as the last is answered. Requests are whole and
//! ready before the clock runs.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use wecom_gateway::wecom::crypto::{AesKey, signature};

use crate::common::{CORP_ID, KEY, TOKEN};

const CONNECTIONS: usize = 64;

/// Whole HTTP requests: `many` different events, numbered from `first`.
pub fn callbacks(first: usize, many: usize) -> Vec<Vec<u8>> {
    let key = AesKey::parse(KEY).expect("the key of the official demo");
    (first..first + many).map(|n| callback(&key, n)).collect()
}

fn callback(key: &AesKey, n: usize) -> Vec<u8> {
    let event = format!(
        "<xml><ToUserName><![CDATA[{CORP_ID}]]></ToUserName><FromUserName><![CDATA[sys]]></FromUserName>\
         <CreateTime>1403610513</CreateTime><MsgType><![CDATA[event]]></MsgType>\
         <Event><![CDATA[change_external_contact]]></Event><ChangeType><![CDATA[add_external_contact]]></ChangeType>\
         <UserID><![CDATA[zhangsan]]></UserID><ExternalUserID><![CDATA[woAJ2GCAAAXtWyujaWJH{n:012}]]></ExternalUserID>\
         <State><![CDATA[store-beijing-042]]></State><WelcomeCode><![CDATA[CALLBACKCODE{n:020}]]></WelcomeCode></xml>"
    );
    let mut random = [7; 16];
    random[..8].copy_from_slice(&(n as u64).to_be_bytes());
    let sealed = key.encrypt(random, event.as_bytes(), CORP_ID);
    let nonce = format!("{n}");
    let signed = signature(TOKEN, "1403610513", &nonce, &sealed);
    let body = format!(
        "<xml><ToUserName><![CDATA[{CORP_ID}]]></ToUserName><AgentID><![CDATA[1000002]]></AgentID>\
         <Encrypt><![CDATA[{sealed}]]></Encrypt></xml>"
    );
    format!(
        "POST /callback/acme/main?msg_signature={signed}&timestamp=1403610513&nonce={nonce} HTTP/1.1\r\n\
         Host: bench\r\nContent-Type: text/xml\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// Sends them all; how long that took. Every answer must be 200.
pub async fn run(port: u16, calls: &[Vec<u8>]) -> Duration {
    let connecting = (0..CONNECTIONS).map(|_| TcpStream::connect(("127.0.0.1", port)));
    let streams: Vec<TcpStream> = join_all(connecting)
        .await
        .into_iter()
        .map(|s| s.expect("it listens"))
        .collect();
    let next = Rc::new(Cell::new(0));
    let started = Instant::now();
    join_all(
        streams
            .into_iter()
            .map(|stream| connection(stream, calls, Rc::clone(&next))),
    )
    .await;
    started.elapsed()
}

async fn connection(mut stream: TcpStream, calls: &[Vec<u8>], next: Rc<Cell<usize>>) {
    stream.set_nodelay(true).expect("TCP");
    let mut answer = vec![0; 8192];
    while let Some(call) = calls.get(next.replace(next.get() + 1)) {
        stream.write_all(call).await.expect("it is up");
        let mut len = 0;
        while !whole(&answer[..len]) {
            let more = stream.read(&mut answer[len..]).await.expect("it is up");
            assert!(more > 0, "the server closed a connection");
            len += more;
        }
        assert!(
            answer.starts_with(b"HTTP/1.1 200"),
            "{}",
            String::from_utf8_lossy(&answer[..len])
        );
    }
}

/// Head and as much body as it announces.
fn whole(answer: &[u8]) -> bool {
    let Some(head) = answer.windows(4).position(|w| w == b"\r\n\r\n") else {
        return false;
    };
    let announced = answer[..head].split(|b| *b == b'\n').find_map(|line| {
        let (name, value) = line.split_at_checked(15)?;
        name.eq_ignore_ascii_case(b"content-length:")
            .then(|| value.trim_ascii())
    });
    let digits = announced.and_then(|v| std::str::from_utf8(v).ok());
    answer.len() >= head + 4 + digits.and_then(|d| d.parse::<usize>().ok()).unwrap_or(0)
}
