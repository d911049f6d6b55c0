//! The content that is compiled into the program: 某某咖啡, as `templates/` and `config/` of the repository show it.

use std::collections::BTreeMap;

use super::media::MediaInfo;
use super::sources::sha256_hex;

macro_rules! texts {
    ($($key:literal => $path:literal),* $(,)?) => {
        [$(($key, include_str!(concat!("../../", $path)))),*]
    };
}

/// Texts by path in the sources.
pub(super) fn files() -> BTreeMap<String, String> {
    let files = texts! {
        "channels.toml" => "config/channels.toml",
        "members.toml" => "config/members.toml",
        "rules/contacts.toml" => "config/rules/contacts.toml",
        "rules/kf.toml" => "config/rules/kf.toml",
        "rules/members.toml" => "config/rules/members.toml",
        "templates/app-hello.toml" => "templates/app-hello.toml",
        "templates/coupon.toml" => "templates/coupon.toml",
        "templates/fallback.toml" => "templates/fallback.toml",
        "templates/human.toml" => "templates/human.toml",
        "templates/kf-hello.toml" => "templates/kf-hello.toml",
        "templates/night.toml" => "templates/night.toml",
        "templates/price-list.toml" => "templates/price-list.toml",
        "templates/store-list.toml" => "templates/store-list.toml",
        "templates/store-welcome.toml" => "templates/store-welcome.toml",
        "templates/welcome-a.toml" => "templates/welcome-a.toml",
        "templates/welcome-b.toml" => "templates/welcome-b.toml",
    };
    files
        .into_iter()
        .map(|(key, text)| (key.to_owned(), text.to_owned()))
        .collect()
}

const MEDIA: [(&str, &[u8]); 2] = [
    ("media/coupon.png", include_bytes!("../../templates/media/coupon.png")),
    ("media/menu.png", include_bytes!("../../templates/media/menu.png")),
];

/// Media by path under the templates folder.
pub(super) fn media() -> BTreeMap<String, Vec<u8>> {
    MEDIA
        .iter()
        .map(|(path, bytes)| ((*path).to_owned(), bytes.to_vec()))
        .collect()
}

/// A media file by the hash of its content.
pub(super) fn find(hash: &str) -> Option<MediaInfo> {
    let found = MEDIA.iter().find(|(_, bytes)| sha256_hex(bytes) == hash)?;
    Some(MediaInfo::of(found.1.into()))
}
