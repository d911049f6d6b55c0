//! How the demo tells its scene: who says what to whom, and how long it took.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use serde_json::Value;

use super::super::out;
use crate::clock;
use crate::model::text::{Lang, Text};
use crate::sandbox::{Sandbox, Seen};

/// Prints the scene line by line.
pub(super) struct Narrator {
    lang: Lang,
    began: Instant,
    bold: bool,
    names: BTreeMap<String, String>,
    took: Mutex<Vec<(Text, i64)>>,
}

impl Narrator {
    pub fn new(lang: Lang) -> Self {
        let cast = Sandbox::coffee();
        let members = cast.members.into_iter().map(|(id, m)| (id, m.name));
        let contacts = cast.contacts.into_iter().map(|(id, c)| (id, c.name));
        // https://no-color.org: set and not empty.
        let plain = std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty());
        Self {
            lang,
            began: clock::monotonic(),
            bold: !plain && std::io::stdout().is_terminal(),
            names: members.chain(contacts).collect(),
            took: Mutex::default(),
        }
    }

    pub fn title(&self, zh: &str, en: &str) {
        let title = Text::new(zh, en);
        let title = title.say(self.lang);
        out::line(&if self.bold {
            format!("\n\x1b[1m{title}\x1b[0m")
        } else {
            format!("\n{title}")
        });
    }

    /// A person, by id, does or says something.
    pub fn says(&self, who: &str, zh: &str, en: &str) {
        self.line(&format!("{} ▸ {}", self.name(who), Text::new(zh, en).say(self.lang)));
    }

    /// The operator types a command.
    pub fn types(&self, command: &str) {
        self.line(&format!("{} ▸ {command}", Text::new("运营", "Operator").say(self.lang)));
    }

    /// Something happened that nobody said.
    pub fn notes(&self, zh: &str, en: &str) {
        self.line(&format!("✓ {}", Text::new(zh, en).say(self.lang)));
    }

    /// What a command printed, with names for ids.
    pub fn prints(&self, line: &Text) {
        let mut line = line.say(self.lang).to_owned();
        for (id, name) in &self.names {
            line = line.replace(id.as_str(), name);
        }
        out::line(&format!("            │ {line}"));
    }

    /// A person sees a message; `took_ms` after what caused it, where that was one moment.
    pub fn sees(&self, message: &Seen, took_ms: Option<i64>) {
        let after = took_ms.map_or_else(String::new, |ms| {
            Text::new(format!("（{ms} 毫秒后）"), format!(" (after {ms} ms)"))
                .say(self.lang)
                .to_owned()
        });
        self.line(&format!("{} ◂{after}", self.name(&message.to)));
        for line in body(message, self.lang) {
            out::line(&format!("            │ {line}"));
        }
    }

    /// Remembers a latency for the table at the end.
    pub fn took(&self, zh: &str, en: &str, ms: i64) {
        let mut took = self.took.lock().unwrap_or_else(PoisonError::into_inner);
        took.push((Text::new(zh, en), ms));
    }

    /// From what a person did to the answer on their screen: our whole way, the simulated WeCom included.
    pub fn table(&self) {
        self.title("从动作到收到回复", "From what they did to the answer they saw");
        for (what, ms) in self.took.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            let unit = Text::new("毫秒", "ms");
            out::line(&format!("{ms:>7} {}  {}", unit.say(self.lang), what.say(self.lang)));
        }
    }

    /// Names of a list, as the language writes lists.
    pub fn list(&self, items: &[String]) -> String {
        items.join(Text::new("、", ", ").say(self.lang))
    }

    fn name<'a>(&'a self, id: &'a str) -> &'a str {
        self.names.get(id).map_or(id, String::as_str)
    }

    fn line(&self, text: &str) {
        let ms = clock::monotonic().saturating_duration_since(self.began).as_millis();
        let unit = Text::new("毫秒", "ms");
        out::line(&format!("{ms:>7} {}  {text}", unit.say(self.lang)));
    }
}

/// A message as its reader sees it, line by line.
fn body(message: &Seen, lang: Lang) -> Vec<String> {
    let content = &message.content;
    let kind = content.get("msgtype").and_then(Value::as_str).unwrap_or("text");
    let mut lines = match kind {
        "msgmenu" => menu(content),
        _ if !message.text.is_empty() => message.text.lines().map(str::to_owned).collect(),
        "text" => Vec::new(),
        _ => vec![part(kind, content, lang)],
    };
    for a in content
        .get("attachments")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let kind = a.get("msgtype").and_then(Value::as_str).unwrap_or_default();
        lines.push(part(kind, a, lang));
    }
    lines
}

/// What is no text: its kind, and its title where it has one.
fn part(kind: &str, content: &Value, lang: Lang) -> String {
    let word = match kind {
        "image" => Text::new("图片", "image"),
        "video" => Text::new("视频", "video"),
        "file" => Text::new("文件", "file"),
        "link" | "news" => Text::new("链接", "link"),
        "miniprogram" => Text::new("小程序", "mini-program"),
        other => Text::new(other, other),
    };
    let title = content.get(kind).and_then(|l| l.get("title")).and_then(Value::as_str);
    format!("[{}] {}", word.say(lang), title.unwrap_or_default())
        .trim_end()
        .to_owned()
}

fn menu(content: &Value) -> Vec<String> {
    let text = |v: &Value, key: &str| v.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let Some(menu) = content.get("msgmenu") else {
        return Vec::new();
    };
    let mut lines = vec![text(menu, "head_content")];
    for item in menu.get("list").and_then(Value::as_array).into_iter().flatten() {
        let kind = text(item, "type");
        let inner = item.get(kind.as_str()).unwrap_or(&Value::Null);
        lines.push(format!("  • {}", text(inner, "content")));
    }
    lines.push(text(menu, "tail_content"));
    lines.retain(|l| !l.is_empty());
    lines
}
