//! `check`: reads everything that an operator writes, without opening the gateway's store or a port, and says what
//! is wrong; with `--online` also what WeCom would refuse.

use clap::Args;
use serde_json::{Value, json};

use super::check_online::Level;
use super::{Context, Exit, check_online, environment, out};
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
    /// 也问企业微信：密钥、可信 IP、权限、客服账号、时钟 · Also ask WeCom: secret, IP, permissions, kf accounts, clock
    #[arg(long)]
    pub online: bool,
}

/// What was found.
#[derive(Debug, Default)]
struct Report {
    findings: Vec<Diagnostic>,
    corps: Vec<Summary>,
    online: Option<Vec<check_online::Finding>>,
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

/// Checks and reports; [`Exit::Usage`] when there is an error in what an operator writes (warnings are fine), else
/// [`Exit::Failed`] when WeCom would refuse. WeCom is asked whenever the settings can be read.
pub async fn run(args: &CheckArgs, context: &Context) -> Exit {
    let report = match Settings::load(&context.config, environment()) {
        Ok(settings) => {
            let mut report = look(&settings);
            if args.online {
                match check_online::ask(settings).await {
                    Ok(findings) => report.online = Some(findings),
                    Err(why) => {
                        out::error(&format!("check: {why}"));
                        return Exit::Failed;
                    }
                }
            }
            report
        }
        Err(findings) => Report {
            findings,
            ..Report::default()
        },
    };
    if args.json {
        out::json(&report.json(context.lang));
    } else {
        report.lines(context.lang).iter().for_each(|line| out::line(line));
    }
    match (report.errors(), report.refusals()) {
        (0, 0) => Exit::Done,
        (0, _) => Exit::Failed,
        _ => Exit::Usage,
    }
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

    /// How much of what was asked online will not work.
    fn refusals(&self) -> usize {
        let online = self.online.iter().flatten();
        online.filter(|f| f.level == Level::Bad).count()
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
        if let Some(online) = &self.online {
            lines.push(Text::new("\n问企业微信：", "\nAsked of WeCom:").say(lang).to_owned());
            lines.extend(online.iter().flat_map(|f| f.lines(lang)));
        }
        lines
    }

    fn json(&self, lang: Lang) -> Value {
        let mut json = json!({
            "ok": self.errors() == 0 && self.refusals() == 0,
            "errors": self.errors(),
            "warnings": self.findings.len() - self.errors(),
            "findings": self.findings.iter().map(|f| out::finding(f, lang)).collect::<Vec<_>>(),
            "corps": self.corps.iter().map(Summary::json).collect::<Vec<_>>(),
        });
        if let Some(online) = &self.online {
            json["online"] = online.iter().map(|f| f.json(lang)).collect();
        }
        json
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
