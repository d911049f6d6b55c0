//! Members: `user/get`.

use serde::Deserialize;

use super::{Call, Repeat, Wire, null};
use crate::wecom::id::UserId;

/// `GET user/get`: a member in the app's visible range.
#[derive(Debug, Clone)]
pub struct UserGet {
    /// Whom.
    pub userid: UserId,
}

/// A member.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
pub struct Member {
    /// Name.
    #[serde(default, deserialize_with = "null")]
    pub name: String,
    /// Alias, empty where there is none.
    #[serde(default, deserialize_with = "null")]
    pub alias: String,
}

impl Call for UserGet {
    const PATH: &'static str = "user/get";
    const REPEAT: Repeat = Repeat::Safe;
    type Answer = Member;

    fn wire(&self) -> Wire {
        Wire::Get(vec![("userid", self.userid.to_string())])
    }
}
