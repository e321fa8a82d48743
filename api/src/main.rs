//! The `plaudit` program.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// Sets of rows are many small values, made by one thread and dropped by another.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    api::command::main()
}
