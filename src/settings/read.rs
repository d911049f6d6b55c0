//! From the tree to [`Settings`]: the root, `[server]`, `[store]`, `[content]`. `corp` reads the corps.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::corp;
use super::faults::Faults;
use super::secret::{self, Env};
use super::section::Section;
use super::tree::{self, Node, Place, Table, Value};
use super::{ContentDirs, Durability, Server, Settings, StoreSettings, StoreUrl};
use crate::model::{Diagnostic, Text};
use crate::settings::{env as overrides, value};

/// The defaults, and the documentation of every key.
const DEFAULTS: &str = include_str!("default.toml");

/// Keys whose tables replace the default whole: their members exclude each other.
const WHOLE: [&str; 1] = ["broadcast"];

impl Settings {
    /// Reads the settings: the file at `path`, overridden by `env`, upon the defaults. Opens nothing but that file
    /// and the files that secrets name. `Err`: everything that is wrong, in the order of places.
    pub fn load(path: &Path, env: impl Iterator<Item = (String, String)>) -> Result<Self, Vec<Diagnostic>> {
        let faults = Faults::default();
        let file = path.display().to_string();
        let settings = match std::fs::read_to_string(path) {
            Ok(text) => from_text(&file, &text, &env.collect(), &faults),
            Err(error) => {
                unreadable(&file, &error, &faults);
                None
            }
        };
        match settings {
            Some(settings) if faults.is_empty() => Ok(settings),
            _ => Err(faults.into_sorted()),
        }
    }
}

fn unreadable(file: &str, error: &std::io::Error, faults: &Faults) {
    let (what, remedy) = if error.kind() == std::io::ErrorKind::NotFound {
        (
            Text::new("找不到配置文件", "there is no such settings file"),
            Text::new(
                "用 --config PATH 指定，或从仓库的 config/gateway.toml 复制一份再修改",
                "Name it with --config PATH, or start from a copy of the repository's config/gateway.toml",
            ),
        )
    } else {
        (
            Text::new(
                format!("读不了配置文件：{error}"),
                format!("cannot read the settings file: {error}"),
            ),
            Text::new(
                "检查它是不是 UTF-8 文本文件，以及读取权限",
                "Check that it is a UTF-8 text file and may be read",
            ),
        )
    };
    faults.push(&Place::whole(file), "unreadable_file", what, remedy);
}

fn from_text(file: &str, text: &str, env: &Env, faults: &Faults) -> Option<Settings> {
    let mut written = tree::parse(file, text.trim_start_matches('\u{feff}'), faults)?;
    overrides::apply(&mut written, env.iter().map(|(k, v)| (k.as_str(), v.as_str())), faults);
    let mut root = tree::parse("default.toml", DEFAULTS, faults)?;
    let corp_base = match root.remove("corp").map(|n| n.value) {
        Some(Value::Table(base)) => base,
        _ => Table::new(),
    };
    let corps = written.remove("corp");
    tree::overlay(&mut root, written, &WHOLE);

    let place = Place::whole(file);
    let section = Section::new(&root, &place, String::new(), faults);
    let server = section.section("server").and_then(server);
    let keep = section.section("journal").and_then(journal);
    let store = section.section("store").and_then(|s| store(s, keep, env));
    let content = section.section("content").map(|s| content(s, &ContentDirs::none()));
    // The corps are read below, but their key is known.
    let _ = section.get("corp");
    section.finish();

    let content = content?;
    let nodes = corp_tables(corps, corp_base, &place, faults);
    let corps = corp::read_all(&nodes, &content, env, faults);
    Some(Settings {
        server: server?,
        store: store?,
        content,
        corps,
    })
}

/// The tables of `[[corp]]`, each upon the defaults of a corp.
fn corp_tables(corps: Option<Node>, base: Table, file: &Place, faults: &Faults) -> Vec<Node> {
    let remedy = Text::new(
        "写 [[corp]]（两层方括号），见 docs/connect.zh-CN.md",
        "Write [[corp]] in double brackets, see docs/connect.md",
    );
    let list = match corps {
        Some(Node {
            value: Value::List(list),
            ..
        }) if !list.is_empty() => list,
        Some(Node { place, .. }) => {
            let what = Text::new("`corp` 不是 [[corp]] 列表", "`corp` is no list of [[corp]]");
            faults.push(&place, "wrong_type", what, remedy);
            return Vec::new();
        }
        None => {
            faults.missing(file, "", "corp", remedy);
            return Vec::new();
        }
    };
    list.into_iter()
        .map(|node| match node.value {
            Value::Table(written) => {
                let mut table = base.clone();
                tree::overlay(&mut table, written, &WHOLE);
                Node {
                    value: Value::Table(table),
                    place: node.place,
                }
            }
            _ => node,
        })
        .collect()
}

fn server(section: Section<'_>) -> Option<Server> {
    let listen = section
        .get("listen")
        .and_then(|l| l.parse("\"127.0.0.1:8080\"", value::listen));
    let node = needed_path(&section, "node");
    let max_partitions = section.get("max_partitions").and_then(|l| l.int(0, 64));
    section.finish();
    Some(Server {
        listen: listen?,
        node: node?,
        max_partitions: u8::try_from(max_partitions?).ok()?,
    })
}

/// `[journal]`: how long decided entries are kept.
fn journal(section: Section<'_>) -> Option<Duration> {
    let keep = section.get("keep").and_then(|l| l.parse("\"24h\"", value::duration));
    section.finish();
    keep
}

fn store(section: Section<'_>, keep: Option<Duration>, env: &Env) -> Option<StoreSettings> {
    let url = section.get("url").and_then(|l| secret::read(&l, env, value::store_url));
    let durability: Option<Durability> = section
        .get("durability")
        .and_then(|l| l.parse("\"os\"", value::durability));
    let spool = section.get("spool").and_then(|l| l.file_path());
    section.finish();
    let url = url?;
    Some(StoreSettings {
        // SQLite lies on the same disk as the spool would: it has no use for one.
        spool: spool.filter(|_| matches!(url, StoreUrl::Redis(_))),
        url,
        durability: durability?,
        keep: keep?,
    })
}

/// Reads `dir`, `templates`, `fallback`; what is missing is as in `common`.
pub(super) fn content(section: Section<'_>, common: &ContentDirs) -> ContentDirs {
    let path = |key: &'static str, common: &PathBuf| match section.get(key) {
        Some(_) => needed_path(&section, key).unwrap_or_default(),
        None => common.clone(),
    };
    let dir = path("dir", &common.dir);
    let templates = path("templates", &common.templates);
    let mut fallback = common.fallback.clone();
    if let Some(words) = section.section("fallback") {
        fallback.extend(words.members().filter_map(|(variable, leaf)| {
            let word = leaf.parse("\"朋友\"", |t| Ok(t.to_owned()))?;
            Some((variable.to_owned(), word))
        }));
    }
    section.finish();
    ContentDirs {
        dir,
        templates,
        fallback,
    }
}

impl ContentDirs {
    fn none() -> Self {
        Self {
            dir: PathBuf::new(),
            templates: PathBuf::new(),
            fallback: BTreeMap::new(),
        }
    }
}

fn needed_path(section: &Section<'_>, key: &'static str) -> Option<PathBuf> {
    let leaf = section.get(key)?;
    let path = leaf.file_path();
    if path.is_none() && leaf.text().is_some() {
        leaf.wrong(super::section::Wrong::new(
            ["路径不能为空", "a path cannot be empty"],
            [
                "写一个路径，或删掉这一项用默认值",
                "Give a path, or remove the key for its default",
            ],
        ));
    }
    path
}
