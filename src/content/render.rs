//! Rendering: one part of a template, filled in, within the limits of its place.

use std::collections::BTreeMap;

use super::bundle::Bundle;
use super::clean::{Markup, clean, cut, shorten};
use super::media::MediaUse;
use super::place::{LINK_DESC, LINK_TITLE, MENU_CLICK, MENU_ENDS, MENU_VIEW, MINI_TITLE};
use super::template::{Attachment, AttachmentKind, Item, Menu, Template};
use super::text::Pattern;
use super::variable::{Fact, Variable};
use super::{MediaFile, MenuItem, Place, Rendered, RenderedAttachment, RenderedMenu};
use crate::model::StoreTime;
use crate::model::job::Part;

impl Bundle {
    /// The messages that a template is, at a place: one `Whole` for welcome, broadcast and event codes; text,
    /// attachments, menu one by one for kf and app messages.
    pub fn parts(&self, template: &str, place: Place) -> Vec<Part> {
        self.templates.get(template).map(|t| t.parts(place)).unwrap_or_default()
    }

    /// The facts that this part uses, without those that `values` or `config/members.toml` already give.
    pub fn facts(&self, template: &str, part: Part, values: &BTreeMap<String, String>) -> Vec<Fact> {
        let Some(template) = self.templates.get(template) else {
            return Vec::new();
        };
        let mut facts: Vec<Fact> = patterns(template, part)
            .into_iter()
            .flat_map(Pattern::variables)
            .filter(|(v, _)| values.get(v.name).is_none_or(String::is_empty))
            .filter_map(|(v, _)| v.fact)
            .filter(|f| *f != Fact::MemberName || self.overridden(values).is_none())
            .collect();
        facts.sort_unstable();
        facts.dedup();
        facts
    }

    /// Renders one part. `values`: by variable name (`contact.name`, `channel.state`, …); what is missing takes
    /// the template's fallback, then `[content].fallback`, then the built-in word. `at`: the event's time.
    /// Never longer than the place allows. `None`: the bundle has no such template.
    pub fn render(
        &self,
        template: &str,
        part: Part,
        place: Place,
        values: &BTreeMap<String, String>,
        at: StoreTime,
    ) -> Option<Rendered> {
        let template = self.templates.get(template)?;
        let resolve = |v: &'static Variable, markup: Markup| self.value(template, v, values, at, markup);
        let pen = Pen {
            bundle: self,
            resolve: &resolve,
            place,
        };
        let attachments: Vec<&Attachment> = match part {
            Part::Whole => template.attachments.iter().collect(),
            Part::Attachment(n) => template.attachments.get(usize::from(n)).into_iter().collect(),
            Part::Text | Part::Menu => Vec::new(),
        };
        let text = template
            .text
            .as_ref()
            .filter(|_| matches!(part, Part::Whole | Part::Text));
        let menu = template
            .menu
            .as_ref()
            .filter(|_| matches!(part, Part::Whole | Part::Menu));
        let text = text
            .map(|t| pen.write(t, place.text_limit()))
            .filter(|t| !t.trim().is_empty());
        let attachments = attachments.into_iter().filter_map(|a| pen.attach(a)).collect();
        let menu = menu.map(|m| pen.menu(m));
        let rendered = Rendered {
            text,
            attachments,
            menu,
        };
        Some(if place == Place::Bot {
            as_markdown(rendered)
        } else {
            rendered
        })
    }

    fn overridden(&self, values: &BTreeMap<String, String>) -> Option<&str> {
        self.member_name(values.get("member.userid")?)
    }

    /// The value of a variable, cleaned and within its own limits.
    fn value(
        &self,
        template: &Template,
        variable: &'static Variable,
        values: &BTreeMap<String, String>,
        at: StoreTime,
        markup: Markup,
    ) -> String {
        let name = variable.name;
        let told = match name {
            "corp.name" => Some(self.corp_name.as_str()),
            "member.name" => self.overridden(values),
            _ => None,
        };
        let given = told
            .or_else(|| values.get(name).map(String::as_str))
            .map(|v| clean(v, markup));
        let given = given.filter(|v| !v.is_empty()).or_else(|| of_time(name, at));
        let word = || {
            let own = template.fallback.get(name).or_else(|| self.words.get(name));
            clean(own.map_or(variable.word, String::as_str), markup)
        };
        let value = given.unwrap_or_else(word);
        match variable.bytes {
            Some(bytes) => shorten(&value, variable.graphemes, bytes),
            None => value,
        }
    }
}

/// What writes at one place.
struct Pen<'a> {
    bundle: &'a Bundle,
    resolve: super::text::Resolve<'a>,
    place: Place,
}

impl Pen<'_> {
    fn write(&self, pattern: &Pattern, max: usize) -> String {
        pattern.fill(self.resolve, self.place.markup(), max)
    }

    /// A title that is never empty, whatever the values are: WeCom would refuse the whole message.
    fn title(&self, pattern: &Pattern, max: usize) -> String {
        let title = self.write(pattern, max);
        if title.trim().is_empty() {
            cut(&self.bundle.corp_name, max)
        } else {
            title
        }
    }

    fn media(&self, used: &MediaUse) -> Option<MediaFile> {
        self.bundle.sources.media.get(&used.path).map(|info| used.file(info))
    }

    fn attach(&self, attachment: &Attachment) -> Option<RenderedAttachment> {
        Some(match &attachment.what {
            AttachmentKind::Media(used) => RenderedAttachment::Media(self.media(used)?),
            AttachmentKind::Link {
                title,
                desc,
                url,
                image,
            } => RenderedAttachment::Link {
                title: self.title(title, LINK_TITLE),
                desc: desc.as_ref().map(|d| self.write(d, LINK_DESC)).unwrap_or_default(),
                url: url.text.clone(),
                image: image.as_ref().and_then(|i| self.media(i)),
            },
            AttachmentKind::Miniprogram {
                appid,
                page,
                title,
                image,
            } => RenderedAttachment::Miniprogram {
                appid: appid.clone(),
                page: page.text.clone(),
                title: self.title(title, MINI_TITLE),
                image: self.media(image)?,
            },
        })
    }

    fn menu(&self, menu: &Menu) -> RenderedMenu {
        let end = |p: &Option<Pattern>| p.as_ref().map(|p| self.write(p, MENU_ENDS)).unwrap_or_default();
        let item = |item: &Item| match item {
            Item::Click { id, text } => MenuItem::Click {
                id: id.text.clone(),
                text: self.write(text, MENU_CLICK),
            },
            Item::View { url, text } => MenuItem::View {
                url: url.text.clone(),
                text: self.write(text, MENU_VIEW),
            },
        };
        RenderedMenu {
            head: end(&menu.head),
            items: menu.items.iter().map(item).collect(),
            tail: end(&menu.tail),
        }
    }
}

/// The patterns of one part.
fn patterns(template: &Template, part: Part) -> Vec<&Pattern> {
    match part {
        Part::Whole => template.patterns(),
        Part::Text => template.text.iter().collect(),
        Part::Attachment(n) => {
            let attachment = template.attachments.get(usize::from(n));
            attachment.map(|a| a.what.patterns()).unwrap_or_default()
        }
        Part::Menu => template.menu.iter().flat_map(Menu::patterns).collect(),
    }
}

/// For bots a link is a line of markdown.
fn as_markdown(rendered: Rendered) -> Rendered {
    let mut text = rendered.text.unwrap_or_default();
    for attachment in rendered.attachments {
        if let RenderedAttachment::Link { title, desc, url, .. } = attachment {
            let before = if text.is_empty() { "" } else { "\n" };
            let after = if desc.is_empty() {
                String::new()
            } else {
                format!(" {desc}")
            };
            let line = format!("{before}[{title}]({url}){after}");
            // A link is whole or not there.
            if text.len() + line.len() <= Place::Bot.text_limit() {
                text.push_str(&line);
            }
        }
    }
    Rendered {
        text: Some(cut(&text, Place::Bot.text_limit())),
        attachments: Vec::new(),
        menu: None,
    }
}

/// The variables that the event's time gives, in China's calendar.
fn of_time(name: &str, at: StoreTime) -> Option<String> {
    const WEEKDAYS: [&str; 7] = ["星期一", "星期二", "星期三", "星期四", "星期五", "星期六", "星期日"];
    let minute = at.shanghai_minute();
    Some(match name {
        "greeting" => match minute / 60 {
            5..=10 => "早上好",
            11..=12 => "中午好",
            13..=17 => "下午好",
            _ => "晚上好",
        }
        .to_owned(),
        "date" => {
            let instant = jiff::Timestamp::from_millisecond(at.0).ok()?;
            let date = jiff::tz::Offset::constant(8).to_datetime(instant).date();
            format!("{}年{}月{}日", date.year(), date.month(), date.day())
        }
        "time" => format!("{:02}:{:02}", minute / 60, minute % 60),
        "weekday" => WEEKDAYS[usize::from(at.shanghai_weekday()) % 7].to_owned(),
        _ => return None,
    })
}
