//! What a message is made of, `send_welcome_msg` and `message/send`.

use serde::{Deserialize, Serialize, Serializer};

use super::{Call, Done, NonEmpty, Repeat, Wire, json, null};
use crate::wecom::id::UserId;
use crate::wecom::limits;

/// A text's wrapper.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Text {
    content: String,
}

impl Text {
    pub(super) fn new(content: String) -> Self {
        Self { content }
    }
}

/// A reference to uploaded media.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Media {
    media_id: String,
}

impl Media {
    pub(super) fn new(media_id: String) -> Self {
        Self { media_id }
    }
}

/// One attachment of a welcome or broadcast.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "msgtype", rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names are WeCom's")]
pub enum Attachment {
    Image { image: Media },
    Video { video: Media },
    File { file: Media },
    Link { link: Link },
    Miniprogram { miniprogram: Miniprogram },
}

impl Attachment {
    /// An image by media id.
    pub fn image(media_id: String) -> Self {
        Self::Image {
            image: Media { media_id },
        }
    }

    /// A video by media id.
    pub fn video(media_id: String) -> Self {
        Self::Video {
            video: Media { media_id },
        }
    }

    /// A file by media id.
    pub fn file(media_id: String) -> Self {
        Self::File {
            file: Media { media_id },
        }
    }
}

/// A link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Link {
    /// ≤ 128 B
    pub title: String,
    /// From `media/uploadimg`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub picurl: Option<String>,
    /// ≤ 512 B
    pub desc: String,
    /// Where it leads.
    pub url: String,
}

/// A mini-program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Miniprogram {
    /// ≤ 64 B
    pub title: String,
    /// Cover, from `media/upload`.
    pub pic_media_id: String,
    /// Linked to the corp.
    pub appid: String,
    /// Page.
    pub page: String,
}

/// `POST externalcontact/send_welcome_msg`. A second use of the code answers 41051, so a repeat does no harm.
#[derive(Clone, Serialize)]
pub struct Welcome {
    welcome_code: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<Text>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attachments: Vec<Attachment>,
}

impl Welcome {
    /// `None` when there is nothing to say.
    pub fn new(code: String, text: Option<String>, attachments: Vec<Attachment>) -> Option<Self> {
        let text = text.filter(|t| !t.is_empty()).map(Text::new);
        (text.is_some() || !attachments.is_empty()).then_some(Self {
            welcome_code: code,
            text,
            attachments,
        })
    }
}

impl Call for Welcome {
    const PATH: &'static str = "externalcontact/send_welcome_msg";
    const REPEAT: Repeat = Repeat::Safe;
    type Answer = Done;

    fn wire(&self) -> Wire {
        json(self)
    }
}

/// The members a message goes to. `@all` cannot be said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tousers(NonEmpty<UserId>);

impl Tousers {
    /// `None` when the list is empty, longer than 1000, or an id would be read as several people.
    pub fn new(members: Vec<UserId>) -> Option<Self> {
        let one_person = |u: &UserId| !u.as_str().contains(['|', '@', ',']);
        let all = members.iter().all(one_person);
        NonEmpty::new(members, limits::MESSAGE_RECIPIENTS)
            .filter(|_| all)
            .map(Self)
    }
}

impl Serialize for Tousers {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let ids: Vec<&str> = self.0.as_slice().iter().map(UserId::as_str).collect();
        s.serialize_str(&ids.join("|"))
    }
}

/// What an app says to members.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "msgtype", rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names are WeCom's")]
pub enum AppBody {
    Text { text: AppText },
    Image { image: Media },
    Video { video: AppVideo },
    File { file: Media },
    News { news: News },
}

/// A text to members.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AppText {
    content: String,
}

/// A video to members.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AppVideo {
    /// From `media/upload`.
    pub media_id: String,
}

/// Articles.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct News {
    articles: Vec<AppArticle>,
}

/// One article of news.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AppArticle {
    /// ≤ 128 B
    pub title: String,
    /// ≤ 512 B
    pub description: String,
    /// ≤ 2048 B
    pub url: String,
    /// Picture.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub picurl: Option<String>,
}

impl AppBody {
    /// A text.
    pub fn text(content: String) -> Self {
        Self::Text {
            text: AppText { content },
        }
    }

    /// An image by media id.
    pub fn image(media_id: String) -> Self {
        Self::Image {
            image: Media { media_id },
        }
    }

    /// A file by media id.
    pub fn file(media_id: String) -> Self {
        Self::File {
            file: Media { media_id },
        }
    }

    /// One article.
    pub fn news(article: AppArticle) -> Self {
        Self::News {
            news: News {
                articles: vec![article],
            },
        }
    }
}

/// `POST message/send`, always with WeCom's duplicate check on: identical JSON within 60 s arrives once.
#[derive(Debug, Clone, Serialize)]
pub struct SendMessage {
    touser: Tousers,
    agentid: i64,
    #[serde(flatten)]
    body: AppBody,
    enable_duplicate_check: u8,
    duplicate_check_interval: u32,
}

impl SendMessage {
    /// To these members, by the app of this agent id.
    pub fn new(touser: Tousers, agentid: i64, body: AppBody) -> Self {
        Self {
            touser,
            agentid,
            body,
            enable_duplicate_check: 1,
            duplicate_check_interval: limits::DUPLICATE_CHECK_SECS,
        }
    }
}

/// Who did not get a message although errcode is 0. Lists are joined by `|`; ids come back in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
pub struct AppSent {
    #[serde(default, deserialize_with = "null")]
    invaliduser: String,
    #[serde(default, deserialize_with = "null")]
    unlicenseduser: String,
}

impl AppSent {
    /// Members who do not exist or cannot be seen.
    pub fn invalid(&self) -> impl Iterator<Item = &str> {
        self.invaliduser.split('|').filter(|s| !s.is_empty())
    }

    /// Members without a licence.
    pub fn unlicensed(&self) -> impl Iterator<Item = &str> {
        self.unlicenseduser.split('|').filter(|s| !s.is_empty())
    }
}

impl Call for SendMessage {
    const PATH: &'static str = "message/send";
    const REPEAT: Repeat = Repeat::ForAWhile;
    type Answer = AppSent;

    fn wire(&self) -> Wire {
        json(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(w: Wire) -> String {
        match w {
            Wire::Post(b) => String::from_utf8(b).unwrap(),
            Wire::Get(_) | Wire::Upload(_) => panic!("not a POST"),
        }
    }

    #[test]
    fn a_welcome_has_the_shape_of_the_page() {
        let w = Welcome::new(
            "CODE".into(),
            Some("你好".into()),
            vec![
                Attachment::image("m1".into()),
                Attachment::Link {
                    link: Link {
                        title: "t".into(),
                        picurl: None,
                        desc: "d".into(),
                        url: "https://e".into(),
                    },
                },
            ],
        )
        .unwrap();
        assert_eq!(
            body(w.wire()),
            r#"{"welcome_code":"CODE","text":{"content":"你好"},"attachments":[{"msgtype":"image","image":{"media_id":"m1"}},{"msgtype":"link","link":{"title":"t","desc":"d","url":"https://e"}}]}"#
        );
        assert!(Welcome::new("CODE".into(), None, vec![]).is_none());
    }

    #[test]
    fn everybody_cannot_be_addressed() {
        let id = |s: &str| UserId::parse(s).unwrap();
        assert!(Tousers::new(vec![]).is_none());
        assert!(Tousers::new(vec![id("@all")]).is_none());
        assert!(Tousers::new(vec![id("a|b")]).is_none());
        let m = SendMessage::new(
            Tousers::new(vec![id("a"), id("b")]).unwrap(),
            7,
            AppBody::text("x".into()),
        );
        assert_eq!(
            body(m.wire()),
            r#"{"touser":"a|b","agentid":7,"msgtype":"text","text":{"content":"x"},"enable_duplicate_check":1,"duplicate_check_interval":60}"#
        );
    }
}
