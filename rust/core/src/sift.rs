//! Columns of which some elements do not count: zeros in their place, and a count for each column.
//!
//! The arithmetic is that of `tile.rs`, and so is its proof: a zero goes through a step as it is and drops
//! nothing, so a column's bound is half a unit for each element that counts, and three for each new anchor; n is
//! another one in each lane.
//!
//! A group of a block is widened to float64 and sifted into the first cache, from where it is added: as it
//! may be read more than once, but is to be counted once.

use crate::element::Float;
use crate::far::Early;
use crate::few::Few;
use crate::level::has_fma;
use crate::tile::{
    add_rows, anchor_anew, begin, bits, carry, load, pad_rows, store, Groups, Plan, Rows, Shape,
    Sums, MOST, ROWS, SLOTS, TILE,
};
use fearless_simd::{prelude::*, Simd};

/// As `sweep` of `tile.rs`, which shows `finish` the counts, too.
#[inline(always)]
pub(crate) fn sweep<S: Simd, E: Float, const W: usize, const FLAG: bool, const TWO: bool>(
    simd: S,
    table: &mut dyn Rows<E>,
    shape: Shape,
    plan: &Plan,
    [states, counts]: [&mut [f64]; 2],
    mut finish: impl FnMut(Sums<S, W>, &[f64], usize) -> bool,
) {
    let group = W * S::f64s::LEN;
    let columns = shape.columns * shape.copies;
    let skips = shape.counted == Some(true);
    let mut padded = [[E::zero(); MOST]; ROWS];
    let mut padded_masks = [[0; MOST]; ROWS];
    let mut sifted = [[0.0; MOST]; ROWS];
    let mut few = Few::new();
    for first in (0..columns).step_by(TILE) {
        let width = TILE.min(columns - first);
        let groups = Groups::new(group, width);
        for from in (0..shape.rows).step_by(ROWS) {
            let until = shape.rows.min(from + ROWS);
            let (mut rows, mut masks) = table.rows_and_masks(from..until, first..first + width);
            if width < group {
                rows = pad_rows(&rows, width, &mut padded);
                masks = masks.map(|masks| pad_rows(&masks, width, &mut padded_masks));
            }
            for i in 0..groups.count() {
                let at = groups.start(i);
                let index = if shape.is_one_block() { 0 } else { i };
                let state = &mut states[index * SLOTS * group..][..SLOTS * group];
                let counts = &mut counts[index * group..][..group];
                let (rows, masks) = (&rows[..until - from], masks.as_ref());
                let mut count = [S::f64s::splat(simd, 0.0); W];
                if from != 0 {
                    count = load::<S, W>(simd, counts, 0);
                }
                sift::<S, E, W>(simd, rows, masks, at, skips, &mut sifted, &mut count);
                store::<S, W>(counts, 0, count);
                let rows = &sifted.each_ref().map(|row| &row[..group])[..rows.len()];
                let (narrow, early) = (E::BINARY.is_narrow(), Early::Nothing);
                if shape.is_one_block() && has_fma(simd) {
                    let sums = few.sums::<S, f64, W>(simd, narrow, plan, rows, early, 0);
                    if sums.is_some_and(
                        #[inline(always)]
                        |sums| finish(Sums::Exact(sums), counts, first + at),
                    ) {
                        continue;
                    }
                }
                if from == 0 {
                    begin::<S, f64, W, FLAG, TWO>(simd, rows, 0, state, plan, false);
                } else if plan.carries && from % plan.segment == 0 {
                    carry::<S, W, TWO>(simd, state, plan);
                }
                let some = rows.iter().copied();
                if !add_rows::<S, f64, W, FLAG, TWO>(simd, some, early, 0, state, plan) {
                    simd.vectorize(
                        #[inline(always)]
                        || anchor_anew::<S, f64, W, FLAG, TWO>(simd, rows, 0, state, plan),
                    );
                }
                if until == shape.rows {
                    finish(Sums::Windows(state), counts, first + at);
                }
            }
        }
    }
}

/// Copies a group of some rows, zeros for elements that do not count, and adds to each column's count.
#[inline(always)]
fn sift<S: Simd, E: Float, const W: usize>(
    simd: S,
    rows: &[&[E]],
    masks: Option<&[&[u8]; ROWS]>,
    at: usize,
    skips: bool,
    sifted: &mut [[f64; MOST]; ROWS],
    count: &mut [S::f64s; W],
) {
    let len = S::f64s::LEN;
    let end = at + W * len;
    let one = bits::<S>(S::f64s::splat(simd, 1.0));
    let mut lanes = [u64::MAX; MOST];
    for (k, (row, sifted)) in rows.iter().zip(sifted).enumerate() {
        if let Some(masks) = masks {
            for (lane, &byte) in lanes.iter_mut().zip(&masks[k][at..end]) {
                *lane = if byte == 0 { 0 } else { u64::MAX };
            }
        }
        let x = E::load_some::<S, W>(simd, &row[at..end]);
        for (i, x) in x.into_iter().enumerate() {
            let mut keep = S::u64s::splat(simd, u64::MAX);
            if masks.is_some() {
                keep = S::u64s::from_slice(simd, &lanes[i * len..][..len]);
            }
            if skips {
                keep &= x.simd_eq(x).to_vector().bitcast::<S::u64s>();
            }
            let x: S::f64s = (bits::<S>(x) & keep).bitcast();
            x.store_slice(&mut sifted[i * len..][..len]);
            let counted: S::f64s = (one & keep).bitcast();
            count[i] += counted;
        }
    }
}
