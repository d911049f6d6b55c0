//! A corp and its apps for tests of this room and of those above it.

use crate::model::{AppName, CorpName};
use crate::settings::{App, AppKind, BroadcastRule, ContentDirs, Corp, Kf, MonthQuota, Safety, Unmatched};
use crate::wecom::id::CorpId;

pub(crate) const TOKEN: &str = "QDG6eK";
pub(crate) const KEY: &str = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C";
pub(crate) const CORP_ID: &str = "wx5823bf96d3bd56c7";

pub(crate) fn app(name: &str, kind: AppKind) -> App {
    App {
        name: AppName::new(name),
        kind: vec![kind],
        agent_id: None,
        secret: None,
        token: TOKEN.into(),
        encoding_aes_key: KEY.into(),
    }
}

pub(crate) fn corp(apps: Vec<App>) -> Corp {
    Corp {
        name: CorpName::new("acme"),
        display_name: "acme".into(),
        corp_id: CorpId::parse(CORP_ID).unwrap(),
        api_base: String::new(),
        broadcast: BroadcastRule {
            per_day: None,
            per_week: None,
            per_month: MonthQuota::Unlimited,
            member_per_day: None,
        },
        apps,
        kf: Kf {
            accounts: Default::default(),
            unmatched: Unmatched::Silent,
            max_age: Default::default(),
            poll: Default::default(),
        },
        safety: Safety {
            observe: false,
            only: vec![],
            quiet_hours: None,
        },
        content: ContentDirs {
            dir: Default::default(),
            templates: Default::default(),
            fallback: Default::default(),
        },
    }
}
