//! Tags: names of operators → ids of WeCom.
//!
//! The library is read whole, kept for ten minutes for all gateways, and read again when WeCom denies an id
//! (40068) or knows a name we wanted to make (40071). Only tags that a job names are made; none is ever deleted.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Inner;
use super::api::{Api, CallError};
use super::cache::Life;
use crate::model::job::TagName;
use crate::wecom::api::{AddCorpTag, GetCorpTagList, NewTag};

const KEY: &str = "tags";
const LIFE: Duration = Duration::from_secs(600);

/// Group → tag → id.
type Library = BTreeMap<String, BTreeMap<String, String>>;

/// Ids of the tags to set and to take away.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct TagIds {
    pub(super) add: Vec<String>,
    pub(super) remove: Vec<String>,
}

impl Inner {
    /// The ids; tags to be set that WeCom lacks are made, tags to be taken away that it lacks are passed over.
    /// `fresh`: the library is read from WeCom whatever we remember.
    pub(super) async fn tag_ids(
        &self,
        api: &Api<'_>,
        add: &[TagName],
        remove: &[TagName],
        fresh: bool,
    ) -> Result<TagIds, CallError> {
        let mut library = self.library(api, fresh).await?;
        if add.iter().any(|t| id(&library, t).is_none()) {
            library = self.make(api, add, library).await?;
        }
        Ok(TagIds {
            add: add.iter().filter_map(|t| id(&library, t)).collect(),
            remove: remove.iter().filter_map(|t| id(&library, t)).collect(),
        })
    }

    async fn library(&self, api: &Api<'_>, fresh: bool) -> Result<Library, CallError> {
        let corp = &api.corp.corp_id;
        let before = self.known(corp, KEY).await;
        if !fresh && let Some(l) = before.as_ref().and_then(|v| serde_json::from_str(v).ok()) {
            return Ok(l);
        }
        let _flight = self.flight(corp, KEY).await;
        // Who waited for another one's flight takes its result.
        let now = self.known(corp, KEY).await;
        if now != before
            && let Some(l) = now.and_then(|v| serde_json::from_str(&v).ok())
        {
            return Ok(l);
        }
        let library = self.fetch(api).await?;
        self.remember_library(api, &library).await;
        Ok(library)
    }

    async fn fetch(&self, api: &Api<'_>) -> Result<Library, CallError> {
        let list = api.call(&GetCorpTagList {}).await?;
        let mut library = Library::new();
        for group in list.tag_group.into_iter().filter(|g| !g.deleted) {
            let tags = library.entry(group.group_name).or_default();
            for tag in group.tag.into_iter().filter(|t| !t.deleted) {
                // Two groups of one name: the first one's id stays, always the same one.
                tags.entry(tag.name).or_insert(tag.id);
            }
        }
        Ok(library)
    }

    async fn remember_library(&self, api: &Api<'_>, library: &Library) {
        if let Ok(text) = serde_json::to_string(library) {
            self.keep(&api.corp.corp_id, KEY, &text, Life::of(LIFE)).await;
        }
    }

    /// Makes what is missing, group by group. One at a time per gateway; another gateway's tags show as 40071.
    async fn make(&self, api: &Api<'_>, wanted: &[TagName], stale: Library) -> Result<Library, CallError> {
        let _flight = self.flight(&api.corp.corp_id, "tags/make").await;
        let mut library = self.library(api, false).await.unwrap_or(stale);
        let mut groups: BTreeMap<&str, Vec<NewTag>> = BTreeMap::new();
        for t in wanted {
            let tags = groups.entry(t.group.as_str()).or_default();
            if id(&library, t).is_none() && !tags.iter().any(|n| n.name == t.tag) {
                tags.push(NewTag { name: t.tag.clone() });
            }
        }
        for (group, tag) in groups.into_iter().filter(|(_, tags)| !tags.is_empty()) {
            let call = AddCorpTag {
                group_name: group.to_owned(),
                tag,
            };
            match api.call(&call).await {
                Ok(made) => {
                    let tags = library.entry(group.to_owned()).or_default();
                    tags.extend(made.tag_group.tag.into_iter().map(|t| (t.name, t.id)));
                }
                Err(CallError::Refused { errcode: 40071, .. }) => library = self.fetch(api).await?,
                // Whether they were made shows in the library at the next try.
                Err(other) => return Err(other),
            }
        }
        if wanted.iter().any(|t| id(&library, t).is_none()) {
            library = self.fetch(api).await?;
        }
        self.remember_library(api, &library).await;
        Ok(library)
    }
}

fn id(library: &Library, tag: &TagName) -> Option<String> {
    library.get(&tag.group)?.get(&tag.tag).cloned()
}
