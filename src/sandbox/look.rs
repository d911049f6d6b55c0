//! What a test or a demo reads off a sandbox: calls, messages, callbacks, relations.

use std::time::Duration;

use serde_json::{Value, json};

use super::corp::{Corp, Relation, Seen};
use super::handle::Sandbox;
use super::post::Posted;
use super::world::Recorded;

impl Sandbox {
    /// Every API call so far.
    pub fn calls(&self) -> Vec<Recorded> {
        self.0.world().ledger.iter().cloned().collect()
    }

    /// The calls after the one with this number.
    pub fn calls_after(&self, no: u64) -> Vec<Recorded> {
        let world = self.0.world();
        let from = world.ledger.partition_point(|c| c.no <= no);
        world.ledger.range(from..).cloned().collect()
    }

    /// The calls of one path.
    pub fn calls_of(&self, path: &str) -> Vec<Recorded> {
        self.0
            .world()
            .ledger
            .iter()
            .filter(|c| c.path == path)
            .cloned()
            .collect()
    }

    /// What people saw, in order.
    pub fn messages(&self) -> Vec<Seen> {
        self.0
            .world()
            .corps
            .values()
            .flat_map(|c| c.seen.iter().cloned())
            .collect()
    }

    /// What one person saw.
    pub fn messages_to(&self, person: &str) -> Vec<Seen> {
        let world = self.0.world();
        world
            .corps
            .values()
            .flat_map(|c| c.seen.iter().filter(|m| m.to == person))
            .cloned()
            .collect()
    }

    /// What people of the first corp saw after the first `n` things: for telling a conversation as it happens.
    pub fn messages_from(&self, n: usize) -> Vec<Seen> {
        self.corp(None, |corp, _| corp.seen.iter().skip(n).cloned().collect())
            .unwrap_or_default()
    }

    /// Waits until `what` holds, looking every 5 ms; false when it does not within `most`.
    pub async fn until(&self, most: Duration, what: impl Fn(&Self) -> bool) -> bool {
        let looking = async {
            while !what(self) {
                crate::clock::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(most, looking).await.is_ok()
    }

    /// Every try of a callback so far.
    pub fn callbacks(&self) -> Vec<Posted> {
        self.0.world().posted.clone()
    }

    /// The relation of a pair in the first corp.
    pub fn relation(&self, member: &str, contact: &str) -> Option<Relation> {
        self.corp(None, |corp, _| corp.relation(member, contact).cloned())
            .ok()
            .flatten()
    }

    /// A pair's tags as `Group/Tag`, sorted.
    pub fn tags_of(&self, member: &str, contact: &str) -> Vec<String> {
        let tags = self.corp(None, |corp, _| {
            let Some(relation) = corp.relation(member, contact) else {
                return Vec::new();
            };
            let mut names: Vec<String> = corp
                .tag_groups
                .iter()
                .flat_map(|g| g.tags.iter().map(move |t| (g, t)))
                .filter(|(_, t)| relation.tags.contains(&t.id))
                .map(|(g, t)| format!("{}/{}", g.name, t.name))
                .collect();
            names.sort_unstable();
            names
        });
        tags.unwrap_or_default()
    }

    /// A kf session's state as WeCom shows it.
    pub fn kf_state(&self, account: &str, contact: &str) -> i64 {
        self.corp(None, |corp, now| super::kf_session::state(corp, account, contact, now))
            .unwrap_or(4)
    }

    /// The msgids of broadcasts so far.
    pub fn broadcasts(&self) -> Vec<String> {
        self.corp(None, |corp, _| {
            corp.broadcasts.iter().map(|b| b.msgid.clone()).collect()
        })
        .unwrap_or_default()
    }

    /// Who is there and who knows whom, for people and for tests over HTTP. Holds no secrets.
    pub fn state(&self) -> Value {
        self.with(|world, now| {
            let corps: Vec<Value> = world.corps.values().map(corp_state).collect();
            json!({"now_ms": now, "corps": corps, "faults": world.faults})
        })
    }
}

fn corp_state(corp: &Corp) -> Value {
    let relations: Vec<Value> = corp
        .relations
        .iter()
        .map(|((member, contact), r)| json!({"member": member, "contact": contact, "relation": r}))
        .collect();
    let sessions: Vec<Value> = corp
        .sessions
        .iter()
        .map(|((account, contact), s)| json!({"account": account, "contact": contact, "session": s}))
        .collect();
    let apps: Vec<Value> = corp
        .apps
        .iter()
        .map(|a| json!({"name": a.name, "agent_id": a.agent_id, "kinds": a.kinds, "callback_url": a.callback_url}))
        .collect();
    let tags: Vec<Value> = corp
        .tag_groups
        .iter()
        .flat_map(|g| {
            g.tags
                .iter()
                .map(move |t| json!({"id": t.id, "group": g.name, "tag": t.name}))
        })
        .collect();
    json!({
        "corp_id": corp.corp_id, "apps": apps, "members": corp.members, "contacts": corp.contacts,
        "relations": relations, "kf": corp.kf, "sessions": sessions, "tags": tags,
        "broadcasts": corp.broadcasts, "limits": corp.limits,
    })
}
