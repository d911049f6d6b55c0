//! `wecom-gateway check` and the frame of the command line, through the real binary.

#![expect(clippy::unwrap_used, reason = "a test that cannot set the stage fails loudly")]

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

const KEY: &str = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C";

/// The gateway with these arguments, in the repository's folder, with an environment of its own.
fn gateway(arguments: &[&str], env: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_wecom-gateway"))
        .args(arguments)
        .env_clear()
        .envs(env.iter().copied())
        .output()
        .unwrap()
}

fn stdout(out: &Output) -> String {
    String::from_utf8(out.stdout.clone()).unwrap()
}

/// A folder with a corp whose content lies in it, and the path of its settings.
fn folder(rules: &str) -> (tempfile::TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name).display().to_string();
    let write = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    let settings = format!(
        "[content]\ndir = {:?}\ntemplates = {:?}\n[[corp]]\nname = \"acme\"\ncorp_id = \"ww01\"\n[[corp.app]]\n\
         name = \"main\"\nkind = [\"contacts\", \"kf\"]\nsecret = \"s3cret\"\ntoken = \"QDG6eK\"\n\
         encoding_aes_key = \"{KEY}\"\n",
        at("config"),
        at("templates"),
    );
    write("gateway.toml", &settings);
    write("templates/hello.toml", "text = \"你好\"\n");
    write("config/rules/a.toml", rules);
    let path = at("gateway.toml");
    (dir, path)
}

const GOOD: &str = "[[rule]]\nname = \"hi\"\non = \"message\"\nkeywords = { any = [\"hi\"] }\nreply = [\"hello\"]\n\
                    tags = { add = [\"A/B\"] }\n";

#[test]
fn good_content_is_summed_up_and_ends_with_0() {
    let (_dir, path) = folder(GOOD);
    let out = gateway(&["check", "--config", &path], &[]);
    assert_eq!(out.status.code(), Some(0), "{out:?}");
    let text = stdout(&out);
    assert!(
        text.contains("acme: 1 templates, 1 rules, 0 channels, 1 tags: A/B"),
        "{text}"
    );
    assert!(text.contains("0 errors, 0 warnings"), "{text}");
}

#[test]
fn a_fault_in_a_rule_ends_with_2_and_names_its_file_and_line() {
    let (dir, path) = folder(&GOOD.replace("\"hello\"", "\"helo\""));
    let out = gateway(&["--config", &path, "check", "--json"], &[]);
    assert_eq!(out.status.code(), Some(2), "{out:?}");
    let report: Value = serde_json::from_str(&stdout(&out)).unwrap();
    assert_eq!(report["ok"], false);
    let fault = &report["findings"][0];
    assert_eq!(fault["severity"], "error");
    let file = dir.path().join("config/rules/a.toml");
    assert_eq!(Path::new(fault["file"].as_str().unwrap()), file);
    assert!(fault["line"].as_u64().unwrap() > 1, "{report}");
}

#[test]
fn faults_of_settings_are_all_told_in_the_language_of_the_environment() {
    let (_dir, path) = folder(GOOD);
    let wrong = [
        ("WECOM_GATEWAY__SERVER__LISTEN", "here"),
        ("WECOM_GATEWAY__STORE__KEPE", "1h"),
    ];
    for (lang, word, end) in [
        ("zh_CN.UTF-8", "错误[", "2 个错误"),
        ("en_US.UTF-8", "error[", "2 errors"),
    ] {
        let env = [&wrong[..], &[("LANG", lang)]].concat();
        let out = gateway(&["check", "--config", &path], &env);
        assert_eq!(out.status.code(), Some(2));
        let text = stdout(&out);
        assert_eq!(text.matches(word).count(), 2, "{text}");
        assert!(text.contains(end), "{text}");
    }
}

#[test]
fn the_repository_as_it_is_checks_without_a_finding() {
    let env = [
        ("ACME_MAIN_SECRET", "s3cret"),
        ("ACME_MAIN_TOKEN", "QDG6eK"),
        ("ACME_MAIN_AES_KEY", KEY),
    ];
    let out = gateway(&["check"], &env);
    assert_eq!(out.status.code(), Some(0), "{}", stdout(&out));
    assert!(stdout(&out).contains("0 errors, 0 warnings"), "{}", stdout(&out));
}

#[test]
fn a_missing_file_and_wrong_usage_end_with_2() {
    for arguments in [
        &["check", "--config", "no/such.toml"][..],
        &["chek"],
        &["check", "--jsn"],
        &[],
    ] {
        assert_eq!(gateway(arguments, &[]).status.code(), Some(2), "{arguments:?}");
    }
    for arguments in [["--help"], ["--version"]] {
        assert_eq!(gateway(&arguments, &[]).status.code(), Some(0), "{arguments:?}");
    }
}
