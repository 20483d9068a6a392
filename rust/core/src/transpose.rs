//! Runs of neighbours as the columns of a table: eight elements of each at once.

use crate::element::Element;
use crate::tile::ROWS;
use fearless_simd::{dispatch, prelude::*, Level, Simd, SimdElement};
use std::array::from_fn;

/// Writes rows of `width` elements: element k of run c to `rows[k * width + c]`.
pub fn transpose<'a, E: Element + 'a>(
    level: Level,
    run: impl Fn(usize) -> &'a [E; ROWS],
    rows: &mut [E],
    width: usize,
) {
    dispatch!(level, simd => transpose_at(simd, run, rows, width));
}

#[inline(always)]
fn transpose_at<'a, S: Simd, E: Element + 'a>(
    simd: S,
    run: impl Fn(usize) -> &'a [E; ROWS],
    rows: &mut [E],
    width: usize,
) {
    let whole = width - width % ROWS;
    for c in (0..whole).step_by(ROWS) {
        let block = E::transpose_block(simd, from_fn(|i| run(c + i)));
        for (k, row) in block.iter().enumerate() {
            rows[k * width + c..][..ROWS].copy_from_slice(row);
        }
    }
    for c in whole..width {
        for (k, &x) in run(c).iter().enumerate() {
            rows[k * width + c] = x;
        }
    }
}

/// Without vectors.
#[inline(always)]
pub(crate) fn plain<E: Copy>(block: [&[E; ROWS]; ROWS]) -> [[E; ROWS]; ROWS] {
    from_fn(|k| from_fn(|i| block[i][k]))
}

/// With vectors of eight: log2(8) times, each vector is interleaved with the one half of all further
/// on. (Bits of the vector's index and of the place within it move round by one each time.)
#[inline(always)]
pub(crate) fn interleave<S: Simd, E, V>(simd: S, block: [&[E; ROWS]; ROWS]) -> [[E; ROWS]; ROWS]
where
    E: SimdElement,
    V: SimdBase<S, Element = E>,
{
    let load = |i: usize| V::from_slice(simd, block[i]);
    let mut v = [load(0), load(1), load(2), load(3), load(4), load(5), load(6), load(7)];
    for _ in 0..3 {
        let (a, b) = v[0].interleave(v[4]);
        let (c, d) = v[1].interleave(v[5]);
        let (e, f) = v[2].interleave(v[6]);
        let (g, h) = v[3].interleave(v[7]);
        v = [a, b, c, d, e, f, g, h];
    }
    let mut rows = plain(block);
    for (row, v) in rows.iter_mut().zip(v) {
        v.store_slice(row);
    }
    rows
}
