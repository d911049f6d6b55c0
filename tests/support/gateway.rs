//! One gateway as an operator runs it: the real binary, its own process, stopped by signals to its pid.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use serde_json::Value;
use wecom_gateway::clock;

use super::front::Http;
use super::redis::free_port;

/// So much of a gateway's log is shown when its test fails.
const LOG_LINES: usize = 60;
/// A condition that does not come true by then fails the test. Generous: the machine is shared.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Tells whoever reads the test's output: seeds, figures, logs.
#[expect(clippy::print_stderr, reason = "that is what a test's output is for")]
pub fn say(text: &str) {
    eprintln!("{text}");
}

/// Looks again and again until `look` has something; fails the test with `what` if it never has.
pub async fn until<T>(what: &str, look: impl AsyncFn() -> Option<T>) -> T {
    within(PATIENCE, what, look).await
}

/// The same with a deadline of its own.
pub async fn within<T>(most: Duration, what: &str, look: impl AsyncFn() -> Option<T>) -> T {
    let began = clock::monotonic();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(began.elapsed() < most, "not within {most:?}: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A command of the binary in an environment of its own.
pub fn command(config: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wecom-gateway"));
    command.env_clear().env("LANG", "C").arg("--config").arg(config);
    command
}

/// A gateway: one settings file, one process at a time. Dropping it kills the process.
pub struct Gateway {
    pub port: u16,
    pub config: PathBuf,
    node: PathBuf,
    log: PathBuf,
    child: Option<Child>,
    http: Http,
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let log = std::fs::read_to_string(&self.log).unwrap_or_default();
            let tail: Vec<&str> = log.lines().rev().take(LOG_LINES).collect();
            let tail: Vec<&str> = tail.into_iter().rev().collect();
            say(&format!("--- {}\n{}", self.log.display(), tail.join("\n")));
        }
    }
}

impl Gateway {
    /// Writes its settings file; `rest` is everything but `[server]`.
    pub fn new(dir: &Path, name: &str, rest: &str) -> Self {
        let at = |what: &str| dir.join(format!("{name}.{what}"));
        let port = free_port();
        let (config, node, log) = (at("toml"), at("node"), at("log"));
        let server = format!("[server]\nlisten = \"127.0.0.1:{port}\"\nnode = '{}'\n", node.display());
        let rest = rest.replace("{SPOOL}", &at("spool").display().to_string());
        std::fs::write(&config, server + &rest).unwrap();
        Self {
            port,
            config,
            node,
            log,
            child: None,
            http: Http::new(),
        }
    }

    /// Starts the process; does not wait.
    pub fn spawn(&mut self) {
        assert!(self.child.is_none(), "it runs already");
        let log = OpenOptions::new().create(true).append(true).open(&self.log).unwrap();
        let mut command = command(&self.config);
        command.arg("serve").env("RUST_LOG", "info,wecom_gateway=debug");
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        self.child = Some(child.spawn().unwrap());
    }

    /// Starts it and waits until `readyz` says 200.
    pub async fn start(&mut self) {
        self.spawn();
        self.ready().await;
    }

    pub async fn ready(&self) {
        until("readyz says 200", async || {
            self.readyz().await.filter(|(status, _)| *status == 200)
        })
        .await;
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// A signal by name, to this process only.
    pub fn signal(&self, name: &str) {
        let pid = self.child.as_ref().expect("it runs").id().to_string();
        let sent = Command::new("kill").args(["-s", name, &pid]).status().unwrap();
        assert!(sent.success());
    }

    /// SIGTERM, then its end: how it exited, and how long it took.
    pub async fn terminate(&mut self) -> (ExitStatus, Duration) {
        self.signal("TERM");
        let began = clock::monotonic();
        let mut child = self.child.take().expect("it runs");
        let status = tokio::task::spawn_blocking(move || child.wait().unwrap())
            .await
            .unwrap();
        (status, began.elapsed())
    }

    /// Status and detail of `readyz`; `None` without an answer.
    pub async fn readyz(&self) -> Option<(u16, Value)> {
        let url = format!("http://127.0.0.1:{}/readyz", self.port);
        let (status, body) = self.http.get(&url).await?;
        Some((status, serde_json::from_slice(&body).ok()?))
    }

    /// One field of `readyz`'s detail.
    pub async fn detail(&self, field: &str) -> Value {
        let look = self.readyz().await;
        look.map(|(_, detail)| detail[field].clone()).unwrap_or_default()
    }

    /// The sum of all series of a metric; 0 where there is none.
    pub async fn metric(&self, name: &str) -> f64 {
        let url = format!("http://127.0.0.1:{}/metrics", self.port);
        let Some((200, text)) = self.http.get(&url).await else {
            return -1.0;
        };
        let text = String::from_utf8_lossy(&text).into_owned();
        let lines = text.lines().filter(|l| {
            let rest = l.strip_prefix(name);
            rest.is_some_and(|r| r.starts_with(['{', ' ']))
        });
        lines.filter_map(|l| l.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    }

    /// Its identity, as it stands in the store's owner records.
    pub fn node(&self) -> String {
        let text = std::fs::read_to_string(&self.node).unwrap();
        let known: Value = serde_json::from_str(&text).unwrap();
        known["node"].as_str().unwrap().to_owned()
    }
}
