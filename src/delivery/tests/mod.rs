//! Delivery against a small scripted WeCom and a SQLite store whose clock the test moves.

mod calls;
mod judge;
mod limits;
mod media;
mod messages;
mod script;
mod token;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};

use script::{Reply, Seen, Shared, errcode};

use super::{Attempt, Bundles, Called, Delivery, FactPatch, Preparation, Prepared, Ready, Then};
use crate::clock::{StoreClock, wall};
use crate::content::Bundle;
use crate::metrics::Metrics;
use crate::model::job::{Code, Part, Say, TagName};
use crate::model::{
    Action, AppName, BundleHash, Conversation, CorpName, Doc, Ending, Job, JobId, Outcome, Partition, StoreTime,
};
use crate::settings::{
    App, AppKind, BroadcastRule, ContentDirs, Corp, Durability, Kf, MonthQuota, Safety, Server, Settings,
    StoreSettings, StoreUrl, Unmatched,
};
use crate::store::sqlite::SqliteStore;
use crate::store::{Role, Started};
use crate::wecom::id::{CorpId, ExternalUserId, OpenKfId, UserId};

struct One(Arc<Bundle>);

#[async_trait]
impl Bundles for One {
    async fn get(&self, _: &CorpId, hash: &BundleHash) -> Option<Arc<Bundle>> {
        (hash == &self.0.hash).then(|| Arc::clone(&self.0))
    }
}

struct House {
    script: Shared,
    bundle: Arc<Bundle>,
    settings: Arc<Settings>,
    store: Arc<SqliteStore>,
    metrics: Arc<Metrics>,
    ahead: Arc<AtomicI64>,
    clock: StoreClock,
    delivery: Delivery,
    _dir: tempfile::TempDir,
}

const PNG: &[u8] = &[0x89, b'P', b'N', b'G', 0x0D, 0x0A, 0x1A, 0x0A, 0, 0, 0, 0];

fn corp(api_base: String) -> Corp {
    Corp {
        name: CorpName::new("acme"),
        display_name: "某某咖啡".into(),
        corp_id: corp_id(),
        api_base,
        broadcast: BroadcastRule {
            per_day: Some(1),
            per_week: None,
            per_month: MonthQuota::Unlimited,
            member_per_day: None,
        },
        apps: vec![App {
            name: AppName::new("main"),
            kind: vec![AppKind::Contacts, AppKind::Kf, AppKind::Agent],
            agent_id: Some(7),
            secret: Some("s3cret".into()),
            token: "t".into(),
            encoding_aes_key: "k".into(),
        }],
        kf: Kf {
            accounts: BTreeMap::new(),
            unmatched: Unmatched::Pool,
            max_age: Duration::from_secs(600),
            poll: Duration::from_secs(60),
        },
        safety: Safety {
            observe: false,
            only: vec![],
            quiet_hours: None,
        },
        content: ContentDirs {
            dir: "config".into(),
            templates: "templates".into(),
            fallback: BTreeMap::new(),
        },
    }
}

fn corp_id() -> CorpId {
    CorpId::parse("ww1").unwrap()
}

async fn house() -> House {
    house_with(|_| {}).await
}

async fn house_with(change: impl FnOnce(&mut Corp)) -> House {
    let script = Shared::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let app = axum::Router::new()
        .fallback(script::answer)
        .with_state(Arc::clone(&script));
    tokio::spawn(async move { axum::serve(listener, app).await });
    let mut corp = corp(base);
    change(&mut corp);
    let files = [
        (
            "templates/hi.toml",
            "text = \"你好 {{ contact.name }}，我是{{ member.name }}\"",
        ),
        ("templates/plain.toml", "text = \"答案\""),
        (
            "templates/pic.toml",
            "text = \"看\"\n[[attachments]]\ntype = \"image\"\nfile = \"a.png\"",
        ),
        ("rules/r.toml", RULES),
    ];
    let files = files.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
    let media = BTreeMap::from([("a.png".to_owned(), PNG.to_vec())]);
    let bundle = match Bundle::from_texts(files, &media, &corp) {
        Ok((bundle, _)) => Arc::new(bundle),
        Err(found) => panic!("{found:?}"),
    };
    let dir = tempfile::tempdir().unwrap();
    let ahead = Arc::new(AtomicI64::new(0));
    let ticks = Arc::clone(&ahead);
    let now = move || StoreTime(wall().0 + ticks.load(Ordering::SeqCst));
    let clock = StoreClock::new(now());
    let path = dir.path().join("s.db");
    let store = SqliteStore::open_with_clock(&path, Role::Serve, Duration::from_secs(60), Arc::new(now)).unwrap();
    let settings = Arc::new(Settings {
        server: Server {
            listen: "127.0.0.1:0".parse().unwrap(),
            node: "node".into(),
            max_partitions: 64,
        },
        store: StoreSettings {
            url: StoreUrl::Sqlite(path),
            durability: Durability::Os,
            spool: None,
            keep: Duration::from_secs(60),
        },
        content: corp.content.clone(),
        corps: vec![corp],
    });
    let store = Arc::new(store);
    let metrics = Arc::new(Metrics::new().unwrap());
    let delivery = Delivery::new(
        Arc::clone(&settings),
        Arc::clone(&store) as Arc<dyn crate::store::Store>,
        Arc::new(One(Arc::clone(&bundle))),
        Arc::clone(&metrics),
        clock.clone(),
        "cafe0123",
    );
    House {
        script,
        bundle,
        settings,
        store,
        metrics,
        ahead,
        clock,
        delivery,
        _dir: dir,
    }
}

const RULES: &str = r#"
[[rule]]
name = "welcome"
on = "contact_added"
reply = ["hi"]
[[rule]]
name = "kf"
on = "message"
source = ["kf"]
keywords = { any = ["x"] }
reply = ["pic", "plain"]
"#;

impl House {
    /// Scripts the next answers of a path, in order; afterwards it answers well.
    fn next(&self, path: &str, replies: impl IntoIterator<Item = Reply>) {
        let mut s = self.script.lock().unwrap();
        s.next.entry(path.into()).or_default().extend(replies);
    }

    fn always(&self, path: &str, reply: Reply) {
        self.script.lock().unwrap().always.insert(path.into(), reply);
    }

    fn seen(&self, path: &str) -> Vec<Seen> {
        let s = self.script.lock().unwrap();
        s.seen.iter().filter(|c| c.path == path).cloned().collect()
    }

    /// Time passes, for the store and for us.
    fn pass(&self, d: Duration) {
        self.ahead
            .fetch_add(i64::try_from(d.as_millis()).unwrap(), Ordering::SeqCst);
        self.clock.learn(self.clock.now().plus(d));
    }

    /// Another gateway on the same store.
    fn neighbour(&self) -> Delivery {
        Delivery::new(
            Arc::clone(&self.settings),
            Arc::clone(&self.store) as Arc<dyn crate::store::Store>,
            Arc::new(One(Arc::clone(&self.bundle))),
            Arc::clone(&self.metrics),
            self.clock.clone(),
            "cafe0123",
        )
    }

    fn say(&self, template: &str, part: Part) -> Say {
        Say {
            template: template.into(),
            part,
            bundle: self.bundle.hash.clone(),
            at: self.clock.now(),
            vars: BTreeMap::new(),
            frozen: false,
        }
    }

    fn job(&self, action: Action) -> Try {
        let now = self.clock.now();
        let welcome = matches!(action, Action::Welcome { .. });
        Try {
            job: Job {
                corp: corp_id(),
                app: AppName::new("main"),
                conversation: Conversation::Contact(corp_id(), wm()),
                rule: None,
                accepted: now,
                deadline: welcome.then(|| now.plus(Duration::from_secs(19))),
                action,
            },
            doc: Doc::default(),
            tries: 0,
            attempts: 0,
            started: None,
        }
    }

    fn welcome(&self, template: &str) -> Try {
        self.job(Action::Welcome {
            code: Code("CODE".into()),
            member: li(),
            contact: wm(),
            say: self.say(template, Part::Whole),
        })
    }

    fn kf(&self, template: &str, part: Part) -> Try {
        self.job(Action::KfMessage {
            account: wk(),
            contact: wm(),
            say: self.say(template, part),
        })
    }

    fn app(&self) -> Try {
        self.job(Action::AppMessage {
            member: li(),
            say: self.say("plain", Part::Text),
        })
    }

    fn tags(&self, names: &[(&str, &str)]) -> Try {
        let add = names.iter().map(|(group, tag)| TagName {
            group: (*group).into(),
            tag: (*tag).into(),
        });
        self.job(Action::MarkTags {
            member: li(),
            contact: wm(),
            add: add.collect(),
            remove: vec![],
        })
    }

    async fn prepare(&self, t: &Try) -> Preparation {
        self.delivery.prepare(&t.attempt(self.clock.now())).await
    }

    async fn ready(&self, t: &Try) -> Ready {
        match self.prepare(t).await.prepared {
            Prepared::Ready(ready) => *ready,
            other => panic!("{other:?}"),
        }
    }

    /// One whole try, as the owner makes it.
    async fn go(&self, t: &Try) -> Called {
        let ready = match self.prepare(t).await.prepared {
            Prepared::Ready(ready) => *ready,
            Prepared::End(ending) => {
                return Called {
                    then: Then::End(ending),
                    facts: FactPatch::default(),
                };
            }
            Prepared::Later { until, reason } => panic!("later {until:?} {reason}"),
        };
        self.delivery.permit(&ready).await.unwrap();
        self.delivery.call(ready).await
    }

    async fn end(&self, t: &Try) -> Ending {
        match self.go(t).await.then {
            Then::End(ending) => ending,
            other => panic!("{other:?}"),
        }
    }
}

/// A job between two tries.
struct Try {
    job: Job,
    doc: Doc,
    tries: u32,
    attempts: u32,
    started: Option<Started>,
}

impl Try {
    fn attempt(&self, now: StoreTime) -> Attempt<'_> {
        Attempt {
            job: &self.job,
            id: JobId { n: 5, k: 0 },
            partition: Partition::new(3).unwrap(),
            doc: &self.doc,
            tries: self.tries,
            attempts: self.attempts,
            started: self.started.as_ref(),
            now,
        }
    }

    /// As after a try without an answer that began at `at`.
    fn lost(mut self, at: StoreTime) -> Self {
        self.tries = 1;
        self.attempts = 1;
        self.started = Some(Started { at, nonce: "n".into() });
        self
    }
}

fn wm() -> ExternalUserId {
    ExternalUserId::parse("wm1").unwrap()
}

fn li() -> UserId {
    UserId::parse("lisi").unwrap()
}

fn wk() -> OpenKfId {
    OpenKfId::parse("wk1").unwrap()
}

fn what(ending: &Ending) -> (Outcome, &str) {
    (ending.outcome, ending.reason.as_ref())
}
