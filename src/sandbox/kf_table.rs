//! The tables of 微信客服 in a corp: accounts with their log, sessions, one-use codes.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Is a receptionist taking customers?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Duty {
    /// Receiving.
    On,
    /// Stopped.
    Off,
}

/// An account of 微信客服.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KfAccount {
    /// Name.
    pub name: String,
    /// Receptionists.
    #[serde(default)]
    pub servicers: BTreeMap<String, Duty>,
    /// Is it handed to the API (`manage_privilege`)?
    #[serde(default = "yes")]
    pub managed: bool,
    /// What `sync_msg` returns: (milliseconds, message).
    #[serde(skip)]
    pub(super) log: Vec<(i64, Value)>,
    /// How many of the next pages are empty although more follows.
    #[serde(skip)]
    pub(super) empty_pages: u32,
    /// Tokens of its callbacks and when they were given.
    #[serde(skip)]
    pub(super) bell_tokens: BTreeMap<String, i64>,
    /// Message ids ever used in it.
    #[serde(skip)]
    pub(super) msgids: BTreeSet<String>,
}

fn yes() -> bool {
    true
}

impl KfAccount {
    /// An account of that name with these receptionists on duty.
    pub fn new(name: &str, servicers: &[&str]) -> Self {
        Self {
            name: name.to_owned(),
            servicers: servicers.iter().map(|s| ((*s).to_owned(), Duty::On)).collect(),
            managed: true,
            log: Vec::new(),
            empty_pages: 0,
            bell_tokens: BTreeMap::new(),
            msgids: BTreeSet::new(),
        }
    }
}

/// What a kf customer and an account have between them.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Session {
    /// 0 untreated, 1 assistant, 2 pool, 3 human, 4 ended or not begun.
    pub state: i64,
    pub servicer: Option<String>,
    /// The customer's last message.
    pub wrote_ms: Option<i64>,
    /// The customer's last entering.
    pub entered_ms: Option<i64>,
    pub entered_scene: String,
    pub entered_param: String,
    /// The last welcome sent on an enter code.
    pub welcomed_ms: Option<i64>,
    /// API messages since the customer's last.
    pub sent: u32,
}

impl Default for Session {
    fn default() -> Self {
        Self {
            state: 4,
            servicer: None,
            wrote_ms: None,
            entered_ms: None,
            entered_scene: String::new(),
            entered_param: String::new(),
            welcomed_ms: None,
            sent: 0,
        }
    }
}

/// A one-use code for `kf/send_msg_on_event`.
#[derive(Debug, Clone)]
pub(super) struct KfCode {
    pub account: String,
    pub contact: String,
    pub until_ms: i64,
    /// The session must still be in this state; `None` for entering.
    pub state: Option<i64>,
    /// Menus are allowed (entering, ended).
    pub menu: bool,
}
