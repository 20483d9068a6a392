//! The C and C++ compilers.

use crate::workspace;
use std::process::{Command, Output};
use std::sync::OnceLock;

/// One compiler of one language.
#[derive(Clone, Copy, Debug)]
pub struct Compiler {
    /// The program, or none for the platform's own.
    pub program: Option<&'static str>,
    /// Of C++, and not of C.
    pub cpp: bool,
}

impl Compiler {
    /// The compiler's command, set to `standard`, with every warning an error.
    pub fn command(&self, standard: &str) -> Command {
        let mut build = cc::Build::new();
        build
            .cargo_metadata(false)
            .cargo_debug(false)
            .target(host())
            .host(host())
            .opt_level(1)
            .debug(true);
        build.cpp(self.cpp).std(standard).include(workspace("mean/include"));
        build.warnings(true).extra_warnings(true).warnings_into_errors(true);
        build.flag("-Wpedantic").flag("-Wconversion");
        if let Some(program) = self.program {
            build.compiler(program);
        }
        build.get_compiler().to_command()
    }
}

/// The platform's C compiler, and of the others those that are there: C++, and clang. CI installs
/// both, and a clang that has C23.
pub fn compilers() -> Vec<Compiler> {
    let others = [("c++", true), ("clang", false), ("clang++", true)]
        .into_iter()
        .chain([("clang-19", false), ("clang++-19", true)])
        .filter(|(name, _)| Command::new(name).arg("--version").output().is_ok())
        .map(|(name, cpp)| Compiler { program: Some(name), cpp });
    let all: Vec<_> = [Compiler { program: None, cpp: false }].into_iter().chain(others).collect();
    if std::env::var_os("CI").is_some() {
        let has = |name| all.iter().any(|compiler| compiler.program == Some(name));
        assert!(has("c++") && has("clang-19") && has("clang++-19"), "CI lacks one: {all:?}");
    }
    all
}

/// Runs a command, and panics with what it said where it fails.
pub fn run(command: &mut Command) -> String {
    let result = command.output();
    let shown = (command.get_program(), command.get_args().collect::<Vec<_>>());
    let Output { status, stdout, stderr } = result.unwrap_or_else(|error| {
        panic!("{shown:?} did not start: {error}");
    });
    let [stdout, stderr] = [stdout, stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert!(status.success(), "{shown:?}: {status}\n{stdout}{stderr}");
    stdout
}

/// The target triple of this machine.
fn host() -> &'static str {
    static HOST: OnceLock<String> = OnceLock::new();
    HOST.get_or_init(|| {
        let version = run(Command::new("rustc").arg("-vV"));
        let host = version.lines().find_map(|line| line.strip_prefix("host: "));
        host.expect("rustc -vV names the host").to_owned()
    })
}
