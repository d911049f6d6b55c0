//! Every fault of channels.toml and members.toml is refused with its place.

use super::{compile, good, one_error};

const TEMPLATES: [(&str, &str); 2] = [
    ("templates/a.toml", "text = \"a\""),
    ("templates/b.toml", "text = \"b\""),
];

#[track_caller]
fn channels(text: &str, code: &str, line: usize, column: usize) -> String {
    let files = [TEMPLATES[0], TEMPLATES[1], ("channels.toml", text)];
    one_error(&files, code, "config/channels.toml", line, column)
}

#[test]
fn a_channel_needs_a_state() {
    channels("[[channel]]\nname = \"a\"\n", "missing_key", 1, 1);
}

#[test]
fn a_star_stands_at_the_end_only() {
    channels("[[channel]]\nstate = \"a*b\"\n", "bad_state", 2, 9);
    channels("[[channel]]\nstate = \"a**\"\n", "bad_state", 2, 9);
}

#[test]
fn a_state_has_at_most_64_bytes() {
    let state = |n: usize| format!("[[channel]]\nstate = \"{}\"\n", "s".repeat(n));
    channels(&state(65), "bad_state", 2, 9);
    good(&[("channels.toml", &state(64))]);
}

#[test]
fn a_state_stands_once() {
    let line = channels(
        "[[channel]]\nstate = \"a\"\n[[channel]]\nstate = \"a\"\n",
        "duplicate_channel",
        4,
        9,
    );
    assert!(line.contains("config/channels.toml:2"), "{line}");
}

#[test]
fn an_ignored_channel_has_neither_welcome_nor_tags() {
    channels(
        "[[channel]]\nstate = \"a\"\nignore = true\ntags = [\"A/B\"]\n",
        "ignored_channel",
        1,
        1,
    );
}

#[test]
fn two_templates_in_a_welcome_are_refused() {
    let line = channels(
        "[[channel]]\nstate = \"a\"\nwelcome = [\"a\", \"b\"]\n",
        "two_templates_in_a_welcome",
        3,
        11,
    );
    assert!(line.contains("weight"), "{line}");
    let entries = "welcome = [{ template = \"a\", weight = 1 }, { template = \"b\", weight = 1 }]";
    good(&[
        TEMPLATES[0],
        TEMPLATES[1],
        ("channels.toml", &format!("[[channel]]\nstate = \"a\"\n{entries}\n")),
    ]);
}

#[test]
fn an_unknown_template_is_named_with_the_nearest_known_one() {
    let templates = [("templates/welcome-a.toml", "text = \"a\"")];
    let text = "[[channel]]\nstate = \"a\"\nwelcome = \"welcome-b\"\n";
    let files = [templates[0], ("channels.toml", text)];
    let line = one_error(&files, "unknown_template", "config/channels.toml", 3, 11);
    assert!(line.contains("Did you mean \"welcome-a\"?"), "{line}");
}

#[test]
fn entries_of_a_welcome_are_checked() {
    let welcome = |entry: &str| format!("[[channel]]\nstate = \"a\"\nwelcome = [{entry}]\n");
    channels(&welcome("{ weight = 1 }"), "missing_key", 3, 12);
    channels(&welcome("{ template = \"a\", weight = -1 }"), "bad_weight", 3, 12);
    channels(&welcome("{ template = \"a\", weight = 0 }"), "bad_weight", 3, 11);
    channels(&welcome("{ template = \"a\", wieght = 1 }"), "unknown_key", 3, 30);
    channels(
        &welcome("{ template = \"a\", when = { hours = \"9-12\" } }"),
        "bad_hours",
        3,
        47,
    );
    channels(
        &welcome("{ template = \"a\", when = { hours = \"09:00-09:00\" } }"),
        "bad_hours",
        3,
        47,
    );
    channels(
        &welcome("{ template = \"a\", when = { weekdays = [\"funday\"] } }"),
        "bad_weekday",
        3,
        51,
    );
    channels(
        &welcome("{ template = \"a\", when = { members = [] } }"),
        "empty_list",
        3,
        37,
    );
    channels(
        &welcome("{ template = \"a\", when = { scene = [\"x\"] } }"),
        "unknown_key",
        3,
        39,
    );
}

#[test]
fn tags_have_a_group_and_a_name() {
    for tag in [
        "\"Poster\"",
        "\"/Poster\"",
        "\"A/\"",
        "1",
        "{ group = \"A\" }",
        "\"A/1234567890123456789012345678901\"",
    ] {
        channels(
            &format!("[[channel]]\nstate = \"a\"\ntags = [{tag}]\n"),
            "bad_tag",
            3,
            9,
        );
    }
}

#[test]
fn a_tag_is_split_at_the_first_slash_or_written_as_a_table() {
    let text = "[[channel]]\nstate = \"a\"\ntags = [\"A/B/C\", { group = \"A/B\", tag = \"C\" }]\n";
    let bundle = good(&[("channels.toml", text)]);
    let tags: Vec<_> = bundle.channels[0]
        .tags
        .iter()
        .map(|t| (t.group.as_str(), t.tag.as_str()))
        .collect();
    assert_eq!(tags, [("A", "B/C"), ("A/B", "C")]);
    assert_eq!(bundle.tags().len(), 2);
}

#[test]
fn a_tag_written_twice_is_a_warning() {
    let (bundle, found) = compile(&[(
        "channels.toml",
        "[[channel]]\nstate = \"a\"\ntags = [\"A/B\", \"A/B\"]\n",
    )])
    .unwrap();
    assert_eq!((found[0].code, bundle.channels[0].tags.len()), ("duplicate_tag", 1));
}

#[test]
fn members_have_names() {
    let members = |text: &str, code: &str, column: usize| {
        one_error(&[("members.toml", text)], code, "config/members.toml", 1, column);
    };
    members("zhangsan = { name = \"\" }\n", "missing_key", 1);
    members("zhangsan = \"小张\"\n", "wrong_type", 12);
    members("zhangsan = { nmae = \"小张\", name = \"小张\" }\n", "unknown_key", 14);
}
