//! In whose order things happen: the conversation, and the key that decides its partition.

use super::{AppName, Partition};
use crate::wecom::id::{ChatId, CorpId, ExternalUserId, OpenKfId, UserId};

/// Whose order an event belongs to (DESIGN, "Partitions").
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Conversation {
    /// Everything that names a contact: relations, kf messages, tags, quotas.
    Contact(CorpId, ExternalUserId),
    /// A member's chat with one app.
    MemberChat(CorpId, AppName, UserId),
    /// A customer group.
    Group(CorpId, ChatId),
    /// A kf account: doorbell and cursor.
    KfAccount(CorpId, OpenKfId),
    /// A broadcast by its id.
    Broadcast(CorpId, String),
    /// Kinds that name nobody, by event name.
    Corp(CorpId, String),
    /// Unknown kinds, by the SHA-256 (hex) of the payload.
    Payload(CorpId, String),
}

impl Conversation {
    /// Canonical key: a letter, then the parts with `/` between them. Part of the store's format: it is
    /// hashed into the partition and names the conversation's document. Ids never hold control characters;
    /// a slash inside an id is harmless because the key is split into a fixed number of parts from the left.
    pub fn key(&self) -> String {
        let join = |parts: &[&str]| {
            let mut key = String::with_capacity(parts.iter().map(|p| p.len() + 1).sum());
            for (i, part) in parts.iter().enumerate() {
                if i > 0 {
                    key.push('/');
                }
                key.push_str(part);
            }
            key
        };
        match self {
            Self::Contact(c, x) => join(&["c", c.as_str(), x.as_str()]),
            Self::MemberChat(c, a, u) => join(&["m", c.as_str(), a.as_str(), u.as_str()]),
            Self::Group(c, g) => join(&["g", c.as_str(), g.as_str()]),
            Self::KfAccount(c, k) => join(&["k", c.as_str(), k.as_str()]),
            Self::Broadcast(c, id) => join(&["b", c.as_str(), id]),
            Self::Corp(c, e) => join(&["e", c.as_str(), e]),
            Self::Payload(c, h) => join(&["u", c.as_str(), h]),
        }
    }

    /// Where this conversation lives.
    pub fn partition(&self) -> Partition {
        Partition::of_key(&self.key())
    }

    /// The corp it belongs to.
    pub fn corp(&self) -> &CorpId {
        match self {
            Self::Contact(c, _)
            | Self::MemberChat(c, _, _)
            | Self::Group(c, _)
            | Self::KfAccount(c, _)
            | Self::Broadcast(c, _)
            | Self::Corp(c, _)
            | Self::Payload(c, _) => c,
        }
    }
}

impl From<Conversation> for String {
    fn from(c: Conversation) -> Self {
        c.key()
    }
}

impl TryFrom<String> for Conversation {
    type Error = String;

    /// Reads back what [`Conversation::key`] wrote.
    fn try_from(key: String) -> Result<Self, String> {
        let bad = || format!("not a conversation key: {key:?}");
        let (kind, rest) = key.split_once('/').ok_or_else(bad)?;
        let (corp, rest) = rest.split_once('/').ok_or_else(bad)?;
        let corp = CorpId::parse(corp).map_err(|_| bad())?;
        Ok(match kind {
            "c" => Self::Contact(corp, ExternalUserId::parse(rest).map_err(|_| bad())?),
            "m" => {
                let (app, user) = rest.split_once('/').ok_or_else(bad)?;
                Self::MemberChat(corp, AppName::new(app), UserId::parse(user).map_err(|_| bad())?)
            }
            "g" => Self::Group(corp, ChatId::parse(rest).map_err(|_| bad())?),
            "k" => Self::KfAccount(corp, OpenKfId::parse(rest).map_err(|_| bad())?),
            "b" => Self::Broadcast(corp, rest.into()),
            "e" => Self::Corp(corp, rest.into()),
            "u" => Self::Payload(corp, rest.into()),
            _ => return Err(bad()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_reads_back_as_the_conversation_that_wrote_it() {
        let corp = CorpId::parse("ww1").unwrap();
        for c in [
            Conversation::Contact(corp.clone(), ExternalUserId::parse("wo/x").unwrap()),
            Conversation::MemberChat(corp.clone(), AppName::new("main"), UserId::parse("li.si").unwrap()),
            Conversation::KfAccount(corp.clone(), OpenKfId::parse("wk1").unwrap()),
            Conversation::Broadcast(corp.clone(), "b1".into()),
            Conversation::Corp(corp.clone(), "change_external_tag".into()),
        ] {
            assert_eq!(Conversation::try_from(c.key()).unwrap(), c);
        }
    }
}
