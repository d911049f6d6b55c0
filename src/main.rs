//! The program: arguments, log, one command, its exit code.

use std::process::ExitCode;

use wecom_gateway::{cli, telemetry};

/// An accepted callback is some forty small allocations: see docs/architecture.md, "Speed".
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments = cli::Cli::parse_or_exit();
    telemetry::init(arguments.command.log_level());
    cli::run(&arguments).into()
}
