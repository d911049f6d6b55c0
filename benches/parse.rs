//! Verify + decrypt + parse of one callback, in µs and as a ratio to SHA-1 over the same ciphertext in the same run.
//!
//! SHA-1 is the floor that nobody can lower (PERFORMANCE.md §1a); the ratio moves far less with the machine's load
//! than the time does. Rounds alternate between the variants; the medians are printed.

#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
#![expect(clippy::print_stdout, reason = "a benchmark prints its result")]
#![expect(clippy::expect_used, reason = "a benchmark that cannot start should say so and stop")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use sha1::{Digest, Sha1};
use wecom_gateway::wecom::callback::{Credentials, Query};
use wecom_gateway::wecom::crypto::{AesKey, signature};
use wecom_gateway::wecom::event::Notice;

/// As in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const TOKEN: &str = "QDG6eK";
const KEY: &str = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C";
const CORP_ID: &str = "wx5823bf96d3bd56c7";
const ROUNDS: usize = 41;
const ROUND: Duration = Duration::from_millis(8);

fn main() {
    println!(
        "{:>7} {:>8} {:>10} {:>8} {:>8} {:>8}",
        "plain", "all µs", "all/SHA-1", "open", "parse", "SHA-1"
    );
    for size in [500, 1024, 4096] {
        measure(size);
    }
}

fn measure(size: usize) {
    let plain = event(size);
    let key = || AesKey::parse(KEY).expect("the key of the official demo");
    let sealed = key().encrypt([7; 16], plain.as_bytes(), CORP_ID);
    let raw_query = format!(
        "msg_signature={}&timestamp=1409659813&nonce=1372623149",
        signature(TOKEN, "1409659813", "1372623149", &sealed)
    );
    let body = format!(
        "<xml><ToUserName><![CDATA[{CORP_ID}]]></ToUserName><AgentID><![CDATA[218]]></AgentID><Encrypt><![CDATA[{sealed}]]></Encrypt></xml>"
    );
    let credentials = Credentials::new(TOKEN.into(), key(), vec![CORP_ID.into()]);
    let open = || {
        let query = Query::parse(black_box(&raw_query)).expect("well formed");
        credentials
            .open(&query, black_box(body.as_bytes()))
            .expect("sealed above")
    };
    let all = || drop(black_box(Notice::parse(open().plain()).expect("well formed")));
    let parse = || {
        drop(black_box(
            Notice::parse(black_box(plain.as_bytes())).expect("well formed"),
        ))
    };
    let floor = || {
        black_box(Sha1::digest(black_box(sealed.as_bytes())));
    };

    let mut times = [const { Vec::new() }; 4];
    for _ in 0..ROUNDS {
        times[0].push(per_call(&all));
        times[1].push(per_call(&|| drop(black_box(open()))));
        times[2].push(per_call(&parse));
        times[3].push(per_call(&floor));
    }
    let [all, open, parse, floor] = times.map(median);
    println!(
        "{size:>7} {all:>8.3} {:>10.2} {open:>8.3} {parse:>8.3} {floor:>8.3}",
        all / floor
    );
}

/// A customer's event, filled up to this many bytes by its channel.
fn event(size: usize) -> String {
    let with = |state: &str| {
        format!(
            "<xml><ToUserName><![CDATA[{CORP_ID}]]></ToUserName><FromUserName><![CDATA[sys]]></FromUserName>\
             <CreateTime>1403610513</CreateTime><MsgType><![CDATA[event]]></MsgType>\
             <Event><![CDATA[change_external_contact]]></Event><ChangeType><![CDATA[add_external_contact]]></ChangeType>\
             <UserID><![CDATA[zhangsan]]></UserID><ExternalUserID><![CDATA[woAJ2GCAAAXtWyujaWJHDDGi0mAAAA]]></ExternalUserID>\
             <State><![CDATA[{state}]]></State><WelcomeCode><![CDATA[WELCOMECODE]]></WelcomeCode></xml>"
        )
    };
    with(&"x".repeat(size.saturating_sub(with("").len())))
}

/// µs per call over one round.
fn per_call(work: &dyn Fn()) -> f64 {
    let started = Instant::now();
    let mut calls = 0_u32;
    while started.elapsed() < ROUND {
        for _ in 0..64 {
            work();
        }
        calls += 64;
    }
    started.elapsed().as_secs_f64() * 1e6 / f64::from(calls)
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
