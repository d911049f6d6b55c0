//! Reads a request's body up to a limit.

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use http_body_util::BodyExt;

use super::refused::Refused;

/// Largest body that is read. WeCom's largest callbacks (approval forms) stay under 100 KiB; a larger limit only
/// gives strangers more of our memory.
pub(super) const LIMIT: usize = 1 << 20;
/// How much of a body that is too large is still taken in and thrown away: a sender that is cut off while it
/// writes sees a broken connection instead of our 413.
const DRAIN: u64 = 8 << 20;

/// The whole body, or [`Refused::TooLarge`] from one byte over [`LIMIT`] on. Nearly every callback comes in one piece,
/// which is not copied.
pub(super) async fn read(mut body: Body) -> Result<Bytes, Refused> {
    let announced = body.size_hint().lower();
    if announced > DRAIN {
        return Err(Refused::TooLarge);
    }
    let mut whole = Bytes::new();
    let mut pieces = Vec::new();
    let mut seen = 0_u64;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Refused::Incomplete)?;
        let Ok(data) = frame.into_data() else { continue };
        seen = seen.saturating_add(u64::try_from(data.len()).unwrap_or(u64::MAX));
        if seen > DRAIN {
            return Err(Refused::TooLarge);
        }
        if seen > LIMIT as u64 {
            continue;
        }
        if whole.is_empty() && pieces.is_empty() {
            whole = data;
            continue;
        }
        if pieces.is_empty() {
            pieces.reserve(usize::try_from(announced).unwrap_or(0).min(LIMIT));
            pieces.extend_from_slice(&whole);
        }
        pieces.extend_from_slice(&data);
    }
    if seen > LIMIT as u64 {
        Err(Refused::TooLarge)
    } else if pieces.is_empty() {
        Ok(whole)
    } else {
        Ok(Bytes::from(pieces))
    }
}
