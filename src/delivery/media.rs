//! Media ids and link pictures: uploaded once for all gateways and apps of a corp, known by content.
//!
//! A media id lives 3 days and is renewed at 2.5; a link picture's address is permanent. An upload runs in a task
//! of its own: whoever waits for it may give up (a welcome at its deadline), the upload goes on for the next one.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::api::CallError;
use super::{Delivery, Inner};
use crate::content::{Bundle, MediaFile, MediaKind, Place};
use crate::model::{AppName, StoreTime};
use crate::settings::{AppKind, Corp};
use crate::wecom::api::{UploadImg, UploadMedia};
use crate::wecom::id::CorpId;
use crate::wecom::limits;

/// Link pictures are permanent at WeCom; ours are looked up again after a year.
const PICTURE_LIFE: Duration = Duration::from_secs(365 * 86_400);

/// What a file is uploaded for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Use {
    /// `media/upload`: an id.
    Id(MediaKind),
    /// `media/uploadimg`: an address.
    Picture,
}

/// A file and its use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Need {
    pub(super) file: MediaFile,
    pub(super) used: Use,
}

/// Ids and addresses by content hash and use.
#[derive(Debug, Clone, Default)]
pub(super) struct Assets(HashMap<(String, Use), Arc<str>>);

impl Assets {
    pub(super) fn get(&self, file: &MediaFile, used: Use) -> Option<String> {
        self.0.get(&(file.hash.clone(), used)).map(|v| v.to_string())
    }

    pub(super) fn insert(&mut self, need: &Need, value: Arc<str>) {
        self.0.insert((need.file.hash.clone(), need.used), value);
    }
}

/// Why a file has no id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NoMedia {
    /// The file is not on this host, and no other gateway has uploaded it.
    Missing,
    /// The upload failed.
    Failed(CallError),
}

impl Use {
    /// Mini-programs and thumbs are images whatever the template calls the file.
    pub(super) const IMAGE: Self = Self::Id(MediaKind::Image);

    fn word(self) -> &'static str {
        match self {
            Self::Id(MediaKind::Image) => "image",
            Self::Id(MediaKind::Video) => "video",
            Self::Id(MediaKind::File) => "file",
            Self::Picture => "picture",
        }
    }
}

impl Need {
    fn key(&self) -> String {
        format!("media/{}/{}", self.used.word(), self.file.hash)
    }
}

impl Inner {
    /// The id or address of a file, uploading it if nobody has. Uploads are shared by all who wait.
    pub(super) async fn asset(
        self: &Arc<Self>,
        corp: &CorpId,
        app: &AppName,
        need: &Need,
    ) -> Result<Arc<str>, NoMedia> {
        if let Some(v) = self.known(corp, &need.key()).await {
            return Ok(v);
        }
        let (inner, corp, app, need) = (Arc::clone(self), corp.clone(), app.clone(), need.clone());
        tokio::spawn(async move { inner.upload(&corp, &app, &need).await })
            .await
            .unwrap_or(Err(NoMedia::Failed(CallError::NotSent("upload_stopped"))))
    }

    async fn upload(&self, corp: &CorpId, app: &AppName, need: &Need) -> Result<Arc<str>, NoMedia> {
        let key = need.key();
        let _flight = self.flight(corp, &key).await;
        if let Some(v) = self.known(corp, &key).await {
            return Ok(v);
        }
        let bytes = need.file.bytes.clone().ok_or(NoMedia::Missing)?;
        let api = [AppKind::Contacts, AppKind::Kf, AppKind::Agent]
            .into_iter()
            .find_map(|kind| self.api(corp, app, kind).ok())
            .ok_or(NoMedia::Failed(CallError::NotSent("no_app")))?;
        let filename = need.file.name.rsplit('/').next().unwrap_or_default().to_owned();
        let (value, life) = match need.used {
            Use::Picture => {
                let done = api.call(&UploadImg { filename, bytes }).await;
                (done.map(|d| d.url), PICTURE_LIFE)
            }
            Use::Id(_) => {
                let kind = need.used.word();
                let done = api.call(&UploadMedia { kind, filename, bytes }).await;
                (done.map(|d| d.media_id), limits::MEDIA_RENEW)
            }
        };
        let value = value.map_err(NoMedia::Failed)?;
        self.keep(corp, &key, &value, life).await;
        Ok(value.into())
    }

    /// All files, in parallel, as far as they are there `until`; those that are not come back by name.
    pub(super) async fn assets(
        self: &Arc<Self>,
        corp: &CorpId,
        app: &AppName,
        needs: &[Need],
        until: Option<StoreTime>,
    ) -> (Assets, Vec<(Need, NoMedia)>) {
        let mut assets = Assets::default();
        let mut missing = Vec::new();
        let mut unknown = tokio::task::JoinSet::new();
        for need in needs {
            if let Some(v) = self.remembered(corp, &need.key()) {
                assets.insert(need, v);
                continue;
            }
            let (inner, corp, app, need) = (Arc::clone(self), corp.clone(), app.clone(), need.clone());
            // The set is detached at the deadline, not aborted: the uploads serve the next one.
            unknown.spawn(async move { (need.clone(), inner.asset(&corp, &app, &need).await) });
        }
        while !unknown.is_empty() {
            let next = match until {
                Some(t) => match tokio::time::timeout(t.since(self.clock.now()), unknown.join_next()).await {
                    Ok(next) => next,
                    Err(_) => break,
                },
                None => unknown.join_next().await,
            };
            match next {
                Some(Ok((need, Ok(v)))) => assets.insert(&need, v),
                Some(Ok((need, Err(e)))) => missing.push((need, e)),
                Some(Err(_)) => {}
                None => break,
            }
        }
        unknown.detach_all();
        for need in needs {
            let there = assets.get(&need.file, need.used).is_some();
            if !there && !missing.iter().any(|(n, _)| n == need) {
                missing.push((need.clone(), NoMedia::Failed(CallError::Unclear("upload_not_ready"))));
            }
        }
        (assets, missing)
    }

    /// WeCom no longer knows these ids (40007).
    pub(super) async fn drop_assets(&self, corp: &CorpId, needs: &[Need], assets: &Assets) {
        for need in needs {
            if let Some(value) = assets.get(&need.file, need.used)
                && need.used != Use::Picture
            {
                self.forget(corp, &need.key(), &value).await;
            }
        }
    }
}

impl Delivery {
    /// Uploads the media of a corp's live bundle ahead of the first welcome, in the background; in observe mode
    /// nothing. Called at start, at publishing, and now and then: what is known is not uploaded again.
    pub fn warm(&self, corp: &Corp, bundle: &Bundle) {
        if corp.safety.observe {
            return;
        }
        let needs: Vec<Need> = bundle.media().into_iter().flat_map(|(f, p)| needs_of(&f, &p)).collect();
        let (inner, name, corp_id) = (Arc::clone(&self.inner), corp.name.clone(), corp.corp_id.clone());
        let Some(app) = corp.apps.first().map(|a| a.name.clone()) else {
            return;
        };
        tokio::spawn(async move {
            for need in needs {
                if let Err(NoMedia::Failed(e)) = inner.asset(&corp_id, &app, &need).await {
                    tracing::warn!(corp = %name, file = %need.file.name, error = %e, "media not uploaded yet");
                }
            }
        });
    }
}

/// What a file of the bundle may be needed as. Whether an image is an attachment or a link's picture is known only
/// once rendered, so images at places that show link pictures get both: one of 1000 `uploadimg` a day, once.
fn needs_of(file: &MediaFile, places: &[Place]) -> Vec<Need> {
    let need = |used| Need {
        file: file.clone(),
        used,
    };
    let mut all = vec![need(Use::Id(file.kind))];
    let pictures = [Place::Welcome, Place::Broadcast, Place::App];
    let small = file.bytes.as_ref().is_some_and(|b| b.len() <= 2 << 20);
    if file.kind == MediaKind::Image && small && places.iter().any(|p| pictures.contains(p)) {
        all.push(need(Use::Picture));
    }
    all
}
