//! The second witness of the ABI: safer-ffi's own header, made from types where cbindgen goes by syntax.
//!
//! (Here and not in `rust/contract`, because it takes a library compiled for it: as the unit tests are.)

use mean_contract::compile::{run, Compiler};
use mean_contract::{is_prototype, render};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

fn safer_ffi_header() -> std::io::Result<String> {
    let mut header = Vec::new();
    safer_ffi::headers::builder().to_writer(&mut header).generate()?;
    Ok(String::from_utf8_lossy(&header).into_owned())
}

fn functions(header: &str) -> BTreeSet<&str> {
    let prototypes = header.lines().filter(|line| is_prototype(line));
    let declarators = prototypes.filter_map(|line| line.split('(').next());
    let name = |declarator: &'_ str| declarator.rfind([' ', '*']).map_or(0, |at| at + 1);
    declarators.map(|declarator| &declarator.trim_end()[name(declarator.trim_end())..]).collect()
}

/// The enum constants by their letters alone: safer-ffi writes MEAN_STATUS_M_E_A_N__O_K.
fn constants(header: &str) -> BTreeMap<String, &str> {
    let assigned = header.lines().filter_map(|line| line.trim().split_once(" = "));
    let names = assigned.map(|(name, _)| name).filter(|name| name.starts_with("MEAN_"));
    names.map(|name| (name.trim_start_matches("MEAN_STATUS_").replace('_', ""), name)).collect()
}

/// cbindgen goes by the text of the boundary file, safer-ffi by its types. A C compiler is shown
/// both: it refuses two types for one function, and the values are compared one by one.
#[test]
fn safer_ffi_declares_the_same_abi() {
    let ours = render().unwrap();
    let witness = safer_ffi_header().unwrap();
    assert_eq!(functions(&ours), functions(&witness));
    assert!(functions(&ours).contains("mean_f64"));
    let (our_constants, witness_constants) = (constants(&ours), constants(&witness));
    // safer-ffi leaves out what no prototype needs.
    let needed = our_constants.keys().filter(|name| !name.starts_with("MEANDTYPE"));
    assert!(needed.eq(witness_constants.keys()), "{ours}{witness}");
    assert_eq!(our_constants["MEANPANIC"], "MEAN_PANIC");
    assert_eq!(our_constants["MEANDTYPEF64"], "MEAN_DTYPE_F64");

    // Both define the enum and the structs, which one file may do once. The second enum gets another
    // name; the second structs, too, and are compared field by field before functions take the first.
    let structs = [
        ("mean_array", &["data", "dtype", "ndim", "shape", "strides"][..]),
        ("mean_reduction", &["array", "mask", "axes", "flags", "out", "empty_cells"]),
    ];
    let mut separate = witness.clone();
    let mut both = String::from(
        "#include \"mean.h\"
         #include <stddef.h>
         #include <sys/types.h>
         #define mean_status witness_mean_status
         #include \"witness.h\"
         #define OURS(type, field) (((struct type *)0)->field)
         #define WITNESS(type, field) (((struct witness_##type *)0)->field)
         #define SAME(type, field) _Static_assert( \\
             offsetof(struct type, field) == offsetof(struct witness_##type, field) \\
                 && _Generic(&OURS(type, field), __typeof__(&WITNESS(type, field)): 1, default: 0), #field)
         #define SAME_SIZE(type) _Static_assert( \\
             sizeof(struct type) == sizeof(struct witness_##type), #type)\n",
    );
    for (name, fields) in structs {
        let (start, end) = (format!("typedef struct {name} {{"), format!("}} {name}_t;"));
        let (before, rest) = separate.split_once(&start).unwrap();
        let (body, after) = rest.split_once(&end).unwrap();
        separate = format!(
            "{before} struct witness_{name} {{ {body} }}; typedef {name} {name}_t; {after}"
        );
        writeln!(both, "SAME_SIZE({name});").unwrap();
        for field in fields {
            writeln!(both, "SAME({name}, {field});").unwrap();
        }
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("witness.h"), separate).unwrap();
    for (name, witness) in &witness_constants {
        let our = our_constants[name];
        writeln!(both, "_Static_assert((int){our} == (int){witness}, \"{our}\");").unwrap();
    }
    let source = folder.path().join("both.c");
    std::fs::write(&source, both).unwrap();
    let compiler = Compiler { program: None, cpp: false };
    run(compiler.command("c11").arg("-fsyntax-only").arg(source));
}
