//! What accepting costs: a gateway that only takes in (`max_partitions = 0`) on Redis, beside a bare axum echo.
//!
//! The arrangement of PERFORMANCE.md §2: the server on core 0; Redis (AOF, everysec) and the load on core 1. Rounds
//! alternate between echo and gateway in one run; medians and their ratios are printed. Every callback is another
//! event, and all of them must have been accepted: a duplicate would cost less.
//!
//! `cargo bench --bench accept -- [ROUNDS [CALLBACKS]]`

#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
#![expect(clippy::print_stdout, reason = "a benchmark prints its result")]
#![expect(clippy::expect_used, reason = "a benchmark that cannot start should say so and stop")]

#[path = "../common/mod.rs"]
mod common;
mod load;

use std::path::Path;
use std::process::Command;

use axum::routing::post;
use common::Process;

const PINNED: &str = "WECOM_BENCH_PINNED";
/// Core of the server that is measured, and of everything else.
const CORES: (usize, usize) = (0, 1);

/// One round.
struct Round {
    per_second: f64,
    server_us: f64,
    redis_us: f64,
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    if let [role, port] = &args[..]
        && role == "echo"
    {
        return echo(port.parse().expect("a port"));
    }
    let this = std::env::current_exe().expect("Linux knows it");
    if std::env::var_os(PINNED).is_none() {
        // The load runs on its core from the first thread on.
        let mut again = Command::new("taskset");
        again
            .args(["-c", &CORES.1.to_string()])
            .arg(this)
            .args(&args)
            .env(PINNED, "1");
        let done = again.status().expect("taskset (util-linux) starts");
        assert!(done.success(), "the benchmark failed");
        return;
    }
    let number = |at: usize, or: usize| args.get(at).and_then(|a| a.parse().ok()).unwrap_or(or);
    measure(&this, number(0, 7), number(1, 30_000));
}

fn measure(this: &Path, rounds: usize, callbacks: usize) {
    let dir = tempfile::tempdir().expect("a folder");
    let redis = common::redis(Some(CORES.1), dir.path());
    let url = format!("redis://127.0.0.1:{}/0", redis.port);
    let gateway = common::gateway(Some(CORES.0), dir.path(), &url, 0);
    gateway.ready("/readyz");
    let port = common::free_port();
    let echo = Process::start(Some(CORES.0), port, this, &["echo", &port.to_string()]);
    echo.ready("/");

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.expect("a runtime");
    let mut seen = (Vec::new(), Vec::new());
    // The first round warms up: scripts, connections, caches.
    for n in 0..=rounds {
        let calls = load::callbacks(n * callbacks, callbacks);
        let run = |server: &Process| {
            let before = (server.cpu(), redis.cpu());
            let elapsed = runtime.block_on(load::run(server.port, &calls));
            let each = 1e6 / callbacks as f64;
            Round {
                per_second: callbacks as f64 / elapsed.as_secs_f64(),
                server_us: (server.cpu() - before.0) * each,
                redis_us: (redis.cpu() - before.1) * each,
            }
        };
        let (e, g) = if n % 2 == 0 {
            let e = run(&echo);
            (e, run(&gateway))
        } else {
            let g = run(&gateway);
            (run(&echo), g)
        };
        if n > 0 {
            seen.0.push(e);
            seen.1.push(g);
        }
    }
    let sent = (rounds + 1) * callbacks;
    let metrics = common::get(gateway.port, "/metrics").expect("the gateway answers");
    let accepted = format!("wecom_callbacks_accepted_total{{app=\"main\",corp=\"acme\"}} {sent}");
    assert!(
        metrics.contains(&accepted),
        "not all of {sent} callbacks were new and accepted"
    );
    report(&seen.0, &seen.1);
}

fn report(echo: &[Round], gateway: &[Round]) {
    let of = |rounds: &[Round], f: fn(&Round) -> f64| common::median(rounds.iter().map(f).collect());
    let ratio = |f: fn(&Round) -> f64| common::median(gateway.iter().zip(echo).map(|(g, e)| f(g) / f(e)).collect());
    println!(
        "{:>10} {:>10} {:>12} {:>12}",
        "server", "req/s", "CPU µs/req", "Redis µs"
    );
    for (name, rounds) in [("axum echo", echo), ("gateway", gateway)] {
        let (rate, cpu, redis) = (
            of(rounds, |r| r.per_second),
            of(rounds, |r| r.server_us),
            of(rounds, |r| r.redis_us),
        );
        println!("{name:>10} {rate:>10.0} {cpu:>12.2} {redis:>12.2}");
    }
    let (rate, cpu) = (ratio(|r| r.per_second), ratio(|r| r.server_us));
    println!("accepted per second / axum: {rate:.2} (goal: at least 0.50)");
    println!("CPU per accepted callback / axum: {cpu:.2} (goal: at most 1.60)");
}

/// The reference: axum, one thread, the body goes back.
fn echo(port: u16) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", port))
            .await
            .expect("a free port");
        let routes = axum::Router::new()
            .route("/", axum::routing::get(|| async { "ok" }))
            .route("/callback/acme/main", post(|body: bytes::Bytes| async { body }));
        axum::serve(listener, routes).await.expect("serves until it is killed");
    });
}
