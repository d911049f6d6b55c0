//! Overrides from the environment, as an operator meets them.

#![expect(clippy::unwrap_used, reason = "a test that cannot set the stage fails loudly")]

use secrecy::ExposeSecret as _;
use wecom_gateway::model::Diagnostic;
use wecom_gateway::settings::{AppKind, Settings, StoreUrl};

const KEY: &str = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C";

fn corp(name: &str, id: &str, app: &str, secret: &str) -> String {
    format!(
        "[[corp]]\nname = \"{name}\"\ncorp_id = \"{id}\"\n[[corp.app]]\nname = \"{app}\"\nkind = \"contacts\"\n\
         secret = {secret}\ntoken = \"QDG6eK\"\nencoding_aes_key = \"{KEY}\"\n"
    )
}

fn minimal() -> String {
    corp("acme", "ww01", "main", "\"s3cret\"")
}

fn load(text: &str, env: &[(&str, &str)]) -> Result<Settings, Vec<Diagnostic>> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("gateway.toml");
    std::fs::write(&path, text).unwrap();
    let env: Vec<_> = env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    Settings::load(&path, env.into_iter())
}

fn secret(s: &Settings, corp: usize) -> &str {
    s.corps[corp].apps[0].secret.as_ref().unwrap().expose_secret()
}

#[test]
fn the_environment_overrides_every_kind_of_key() {
    let env = [
        ("WECOM_GATEWAY__SERVER__LISTEN", "0.0.0.0:1"),
        ("WECOM_GATEWAY__SERVER__MAX_PARTITIONS", "0"),
        ("WECOM_GATEWAY__STORE__URL", "redis://h/1"),
        ("WECOM_GATEWAY__STORE__SPOOL", ""),
        ("WECOM_GATEWAY__CORP__ACME__APP__MAIN__SECRET", "other"),
        ("WECOM_GATEWAY__CORP__ACME__APP__MAIN__KIND", "kf,contacts"),
        ("WECOM_GATEWAY__CORP__ACME__BROADCAST__PER_DAY", "3"),
        ("WECOM_GATEWAY__CORP__ACME__BROADCAST__PER_WEEK", "5"),
        ("WECOM_GATEWAY__CORP__ACME__KF__ACCOUNTS__SALES", "wk1"),
        ("WECOM_GATEWAY__CORP__ACME__SAFETY__ONLY", "[\"zhangsan\", \"lisi\"]"),
        ("WECOM_GATEWAY_LOG", "json"),
    ];
    let s = load(&minimal(), &env).unwrap();
    assert_eq!(s.server.listen.to_string(), "0.0.0.0:1");
    assert_eq!(s.server.max_partitions, 0);
    assert!(matches!(s.store.url, StoreUrl::Redis(_)) && s.store.spool.is_none());
    assert_eq!(secret(&s, 0), "other");
    let corp = &s.corps[0];
    assert_eq!(corp.apps[0].kind, [AppKind::Kf, AppKind::Contacts]);
    assert_eq!((corp.broadcast.per_day, corp.broadcast.per_week), (Some(3), Some(5)));
    assert_eq!(corp.kf.accounts["sales"].as_str(), "wk1");
    assert_eq!(corp.safety.only, ["zhangsan", "lisi"]);
}

#[test]
fn an_override_finds_names_with_dashes_and_the_longest_of_two() {
    let text = corp("acme-cn", "ww01", "main__x", "\"s\"") + &corp("acme", "ww02", "main", "\"s\"");
    let env = [
        ("wecom_gateway__Corp__Acme_CN__App__Main__X__Secret", "a"),
        ("WECOM_GATEWAY__CORP__ACME__APP__MAIN__SECRET", "b"),
    ];
    let s = load(&text, &env).unwrap();
    assert_eq!((secret(&s, 0), secret(&s, 1)), ("a", "b"));
}

#[test]
fn an_override_replaces_a_secret_of_another_form() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "from-file").unwrap();
    let path = file.path().to_str().unwrap();
    for old in ["\"s3cret\"", "{ env = \"GONE\" }"] {
        let env = [("WECOM_GATEWAY__CORP__ACME__APP__MAIN__SECRET__FILE", path)];
        let s = load(&corp("acme", "ww01", "main", old), &env).unwrap();
        assert_eq!(secret(&s, 0), "from-file");
    }
}

#[test]
fn a_wrong_override_is_an_error_that_names_the_variable() {
    for (name, value, code, near) in [
        ("WECOM_GATEWAY__SERVER__LISTN", "x", "unknown_key", "`listen`"),
        ("WECOM_GATEWAY__CORP__ACNE__CORP_ID", "x", "unknown_name", "acme"),
        (
            "WECOM_GATEWAY__CORP__ACME__APP__MIAN__SECRET",
            "x",
            "unknown_name",
            "main",
        ),
        ("WECOM_GATEWAY__SERVER__MAX_PARTITIONS", "many", "wrong_type", ""),
        ("WECOM_GATEWAY__SERVER__LISTEN", "x", "bad_value", ""),
    ] {
        let faults = load(&minimal(), &[(name, value)]).map(|_| ()).unwrap_err();
        assert_eq!(faults.len(), 1, "{faults:#?}");
        let fault = &faults[0];
        assert_eq!((fault.code, fault.file.as_str(), fault.line), (code, name, 0));
        assert!(fault.remedy.en.contains(near), "{fault:?}");
    }
}

proptest::proptest! {
    #[test]
    fn no_text_and_no_override_makes_the_reader_panic(
        junk in "[\\[\\]{}=\"'.,#a-c0-9\n 企]{0,40}",
        at in 0usize..200,
        name in "(__|[A-C]|CORP|ACME|APP|MAIN|SECRET|-){0,6}",
    ) {
        let mut text = minimal();
        let at = at.min(text.len());
        text.insert_str(at, &junk);
        let name = format!("WECOM_GATEWAY__{name}");
        if let Err(faults) = load(&text, &[(name.as_str(), junk.as_str())]) {
            proptest::prop_assert!(!faults.is_empty());
            let shown = format!("{:?}", faults);
            proptest::prop_assert!(!shown.contains("s3cret"), "{}", shown);
        }
    }
}
