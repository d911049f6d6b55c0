//! Media ids and link pictures: uploaded once for all gateways and apps of a corp, known by content.
//!
//! A media id lives 3 days and is renewed at 2.5, while the old one is still used; a link picture's address is
//! permanent. An upload runs in a task
//! of its own: whoever waits for it may give up (a welcome at its deadline), the upload goes on for the next one.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use super::api::CallError;
use super::cache::Life;
use super::{Delivery, Inner, compose};
use crate::content::{Bundle, MediaFile, MediaKind, Place};
use crate::model::{AppName, StoreTime};
use crate::settings::{AppKind, Corp};
use crate::wecom::api::{UploadImg, UploadMedia};
use crate::wecom::id::CorpId;
use crate::wecom::limits;

/// Link pictures are permanent at WeCom; ours are looked up again after a year.
const PICTURE_LIFE: Duration = Duration::from_secs(365 * 86_400);
/// A media id is not used in its last hour: a broadcast's members confirm later than we call.
const LAST_HOUR: Duration = Duration::from_secs(3600);

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
        let found = self.found(corp, &need.key()).await;
        if let Some(found) = found.as_ref().filter(|f| !f.stale) {
            return Ok(Arc::clone(&found.value));
        }
        let (inner, corp, app, need) = (Arc::clone(self), corp.clone(), app.clone(), need.clone());
        let upload = tokio::spawn(async move { inner.upload(&corp, &app, &need).await });
        if let Some(stale) = found {
            return Ok(stale.value);
        }
        upload
            .await
            .unwrap_or(Err(NoMedia::Failed(CallError::NotSent("upload_stopped"))))
    }

    async fn upload(self: &Arc<Self>, corp: &CorpId, app: &AppName, need: &Need) -> Result<Arc<str>, NoMedia> {
        let key = need.key();
        let _flight = self.flight(corp, &key).await;
        if let Some(found) = self.found(corp, &key).await.filter(|f| !f.stale) {
            return Ok(found.value);
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
                (done.map(|d| d.url), Life::of(PICTURE_LIFE))
            }
            Use::Id(_) => {
                let kind = need.used.word();
                let done = api.call(&UploadMedia { kind, filename, bytes }).await;
                let life = Life {
                    fresh: limits::MEDIA_RENEW,
                    good: limits::MEDIA_LIFE - LAST_HOUR,
                };
                (done.map(|d| d.media_id), life)
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
            if let Some(found) = self.remembered(corp, &need.key()).filter(|f| !f.stale) {
                assets.insert(need, found.value);
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
        let needs = needs_of(bundle);
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

/// What the templates of a bundle need at the places they are used at. Whether an image is an attachment or a
/// link's picture shows once rendered; the values do not matter for that.
fn needs_of(bundle: &Bundle) -> Vec<Need> {
    let used: HashMap<String, Vec<Place>> = bundle.media().into_iter().map(|(f, p)| (f.hash, p)).collect();
    let mut all: Vec<Need> = Vec::new();
    for place in [Place::Welcome, Place::Broadcast, Place::Kf, Place::App] {
        for template in bundle.templates.keys() {
            for part in bundle.parts(template, place) {
                let rendered = bundle.render(template, part, place, &BTreeMap::new(), StoreTime(0));
                let needs = rendered.map(|r| compose::needs(&r, place)).unwrap_or_default();
                let here = |n: &Need| used.get(&n.file.hash).is_some_and(|p| p.contains(&place));
                for need in needs.into_iter().filter(here) {
                    if !all.contains(&need) {
                        all.push(need);
                    }
                }
            }
        }
    }
    all
}
