//! What a call taught us: to be written into the conversation's document by its owner.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::StoreTime;
use crate::model::doc::{Doc, Stage};
use crate::model::job::TagName;
use crate::wecom::api::ContactGot;
use crate::wecom::id::{OpenKfId, UserId};

/// Facts learnt on the way to a job's end. Applying one twice changes nothing more.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FactPatch {
    /// The contact's name.
    pub name: Option<String>,
    /// The contact was read whole: what each member has noted.
    pub read: Option<BTreeMap<UserId, MemberNotes>>,
    /// The session with this account is in this state.
    pub session: Option<(OpenKfId, u8)>,
    /// WeCom counted five messages since the customer's last one.
    pub allowance_used: Option<OpenKfId>,
    /// WeCom knows no contact between this member and the customer.
    pub not_a_friend: Option<UserId>,
}

/// What one member has noted about a contact.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MemberNotes {
    /// Remark, if there is one.
    pub remark: Option<String>,
    /// Channel state, if there is one.
    pub state: Option<String>,
    /// Tags.
    pub tags: BTreeSet<TagName>,
}

impl FactPatch {
    /// True when there is nothing to write.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Takes over what `other` knows and this does not.
    pub fn merge(&mut self, other: Self) {
        self.name = self.name.take().or(other.name);
        self.read = self.read.take().or(other.read);
        self.session = self.session.take().or(other.session);
        self.allowance_used = self.allowance_used.take().or(other.allowance_used);
        self.not_a_friend = self.not_a_friend.take().or(other.not_a_friend);
    }

    /// From `externalcontact/get`.
    pub(super) fn of_contact(got: &ContactGot) -> Self {
        let some = |s: &str| (!s.is_empty()).then(|| s.to_owned());
        let notes = got.follow_user.iter().map(|f| {
            let tags = f.tags.iter().filter(|t| !t.tag_name.is_empty()).map(|t| TagName {
                group: t.group_name.clone(),
                tag: t.tag_name.clone(),
            });
            let notes = MemberNotes {
                remark: some(&f.remark),
                state: some(&f.state),
                tags: tags.collect(),
            };
            (f.userid.clone(), notes)
        });
        Self {
            name: some(&got.external_contact.name),
            read: Some(notes.collect()),
            ..Self::default()
        }
    }

    /// Writes the facts into the document. Stages of relations follow events, not look-ups, with two exceptions:
    /// a relation older than our first event becomes known here, and one that WeCom denies ends here.
    pub fn apply(&self, doc: &mut Doc, now: StoreTime) {
        if self.is_empty() {
            return;
        }
        let contact = doc.contact_mut();
        if let Some(name) = &self.name {
            contact.name = Some(name.clone());
        }
        if let Some(read) = &self.read {
            contact.read = Some(now);
            for (member, notes) in read {
                let relation = contact.relations.entry(member.clone()).or_default();
                relation.remark.clone_from(&notes.remark);
                relation.tags.clone_from(&notes.tags);
                relation.state = relation.state.take().or_else(|| notes.state.clone());
                if relation.stage == Stage::None {
                    relation.stage = Stage::Full;
                }
            }
        }
        if let Some((account, state)) = &self.session {
            doc.kf_mut(account).state = Some(*state);
        }
        if let Some(account) = &self.allowance_used {
            doc.kf_mut(account).sent = 5;
        }
        if let Some(member) = &self.not_a_friend {
            let relation = doc.relation_mut(member);
            if relation.stage != Stage::Half {
                relation.stage = Stage::Removed;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_a_contact_fills_its_relations_and_moves_no_known_stage() {
        let got: ContactGot = serde_json::from_str(
            r#"{"external_contact":{"name":"小王"},"follow_user":[
                {"userid":"li","remark":"王总","tags":[{"group_name":"G","tag_name":"T"}]},{"userid":"zh","tags":null}]}"#,
        )
        .unwrap();
        let (li, zh) = (UserId::parse("li").unwrap(), UserId::parse("zh").unwrap());
        let mut doc = Doc::default();
        doc.relation_mut(&zh).stage = Stage::Half;
        FactPatch::of_contact(&got).apply(&mut doc, StoreTime(9));
        let c = doc.contact.unwrap();
        assert_eq!((c.name.as_deref(), c.read), (Some("小王"), Some(StoreTime(9))));
        assert_eq!(c.relations[&li].stage, Stage::Full);
        assert_eq!(c.relations[&li].tags.len(), 1);
        assert_eq!(c.relations[&zh].stage, Stage::Half);
    }

    #[test]
    fn an_empty_patch_makes_no_contact() {
        let mut doc = Doc::default();
        FactPatch::default().apply(&mut doc, StoreTime(1));
        assert_eq!(doc, Doc::default());
    }
}
