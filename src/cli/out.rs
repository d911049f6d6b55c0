//! Reports for people and machines. A reader that went away (`| head`) is no error.

use std::io::Write as _;

use crate::model::Diagnostic;
use crate::model::diagnostic::Severity;
use crate::model::text::Lang;

/// One line to stdout.
pub fn line(text: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// A question to stdout, without a line's end.
pub fn ask(text: &str) {
    let _ = write!(std::io::stdout().lock(), "{text}");
}

/// One line to stderr: why a command stopped.
pub fn error(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// One JSON object to stdout.
pub fn json(value: &serde_json::Value) {
    line(&value.to_string());
}

/// Findings to stderr, one a line: what stops a command before it began.
pub fn complain(findings: &[Diagnostic], lang: Lang) {
    let mut stderr = std::io::stderr().lock();
    for finding in findings {
        let _ = writeln!(stderr, "{}", finding.line(lang));
    }
}

/// A finding for machines; `what` and `remedy` in the language of the command line.
pub fn finding(finding: &Diagnostic, lang: Lang) -> serde_json::Value {
    serde_json::json!({
        "severity": match finding.severity { Severity::Error => "error", Severity::Warning => "warning" },
        "file": finding.file,
        "line": finding.line,
        "column": finding.column,
        "code": finding.code,
        "what": finding.what.say(lang),
        "remedy": finding.remedy.say(lang),
    })
}
