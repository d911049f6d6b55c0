//! What a sandbox starts with. [`Setup::coffee`] is the ready-made corp of tests and demo.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::corp::{App, Bond, Contact, Corp, Ids, Kind, Member, Relation};
use super::kf_table::KfAccount;
use super::limits::Limits;
use crate::wecom::crypto::AesKey;

/// A corp before it lives. Also readable from JSON.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setup {
    /// The corp's id.
    pub corp_id: String,
    /// Its apps.
    pub apps: Vec<App>,
    /// Its members, by userid.
    #[serde(default)]
    pub members: BTreeMap<String, Member>,
    /// Customers, by external_userid.
    #[serde(default)]
    pub contacts: BTreeMap<String, Contact>,
    /// Who already knows whom: (userid, external_userid).
    #[serde(default)]
    pub relations: Vec<(String, String)>,
    /// kf accounts, by open_kfid.
    #[serde(default)]
    pub kf: BTreeMap<String, KfAccount>,
    /// Numbers.
    #[serde(default)]
    pub limits: Limits,
}

impl Setup {
    /// 某某咖啡: corp `ww0123456789abcdef` with the app `main` (1000002: contacts, kf, agent), the members
    /// `zhangsan` 张三 and `lisi` 李四, the kf account `wkCoffee0001` with `lisi` on duty, and customers:
    /// `wmXiaoWang` 小王 and `wmXiaoLi` 小李 know nobody yet, `wmLaoChen` 老陈 knows both members,
    /// `wmLaoZhou` 老周 knows `zhangsan`.
    pub fn coffee() -> Self {
        Self::new("ww0123456789abcdef")
            .app("main", 1_000_002, &[Kind::Contacts, Kind::Kf, Kind::Agent])
            .member("zhangsan", "张三")
            .member("lisi", "李四")
            .contact("wmXiaoWang", "小王")
            .contact("wmXiaoLi", "小李")
            .contact("wmLaoChen", "老陈")
            .contact("wmLaoZhou", "老周")
            .related("zhangsan", "wmLaoChen")
            .related("lisi", "wmLaoChen")
            .related("zhangsan", "wmLaoZhou")
            .kf_account("wkCoffee0001", "某某咖啡客服", &["lisi"])
    }

    /// A corp where nobody is.
    pub fn new(corp_id: &str) -> Self {
        Self {
            corp_id: corp_id.to_owned(),
            apps: Vec::new(),
            members: BTreeMap::new(),
            contacts: BTreeMap::new(),
            relations: Vec::new(),
            kf: BTreeMap::new(),
            limits: Limits::default(),
        }
    }

    /// Adds an app; its secret is `NAME-secret`, its callback token `NAMEToken`, its key WeCom's public demo
    /// key (change them through [`Setup::apps`]).
    pub fn app(mut self, name: &str, agent_id: i64, kinds: &[Kind]) -> Self {
        self.apps.push(App {
            name: name.to_owned(),
            agent_id,
            secret: format!("{name}-secret"),
            kinds: kinds.iter().copied().collect::<BTreeSet<_>>(),
            callback_url: None,
            token: format!("{name}Token"),
            encoding_aes_key: "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C".to_owned(),
            visible: None,
        });
        self
    }

    /// Tells the last added app where its callbacks go.
    pub fn callback_url(mut self, url: &str) -> Self {
        if let Some(app) = self.apps.last_mut() {
            app.callback_url = Some(url.to_owned());
        }
        self
    }

    /// Adds a member.
    pub fn member(mut self, userid: &str, name: &str) -> Self {
        let member = Member {
            name: name.to_owned(),
            departments: vec![1],
            ..Member::default()
        };
        self.members.insert(userid.to_owned(), member);
        self
    }

    /// Adds a customer.
    pub fn contact(mut self, external_userid: &str, name: &str) -> Self {
        let contact = Contact {
            name: name.to_owned(),
            ..Contact::default()
        };
        self.contacts.insert(external_userid.to_owned(), contact);
        self
    }

    /// These two know each other.
    pub fn related(mut self, userid: &str, external_userid: &str) -> Self {
        self.relations.push((userid.to_owned(), external_userid.to_owned()));
        self
    }

    /// Adds a kf account with receptionists on duty.
    pub fn kf_account(mut self, open_kfid: &str, name: &str, servicers: &[&str]) -> Self {
        self.kf.insert(open_kfid.to_owned(), KfAccount::new(name, servicers));
        self
    }

    /// Changes numbers.
    pub fn limits(mut self, change: impl FnOnce(&mut Limits)) -> Self {
        change(&mut self.limits);
        self
    }

    /// Brings the corp to life, or says which app's key is none.
    pub(super) fn build(self, seed: String, now: i64) -> Result<Corp, String> {
        for app in &self.apps {
            if AesKey::parse(&app.encoding_aes_key).is_err() {
                return Err(format!(
                    "app {}: the EncodingAESKey is not 43 characters of base64",
                    app.name
                ));
            }
        }
        let relations = self.relations.into_iter().map(|pair| {
            let mut relation = Relation::new(Bond::Full, now);
            relation.welcomed = true;
            (pair, relation)
        });
        Ok(Corp {
            corp_id: self.corp_id,
            limits: self.limits,
            apps: self.apps,
            members: self.members,
            contacts: self.contacts,
            relations: relations.collect(),
            kf: self.kf,
            ids: Ids { seed, next: 0 },
            ..Corp::default()
        })
    }
}
