//! What a template becomes at a place, and whether it can be there at all (CONTENT, "What a template becomes").

use super::clean::Markup;
use super::faults::{Faults, Spot};
use super::media::{MediaInfo, check_picurl};
use super::template::{Attachment, AttachmentKind, Item, Menu, Template};
use super::text::Pattern;
use super::variable::{Known, Variable};
use crate::model::Text;
use crate::model::job::Part;

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

/// Title of a link or an article (limits.md §8).
pub(super) const LINK_TITLE: usize = 128;
/// Description of a link or an article (limits.md §8).
pub(super) const LINK_DESC: usize = 512;
/// Title of a mini-program (limits.md §8).
pub(super) const MINI_TITLE: usize = 64;
/// Head and tail of a menu (api.md 12.2).
pub(super) const MENU_ENDS: usize = 1024;
/// Text of a clickable menu line (api.md 12.2).
pub(super) const MENU_CLICK: usize = 128;
/// Text of a menu line that opens a page (api.md 12.2).
pub(super) const MENU_VIEW: usize = 1024;

impl Place {
    /// Most bytes of a text here.
    pub(super) fn text_limit(self) -> usize {
        match self {
            Self::Welcome | Self::Broadcast => 4000,
            Self::Kf | Self::KfEvent | Self::App => 2048,
            Self::Bot => 20_480,
        }
    }

    /// What the API reads as markup here.
    pub(super) fn markup(self) -> Markup {
        match self {
            Self::Welcome | Self::Broadcast | Self::Kf | Self::KfEvent => Markup::None,
            Self::App => Markup::Anchors,
            Self::Bot => Markup::Markdown,
        }
    }

    /// For people.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Welcome => ("欢迎语", "a welcome"),
            Self::Broadcast => ("群发", "a broadcast"),
            Self::Kf => ("微信客服消息", "a kf message"),
            Self::KfEvent => ("微信客服事件响应消息", "an answer to a kf event code"),
            Self::App => ("应用消息", "an app message"),
            Self::Bot => ("智能机器人回复", "a bot reply"),
        }
    }

    /// True when everything goes in one call.
    fn whole(self) -> bool {
        !matches!(self, Self::Kf | Self::App)
    }
}

/// What a check needs to know beside the template.
pub(super) struct Around<'a> {
    /// Who uses it there.
    pub user: &'a Spot,
    /// Longest value of a variable.
    pub longest: &'a dyn Fn(&'static Variable) -> usize,
    /// What is known of a media file.
    pub media: &'a dyn Fn(&str) -> Option<&'a MediaInfo>,
}

impl Template {
    /// The messages that it is at a place.
    pub(super) fn parts(&self, place: Place) -> Vec<Part> {
        if place.whole() {
            return vec![Part::Whole];
        }
        let text = self.text.iter().map(|_| Part::Text);
        let attachments = (0..=u8::MAX).zip(&self.attachments).map(|(n, _)| Part::Attachment(n));
        let menu = self.menu.iter().filter(|_| place == Place::Kf).map(|_| Part::Menu);
        text.chain(attachments).chain(menu).collect()
    }

    /// True when every part of it exists at this place; says nothing of lengths.
    pub(super) fn has_form_for(&self, place: Place) -> bool {
        let refused = |a: &Attachment| form_of(&a.what, place).is_err();
        !self.attachments.iter().any(refused) && (self.menu.is_none() || menu_form(place))
    }

    /// Everything that is wrong with using it at this place.
    pub(super) fn check(&self, place: Place, around: &Around<'_>, faults: &mut Faults) {
        self.check_forms(place, around, faults);
        for pattern in self.patterns() {
            check_variables(pattern, place, around, faults);
        }
        let bounds = |pattern: &Pattern, max: usize, what: (&str, &str), faults: &mut Faults| {
            check_length(pattern, max, what, place, around, faults);
        };
        if let Some(text) = &self.text {
            bounds(text, place.text_limit(), ("文字", "the text"), faults);
        }
        for a in &self.attachments {
            match &a.what {
                AttachmentKind::Media(_) => {}
                AttachmentKind::Link { title, desc, .. } => {
                    bounds(title, LINK_TITLE, ("链接标题", "the link's title"), faults);
                    if let Some(desc) = desc {
                        bounds(desc, LINK_DESC, ("链接描述", "the link's desc"), faults);
                    }
                }
                AttachmentKind::Miniprogram { title, .. } => {
                    bounds(title, MINI_TITLE, ("小程序标题", "the mini-program's title"), faults);
                }
            }
            if let (AttachmentKind::Link { image: Some(image), .. }, place) = (&a.what, place) {
                let size = (around.media)(&image.path).map_or(0, |m| m.size);
                check_picurl(image, size, place, faults);
            }
        }
        if let Some(menu) = self.menu.as_ref().filter(|_| menu_form(place)) {
            check_menu(menu, &bounds, faults);
        }
    }

    fn check_forms(&self, place: Place, around: &Around<'_>, faults: &mut Faults) {
        for a in &self.attachments {
            if let Err((what, remedy)) = form_of(&a.what, place) {
                self.wrong_place(&a.spot, place, what, remedy, around, faults);
            }
        }
        let Some(menu) = &self.menu else { return };
        if !menu_form(place) {
            let remedy = Text::new(
                "菜单只能用于微信客服：换一个没有 [menu] 的模板",
                "A menu works in kf only: use a template without [menu]",
            );
            self.wrong_place(&menu.spot, place, ("菜单", "a menu"), remedy, around, faults);
        } else if place == Place::KfEvent && self.text.is_some() {
            let remedy = Text::new(
                "一个事件码只能发一条消息：把 text 移到 menu.head",
                "An event code carries one message: move the text into menu.head",
            );
            self.wrong_place(
                &menu.spot,
                place,
                ("文字加菜单", "text and menu together"),
                remedy,
                around,
                faults,
            );
        }
    }

    /// A part that is "–" at this place. Stands where the template is used and names the template's own line.
    fn wrong_place(
        &self,
        part: &Spot,
        place: Place,
        what: (&str, &str),
        remedy: Text,
        around: &Around<'_>,
        faults: &mut Faults,
    ) {
        let (zh, en) = place.words();
        let name = &self.name;
        faults.error(
            around.user,
            "part_not_here",
            Text::new(
                format!("模板“{name}”（{part}）里的{}不能用于{zh}", what.0),
                format!("template \"{name}\" ({part}): {} cannot be part of {en}", what.1),
            ),
            remedy,
        );
    }
}

fn menu_form(place: Place) -> bool {
    matches!(place, Place::Kf | Place::KfEvent)
}

/// What is wrong with an attachment at a place: what it is, and the remedy.
type NoForm = ((&'static str, &'static str), Text);

fn form_of(what: &AttachmentKind, place: Place) -> Result<(), NoForm> {
    use Place::{App, Bot, Broadcast, Kf, KfEvent, Welcome};
    let other = || {
        Text::new(
            "换一个不含它的模板，或把它移到另一个模板",
            "Use a template without it, or move it into another template",
        )
    };
    match (what, place) {
        (AttachmentKind::Media(_), Welcome | Broadcast | Kf | App) => Ok(()),
        (AttachmentKind::Media(_), KfEvent | Bot) => Err((("图片、视频或文件", "an image, video or file"), other())),
        (AttachmentKind::Link { image: None, .. }, Kf) => Err((
            ("没有图片的链接", "a link without an image"),
            Text::new("给链接写上 image = \"…\"", "Give the link an image = \"…\""),
        )),
        (AttachmentKind::Link { .. }, KfEvent) => Err((("链接", "a link"), other())),
        (AttachmentKind::Link { .. }, _) => Ok(()),
        (AttachmentKind::Miniprogram { page, .. }, Kf) => {
            let path = page.text.split('?').next().unwrap_or_default();
            match path.ends_with(".html") {
                true => Ok(()),
                false => Err((
                    (
                        "page 不以 .html 结尾的小程序",
                        "a mini-program whose page does not end in .html",
                    ),
                    Text::new("微信客服要求写成 pages/index.html", "kf wants it like pages/index.html"),
                )),
            }
        }
        (AttachmentKind::Miniprogram { .. }, Welcome | Broadcast) => Ok(()),
        (AttachmentKind::Miniprogram { .. }, KfEvent | App | Bot) => Err((("小程序", "a mini-program"), other())),
    }
}

/// Checks a text against its limit: how many bytes, and what it is in both languages.
type Bounds<'a> = &'a dyn Fn(&Pattern, usize, (&str, &str), &mut Faults);

fn check_menu(menu: &Menu, bounds: Bounds<'_>, faults: &mut Faults) {
    for end in menu.head.iter().chain(&menu.tail) {
        bounds(
            end,
            MENU_ENDS,
            ("菜单的 head 或 tail", "the menu's head or tail"),
            faults,
        );
    }
    for item in &menu.items {
        match item {
            Item::Click { text, .. } => bounds(text, MENU_CLICK, ("菜单项文字", "the menu item's text"), faults),
            Item::View { text, .. } => bounds(text, MENU_VIEW, ("菜单项文字", "the menu item's text"), faults),
        }
    }
}

fn check_variables(pattern: &Pattern, place: Place, around: &Around<'_>, faults: &mut Faults) {
    let (zh, en) = place.words();
    let user = around.user;
    for (variable, spot) in pattern.variables() {
        let name = variable.name;
        match variable.known_in(place) {
            Known::Yes => {}
            Known::Refused => faults.error(
                spot,
                "variable_not_here",
                Text::new(
                    format!("{{{{ {name} }}}} 不能用于{zh}（{user} 在用）"),
                    format!("{{{{ {name} }}}} cannot be part of {en} (used by {user})"),
                ),
                Text::new("去掉它，或换一个模板", "Take it out, or use another template there"),
            ),
            Known::Never => faults.warn(
                spot,
                "variable_never_known",
                Text::new(
                    format!("{{{{ {name} }}}} 在{zh}里永远未知，总是显示备用词（{user} 在用）"),
                    format!(
                        "{{{{ {name} }}}} is never known in {en}: its fallback word always stands (used by {user})"
                    ),
                ),
                Text::new("去掉它，或换一个模板", "Take it out, or use another template there"),
            ),
        }
    }
}

fn check_length(
    pattern: &Pattern,
    max: usize,
    what: (&str, &str),
    place: Place,
    around: &Around<'_>,
    faults: &mut Faults,
) {
    let worst = pattern.worst(around.longest);
    if worst <= max {
        return;
    }
    let (zh, en) = place.words();
    let user = around.user;
    let over = worst - max;
    faults.error(
        &pattern.spot,
        "too_long",
        Text::new(
            format!("{}最长可达 {worst} 字节，{zh}最多 {max} 字节（{user} 在用）", what.0),
            format!(
                "{} can get {worst} bytes long, {en} allows {max} (used by {user})",
                what.1
            ),
        ),
        Text::new(
            format!("至少减少 {over} 字节（一个汉字 3 字节，名字最长按 120 字节计）"),
            format!("Take out at least {over} bytes (a Chinese character has 3, a name counts 120)"),
        ),
    );
}
