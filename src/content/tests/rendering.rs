//! What customers read: values filled in as data, never longer than the place allows, never cut inside a thing.

use std::collections::BTreeMap;

use proptest::prelude::*;
use unicode_segmentation::UnicodeSegmentation;

use super::super::clean::{Markup, clean, cut, shorten};
use super::super::{Bundle, Fact, MenuItem, Place, Rendered, RenderedAttachment};
use super::{at, good};
use crate::model::job::Part;

fn template(text: &str) -> Bundle {
    good(&[("templates/t.toml", text), ("members.toml", "li = { name = \"小李\" }")])
}

fn values(given: &[(&str, &str)]) -> BTreeMap<String, String> {
    given.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

fn render(bundle: &Bundle, part: Part, place: Place, given: &[(&str, &str)]) -> Rendered {
    bundle.render("t", part, place, &values(given), at(9, 5)).unwrap()
}

fn text(pattern: &str, place: Place, given: &[(&str, &str)]) -> String {
    let bundle = template(&format!("text = '''\n{pattern}\n'''\n"));
    render(&bundle, Part::Text, place, given).text.unwrap()
}

#[test]
fn variables_are_filled_in_and_the_final_line_break_is_dropped() {
    let said = text(
        "{{ contact.name }}\n{{member.name}}",
        Place::Welcome,
        &[("contact.name", "王芳"), ("member.name", "李四")],
    );
    assert_eq!(said, "王芳\n李四");
}

#[test]
fn time_is_chinas_at_the_event() {
    let pattern = "{{ greeting }} {{ date }} {{ time }} {{ weekday }}";
    assert_eq!(text(pattern, Place::Kf, &[]), "早上好 2026年11月22日 09:05 星期日");
    let bundle = template("text = '{{ greeting }}'");
    let by_hour = [4, 5, 10, 11, 12, 13, 17, 18, 23].map(|hour| {
        let said = bundle
            .render("t", Part::Text, Place::Kf, &BTreeMap::new(), at(hour, 59))
            .unwrap();
        said.text.unwrap().chars().next().unwrap()
    });
    assert_eq!(by_hour.iter().collect::<String>(), "晚早早中中下下晚晚");
}

#[test]
fn a_missing_value_takes_the_templates_word_then_the_settings_then_ours() {
    let mut corp = super::corp();
    corp.content.fallback.insert("contact.name".into(), "您".into());
    corp.content.fallback.insert("member.name".into(), "顾问".into());
    let file = "text = '{{ contact.name }} {{ member.name }} {{ kf.name }} {{ corp.name }}'\nfallback = { \"contact.name\" = \"亲\" }";
    let (bundle, _) = super::compile_for(&[("templates/t.toml", file)], &corp).unwrap();
    let said = render(&bundle, Part::Text, Place::Kf, &[("contact.name", " \n ")]);
    assert_eq!(said.text.unwrap(), "亲 顾问 客服 某某咖啡");
    assert_eq!(text("{{ contact.name }}", Place::Kf, &[]), "朋友");
}

#[test]
fn a_members_name_is_what_members_toml_says() {
    let given = [("member.userid", "li"), ("member.name", "李四")];
    assert_eq!(text("{{ member.name }}", Place::Welcome, &given), "小李");
    let bundle = template("text = '{{ member.name }} {{ contact.name }} {{ contact.name }} {{ channel.name }}'");
    let facts = |given: &[(&str, &str)]| bundle.facts("t", Part::Whole, &values(given));
    assert_eq!(facts(&[]), [Fact::ContactName, Fact::MemberName]);
    assert_eq!(facts(&[("member.userid", "li")]), [Fact::ContactName]);
    assert_eq!(
        facts(&[("member.userid", "wang"), ("contact.name", "王芳")]),
        [Fact::MemberName]
    );
    assert_eq!(bundle.facts("t", Part::Menu, &BTreeMap::new()), []);
    assert_eq!(bundle.facts("none", Part::Whole, &BTreeMap::new()), []);
}

#[test]
fn values_are_data_never_template_markup_or_lines() {
    let evil = "{{ corp.name }}\r\n<a href=\"http://x\">$userName=all$</a>\u{202E}";
    let given = [("contact.name", evil), ("message.text", evil)];
    let said = text("{{ message.text }}", Place::App, &given);
    assert_eq!(said, "{{ corp.name }}＜a href=\"http://x\"＞＄userName=all＄＜/a＞");
    assert_eq!(
        text("{{ message.text }}", Place::Kf, &given),
        "{{ corp.name }}<a href=\"http://x\">$userName=all$</a>"
    );
    let said = text(
        "**{{ message.text }}**",
        Place::Bot,
        &[("message.text", "[x](http://y)*")],
    );
    assert_eq!(said, "**［x］（http://y）＊**");
}

#[test]
fn names_have_at_most_twenty_graphemes_and_120_bytes() {
    let said = text("{{ contact.name }}", Place::Kf, &[("contact.name", &"字".repeat(30))]);
    assert_eq!(said, "字".repeat(19) + "…");
    let family = "👨‍👩‍👧‍👦";
    let said = text("{{ contact.name }}", Place::Kf, &[("contact.name", &family.repeat(10))]);
    assert_eq!(said, family.repeat(4) + "…", "25 bytes each");
}

#[test]
fn what_the_customer_wrote_gives_way_before_anything_else() {
    let message = "啊".repeat(3000);
    let said = text(
        "您说“{{ message.text }}”，{{ contact.name }}，请稍等",
        Place::Kf,
        &[("message.text", &message)],
    );
    assert!(said.len() <= 2048 && said.len() > 2040, "{}", said.len());
    assert!(said.ends_with("…”，朋友，请稍等"), "{said}");
}

#[test]
fn nothing_is_cut_inside_an_emoji_or_a_face() {
    assert_eq!(cut("好[微笑]", 14), "好[微笑]".to_owned().as_str().get(..11).unwrap());
    assert_eq!(cut("好的吧[微笑]", 16), "好的吧…");
    assert_eq!(cut("好👍🏽", 10), "好…");
    assert_eq!(cut("好[", 4), "好[");
    assert_eq!(cut("[微笑][微笑]", 15), "[微笑]…");
    assert_eq!(cut("e\u{301}e\u{301}", 5), "…");
    assert_eq!(cut("abc", 2), "");
    assert_eq!(shorten(&"[微笑]".repeat(6), Some(20), 120), "[微笑]".repeat(4) + "…");
}

#[test]
fn parts_are_the_messages_of_a_place() {
    let file = "text = 'a'\n[[attachments]]\ntype = 'image'\nfile = 'a.png'\n[[attachments]]\ntype = 'link'\n\
                title = '{{ contact.name }}'\nurl = 'https://a.b'\nimage = 'a.png'\n\
                [menu]\nhead = 'h'\nitems = [{ id = 'x', text = '{{ contact.name }}' }, { url = 'https://a.b', text = 'v' }]\n";
    let bundle = template(file);
    let all = [Part::Text, Part::Attachment(0), Part::Attachment(1), Part::Menu];
    assert_eq!(bundle.parts("t", Place::Kf), all);
    assert_eq!(bundle.parts("t", Place::App), all[..3]);
    assert_eq!(bundle.parts("t", Place::Welcome), [Part::Whole]);
    assert_eq!(bundle.parts("none", Place::Kf), []);
    let given = [("contact.name", "王芳")];
    let link = render(&bundle, Part::Attachment(1), Place::Kf, &given);
    assert!(link.text.is_none() && link.menu.is_none());
    assert!(
        matches!(&link.attachments[..], [RenderedAttachment::Link { title, image: Some(_), .. }] if title == "王芳")
    );
    assert_eq!(
        bundle.facts("t", Part::Attachment(1), &BTreeMap::new()),
        [Fact::ContactName]
    );
    assert_eq!(bundle.facts("t", Part::Attachment(0), &BTreeMap::new()), []);
    let menu = render(&bundle, Part::Menu, Place::Kf, &given).menu.unwrap();
    assert_eq!(
        menu.items[0],
        MenuItem::Click {
            id: "x".into(),
            text: "王芳".into()
        }
    );
    assert_eq!(
        render(&bundle, Part::Whole, Place::Welcome, &given).attachments.len(),
        2
    );
    assert!(
        bundle
            .render("none", Part::Whole, Place::Kf, &BTreeMap::new(), at(9, 0))
            .is_none()
    );
}

#[test]
fn what_would_be_empty_is_left_out_or_takes_the_corps_name() {
    let file = "text = '{{ channel.name }}'\n[[attachments]]\ntype = 'link'\ntitle = '{{ channel.name }}'\nurl = 'https://a.b'\n";
    let said = render(&template(file), Part::Whole, Place::Welcome, &[]);
    assert_eq!(said.text, None);
    assert!(matches!(&said.attachments[..], [RenderedAttachment::Link { title, .. }] if title == "某某咖啡"));
}

#[test]
fn for_a_bot_a_link_is_a_line_of_markdown() {
    let bundle =
        template("text = 'a'\n[[attachments]]\ntype = 'link'\ntitle = '菜单'\ndesc = '今日'\nurl = 'https://a.b'\n");
    let said = render(&bundle, Part::Whole, Place::Bot, &[]);
    assert_eq!(
        (said.text.as_deref(), said.attachments.len()),
        (Some("a\n[菜单](https://a.b) 今日"), 0)
    );
}

/// Texts as people write them: Chinese, emoji of several code points, faces, brackets, control characters.
fn wild() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("好".to_owned()),
        Just("👨‍👩‍👧‍👦".to_owned()),
        Just("🇨🇳".to_owned()),
        Just("👍🏽".to_owned()),
        Just("e\u{301}".to_owned()),
        Just("[微笑]".to_owned()),
        Just("[".to_owned()),
        Just("]".to_owned()),
        Just("<$>\n".to_owned()),
        Just("\u{200D}".to_owned()),
        any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..60).prop_map(|v| v.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_cut_text_fits_and_is_a_whole_number_of_graphemes(text in wild(), max in 0usize..400) {
        let short = cut(&text, max);
        prop_assert!(short.len() <= max);
        if text.len() <= max {
            prop_assert_eq!(&short, &text);
        } else if let Some(kept) = short.strip_suffix('…') {
            prop_assert!(text.starts_with(kept));
            let ends: Vec<usize> = text.grapheme_indices(true).map(|(at, _)| at).collect();
            let kept = kept.len();
            prop_assert!(ends.contains(&kept), "cut at {} of {:?}", kept, text);
            // No face is open at the cut.
            if let Some(open) = text[..kept].rfind('[') {
                let face = text[open..].strip_prefix("[微笑]");
                prop_assert!(face.is_none() || text[open..kept].contains(']'));
            }
        } else {
            prop_assert_eq!(short, "");
        }
    }

    #[test]
    fn a_clean_value_has_no_control_character_and_no_markup(text in wild()) {
        for markup in [Markup::None, Markup::Anchors, Markup::Markdown] {
            let value = clean(&text, markup);
            prop_assert!(!value.chars().any(char::is_control));
            prop_assert!(markup == Markup::None || !value.contains(['<', '>', '$']));
            let name = shorten(&value, Some(20), 120);
            prop_assert!(name.len() <= 120 && name.graphemes(true).count() <= 21);
        }
    }

    #[test]
    fn no_rendering_is_longer_than_its_place_allows(
        fixed in 0usize..700, name in wild(), message in wild(), times in 1usize..200, place in 0usize..3,
    ) {
        let place = [Place::Kf, Place::App, Place::Bot][place];
        let pattern = format!("{}{{{{ contact.name }}}}：{{{{ message.text }}}}", "字".repeat(fixed));
        let said = text(&pattern, place, &[("contact.name", &name), ("message.text", &message.repeat(times))]);
        let limit = if place == Place::Bot { 20_480 } else { 2048 };
        prop_assert!(said.len() <= limit, "{} bytes", said.len());
    }
}
