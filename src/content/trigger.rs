//! What rules listen to, and whom an answer to it can reach (CONTENT, "Whom we can hear, and what we can say").

use super::Place;
use crate::model::Text;

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

/// How a trigger's person can be answered.
pub(super) enum Says {
    /// By the welcome: one template.
    Welcome,
    /// By an event code: one template, one message.
    EventCode,
    /// In the chat that the trigger belongs to.
    Chat,
    /// Not at all: why, and what to do instead.
    Nothing(Text, Text),
}

impl Trigger {
    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::Message,
        Self::ContactAdded,
        Self::ContactHalfAdded,
        Self::ContactLost,
        Self::ContactRemoved,
        Self::ContactTransferred,
        Self::ContactEdited,
        Self::EnterSession,
        Self::SessionChanged,
        Self::MenuClick,
        Self::AppEntered,
        Self::TransferFailed,
        Self::ArchiveAgreed,
        Self::MemberSubscribed,
        Self::MemberUnsubscribed,
    ];

    /// The word in rules.
    pub fn word(self) -> &'static str {
        match self {
            Self::Message => "message",
            Self::ContactAdded => "contact_added",
            Self::ContactHalfAdded => "contact_half_added",
            Self::ContactLost => "contact_lost",
            Self::ContactRemoved => "contact_removed",
            Self::ContactTransferred => "contact_transferred",
            Self::ContactEdited => "contact_edited",
            Self::EnterSession => "enter_session",
            Self::SessionChanged => "session_changed",
            Self::MenuClick => "menu_click",
            Self::AppEntered => "app_entered",
            Self::TransferFailed => "transfer_failed",
            Self::ArchiveAgreed => "archive_agreed",
            Self::MemberSubscribed => "member_subscribed",
            Self::MemberUnsubscribed => "member_unsubscribed",
        }
    }

    /// By its word.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|t| t.word() == word)
    }

    /// Who may speak in it; empty: nobody speaks, it is a change of a relation.
    pub(super) fn sources(self) -> &'static [Source] {
        match self {
            Self::Message => &[Source::Kf, Source::Agent, Source::Bot],
            Self::MenuClick => &[Source::Kf, Source::Agent],
            Self::EnterSession | Self::SessionChanged => &[Source::Kf],
            Self::AppEntered | Self::MemberSubscribed | Self::MemberUnsubscribed => &[Source::Agent],
            _ => &[],
        }
    }

    /// How its person can be answered.
    pub(super) fn says(self) -> Says {
        let nothing =
            |zh: &str, en: &str, do_zh: &str, do_en: &str| Says::Nothing(Text::new(zh, en), Text::new(do_zh, do_en));
        let welcome_decides = (
            "去掉 reply，把它写在 on = \"contact_added\" 的规则或渠道里：不管哪个事件先带来欢迎码，都由它们决定欢迎语",
            "Remove reply and write it on contact_added or in a channel: they decide the welcome of whichever event first brings a code",
        );
        match self {
            Self::Message | Self::MenuClick | Self::AppEntered | Self::MemberSubscribed => Says::Chat,
            Self::ContactAdded => Says::Welcome,
            Self::EnterSession | Self::SessionChanged => Says::EventCode,
            Self::ContactHalfAdded | Self::ArchiveAgreed => nothing(
                "这个事件的欢迎语由 contact_added 的规则和渠道决定，这里不能回复",
                "the welcome of this event is decided by rules on contact_added and by channels: no reply here",
                welcome_decides.0,
                welcome_decides.1,
            ),
            Self::ContactLost | Self::ContactRemoved | Self::ContactTransferred => nothing(
                "好友关系已经没有了，回复无法送达",
                "the relation is gone, a reply cannot reach anybody",
                "去掉 reply",
                "Remove reply",
            ),
            Self::ContactEdited | Self::TransferFailed => nothing(
                "企业微信不允许应用主动给成员的客户发消息，这里的回复无法送达",
                "WeCom lets no app write to a member's contact at this event, a reply cannot reach anybody",
                "去掉 reply；要通知客户请用群发（成员确认后发出）",
                "Remove reply; to tell contacts something use a broadcast, which a member confirms",
            ),
            Self::MemberUnsubscribed => nothing(
                "成员已不在应用可见范围内，收不到消息",
                "the member has left the app's visible range and gets no messages",
                "去掉 reply",
                "Remove reply",
            ),
        }
    }

    /// Why tags cannot be set here; `None`: they can.
    pub(super) fn no_tags(self) -> Option<Text> {
        match self {
            Self::ContactRemoved => Some(Text::new(
                "成员已删除客户，企业微信不再接受这对关系的标签",
                "the member deleted the customer: WeCom takes no tags for this pair any more",
            )),
            Self::ContactTransferred => Some(Text::new(
                "客户已转给别的成员，原关系不能再打标签",
                "the customer was handed over: the old pair takes no tags any more",
            )),
            Self::AppEntered | Self::MemberSubscribed | Self::MemberUnsubscribed => Some(on_members()),
            _ => None,
        }
    }
}

/// Why members get no tags.
pub(super) fn on_members() -> Text {
    Text::new("客户标签打不到成员身上", "customer tags cannot be set on a member")
}

impl Source {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Kf, Self::Agent, Self::Bot];

    /// The word in rules.
    pub fn word(self) -> &'static str {
        match self {
            Self::Kf => "kf",
            Self::Agent => "agent",
            Self::Bot => "bot",
        }
    }

    /// By its word.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.word() == word)
    }

    /// Where an answer in its chat is used.
    pub fn place(self) -> Place {
        match self {
            Self::Kf => Place::Kf,
            Self::Agent => Place::App,
            Self::Bot => Place::Bot,
        }
    }
}
