//! The kernels at every SIMD level, in bytes per second, each beside a plain SIMD read and a plain SIMD
//! sum of the same elements: `cargo bench -p mean-core --bench kernels`.

use divan::{black_box, counter::BytesCount, Bencher};
use fearless_simd::{dispatch, prelude::*, Level};
use mean_core::{exact_mean, levels, mean, Float};
use std::fmt;

const SIZES: [usize; 6] = [8, 100, 1000, 10_000, 1_000_000, 10_000_000];

fn main() {
    divan::main();
}

#[derive(Clone, Copy, Debug)]
enum Reduction {
    Mean,
    PlainSum,
    PlainRead,
}

/// One line of the report: Divan prints it as it is displayed.
struct Case {
    len: usize,
    level: (&'static str, Level),
    reduction: Reduction,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {:?}", self.len, self.level.0, self.reduction)
    }
}

fn cases() -> impl Iterator<Item = Case> {
    SIZES.into_iter().flat_map(|len| {
        levels().into_iter().flat_map(move |level| {
            [Reduction::Mean, Reduction::PlainSum, Reduction::PlainRead].map(|reduction| Case {
                len,
                level,
                reduction,
            })
        })
    })
}

#[divan::bench(types = [f32, f64], args = cases(), max_time = 0.1)]
fn kernels<E: Number>(bencher: Bencher, case: &Case) {
    let level = case.level.1;
    match case.reduction {
        Reduction::Mean => time(bencher, case.len, |data: &[E]| mean(level, data)),
        Reduction::PlainSum => {
            time(bencher, case.len, |data: &[E]| dispatch!(level, simd => plain_sum(simd, data)));
        }
        Reduction::PlainRead => {
            time(bencher, case.len, |data: &[E]| dispatch!(level, simd => plain_read(simd, data)));
        }
    }
}

#[divan::bench(types = [f32, f64], args = SIZES, max_time = 0.1)]
fn exact<E: Number>(bencher: Bencher, len: usize) {
    time(bencher, len, exact_mean::<E>);
}

/// Times `call` on `len` numbers from 0 to 1.
fn time<E: Number, R>(bencher: Bencher, len: usize, call: impl Fn(&[E]) -> R + Sync) {
    let data: Vec<E> = (0..len).map(|i| E::from_f64((i as f64 * 0.618_034).fract())).collect();
    bencher.counter(BytesCount::of_slice(&data)).bench(|| call(black_box(&data)));
}

/// The element types, as all of these reductions need them.
trait Number: Float + SimdFloatElement + Sync {
    fn from_f64(value: f64) -> Self;
}

impl Number for f32 {
    fn from_f64(value: f64) -> Self {
        value as f32
    }
}

impl Number for f64 {
    fn from_f64(value: f64) -> Self {
        value
    }
}

#[inline(always)]
fn plain_sum<S: Simd, E: Number>(simd: S, data: &[E]) -> E {
    let sums = reduce(simd, data, |v| v, |a, b| a + b);
    sums.as_slice().iter().fold(E::default(), |a, &b| a + b)
}

/// Every byte loaded once, with the cheapest operation there is on it.
#[inline(always)]
fn plain_read<S: Simd, E: Number>(simd: S, data: &[E]) -> E::Bits {
    let bits = reduce(simd, data, |v| v.to_bits(), |a, b| a | b);
    bits.as_slice().iter().fold(E::Bits::default(), |a, &b| a | b)
}

/// Combines all vectors of `data` in four accumulators, which hide the latency of an addition.
#[inline(always)]
fn reduce<S: Simd, E: Number, V: SimdBase<S>>(
    simd: S,
    data: &[E],
    from: impl Fn(E::Native<S>) -> V,
    combine: impl Fn(V, V) -> V,
) -> V {
    let zero = from(E::Native::<S>::splat(simd, E::default()));
    let load = |x: &[E]| from(E::Native::<S>::from_slice(simd, x));
    let lanes = E::Native::<S>::LEN;
    let (mut a, mut b, mut c, mut d) = (zero, zero, zero, zero);
    let mut groups = data.chunks_exact(4 * lanes);
    for group in &mut groups {
        a = combine(a, load(&group[..lanes]));
        b = combine(b, load(&group[lanes..2 * lanes]));
        c = combine(c, load(&group[2 * lanes..3 * lanes]));
        d = combine(d, load(&group[3 * lanes..]));
    }
    let mut vectors = groups.remainder().chunks_exact(lanes);
    for vector in &mut vectors {
        a = combine(a, load(vector));
    }
    let rest = vectors.remainder();
    let padded = E::Native::<S>::from_fn(simd, |i| rest.get(i).copied().unwrap_or_default());
    combine(combine(combine(a, b), combine(c, d)), from(padded))
}
