//! C and C++ callers of the header and the library, as shipped.

use mean_contract::compile::{compilers, run, Compiler};
use mean_contract::workspace;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

const C: [&str; 4] = ["c99", "c11", "c17", "c2x"];
const CPP: [&str; 3] = ["c++11", "c++17", "c++20"];

/// Compiles `source` and returns the program, which lives as long as the folder.
fn build(
    compiler: Compiler,
    standard: &str,
    source: &str,
    flags: &[&str],
    link: &[String],
    folder: &Path,
) -> PathBuf {
    let [program, object] = ["", ".o"].map(|end| folder.join(format!("program-{standard}{end}")));
    let mut compile = compiler.command(standard);
    compile.arg(format!("-DEXPECTED_VERSION=\"{}\"", env!("CARGO_PKG_VERSION")));
    if compiler.cpp {
        compile.args(["-x", "c++"]);
    }
    run(compile.args(flags).arg("-c").arg(workspace(source)).arg("-o").arg(&object));
    run(compiler.command(standard).arg(&object).arg("-o").arg(&program).args(link));
    program
}

/// A program linked with the shared library. `cargo test` sets a search path that would outrank the
/// program's own.
fn program(path: &Path) -> Command {
    let mut command = Command::new(path);
    command.env_remove("LD_LIBRARY_PATH");
    command
}

/// The folder with libmean.so and libmean.a, built as they are shipped: optimised (but checked, where the tests
/// are).
fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("is below the target");
        let mut cargo = Command::new(env!("CARGO"));
        cargo
            .args(["build", "--release", "--locked", "--package", "mean-capi", "--target-dir"])
            .arg(target);
        run(cargo.current_dir(workspace("")));
        target.join("release")
    })
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
            check(&build(compiler, standard, source, &[], link, folder.path()));
        }
    }
}

#[test]
fn the_client_finds_what_the_header_says() {
    in_every_language("tests/c/client.c", &shared(), |path| {
        run(&mut program(path));
        for wrong in
            ["avx1024", "AVX2", if cfg!(target_arch = "aarch64") { "sse2" } else { "neon" }]
        {
            run(program(path).env("MEAN_SIMD", wrong).arg("bad level"));
        }
        run(program(path).env("MEAN_SIMD", "fallback"));
        run(program(path).env("MEAN_SIMD", "")); // as if it were not set
    });
}

#[test]
fn the_floating_point_environment_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let link: Vec<_> = shared().into_iter().chain(["-lm".into()]).collect();
    let c = Compiler { program: None, cpp: false };
    let source = "tests/c/environment.c";
    let path = build(c, "c11", source, &["-frounding-math"], &link, folder.path());
    for (level, _) in mean_core::levels() {
        run(program(&path).env("MEAN_SIMD", level));
    }
}

/// CI has a compiler in which the header's C23 branch is the one that counts.
#[test]
fn c23_is_tested_where_it_can_be() {
    let folder = tempfile::tempdir().unwrap();
    for compiler in compilers() {
        if compiler.program == Some("clang-19") {
            let source = "tests/c/client.c";
            build(compiler, "c23", source, &["-DEXPECT_C23"], &shared(), folder.path());
        }
    }
}

/// The README's own command, in the folder where a reader would type it.
#[test]
#[cfg(target_os = "linux")]
fn the_documented_command_builds_the_example() {
    library();
    let readme = std::fs::read_to_string(workspace("README.md")).unwrap();
    let documented = readme.lines().map(str::trim).find(|line| line.starts_with("cc "));
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("example");
    let command = documented.expect("the README says how to compile");
    let command = command.replace("-o example", &format!("-o {}", program.display()));
    run(Command::new("sh").current_dir(workspace("")).args(["-c", &command]));
    run(self::program(&program).current_dir(workspace("")).arg("1"));
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
    let (_, after) = header.split_once("on Linux\n *").expect("mean.h says what Linux needs");
    let (needed, _) = after.split_once(',').expect("a comma ends the list");
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
