//! What the benchmarks of whole processes share: a gateway, a redis-server, what they cost. Everything is private
//! (folder, ports) and ends with the value that holds it.

#![expect(dead_code, reason = "each benchmark uses a part")]

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// What the gateway's settings say of its one app.
pub const TOKEN: &str = "QDG6eK";
pub const KEY: &str = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C";
pub const CORP_ID: &str = "wx5823bf96d3bd56c7";

/// A process of ours, killed when dropped.
pub struct Process {
    child: Child,
    pub port: u16,
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Process {
    /// Starts a program on one core (anywhere without `core`); `taskset` replaces itself, so the pid is the program's.
    pub fn start(core: Option<usize>, port: u16, program: &Path, args: &[&str]) -> Self {
        let mut command = match core {
            Some(core) => {
                let mut pinned = Command::new("taskset");
                pinned.args(["-c", &core.to_string()]).arg(program);
                pinned
            }
            None => Command::new(program),
        };
        let quiet = command.args(args).stdin(Stdio::null()).stdout(Stdio::null());
        let child = quiet
            .env("RUST_LOG", "warn")
            .spawn()
            .unwrap_or_else(|e| panic!("{}: {e}", program.display()));
        Self { child, port }
    }

    /// Seconds of CPU so far, over all threads: user and system time of `/proc/PID/stat`, in ticks of 10 ms.
    pub fn cpu(&self) -> f64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).expect("the process runs");
        let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        let ticks = after_name.split_whitespace().skip(11).take(2);
        ticks.filter_map(|t| t.parse::<f64>().ok()).sum::<f64>() / 100.0
    }

    /// Resident memory in MiB.
    pub fn resident(&self) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("the process runs");
        let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"));
        let kib = line.and_then(|l| l.split_whitespace().next()?.parse::<f64>().ok());
        kib.expect("Linux says so") / 1024.0
    }

    /// Waits until `GET path` answers 200; how long that took.
    pub fn ready(&self, path: &str) -> Duration {
        let started = Instant::now();
        while get(self.port, path).is_none_or(|a| !a.starts_with("HTTP/1.1 200")) {
            assert!(started.elapsed() < Duration::from_secs(20), "no 200 from {path}");
            std::thread::sleep(Duration::from_millis(2));
        }
        started.elapsed()
    }

    /// SIGTERM, then waits for the end.
    pub fn stop(mut self) {
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}

/// A whole answer; `None` when nobody listens or it broke.
pub fn get(port: u16, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n"
    )
    .ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}

/// A port that is free now.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("loopback");
    listener.local_addr().expect("bound").port()
}

/// A redis-server with `appendfsync everysec`, as `durability = "os"` wants it.
pub fn redis(core: Option<usize>, dir: &Path) -> Process {
    let (port, dir) = (free_port(), dir.display().to_string());
    let text = port.to_string();
    let args = [
        "--port",
        &text,
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--dir",
        &dir,
        "--appendonly",
        "yes",
        "--appendfsync",
        "everysec",
        "--daemonize",
        "no",
    ];
    let server = Process::start(core, port, Path::new("redis-server"), &args);
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        std::thread::sleep(Duration::from_millis(5));
    }
    server
}

/// The gateway's own binary, `serve` on these settings.
pub fn gateway(core: Option<usize>, dir: &Path, store: &str, max_partitions: u8) -> Process {
    let port = free_port();
    let path = |name: &str| dir.join(name).display().to_string();
    for folder in ["config/rules", "templates"] {
        fs::create_dir_all(dir.join(folder)).expect("our own folder");
    }
    let settings = format!(
        "[server]\nlisten = \"127.0.0.1:{port}\"\nnode = {:?}\nmax_partitions = {max_partitions}\n\
         [store]\nurl = \"{store}\"\nspool = {:?}\n[content]\ndir = {:?}\ntemplates = {:?}\n\
         [[corp]]\nname = \"acme\"\ncorp_id = \"{CORP_ID}\"\napi_base = \"http://127.0.0.1:9\"\n\
         broadcast = {{ rule = \"day_1\" }}\n\
         [[corp.app]]\nname = \"main\"\nkind = [\"contacts\"]\ntoken = \"{TOKEN}\"\nencoding_aes_key = \"{KEY}\"\n",
        path("node"),
        path("spool.db"),
        path("config"),
        path("templates"),
    );
    let file = path("gateway.toml");
    fs::write(&file, settings).expect("our own folder");
    // Another build of it, to compare two.
    let binary = std::env::var_os("WECOM_BENCH_GATEWAY").unwrap_or(env!("CARGO_BIN_EXE_wecom-gateway").into());
    Process::start(core, port, Path::new(&binary), &["--config", &file, "serve"])
}

/// The middle one.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
