//! The bundle: all of a corp's content, compiled, immutable.

use std::collections::BTreeMap;

use super::channel::{Channel, ChannelIndex, ChannelMatch};
use super::compile::{self, SETTINGS_CODES};
use super::demo;
use super::faults::{Faults, Spot};
use super::index::RuleIndex;
use super::media::{MediaInfo, MediaRefusal};
use super::reach::Using;
use super::read;
use super::rendered::MediaFile;
use super::rule::{Candidate, Known, Ranked, Rule};
use super::sources::{Sources, normal};
use super::{Place, Template};
use crate::model::diagnostic::Severity;
use crate::model::job::TagName;
use crate::model::{BundleHash, Diagnostic, Text};
use crate::settings::Corp;

/// All templates, rules and channels of a corp, compiled, immutable, named by the hash of its sources.
#[derive(Debug)]
pub struct Bundle {
    /// Its name.
    pub hash: BundleHash,
    /// By name.
    pub templates: BTreeMap<String, Template>,
    /// As written.
    pub channels: Vec<Channel>,
    /// As written.
    pub rules: Vec<Rule>,
    pub(super) by_state: ChannelIndex,
    pub(super) index: RuleIndex,
    pub(super) members: BTreeMap<String, String>,
    /// Where templates are used, sorted.
    pub(super) uses: Vec<Using>,
    pub(super) sources: Sources,
    /// `display_name` and `[content].fallback` of the corp.
    pub(super) corp_name: String,
    pub(super) words: BTreeMap<String, String>,
}

impl Bundle {
    /// Reads and compiles a corp's content (`corp.content`). `Ok` carries the warnings; `Err` everything that
    /// was found, errors first, each with file, line and remedy. A missing `channels.toml`, `members.toml` or
    /// `rules/` is an empty one; an empty bundle is fine.
    pub fn load(corp: &Corp) -> Result<(Self, Vec<Diagnostic>), Vec<Diagnostic>> {
        let mut faults = Faults::default();
        let files = read::texts(&corp.content, &mut faults);
        let templates = &corp.content.templates;
        judged(compile::compile(
            files,
            corp,
            &mut |path| read::media(templates, path),
            faults,
        ))
    }

    /// Compiles content that lies in memory: texts by path in the sources (`channels.toml`, `members.toml`,
    /// `rules/NAME.toml`, `templates/NAME.toml`), media by path under the templates folder. Same answers as
    /// [`Bundle::load`].
    pub fn from_texts(
        files: BTreeMap<String, String>,
        media: &BTreeMap<String, Vec<u8>>,
        corp: &Corp,
    ) -> Result<(Self, Vec<Diagnostic>), Vec<Diagnostic>> {
        let files = files.into_iter().map(|(path, text)| (path, normal(&text))).collect();
        let mut find = |path: &str| {
            let bytes = media.get(path).ok_or(MediaRefusal::Missing)?;
            Ok(MediaInfo::of(bytes.as_slice().into()))
        };
        judged(compile::compile(files, corp, &mut find, Faults::default()))
    }

    /// The content that is compiled into the program, for `demo`: the same files that the repository shows.
    pub fn demo(corp: &Corp) -> Result<(Self, Vec<Diagnostic>), Vec<Diagnostic>> {
        Self::from_texts(demo::files(), &demo::media(), corp)
    }

    /// The sources as one blob for the store (media by hash only).
    pub fn sources(&self) -> Vec<u8> {
        self.sources.encode()
    }

    /// Compiles a bundle that was stored; media bytes are found by hash in `corp.content.templates` where they
    /// still lie there.
    ///
    /// What depends on settings (names of apps and kf accounts, the length of the corp's display name) was
    /// checked when the bundle was published and is not held against it again: settings may differ by now.
    pub fn from_sources(sources: &[u8], corp: &Corp) -> Result<Self, Vec<Diagnostic>> {
        let unreadable = |why: String| {
            let mut faults = Faults::default();
            faults.error(
                &Spot::whole("(store)"),
                "bad_sources",
                Text::new(
                    format!("读不了存储里的内容包：{why}"),
                    format!("the stored bundle cannot be read: {why}"),
                ),
                Text::new(
                    "重新发布内容，或用写入它的版本",
                    "Publish the content again, or use the version that wrote it",
                ),
            );
            faults.sorted()
        };
        let stored = Sources::decode(sources).map_err(unreadable)?;
        let mut find = |path: &str| {
            let mut info = stored.media.get(path).cloned().ok_or(MediaRefusal::Missing)?;
            let same = |found: &MediaInfo| found.hash == info.hash;
            let on_disk = read::media(&corp.content.templates, path).ok().filter(same);
            info.bytes = on_disk.or_else(|| demo::find(&info.hash)).and_then(|found| found.bytes);
            Ok(info)
        };
        let (bundle, mut found) = compile::compile(stored.files.clone(), corp, &mut find, Faults::default());
        found.retain(|d| !SETTINGS_CODES.contains(&d.code));
        judged((bundle, found)).map(|(bundle, _)| bundle)
    }

    /// The channel of a state (`None` and `""`: came without one): exact, else longest prefix, else `*`.
    pub fn channel<'a>(&'a self, state: Option<&'a str>) -> Option<ChannelMatch<'a>> {
        let (place, param) = self.by_state.find(state.unwrap_or_default())?;
        Some(ChannelMatch {
            channel: &self.channels[place],
            param,
        })
    }

    /// Rules that match, best first; cool-downs are the caller's. Conditions on scene and tags do not hold:
    /// see [`Bundle::matching_with`].
    pub fn matching<'a>(&'a self, event: &Candidate<'_>) -> Ranked<'a> {
        self.matching_with(event, &Known::default())
    }

    /// The same, knowing more of who speaks: `when = { scene, scene_param, tags }`.
    pub fn matching_with<'a>(&'a self, event: &Candidate<'_>, known: &Known<'_>) -> Ranked<'a> {
        self.index.matching(&self.rules, event, known)
    }

    /// What customers see of a member instead of WeCom's name, from `config/members.toml`.
    pub fn member_name(&self, userid: &str) -> Option<&str> {
        self.members.get(userid).map(String::as_str)
    }

    /// Every media file that templates in use need, with the places they are used at.
    pub fn media(&self) -> Vec<(MediaFile, Vec<Place>)> {
        let mut needed: BTreeMap<_, (MediaFile, Vec<Place>)> = BTreeMap::new();
        for used in &self.uses {
            let Some(template) = self.templates.get(&used.template) else {
                continue;
            };
            for media in template.media() {
                let Some(info) = self.sources.media.get(&media.path) else {
                    continue;
                };
                let entry = needed.entry((&media.path, media.kind));
                let (_, places) = entry.or_insert_with(|| (media.file(info), Vec::new()));
                if !places.contains(&used.place) {
                    places.push(used.place);
                }
            }
        }
        needed.into_values().collect()
    }

    /// Every tag that rules and channels name.
    pub fn tags(&self) -> Vec<TagName> {
        let rules = self.rules.iter().flat_map(|r| r.add_tags.iter().chain(&r.remove_tags));
        let mut all: Vec<TagName> = self
            .channels
            .iter()
            .flat_map(|c| &c.tags)
            .chain(rules)
            .cloned()
            .collect();
        all.sort();
        all.dedup();
        all
    }

    /// What is wrong with using a template at a place that no rule or channel uses it at, errors first: a
    /// broadcast asks this before it begins. `user` is what people see as the one who uses it.
    pub fn check_use(&self, template: &str, place: Place, user: &str) -> Vec<Diagnostic> {
        let mut faults = Faults::default();
        compile::check_use(self, &Using::new(template, place, &Spot::whole(user)), &mut faults);
        faults.sorted()
    }
}

/// A bundle with warnings only, or everything that was found.
fn judged((bundle, found): (Bundle, Vec<Diagnostic>)) -> Result<(Bundle, Vec<Diagnostic>), Vec<Diagnostic>> {
    match found.iter().any(|d| d.severity == Severity::Error) {
        true => Err(found),
        false => Ok((bundle, found)),
    }
}
