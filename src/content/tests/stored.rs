//! Bundles in the store: one name for one content, and back again.

use super::super::{Bundle, MediaKind, Place};
use super::{PNG, compile, corp, good, said};

const FILES: [(&str, &str); 4] = [
    ("channels.toml", "[[channel]]\nstate = \"\"\nwelcome = \"t\"\n"),
    ("members.toml", "li = { name = \"小李\" }\n"),
    (
        "rules/r.toml",
        "[[rule]]\non = \"message\"\napps = [\"main\"]\nfallback = true\nreply = \"t\"\n",
    ),
    (
        "templates/t.toml",
        "text = \"a\"\n[[attachments]]\ntype = \"image\"\nfile = \"a.png\"\n",
    ),
];

#[test]
fn a_stored_bundle_reads_back_as_itself() {
    let bundle = good(&FILES);
    let again = Bundle::from_sources(&bundle.sources(), &corp())
        .map_err(|f| said(&f))
        .unwrap();
    assert_eq!(again.hash, bundle.hash);
    assert_eq!(again.sources(), bundle.sources());
    assert_eq!(again.rules[0].name, bundle.rules[0].name);
    assert_eq!(again.member_name("li"), Some("小李"));
}

#[test]
fn the_same_content_has_the_same_name_whatever_wrote_it() {
    let windows: Vec<(&str, String)> = FILES
        .iter()
        .map(|(k, v)| (*k, format!("\u{FEFF}{}", v.replace('\n', "\r\n"))))
        .collect();
    let windows: Vec<(&str, &str)> = windows.iter().map(|(k, v)| (*k, v.as_str())).collect();
    assert_eq!(good(&windows).hash, good(&FILES).hash);
    let mut other = FILES;
    other[1].1 = "li = { name = \"小丽\" }\n";
    assert_ne!(good(&other).hash, good(&FILES).hash);
}

#[test]
fn media_are_stored_by_hash_and_found_where_they_still_lie() {
    let dir = tempfile::tempdir().unwrap();
    let mut here = corp();
    here.content.templates = dir.path().to_owned();
    let bundle = good(&FILES);
    let sources = bundle.sources();
    let gone = Bundle::from_sources(&sources, &here).unwrap().media();
    assert_eq!(gone.len(), 1);
    assert_eq!(
        (gone[0].0.name.as_str(), gone[0].0.kind, &gone[0].0.bytes),
        ("a.png", MediaKind::Image, &None)
    );
    assert_eq!(gone[0].1, [Place::Welcome, Place::Kf, Place::App]);
    std::fs::write(dir.path().join("a.png"), [PNG, b"other"].concat()).unwrap();
    assert_eq!(
        Bundle::from_sources(&sources, &here).unwrap().media()[0].0.bytes,
        None,
        "another content"
    );
    std::fs::write(dir.path().join("a.png"), PNG).unwrap();
    let found = Bundle::from_sources(&sources, &here).unwrap().media();
    assert_eq!(found[0].0.bytes.as_deref(), Some(PNG));
    assert_eq!(found[0].0.hash, bundle.media()[0].0.hash);
}

#[test]
fn settings_that_changed_are_not_held_against_a_stored_bundle() {
    let sources = good(&FILES).sources();
    let mut later = corp();
    later.apps[0].name = crate::model::AppName::new("renamed");
    later.display_name = "长".repeat(2000);
    assert!(Bundle::from_sources(&sources, &later).is_ok());
}

#[test]
fn what_is_no_bundle_is_refused() {
    let found = Bundle::from_sources(b"{}", &corp()).unwrap_err();
    assert_eq!(found[0].code, "bad_sources");
}

#[test]
fn an_empty_folder_is_a_fine_bundle() {
    let dir = tempfile::tempdir().unwrap();
    let mut here = corp();
    here.content.dir = dir.path().join("config");
    here.content.templates = dir.path().join("templates");
    let (bundle, found) = Bundle::load(&here).unwrap();
    assert!(found.is_empty() && bundle.rules.is_empty() && bundle.channel(None).is_none());
    assert_eq!(bundle.hash, compile(&[]).unwrap().0.hash);
}

#[test]
fn loading_names_files_as_people_know_them_and_reads_all_of_them() {
    let dir = tempfile::tempdir().unwrap();
    let mut here = corp();
    here.content.dir = dir.path().join("config");
    here.content.templates = dir.path().join("templates");
    std::fs::create_dir_all(dir.path().join("config/rules")).unwrap();
    std::fs::create_dir_all(dir.path().join("templates")).unwrap();
    std::fs::write(dir.path().join("config/rules/gbk.toml"), b"# \xBC\xDB\xB8\xF1\n").unwrap();
    std::fs::write(dir.path().join("config/rules/.r.toml.swp"), b"rubbish").unwrap();
    std::fs::write(dir.path().join("config/rules/.hidden.toml"), b"rubbish").unwrap();
    std::fs::write(dir.path().join("templates/t.toml"), "text = \"{{ x }}\"\n").unwrap();
    let found = Bundle::load(&here).unwrap_err();
    let named = |d: &crate::model::Diagnostic| (d.code, d.file.clone(), d.line);
    let path = |name: &str| dir.path().join(name).to_string_lossy().into_owned();
    let expected = [
        ("not_utf8", path("config/rules/gbk.toml"), 0),
        ("unknown_variable", path("templates/t.toml"), 1),
    ];
    assert_eq!(found.iter().map(named).collect::<Vec<_>>(), expected);
}

#[cfg(unix)]
#[test]
fn a_link_that_leads_out_of_the_templates_folder_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut here = corp();
    here.content.dir = dir.path().join("config");
    here.content.templates = dir.path().join("templates");
    std::fs::create_dir_all(&here.content.templates).unwrap();
    std::fs::write(dir.path().join("secret.png"), PNG).unwrap();
    std::os::unix::fs::symlink(dir.path().join("secret.png"), here.content.templates.join("a.png")).unwrap();
    std::fs::write(here.content.templates.join("t.toml"), FILES[3].1).unwrap();
    let found = Bundle::load(&here).unwrap_err();
    assert_eq!((found[0].code, found[0].line), ("media_path", 4));
}
