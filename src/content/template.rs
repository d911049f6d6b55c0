//! `templates/NAME.toml`: one template, as written. What it becomes at a place is [`super::place`]'s matter.

use std::collections::BTreeMap;

use super::MediaKind;
use super::faults::{Faults, SourceFile, Spot};
use super::media::{MediaUse, bad_path};
use super::reader::{self, Table, Written};
use super::text::Pattern;
use super::variable;
use crate::model::Text;

/// A compiled template.
#[derive(Debug)]
pub struct Template {
    /// File name without `.toml`.
    pub name: String,
    pub(super) spot: Spot,
    pub(super) text: Option<Pattern>,
    pub(super) fallback: BTreeMap<String, String>,
    pub(super) attachments: Vec<Attachment>,
    pub(super) menu: Option<Menu>,
}

/// One `[[attachments]]`.
#[derive(Debug)]
pub(super) struct Attachment {
    pub spot: Spot,
    pub what: AttachmentKind,
}

/// What it attaches.
#[derive(Debug)]
pub(super) enum AttachmentKind {
    Media(MediaUse),
    Link {
        title: Pattern,
        desc: Option<Pattern>,
        url: Written,
        image: Option<MediaUse>,
    },
    Miniprogram {
        appid: String,
        page: Written,
        title: Pattern,
        image: MediaUse,
    },
}

/// `[menu]`
#[derive(Debug)]
pub(super) struct Menu {
    pub spot: Spot,
    pub head: Option<Pattern>,
    pub items: Vec<Item>,
    pub tail: Option<Pattern>,
}

/// One line of a menu.
#[derive(Debug)]
pub(super) enum Item {
    Click { id: Written, text: Pattern },
    View { url: Written, text: Pattern },
}

impl Template {
    /// Compiles one file. `None` when it is no TOML; whatever else is wrong is reported and left out.
    pub(super) fn compile(name: &str, file: &SourceFile<'_>, faults: &mut Faults) -> Option<Self> {
        let parsed = reader::parse(file, faults)?;
        let root = reader::root(file, &parsed);
        root.only(&["text", "fallback", "attachments", "menu"], faults);
        let written = root.text("text", faults);
        // What is there but faulty has been reported as what it is.
        let blank = written
            .as_ref()
            .map_or(root.get("text").is_none(), |w| w.text.trim().is_empty());
        let text = written.map(|w| Pattern::parse(&w, file, faults));
        let template = Self {
            name: name.to_owned(),
            spot: file.spot(0),
            text: text.filter(|t| !t.is_empty()),
            fallback: fallback(&root, faults),
            attachments: root
                .tables("attachments", faults)
                .iter()
                .filter_map(|t| attachment(t, faults))
                .collect(),
            menu: root.table("menu", faults).map(|t| menu(&t, faults)),
        };
        if blank && root.get("attachments").is_none() && root.get("menu").is_none() {
            faults.error(
                &template.spot,
                "empty_template",
                Text::new(
                    format!("模板“{name}”什么也没说"),
                    format!("template \"{name}\" says nothing"),
                ),
                Text::new(
                    "写上 text、[[attachments]] 或 [menu]",
                    "Give it a text, [[attachments]] or a [menu]",
                ),
            );
        }
        if template.attachments.len() > 9 {
            faults.error(
                &template.attachments[9].spot,
                "too_many_attachments",
                Text::new("附件超过 9 个", "more than 9 attachments"),
                Text::new("最多保留 9 个", "Keep at most 9"),
            );
        }
        Some(template)
    }

    /// Every text of the template in which variables may stand.
    pub(super) fn patterns(&self) -> Vec<&Pattern> {
        let mut all: Vec<&Pattern> = self.text.iter().collect();
        all.extend(self.attachments.iter().flat_map(|a| a.what.patterns()));
        all.extend(self.menu.iter().flat_map(Menu::patterns));
        all
    }

    /// Every media file it names.
    pub(super) fn media(&self) -> impl Iterator<Item = &MediaUse> {
        self.attachments.iter().filter_map(|a| a.what.media())
    }
}

impl Menu {
    /// Every text in which variables may stand.
    pub fn patterns(&self) -> Vec<&Pattern> {
        let lines = self.items.iter().map(|i| match i {
            Item::Click { text, .. } | Item::View { text, .. } => text,
        });
        self.head.iter().chain(&self.tail).chain(lines).collect()
    }
}

impl AttachmentKind {
    /// Every text in which variables may stand.
    pub fn patterns(&self) -> Vec<&Pattern> {
        match self {
            Self::Media(_) => Vec::new(),
            Self::Link { title, desc, .. } => std::iter::once(title).chain(desc).collect(),
            Self::Miniprogram { title, .. } => vec![title],
        }
    }

    /// The file or picture it needs.
    pub fn media(&self) -> Option<&MediaUse> {
        match self {
            Self::Media(m) | Self::Miniprogram { image: m, .. } => Some(m),
            Self::Link { image, .. } => image.as_ref(),
        }
    }
}

fn fallback(root: &Table<'_>, faults: &mut Faults) -> BTreeMap<String, String> {
    let Some(table) = root.table("fallback", faults) else {
        return BTreeMap::new();
    };
    let mut words = BTreeMap::new();
    for (name, spot, value) in table.entries() {
        if variable::find(name).is_none() {
            faults.unknown(
                &spot,
                "unknown_variable",
                ("变量", "variable"),
                name,
                &variable::names(),
            );
        } else if let Some(word) = value.as_text() {
            words.insert(name.to_owned(), word.text);
        } else {
            value.wrong::<()>(faults, name, ("文字", "a text in quotes"));
        }
    }
    words
}

fn attachment(table: &Table<'_>, faults: &mut Faults) -> Option<Attachment> {
    const KINDS: [&str; 5] = ["image", "video", "file", "link", "miniprogram"];
    let kind = need(table, "type", faults)?;
    let what = match kind.text.as_str() {
        "image" => media(table, MediaKind::Image, faults),
        "video" => media(table, MediaKind::Video, faults),
        "file" => media(table, MediaKind::File, faults),
        "link" => link(table, faults),
        "miniprogram" => miniprogram(table, faults),
        other => {
            faults.unknown(
                &kind.spot,
                "unknown_attachment",
                ("附件类型", "attachment type"),
                other,
                &KINDS,
            );
            None
        }
    };
    what.map(|what| Attachment {
        spot: table.spot(),
        what,
    })
}

fn media(table: &Table<'_>, kind: MediaKind, faults: &mut Faults) -> Option<AttachmentKind> {
    table.only(&["type", "file"], faults);
    let path = need(table, "file", faults)?;
    media_use(path, kind, faults).map(AttachmentKind::Media)
}

fn link(table: &Table<'_>, faults: &mut Faults) -> Option<AttachmentKind> {
    table.only(&["type", "title", "desc", "url", "image"], faults);
    let title = need(table, "title", faults).map(|w| Pattern::parse(&w, table.file, faults));
    let desc = table
        .text("desc", faults)
        .map(|w| Pattern::parse(&w, table.file, faults));
    let url = need(table, "url", faults).and_then(|w| checked_url(w, faults));
    let image = table
        .text("image", faults)
        .map(|w| media_use(w, MediaKind::Image, faults));
    Some(AttachmentKind::Link {
        title: title?,
        desc,
        url: url?,
        image: image.flatten(),
    })
}

fn miniprogram(table: &Table<'_>, faults: &mut Faults) -> Option<AttachmentKind> {
    table.only(&["type", "appid", "page", "title", "image"], faults);
    let appid = need(table, "appid", faults);
    let page = need(table, "page", faults).map(|w| without_variables(w, faults));
    let title = need(table, "title", faults).map(|w| Pattern::parse(&w, table.file, faults));
    let image = need(table, "image", faults).and_then(|w| media_use(w, MediaKind::Image, faults));
    Some(AttachmentKind::Miniprogram {
        appid: appid?.text,
        page: page?,
        title: title?,
        image: image?,
    })
}

fn menu(table: &Table<'_>, faults: &mut Faults) -> Menu {
    table.only(&["head", "items", "tail"], faults);
    let head = table
        .text("head", faults)
        .map(|w| Pattern::parse(&w, table.file, faults));
    let tail = table
        .text("tail", faults)
        .map(|w| Pattern::parse(&w, table.file, faults));
    let written = table.tables("items", faults);
    let items: Vec<Item> = written.iter().filter_map(|t| item(t, faults)).collect();
    let count = |code, zh: &str, en: &str, faults: &mut Faults| {
        let remedy = Text::new("写 1 到 10 个 items", "Give it 1 to 10 items");
        faults.error(&table.spot(), code, Text::new(zh, en), remedy);
    };
    match written.len() {
        0 => count("menu_size", "菜单没有选项", "the menu has no items", faults),
        1..=10 => {}
        _ => count(
            "menu_size",
            "菜单的可点选项超过 10 个",
            "the menu has more than 10 clickable items",
            faults,
        ),
    }
    Menu {
        spot: table.spot(),
        head,
        items,
        tail,
    }
}

fn item(table: &Table<'_>, faults: &mut Faults) -> Option<Item> {
    table.only(&["id", "url", "text"], faults);
    let text = need(table, "text", faults).map(|w| Pattern::parse(&w, table.file, faults));
    match (table.text("id", faults), table.text("url", faults)) {
        (Some(id), None) => {
            if id.text.is_empty() || id.text.len() > 128 || id.text.contains('#') {
                faults.error(
                    &id.spot,
                    "menu_id",
                    Text::new(
                        "菜单项的 id 须为 1 到 128 字节且不含 #",
                        "a menu id has 1 to 128 bytes and no #",
                    ),
                    Text::new("换一个短的英文 id", "Use a short word"),
                );
            }
            Some(Item::Click {
                id: without_variables(id, faults),
                text: text?,
            })
        }
        (None, Some(url)) => Some(Item::View {
            url: checked_url(url, faults)?,
            text: text?,
        }),
        _ => {
            faults.error(
                &table.spot(),
                "menu_item",
                Text::new(
                    "菜单项须有 id 或 url，二者取一",
                    "a menu item has either an id or a url",
                ),
                Text::new(
                    "写成 { id = \"price\", text = \"价目表\" } 或 { url = \"https://…\", text = \"官网\" }",
                    "Write { id = \"price\", text = \"…\" } or { url = \"https://…\", text = \"…\" }",
                ),
            );
            None
        }
    }
}

/// A text that must be there and not be blank.
fn need(table: &Table<'_>, key: &str, faults: &mut Faults) -> Option<Written> {
    let spot = match table.get(key) {
        None => table.spot(),
        Some(value) => match table.text(key, faults)? {
            found if !found.text.trim().is_empty() => return Some(found),
            _ => value.spot(),
        },
    };
    faults.error(
        &spot,
        "missing_key",
        Text::new(format!("缺少 {key}"), format!("{key} is missing")),
        Text::new(format!("在这里写上 {key} = \"…\""), format!("Write {key} = \"…\" here")),
    );
    None
}

fn media_use(path: Written, kind: MediaKind, faults: &mut Faults) -> Option<MediaUse> {
    if let Some(what) = bad_path(&path.text) {
        let remedy = Text::new(
            "路径从模板目录算起，用“/”分隔，不含“..”，例如 media/menu.png",
            "The path starts at the templates folder, with \"/\" and without \"..\", such as media/menu.png",
        );
        faults.error(&path.spot, "media_path", what, remedy);
        return None;
    }
    Some(MediaUse {
        path: path.text,
        kind,
        spot: path.spot,
    })
}

fn checked_url(url: Written, faults: &mut Faults) -> Option<Written> {
    let host = url
        .text
        .strip_prefix("https://")
        .or_else(|| url.text.strip_prefix("http://"));
    let blank = url.text.chars().any(|c| c.is_whitespace() || c.is_control());
    if host.is_none_or(|h| h.is_empty() || h.starts_with('/')) || blank || url.text.len() > 2048 {
        faults.error(
            &url.spot,
            "bad_url",
            Text::new(
                "网址须以 http:// 或 https:// 开头，不含空格，最多 2048 字节",
                "a url begins with http:// or https://, has no spaces and at most 2048 bytes",
            ),
            Text::new(
                "写完整网址，例如 https://example.com/c",
                "Write the whole url, such as https://example.com/c",
            ),
        );
    }
    Some(without_variables(url, faults))
}

fn without_variables(written: Written, faults: &mut Faults) -> Written {
    if written.text.contains("{{") {
        faults.error(
            &written.spot,
            "variable_not_here",
            Text::new("这里不能用变量", "no variables here"),
            Text::new(
                "变量只能用在 text、title、desc、head、tail 和菜单文字里",
                "Variables may stand in text, title, desc, head, tail and the texts of a menu",
            ),
        );
    }
    written
}
