//! What comes out of rendering: texts filled in, media named by hash.

use std::sync::Arc;

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
