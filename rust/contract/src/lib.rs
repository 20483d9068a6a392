//! Renders `mean.h` from `rust/capi/src/boundary.rs`, the one source of the C interface.
//!
//! `cargo run -p mean-contract` (`make header`) rewrites the committed header; the tests of this
//! package fail where it is stale, and where the C client does not compile as C or C++ of any standard;
//! those of `rust/capi` where safer-ffi sees another ABI than cbindgen.

pub mod compile;

use std::error::Error;
use std::path::PathBuf;

/// A path below the workspace root.
pub fn workspace(path: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "..", "..", path].iter().collect()
}

/// The committed header.
pub fn header_path() -> PathBuf {
    workspace("mean/include/mean.h")
}

/// `mean.h`, as the boundary file says now.
pub fn render() -> Result<String, Box<dyn Error>> {
    // cbindgen takes only functions that are visibly exported and does not expand attribute macros,
    // so it is shown a copy in which safer-ffi's attribute reads as the plain one.
    let boundary = std::fs::read_to_string(workspace("rust/capi/src/boundary.rs"))?;
    let exports = boundary.matches("\n#[ffi_export]\n").count();
    let shown = boundary
        .replace("\n#[ffi_export]\n", "\n#[no_mangle]\n")
        .replace("\n/// # Safety\n///\n/// ", "\n/// @pre "); // rustdoc's words in Doxygen's
    let copy = tempfile::Builder::new().suffix(".rs").tempfile()?;
    std::fs::write(copy.path(), shown)?;

    let config = cbindgen::Config::from_file(workspace("rust/contract/cbindgen.toml"))?;
    let bindings = cbindgen::Builder::new().with_config(config).with_src(copy.path()).generate()?;
    let mut header = Vec::new();
    bindings.write(&mut header);
    let header = String::from_utf8(header)?;

    let prototypes = header.lines().filter(|line| is_prototype(line)).count();
    if prototypes != exports {
        return Err(
            format!("{exports} functions are exported, {prototypes} are in the header").into()
        );
    }
    Ok(header)
}

/// Whether a line of C begins a prototype: nothing else at the margin has a parenthesis.
pub fn is_prototype(line: &str) -> bool {
    line.starts_with(|c: char| c.is_ascii_alphabetic()) && line.contains('(')
}
