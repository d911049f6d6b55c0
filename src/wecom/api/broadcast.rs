//! 企业群发: `add_msg_template`.

use serde::{Deserialize, Serialize};

use super::message::{Attachment, Text};
use super::{Call, NonEmpty, Repeat, Wire, json, null};
use crate::wecom::id::{ExternalUserId, UserId};

/// `POST externalcontact/add_msg_template`: makes a task that members confirm. Recipients are always named; a
/// sender alone (all customers of that member) or a tag filter cannot be said. There is no message id of ours:
/// never repeated when the answer is lost.
#[derive(Debug, Clone, Serialize)]
pub struct AddMsgTemplate {
    chat_type: &'static str,
    external_userid: NonEmpty<ExternalUserId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sender: Option<UserId>,
    allow_select: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<Text>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attachments: Vec<Attachment>,
}

impl AddMsgTemplate {
    /// `None` when there is nothing to say. At most [`crate::wecom::limits::BROADCAST_RECIPIENTS`] people: who
    /// makes the list sees to it by [`NonEmpty::new`].
    pub fn new(
        to: NonEmpty<ExternalUserId>,
        sender: Option<UserId>,
        text: Option<String>,
        attachments: Vec<Attachment>,
    ) -> Option<Self> {
        let text = text.filter(|t| !t.is_empty()).map(Text::new);
        (text.is_some() || !attachments.is_empty()).then_some(Self {
            chat_type: "single",
            external_userid: to,
            sender,
            allow_select: false,
            text,
            attachments,
        })
    }
}

/// The task.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
pub struct MsgTemplateAdded {
    /// Whom it will not reach although errcode is 0.
    #[serde(default, deserialize_with = "null")]
    pub fail_list: Vec<String>,
    /// Its id, for results.
    #[serde(default, deserialize_with = "null")]
    pub msgid: String,
}

impl Call for AddMsgTemplate {
    const PATH: &'static str = "externalcontact/add_msg_template";
    const REPEAT: Repeat = Repeat::Never;
    type Answer = MsgTemplateAdded;

    fn wire(&self) -> Wire {
        json(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broadcast_names_its_people_and_says_that_members_may_not_choose_others() {
        let to = NonEmpty::new(vec![ExternalUserId::parse("wm1").unwrap()], 10_000).unwrap();
        let call = AddMsgTemplate::new(to, None, Some("x".into()), vec![]).unwrap();
        let Wire::Post(body) = call.wire() else { panic!() };
        assert_eq!(
            String::from_utf8(body).unwrap(),
            r#"{"chat_type":"single","external_userid":["wm1"],"allow_select":false,"text":{"content":"x"}}"#
        );
        assert!(NonEmpty::<ExternalUserId>::new(vec![], 10_000).is_none());
    }
}
