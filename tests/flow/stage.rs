//! A whole gateway before the sandbox, and what can be seen of it from outside.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use wecom_gateway::app::App;
use wecom_gateway::model::Partition;
use wecom_gateway::sandbox::{Act, Acted, Handle, Seen};
use wecom_gateway::settings::Settings;

use super::script::{Script, command};

/// Longer than anything takes that does take place.
const PATIENCE: Duration = Duration::from_secs(25);
const LOOK: Duration = Duration::from_millis(10);

/// A running play. End it with [`Play::end`]: that asserts that nothing is left undone.
pub struct Play {
    pub wecom: Handle,
    pub app: App,
    script: Script,
    ended: bool,
}

/// How a job ended, as the store's history has it.
#[derive(Debug, Clone)]
pub struct Ended {
    pub at: i64,
    pub outcome: String,
    pub reason: String,
    pub notes: Vec<String>,
}

impl Script {
    /// Starts sandbox and gateway, and tells the one of the other.
    pub async fn play(self) -> Play {
        let wecom = self.setup.clone().start().await.unwrap();
        self.play_before(wecom).await
    }

    /// Starts the gateway before a sandbox that runs already.
    pub async fn play_before(self, wecom: Handle) -> Play {
        self.write(&wecom.base_url(), "127.0.0.1:0");
        let file = self.dir.path().join("gateway.toml");
        let settings = Settings::load(&file, std::iter::empty()).unwrap_or_else(|e| panic!("{e:#?}"));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let app = App::start(settings, Some(listener))
            .await
            .unwrap_or_else(|e| panic!("{e:#?}"));
        for name in self.apps() {
            let url = format!("http://{}/callback/acme/{name}", app.addr);
            wecom.set_callback(name, &url).unwrap();
        }
        let play = Play {
            wecom,
            app,
            script: self,
            ended: false,
        };
        play.until("all partitions", || play.metric("wecom_owned_partitions", &[]) == 64.0)
            .await;
        play
    }
}

impl Play {
    /// Waits until it holds; fails when it does not in time.
    pub async fn until(&self, what: &str, holds: impl Fn() -> bool) {
        let began = Instant::now();
        while !holds() {
            let calls: Vec<_> = self.wecom.calls().into_iter().rev().take(8).collect();
            assert!(
                began.elapsed() < PATIENCE,
                "{what} did not come; last calls: {calls:#?}\n{:#?}",
                self.app
                    .metrics
                    .render()
                    .lines()
                    .filter(|l| l.starts_with("wecom_jobs_total"))
                    .collect::<Vec<_>>()
            );
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Somebody does something; the gateway must take every callback of it.
    pub async fn act(&self, act: Act) -> Acted {
        let acted = self.wecom.act(act).await.unwrap();
        assert!(acted.callbacks.iter().all(|c| c.delivered()), "{:?}", acted.callbacks);
        acted
    }

    pub async fn scan(&self, contact: &str, state: &str) -> Acted {
        let state = (!state.is_empty()).then(|| state.to_owned());
        self.act(scan("zhangsan", contact, state, false)).await
    }

    pub async fn writes(&self, contact: &str, text: &str) -> Acted {
        self.act(kf_write(contact, text)).await
    }

    pub async fn member_writes(&self, text: &str) -> Acted {
        self.act(Act::MemberWrite {
            app: None,
            member: "zhangsan".into(),
            text: text.into(),
        })
        .await
    }

    pub fn seen(&self, person: &str) -> Vec<String> {
        self.wecom.messages_to(person).into_iter().map(|m| m.text).collect()
    }

    /// Waits until a person has seen so many messages, and returns them.
    pub async fn sees(&self, person: &str, count: usize) -> Vec<Seen> {
        let what = format!("message {count} to {person}");
        self.until(&what, || self.wecom.messages_to(person).len() >= count)
            .await;
        self.wecom.messages_to(person)
    }

    /// Waits until every accepted event is decided and every job has its outcome.
    pub async fn settle(&self) {
        let (began, mut quiet) = (Instant::now(), 0);
        let all: Vec<Partition> = Partition::all().collect();
        // Twice: an event that one partition gives to another is in one of two readings.
        while quiet < 2 {
            let stats = self.app.store.stats(&all).await.unwrap();
            let busy: Vec<_> = stats
                .iter()
                .filter(|s| s.jobs.iter().any(|n| *n > 0) || s.position < s.head)
                .collect();
            quiet = if busy.is_empty() { quiet + 1 } else { 0 };
            let late = began.elapsed() > PATIENCE;
            assert!(
                !late,
                "never settled: {busy:#?}\n{:#?}",
                self.wecom.calls().into_iter().rev().take(8).collect::<Vec<_>>()
            );
            tokio::time::sleep(LOOK).await;
        }
    }

    /// How the jobs of one kind ended so far, oldest first.
    pub async fn ended(&self, action: &str) -> Vec<Ended> {
        let mut all = Vec::new();
        for partition in Partition::all() {
            for record in self.app.store.history(partition, 1000).await.unwrap() {
                let record: Value = serde_json::from_slice(&record).unwrap();
                if record["action"] == action {
                    let ending = &record["ending"];
                    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
                    all.push(Ended {
                        at: record["at"].as_i64().unwrap(),
                        outcome: text(&ending["outcome"]),
                        reason: text(&ending["reason"]),
                        notes: ending["notes"].as_array().into_iter().flatten().map(text).collect(),
                    });
                }
            }
        }
        all.sort_by_key(|e| e.at);
        all
    }

    /// `outcome: reason` of all jobs of one kind, once everything has settled.
    pub async fn outcomes(&self, action: &str) -> Vec<String> {
        self.settle().await;
        let ended = self.ended(action).await;
        ended
            .into_iter()
            .map(|e| format!("{}: {}", e.outcome, e.reason))
            .collect()
    }

    /// A metric's value: the sum of all series with these labels.
    pub fn metric(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        metric(&self.app.metrics.render(), name, labels)
    }

    pub fn skipped(&self, what: &str, reason: &str) -> f64 {
        self.metric("wecom_skipped_total", &[("what", what), ("reason", reason)])
    }

    /// How often WeCom was called on a path.
    pub fn calls(&self, path: &str) -> usize {
        self.wecom.calls_of(path).len()
    }

    pub async fn get(&self, path: &str) -> (u16, String) {
        get(&self.app.addr.to_string(), path).await.unwrap()
    }

    pub fn dir(&self) -> &Path {
        self.script.dir.path()
    }

    /// The real binary on this play's settings and store.
    pub async fn cli(&self, arguments: &[&str]) -> Cli {
        run(command(self.dir(), arguments)).await
    }

    /// Ends it with work left undone, on purpose.
    pub fn leave(mut self) {
        self.ended = true;
    }

    /// Asserts that nothing is left to do and nothing lies in quarantine.
    pub async fn end(mut self) {
        self.settle().await;
        let all: Vec<Partition> = Partition::all().collect();
        let stats = self.app.store.stats(&all).await.unwrap();
        assert_eq!(stats.iter().map(|s| s.quarantined).sum::<u64>(), 0);
        self.ended = true;
    }
}

impl Drop for Play {
    fn drop(&mut self) {
        assert!(self.ended || std::thread::panicking(), "a play is ended by `end`");
    }
}

/// Runs a command to its end, while everything here goes on; one that does not end in time is killed.
pub async fn run(mut command: Command) -> Cli {
    use std::io::Read as _;
    let mut child = Killed(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
    let (mut out, mut err) = (child.0.stdout.take().unwrap(), child.0.stderr.take().unwrap());
    let reading = tokio::task::spawn_blocking(move || {
        let (mut o, mut e) = (String::new(), String::new());
        out.read_to_string(&mut o).unwrap();
        err.read_to_string(&mut e).unwrap();
        (o, e)
    });
    let began = Instant::now();
    let status = loop {
        if let Some(status) = child.0.try_wait().unwrap() {
            break Some(status);
        }
        if began.elapsed() > PATIENCE {
            child.now();
            break None;
        }
        tokio::time::sleep(LOOK).await;
    };
    let (out, err) = reading.await.unwrap();
    let code = status.and_then(|s| s.code());
    assert!(status.is_some(), "{command:?} does not end: {out}{err}");
    Cli { code, out, err }
}

/// A process that does not outlive its test.
pub struct Killed(pub Child);

impl Killed {
    /// `kill -9`.
    pub fn now(&mut self) {
        // It may have ended by itself; then there is nothing to kill.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Killed {
    fn drop(&mut self) {
        self.now();
    }
}

/// What a command said.
#[derive(Debug)]
pub struct Cli {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Cli {
    /// The one JSON object it printed.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }
}

pub fn scan(member: &str, contact: &str, state: Option<String>, half: bool) -> Act {
    Act::Scan {
        member: member.into(),
        contact: contact.into(),
        state,
        half,
        name: None,
    }
}

pub fn kf_write(contact: &str, text: &str) -> Act {
    Act::KfWrite {
        account: None,
        contact: contact.into(),
        text: Some(text.into()),
        menu_id: None,
        content: None,
    }
}

pub fn kf_enter(contact: &str) -> Act {
    Act::KfEnter {
        account: None,
        contact: contact.into(),
        scene: "web".into(),
        scene_param: String::new(),
    }
}

/// The sum of all series of a metric with these labels, on a page of Prometheus' text format.
pub fn metric(page: &str, name: &str, labels: &[(&str, &str)]) -> f64 {
    let labels: Vec<String> = labels.iter().map(|(k, v)| format!("{k}=\"{v}\"")).collect();
    page.lines()
        .filter(|l| l.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' '])))
        .filter(|l| labels.iter().all(|label| l.contains(label)))
        .filter_map(|l| l.rsplit(' ').next()?.parse::<f64>().ok())
        .sum()
}

/// A bare GET.
pub async fn get(addr: &str, path: &str) -> std::io::Result<(u16, String)> {
    let mut stream = TcpStream::connect(addr).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let status = answer.get(9..12).and_then(|s| s.parse().ok()).unwrap_or(0);
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    Ok((status, body.to_owned()))
}
