//! The exact mean of numbers, rounded once.
//!
//! [`mean`] returns RN((x₁ + … + xₙ) / n): the exact rational mean, rounded to nearest, ties to
//! even, into the result's format. The bits depend on the multiset of the elements alone.
//!
//! | file | what it knows |
//! |---|---|
//! | `element.rs` | the element types: their integers, and how they are loaded into lanes |
//! | `format.rs` | IEEE 754 binary formats: decoding a number, and the single rounding |
//! | `window.rs` | the kernel: the sum in floating-point lanes, with a bound on what it dropped |
//! | `lane.rs` | the lanes that it sums in: float32 and float64 |
//! | `certificate.rs` | the proof that such a sum has one correctly rounded mean |
//! | `exact.rs` | the exact path: the superaccumulator in integer digits |
//! | `quotient.rs` | sum / n in integers |
//! | `integer.rs` | integers, truth values and times: their sums, in 128 bits |
//! | `runs.rs` | elements that do not lie in one slice |
//! | `source.rs` | where the kernel takes its elements from: a slice, what counts of it, elements that lie apart |
//! | `environment.rs` | the caller's floating-point environment |
//! | `far.rs` | what comes from far: how it is read, and asked for early |
//! | `tile.rs` | the means of many columns at once |
//! | `sift.rs` | the same where not all elements count |
//! | `few.rs` | the same of a few rows, where their sums prove themselves exact |
//! | `rows.rs` | the means of many runs of equal length |
//! | `transpose.rs` | runs of neighbours as the columns of a table |
//! | `finish.rs` | the certificate in lanes: many means, proved without a division |
//! | `level.rs` | the SIMD levels |
#![forbid(unsafe_code)]

mod certificate;
mod element;
mod environment;
mod exact;
mod far;
mod few;
mod finish;
mod format;
mod integer;
mod lane;
mod level;
mod quotient;
mod rows;
mod runs;
mod sift;
mod source;
mod tile;
mod transpose;
mod window;

pub use element::{Element, Float, BF16, F16};
pub use exact::exact_mean;
pub use far::{read_in_streams, Ahead, Course, Reading, CACHE_LINE, FAR};
pub use fearless_simd::Level;
pub use format::{Binary, Format};
pub use integer::{Bool, Time};
pub use level::{levels, vectorize};
pub use runs::Runs;
pub use source::{Counted, Strided, LARGEST_GROUP};
pub use tile::{Lines, Remaining, Rows, Shape, MOST_ROWS, ROWS, TILE, WORTH_A_COPY};
pub use transpose::transpose;

use certificate::{Bounded, BoundedDigits};
use fearless_simd::{Simd, SimdBase};
use lane::{Holds, Lane};
use source::Source;
use window::Sum;

/// The correctly rounded mean of `data`, or `None` where there is nothing to average.
///
/// A NaN anywhere, or +inf and -inf together, give the positive quiet NaN with payload 0; one kind
/// of infinity gives that infinity. Nothing else overflows on the way. An exact zero is +0.0, a
/// negative value that underflows is -0.0. `level` decides how fast, and nothing else.
///
/// ```
/// use mean_core::{mean, Level};
/// let level = Level::new();
/// assert_eq!(mean(level, &[1e308, 1e308]), Some(1e308));
/// assert_eq!(mean(level, &[1e100, 1.0, -1e100]), Some(1.0 / 3.0));
/// assert_eq!(mean::<f32>(level, &[]), None);
/// ```
pub fn mean<E: Element<Mean: Format>>(level: Level, data: &[E]) -> Option<E::Mean> {
    if data.is_empty() {
        return None;
    }
    Some(E::Mean::from_bits(E::mean_bits(level, data, data.len() as u64, E::Mean::BINARY)))
}

/// The cheapest way that proves the mean. `data` is not empty.
#[inline(always)]
fn mean_at<S: Simd, E: Float>(simd: S, data: &[E], n: u64, format: Binary) -> u64 {
    let group = 4 * S::f64s::LEN;
    let proved = if data.len() < group {
        exact::mean_of_few(data, n, format)
    } else if environment::is_default() {
        mean_by_windows(simd, data, n, format)
    } else {
        None
    };
    // Not `unwrap_or_else`: its closure would be a call, compiled without the level's instructions.
    match proved {
        Some(mean) => mean,
        None => simd.vectorize(
            #[inline(always)]
            || exact::exact_mean_bits(data, n, format),
        ),
    }
}

/// The mean of what is most likely a tie; `None` for what the windows are not for.
#[inline(always)]
fn mean_of_tie_at<S: Simd, E: Float>(simd: S, data: &[E], n: u64, format: Binary) -> Option<u64> {
    if data.len() < 4 * S::f64s::LEN || !environment::is_default() {
        return None;
    }
    Some(match attempt_tie(simd, data, n, format) {
        Some(mean) => mean,
        None => simd.vectorize(
            #[inline(always)]
            || exact::exact_mean_bits(data, n, format),
        ),
    })
}

/// The mean of what counts, if the windows prove it.
fn mean_of_source_at<S: Simd, E: Float>(
    simd: S,
    data: impl Source<E>,
    format: Binary,
) -> Option<u64> {
    let n = data.len();
    if n < 4 * S::f64s::LEN || !environment::is_default() {
        return None;
    }
    simd.vectorize(
        #[inline(always)]
        || mean_by_windows(simd, data, n as u64, format),
    )
}

/// The cheapest way that proves the mean of elements in runs.
fn mean_of_runs_at<S: Simd, E: Float>(
    simd: S,
    runs: &mut dyn Runs<E>,
    format: Binary,
) -> Option<u64> {
    if environment::is_default() {
        let first = if format.is_narrow() {
            attempt_runs::<S, E, false, false>(simd, runs, format)
        } else {
            attempt_runs::<S, E, false, true>(simd, runs, format)
        };
        if let Attempt::Proved(mean) = first {
            return Some(mean);
        }
        runs.rewind();
        if let Attempt::Open = first {
            if let Attempt::Proved(mean) = attempt_runs::<S, E, true, true>(simd, runs, format) {
                return Some(mean);
            }
            runs.rewind();
        }
    }
    simd.vectorize(
        #[inline(always)]
        || exact::exact_mean_of_runs(runs, format),
    )
}

fn attempt_runs<S: Simd, E: Float, const FLAG: bool, const TWO: bool>(
    simd: S,
    runs: &mut dyn Runs<E>,
    format: Binary,
) -> Attempt {
    simd.vectorize(
        #[inline(always)]
        || {
            let mut sums = Sums::<E>::new();
            let mut padded = [E::zero(); f64::MOST];
            while let Some(mut run) = runs.next_run() {
                if run.len() < padded.len() {
                    // The last one may be less than a group.
                    padded.fill(E::zero());
                    padded[..run.len()].copy_from_slice(run);
                    run = &padded;
                }
                if !sums.add::<S, f64, FLAG, TWO>(simd, run) {
                    return Attempt::Unknown;
                }
            }
            sums.mean(runs.count(), format)
        },
    )
}

/// From so many elements on, narrow lanes are worth a try.
const WORTH_NARROWING: usize = 1 << 13;
// The kernel's first look at the data takes a sample's groups from as many parts of them.
const _: () = assert!(WORTH_NARROWING >= 2 * window::SAMPLE);

/// The mean, if the windows prove it; `n` elements count or do not. At first without the exactness
/// flag, even where ties are common: it costs every call half as much again, a tie costs one call twice.
#[inline(always)]
fn mean_by_windows<S: Simd, E: Float>(
    simd: S,
    data: impl Source<E>,
    n: u64,
    format: Binary,
) -> Option<u64> {
    let first = if E::Lane::NARROW && format.is_narrow() && data.len() >= WORTH_NARROWING {
        attempt_narrow(simd, data, n, format)
    } else if format.is_narrow() {
        attempt::<S, E, f64, false, false>(simd, data, n, format)
    } else {
        attempt::<S, E, f64, false, true>(simd, data, n, format)
    };
    match first {
        Attempt::Proved(mean) => Some(mean),
        Attempt::Unknown => None,
        Attempt::Open => attempt_tie(simd, data, n, format),
    }
}

/// With the exactness flag. Not inlined, as below.
#[inline(never)]
fn attempt_tie<S: Simd, E: Float>(
    simd: S,
    data: impl Source<E>,
    n: u64,
    format: Binary,
) -> Option<u64> {
    let attempt = simd.vectorize(
        #[inline(always)]
        || attempt::<S, E, f64, true, true>(simd, data, n, format),
    );
    match attempt {
        Attempt::Proved(mean) => Some(mean),
        _ => None,
    }
}

/// Not inlined at any level, so that short calls do not pay for it.
#[inline(never)]
fn attempt_narrow<S: Simd, E: Float>(
    simd: S,
    data: impl Source<E>,
    n: u64,
    format: Binary,
) -> Attempt {
    simd.vectorize(
        #[inline(always)]
        || attempt::<S, E, E::Lane, false, true>(simd, data, n, format),
    )
}

enum Attempt {
    Proved(u64),
    /// The bound reaches across a midpoint, or the sum may be a tie.
    Open,
    /// No sum.
    Unknown,
}

#[inline(always)]
fn attempt<S: Simd, E: Float, F: Holds<E>, const FLAG: bool, const TWO: bool>(
    simd: S,
    data: impl Source<E>,
    n: u64,
    format: Binary,
) -> Attempt {
    let mut sums = Sums::new();
    if !sums.add::<S, F, FLAG, TWO>(simd, data) {
        return Attempt::Unknown;
    }
    sums.mean(n, format)
}

/// [`window::sum`], inlined where a short call would notice that it is not.
#[inline(always)]
fn sum_of<S: Simd, E: Float, F: Holds<E>, D: Source<E>, const FLAG: bool, const TWO: bool>(
    simd: S,
    data: D,
    exponent: &mut Option<i32>,
    digits: &mut Option<BoundedDigits<E>>,
) -> Sum {
    if D::MAY_BE_SHORT {
        window::sum::<S, E, F, FLAG, TWO>(simd, data, exponent, digits)
    } else {
        sum_apart::<S, E, F, D, FLAG, TWO>(simd, data, exponent, digits)
    }
}

/// [`window::sum`], compiled once for all who call it.
#[inline(never)]
fn sum_apart<S: Simd, E: Float, F: Holds<E>, D: Source<E>, const FLAG: bool, const TWO: bool>(
    simd: S,
    data: D,
    exponent: &mut Option<i32>,
    digits: &mut Option<BoundedDigits<E>>,
) -> Sum {
    simd.vectorize(
        #[inline(always)]
        || window::sum::<S, E, F, FLAG, TWO>(simd, data, exponent, digits),
    )
}

/// The sum of one run after the other.
struct Sums<E: Float> {
    /// On the grid of the last run.
    last: Option<Bounded>,
    exponent: Option<i32>,
    /// What does not fit one grid.
    digits: Option<BoundedDigits<E>>,
    /// How many elements do not count.
    left_out: u64,
}

impl<E: Float> Sums<E> {
    fn new() -> Self {
        Self { last: None, exponent: None, digits: None, left_out: 0 }
    }

    /// Adds a run of at least a group; false where the exact path must decide.
    #[inline(always)]
    fn add<S: Simd, F: Holds<E>, const FLAG: bool, const TWO: bool>(
        &mut self,
        simd: S,
        run: impl Source<E>,
    ) -> bool {
        let Self { last, exponent, digits, left_out } = self;
        let mut rest = run;
        let mut sum = sum_of::<S, E, F, _, FLAG, TWO>(simd, run, exponent, digits);
        if F::NARROW {
            if let Sum::Widen(others, before) = sum {
                rest = rest.within(others);
                *left_out += before;
                sum = sum_of::<S, E, f64, _, FLAG, false>(simd, rest, exponent, digits);
            }
        }
        if let (true, Sum::Widen(others, before)) = (F::NARROW || !TWO, &sum) {
            rest = rest.within(others.clone());
            *left_out += before;
            sum = sum_apart::<S, E, f64, _, FLAG, true>(simd, rest, exponent, digits);
        }
        let Sum::All(sum, in_rest) = sum else {
            return false;
        };
        *left_out += in_rest;
        match last {
            None => *last = Some(sum),
            Some(last) => {
                if !last.add(&sum) {
                    digits.get_or_insert_with(BoundedDigits::new).add(last);
                    *last = sum;
                }
            }
        }
        true
    }

    /// The mean, where `n` elements count or do not.
    #[inline(always)]
    fn mean(&mut self, n: u64, format: Binary) -> Attempt {
        let n = n - self.left_out;
        let (Some(last), 1..) = (&self.last, n) else {
            return Attempt::Unknown;
        };
        let proved = match &mut self.digits {
            None => last.mean(n, format),
            Some(digits) => digits.mean_with(last, n, format),
        };
        match proved {
            Some(mean) => Attempt::Proved(mean),
            None => Attempt::Open,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fearless_simd::dispatch;
    use rand::{rngs::Xoshiro256PlusPlus, RngExt, SeedableRng};

    /// With the flush into digits that only a test has so early.
    #[test]
    fn totals_that_move_to_digits_lose_nothing() {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(0);
        let mut data: Vec<f64> = (0..2_000_000).map(|_| random.random::<f64>() - 0.5).collect();
        for _ in 0..3 {
            for (name, level) in levels() {
                assert_eq!(mean(level, &data), exact_mean(&data), "{name}");
            }
            data.iter_mut().for_each(|x| *x = (*x * 64.0).round()); // exact: ties and nothing dropped
            data.pop();
        }
    }

    /// Of uniform elements from `low` to `low` + 1, how many means in a thousand the first reading does
    /// not prove. The slices overlap, but their sums, and so how near each mean is to a midpoint, are as
    /// good as independent.
    fn read_twice_in_a_thousand<E: Float>(n: usize, low: f32, nearest: impl Fn(f32) -> E) -> usize {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(0);
        let data: Vec<E> =
            (0..n + 100_000).map(|_| nearest(random.random::<f32>() + low)).collect();
        let open = (0..1000).filter(|k| {
            let slice = &data[100 * k..][..n];
            let level = Level::new();
            let attempt = dispatch!(level, simd => {
                attempt::<_, _, E::Lane, false, true>(simd, slice, n as u64, E::BINARY)
            });
            !matches!(attempt, Attempt::Proved(_))
        });
        open.count()
    }

    /// Zero-mean float32 is where one window proves least.
    #[test]
    fn zero_mean_float32_is_read_twice_less_than_once_in_a_hundred() {
        assert!(read_twice_in_a_thousand(10_000_000, -0.5, |x| x) <= 10);
    }

    /// And this is what float32 lanes are for.
    #[test]
    fn positive_float32_is_read_twice_less_than_once_in_a_hundred() {
        assert!(read_twice_in_a_thousand(1_000_000, 0.0, |x| x) <= 10);
        assert!(read_twice_in_a_thousand(10_000, 0.5, |x| x) <= 10);
    }

    /// Whatever their signs: no other lanes go on, and one reading is enough.
    #[test]
    fn sixteen_bits_stay_in_float32_lanes() {
        let float16 = |x| F16(half::f16::from_f32(x).to_bits());
        let large = |x| F16(half::f16::from_f32(x * 60_000.0).to_bits());
        let bfloat16 = |x| BF16(half::bf16::from_f32(x).to_bits());
        for low in [0.0, -0.5] {
            assert!(read_twice_in_a_thousand(100_000, low, float16) <= 10);
            assert!(read_twice_in_a_thousand(100_000, low, large) <= 10);
            assert!(read_twice_in_a_thousand(100_000, low, bfloat16) <= 10);
            assert!(stays(low, float16) && stays(low, large) && stays(low, bfloat16));
        }
    }

    fn stays<E: Float>(low: f32, nearest: impl Fn(f32) -> E) -> bool {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(0);
        let data: Vec<E> = (0..1_000_000).map(|_| nearest(random.random::<f32>() + low)).collect();
        stay_in_their_lanes(&data)
    }

    /// The few before the first aligned vector may be small: that says nothing of the others.
    #[test]
    fn float32_stays_in_float32_lanes_whatever_its_first_elements() {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(0);
        let mut data: Vec<f32> = (0..300_000).map(|_| random.random::<f32>()).collect();
        data[..16].fill(1e-9);
        for from in 0..16 {
            assert!(stay_in_their_lanes(&data[from..]) && stay_in_their_lanes(&data[from..20_000]));
        }
    }

    /// Read from its end, too, what does not fit is where the block is that it is in.
    #[test]
    fn anchors_are_found_from_either_end() {
        for n in [5000, 9000] {
            assert_eq!(Course::of(n * size_of::<f64>()).from_end, n == 9000);
            let mut data = vec![1.0; n];
            for large in [0..n / 2, n / 2..n, n / 3..n / 2] {
                data.fill(1.0);
                data[large].fill(1e200);
                assert!(stay_in_their_lanes(&data));
            }
        }
    }

    fn stay_in_their_lanes<E: Float>(data: &[E]) -> bool {
        let (mut exponent, mut digits) = (None, None);
        let sum = dispatch!(Level::new(), simd => {
            window::sum::<_, E, E::Lane, false, true>(simd, data, &mut exponent, &mut digits)
        });
        matches!(sum, Sum::All(..))
    }
}
