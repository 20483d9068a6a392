//! `libmean`: [`mean_core`] for C callers.
//!
//! | file | what it knows |
//! |---|---|
//! | `boundary.rs` | the ABI: statuses, version, exported functions. `mean.h` is rendered from it |
//! | `call.rs` | one `mean_<type>` call: the checks in their documented order, the slice, the caught panic |
//! | `reduce.rs` | one `mean_reduce` call: the checks, then tables of cells, or cell after cell |
//! | `view.rs` | arrays as the caller describes them, and how the axes of several go together |
//! | `layout.rs` | axes: which elements make a cell, in the order of memory |
//! | `arrange.rs` | which cells are read side by side, and how |
//! | `table.rs` | cells side by side, as the columns of a table |
//! | `plane.rs` | the rows of a table, of its elements or of their truth values |
//! | `cell.rs` | the elements of one cell after the other, in place or packed into a small buffer |
//! | `line.rs` | the elements of one line that lie apart, copied into the kernel's registers |
//! | `gather.rs` | elements of any layout, copied side by side |
//! | `simd.rs` | the SIMD level of this process |
#![warn(missing_docs)]

#[cfg(not(panic = "unwind"))]
compile_error!("MEAN_PANIC needs panic = \"unwind\": an abort would take the caller with it");

mod arrange;
mod boundary;
mod call;
mod cell;
mod gather;
mod layout;
mod line;
mod plane;
mod reduce;
mod simd;
mod table;
mod view;
#[cfg(test)]
mod witness;

pub use boundary::*;
