//! `wecom-gateway demo --once` as an operator reads it, through the real binary.

#![expect(clippy::unwrap_used, reason = "a test that cannot set the stage fails loudly")]

use std::process::Command;

fn demo(lang: &str) -> String {
    let out = Command::new(env!("CARGO_BIN_EXE_wecom-gateway"))
        .args(["demo", "--once"])
        .env_clear()
        .env("LANG", lang)
        .output()
        .unwrap();
    assert_eq!(out.status.code(), Some(0), "{out:?}");
    assert!(out.stderr.is_empty(), "nothing interrupts the scene: {out:?}");
    let text = String::from_utf8(out.stdout).unwrap();
    assert!(!text.contains('\x1b'), "no escape codes where no terminal is: {text}");
    for id in ["wmXiaoWang", "wmLaoChen", "wmLaoZhou", "zhangsan ", "lisi "] {
        assert!(!text.contains(id), "people have names, not ids ({id}): {text}");
    }
    text
}

#[test]
fn the_scene_shows_people_menus_a_refused_broadcast_and_latencies_in_chinese() {
    let text = demo("zh_CN.UTF-8");
    for part in [
        "小王 ◂（",
        "  • 价目表",
        "未发送 老陈：次数已用完",
        "毫秒  扫码 → 欢迎语",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn the_scene_is_told_in_english_with_chinese_content() {
    let text = demo("C");
    for part in [
        "小王 ◂ (after ",
        "  • 价目表",
        "not sent 老陈: quota used up",
        "ms  scan → welcome",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    for word in ["毫秒", "运营", "图片", "链接", "未发送"] {
        assert!(!text.contains(word), "{word} in {text}");
    }
}
