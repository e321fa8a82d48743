//! The `plaudit` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    api::command::main()
}
