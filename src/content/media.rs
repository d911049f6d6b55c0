//! Media files: what kind a file really is, and whether WeCom takes it.

use super::faults::{Faults, Spot};
use super::{MediaFile, MediaKind, Place};
use crate::model::Text;
use std::sync::Arc;

/// What the first bytes of a file say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Format {
    /// PNG
    Png,
    /// JPEG
    Jpeg,
    /// MP4
    Mp4,
    /// Anything else.
    Other,
}

/// What is known of a media file without its bytes.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MediaInfo {
    /// SHA-256 (hex) of its content.
    pub hash: String,
    /// Its length in bytes.
    pub size: u64,
    /// By its first bytes.
    pub format: Format,
    /// Its content, where this host has it.
    #[serde(skip)]
    pub bytes: Option<Arc<[u8]>>,
}

/// Why a media file could not be had.
#[derive(Debug, Clone)]
pub(super) enum MediaRefusal {
    /// No such file.
    Missing,
    /// It lies outside the templates folder (a link that leads out).
    Outside,
    /// It is longer than anything WeCom takes.
    TooLarge(u64),
    /// The host's own words.
    Unreadable(String),
}

/// A media file as a template names it.
#[derive(Debug, Clone)]
pub(super) struct MediaUse {
    /// Relative to the templates folder, with `/`.
    pub path: String,
    /// What it is sent as.
    pub kind: MediaKind,
    /// Where it is named.
    pub spot: Spot,
}

/// Largest file of any kind (limits.md D3).
pub(super) const LARGEST: u64 = 20 * 1024 * 1024;
/// Largest picture for `media/uploadimg` (limits.md D6).
const LARGEST_PICURL: u64 = 2 * 1024 * 1024;

impl MediaInfo {
    /// From a file's content.
    pub fn of(bytes: Arc<[u8]>) -> Self {
        Self {
            hash: super::sources::sha256_hex(&bytes),
            size: bytes.len() as u64,
            format: Format::of(&bytes),
            bytes: Some(bytes),
        }
    }
}

impl Format {
    /// By its first bytes.
    pub fn of(bytes: &[u8]) -> Self {
        match bytes {
            [0x89, b'P', b'N', b'G', 0x0D, 0x0A, 0x1A, 0x0A, ..] => Self::Png,
            [0xFF, 0xD8, 0xFF, ..] => Self::Jpeg,
            [_, _, _, _, b'f', b't', b'y', b'p', ..] => Self::Mp4,
            _ => Self::Other,
        }
    }
}

/// Why this path cannot name a file of the templates folder; `None` when it can.
pub(super) fn bad_path(path: &str) -> Option<Text> {
    let outside = path.starts_with('/') || path.contains('\\') || path.contains(':');
    let dots = path.split('/').any(|part| matches!(part, "" | "." | ".."));
    (outside || dots || path.chars().any(char::is_control)).then(|| {
        Text::new(
            format!("“{path}”不是模板目录里的相对路径"),
            format!("\"{path}\" is no plain path inside the templates folder"),
        )
    })
}

/// Checks a file against what it is sent as, whatever the place.
pub(super) fn check(used: &MediaUse, found: Result<&MediaInfo, MediaRefusal>, faults: &mut Faults) {
    let path = &used.path;
    let info = match found {
        Ok(info) => info,
        Err(refusal) => return refused(used, refusal, faults),
    };
    let (kind, accepted, limit) = match used.kind {
        MediaKind::Image => (
            ("图片", "image"),
            matches!(info.format, Format::Png | Format::Jpeg),
            10 * 1024 * 1024,
        ),
        MediaKind::Video => (("视频", "video"), info.format == Format::Mp4, 10 * 1024 * 1024),
        MediaKind::File => (("文件", "file"), true, LARGEST),
    };
    let extension = path
        .rsplit_once('.')
        .map(|(_, e)| e.to_ascii_lowercase())
        .unwrap_or_default();
    let named = match used.kind {
        MediaKind::Image => matches!(extension.as_str(), "png" | "jpg" | "jpeg"),
        MediaKind::Video => extension == "mp4",
        MediaKind::File => !extension.is_empty(),
    };
    if !accepted || !named {
        faults.error(
            &used.spot,
            "media_kind",
            Text::new(
                format!("{path} 不能作为{}发送（扩展名与内容都要符合）", kind.0),
                format!(
                    "{path} cannot be sent as {} (extension and content must both fit)",
                    kind.1
                ),
            ),
            Text::new(
                "图片用 JPG 或 PNG，视频用 MP4，其他用 type = \"file\"，并带扩展名",
                "Use JPG or PNG for images, MP4 for videos, type = \"file\" for the rest, with an extension",
            ),
        );
    }
    if info.size <= 5 || info.size > limit {
        size_fault(used, info.size, limit, faults);
    }
}

/// Checks a picture that goes by `uploadimg` (links in welcomes and broadcasts, news to members).
pub(super) fn check_picurl(used: &MediaUse, size: u64, place: Place, faults: &mut Faults) {
    if matches!(place, Place::Welcome | Place::Broadcast | Place::App) && size > LARGEST_PICURL {
        size_fault(used, size, LARGEST_PICURL, faults);
    }
}

fn size_fault(used: &MediaUse, size: u64, limit: u64, faults: &mut Faults) {
    let path = &used.path;
    let mb = limit / 1024 / 1024;
    faults.error(
        &used.spot,
        "media_size",
        Text::new(format!("{path} 有 {size} 字节"), format!("{path} has {size} bytes")),
        Text::new(
            format!("企业微信在这里接受 6 字节到 {mb} MB：请压缩或换一个文件"),
            format!("WeCom takes 6 bytes to {mb} MB here: compress it or use another file"),
        ),
    );
}

fn refused(used: &MediaUse, refusal: MediaRefusal, faults: &mut Faults) {
    let path = &used.path;
    let (code, what) = match refusal {
        MediaRefusal::Missing => (
            "media_missing",
            Text::new(format!("文件 {path} 不存在"), format!("there is no file {path}")),
        ),
        MediaRefusal::Outside => (
            "media_path",
            Text::new(
                format!("{path} 在模板目录之外"),
                format!("{path} lies outside the templates folder"),
            ),
        ),
        MediaRefusal::TooLarge(size) => return size_fault(used, size, LARGEST, faults),
        MediaRefusal::Unreadable(why) => (
            "media_unreadable",
            Text::new(format!("读不了 {path}：{why}"), format!("cannot read {path}: {why}")),
        ),
    };
    faults.error(
        &used.spot,
        code,
        what,
        Text::new(
            "把文件放进模板目录，路径从模板目录算起（区分大小写）",
            "Put the file into the templates folder; the path starts there (case matters)",
        ),
    );
}

impl MediaUse {
    /// The file for delivery.
    pub fn file(&self, info: &MediaInfo) -> MediaFile {
        MediaFile {
            hash: info.hash.clone(),
            name: self.path.clone(),
            kind: self.kind,
            bytes: info.bytes.clone(),
        }
    }
}
