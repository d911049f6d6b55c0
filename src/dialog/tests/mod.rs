//! The room as a whole: raw entries in, decisions out, against real content files.

mod broadcast;
mod gate;
mod kf;
mod kf_event;
mod member;
mod pool;
mod property;
mod relation;
mod tags;
mod welcome;

use std::collections::BTreeMap;
use std::time::Duration;

use secrecy::SecretString;

use super::{Input, Undecidable, decide, may_start, settle, started};
use crate::content::Bundle;
use crate::model::entry::What;
use crate::model::job::TagName;
use crate::model::{
    Action, AppName, Conversation, CorpName, Decision, Doc, Ending, Entry, EntryBody, Job, JobId, Outcome, PlannedJob,
    StoreTime,
};
use crate::settings::{App, AppKind, BroadcastRule, ContentDirs, Corp, Kf, MonthQuota, Safety, Unmatched};
use crate::wecom::id::{CorpId, ExternalUserId, OpenKfId, UserId};

/// 2026-03-02, a Monday, 12:00:00 in China.
pub const NOON: i64 = 1_772_424_000_000;

/// A corp with its content, one conversation's document, and a clock that only the test moves.
pub struct House {
    _dir: tempfile::TempDir,
    pub corp: Corp,
    pub bundle: Bundle,
    pub doc: Doc,
    pub now: StoreTime,
    n: u64,
}

/// A job as the owner makes it from a plan.
pub struct Made {
    pub job: Job,
    pub id: JobId,
}

impl House {
    /// `channels` and `rules` as operators write them. The templates: `hello`, `night`, `price`, `help`, `two`.
    pub fn new(channels: &str, rules: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("config/channels.toml", channels);
        write("config/rules/all.toml", rules);
        for name in ["hello", "night", "price", "help", "two"] {
            write(&format!("templates/{name}.toml"), &format!("text = \"{name}\"\n"));
        }
        write(
            "templates/menu.toml",
            "[menu]\nhead = \"head\"\nitems = [{ id = \"a\", text = \"A\" }]\ntail = \"tail\"\n",
        );
        let corp = corp(dir.path());
        let bundle = match Bundle::load(&corp) {
            Ok((bundle, _)) => bundle,
            Err(faults) => panic!("{faults:#?}"),
        };
        Self {
            _dir: dir,
            corp,
            bundle,
            doc: Doc::default(),
            now: StoreTime(NOON),
            n: 0,
        }
    }

    /// Time passes.
    pub fn later(&mut self, by: Duration) {
        self.now = self.now.plus(by);
    }

    /// Decides an entry accepted now, twice, and keeps the document.
    pub fn try_decide(&mut self, body: EntryBody) -> Result<Decision, Undecidable> {
        self.try_decide_accepted(body, self.now)
    }

    /// The same for one accepted at another time.
    pub fn try_decide_accepted(&mut self, body: EntryBody, accepted: StoreTime) -> Result<Decision, Undecidable> {
        self.n += 1;
        let entry = Entry {
            n: self.n,
            accepted,
            body,
        };
        let input = Input {
            entry: &entry,
            doc: &self.doc,
            bundle: &self.bundle,
            corp: &self.corp,
            now: self.now,
        };
        let decision = decide(&input);
        assert_eq!(decision, decide(&input), "deciding twice gives the same decision");
        let decision = decision?;
        if let Some(doc) = &decision.doc {
            assert_eq!(Doc::decode(&doc.encode()).as_ref(), Ok(doc));
            self.doc = doc.clone();
        }
        Ok(decision)
    }

    /// `change_external_contact` of member `who` and the contact.
    pub fn change(&mut self, kind: &str, who: &str, more: &[(&str, &str)]) -> Decision {
        self.try_decide(self.change_body(kind, who, more)).unwrap()
    }

    /// Its entry.
    pub fn change_body(&self, kind: &str, who: &str, more: &[(&str, &str)]) -> EntryBody {
        let more: String = more
            .iter()
            .map(|(k, v)| format!("<{k}><![CDATA[{v}]]></{k}>"))
            .collect();
        let raw = format!(
            "<xml><ToUserName><![CDATA[ww1]]></ToUserName><FromUserName><![CDATA[sys]]></FromUserName>\
             <CreateTime>1772424000</CreateTime><MsgType><![CDATA[event]]></MsgType>\
             <Event><![CDATA[change_external_contact]]></Event><ChangeType><![CDATA[{kind}]]></ChangeType>\
             <UserID><![CDATA[{who}]]></UserID><ExternalUserID><![CDATA[wm1]]></ExternalUserID>{more}</xml>"
        );
        self.body(Conversation::Contact(corp_id(), contact()), What::Callback, raw)
    }

    /// A callback of member `zhangsan` to the app: its MsgType and further elements.
    pub fn member(&mut self, msg_type: &str, more: &[(&str, &str)]) -> Decision {
        self.try_decide(self.member_body(msg_type, more)).unwrap()
    }

    /// Its entry.
    pub fn member_body(&self, msg_type: &str, more: &[(&str, &str)]) -> EntryBody {
        let more: String = more
            .iter()
            .map(|(k, v)| format!("<{k}><![CDATA[{v}]]></{k}>"))
            .collect();
        let raw = format!(
            "<xml><ToUserName><![CDATA[ww1]]></ToUserName><FromUserName><![CDATA[zhangsan]]></FromUserName>\
             <CreateTime>1772424000</CreateTime><MsgType><![CDATA[{msg_type}]]></MsgType>{more}\
             <AgentID>1000002</AgentID></xml>"
        );
        let chat = Conversation::MemberChat(corp_id(), AppName::new("main"), member("zhangsan"));
        self.body(chat, What::Callback, raw)
    }

    /// A member's text.
    pub fn member_text(&mut self, text: &str) -> Decision {
        self.member("text", &[("Content", text), ("MsgId", "7")])
    }

    /// A text of the kf customer, written now.
    pub fn kf_text(&mut self, text: &str) -> Decision {
        let secs = self.now.0 / 1000;
        self.kf_text_sent(text, secs)
    }

    /// The same, written at another time.
    pub fn kf_text_sent(&mut self, text: &str, secs: i64) -> Decision {
        let json = serde_json::json!({
            "msgid": "m1", "open_kfid": "wk1", "external_userid": "wm1", "send_time": secs, "origin": 3,
            "msgtype": "text", "text": { "content": text },
        });
        self.kf(&json)
    }

    /// A kf event that happens now.
    pub fn kf_event(&mut self, mut event: serde_json::Value) -> Decision {
        event["open_kfid"] = "wk1".into();
        event["external_userid"] = "wm1".into();
        let json = serde_json::json!({
            "msgid": "e1", "send_time": self.now.0 / 1000, "origin": 4, "msgtype": "event", "event": event,
        });
        self.kf(&json)
    }

    /// Any element of `msg_list`.
    pub fn kf(&mut self, json: &serde_json::Value) -> Decision {
        let what = What::Kf {
            account: account(),
            first_served: StoreTime(NOON - 4 * 86_400_000),
        };
        let chat = Conversation::Contact(corp_id(), contact());
        self.try_decide(self.body(chat, what, json.to_string())).unwrap()
    }

    /// An entry of the app `main`.
    pub fn body(&self, conversation: Conversation, what: What, raw: String) -> EntryBody {
        EntryBody {
            conversation,
            app: AppName::new("main"),
            what,
            raw: raw.into_bytes(),
        }
    }

    /// The jobs of a decision as the owner makes them.
    pub fn make(&self, decision: &Decision) -> Vec<Made> {
        (0..)
            .zip(&decision.jobs)
            .map(|(k, planned)| Made {
                id: JobId { n: self.n, k },
                job: self.made(planned),
            })
            .collect()
    }

    fn made(&self, planned: &PlannedJob) -> Job {
        Job {
            corp: corp_id(),
            app: AppName::new("main"),
            conversation: Conversation::Contact(corp_id(), contact()),
            rule: planned.rule.clone(),
            accepted: self.now,
            deadline: planned.deadline,
            action: planned.action.clone(),
        }
    }

    /// Whether it may go, with the hash of what it says.
    pub fn asks(&self, made: &Made, said: u64) -> Option<Ending> {
        may_start(&self.doc, &made.job, 0, Some(said), self.now)
    }

    /// It goes out.
    pub fn starts(&mut self, made: &Made) {
        started(&mut self.doc, &made.job, 0, self.now);
    }

    /// It ends.
    pub fn ends(&mut self, made: &Made, ending: &Ending) -> Vec<EntryBody> {
        settle(&mut self.doc, &made.job, made.id, ending, self.now, &self.corp)
    }

    /// It ends without a word about what was said.
    pub fn ends_as(&mut self, made: &Made, outcome: Outcome, reason: &'static str) -> Vec<EntryBody> {
        self.ends(made, &Ending::new(outcome, reason))
    }
}

/// `word:template` or the word alone, for each job.
pub fn words(decision: &Decision) -> Vec<String> {
    decision
        .jobs
        .iter()
        .map(|j| match j.action.say() {
            Some(say) => format!("{}:{}", j.action.word(), say.template),
            None => j.action.word().into(),
        })
        .collect()
}

/// `what:reason`, for each thing left undone.
pub fn undone(decision: &Decision) -> Vec<String> {
    decision
        .skipped
        .iter()
        .map(|s| format!("{}:{}", s.what, s.reason))
        .collect()
}

/// Tags added by the decision, by member, as `Group/Tag`.
pub fn tagged(decision: &Decision) -> BTreeMap<String, Vec<String>> {
    decision
        .jobs
        .iter()
        .filter_map(|j| match &j.action {
            Action::MarkTags { member, add, .. } => {
                let tags = add.iter().map(|t| format!("{}/{}", t.group, t.tag)).collect();
                Some((member.to_string(), tags))
            }
            _ => None,
        })
        .collect()
}

pub fn tag(group: &str, tag: &str) -> TagName {
    TagName {
        group: group.into(),
        tag: tag.into(),
    }
}

pub fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

pub fn corp_id() -> CorpId {
    CorpId::parse("ww1").unwrap()
}

pub fn contact() -> ExternalUserId {
    ExternalUserId::parse("wm1").unwrap()
}

pub fn member(id: &str) -> UserId {
    UserId::parse(id).unwrap()
}

pub fn account() -> OpenKfId {
    OpenKfId::parse("wk1").unwrap()
}

fn corp(dir: &std::path::Path) -> Corp {
    Corp {
        name: CorpName::new("acme"),
        display_name: "某某咖啡".into(),
        corp_id: corp_id(),
        api_base: "http://127.0.0.1:1".into(),
        broadcast: BroadcastRule {
            per_day: Some(1),
            per_week: None,
            per_month: MonthQuota::Unlimited,
            member_per_day: None,
        },
        apps: vec![App {
            name: AppName::new("main"),
            kind: vec![AppKind::Contacts, AppKind::Kf, AppKind::Agent],
            agent_id: Some(1_000_002),
            secret: None,
            token: SecretString::from("t"),
            encoding_aes_key: SecretString::from("k"),
        }],
        kf: Kf {
            accounts: BTreeMap::from([("sales".into(), account())]),
            unmatched: Unmatched::Pool,
            max_age: secs(600),
            poll: secs(60),
        },
        safety: Safety {
            observe: false,
            only: Vec::new(),
            quiet_hours: None,
        },
        content: ContentDirs {
            dir: dir.join("config"),
            templates: dir.join("templates"),
            fallback: BTreeMap::new(),
        },
    }
}
