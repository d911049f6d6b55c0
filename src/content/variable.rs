//! The variables of templates: where each may be used, whether it may be missing, how long it can get.
//!
//! | variable | means | known in |
//! |---|---|---|
//! | `contact.name` `contact.remark` `contact.tags` `contact.is_new` | the customer | welcome, kf |
//! | `member.name` `member.alias` `member.userid` | the member | welcome, broadcast, app and bot messages |
//! | `corp.name` | `display_name` of the settings | everywhere, never missing |
//! | `channel.name` `channel.state` `channel.param` | the channel the contact came by | welcome |
//! | `kf.name` `kf.scene` `kf.scene_param` | the kf account and how the customer entered | kf |
//! | `message.text` `message.keyword` | what was said | answers to messages |
//! | `greeting` `date` `time` `weekday` | the event's time in China | everywhere, never missing |

use super::Place;

/// A value that a template uses and that is a fact to be known, not a value the event brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Fact {
    /// `contact.name`
    ContactName,
    /// `contact.remark`
    ContactRemark,
    /// `contact.tags`
    ContactTags,
    /// `member.name`
    MemberName,
    /// `member.alias`
    MemberAlias,
    /// `kf.name`
    KfName,
}

/// How well a place knows a variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// Usually or always.
    Yes,
    /// Never, so the fallback word always stands: worth a warning.
    Never,
    /// Cannot be meant: a load error.
    Refused,
}

/// One variable of the language.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Variable {
    /// As written between the braces.
    pub name: &'static str,
    /// The fact behind it, for values that the event does not bring.
    pub fact: Option<Fact>,
    /// Longest value in bytes; values are cut to it. `None`: cut only as the place demands (`message.text`).
    pub bytes: Option<usize>,
    /// Longest value in graphemes.
    pub graphemes: Option<usize>,
    /// The word for a value that is not known when neither template nor settings give one.
    pub word: &'static str,
    /// False for what always has a value.
    pub may_be_missing: bool,
}

const fn name(name: &'static str, fact: Option<Fact>, word: &'static str) -> Variable {
    Variable {
        name,
        fact,
        bytes: Some(120),
        graphemes: Some(20),
        word,
        may_be_missing: true,
    }
}

const fn id(name: &'static str, bytes: usize) -> Variable {
    Variable {
        name,
        fact: None,
        bytes: Some(bytes),
        graphemes: None,
        word: "",
        may_be_missing: true,
    }
}

const fn always(name: &'static str, bytes: usize) -> Variable {
    Variable {
        name,
        fact: None,
        bytes: Some(bytes),
        graphemes: None,
        word: "",
        may_be_missing: false,
    }
}

/// All variables, sorted by name.
pub(super) static VARIABLES: [Variable; 20] = [
    name("channel.name", None, ""),
    id("channel.param", 64),
    id("channel.state", 64),
    id("contact.is_new", 8),
    name("contact.name", Some(Fact::ContactName), "朋友"),
    name("contact.remark", Some(Fact::ContactRemark), "朋友"),
    Variable {
        name: "contact.tags",
        fact: Some(Fact::ContactTags),
        bytes: Some(240),
        graphemes: None,
        word: "",
        may_be_missing: true,
    },
    // A corp's display name is the operator's own word: never cut, its length is known exactly.
    Variable {
        name: "corp.name",
        fact: None,
        bytes: None,
        graphemes: None,
        word: "",
        may_be_missing: false,
    },
    always("date", 18),
    always("greeting", 9),
    name("kf.name", Some(Fact::KfName), "客服"),
    id("kf.scene", 32),
    id("kf.scene_param", 128),
    name("member.alias", Some(Fact::MemberAlias), "客服"),
    name("member.name", Some(Fact::MemberName), "客服"),
    id("member.userid", 64),
    name("message.keyword", None, ""),
    Variable {
        name: "message.text",
        fact: None,
        bytes: None,
        graphemes: None,
        word: "",
        may_be_missing: true,
    },
    always("time", 5),
    always("weekday", 9),
];

/// The variable of this name.
pub(super) fn find(name: &str) -> Option<&'static Variable> {
    VARIABLES.iter().find(|v| v.name == name)
}

/// All names, for "did you mean".
pub(super) fn names() -> Vec<&'static str> {
    VARIABLES.iter().map(|v| v.name).collect()
}

impl Variable {
    /// How well this place knows it.
    pub fn known_in(&self, place: Place) -> Known {
        use Place::{App, Bot, Broadcast, Kf, KfEvent, Welcome};
        let (group, _) = self.name.split_once('.').unwrap_or((self.name, ""));
        match (group, place) {
            // One text goes to up to 10,000 people: there is no "the contact" and no channel in it.
            ("contact" | "channel", Broadcast) => Known::Refused,
            ("contact", App | Bot) | ("channel", Kf | KfEvent | App | Bot) | ("member", Kf | KfEvent) => Known::Never,
            ("kf", Welcome | Broadcast | App | Bot) => Known::Refused,
            ("message", Welcome | Broadcast | KfEvent) => Known::Refused,
            _ => Known::Yes,
        }
    }

    /// True for `message.text`: it counts nothing in the worst case and gives way first.
    pub fn gives_way(&self) -> bool {
        self.name == "message.text"
    }
}
