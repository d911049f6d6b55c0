//! From a rendered part to WeCom's request: which files it needs, and the body once they have ids. Pure.

use super::media::{Assets, Need, Use};
use crate::content::{MediaFile, MediaKind, MenuItem, Place, Rendered, RenderedAttachment, RenderedMenu};
use crate::wecom::api::{
    AppArticle, AppBody, AppVideo, Attachment, KfBody, KfLink, KfMiniprogram, Link, MenuEntry, Miniprogram, Msgmenu,
};

/// Why a rendered part cannot be said at its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unsayable {
    /// A file it cannot do without has no id.
    Media,
    /// There is nothing to say, or the place cannot say it (a load error that slipped through).
    Nothing,
}

/// The files that a part needs at its place, each once.
pub(super) fn needs(rendered: &Rendered, place: Place) -> Vec<Need> {
    let mut all: Vec<Need> = Vec::new();
    let mut add = |file: &MediaFile, used| {
        let need = Need {
            file: file.clone(),
            used,
        };
        if !all.contains(&need) {
            all.push(need);
        }
    };
    for attachment in &rendered.attachments {
        match attachment {
            RenderedAttachment::Media(file) => add(file, Use::Id(file.kind)),
            RenderedAttachment::Link { image, .. } => {
                if let Some(file) = image {
                    add(file, if place == Place::Kf { Use::IMAGE } else { Use::Picture });
                }
            }
            RenderedAttachment::Miniprogram { image, .. } => add(image, Use::IMAGE),
        }
    }
    all
}

/// Attachments of a welcome or broadcast. An attachment whose file has no id is left out, a link only loses its
/// picture.
pub(super) fn attachments(rendered: &Rendered, assets: &Assets) -> Vec<Attachment> {
    let one = |a: &RenderedAttachment| match a {
        RenderedAttachment::Media(file) => {
            let id = assets.get(file, Use::Id(file.kind))?;
            Some(match file.kind {
                MediaKind::Image => Attachment::image(id),
                MediaKind::Video => Attachment::video(id),
                MediaKind::File => Attachment::file(id),
            })
        }
        RenderedAttachment::Link {
            title,
            desc,
            url,
            image,
        } => Some(Attachment::Link {
            link: Link {
                title: title.clone(),
                picurl: image.as_ref().and_then(|i| assets.get(i, Use::Picture)),
                desc: desc.clone(),
                url: url.clone(),
            },
        }),
        RenderedAttachment::Miniprogram {
            appid,
            page,
            title,
            image,
        } => Some(Attachment::Miniprogram {
            miniprogram: Miniprogram {
                title: title.clone(),
                pic_media_id: assets.get(image, Use::IMAGE)?,
                appid: appid.clone(),
                page: page.clone(),
            },
        }),
    };
    rendered.attachments.iter().filter_map(one).collect()
}

/// One kf message: attachment, menu or text.
pub(super) fn kf(rendered: &Rendered, assets: &Assets) -> Result<KfBody, Unsayable> {
    let Some(attachment) = rendered.attachments.first() else {
        return kf_event(rendered);
    };
    Ok(match attachment {
        RenderedAttachment::Media(file) => {
            let id = assets.get(file, Use::Id(file.kind)).ok_or(Unsayable::Media)?;
            match file.kind {
                MediaKind::Image => KfBody::image(id),
                MediaKind::Video => KfBody::video(id),
                MediaKind::File => KfBody::file(id),
            }
        }
        RenderedAttachment::Link {
            title,
            desc,
            url,
            image,
        } => {
            let image = image.as_ref().ok_or(Unsayable::Nothing)?;
            KfBody::Link {
                link: KfLink {
                    title: title.clone(),
                    desc: desc.clone(),
                    url: url.clone(),
                    thumb_media_id: assets.get(image, Use::IMAGE).ok_or(Unsayable::Media)?,
                },
            }
        }
        RenderedAttachment::Miniprogram {
            appid,
            page,
            title,
            image,
        } => KfBody::Miniprogram {
            miniprogram: KfMiniprogram {
                appid: appid.clone(),
                title: title.clone(),
                thumb_media_id: assets.get(image, Use::IMAGE).ok_or(Unsayable::Media)?,
                pagepath: page.clone(),
            },
        },
    })
}

/// The one message of an event code: the menu (a text beside it becomes its head), else the text.
pub(super) fn kf_event(rendered: &Rendered) -> Result<KfBody, Unsayable> {
    let text = rendered.text.as_deref().filter(|t| !t.is_empty());
    match (&rendered.menu, text) {
        (Some(menu), text) => Ok(KfBody::Msgmenu {
            msgmenu: msgmenu(menu, text),
        }),
        (None, Some(text)) => Ok(KfBody::text(text.to_owned())),
        (None, None) => Err(Unsayable::Nothing),
    }
}

fn msgmenu(menu: &RenderedMenu, text: Option<&str>) -> Msgmenu {
    let entry = |item: &MenuItem| match item {
        MenuItem::Click { id, text } => MenuEntry::click(id.clone(), text.clone()),
        MenuItem::View { url, text } => MenuEntry::view(url.clone(), text.clone()),
    };
    let head_content = match text {
        // WeCom's limit for a head is 1024 bytes; a longer text keeps its own head out.
        Some(text) if menu.head.is_empty() => text.to_owned(),
        Some(text) if text.len() + 1 + menu.head.len() <= 1024 => format!("{text}\n{}", menu.head),
        Some(_) | None => menu.head.clone(),
    };
    Msgmenu {
        head_content,
        list: menu.items.iter().map(entry).collect(),
        tail_content: menu.tail.clone(),
    }
}

/// One message to a member.
pub(super) fn app(rendered: &Rendered, assets: &Assets) -> Result<AppBody, Unsayable> {
    let Some(attachment) = rendered.attachments.first() else {
        let text = rendered.text.clone().filter(|t| !t.is_empty());
        return text.map(AppBody::text).ok_or(Unsayable::Nothing);
    };
    Ok(match attachment {
        RenderedAttachment::Media(file) => {
            let id = assets.get(file, Use::Id(file.kind)).ok_or(Unsayable::Media)?;
            match file.kind {
                MediaKind::Image => AppBody::image(id),
                MediaKind::Video => AppBody::Video {
                    video: AppVideo { media_id: id },
                },
                MediaKind::File => AppBody::file(id),
            }
        }
        RenderedAttachment::Link {
            title,
            desc,
            url,
            image,
        } => AppBody::news(AppArticle {
            title: title.clone(),
            description: desc.clone(),
            url: url.clone(),
            picurl: image.as_ref().and_then(|i| assets.get(i, Use::Picture)),
        }),
        RenderedAttachment::Miniprogram { .. } => return Err(Unsayable::Nothing),
    })
}
