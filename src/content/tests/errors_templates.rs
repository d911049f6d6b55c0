//! Every fault that a template can have is refused with its place.

use super::super::Place;
use super::{compile, good, one_error, said};

/// A template by itself, `t`.
#[track_caller]
fn alone(text: &str, code: &str, line: usize, column: usize) -> String {
    one_error(&[("templates/t.toml", text)], code, "templates/t.toml", line, column)
}

/// A template `t`, used as the welcome in line 3 of channels.toml: the fault stands in the template.
#[track_caller]
fn welcome(text: &str, code: &str, line: usize, column: usize) -> String {
    let channels = "[[channel]]\nstate = \"\"\nwelcome = \"t\"\n";
    let files = [("templates/t.toml", text), ("channels.toml", channels)];
    one_error(&files, code, "templates/t.toml", line, column)
}

/// A template `t`, used by a rule in line 6: the fault stands in the rule.
#[track_caller]
fn used(text: &str, on: &str, source: &str, code: &str) -> String {
    let keywords = if on == "message" {
        "keywords = { any = [\"价格\"] }"
    } else {
        ""
    };
    let source = if source.is_empty() {
        String::new()
    } else {
        format!("source = [\"{source}\"]")
    };
    let rule = format!("[[rule]]\nname = \"r\"\non = \"{on}\"\n{keywords}\n{source}\nreply = [\"t\"]\n");
    let files = [("templates/t.toml", text), ("rules/r.toml", rule.as_str())];
    one_error(&files, code, "config/rules/r.toml", 6, 10)
}

#[test]
fn a_file_that_is_no_toml_is_named_with_its_line() {
    alone("text = \"a\"\ntext 2\n", "bad_toml", 2, 6);
}

#[test]
fn a_broken_template_is_one_fault_and_its_users_are_not_to_blame() {
    let channels = "[[channel]]\nstate = \"\"\nwelcome = \"t\"\n";
    let files = [("templates/t.toml", "text = \n"), ("channels.toml", channels)];
    let found = compile(&files).unwrap_err();
    assert!(found.iter().all(|d| d.code == "bad_toml"), "{}", said(&found));
}

#[test]
fn one_bad_file_does_not_hide_the_faults_of_another() {
    let files = [
        ("templates/a.toml", "text = \n"),
        ("templates/b.toml", "text = \"{{ x }}\"\nsize = 1\n"),
        (
            "channels.toml",
            "[[channel]]\nname = \"x\"\n[[channel]]\nstate = \"a*b\"\n",
        ),
        ("members.toml", "a = 1\n"),
        ("rules/r.toml", "[[rule]]\non = \"message\"\n"),
    ];
    let codes: Vec<&str> = compile(&files).unwrap_err().iter().map(|d| d.code).collect();
    let expected = [
        "missing_key",
        "bad_state",
        "wrong_type",
        "needs_fallback",
        "no_action",
        "bad_toml",
        "unknown_variable",
        "unknown_key",
    ];
    assert_eq!(codes, expected);
}

#[test]
fn an_unknown_variable_is_refused_with_the_nearest_known_one() {
    let line = alone(
        "text = \"\"\"\n你好，{{ contact.nmae }}\n\"\"\"\n",
        "unknown_variable",
        2,
        7,
    );
    assert!(line.contains("Did you mean \"contact.name\"?"), "{line}");
    alone("text = \"a\\n{{greeting}} {{ slot.x }}\"\n", "unknown_variable", 1, 28);
}

#[test]
fn open_braces_are_refused() {
    alone("text = \"你好 {{ contact.name }\"\n", "open_braces", 1, 15);
    alone("text = \"\"\"{{ contact\n.name }}\"\"\"\n", "open_braces", 1, 14);
}

#[test]
fn a_fallback_word_for_an_unknown_variable_is_refused() {
    alone(
        "text = \"a\"\nfallback = { \"contact.nam\" = \"朋友\" }\n",
        "unknown_variable",
        2,
        14,
    );
}

#[test]
fn an_unknown_key_is_refused_with_the_nearest_known_one() {
    let line = alone("txt = \"a\"\ntext = \"b\"\n", "unknown_key", 1, 1);
    assert!(line.contains("Did you mean \"text\"?"), "{line}");
}

#[test]
fn a_value_of_the_wrong_type_is_refused() {
    alone(
        "text = 1\n[menu]\nitems = [{ id = \"a\", text = \"b\" }]\n",
        "wrong_type",
        1,
        8,
    );
}

#[test]
fn a_template_that_says_nothing_is_refused() {
    alone("text = \" \"\n", "empty_template", 1, 1);
}

#[test]
fn an_attachment_of_unknown_type_is_refused() {
    alone("[[attachments]]\ntype = \"picture\"\n", "unknown_attachment", 2, 8);
}

#[test]
fn a_key_that_an_attachment_needs_is_missed() {
    let line = alone("[[attachments]]\ntype = \"link\"\ntitle = \"a\"\n", "missing_key", 1, 1);
    assert!(line.contains("url = "), "{line}");
}

#[test]
fn more_than_nine_attachments_are_refused() {
    let ten = "[[attachments]]\ntype = \"image\"\nfile = \"a.png\"\n".repeat(10);
    alone(&ten, "too_many_attachments", 28, 1);
}

#[test]
fn media_outside_the_templates_folder_are_refused() {
    for path in ["../a.png", "/etc/passwd.png", "x/../../a.png", "C:/a.png", "./a.png"] {
        alone(
            &format!("[[attachments]]\ntype = \"image\"\nfile = \"{path}\"\n"),
            "media_path",
            3,
            8,
        );
    }
}

#[test]
fn media_must_exist_be_what_they_are_called_and_have_a_size_that_wecom_takes() {
    let media = |kind: &str, file: &str| format!("[[attachments]]\ntype = \"{kind}\"\nfile = \"{file}\"\n");
    alone(&media("image", "none.png"), "media_missing", 3, 8);
    alone(&media("image", "fake.png"), "media_kind", 3, 8);
    alone(&media("image", "v.mp4"), "media_kind", 3, 8);
    alone(&media("video", "a.png"), "media_kind", 3, 8);
    alone(&media("file", "tiny.png"), "media_size", 3, 8);
    alone(&media("image", "huge.png"), "media_size", 3, 8);
    good(&[("templates/t.toml", &media("file", "doc.pdf"))]);
}

#[test]
fn a_picture_of_a_link_may_have_two_megabytes_where_it_goes_by_uploadimg() {
    let link = "[[attachments]]\ntype = \"link\"\ntitle = \"a\"\nurl = \"https://a.b\"\nimage = \"big.png\"\n";
    welcome(link, "media_size", 5, 9);
    // As a thumb of kf it is uploaded as a whole.
    let rule = "[[rule]]\non = \"message\"\nsource = [\"kf\"]\nkeywords = { any = [\"ab\"] }\nreply = [\"t\"]\n";
    good(&[("templates/t.toml", link), ("rules/r.toml", rule)]);
}

#[test]
fn a_url_needs_its_scheme() {
    for url in ["example.com", "https://", "ftp://a.b", "https://a b"] {
        let text = format!("[[attachments]]\ntype = \"link\"\ntitle = \"a\"\nurl = \"{url}\"\n");
        alone(&text, "bad_url", 4, 7);
    }
}

#[test]
fn variables_have_no_place_in_urls() {
    let text = "[[attachments]]\ntype = \"link\"\ntitle = \"a\"\nurl = \"https://a.b/{{time}}\"\n";
    alone(text, "variable_not_here", 4, 7);
}

#[test]
fn a_menu_has_one_to_ten_items_each_with_an_id_or_a_url() {
    let item = "{ id = \"a\", text = \"b\" },";
    alone(&format!("[menu]\nitems = [{}]\n", item.repeat(11)), "menu_size", 1, 1);
    alone("[menu]\nhead = \"a\"\n", "menu_size", 1, 1);
    alone("[menu]\nitems = [{ text = \"b\" }]\n", "menu_item", 2, 10);
    alone("[menu]\nitems = [{ id = \"a#\", text = \"b\" }]\n", "menu_id", 2, 17);
    alone("[menu]\nitems = [{ id = \"a\" }]\n", "missing_key", 2, 10);
}

#[test]
fn a_text_that_can_get_too_long_is_refused_naming_who_uses_it() {
    let long = |n: usize| format!("text = \"\"\"\n{}{{{{ contact.name }}}}\n\"\"\"\n", "字".repeat(n));
    let line = welcome(&long(1294), "too_long", 1, 8);
    assert!(
        line.contains("4002 bytes") && line.contains("config/channels.toml:3") && line.contains("2 bytes"),
        "{line}"
    );
    let channels = "[[channel]]\nstate = \"\"\nwelcome = \"t\"\n";
    good(&[("templates/t.toml", &long(1293)), ("channels.toml", channels)]);
}

#[test]
fn titles_and_descriptions_have_limits_of_their_own() {
    let link = |title: &str, desc: &str| {
        format!("[[attachments]]\ntype = \"link\"\ntitle = \"{title}\"\ndesc = \"{desc}\"\nurl = \"https://a.b\"\n")
    };
    welcome(&link(&"字".repeat(43), ""), "too_long", 3, 9);
    welcome(&link("a", &"字".repeat(171)), "too_long", 4, 8);
    let mini = format!(
        "[[attachments]]\ntype = \"miniprogram\"\nappid = \"wx1\"\npage = \"p\"\nimage = \"a.png\"\ntitle = \"{}\"\n",
        "字".repeat(22)
    );
    welcome(&mini, "too_long", 6, 9);
}

#[test]
fn what_was_said_is_no_part_of_a_welcome() {
    let line = welcome("text = \"{{ message.text }}\"\n", "variable_not_here", 1, 12);
    assert!(line.contains("used by config/channels.toml:3"), "{line}");
    welcome("text = \"{{ kf.scene }}\"\n", "variable_not_here", 1, 12);
}

#[test]
fn a_part_that_a_place_does_not_have_is_refused_naming_both_files() {
    let menu = "[menu]\nitems = [{ id = \"a\", text = \"b\" }]\n";
    let line = used(menu, "contact_added", "", "part_not_here");
    assert!(line.contains("templates/t.toml:1"), "{line}");
    used(menu, "message", "agent", "part_not_here");
    used(
        "text = \"a\"\n[menu]\nitems = [{ id = \"a\", text = \"b\" }]\n",
        "enter_session",
        "",
        "part_not_here",
    );
    let image = "[[attachments]]\ntype = \"image\"\nfile = \"a.png\"\n";
    used(image, "enter_session", "", "part_not_here");
    used(image, "message", "bot", "part_not_here");
    let link = "[[attachments]]\ntype = \"link\"\ntitle = \"a\"\nurl = \"https://a.b\"\n";
    let line = used(link, "message", "kf", "part_not_here");
    assert!(line.contains("image = "), "{line}");
    let mini =
        "[[attachments]]\ntype = \"miniprogram\"\nappid = \"wx1\"\npage = \"p\"\nimage = \"a.png\"\ntitle = \"a\"\n";
    let line = used(mini, "message", "kf", "part_not_here");
    assert!(line.contains(".html"), "{line}");
    used(mini, "message", "agent", "part_not_here");
}

#[test]
fn a_template_for_a_broadcast_is_asked_about_its_place() {
    let bundle = good(&[("templates/t.toml", "text = \"{{ contact.name }}\"\n")]);
    let found = bundle.check_use("t", Place::Broadcast, "broadcast send");
    assert_eq!(found.len(), 1);
    assert_eq!(
        (found[0].code, found[0].file.as_str(), found[0].line),
        ("variable_not_here", "templates/t.toml", 1)
    );
    assert_eq!(
        bundle.check_use("u", Place::Broadcast, "broadcast send")[0].code,
        "unknown_template"
    );
}

#[test]
fn a_fallback_word_in_the_settings_must_name_a_variable() {
    let mut corp = super::corp();
    corp.content.fallback.insert("contact.nme".into(), "您".into());
    let found = super::compile_for(&[], &corp).unwrap_err();
    assert_eq!(
        (found[0].code, found[0].file.as_str()),
        ("unknown_variable", "[content].fallback")
    );
}

#[test]
fn a_forgotten_template_is_a_warning() {
    let (_, found) = compile(&[("templates/t.toml", "[menu]\nitems = [{ id = \"a\", text = \"b\" }]\n")]).unwrap();
    assert_eq!(found[0].code, "unused_template");
    let (_, found) = compile(&[("templates/t.toml", "text = \"{{ contact.name }}\"\n")]).unwrap();
    assert_eq!((found.len(), found[0].code), (1, "unused_template"));
}

#[test]
fn a_template_that_only_a_broadcast_can_use_must_fit_there() {
    alone(&format!("text = \"{}\"\n", "字".repeat(1334)), "too_long", 1, 8);
}
