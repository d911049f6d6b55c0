//! Settings as an operator meets them: files and environments in, settings or findings out.

#![expect(clippy::unwrap_used, reason = "a test that cannot set the stage fails loudly")]

use std::path::Path;
use std::time::Duration;

use secrecy::ExposeSecret as _;
use wecom_gateway::model::Diagnostic;
use wecom_gateway::model::text::Lang;
use wecom_gateway::settings::{AppKind, Durability, MonthQuota, Settings, StoreUrl, Unmatched};

const KEY: &str = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C";

/// The smallest file that serves.
fn minimal() -> String {
    format!(
        "[[corp]]\nname = \"acme\"\ncorp_id = \"ww01\"\n[[corp.app]]\nname = \"main\"\nkind = \"contacts\"\n\
         secret = \"s3cret\"\ntoken = \"QDG6eK\"\nencoding_aes_key = \"{KEY}\"\n"
    )
}

fn load(text: &str, env: &[(&str, &str)]) -> Result<Settings, Vec<Diagnostic>> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("gateway.toml");
    std::fs::write(&path, text).unwrap();
    let env: Vec<_> = env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    Settings::load(&path, env.into_iter())
}

fn good(text: &str, env: &[(&str, &str)]) -> Settings {
    load(text, env).unwrap_or_else(|f| panic!("{f:#?}"))
}

fn bad(text: &str, env: &[(&str, &str)]) -> Vec<Diagnostic> {
    load(text, env).map(|_| ()).unwrap_err()
}

/// The only finding.
fn one(text: &str, env: &[(&str, &str)]) -> Diagnostic {
    let mut all = bad(text, env);
    assert_eq!(all.len(), 1, "{all:#?}");
    all.remove(0)
}

/// The minimal file with one line replaced.
fn with(old: &str, new: &str) -> String {
    let text = minimal();
    assert!(text.contains(old), "{old}");
    text.replace(old, new)
}

fn app_secret(s: &Settings) -> &str {
    s.corps[0].apps[0].secret.as_ref().unwrap().expose_secret()
}

#[test]
fn a_file_with_only_a_corp_takes_every_default() {
    let s = good(&minimal(), &[]);
    assert_eq!(s.server.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(s.server.node, Path::new("data/node"));
    assert_eq!(s.server.max_partitions, 64);
    assert!(matches!(&s.store.url, StoreUrl::Sqlite(p) if p == Path::new("data/gateway.db")));
    assert_eq!(s.store.durability, Durability::Os);
    assert_eq!(s.store.spool, None, "SQLite has no spool");
    assert_eq!(s.store.keep, Duration::from_secs(86_400));
    assert_eq!(s.content.dir, Path::new("config"));
    let corp = &s.corps[0];
    assert_eq!(corp.display_name, "acme");
    assert_eq!(corp.api_base, "https://qyapi.weixin.qq.com");
    assert_eq!(corp.broadcast.per_day, Some(1));
    assert_eq!(corp.kf.unmatched, Unmatched::Pool);
    assert_eq!(corp.kf.max_age, Duration::from_secs(600));
    assert_eq!(corp.kf.poll, Duration::from_secs(60));
    assert!(!corp.safety.observe && corp.safety.only.is_empty() && corp.safety.quiet_hours.is_none());
    assert_eq!(corp.content, s.content);
}

#[test]
fn the_file_of_the_repository_is_valid_once_its_secrets_are_set() {
    let env = [
        ("ACME_MAIN_SECRET", "s3cret"),
        ("ACME_MAIN_TOKEN", "QDG6eK"),
        ("ACME_MAIN_AES_KEY", KEY),
    ];
    let env = env.map(|(k, v)| (k.to_owned(), v.to_owned()));
    let path = Path::new("config/gateway.toml");
    let s = Settings::load(path, env.into_iter()).unwrap();
    assert_eq!(
        s.corps[0].apps[0].kind,
        [AppKind::Contacts, AppKind::Kf, AppKind::Agent]
    );
    let faults = Settings::load(path, std::iter::empty()).map(|_| ()).unwrap_err();
    assert_eq!(faults.len(), 3);
    assert!(faults.iter().all(|f| f.code == "missing_env"), "{faults:#?}");
    assert!(faults[0].what.en.contains("ACME_MAIN_SECRET"));
}

#[test]
fn a_missing_file_is_one_finding_with_a_remedy() {
    let faults = Settings::load(Path::new("no/such.toml"), std::iter::empty())
        .map(|_| ())
        .unwrap_err();
    assert_eq!(faults.len(), 1);
    assert_eq!(faults[0].code, "unreadable_file");
    assert!(faults[0].line(Lang::En).contains("no/such.toml"));
    assert!(faults[0].remedy.zh.contains("--config"));
}

#[test]
fn every_fault_is_reported_at_once_with_its_place() {
    let text = "[server]\nlisten = \"here\"\nmax_partitions = 65\n[journal]\nkeep = 5\n[[corp]]\nname = \"Acme\"\n\
                [[corp.app]]\nname = \"main\"\nkind = [\"contacts\", \"agnet\"]\ntoken = \"has space\"\n";
    let found: Vec<_> = bad(text, &[]).iter().map(|f| (f.line, f.column, f.code)).collect();
    assert_eq!(
        found,
        [
            (2, 1, "bad_value"),
            (3, 1, "bad_value"),
            (5, 1, "wrong_type"),
            (6, 1, "missing_key"),
            (7, 1, "bad_value"),
            (8, 1, "missing_key"),
            (10, 21, "bad_value"),
            (11, 1, "bad_value"),
        ]
    );
}

#[test]
fn all_syntax_errors_are_reported_with_line_and_column() {
    let faults = bad("[server]\nlisten = \n[store\nurl = \"x\"\n", &[]);
    assert!(faults.len() >= 2, "{faults:#?}");
    assert!(faults.iter().all(|f| f.code == "syntax" && f.line > 0 && f.column > 0));
}

#[test]
fn an_unknown_key_names_the_nearest_known_one() {
    for (text, key, near) in [
        (
            "[server]\nlisen = \"x\"\n".to_owned() + &minimal(),
            "server.lisen",
            "`listen`",
        ),
        ("[sever]\n".to_owned() + &minimal(), "sever", "`server`"),
        (
            with("kind =", "agent_ids = 1\nkind ="),
            "corp.acme.app.main.agent_ids",
            "`agent_id`",
        ),
        (
            minimal() + "[corp.kf]\nmaxage = \"1m\"\n",
            "corp.acme.kf.maxage",
            "`max_age`",
        ),
    ] {
        let fault = one(&text, &[]);
        assert_eq!(fault.code, "unknown_key");
        assert!(fault.what.en.contains(&format!("`{key}`")), "{fault:?}");
        assert!(
            fault.remedy.en.contains(near) && fault.remedy.zh.contains(near),
            "{fault:?}"
        );
    }
}

#[test]
fn no_finding_ever_shows_a_secret() {
    for (text, env) in [
        (with("\"QDG6eK\"", "\"hunter2 hunter2\""), vec![]),
        (with(KEY, "hunter2"), vec![]),
        (with("\"s3cret\"", "\"hunter2\\n x\""), vec![]),
        (with("\"s3cret\"", "{ env = \"hunter2\" }"), vec![]),
        (with("\"s3cret\"", "[\"hunter2\"]"), vec![]),
        (with("secret =", "secrt = \"hunter2\"\nsecret ="), vec![]),
        (minimal() + "[store]\nurl = \"redis://:hunter2@:x:y\"\n", vec![]),
        (minimal() + "[store]\nurl = \"reddis://:hunter2@h\"\n", vec![]),
        (
            minimal(),
            vec![("WECOM_GATEWAY__CORP__ACME__APP__MAIN__TOKEN", "hunter2!")],
        ),
        (
            minimal(),
            vec![("WECOM_GATEWAY__CORP__ACME__APP__MAIN__TOKN", "hunter2")],
        ),
        (
            minimal(),
            vec![("WECOM_GATEWAY__CORP__ACNE__APP__MAIN__TOKEN", "hunter2")],
        ),
    ] {
        let faults = bad(&text, &env);
        assert!(!format!("{faults:?}").contains("hunter2"), "{faults:#?}");
    }
}

#[test]
fn settings_never_print_a_secret() {
    let text = minimal() + "[store]\nurl = \"redis://:hunter2@host/0\"\n";
    let shown = format!("{:?}", good(&text, &[]));
    for secret in ["s3cret", "QDG6eK", KEY, "hunter2"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

#[test]
fn a_secret_may_be_a_text_an_environment_variable_or_a_file() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "from-file\r\n").unwrap();
    let as_file = format!("{{ file = {:?} }}", file.path());
    assert_eq!(app_secret(&good(&with("\"s3cret\"", &as_file), &[])), "from-file");
    let as_env = with("\"s3cret\"", "{ env = \"X\" }");
    assert_eq!(app_secret(&good(&as_env, &[("X", "from-env")])), "from-env");
    assert_eq!(one(&as_env, &[]).code, "missing_env");
    assert_eq!(one(&as_env, &[("X", " ")]).code, "empty");
    let code = |new: &str| one(&with("\"s3cret\"", new), &[]).code;
    assert_eq!(code("{ file = \"no/such\" }"), "unreadable_file");
    assert_eq!(code("{ env = \"X\", file = \"Y\" }"), "bad_value");
    let none = with("secret = \"s3cret\"\n", "");
    assert!(good(&none, &[]).corps[0].apps[0].secret.is_none());
}

#[test]
fn the_callback_key_and_token_are_checked() {
    for (old, new) in [
        (KEY, &KEY[1..]),
        (KEY, &format!("{}=", &KEY[1..])),
        ("QDG6eK", ""),
        ("QDG6eK", "with-dash"),
        ("QDG6eK", "a23456789012345678901234567890123"),
    ] {
        let fault = one(&with(&format!("\"{old}\""), &format!("\"{new}\"")), &[]);
        assert!(["bad_value", "empty"].contains(&fault.code), "{fault:?}");
    }
    assert!(one(&with(KEY, &KEY[1..]), &[]).what.en.contains("42"));
}

#[test]
fn kind_is_one_word_or_a_list_and_agent_needs_its_id() {
    let kinds = |text: &str| good(&with("\"contacts\"\n", text), &[]).corps[0].apps[0].kind.clone();
    assert_eq!(kinds("\"kf\"\n"), [AppKind::Kf]);
    assert_eq!(kinds("[\"kf\", \"bot\"]\n"), [AppKind::Kf, AppKind::Bot]);
    assert_eq!(kinds("[\"agent\"]\nagent_id = 1000002\n"), [AppKind::Agent]);
    let fault = one(&with("\"contacts\"", "\"agent\""), &[]);
    assert_eq!(fault.code, "missing_key");
    assert!(fault.what.en.contains("agent_id"));
    let near = one(&with("\"contacts\"", "\"contact\""), &[]);
    assert!(near.remedy.en.contains("\"contacts\""), "{near:?}");
}

#[test]
fn broadcast_rules_have_names_or_numbers() {
    let rule = |text: &str| {
        let text = with("corp_id", &format!("broadcast = {text}\ncorp_id"));
        load(&text, &[]).map(|s| s.corps[0].broadcast)
    };
    assert_eq!(rule("{ rule = \"week_7\" }").unwrap().per_week, Some(7));
    let month = rule("{ rule = \"month_days\" }").unwrap();
    assert_eq!(month.per_month, MonthQuota::DaysOfMonth);
    let old = rule("{ rule = \"member_day_1_corp_week_1\" }").unwrap();
    assert_eq!(
        (old.per_week, old.member_per_day, old.per_day),
        (Some(1), Some(1), None)
    );
    let own = rule("{ per_day = 2, per_month = 8 }").unwrap();
    assert_eq!((own.per_day, own.per_month), (Some(2), MonthQuota::Count(8)));
    for wrong in [
        "{}",
        "{ rule = \"day_1\", per_day = 1 }",
        "{ rule = \"day1\" }",
        "\"day_1\"",
        "{ per_day = -1 }",
    ] {
        assert_eq!(rule(wrong).unwrap_err().len(), 1, "{wrong}");
    }
}

#[test]
fn durations_and_hours_need_their_units() {
    let kf = |text: &str| load(&(minimal() + "[corp.kf]\npoll = " + text + "\n"), &[]).map(|s| s.corps[0].kf.poll);
    assert_eq!(kf("\"500ms\"").unwrap(), Duration::from_millis(500));
    assert_eq!(kf("\"24h\"").unwrap(), Duration::from_secs(86_400));
    for wrong in [
        "\"60\"",
        "60",
        "\"0s\"",
        "\"1 week\"",
        "\"99999999999999999999d\"",
        "\"400d\"",
        "\"\"",
    ] {
        assert_eq!(kf(wrong).unwrap_err().len(), 1, "{wrong}");
    }
    let quiet = |text: &str| {
        let text = minimal() + "[corp.safety]\nquiet_hours = \"" + text + "\"\n";
        load(&text, &[]).map(|s| s.corps[0].safety.quiet_hours)
    };
    assert_eq!(quiet("21:00-09:00").unwrap(), Some((21 * 60, 9 * 60)));
    assert_eq!(quiet("0:30-24:00").unwrap(), Some((30, 1440)));
    assert_eq!(quiet("").unwrap(), None);
    for wrong in [
        "21-9",
        "25:00-09:00",
        "09:00-09:00",
        "24:00-09:00",
        "09:60-10:00",
        "+9:00-10:00",
        "21:00",
    ] {
        assert_eq!(quiet(wrong).unwrap_err().len(), 1, "{wrong}");
    }
}

#[test]
fn stores_are_told_apart_by_their_url() {
    let store = |url: &str| load(&(minimal() + "[store]\nurl = \"" + url + "\"\n"), &[]).map(|s| s.store);
    let redis = store("rediss://user:pw@host:6380/1").unwrap();
    assert!(matches!(redis.url, StoreUrl::Redis(_)));
    assert_eq!(redis.spool.as_deref(), Some(Path::new("data/spool.db")));
    let cluster = store("redis+cluster://a,b,c").unwrap_err();
    assert!(cluster[0].what.en.contains("not yet in this version"), "{cluster:?}");
    for wrong in [
        "sqlite:",
        "sqlite::memory:",
        "sqlite://x",
        "mysql://x",
        "redis://",
        "gateway.db",
        "",
    ] {
        assert_eq!(store(wrong).unwrap_err().len(), 1, "{wrong}");
    }
    let none = minimal() + "[store]\nurl = \"redis://h\"\nspool = \"\"\n";
    assert_eq!(good(&none, &[]).store.spool, None);
}

#[test]
fn the_api_base_has_no_slash_at_its_end() {
    let base = |url: &str| {
        let text = with("corp_id", &format!("api_base = \"{url}\"\ncorp_id"));
        load(&text, &[]).map(|s| s.corps[0].api_base.clone())
    };
    assert_eq!(base("http://127.0.0.1:9000/").unwrap(), "http://127.0.0.1:9000");
    for wrong in [
        "qyapi.weixin.qq.com",
        "ftp://x",
        "https://",
        "https://x/cgi-bin",
        "https://x?y",
    ] {
        assert_eq!(base(wrong).unwrap_err().len(), 1, "{wrong}");
    }
}

#[test]
fn names_ids_and_accounts_are_unique() {
    let found = bad(&(minimal() + &minimal()), &[]);
    let codes: Vec<_> = found.iter().map(|f| f.code).collect();
    assert_eq!(codes, ["duplicate", "duplicate"]);
    assert!(found[0].what.en.contains(":2"), "names the first place: {found:?}");
    let app = minimal().split_once("[[corp.app]]").unwrap().1.to_owned();
    assert_eq!(one(&(minimal() + "[[corp.app]]" + &app), &[]).code, "duplicate");
    let kf = minimal() + "[corp.kf]\naccounts = { a = \"wk1\", b = \"wk1\" }\n";
    assert_eq!(one(&kf, &[]).code, "duplicate");
}

#[test]
fn a_corp_may_have_content_of_its_own() {
    let text = "[content]\nfallback = { \"contact.name\" = \"朋友\", \"member.name\" = \"客服\" }\n".to_owned()
        + &with(
            "corp_id",
            "content = { dir = \"acme\", fallback = { \"contact.name\" = \"亲\" } }\ncorp_id",
        );
    let content = good(&text, &[]).corps.remove(0).content;
    assert_eq!(content.dir, Path::new("acme"));
    assert_eq!(content.templates, Path::new("templates"));
    assert_eq!(content.fallback["contact.name"], "亲");
    assert_eq!(content.fallback["member.name"], "客服");
}

#[test]
fn a_byte_order_mark_and_windows_line_ends_do_no_harm() {
    good(&format!("\u{feff}{}", minimal().replace('\n', "\r\n")), &[]);
}
