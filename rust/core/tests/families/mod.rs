//! Families of data, each an attack on one argument in the proof of the kernels, and the comparison
//! with the exact path that every SIMD level must pass on them.

use mean_core::{exact_mean, mean, Counted, Course, Element, Float, Level, Strided};
use rand::rngs::Xoshiro256PlusPlus;
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{RngExt, SeedableRng};
use std::fmt::Debug;
use std::ops::{Add, Mul, Neg, Range};

/// One generator on every machine, so that a seed in a report means the same data everywhere.
pub type Random = Xoshiro256PlusPlus;

/// Elements that a step of the kernel takes: four vectors of 2, 4 or 8 float64 lanes.
///
/// This and what follows repeat the kernel's constants on purpose: they only aim at its seams, and a
/// wrong value here could hide a seam but never accept a wrong result.
pub const GROUPS: [usize; 3] = [8, 16, 32];
/// The same for float32 lanes, which float32 is summed in from `NARROW_FROM` elements on.
pub const NARROW_GROUPS: [usize; 3] = [16, 32, 64];
/// From so many elements on.
pub const NARROW_FROM: usize = 1 << 13;
/// For elements below 2^e the first anchor is at 2^(e + 1 + L), and the grids are 2^(e + L - 51) and
/// 2^(e + 2 L - 103).
pub const L: i32 = 8;
/// The grid of float32 lanes' second window is 2^(e + 2 L - 45), where 2^e is the first power of two
/// beyond 4/3 of the mean magnitude. The first anchor is at 2^(e + 1 + L).
pub const NARROW_L: i32 = 6;
/// Groups in a block.
pub const GROUPS_PER_BLOCK: usize = 248;
/// Groups in a block of float32 lanes.
pub const NARROW_GROUPS_PER_BLOCK: usize = 62;
/// Blocks between two flushes of the integer lanes.
pub const BLOCKS_PER_FLUSH: usize = 64;
/// With this many elements left at a flush, float32 may go from one window to two.
pub const WIDEN_REST: usize = 1 << 18;

/// The element types of the kernels, with the arithmetic that the families are made with.
pub trait Tested:
    Float + Add<Output = Self> + Mul<Output = Self> + Neg<Output = Self> + Debug + Send + Sync + 'static
{
    /// What a report calls it.
    const NAME: &'static str;
    /// Exponent of the largest power of two, and the exponent bias.
    const MAX_EXPONENT: i32 = (Self::SPECIAL / 2) as i32;

    /// The nearest number of this type.
    fn nearest(x: f64) -> Self;
}

impl Tested for f32 {
    const NAME: &'static str = "f32";

    fn nearest(x: f64) -> Self {
        x as Self
    }
}

impl Tested for f64 {
    const NAME: &'static str = "f64";

    fn nearest(x: f64) -> Self {
        x
    }
}

/// Data of one kind.
#[derive(Clone, Copy)]
pub struct Family<F: 'static> {
    /// What a report calls it.
    pub name: &'static str,
    fill: fn(&mut Random, &mut [F]),
}

impl<F: Tested> Family<F> {
    /// Every family.
    pub const ALL: &'static [Self] = &[
        Self { name: "uniform", fill: uniform },
        Self { name: "normal", fill: normal },
        Self { name: "zero mean", fill: zero_mean },
        Self { name: "log-uniform", fill: log_uniform },
        Self { name: "growth", fill: growth },
        Self { name: "cancellation to nothing", fill: cancellation },
        Self { name: "exact ties", fill: ties },
        Self { name: "ties and one subnormal", fill: ties_and_a_subnormal },
        Self { name: "ties and one element", fill: ties_and_an_element },
        Self { name: "built ties", fill: built_ties },
        Self { name: "dropped halves", fill: dropped_halves },
        Self { name: "constant", fill: constant },
        Self { name: "integers", fill: integers },
        Self { name: "pixels", fill: pixels },
        Self { name: "subnormals", fill: subnormals },
        Self { name: "smallest normals", fill: smallest_normals },
        Self { name: "near overflow", fill: near_overflow },
        Self { name: "near overflow, both signs", fill: near_overflow_both_signs },
        Self { name: "specials among uniform", fill: specials_among_uniform },
        Self { name: "specials near overflow", fill: specials_near_overflow },
        Self { name: "zeros of both signs", fill: signed_zeros },
        Self { name: "alternating runs", fill: alternating_runs },
        Self { name: "any finite bits", fill: any_finite_bits },
        Self { name: "outliers near the anchor", fill: outliers_near_the_anchor },
        Self { name: "just below a power of two", fill: just_below_a_power_of_two },
        Self { name: "one-sided remainders", fill: one_sided_remainders },
        Self { name: "anchor negated", fill: anchor_negated },
        Self { name: "anchor cancelled", fill: anchor_cancelled },
        Self { name: "lane emptied", fill: lane_emptied },
        Self { name: "lane emptied to zero", fill: lane_emptied_to_zero },
        Self { name: "window clamps", fill: window_clamps },
        Self { name: "one sign and rare events", fill: one_sign_and_rare_events },
        Self { name: "unlike its sample", fill: unlike_its_sample },
        Self { name: "narrow remainders", fill: narrow_remainders },
        Self { name: "narrow near ties", fill: narrow_near_ties },
        Self { name: "narrow dropped halves", fill: narrow_dropped_halves },
        Self { name: "some missing", fill: some_missing },
    ];
}

/// One input, reproducible from what is here.
pub struct Input<F: 'static> {
    /// The kind of data.
    pub family: Family<F>,
    /// How many elements.
    pub n: usize,
    /// How many elements lie before them in the allocation: their misalignment.
    pub offset: usize,
    /// Seed of the data.
    pub seed: u64,
}

impl<F: Tested> Input<F> {
    /// The elements; those before them are NaN, and none of the kernel's business.
    pub fn with_data<R>(&self, use_data: impl FnOnce(&mut [F]) -> R) -> R {
        let mut buffer = vec![F::nan(); self.offset + self.n];
        let data = &mut buffer[self.offset..];
        (self.family.fill)(&mut Random::seed_from_u64(self.seed), data);
        use_data(data)
    }

    /// Whether every level gives the bits of the exact path; else what to reproduce the miss with.
    pub fn check(&self, levels: &[(&'static str, Level)]) -> Result<(), String> {
        self.with_data(|data| compare(levels, data)).map_err(|miss| format!("{self}: {miss}"))
    }
}

impl<F: Tested> std::fmt::Display for Input<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        let Self { family, n, offset, seed } = self;
        write!(f, "{} {:?}, n {n}, offset {offset}, seed {seed}", F::NAME, family.name)
    }
}

/// Whether every level gives the bits of the exact path; else the first that does not. As a slice, and
/// where they are proved so, one by one, and without those that are missing.
pub fn compare<F: Float + Debug>(
    levels: &[(&'static str, Level)],
    data: &[F],
) -> Result<(), String> {
    let want = exact_mean(data);
    let numbers: Vec<F> = data.iter().copied().filter(|x| !x.is_missing()).collect();
    let skipped = if numbers.len() == data.len() { want } else { exact_mean(&numbers) };
    for &(name, level) in levels {
        let strided = F::mean_of_strided(level, Backwards(data), F::BINARY).map(F::from_bits);
        let present = F::mean_of_counted(level, Counted::new(data, None, true), F::BINARY);
        let present = present.map(F::from_bits);
        let each =
            [(mean(level, data), want), (strided.or(want), want), (present.or(skipped), skipped)];
        for (got, want) in each {
            if got.map(F::to_bits) != want.map(F::to_bits) {
                let [got_bits, want_bits] = [got, want].map(|x| x.map_or(0, F::to_bits));
                return Err(format!(
                    "level {name} gives {got:?} ({got_bits:#x}), the exact mean is {want:?} ({want_bits:#x})"
                ));
            }
        }
    }
    Ok(())
}

/// The elements of a slice from its end on; if their number is odd, the last block of them first.
#[derive(Clone, Copy)]
pub struct Backwards<'a, E>(pub &'a [E]);

impl<E: Element> Strided<E> for Backwards<'_, E> {
    fn count(self) -> usize {
        self.0.len()
    }

    fn within(self, range: Range<usize>) -> Self {
        Self(&self.0[self.0.len() - range.end..self.0.len() - range.start])
    }

    #[inline(always)]
    fn course(self) -> Course {
        Course { from_end: self.0.len() % 2 == 1, ..Course::IN_ORDER }
    }

    fn before_aligned(self, bytes: usize) -> usize {
        self.0.len() % (bytes / size_of::<E>())
    }

    fn copy(self, at: usize, to: &mut [E]) {
        to.copy_from_slice(self.within(at..at + to.len()).0);
        to.reverse();
    }

    #[inline(always)]
    fn for_groups(self, _: Level, range: Range<usize>, len: usize, mut take: impl FnMut(&[E])) {
        assert_eq!(range.len() % len, 0);
        // (Not `for_each`, which would be a call for each group, and in it one for each operation.)
        for group in self.within(range).0.rchunks(len) {
            take(group);
        }
    }
}

/// Puts NaNs of any sign and payload among the elements: one, few, many or nothing else; at the ends; or
/// where blocks meet.
pub fn strew<F: Float>(rng: &mut Random, data: &mut [F]) {
    let n = data.len();
    let nan = |rng: &mut Random| {
        F::signed(rng.random(), F::INFINITY + rng.random_range(1..1 << F::FRACTION_BITS))
    };
    let one = rng.random_range(0..n);
    let end = rng.random_range(0..=70.min(n));
    let block = *[GROUPS, NARROW_GROUPS].as_flattened().choose(rng).unwrap()
        * *[GROUPS_PER_BLOCK, NARROW_GROUPS_PER_BLOCK].choose(rng).unwrap();
    let offset = rng.random_range(0..3);
    let kind = rng.random_range(0..8);
    for (i, x) in data.iter_mut().enumerate() {
        let missing = match kind {
            0 => i == one,
            1 => rng.random_ratio(1, 100),
            2 => rng.random(),
            3 => i != one,
            4 => true,
            5 => i < end,
            6 => i >= n - end,
            _ => (i + offset) % block < 3,
        };
        if missing {
            *x = nan(rng);
        }
    }
}

/// `2^exponent`, or the nearest power of two that the type has.
fn power_of_two<F: Tested>(exponent: i32) -> F {
    let exponent = exponent.clamp(F::MIN_EXPONENT, F::MAX_EXPONENT);
    let biased = exponent + F::MAX_EXPONENT;
    F::from_bits(if biased > 0 {
        (biased as u64) << F::FRACTION_BITS
    } else {
        1 << (exponent - F::MIN_EXPONENT)
    })
}

/// A random fraction at that exponent (below the least: a subnormal; above the largest: that).
fn positive<F: Tested>(rng: &mut Random, exponent: i32) -> F {
    let biased = (exponent + F::MAX_EXPONENT).clamp(0, 2 * F::MAX_EXPONENT) as u64;
    F::from_bits(biased << F::FRACTION_BITS | rng.random::<u64>() >> (64 - F::FRACTION_BITS))
}

/// The same with a random sign.
fn number<F: Tested>(rng: &mut Random, exponent: i32) -> F {
    let x = positive(rng, exponent);
    random_sign(rng, x)
}

fn random_sign<F: Tested>(rng: &mut Random, x: F) -> F {
    if rng.random() {
        x
    } else {
        -x
    }
}

/// Any exponent of a normal number that may be doubled.
fn any_exponent<F: Tested>(rng: &mut Random) -> i32 {
    rng.random_range(1 - F::MAX_EXPONENT..F::MAX_EXPONENT)
}

fn standard_normal(rng: &mut Random) -> f64 {
    // Box and Muller; 1 - u, since u may be 0.
    let (u, v): (f64, f64) = (rng.random(), rng.random());
    (-2.0 * (1.0 - u).ln()).sqrt() * (v * std::f64::consts::TAU).cos()
}

/// Uniform in [0, 2^exponent).
fn uniform_below<F: Tested>(rng: &mut Random, data: &mut [F], exponent: i32) {
    data.fill_with(|| F::nearest(rng.random()) * power_of_two(exponent));
}

/// Uniform in [2^(exponent - 1), 2^exponent), so that any few elements show the kernel `exponent`.
fn upper_half<F: Tested>(rng: &mut Random, data: &mut [F], exponent: i32) {
    data.fill_with(|| positive(rng, exponent - 1));
}

/// Ordinary data: the fast path and its first certificate.
fn uniform<F: Tested>(rng: &mut Random, data: &mut [F]) {
    let exponent = rng.random_range(-30..30);
    uniform_below(rng, data, exponent);
}

/// Ordinary data around a mean that is large or small against its spread.
fn normal<F: Tested>(rng: &mut Random, data: &mut [F]) {
    let (mean, spread) = (10.0 * standard_normal(rng), rng.random::<f64>());
    data.fill_with(|| F::nearest(mean + spread * standard_normal(rng)));
}

/// A sum small against its elements: the certificate fails, float32 goes from one window to two.
fn zero_mean<F: Tested>(rng: &mut Random, data: &mut [F]) {
    data.fill_with(|| F::nearest(rng.random::<f64>() - 0.5));
}

/// Both signs over 600 binades (float32: 75): block after block fails and is anchored anew.
fn log_uniform<F: Tested>(rng: &mut Random, data: &mut [F]) {
    let spread = 300 * F::MAX_EXPONENT / 1023;
    data.fill_with(|| {
        let exponent = rng.random_range(-spread..=spread);
        number(rng, exponent)
    });
}

/// A binade more every few elements: the anchor is always too low.
fn growth<F: Tested>(rng: &mut Random, data: &mut [F]) {
    let run = rng.random_range(1..=40);
    let first = rng.random_range(-F::MAX_EXPONENT..0);
    for (i, x) in data.iter_mut().enumerate() {
        *x = number(rng, first.saturating_add((i / run) as i32).min(F::MAX_EXPONENT - 1));
    }
}

/// Every element and its negative, in any order (and one more where n is odd): the exact zero.
fn cancellation<F: Tested>(rng: &mut Random, data: &mut [F]) {
    for pair in data.chunks_mut(2) {
        let exponent = any_exponent::<F>(rng);
        let x: F = number(rng, exponent);
        pair.copy_from_slice(&[x, -x][..pair.len()]);
    }
    data.shuffle(rng);
}

/// A number and its successor by turns: where n is even, the mean is half way between.
fn ties_at<F: Tested>(rng: &mut Random, data: &mut [F], exponent: i32) {
    let x: F = number(rng, exponent);
    let successor = F::from_bits(x.to_bits() + 1);
    for pair in data.chunks_mut(2) {
        pair.copy_from_slice(&[x, successor][..pair.len()]);
    }
}

/// Exact ties: no bound but 0 can decide them.
fn ties<F: Tested>(rng: &mut Random, data: &mut [F]) {
    let exponent = any_exponent::<F>(rng);
    ties_at(rng, data, exponent);
}

/// Exact ties decided by one smallest subnormal, or by none.
fn ties_and_a_subnormal<F: Tested>(rng: &mut Random, data: &mut [F]) {
    ties(rng, data);
    if data.len() >= 3 {
        // (x, x) becomes (2x, a subnormal): the sum changes by the subnormal alone.
        let i = rng.random_range(0..data.len() - 2);
        data[i] = data[i] + data[i];
        data[i + 2] = F::signed(rng.random(), rng.random_range(0..2));
    }
}

/// A tie for even n (1 and half a unit in its last place), decided by one element of any size.
fn ties_and_an_element<F: Tested>(rng: &mut Random, data: &mut [F]) {
    let n = data.len();
    data.fill(F::nearest(1.0));
    if n >= 3 {
        let i = rng.random_range(0..n);
        data[i] = F::nearest(1.0 + n as f64 * 0.5_f64.powi(F::PRECISION as i32));
        let exponent = -rng.random_range(0..F::MAX_EXPONENT);
        data[(i + 1) % n] = number(rng, exponent);
        data[(i + 2) % n] = F::nearest(2.0); // makes up for the 1 that the element replaced
    }
}

/// A tie for any n, n 2^e + k n 2^(e - PRECISION), among zeros and elements that decide it: the
/// smallest subnormals, or such as straddle the last grid of one window or of two.
///
/// Near the top of the range this is what the last unit in a scaled-down window's bound is for; several
/// elements around a grid are what the margin of the quick certificate is for.
fn built_ties<F: Tested>(rng: &mut Random, data: &mut [F]) {
    let n = data.len();
    data.fill(F::signed(false, 0));
    if n < 3 {
        return;
    }
    let log_n = n.ilog2() as i32 + 1;
    let near_top = rng.random_ratio(1, 4);
    let top = if near_top {
        F::MAX_EXPONENT - log_n - rng.random_range(0..if F::BITS == 64 { 300 } else { 70 })
    } else {
        rng.random_range(-50..50)
    };
    // Where the grids of one and of two windows lie below a maximum of 2^(top + log_n).
    let (first_grid, second_grid) = (top + log_n + L - 51, top + log_n + 2 * L - 103);
    let (most, mixed) = *[(4, false), (12, false), (12, false), (40, true)].choose(rng).unwrap();
    let mut kind = rng.random_range(0..3);
    for _ in 0..rng.random_range(0..n.min(most)) {
        if mixed {
            kind = rng.random_range(0..3);
        }
        let exponent = match kind {
            0 => F::MIN_EXPONENT,
            1 => first_grid + rng.random_range(-6..2),
            _ => second_grid + rng.random_range(-3..1),
        };
        let i = rng.random_range(0..n);
        data[i] = if exponent <= F::MIN_EXPONENT {
            F::signed(rng.random(), 1)
        } else {
            number(rng, exponent)
        };
    }
    let i = rng.random_range(0..n);
    let j = (i + rng.random_range(1..n)) % n;
    let k = *[1.0, 3.0, -1.0, 5.0].choose(rng).unwrap();
    data[i] = F::nearest(n as f64) * power_of_two(top);
    data[j] = F::nearest(k * n as f64) * power_of_two(top - F::PRECISION as i32);
    if rng.random() {
        data.iter_mut().for_each(|x| *x = -*x);
    }
}

/// Nearly every element drops exactly half a unit of the last grid, all to one side, and the true sum
/// is one smallest subnormal beyond a tie: the bound has hardly a unit to spare.
fn dropped_halves<F: Tested>(rng: &mut Random, data: &mut [F]) {
    let n = data.len();
    let log_n = n.ilog2() as i32 + 1;
    let top = rng.random_range(-20..F::MAX_EXPONENT - log_n);
    let last_grid = top + log_n + if F::BITS == 64 { 2 * L - 103 } else { L - 51 };
    let half: F = power_of_two(last_grid - 1);
    data.fill(half);
    if n >= 3 {
        let i = rng.random_range(0..n);
        data[i] = F::nearest(n as f64) * power_of_two(top);
        data[(i + 1) % n] = F::nearest(n as f64) * power_of_two(top - F::PRECISION as i32)
            + -F::nearest((n - 3) as f64) * half;
        data[(i + 2) % n] = F::signed(false, 1);
    }
    if rng.random() {
        data.iter_mut().for_each(|x| *x = -*x);
    }
}

/// The mean is the element itself, whatever its last bits.
fn constant<F: Tested>(rng: &mut Random, data: &mut [F]) {
    let exponent = any_exponent::<F>(rng);
    data.fill(number(rng, exponent));
}

/// Nothing is ever dropped; ties are common.
fn integers<F: Tested>(rng: &mut Random, data: &mut [F]) {
    data.fill_with(|| F::nearest(rng.random_range(-1000..=1000).into()));
}

/// The same without signs.
fn pixels<F: Tested>(rng: &mut Random, data: &mut [F]) {
    data.fill_with(|| F::nearest(rng.random::<u8>().into()));
}

/// The bottom clamp of the windows, where the mean rounds to few bits or to none.
fn subnormals<F: Tested>(rng: &mut Random, data: &mut [F]) {
    let bits = rng.random_range(1..=F::FRACTION_BITS + 1); // that many: the least normals, too
    data.fill_with(|| F::signed(rng.random(), rng.random::<u64>() >> (64 - bits)));
}

/// Normal numbers whose mean, or whose remainders, may be subnormal.
fn smallest_normals<F: Tested>(rng: &mut Random, data: &mut [F]) {
    let exponent = -F::MAX_EXPONENT - F::FRACTION_BITS as i32 / 2 + rng.random_range(0..60);
    data.fill_with(|| number(rng, exponent));
}

/// A sum that no float can hold.
fn near_overflow<F: Tested>(rng: &mut Random, data: &mut [F]) {
    data.fill_with(|| positive(rng, F::MAX_EXPONENT));
}

/// 1e308 with mixed signs: partial sums that no float can hold.
fn near_overflow_both_signs<F: Tested>(rng: &mut Random, data: &mut [F]) {
    data.fill_with(|| {
        let exponent = F::MAX_EXPONENT - rng.random_range(0..3);
        number(rng, exponent)
    });
}

/// One to three NaNs (either sign, any payload, signalling too) or infinities, anywhere.
fn put_specials<F: Tested>(rng: &mut Random, data: &mut [F]) {
    for _ in 0..rng.random_range(1..=3) {
        let i = rng.random_range(0..data.len());
        let payload = 1 << rng.random_range(0..F::FRACTION_BITS);
        data[i] = match rng.random_range(0..3) {
            0 => F::signed(rng.random(), F::SPECIAL << F::FRACTION_BITS | payload),
            _ => F::infinity(rng.random()),
        };
    }
}

/// NaN and infinities where all else is easy.
fn specials_among_uniform<F: Tested>(rng: &mut Random, data: &mut [F]) {
    uniform(rng, data);
    put_specials(rng, data);
}

/// NaN and infinities where a window overflows without them.
fn specials_near_overflow<F: Tested>(rng: &mut Random, data: &mut [F]) {
    near_overflow(rng, data);
    put_specials(rng, data);
}

/// An exact zero is +0.0, also for -0.0 alone; a dropped -0.0 has dropped nothing.
fn signed_zeros<F: Tested>(rng: &mut Random, data: &mut [F]) {
    let negative = rng.random_range(0.0..=1.0);
    data.fill_with(|| F::signed(rng.random_bool(negative), 0));
}

/// Runs of huge and of tiny elements by turns, within a block or over many.
fn alternating_runs<F: Tested>(rng: &mut Random, data: &mut [F]) {
    let run = rng.random_range(1..=5000);
    let exponents = [any_exponent::<F>(rng), any_exponent::<F>(rng)];
    for (i, x) in data.iter_mut().enumerate() {
        *x = number(rng, exponents[i / run % 2]);
    }
}

/// The whole range at once.
fn any_finite_bits<F: Tested>(rng: &mut Random, data: &mut [F]) {
    data.fill_with(|| {
        let exponent = rng.random_range(-F::MAX_EXPONENT..=F::MAX_EXPONENT);
        number(rng, exponent)
    });
}

/// A few elements around the anchor's size, which the first look at the data may not have seen:
/// some still pass, some must fail the block.
fn outliers_near_the_anchor<F: Tested>(rng: &mut Random, data: &mut [F]) {
    let exponent = rng.random_range(-30..30);
    uniform_below(rng, data, exponent);
    for _ in 0..3 {
        let i = rng.random_range(0..data.len());
        let above = rng.random_range(-4..20);
        data[i] = number(rng, exponent + above);
    }
}

/// The largest number below a power of two: each rounds up to it on the grid, and a lane goes as
/// far from its anchor as it can.
fn just_below_a_power_of_two<F: Tested>(rng: &mut Random, data: &mut [F]) {
    let power: F = power_of_two(any_exponent::<F>(rng) + 1);
    let below = F::from_bits(power.to_bits() - 1);
    data.fill(random_sign(rng, below));
}

/// One element repeated below a larger first one, its bits 0111..1 from somewhere on: where that is
/// the grid of the first window, every remainder is the largest and the second goes the furthest.
fn one_sided_remainders<F: Tested>(rng: &mut Random, data: &mut [F]) {
    let exponent = rng.random_range(-30..30);
    let ones = (1 << rng.random_range(0..F::FRACTION_BITS)) - 1;
    let fraction = positive::<F>(rng, exponent).to_bits() & !(2 * ones + 1) | ones;
    data.fill(random_sign(rng, F::from_bits(fraction)));
    let above = rng.random_range(0..50);
    data[0] = number(rng, exponent + above);
}

/// Elements such as -2.7 times the anchor's power of two: the lane keeps its exponent and loses its
/// sign.
fn anchor_negated<F: Tested>(rng: &mut Random, data: &mut [F]) {
    let exponent = rng.random_range(-30..30);
    uniform_below(rng, data, exponent);
    for _ in 0..=data.len() / 40 {
        let i = rng.random_range(0..data.len());
        let above = rng.random_range(1..=16);
        let factor = *[-2.7, -1.5, -1.2, -3.0, -6.0, -0.75, 1.6, 2.7].choose(rng).unwrap();
        data[i] = F::nearest(factor) * power_of_two(exponent + above);
    }
}

/// Now and then an element that is the anchor's negative, and some steps later the anchor again.
fn anchor_cancelled<F: Tested>(rng: &mut Random, data: &mut [F]) {
    let exponent = rng.random_range(-30..30);
    uniform_below(rng, data, exponent);
    let anchor = F::nearest(1.5) * power_of_two(exponent + rng.random_range(0..24));
    let first = rng.random_range(0..97);
    for i in (first..data.len()).step_by(97) {
        data[i] = -anchor;
        let later = i + *[1, 5, 8, 16, 32].choose(rng).unwrap();
        if let Some(x) = data.get_mut(later) {
            *x = anchor;
        }
    }
}

/// A lane of the first window taken from its anchor to zero or nearly, then filled again or left so.
///
/// A lane that goes through +0.0 has left its binade unseen by the short test; one that ends there
/// must be caught by the test of the ends.
fn lane_emptied<F: Tested>(rng: &mut Random, data: &mut [F]) {
    let exponent = rng.random_range(-10..10);
    upper_half(rng, data, exponent);
    let group = *GROUPS.choose(rng).unwrap();
    for _ in 0..rng.random_range(1..=4) {
        let i = rng.random_range(0..data.len());
        let refill = i + group * rng.random_range(1..=2);
        // The first group sets the anchor; a lane that is never refilled costs the whole block.
        if i < group || refill >= data.len() && rng.random_ratio(1, 2) {
            continue;
        }
        data[i % group..].iter_mut().step_by(group).for_each(|x| *x = F::signed(false, 0));
        let anchor = F::nearest(1.5) * power_of_two(exponent + rng.random_range(6..=10));
        let excess =
            |rng: &mut Random, x: f64, below| 1.0 + x * 0.5_f64.powi(rng.random_range(0..below));
        let (whole, part) = (rng.random_range(0..2).into(), rng.random());
        data[i] = -anchor * F::nearest(excess(rng, whole, 60));
        if let Some(x) = data.get_mut(refill) {
            *x = anchor * F::nearest(excess(rng, part, 30));
        }
    }
}

/// A lane taken from its anchor to exactly +0.0, given an element so tiny that only the short test
/// could take it for the anchor, and filled again: that element would be lost. All else cancels but
/// for one element, not so much larger that the loss cannot be seen, and large enough to be proved.
fn lane_emptied_to_zero<F: Tested>(rng: &mut Random, data: &mut [F]) {
    let exponent = rng.random_range(-F::MAX_EXPONENT / 2..F::MAX_EXPONENT / 2);
    data.fill(F::signed(false, 0));
    for pair in data.chunks_exact_mut(2) {
        let x: F = positive(rng, exponent - 1);
        pair.copy_from_slice(&[x, -x]);
    }
    let group = *GROUPS.choose(rng).unwrap();
    // Two neighbouring lanes, so that whole pairs go.
    let lane = 2 * rng.random_range(0..group / 2);
    for lane in data.chunks_mut(group).filter_map(|group| group.get_mut(lane..)) {
        lane.iter_mut().take(2).for_each(|x| *x = F::signed(false, 0));
    }
    let i = lane + group * rng.random_range(1..=3);
    if i + 2 * group < data.len() {
        let anchor_exponent = exponent + 1 + L;
        let anchor = F::nearest(1.5) * power_of_two(anchor_exponent);
        let below = 64 * if rng.random() { 1 } else { rng.random_range(0..16) };
        let tiny = (anchor_exponent - below).max(1 - F::MAX_EXPONENT);
        data[i] = -anchor;
        data[i + group] = positive(rng, tiny);
        data[i + 2 * group] = anchor;
        if rng.random() {
            // In the next lane, which is empty too.
            let above = rng.random_range(0..F::PRECISION as i32);
            data[i + 1] = number(rng, tiny + above);
        }
    }
}

/// Where the plan of a window changes: the last exponents with room for an anchor, those at which
/// the power that scales the elements jumps, and the bottom of the range.
fn window_clamps<F: Tested>(rng: &mut Random, data: &mut [F]) {
    let top = F::MAX_EXPONENT;
    let exponent = match rng.random_range(0..4) {
        0 => top - rng.random_range(0..20),
        // Biased by 1023 and 1 + L binades below the anchor: multiples of 64, so of 256 too.
        1 => 64 * rng.random_range(1..32) - 1023 - 1 - L + rng.random_range(-4..=4),
        2 => F::MIN_EXPONENT + rng.random_range(0..120),
        _ => rng.random_range(-100..100),
    };
    let exponent = exponent.clamp(-top - 60, top);
    let width = rng.random_range(1..=30);
    let signs = rng.random();
    data.fill_with(|| {
        let exponent = exponent - rng.random_range(0..width);
        let x = positive(rng, exponent);
        if signs {
            random_sign(rng, x)
        } else {
            x
        }
    });
}

/// Positive data that float32 lanes suit, and a few elements around their anchors, some of which come
/// back to where they began: a lane leaves its binade up or down, to a negative, to zero, or to the
/// very exponent that it had.
fn one_sign_and_rare_events<F: Tested>(rng: &mut Random, data: &mut [F]) {
    let exponent = *[-30, 0, -100, F::MAX_EXPONENT - 7, F::MAX_EXPONENT - 6].choose(rng).unwrap();
    uniform_below(rng, data, exponent);
    let n = data.len();
    let group = *NARROW_GROUPS.choose(rng).unwrap();
    for _ in 0..rng.random_range(1..=3) {
        let i = rng.random_range(0..n);
        let above = rng.random_range(4..=NARROW_L + 3);
        let factor = *[1.0, 1.5, 1.9, -1.0, -1.5, -1.9, -2.7, -3.0, -6.0].choose(rng).unwrap();
        data[i] = F::nearest(factor) * power_of_two(exponent + above);
        match rng.random_range(0..4) {
            // A lane of its own, that may end at zero, or get there and back.
            0 => {
                data[i % group..].iter_mut().step_by(group).for_each(|x| *x = F::signed(false, 0));
                let anchor = F::nearest(1.5) * power_of_two(exponent + 1 + NARROW_L);
                data[i] = -anchor;
                if let Some(x) = data.get_mut(i + group * rng.random_range(1..=3)) {
                    *x = anchor * F::nearest(rng.random_range(0..2).into());
                }
            }
            1 => {
                let later = i + group * rng.random_range(1..=3);
                if later < n {
                    data[later] = -data[i];
                }
            }
            _ => {}
        }
    }
    if rng.random() {
        data.iter_mut().for_each(|x| *x = -*x);
    }
}

/// Both signs, by turns or one half each, but for the places where float32 lanes look: their sum is or
/// gets small all the same, and others must go on. Some have been on two grids by then.
fn unlike_its_sample<F: Tested>(rng: &mut Random, data: &mut [F]) {
    zero_mean(rng, data);
    let n = data.len();
    if rng.random() {
        for (i, x) in data.iter_mut().enumerate() {
            *x = F::signed(i > n / 2, x.magnitude_bits());
        }
    }
    for parts in [4, 8, 16] {
        let step = n / parts;
        for middle in (step / 2..n).step_by(step.max(1)) {
            let sample = middle.saturating_sub(36)..n.min(middle + 36);
            data[sample].iter_mut().filter(|x| x.to_bits() & F::SIGN != 0).for_each(|x| *x = -*x);
        }
    }
    for _ in 0..rng.random_range(0..=2) {
        let i = rng.random_range(0..n);
        let above = rng.random_range(3..9);
        data[i] = number(rng, above);
    }
}

/// One element throughout, its bits 0111..1 from the grid of the first float32 window on: every
/// remainder is the largest, and the second window goes the furthest.
fn narrow_remainders<F: Tested>(rng: &mut Random, data: &mut [F]) {
    let exponent = rng.random_range(-30..30);
    // u1 is 2^(e + L - 22), and e is one or two more than the exponent.
    let ones = (1 << (NARROW_L + rng.random_range(0..3))) - 1;
    let bits = positive::<F>(rng, exponent).to_bits() & !(2 * ones + 1) | ones;
    data.fill(random_sign(rng, F::from_bits(bits)));
}

/// The exponents of float32 lanes' anchors and of their last grid, for a mean magnitude.
fn narrow_grid(mean: f64) -> (i32, i32) {
    let e = (mean * 4.0 / 3.0).log2().floor() as i32 + 1;
    (e, e + 2 * NARROW_L - 45)
}

/// The sum in units of 2^`unit`, of which all elements are multiples.
fn in_units<F: Tested>(data: &[F], unit: i32) -> i128 {
    data.iter()
        .map(|x| {
            let (significand, shift) = x.decode();
            let up = F::MIN_EXPONENT + shift as i32 - unit;
            let significand = i128::from(significand);
            if up < 0 {
                significand >> (-up).min(127)
            } else {
                significand << up
            }
        })
        .sum()
}

/// Makes the sum that of the nearest tie, and `beyond` units of 2^`unit` more, by the last elements.
fn settle<F: Tested>(data: &mut [F], unit: i32, beyond: i128) {
    let n = data.len() as i128;
    let Some(first) = data.len().checked_sub(6) else {
        return;
    };
    data[first..].fill(F::signed(false, 0));
    let sum = in_units(data, unit);
    // The mean's last bit, in units; half of it is odd where the mean is a tie.
    let log_mean = (sum / n).unsigned_abs().max(1).ilog2() as i32;
    let ulp = log_mean - F::FRACTION_BITS as i32;
    if ulp < 1 {
        return;
    }
    let half = 1_i128 << (ulp - 1);
    let tie = (sum / n).div_euclid(2 * half) * 2 * half + half;
    let mut rest = tie * n - sum + beyond;
    for x in &mut data[first..] {
        let excess = (128 - rest.unsigned_abs().leading_zeros() as i32) - F::PRECISION as i32;
        let excess = excess.max(0);
        let part = rest >> excess << excess;
        *x = F::nearest((part >> excess) as f64) * power_of_two(excess) * power_of_two(unit);
        rest -= part;
    }
}

/// Ordinary positive data whose mean is within a few bounds of a tie of two floats, or is one.
fn narrow_near_ties<F: Tested>(rng: &mut Random, data: &mut [F]) {
    let mean = 0.5 + 0.5 * rng.random::<f64>();
    let unit = -60;
    let steps = 2_f64.powi(rng.random_range(20..=24));
    let width = 0.25 + 0.75 * rng.random::<f64>();
    data.fill_with(|| {
        let x = mean + width * (rng.random::<f64>() - 0.5);
        F::nearest((x * steps).floor() / steps)
    });
    let bound = (data.len() as i128) << (narrow_grid(mean).1 - 1 - unit);
    let beyond = match rng.random_range(0..4) {
        0 => 0,
        1 => rng.random_range(-1..=1),
        2 => rng.random_range(-3 * bound..=3 * bound),
        _ => bound * *[-1, 1].choose(rng).unwrap() + rng.random_range(-bound / 64..=bound / 64),
    };
    settle(data, unit, beyond);
    if rng.random() {
        data.iter_mut().for_each(|x| *x = -*x);
    }
}

/// Six of seven elements drop exactly half a unit of float32 lanes' last grid, all to one side, and
/// the true sum is a tie, or hardly more.
fn narrow_dropped_halves<F: Tested>(rng: &mut Random, data: &mut [F]) {
    let exponent = rng.random_range(-20..20);
    let (e, grid) = narrow_grid(2_f64.powi(exponent) / 7.0);
    let first = rng.random_range(0..7);
    let half: F = power_of_two(grid - 1);
    data.fill(half);
    data.iter_mut().skip(first).step_by(7).for_each(|x| *x = power_of_two(exponent));
    let unit = e - 60;
    let beyond = rng.random_range(-1..=1) + (i128::from(rng.random_range(0..3)) << (grid - unit));
    settle(data, unit, beyond);
    if rng.random() {
        data.iter_mut().for_each(|x| *x = -*x);
    }
}

/// Any of the others, of which some do not count.
fn some_missing<F: Tested>(rng: &mut Random, data: &mut [F]) {
    let (_, others) = Family::ALL.split_last().unwrap();
    (others.choose(rng).unwrap().fill)(rng, data);
    strew(rng, data);
}
