//! From texts to a bundle: every file by itself, then what they say of each other.

use std::collections::{BTreeMap, BTreeSet};

use super::bundle::Bundle;
use super::channel::{self, Channel, ChannelIndex};
use super::faults::{Faults, SourceFile, Spot};
use super::index::{self, RuleIndex};
use super::media::{self, MediaInfo, MediaRefusal};
use super::reach::{self, Around, Using};
use super::sources::Sources;
use super::template::Template;
use super::{Place, clean, members, place, rule_file, variable};
use crate::model::{Diagnostic, Text};
use crate::settings::{ContentDirs, Corp};

/// Findings that depend on settings, not on the sources alone.
pub(super) const SETTINGS_CODES: [&str; 4] = ["unknown_app", "unknown_kf", "no_app_for_kind", "too_long"];

/// Finds a media file by its path under the templates folder.
pub(super) type FindMedia<'a> = &'a mut dyn FnMut(&str) -> Result<MediaInfo, MediaRefusal>;

/// Compiles everything. The bundle is whole only if no error was found.
pub(super) fn compile(
    files: BTreeMap<String, String>,
    corp: &Corp,
    find: FindMedia<'_>,
    mut faults: Faults,
) -> (Bundle, Vec<Diagnostic>) {
    let opened: Vec<(&str, SourceFile<'_>)> = files
        .iter()
        .map(|(key, text)| (key.as_str(), SourceFile::new(&shown(key, &corp.content), text)))
        .collect();
    let mut templates = BTreeMap::new();
    // A template that is no TOML is there all the same: its users are not to blame.
    let mut broken = BTreeSet::new();
    for (key, file) in &opened {
        let Some(name) = key.strip_prefix("templates/").and_then(|n| n.strip_suffix(".toml")) else {
            continue;
        };
        match Template::compile(name, file, &mut faults) {
            Some(template) => {
                templates.insert(name.to_owned(), template);
            }
            None => {
                broken.insert(name.to_owned());
            }
        }
    }
    let media = find_media(&templates, find, &mut faults);
    let file = |name: &str| opened.iter().find(|(key, _)| *key == name).map(|(_, file)| file);
    let channels = file("channels.toml")
        .map(|f| channel::compile(f, &mut faults))
        .unwrap_or_default();
    let members = file("members.toml")
        .map(|f| members::compile(f, &mut faults))
        .unwrap_or_default();
    let mut uses: Vec<Using> = channels.iter().flat_map(welcomes).collect();
    let around = Around {
        corp,
        templates: &templates,
    };
    let mut names = BTreeMap::new();
    let mut rules = Vec::new();
    for (key, file) in opened.iter().filter(|(key, _)| key.starts_with("rules/")) {
        rules.extend(rule_file::compile(
            key,
            file,
            &mut names,
            &around,
            &mut uses,
            &mut faults,
        ));
    }
    uses.sort();
    uses.dedup();
    uses.retain(|u| !broken.contains(&u.template));
    check_words(&corp.content.fallback, &mut faults);
    let index = RuleIndex::of(&rules, &mut faults);
    index::warn_of_shadowed(&rules, &index, &mut faults);
    reach::warn_of_menus(&rules, &templates, &mut faults);
    drop(opened);
    let sources = Sources { files, media };
    let bundle = Bundle {
        hash: sources.hash(),
        by_state: ChannelIndex::of(&channels),
        templates,
        channels,
        rules,
        index,
        members,
        uses,
        sources,
        corp_name: corp.display_name.clone(),
        words: corp.content.fallback.clone(),
    };
    for used in &bundle.uses {
        check_use(&bundle, used, &mut faults);
    }
    check_unused(&bundle, &mut faults);
    (bundle, faults.sorted())
}

/// The name of a source as people know it: the path they would open.
fn shown(key: &str, dirs: &ContentDirs) -> String {
    let path = match key.strip_prefix("templates/") {
        Some(name) => dirs.templates.join(name),
        None => dirs.dir.join(key),
    };
    path.to_string_lossy().replace('\\', "/")
}

fn welcomes(channel: &Channel) -> impl Iterator<Item = Using> {
    channel
        .entries
        .iter()
        .map(|e| Using::new(&e.template.text, Place::Welcome, &e.template.spot))
}

fn find_media(
    templates: &BTreeMap<String, Template>,
    find: FindMedia<'_>,
    faults: &mut Faults,
) -> BTreeMap<String, MediaInfo> {
    let mut found: BTreeMap<String, Result<MediaInfo, MediaRefusal>> = BTreeMap::new();
    for used in templates.values().flat_map(Template::media) {
        let info = found.entry(used.path.clone()).or_insert_with(|| find(&used.path));
        media::check(used, info.as_ref().map_err(Clone::clone), faults);
    }
    found
        .into_iter()
        .filter_map(|(path, info)| Some((path, info.ok()?)))
        .collect()
}

/// Checks one use of a template at a place.
pub(super) fn check_use(bundle: &Bundle, used: &Using, faults: &mut Faults) {
    let spot = used.spot();
    let Some(template) = bundle.templates.get(&used.template) else {
        let known: Vec<&str> = bundle.templates.keys().map(String::as_str).collect();
        return faults.unknown(&spot, "unknown_template", ("模板", "template"), &used.template, &known);
    };
    let around = place::Around {
        user: &spot,
        longest: &|v| longest(v, &bundle.corp_name),
        media: &|path| bundle.sources.media.get(path),
    };
    template.check(used.place, &around, faults);
}

/// The most bytes that a variable can bring into a text.
fn longest(variable: &variable::Variable, corp_name: &str) -> usize {
    match variable.bytes {
        Some(bytes) => bytes,
        // `message.text` counts nothing: it is cut to the room that is left.
        None if variable.gives_way() => 0,
        None => clean::clean(corp_name, clean::Markup::Markdown).len(),
    }
}

fn check_words(words: &BTreeMap<String, String>, faults: &mut Faults) {
    for name in words.keys().filter(|n| variable::find(n).is_none()) {
        faults.unknown(
            &Spot::whole("[content].fallback"),
            "unknown_variable",
            ("变量", "variable"),
            name,
            &variable::names(),
        );
    }
}

/// A template that nobody uses may be meant for a broadcast: then it has to fit there. One that cannot be a
/// broadcast either is forgotten, or its use is still to be written.
fn check_unused(bundle: &Bundle, faults: &mut Faults) {
    let used: BTreeSet<&str> = bundle.uses.iter().map(|u| u.template.as_str()).collect();
    for (name, template) in &bundle.templates {
        if used.contains(name.as_str()) {
            continue;
        }
        let mut found = Faults::default();
        let using = Using::new(name, Place::Broadcast, &Spot::whole("broadcast send"));
        check_use(bundle, &using, &mut found);
        let found = found.sorted();
        if found
            .iter()
            .any(|d| matches!(d.code, "part_not_here" | "variable_not_here"))
        {
            faults.warn(
                &template.spot,
                "unused_template",
                Text::new(
                    format!("没有规则或渠道使用模板“{name}”，群发也用不了它"),
                    format!("no rule or channel uses the template \"{name}\", and it cannot be a broadcast"),
                ),
                Text::new("使用它，或删掉它", "Use it, or remove it"),
            );
        } else {
            faults.extend(found);
        }
    }
}
