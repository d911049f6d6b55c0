//! How heavy an idle gateway is and how soon it is ready, on an existing store, SQLite and Redis.

#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
#![expect(clippy::print_stdout, reason = "a benchmark prints its result")]
#![expect(clippy::expect_used, reason = "a benchmark that cannot start should say so and stop")]

mod common;

use std::path::Path;
use std::time::Duration;

const STARTS: usize = 5;
/// Long enough to own all partitions and to have looked at each.
const SETTLE: Duration = Duration::from_secs(6);

fn main() {
    println!("{:>8} {:>14} {:>12}", "store", "ready after ms", "idle RSS MiB");
    let dir = tempfile::tempdir().expect("a folder");
    measure(
        "sqlite",
        dir.path(),
        &format!("sqlite:{}", dir.path().join("gateway.db").display()),
    );
    let dir = tempfile::tempdir().expect("a folder");
    let redis = common::redis(None, dir.path());
    measure("redis", dir.path(), &format!("redis://127.0.0.1:{}/0", redis.port));
    println!("goals: ready within 300 ms, at most 30 MiB");
}

fn measure(name: &str, dir: &Path, url: &str) {
    // Makes the store.
    let first = common::gateway(None, dir, url, 64);
    first.ready("/readyz");
    first.stop();
    let mut times = Vec::new();
    let mut rss = 0.0;
    for n in 0..STARTS {
        let gateway = common::gateway(None, dir, url, 64);
        times.push(gateway.ready("/readyz").as_secs_f64() * 1e3);
        if n + 1 == STARTS {
            std::thread::sleep(SETTLE);
            rss = gateway.resident();
        }
        gateway.stop();
    }
    println!("{name:>8} {:>14.0} {rss:>12.1}", common::median(times));
}
