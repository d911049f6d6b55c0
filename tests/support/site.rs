//! A whole installation: a folder with settings, templates and rules, a simulated WeCom, a store, and the
//! gateways that run on it. What it checks at the end is what every test of promise 4 needs: nothing waits.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use wecom_gateway::model::{Conversation, Partition};
use wecom_gateway::sandbox::{Act, Handle, Recorded, Sandbox, ToldTo, Way};
use wecom_gateway::settings::Settings;
use wecom_gateway::store::{self, PartitionStats, Role, Store};
use wecom_gateway::wecom::id::{CorpId, ExternalUserId};

use super::front::Front;
use super::gateway::{Gateway, PATIENCE, command, within};
use super::redis::RedisServer;

pub const CORP: &str = "ww0123456789abcdef";
pub const KF: &str = "wkCoffee0001";
/// Questions `问0` … that have an answer `答0。` …
pub const QUESTIONS: usize = 120;
/// Members `m0` …, kf customers `wmK0` …, customers of broadcasts `wmB0` …
const PEOPLE: usize = 120;

/// Which store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum On {
    Sqlite,
    Redis,
}

/// Random numbers that a seed brings back.
pub struct Seeded(u64);

impl Seeded {
    /// `SEED` from the environment, or one from the clock; printed, so that a failure can be played again.
    pub fn new(what: &str) -> Self {
        let clock = || std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().subsec_nanos();
        let given = std::env::var("SEED").ok().and_then(|s| s.parse().ok());
        let seed = given.unwrap_or_else(|| u64::from(clock()));
        eprintln!("{what}: SEED={seed}");
        Self(seed)
    }

    /// Below `n`.
    pub fn below(&mut self, n: u64) -> u64 {
        // Numerical Recipes' generator; its high bits are good enough for moments.
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }

    /// Passes a random time: a moment to be hit, no wait for anything.
    pub async fn moment(&mut self, from_ms: u64, to_ms: u64) {
        let ms = from_ms + self.below(to_ms - from_ms);
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }
}

/// The installation.
pub struct Site {
    dir: tempfile::TempDir,
    pub wecom: Handle,
    pub front: Front,
    pub redis: Option<RedisServer>,
    url: String,
}

impl Site {
    pub async fn new(on: On) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let front = Front::start().await;
        let mut setup = Sandbox::coffee().limits(|limits| {
            // The front repeats by itself.
            limits.callback_attempts = 1;
            limits.callback_timeout_ms = 70_000;
        });
        setup.apps[0].callback_url = Some(front.url().to_owned());
        for n in 0..PEOPLE {
            setup = setup
                .member(&format!("m{n}"), "成员")
                .contact(&kf_customer(n), "客户")
                .contact(&target(n), "客户")
                .related("zhangsan", &target(n));
        }
        content(dir.path());
        let redis = (on == On::Redis).then(RedisServer::start);
        let url = match &redis {
            Some(server) => server.url(),
            None => format!("sqlite:{}", dir.path().join("gateway.db").display()),
        };
        let wecom = setup.start().await.unwrap();
        Self {
            dir,
            wecom,
            front,
            redis,
            url,
        }
    }

    /// A gateway that does not run yet.
    pub fn gateway(&self, name: &str) -> Gateway {
        let at = |what: &str| self.dir.path().join(what).display().to_string();
        let (url, api, dir, templates) = (&self.url, self.wecom.base_url(), at("config"), at("templates"));
        let spool = if self.redis.is_some() { "spool = '{SPOOL}'" } else { "" };
        let rest = format!(
            r#"
[store]
url = '{url}'
{spool}
[content]
dir = '{dir}'
templates = '{templates}'
[[corp]]
name = "acme"
display_name = "某某咖啡"
corp_id = "{CORP}"
api_base = "{api}"
broadcast = {{ rule = "day_1" }}
[corp.kf]
accounts = {{ coffee = "{KF}" }}
unmatched = "silent"
poll = "10s"
[[corp.app]]
name = "main"
kind = ["contacts", "kf", "agent"]
agent_id = 1000002
secret = "main-secret"
token = "mainToken"
encoding_aes_key = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C"
"#
        );
        Gateway::new(self.dir.path(), name, &rest)
    }

    /// A gateway that is ready and gets the callbacks.
    pub async fn started(&self, name: &str) -> Gateway {
        let mut gateway = self.gateway(name);
        gateway.start().await;
        self.front.send_to(&[gateway.port]);
        gateway
    }

    /// The store, as a command sees it.
    pub async fn store(&self, gateway: &Gateway) -> Arc<dyn Store> {
        let settings = Settings::load(&gateway.config, std::iter::empty()).unwrap();
        store::open(&settings.store, Role::Command).await.unwrap()
    }

    /// Somebody acts; returns when a gateway has accepted every callback of it.
    pub async fn act(&self, act: Act) {
        act_on(self.wecom.sandbox(), act).await;
    }

    /// The same in the background.
    pub fn acts(&self, act: Act) -> tokio::task::JoinHandle<()> {
        tokio::spawn(act_on(self.wecom.sandbox(), act))
    }

    /// The texts that somebody saw in this way, in order.
    pub fn seen(&self, who: &str, way: Way) -> Vec<String> {
        let all = self.wecom.messages_to(who).into_iter();
        all.filter(|m| m.way == way).map(|m| m.text).collect()
    }

    /// Calls of `add_msg_template` that name this customer and reached WeCom.
    pub fn broadcasts_to(&self, who: &str) -> Vec<Recorded> {
        let names = |c: &Recorded| {
            let list = c.body["external_userid"].as_array();
            list.is_some_and(|l| l.iter().any(|x| x == who))
        };
        let all = self.wecom.calls_of("externalcontact/add_msg_template").into_iter();
        all.filter(|c| c.processed && names(c)).collect()
    }

    /// `broadcast send` to one customer; ends when the broadcast has.
    pub fn broadcast(&self, gateway: &Gateway, id: &str, to: &str) -> tokio::task::JoinHandle<Sent> {
        let list = self.dir.path().join(format!("{id}.txt"));
        std::fs::write(&list, to).unwrap();
        let mut command = command(&gateway.config);
        command.args([
            "broadcast",
            "send",
            "--template",
            "offer",
            "--yes",
            "--json",
            "--id",
            id,
        ]);
        command.args(["--sender", "zhangsan", "--to"]).arg(list);
        tokio::task::spawn_blocking(move || {
            let out = command.output().unwrap();
            let said = serde_json::from_slice(&out.stdout).unwrap_or_default();
            let errors = String::from_utf8_lossy(&out.stderr).into_owned();
            Sent {
                code: out.status.code(),
                said,
                errors,
            }
        })
    }

    /// The same, whatever the command itself meets on the way: the same id again goes on.
    pub async fn broadcast_to_its_end(&self, gateway: &Gateway, id: &str, to: &str) -> Sent {
        loop {
            let sent = self.broadcast(gateway, id, to).await.unwrap();
            if !sent.said.is_null() {
                return sent;
            }
            assert_eq!(sent.code, Some(1), "{sent:?}");
        }
    }

    /// Waits until everything that was accepted has an outcome: no entry waits, no job is open. So many entries
    /// lie in quarantine, and no others.
    pub async fn settled(&self, gateway: &Gateway, quarantined: u64) {
        let store = self.store(gateway).await;
        let all: Vec<Partition> = Partition::all().collect();
        let last = std::sync::Mutex::new(String::new());
        let look = async || {
            let stats = store.stats(&all).await.ok()?;
            *last.lock().unwrap() = summary(&stats);
            stats.iter().all(rests).then_some(stats)
        };
        // The outer deadline comes first: it says what waits.
        let waiting = tokio::time::timeout(PATIENCE, within(2 * PATIENCE, "every event has an outcome", look));
        let Ok(stats) = waiting.await else {
            panic!("not everything has an outcome: {}", last.lock().unwrap());
        };
        let in_quarantine: u64 = stats.iter().map(|s| s.quarantined).sum();
        assert_eq!(in_quarantine, quarantined, "entries in quarantine");
    }

    /// How the jobs of a contact's conversation ended: (action, outcome).
    pub async fn endings(&self, gateway: &Gateway, of: &Conversation) -> Vec<(String, String)> {
        let store = self.store(gateway).await;
        let lines = store.history(of.partition(), 1000).await.unwrap();
        let lines = lines.iter().map(|l| serde_json::from_slice::<Value>(l).unwrap());
        let ours = lines.filter(|l| l["conversation"] == of.key().as_str());
        ours.map(|l| (word(&l["action"]), word(&l["ending"]["outcome"])))
            .collect()
    }
}

/// What `broadcast send` said.
#[derive(Debug)]
pub struct Sent {
    pub code: Option<i32>,
    pub said: Value,
    pub errors: String,
}

async fn act_on(sandbox: Sandbox, act: Act) {
    let acted = sandbox.act_with(act, ToldTo::default()).await.unwrap();
    for posted in acted.callbacks {
        assert!(posted.delivered(), "no gateway accepted a callback: {}", posted.answer);
    }
}

fn word(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn rests(s: &PartitionStats) -> bool {
    s.head == s.position && s.jobs == [0; 4]
}

fn summary(stats: &[PartitionStats]) -> String {
    let busy = stats.iter().enumerate().filter(|(_, s)| !rests(s));
    busy.map(|(p, s)| format!("p{p}: {}/{} decided, jobs {:?}; ", s.position, s.head, s.jobs))
        .collect()
}

pub fn kf_customer(n: usize) -> String {
    format!("wmK{n}")
}

pub fn target(n: usize) -> String {
    format!("wmB{n}")
}

pub fn contact(name: &str) -> Conversation {
    Conversation::Contact(CorpId::parse(CORP).unwrap(), ExternalUserId::parse(name).unwrap())
}

pub fn scan(who: &str) -> Act {
    Act::Scan {
        member: "zhangsan".into(),
        contact: who.into(),
        state: Some("poster".into()),
        half: false,
        name: None,
    }
}

pub fn member_asks(who: &str, question: usize) -> Act {
    Act::MemberWrite {
        app: None,
        member: who.into(),
        text: format!("问{question}"),
    }
}

pub fn customer_asks(who: &str, question: usize) -> Act {
    Act::KfWrite {
        account: None,
        contact: who.into(),
        text: Some(format!("问{question}")),
        menu_id: None,
        content: None,
    }
}

pub fn answer(question: usize) -> String {
    format!("答{question}。")
}

/// One welcome, and a question with its answer for every number.
fn content(dir: &Path) {
    let write = |name: String, text: String| {
        let path = dir.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    let channel =
        |state: &str| format!("[[channel]]\nstate = \"{state}\"\nname = \"n{state}\"\nwelcome = \"welcome\"\n");
    write("config/channels.toml".into(), channel("") + &channel("*"));
    write("templates/welcome.toml".into(), "text = \"欢迎\"\n".into());
    write("templates/offer.toml".into(), "text = \"优惠\"\n".into());
    let mut rules = String::new();
    for n in 0..QUESTIONS {
        write(format!("templates/a{n}.toml"), format!("text = \"{}\"\n", answer(n)));
        rules += &format!(
            "[[rule]]\nname = \"r{n}\"\non = \"message\"\nsource = [\"kf\", \"agent\"]\nkeywords = {{ exact = [\"问{n}\"] }}\n\
             reply = [\"a{n}\"]\n"
        );
    }
    write("config/rules/numbers.toml".into(), rules);
}
