//! C and C++ callers of the header and the library, as shipped.

mod compile;

use compile::{compilers, library, program, run, Compiler};
use mean_contract::workspace;
use std::path::{Path, PathBuf};
use std::process::Command;

const C: [&str; 4] = ["c99", "c11", "c17", "c2x"];
const CPP: [&str; 3] = ["c++11", "c++17", "c++20"];

/// Compiles `source` and returns the program, which lives as long as the folder.
fn build(
    compiler: Compiler,
    standard: &str,
    source: &str,
    link: &[String],
    folder: &Path,
) -> PathBuf {
    let program = folder.join(format!("program-{standard}"));
    let mut command = compiler.command(standard);
    command.arg(format!("-DEXPECTED_VERSION=\"{}\"", env!("CARGO_PKG_VERSION")));
    if compiler.cpp {
        command.args(["-x", "c++"]);
    }
    command.arg(workspace(source)).args(["-x", "none", "-o"]).arg(&program).args(link);
    run(&mut command);
    program
}

fn shared() -> Vec<String> {
    let folder = library().display();
    vec![format!("-L{folder}"), "-lmean".into(), format!("-Wl,-rpath,{folder}")]
}

fn in_every_language(source: &str, link: &[String], check: impl Fn(&Path)) {
    let folder = tempfile::tempdir().unwrap();
    for compiler in compilers() {
        let standards: &[&str] = if compiler.cpp { &CPP } else { &C };
        for standard in standards {
            check(&build(compiler, standard, source, link, folder.path()));
        }
    }
}

#[test]
fn the_client_finds_what_the_header_says() {
    in_every_language("tests/c/client.c", &shared(), |path| {
        run(&mut program(path));
    });
}

#[test]
fn the_example_runs() {
    in_every_language("examples/mean.c", &shared(), |path| {
        let defaults = run(&mut program(path));
        assert!(defaults.contains(": 6.6666666666666664e+307 (a plain loop: inf)"), "{defaults}");
        let given = run(program(path).args(["1", "2", "4.5"]));
        assert!(given.contains(": 2.5 "), "{given}");
        let wrong = program(path).arg("1,5").output().unwrap();
        assert!(!wrong.status.success());
        assert_eq!(String::from_utf8_lossy(&wrong.stderr), "not a number: 1,5\n");
    });
}

/// With the libraries that the header names for Linux.
#[test]
#[cfg(target_os = "linux")]
fn the_static_library_links_as_the_header_says() {
    let header = std::fs::read_to_string(mean_contract::header_path()).unwrap();
    let (_, after) = header.split_once("on Linux\n *").unwrap();
    let (needed, _) = after.split_once(',').unwrap();
    let archive = library().join("libmean.a").display().to_string();
    let link: Vec<_> =
        [archive].into_iter().chain(needed.split_whitespace().map(Into::into)).collect();
    in_every_language("tests/c/client.c", &link, |path| {
        run(&mut program(path));
    });
}

#[test]
#[cfg(target_os = "linux")]
fn the_shared_library_exports_mean_symbols_only() {
    let library = library().join("libmean.so");
    let symbols = run(Command::new("nm").args(["-D", "--defined-only"]).arg(library));
    let names: Vec<_> = symbols.lines().filter_map(|line| line.split_whitespace().last()).collect();
    assert!(names.contains(&"mean_f64"), "{names:?}");
    assert!(names.iter().all(|name| name.starts_with("mean_")), "{names:?}");
}
