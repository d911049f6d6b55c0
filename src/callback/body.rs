//! Reads a request's body up to a limit.

use axum::body::{Body, HttpBody};
use http_body_util::BodyExt;

use super::refused::Refused;

/// Largest body that is read. WeCom's largest callbacks (approval forms) stay under 100 KiB; a larger limit only
/// gives strangers more of our memory.
pub(super) const LIMIT: usize = 1 << 20;
/// How much of a body that is too large is still taken in and thrown away: a sender that is cut off while it
/// writes sees a broken connection instead of our 413.
const DRAIN: u64 = 8 << 20;

/// The whole body, or [`Refused::TooLarge`] from one byte over [`LIMIT`] on.
pub(super) async fn read(mut body: Body) -> Result<Vec<u8>, Refused> {
    let announced = body.size_hint().lower();
    if announced > DRAIN {
        return Err(Refused::TooLarge);
    }
    let mut bytes = Vec::with_capacity(usize::try_from(announced).unwrap_or(0).min(LIMIT));
    let mut seen = 0_u64;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Refused::Incomplete)?;
        let Some(data) = frame.data_ref() else { continue };
        seen = seen.saturating_add(u64::try_from(data.len()).unwrap_or(u64::MAX));
        if seen > DRAIN {
            return Err(Refused::TooLarge);
        }
        if bytes.len() + data.len() <= LIMIT && seen <= LIMIT as u64 {
            bytes.extend_from_slice(data);
        }
    }
    if seen > LIMIT as u64 {
        Err(Refused::TooLarge)
    } else {
        Ok(bytes)
    }
}
