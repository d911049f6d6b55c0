//! What operators write: templates, rules, channels, compiled into an immutable [`Bundle`]. Pure: files come
//! in as text, times and seeds as arguments.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::model::job::{Part, TagName};
use crate::model::{BundleHash, Diagnostic, StoreTime};
use crate::settings::Corp;

/// All templates, rules and channels of a corp, compiled, immutable, named by the hash of its sources.
#[derive(Debug)]
pub struct Bundle {
    /// Its name.
    pub hash: BundleHash,
    /// By name.
    pub templates: BTreeMap<String, Template>,
    /// As written.
    pub channels: Vec<Channel>,
    /// As written.
    pub rules: Vec<Rule>,
}

/// Where a template is used: decides what it becomes (CONTENT, "What a template becomes").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Place {
    /// `send_welcome_msg`
    Welcome,
    /// `add_msg_template`
    Broadcast,
    /// `kf/send_msg`
    Kf,
    /// `kf/send_msg_on_event`
    KfEvent,
    /// `message/send`
    App,
    /// AI bot
    Bot,
}

/// A compiled template.
#[derive(Debug)]
pub struct Template {
    /// File name without `.toml`.
    pub name: String,
}

/// `[[channel]]`
#[derive(Debug)]
pub struct Channel {
    /// As written: exact, `prefix-*`, `""` or `*`.
    pub state: String,
    /// `{{ channel.name }}`
    pub name: String,
    /// To set on contact_added.
    pub tags: Vec<TagName>,
    /// Another system's channel: no welcome, no tags.
    pub ignore: bool,
}

/// The channel a state belongs to.
#[derive(Debug, Clone, Copy)]
pub struct ChannelMatch<'a> {
    /// Which.
    pub channel: &'a Channel,
    /// What the star matched.
    pub param: &'a str,
}

/// What a rule listens to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Trigger {
    /// `message`
    Message,
    /// `contact_added`
    ContactAdded,
    /// `contact_half_added`
    ContactHalfAdded,
    /// `contact_lost`
    ContactLost,
    /// `contact_removed`
    ContactRemoved,
    /// `contact_transferred`
    ContactTransferred,
    /// `contact_edited`
    ContactEdited,
    /// `enter_session`
    EnterSession,
    /// `session_changed`
    SessionChanged,
    /// `menu_click`
    MenuClick,
    /// `app_entered`
    AppEntered,
    /// `transfer_failed`
    TransferFailed,
    /// `archive_agreed`
    ArchiveAgreed,
    /// `member_subscribed`
    MemberSubscribed,
    /// `member_unsubscribed`
    MemberUnsubscribed,
}

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Source {
    /// 微信客服
    Kf,
    /// A member to an app.
    Agent,
    /// 智能机器人
    Bot,
}

/// `[[rule]]`
#[derive(Debug)]
pub struct Rule {
    /// Name, unique in the bundle.
    pub name: String,
    /// Trigger.
    pub on: Trigger,
    /// Tags to set.
    pub add_tags: Vec<TagName>,
    /// Tags to take away.
    pub remove_tags: Vec<TagName>,
    /// After it has fired: silent for so long in the same conversation. The defaults of CONTENT.md (1 h for a
    /// message rule that is a fallback, 24 h per member for `app_entered`) are already filled in.
    pub cooldown: Option<Duration>,
}

/// The event as rules see it.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// Trigger.
    pub on: Trigger,
    /// Who speaks; `None` for contact events.
    pub source: Option<Source>,
    /// App that received it.
    pub app: &'a str,
    /// Short name of the kf account, if it has one.
    pub kf: Option<&'a str>,
    /// The member concerned (contact events) or speaking (agent).
    pub member: Option<&'a str>,
    /// The text, for messages; the key, for menu clicks.
    pub text: Option<&'a str>,
    /// The event's time (acceptance; kf: `send_time`).
    pub at: StoreTime,
}

/// Rules that match an event, best first (CONTENT, "Winner").
#[derive(Debug, Default)]
pub struct Ranked<'a> {
    /// Best first; the keyword of each that matched is what `{{ message.keyword }}` says.
    pub matching: Vec<(&'a Rule, Option<String>)>,
}

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

/// A media file of the bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaFile {
    /// SHA-256 (hex) of its content.
    pub hash: String,
    /// As written in the template.
    pub name: String,
    /// image, video or file.
    pub kind: MediaKind,
    /// Its content; `None` when the bundle came from the store and the file is not on this host.
    pub bytes: Option<Arc<[u8]>>,
}

/// Kind of media, as `media/upload?type=` names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MediaKind {
    /// JPG or PNG, ≤ 10 MB.
    Image,
    /// MP4, ≤ 10 MB.
    Video,
    /// ≤ 20 MB.
    File,
}

/// A template's part after rendering: texts filled in, cut to length, media named by hash.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rendered {
    /// The text, within the place's limit.
    pub text: Option<String>,
    /// Attachments (all of them for `Part::Whole`, one for `Part::Attachment`).
    pub attachments: Vec<RenderedAttachment>,
    /// The menu (kf only).
    pub menu: Option<RenderedMenu>,
}

/// One attachment after rendering.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RenderedAttachment {
    /// Image, video or file.
    Media(MediaFile),
    /// Link.
    Link {
        /// ≤ 128 B
        title: String,
        /// ≤ 512 B
        desc: String,
        /// ≤ 2048 B
        url: String,
        /// Picture, if one is given.
        image: Option<MediaFile>,
    },
    /// Mini-program.
    Miniprogram {
        /// appid
        appid: String,
        /// page
        page: String,
        /// ≤ 64 B
        title: String,
        /// Cover.
        image: MediaFile,
    },
}

/// A kf menu after rendering.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenderedMenu {
    /// ≤ 1024 B
    pub head: String,
    /// Items.
    pub items: Vec<MenuItem>,
    /// ≤ 1024 B
    pub tail: String,
}

/// One line of a menu.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MenuItem {
    /// Sends its text back with `menu_id`.
    Click {
        /// 1–128 B
        id: String,
        /// 1–128 B
        text: String,
    },
    /// Opens a page.
    View {
        /// ≤ 2048 B
        url: String,
        /// ≤ 1024 B
        text: String,
    },
}

impl Bundle {
    /// Reads and compiles a corp's content (`corp.content`). `Ok` carries the warnings; `Err` everything that
    /// was found, errors first, each with file, line and remedy. A missing `channels.toml`, `members.toml` or
    /// `rules/` is an empty one; an empty bundle is fine.
    pub fn load(_corp: &Corp) -> Result<(Self, Vec<Diagnostic>), Vec<Diagnostic>> {
        unimplemented!()
    }

    /// The sources as one blob for the store (media by hash only).
    pub fn sources(&self) -> Vec<u8> {
        unimplemented!()
    }

    /// Compiles a bundle that was stored; media bytes are found by hash in `corp.content.templates` where they
    /// still lie there.
    pub fn from_sources(_sources: &[u8], _corp: &Corp) -> Result<Self, Vec<Diagnostic>> {
        unimplemented!()
    }

    /// The channel of a state (`None` and `""`: came without one): exact, else longest prefix, else `*`.
    pub fn channel<'a>(&'a self, _state: Option<&'a str>) -> Option<ChannelMatch<'a>> {
        unimplemented!()
    }

    /// Rules that match, best first; cool-downs are the caller's.
    pub fn matching<'a>(&'a self, _event: &Candidate<'_>) -> Ranked<'a> {
        unimplemented!()
    }

    /// The messages that a template is, at a place: one `Whole` for welcome, broadcast and event codes; text,
    /// attachments, menu one by one for kf and app messages.
    pub fn parts(&self, _template: &str, _place: Place) -> Vec<Part> {
        unimplemented!()
    }

    /// The facts that this part uses, without those that `values` or `config/members.toml` already give.
    pub fn facts(&self, _template: &str, _part: Part, _values: &BTreeMap<String, String>) -> Vec<Fact> {
        unimplemented!()
    }

    /// What customers see of a member instead of WeCom's name, from `config/members.toml`.
    pub fn member_name(&self, _userid: &str) -> Option<&str> {
        unimplemented!()
    }

    /// Renders one part. `values`: by variable name (`contact.name`, `channel.state`, …); what is missing takes
    /// the template's fallback, then `[content].fallback`, then the built-in word. `at`: the event's time.
    /// Never longer than the place allows. `None`: the bundle has no such template.
    pub fn render(
        &self,
        _template: &str,
        _part: Part,
        _place: Place,
        _values: &BTreeMap<String, String>,
        _at: StoreTime,
    ) -> Option<Rendered> {
        unimplemented!()
    }

    /// Every media file that templates in use need, with the places they are used at.
    pub fn media(&self) -> Vec<(MediaFile, Vec<Place>)> {
        unimplemented!()
    }

    /// Every tag that rules and channels name.
    pub fn tags(&self) -> Vec<TagName> {
        unimplemented!()
    }
}

impl Channel {
    /// The template that welcomes this contact, by `when`, then by weight from a stable hash of channel and
    /// contact. `None`: this channel has no welcome.
    pub fn welcome(&self, _contact: &str, _member: &str, _at: StoreTime) -> Option<&str> {
        unimplemented!()
    }
}

impl Rule {
    /// Templates to send, in order: all of `reply`, or the one variant chosen by a stable hash of rule and
    /// conversation.
    pub fn replies(&self, _conversation: &str) -> Vec<&str> {
        unimplemented!()
    }
}
