//! Settings: `config/gateway.toml` and the environment, typed and checked whole before anything is opened.
//!
//! In: the file, the environment, and the defaults of `default.toml` (compiled in; that file documents every key).
//! Out: [`Settings`], or every fault at once with its place, value (never a secret's) and remedy. The way:
//! `tree` (TOML with places) → `env` (overrides) → defaults below → `read` and `corp` (types, by way of `section`
//! and `value`). What the content files say is not known here.

mod corp;
mod env;
mod faults;
mod read;
mod secret;
mod section;
mod tree;
mod value;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

use crate::model::{AppName, CorpName};
use crate::wecom::id::{CorpId, OpenKfId};

/// Everything that an operator sets, after all checks.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `[server]`
    pub server: Server,
    /// `[store]`
    pub store: StoreSettings,
    /// `[content]`
    pub content: ContentDirs,
    /// `[[corp]]`, at least one, names and ids unique.
    pub corps: Vec<Corp>,
}

/// `[server]`
#[derive(Debug, Clone)]
pub struct Server {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Locked file: this node's identity and the store generation it knew.
    pub node: PathBuf,
    /// At most this many partitions, 0..=64; 0: intake only.
    pub max_partitions: u8,
}

/// `[store]`
#[derive(Debug, Clone)]
pub struct StoreSettings {
    /// Which store.
    pub url: StoreUrl,
    /// Redis only.
    pub durability: Durability,
    /// Redis only: the local spool; `None`: no spool, the store's absence is a 503.
    pub spool: Option<PathBuf>,
    /// How long decided entries are kept for replay (`journal.keep`, default 24 h).
    pub keep: Duration,
}

/// `store.url`
#[derive(Debug, Clone)]
pub enum StoreUrl {
    /// `sqlite:PATH`
    Sqlite(PathBuf),
    /// `redis://` or `rediss://`; may hold a password, so it cannot print itself.
    Redis(SecretString),
}

/// `store.durability`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// AOF on.
    Os,
    /// `appendfsync always`.
    Fsync,
    /// Also `WAIT 1`.
    Replica,
    /// No AOF, by this explicit word.
    Memory,
}

/// Where the content lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentDirs {
    /// channels.toml, members.toml, rules/*.toml.
    pub dir: PathBuf,
    /// *.toml and media.
    pub templates: PathBuf,
    /// `[content].fallback`: words for values not known in time.
    pub fallback: BTreeMap<String, String>,
}

/// `[[corp]]`
#[derive(Debug, Clone)]
pub struct Corp {
    /// Name in URLs and metrics.
    pub name: CorpName,
    /// `{{ corp.name }}`; the name when missing.
    pub display_name: String,
    /// `ww…`
    pub corp_id: CorpId,
    /// Without a slash at the end.
    pub api_base: String,
    /// Quota rule for broadcasts.
    pub broadcast: BroadcastRule,
    /// `[[corp.app]]`, at least one, names unique.
    pub apps: Vec<App>,
    /// `[corp.kf]`
    pub kf: Kf,
    /// `[corp.safety]`
    pub safety: Safety,
    /// This corp's own content, else the common one.
    pub content: ContentDirs,
}

/// `broadcast = …`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BroadcastRule {
    /// Per corp × contact and day.
    pub per_day: Option<u32>,
    /// Per week.
    pub per_week: Option<u32>,
    /// Per month.
    pub per_month: MonthQuota,
    /// Per member × contact and day.
    pub member_per_day: Option<u32>,
}

/// A month's allowance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MonthQuota {
    /// No limit by month.
    Unlimited,
    /// A number.
    Count(u32),
    /// As many as the month has days (`month_days`).
    DaysOfMonth,
}

/// `[[corp.app]]`
#[derive(Debug, Clone)]
pub struct App {
    /// Name in URLs, metrics, keys.
    pub name: AppName,
    /// What its secret may call.
    pub kind: Vec<AppKind>,
    /// Where the kind has one.
    pub agent_id: Option<i64>,
    /// Missing for an app that only receives.
    pub secret: Option<SecretString>,
    /// Callback token.
    pub token: SecretString,
    /// EncodingAESKey, 43 characters, checked.
    pub encoding_aes_key: SecretString,
}

/// What an app's secret may call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AppKind {
    /// 客户联系
    Contacts,
    /// 微信客服
    Kf,
    /// Messages to and from members.
    Agent,
    /// 智能机器人
    Bot,
}

impl AppKind {
    /// The word in the settings and in `no_app_for:<kind>`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Contacts => "contacts",
            Self::Kf => "kf",
            Self::Agent => "agent",
            Self::Bot => "bot",
        }
    }
}

/// `[corp.kf]`
#[derive(Debug, Clone)]
pub struct Kf {
    /// Short names for rules → accounts. Empty: all that are authorised.
    pub accounts: BTreeMap<String, OpenKfId>,
    /// What to do with messages that no rule answers.
    pub unmatched: Unmatched,
    /// Older messages are not answered. Default 10 min.
    pub max_age: Duration,
    /// The slow poll. Default 60 s.
    pub poll: Duration,
}

/// `kf.unmatched`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unmatched {
    /// To the waiting pool, once per session.
    Pool,
    /// Silence, counted.
    Silent,
}

/// `[corp.safety]`
#[derive(Debug, Clone)]
pub struct Safety {
    /// True: nothing that changes WeCom is called.
    pub observe: bool,
    /// Not empty: only effects on these `userid`s / `external_userid`s are made.
    pub only: Vec<String>,
    /// Minutes of the day in China, from–to; proactive messages only.
    pub quiet_hours: Option<(u16, u16)>,
}

impl Corp {
    /// An app by name.
    pub fn app(&self, name: &str) -> Option<&App> {
        self.apps.iter().find(|a| a.name.as_str() == name)
    }

    /// The app whose token a call of this kind uses: the one that received the event if it has the kind and a
    /// secret, else the first app of the corp that has both (DESIGN, "gateway.toml").
    pub fn app_for(&self, received: &str, kind: AppKind) -> Option<&App> {
        let able = |a: &&App| a.kind.contains(&kind) && a.secret.is_some();
        self.app(received).filter(able).or_else(|| self.apps.iter().find(able))
    }
}

impl Settings {
    /// A corp by its name in URLs.
    pub fn corp(&self, name: &str) -> Option<&Corp> {
        self.corps.iter().find(|c| c.name.as_str() == name)
    }

    /// A corp by its id, as keys of the store name it.
    pub fn corp_by_id(&self, id: &CorpId) -> Option<&Corp> {
        self.corps.iter().find(|c| &c.corp_id == id)
    }
}
