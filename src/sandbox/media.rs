//! Media: uploads by kind, ids that die after three days, the file again.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::json;

use super::call::{Call, File};
use super::corp::{Corp, Media};
use super::limits::china_day;
use super::refusal::{Answer, Refusal, refuse};

/// A media id lives three days (D5).
const LIFE_MS: i64 = 3 * 86_400_000;
const MB: usize = 1 << 20;

/// The media must be there, of one of these kinds, and younger than three days: else 40007.
pub(super) fn must_have(corp: &Corp, id: &str, kinds: &[&str], now: i64) -> Result<(), Refusal> {
    match corp.media.get(id) {
        Some(m) if kinds.contains(&m.kind.as_str()) && now - m.since_ms < LIFE_MS => Ok(()),
        _ => refuse(40007, id),
    }
}

/// `media/upload?type=`
pub(super) fn upload(corp: &mut Corp, call: &Call<'_>) -> Answer {
    let kind = call.param("type", 40004)?;
    let most = match kind {
        "image" | "video" => 10 * MB,
        "voice" => 2 * MB,
        "file" => 20 * MB,
        _ => return refuse(40004, kind),
    };
    let (name, content_type, bytes) = part(call)?;
    fits(&bytes, most)?;
    if !looks_like(kind, &bytes) {
        return refuse(40005, kind);
    }
    let id = corp.ids.make("MEDIA");
    let media = Media {
        kind: kind.to_owned(),
        name,
        content_type,
        bytes,
        since_ms: call.now,
    };
    corp.media.insert(id.clone(), media);
    // created_at is a text in this API and a number in upload_attachment.
    Ok(json!({"type": kind, "media_id": id, "created_at": (call.now / 1000).to_string()}))
}

/// `media/uploadimg`
pub(super) fn upload_image(corp: &mut Corp, call: &Call<'_>) -> Answer {
    let (_, _, bytes) = part(call)?;
    fits(&bytes, 2 * MB)?;
    if !looks_like("image", &bytes) {
        return refuse(40005, "image");
    }
    let day = china_day(call.now);
    if corp.uploads_today.0 != day {
        corp.uploads_today = (day, 0);
    }
    if corp.uploads_today.1 >= corp.limits.uploadimg_per_day {
        return refuse(45009, "uploadimg today");
    }
    corp.uploads_today.1 += 1;
    let url = format!("https://wework.qpic.cn/wwpic/{}/0", corp.ids.make("sandbox_"));
    corp.images.insert(url.clone());
    Ok(json!({"url": url}))
}

/// `media/get`
pub(super) fn get(corp: &mut Corp, call: &Call<'_>) -> Result<File, Refusal> {
    let id = call.param("media_id", 41006)?;
    must_have(corp, id, &["image", "voice", "video", "file"], call.now)?;
    match corp.media.get(id) {
        Some(m) => Ok((m.content_type.clone(), m.name.clone(), m.bytes.clone())),
        None => refuse(40007, id),
    }
}

fn fits(bytes: &Bytes, most: usize) -> Result<(), Refusal> {
    match bytes.len() {
        0 => refuse(44001, ""),
        1..=5 => refuse(40006, ""),
        n if n > most => refuse(45001, n.to_string()),
        _ => Ok(()),
    }
}

fn looks_like(kind: &str, bytes: &[u8]) -> bool {
    match kind {
        "image" => bytes.starts_with(&[0xff, 0xd8, 0xff]) || bytes.starts_with(b"\x89PNG"),
        "voice" => bytes.starts_with(b"#!AMR"),
        "video" => bytes.get(4..8) == Some(b"ftyp"),
        _ => true,
    }
}

/// The part named `media` of a multipart body: its file name, content type and bytes.
fn part(call: &Call<'_>) -> Result<File, Refusal> {
    let boundary = call
        .content_type
        .strip_prefix("multipart/form-data")
        .and_then(|rest| rest.split(';').find_map(|p| p.trim().strip_prefix("boundary=")))
        .map(|b| b.trim_matches('"'));
    let Some(boundary) = boundary else {
        return refuse(44001, "not multipart");
    };
    let parts = multipart(call.raw, boundary.as_bytes());
    for (headers, at, end) in parts {
        let head = parameters(&headers, "content-disposition");
        if head.get("name").map(String::as_str) != Some("media") {
            continue;
        }
        let Some(name) = head.get("filename").filter(|n| !n.is_empty()) else {
            return refuse(40058, "filename");
        };
        let kind = header(&headers, "content-type").unwrap_or("application/octet-stream");
        return Ok((name.clone(), kind.to_owned(), call.raw.slice(at..end)));
    }
    refuse(44001, "no part named media")
}

/// The parts of a multipart body: header text, and where the content lies.
fn multipart(body: &[u8], boundary: &[u8]) -> Vec<(String, usize, usize)> {
    let mark = [b"--", boundary].concat();
    let mut places = Vec::new();
    let mut from = 0;
    while let Some(at) = seek(&body[from..], &mark) {
        places.push(from + at);
        from += at + mark.len();
    }
    let mut parts = Vec::new();
    for pair in places.windows(2) {
        let (start, end) = (pair[0] + mark.len(), pair[1].saturating_sub(2));
        let Some(section) = body.get(start..end) else { continue };
        if let Some(blank) = seek(section, b"\r\n\r\n") {
            let headers = String::from_utf8_lossy(&section[..blank]).into_owned();
            parts.push((headers, start + blank + 4, end));
        }
    }
    parts
}

fn seek(body: &[u8], what: &[u8]) -> Option<usize> {
    body.windows(what.len()).position(|w| w == what)
}

fn header<'a>(headers: &'a str, name: &str) -> Option<&'a str> {
    headers
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(key, _)| key.trim().eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim())
}

fn parameters(headers: &str, name: &str) -> BTreeMap<String, String> {
    header(headers, name)
        .unwrap_or_default()
        .split(';')
        .filter_map(|p| p.trim().split_once('='))
        .map(|(key, value)| (key.to_ascii_lowercase(), value.trim_matches('"').to_owned()))
        .collect()
}
