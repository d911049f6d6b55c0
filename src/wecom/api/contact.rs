//! 客户联系: tags, remarks, reading a contact.

use serde::{Deserialize, Serialize};

use super::{Call, Done, Repeat, Wire, json, null};
use crate::wecom::id::{ExternalUserId, UserId};

/// `POST externalcontact/mark_tag`: tags of one member × contact. Idempotent by nature.
#[derive(Debug, Clone, Serialize)]
pub struct MarkTag {
    /// Whose tags they are …
    pub userid: UserId,
    /// … on whom.
    pub external_userid: ExternalUserId,
    /// Ids to set.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub add_tag: Vec<String>,
    /// Ids to take away.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub remove_tag: Vec<String>,
}

impl Call for MarkTag {
    const PATH: &'static str = "externalcontact/mark_tag";
    const REPEAT: Repeat = Repeat::Safe;
    type Answer = Done;

    fn wire(&self) -> Wire {
        json(self)
    }
}

/// `POST externalcontact/get_corp_tag_list`: the whole library.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct GetCorpTagList {}

/// The library.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
pub struct CorpTagList {
    /// Groups.
    #[serde(default, deserialize_with = "null")]
    pub tag_group: Vec<TagGroup>,
}

/// One group of tags.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
pub struct TagGroup {
    /// Its id.
    #[serde(default, deserialize_with = "null")]
    pub group_id: String,
    /// Its name.
    #[serde(default, deserialize_with = "null")]
    pub group_name: String,
    /// True for one that was deleted.
    #[serde(default, deserialize_with = "null")]
    pub deleted: bool,
    /// Its tags.
    #[serde(default, deserialize_with = "null")]
    pub tag: Vec<Tag>,
}

/// One tag.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
pub struct Tag {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// True for one that was deleted.
    #[serde(default, deserialize_with = "null")]
    pub deleted: bool,
}

impl Call for GetCorpTagList {
    const PATH: &'static str = "externalcontact/get_corp_tag_list";
    const REPEAT: Repeat = Repeat::Safe;
    type Answer = CorpTagList;

    fn wire(&self) -> Wire {
        json(self)
    }
}

/// `POST externalcontact/add_corp_tag`: tags of one group, made with it if there is none of that name. A name
/// that exists answers 40071, so a repeat makes nothing twice.
#[derive(Debug, Clone, Serialize)]
pub struct AddCorpTag {
    /// ≤ 30 characters
    pub group_name: String,
    /// At least one.
    pub tag: Vec<NewTag>,
}

/// A tag to be made.
#[derive(Debug, Clone, Serialize)]
pub struct NewTag {
    /// ≤ 30 characters
    pub name: String,
}

/// What was made.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
pub struct CorpTagAdded {
    /// The group with the new tags.
    #[serde(default, deserialize_with = "null")]
    pub tag_group: TagGroup,
}

impl Call for AddCorpTag {
    const PATH: &'static str = "externalcontact/add_corp_tag";
    const REPEAT: Repeat = Repeat::Safe;
    type Answer = CorpTagAdded;

    fn wire(&self) -> Wire {
        json(self)
    }
}

/// `POST externalcontact/remark`.
#[derive(Debug, Clone, Serialize)]
pub struct Remark {
    /// Whose remark …
    pub userid: UserId,
    /// … on whom.
    pub external_userid: ExternalUserId,
    /// ≤ 20 characters
    pub remark: String,
}

impl Call for Remark {
    const PATH: &'static str = "externalcontact/remark";
    const REPEAT: Repeat = Repeat::Safe;
    type Answer = Done;

    fn wire(&self) -> Wire {
        json(self)
    }
}

/// `GET externalcontact/get`.
#[derive(Debug, Clone)]
pub struct GetContact {
    /// Whom.
    pub external_userid: ExternalUserId,
    /// `next_cursor` of the page before (a contact with more than 500 members).
    pub cursor: Option<String>,
}

/// A contact as WeCom knows it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ContactGot {
    /// The person.
    pub external_contact: ExternalContact,
    /// The members who have this contact.
    #[serde(default, deserialize_with = "null")]
    pub follow_user: Vec<FollowUser>,
    /// Not empty: there are more members.
    #[serde(default, deserialize_with = "null")]
    pub next_cursor: String,
}

/// The person.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ExternalContact {
    /// Nickname.
    #[serde(default, deserialize_with = "null")]
    pub name: String,
}

/// One member who has this contact.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct FollowUser {
    /// Member.
    pub userid: UserId,
    /// The member's remark.
    #[serde(default, deserialize_with = "null")]
    pub remark: String,
    /// Channel `state`.
    #[serde(default, deserialize_with = "null")]
    pub state: String,
    /// Tags of this pair.
    #[serde(default, deserialize_with = "null")]
    pub tags: Vec<FollowTag>,
}

/// One tag of a pair.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct FollowTag {
    /// Group.
    #[serde(default, deserialize_with = "null")]
    pub group_name: String,
    /// Name.
    #[serde(default, deserialize_with = "null")]
    pub tag_name: String,
}

impl Call for GetContact {
    const PATH: &'static str = "externalcontact/get";
    const REPEAT: Repeat = Repeat::Safe;
    type Answer = ContactGot;

    fn wire(&self) -> Wire {
        let mut query = vec![("external_userid", self.external_userid.to_string())];
        if let Some(cursor) = &self.cursor {
            query.push(("cursor", cursor.clone()));
        }
        Wire::Get(query)
    }
}
