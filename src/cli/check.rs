//! `check`: reads everything that an operator writes, without opening a store or a port, and says what is wrong.

use clap::Args;
use serde_json::{Value, json};

use super::{Context, Exit, environment, out};
use crate::content::Bundle;
use crate::model::Diagnostic;
use crate::model::diagnostic::Severity;
use crate::model::text::{Lang, Text};
use crate::settings::{Corp, Settings};

/// Arguments of `check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// 以 JSON 输出 · Report as JSON
    #[arg(long)]
    pub json: bool,
}

/// What was found.
#[derive(Debug, Default)]
struct Report {
    findings: Vec<Diagnostic>,
    corps: Vec<Summary>,
}

/// What a corp's content holds.
#[derive(Debug)]
struct Summary {
    corp: String,
    bundle: String,
    templates: usize,
    rules: usize,
    channels: usize,
    tags: Vec<String>,
}

/// Checks and reports; [`Exit::Usage`] when there is an error, warnings are fine.
pub fn run(args: &CheckArgs, context: &Context) -> Exit {
    let report = match Settings::load(&context.config, environment()) {
        Ok(settings) => look(&settings),
        Err(findings) => Report {
            findings,
            corps: Vec::new(),
        },
    };
    if args.json {
        out::json(&report.json(context.lang));
    } else {
        report.lines(context.lang).iter().for_each(|line| out::line(line));
    }
    if report.errors() == 0 { Exit::Done } else { Exit::Usage }
}

/// Compiles the content of every corp.
fn look(settings: &Settings) -> Report {
    let mut report = Report::default();
    for corp in &settings.corps {
        let findings = match Bundle::load(corp) {
            Ok((bundle, warnings)) => {
                report.corps.push(summary(corp, &bundle));
                warnings
            }
            Err(errors) => errors,
        };
        // Corps that share a folder share its findings.
        let new = |f: &Diagnostic| !report.findings.contains(f);
        let new: Vec<_> = findings.into_iter().filter(new).collect();
        report.findings.extend(new);
    }
    report
}

fn summary(corp: &Corp, bundle: &Bundle) -> Summary {
    Summary {
        corp: corp.name.to_string(),
        bundle: bundle.hash.to_string(),
        templates: bundle.templates.len(),
        rules: bundle.rules.len(),
        channels: bundle.channels.len(),
        tags: bundle.tags().iter().map(|t| format!("{}/{}", t.group, t.tag)).collect(),
    }
}

impl Report {
    fn errors(&self) -> usize {
        self.findings.iter().filter(|f| f.severity == Severity::Error).count()
    }

    fn lines(&self, lang: Lang) -> Vec<String> {
        let mut lines: Vec<String> = self.findings.iter().map(|f| f.line(lang)).collect();
        lines.extend(self.corps.iter().map(|c| c.line(lang)));
        let (errors, warnings) = (self.errors(), self.findings.len() - self.errors());
        let end = Text::new(
            format!("{errors} 个错误，{warnings} 个提醒"),
            format!("{errors} errors, {warnings} warnings"),
        );
        lines.push(end.say(lang).to_owned());
        lines
    }

    fn json(&self, lang: Lang) -> Value {
        json!({
            "ok": self.errors() == 0,
            "errors": self.errors(),
            "warnings": self.findings.len() - self.errors(),
            "findings": self.findings.iter().map(|f| out::finding(f, lang)).collect::<Vec<_>>(),
            "corps": self.corps.iter().map(Summary::json).collect::<Vec<_>>(),
        })
    }
}

impl Summary {
    fn line(&self, lang: Lang) -> String {
        let Self {
            corp,
            templates,
            rules,
            channels,
            tags,
            ..
        } = self;
        let count = tags.len();
        let (zh, en) = if tags.is_empty() {
            Default::default()
        } else {
            (format!("：{}", tags.join("、")), format!(": {}", tags.join(", ")))
        };
        Text::new(
            format!("{corp}：{templates} 个模板，{rules} 条规则，{channels} 个渠道，{count} 个标签{zh}"),
            format!("{corp}: {templates} templates, {rules} rules, {channels} channels, {count} tags{en}"),
        )
        .say(lang)
        .to_owned()
    }

    fn json(&self) -> Value {
        json!({
            "corp": self.corp,
            "bundle": self.bundle,
            "templates": self.templates,
            "rules": self.rules,
            "channels": self.channels,
            "tags": self.tags,
        })
    }
}
