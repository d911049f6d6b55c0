//! Facts that a template uses and the document lacks: asked of WeCom just before the call, in parallel, within a
//! short time. What is not known by then is left to the template's word for it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::Inner;
use super::cache::Life;
use super::facts::FactPatch;
use crate::content::Fact;
use crate::model::doc::Doc;
use crate::model::{Action, Job};
use crate::settings::AppKind;
use crate::wecom::api::{AccountList, ContactGot, CustomerBatchGet, GetContact, KfAccount, NonEmpty, UserGet};
use crate::wecom::id::{ExternalUserId, OpenKfId, UserId};

/// A welcome waits no longer than this for all its facts, everything else no longer than the other.
const FOR_WELCOME: Duration = Duration::from_millis(1500);
const ELSE: Duration = Duration::from_secs(3);
/// Names of members and accounts are asked anew after a day.
const LIFE: Duration = Duration::from_secs(86_400);

/// Whom a job's template may speak of.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct People<'a> {
    pub(super) contact: Option<&'a ExternalUserId>,
    pub(super) member: Option<&'a UserId>,
    pub(super) account: Option<&'a OpenKfId>,
}

impl<'a> People<'a> {
    pub(super) fn of(action: &'a Action) -> Self {
        match action {
            Action::Welcome { member, contact, .. } | Action::MarkTags { member, contact, .. } => Self {
                contact: Some(contact),
                member: Some(member),
                account: None,
            },
            Action::KfEventMessage { account, contact, .. }
            | Action::KfMessage { account, contact, .. }
            | Action::KfPool { account, contact } => Self {
                contact: Some(contact),
                member: None,
                account: Some(account),
            },
            Action::AppMessage { member, .. } => Self {
                member: Some(member),
                ..Self::default()
            },
            Action::KfPull { account, .. } => Self {
                account: Some(account),
                ..Self::default()
            },
            Action::ReadContact { contact } => Self {
                contact: Some(contact),
                ..Self::default()
            },
            Action::BroadcastChunk { sender, .. } => Self {
                member: sender.as_ref(),
                ..Self::default()
            },
        }
    }
}

/// Name and alias of a member, as shared.
#[derive(serde::Serialize, serde::Deserialize)]
struct Names {
    name: String,
    alias: String,
}

impl Inner {
    /// Puts the values of `facts` into `values`, from the document or from WeCom.
    pub(super) async fn look_up(
        self: &Arc<Self>,
        job: &Job,
        doc: &Doc,
        facts: &[Fact],
        values: &mut BTreeMap<String, String>,
    ) -> FactPatch {
        let people = People::of(&job.action);
        let wants = |any: &[Fact]| facts.iter().any(|f| any.contains(f));
        let notes = wants(&[Fact::ContactRemark, Fact::ContactTags]);
        let known = doc.contact.as_ref();
        let name_known = known.is_some_and(|c| c.name.is_some());
        let read = known.is_some_and(|c| c.read.is_some());
        let ask_contact = (wants(&[Fact::ContactName]) && !name_known) || (notes && !read);
        let within = if matches!(job.action, Action::Welcome { .. }) {
            FOR_WELCOME
        } else {
            ELSE
        };
        let (patch, member, kf) = tokio::join!(
            in_time(within, self.contact(job, &people, notes), ask_contact),
            in_time(
                within,
                self.member(job, &people),
                wants(&[Fact::MemberName, Fact::MemberAlias])
            ),
            in_time(within, self.kf_name(job, &people), wants(&[Fact::KfName])),
        );
        let patch = patch.unwrap_or_default();
        let mut seen = doc.clone();
        patch.apply(&mut seen, self.clock.now());
        contact_values(&seen, people.member, values);
        if let Some(names) = member {
            put(values, "member.name", names.name);
            put(values, "member.alias", names.alias);
        }
        put(values, "kf.name", kf.unwrap_or_default());
        patch
    }

    async fn contact(self: &Arc<Self>, job: &Job, people: &People<'_>, notes: bool) -> Option<FactPatch> {
        let contact = people.contact?;
        // kf customers need not be anybody's contact; their nickname is known to kf.
        if people.account.is_some() && !notes {
            let api = self.api(&job.corp, &job.app, AppKind::Kf).ok()?;
            let call = CustomerBatchGet {
                external_userid_list: NonEmpty::one(contact.clone()),
            };
            let found = api.call(&call).await.ok()?;
            let name = found
                .customer_list
                .into_iter()
                .find(|c| &c.external_userid == contact)?
                .nickname;
            return Some(FactPatch {
                name: (!name.is_empty()).then_some(name),
                ..FactPatch::default()
            });
        }
        let got = self.read_contact(job, contact).await.ok()?;
        Some(FactPatch::of_contact(&got))
    }

    /// The contact with the members of all pages (500 a page; nobody has twenty pages).
    pub(super) async fn read_contact(
        self: &Arc<Self>,
        job: &Job,
        contact: &ExternalUserId,
    ) -> Result<ContactGot, super::api::CallError> {
        let api = self
            .api(&job.corp, &job.app, AppKind::Contacts)
            .map_err(super::api::CallError::NotSent)?;
        let mut whole: Option<ContactGot> = None;
        let mut cursor = None;
        for _ in 0..20 {
            let call = GetContact {
                external_userid: contact.clone(),
                cursor: cursor.clone(),
            };
            let page = api.call(&call).await?;
            let next = (!page.next_cursor.is_empty()).then(|| page.next_cursor.clone());
            match &mut whole {
                Some(w) => w.follow_user.extend(page.follow_user),
                None => whole = Some(page),
            }
            if next.is_none() || next == cursor {
                break;
            }
            cursor = next;
        }
        whole.ok_or(super::api::CallError::Unclear("answer_shape"))
    }

    async fn member(self: &Arc<Self>, job: &Job, people: &People<'_>) -> Option<Names> {
        let member = people.member?;
        let key = format!("user/{member}");
        if let Some(v) = self.known(&job.corp, &key).await {
            return serde_json::from_str(&v).ok();
        }
        let api = [AppKind::Agent, AppKind::Contacts, AppKind::Kf]
            .into_iter()
            .find_map(|k| self.api(&job.corp, &job.app, k).ok())?;
        let call = UserGet { userid: member.clone() };
        let m = api.call(&call).await.ok()?;
        let names = Names {
            name: m.name,
            alias: m.alias,
        };
        if let Ok(text) = serde_json::to_string(&names) {
            self.keep(&job.corp, &key, &text, Life::of(LIFE)).await;
        }
        Some(names)
    }

    async fn kf_name(self: &Arc<Self>, job: &Job, people: &People<'_>) -> Option<String> {
        let account = people.account?;
        let key = format!("kf/{account}");
        if let Some(v) = self.known(&job.corp, &key).await {
            return Some(v.to_string());
        }
        let found = self
            .kf_accounts(job)
            .await?
            .into_iter()
            .find(|a| &a.open_kfid == account)?;
        self.keep(&job.corp, &key, &found.name, Life::of(LIFE)).await;
        Some(found.name)
    }

    async fn kf_accounts(self: &Arc<Self>, job: &Job) -> Option<Vec<KfAccount>> {
        let api = self.api(&job.corp, &job.app, AppKind::Kf).ok()?;
        let mut all = Vec::new();
        for page in 0..50 {
            let call = AccountList {
                offset: page * 100,
                limit: 100,
            };
            let accounts = api.call(&call).await.ok()?.account_list;
            let last = accounts.len() < 100;
            all.extend(accounts);
            if last {
                break;
            }
        }
        Some(all)
    }
}

async fn in_time<T>(within: Duration, look: impl Future<Output = Option<T>>, wanted: bool) -> Option<T> {
    if !wanted {
        return None;
    }
    tokio::time::timeout(within, look).await.ok().flatten()
}

/// Empty values are unknown ones: the fallback word speaks.
fn put(values: &mut BTreeMap<String, String>, name: &str, value: String) {
    if !value.is_empty() {
        values.entry(name.to_owned()).or_insert(value);
    }
}

fn contact_values(doc: &Doc, member: Option<&UserId>, values: &mut BTreeMap<String, String>) {
    let Some(contact) = &doc.contact else { return };
    put(values, "contact.name", contact.name.clone().unwrap_or_default());
    let relation = member.map_or_else(|| contact.relations.values().next(), |m| contact.relations.get(m));
    if let Some(r) = relation {
        put(values, "contact.remark", r.remark.clone().unwrap_or_default());
        let tags: Vec<&str> = r.tags.iter().map(|t| t.tag.as_str()).collect();
        put(values, "contact.tags", tags.join("、"));
    }
}
