//! What people type: one file per subcommand, and the only room that prints to stdout.
//!
//! A subcommand is one variant of [`Command`] and one arm of [`run`]. Errors of settings are printed by
//! [`Context::settings`] and end with [`Exit::Usage`]; a command reports everything else itself and says how it
//! ended. Logs go to stderr (`telemetry`), reports to stdout ([`out`]).

mod admin_page;
pub mod broadcast;
pub mod check;
mod check_online;
pub mod decode;
pub mod demo;
pub mod lang;
pub mod out;
pub mod sandbox;
mod scratch;
pub mod serve;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::model::text::Lang;
use crate::settings::Settings;

/// The arguments.
#[derive(Debug, Parser)]
#[command(name = "wecom-gateway", version, about = "企业微信消息网关 · Message gateway for WeCom", long_about = None)]
pub struct Cli {
    /// 配置文件 · Settings file
    #[arg(long, global = true, value_name = "PATH", default_value = "config/gateway.toml")]
    pub config: PathBuf,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The subcommands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// 运行网关 · Run the gateway
    Serve,
    /// 演示：无需账号，内置存储和模拟的企业微信 · Demo: no account, embedded store, simulated WeCom
    Demo(demo::DemoArgs),
    /// 检查配置、模板、规则和渠道 · Check settings, templates, rules and channels
    Check(check::CheckArgs),
    /// 群发 · Broadcasts
    #[command(subcommand)]
    Broadcast(broadcast::BroadcastCommand),
    /// 解密并查看一条回调 · Verify, decrypt and show a saved callback
    Decode(decode::DecodeArgs),
    /// 运行模拟的企业微信 · Run the simulated WeCom
    Sandbox(sandbox::SandboxArgs),
}

impl Command {
    /// The log's level while `RUST_LOG` says nothing: what tells a story by itself is not interrupted.
    pub fn log_level(&self) -> &'static str {
        match self {
            Self::Serve | Self::Broadcast(_) | Self::Sandbox(_) => "info",
            Self::Demo(_) | Self::Decode(_) => "warn",
            // What WeCom refuses stands in the report.
            Self::Check(_) => "off",
        }
    }
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0: done.
    Done,
    /// 1: failed.
    Failed,
    /// 2: wrong usage or configuration.
    Usage,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Done => Self::SUCCESS,
            Exit::Failed => Self::FAILURE,
            Exit::Usage => Self::from(2),
        }
    }
}

/// What every command may ask for.
#[derive(Debug)]
pub struct Context {
    /// Where the settings are.
    pub config: PathBuf,
    /// The language of reports.
    pub lang: Lang,
}

impl Context {
    /// Reads the settings with the process's environment. On faults prints all of them to stderr and says
    /// [`Exit::Usage`].
    pub fn settings(&self) -> Result<Settings, Exit> {
        Settings::load(&self.config, environment()).map_err(|faults| {
            out::complain(&faults, self.lang);
            Exit::Usage
        })
    }
}

impl Cli {
    /// Reads the arguments; wrong usage ends the process with 2, `--help` and `--version` with 0.
    pub fn parse_or_exit() -> Self {
        Self::parse()
    }
}

/// Runs one command to its end.
pub fn run(cli: &Cli) -> Exit {
    let context = Context {
        config: cli.config.clone(),
        lang: lang::of_environment(),
    };
    match &cli.command {
        Command::Serve => block_on(serve::run(&context)),
        Command::Decode(args) => show_decoded(args, &context),
        Command::Sandbox(args) => block_on(sandbox::run(args)),
        Command::Demo(args) => block_on(demo::run(args, &context)),
        Command::Check(args) => block_on(check::run(args, &context)),
        Command::Broadcast(command) => block_on(broadcast::run(command, &context)),
    }
}

/// `decode`: one JSON object whatever it found; what cannot even be looked for is wrong usage.
fn show_decoded(args: &decode::DecodeArgs, context: &Context) -> Exit {
    match decode::run(args, || context.settings()) {
        Ok(decoded) => {
            out::json(&decoded.report);
            if decoded.readable { Exit::Done } else { Exit::Failed }
        }
        Err(decode::DecodeFault::Settings(exit)) => exit,
        Err(fault) => {
            out::error(&format!("decode: {fault}"));
            Exit::Usage
        }
    }
}

/// Runs a command that waits for the network or the disk on a runtime of its own.
pub fn block_on<F: Future<Output = Exit>>(command: F) -> Exit {
    match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(command),
        Err(error) => {
            tracing::error!(%error, "cannot start the runtime");
            Exit::Failed
        }
    }
}

/// The environment as text; what is not Unicode cannot be a setting of ours and is left out.
pub fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_config_option_may_stand_before_and_after_the_command() {
        for words in [["--config", "x.toml", "check"], ["check", "--config", "x.toml"]] {
            let cli = Cli::try_parse_from(std::iter::once("wecom-gateway").chain(words)).unwrap();
            assert_eq!(cli.config, PathBuf::from("x.toml"));
        }
    }

    #[test]
    fn exit_codes_are_those_of_the_contract() {
        let codes = [Exit::Done, Exit::Failed, Exit::Usage].map(|e| format!("{:?}", ExitCode::from(e)));
        assert_eq!(codes, [0, 1, 2].map(|n| format!("{:?}", ExitCode::from(n))));
    }
}
