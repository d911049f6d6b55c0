//! Tests of the room: content in memory goes in, a bundle or findings come out.

mod choosing;
mod demo;
mod errors_channels;
mod errors_reach;
mod errors_rules;
mod errors_templates;
mod matching;
mod rendering;
mod stored;

use std::collections::BTreeMap;
use std::time::Duration;

use secrecy::SecretString;

use super::Bundle;
use crate::model::diagnostic::Severity;
use crate::model::text::Lang;
use crate::model::{AppName, CorpName, Diagnostic, StoreTime};
use crate::settings::{App, AppKind, BroadcastRule, ContentDirs, Corp, Kf, MonthQuota, Safety, Unmatched};
use crate::wecom::id::{CorpId, OpenKfId};

pub(super) fn corp() -> Corp {
    Corp {
        name: CorpName::new("acme"),
        display_name: "某某咖啡".into(),
        corp_id: CorpId::parse("ww1").unwrap(),
        api_base: "https://qyapi.weixin.qq.com".into(),
        broadcast: BroadcastRule {
            per_day: Some(1),
            per_week: None,
            per_month: MonthQuota::Unlimited,
            member_per_day: None,
        },
        apps: vec![App {
            name: AppName::new("main"),
            kind: vec![AppKind::Contacts, AppKind::Kf, AppKind::Agent],
            agent_id: Some(1_000_002),
            secret: None,
            token: SecretString::from("t"),
            encoding_aes_key: SecretString::from("k"),
        }],
        kf: Kf {
            accounts: BTreeMap::from([("sales".into(), OpenKfId::parse("wk1").unwrap())]),
            unmatched: Unmatched::Pool,
            max_age: Duration::from_secs(600),
            poll: Duration::from_secs(60),
        },
        safety: Safety {
            observe: false,
            only: vec![],
            quiet_hours: None,
        },
        content: ContentDirs {
            dir: "config".into(),
            templates: "templates".into(),
            fallback: BTreeMap::new(),
        },
    }
}

/// The shortest PNG that passes for one.
pub(super) const PNG: &[u8] = &[0x89, b'P', b'N', b'G', 0x0D, 0x0A, 0x1A, 0x0A, 0, 0, 0, 0];

pub(super) fn media() -> BTreeMap<String, Vec<u8>> {
    BTreeMap::from([
        ("a.png".into(), PNG.to_vec()),
        ("fake.png".into(), b"GIF89a, not a picture of ours".to_vec()),
        ("tiny.png".into(), PNG[..5].to_vec()),
        ("big.png".into(), [PNG, &vec![0; 3 << 20]].concat()),
        ("huge.png".into(), [PNG, &vec![0; 11 << 20]].concat()),
        ("v.mp4".into(), b"\0\0\0\x20ftypisom....".to_vec()),
        ("doc.pdf".into(), b"%PDF-1.7".to_vec()),
    ])
}

pub(super) fn compile(files: &[(&str, &str)]) -> Result<(Bundle, Vec<Diagnostic>), Vec<Diagnostic>> {
    compile_for(files, &corp())
}

pub(super) fn compile_for(files: &[(&str, &str)], corp: &Corp) -> Result<(Bundle, Vec<Diagnostic>), Vec<Diagnostic>> {
    let files = files.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    Bundle::from_texts(files, &media(), corp)
}

pub(super) fn good(files: &[(&str, &str)]) -> Bundle {
    match compile(files) {
        Ok((bundle, _)) => bundle,
        Err(found) => panic!("{}", said(&found)),
    }
}

pub(super) fn said(found: &[Diagnostic]) -> String {
    found.iter().map(|d| d.line(Lang::En) + "\n").collect()
}

/// The content has exactly this error (beside warnings), at this place; every finding speaks both languages
/// and has a remedy. Returns the English line.
#[track_caller]
pub(super) fn one_error(files: &[(&str, &str)], code: &str, file: &str, line: usize, column: usize) -> String {
    let found = compile(files).expect_err("content without an error");
    let errors: Vec<&Diagnostic> = found.iter().filter(|d| d.severity == Severity::Error).collect();
    for d in &found {
        for text in [&d.what.zh, &d.what.en, &d.remedy.zh, &d.remedy.en] {
            assert!(!text.is_empty(), "{d:?}");
        }
    }
    assert_eq!(errors.len(), 1, "{}", said(&found));
    let d = errors[0];
    assert_eq!(
        (d.code, d.file.as_str(), d.line, d.column),
        (code, file, line, column),
        "{}",
        said(&found)
    );
    d.line(Lang::En)
}

/// 2026-11-22 (a Sunday) at this time in China.
pub(super) fn at(hour: i64, minute: i64) -> StoreTime {
    StoreTime::of_shanghai_day(20_779).plus(Duration::from_secs(u64::try_from(hour * 3600 + minute * 60).unwrap()))
}
