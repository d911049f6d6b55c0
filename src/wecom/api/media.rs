//! Media: `media/upload` (3 days, any use but moments) and `media/uploadimg` (permanent, link pictures).

use std::sync::Arc;

use serde::Deserialize;

use super::{Call, FilePart, Repeat, Wire};

/// `POST media/upload?type=`. A repeat only makes another id.
#[derive(Debug, Clone)]
pub struct UploadMedia {
    /// `image`, `video` or `file`.
    pub kind: &'static str,
    /// Name that receivers of a file see.
    pub filename: String,
    /// Content.
    pub bytes: Arc<[u8]>,
}

/// An uploaded file; good for 3 days, for all apps of the corp.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Uploaded {
    /// Its id.
    pub media_id: String,
}

impl Call for UploadMedia {
    const PATH: &'static str = "media/upload";
    const REPEAT: Repeat = Repeat::Safe;
    type Answer = Uploaded;

    fn wire(&self) -> Wire {
        Wire::Upload(FilePart {
            query: vec![("type", self.kind.to_owned())],
            filename: self.filename.clone(),
            mime: mime(&self.filename),
            bytes: Arc::clone(&self.bytes),
        })
    }
}

/// `POST media/uploadimg`: 1000 a day per corp.
#[derive(Debug, Clone)]
pub struct UploadImg {
    /// Name.
    pub filename: String,
    /// JPG or PNG, ≤ 2 MB.
    pub bytes: Arc<[u8]>,
}

/// A picture with an address.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct UploadedImg {
    /// Permanent; shows only inside WeCom and WeChat.
    pub url: String,
}

impl Call for UploadImg {
    const PATH: &'static str = "media/uploadimg";
    const REPEAT: Repeat = Repeat::Safe;
    type Answer = UploadedImg;

    fn wire(&self) -> Wire {
        Wire::Upload(FilePart {
            query: Vec::new(),
            filename: self.filename.clone(),
            mime: mime(&self.filename),
            bytes: Arc::clone(&self.bytes),
        })
    }
}

fn mime(filename: &str) -> &'static str {
    let end = filename.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
    match end.as_str() {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "mp4" => "video/mp4",
        "pdf" => "application/pdf",
        _ => "application/octet-stream",
    }
}
