//! The only place of this room that touches files.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use super::faults::{Faults, Spot};
use super::media::{LARGEST, MediaInfo, MediaRefusal};
use super::sources::normal;
use crate::model::Text;
use crate::settings::ContentDirs;

/// Reads all texts of a corp's content. What is missing is empty; what cannot be read is reported.
pub(super) fn texts(dirs: &ContentDirs, faults: &mut Faults) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    for name in ["channels.toml", "members.toml"] {
        if let Some(text) = text(&dirs.dir.join(name), faults) {
            files.insert(name.to_owned(), text);
        }
    }
    folder(&dirs.dir.join("rules"), "rules", &mut files, faults);
    folder(&dirs.templates, "templates", &mut files, faults);
    files
}

/// A media file by its path under the templates folder.
pub(super) fn media(templates: &Path, path: &str) -> Result<MediaInfo, MediaRefusal> {
    let wanted = templates.join(path);
    let unreadable = |e: std::io::Error| match e.kind() {
        ErrorKind::NotFound => MediaRefusal::Missing,
        _ => MediaRefusal::Unreadable(e.to_string()),
    };
    let real = wanted.canonicalize().map_err(unreadable)?;
    let root = templates.canonicalize().map_err(unreadable)?;
    if !real.starts_with(&root) {
        return Err(MediaRefusal::Outside);
    }
    let meta = real.metadata().map_err(unreadable)?;
    if !meta.is_file() {
        return Err(MediaRefusal::Missing);
    }
    if meta.len() > LARGEST {
        return Err(MediaRefusal::TooLarge(meta.len()));
    }
    let bytes = std::fs::read(&real).map_err(unreadable)?;
    Ok(MediaInfo::of(Arc::from(bytes)))
}

fn folder(dir: &Path, key: &str, files: &mut BTreeMap<String, String>, faults: &mut Faults) {
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(e) if e.kind() == ErrorKind::NotFound => return,
        Err(e) => return unreadable(dir, &e.to_string(), faults),
    };
    for entry in entries.flatten() {
        let path = entry.path();
        let Some(name) = path.file_name().and_then(|n| n.to_str()) else {
            continue;
        };
        // Editors leave hidden copies beside the file they work on.
        if !name.ends_with(".toml") || name.starts_with('.') || path.is_dir() {
            continue;
        }
        if let Some(text) = text(&path, faults) {
            files.insert(format!("{key}/{name}"), text);
        }
    }
}

fn text(path: &Path, faults: &mut Faults) -> Option<String> {
    match std::fs::read(path).map(String::from_utf8) {
        Ok(Ok(text)) => return Some(normal(&text)),
        Ok(Err(_)) => faults.error(
            &Spot::whole(&path.to_string_lossy()),
            "not_utf8",
            Text::new("文件不是 UTF-8 编码", "the file is not UTF-8"),
            Text::new("用 UTF-8 另存（不是 GBK）", "Save it as UTF-8 (not GBK)"),
        ),
        Err(e) if e.kind() == ErrorKind::NotFound => {}
        Err(e) => unreadable(path, &e.to_string(), faults),
    }
    None
}

fn unreadable(path: &Path, why: &str, faults: &mut Faults) {
    faults.error(
        &Spot::whole(&path.to_string_lossy()),
        "unreadable",
        Text::new(format!("读不了：{why}"), format!("cannot be read: {why}")),
        Text::new("检查路径和权限", "Check path and permissions"),
    );
}
