//! The element types. To add one: its impl here, or in `integer.rs`.

use crate::environment;
use crate::exact::Specials;
use crate::far::Ahead;
use crate::format::{Binary, Format};
use crate::lane::{self, bits_of, Holds};
use crate::rows;
use crate::runs::Runs;
use crate::source::{Copied, Counted, Strided};
use crate::tile::{self, Remaining, Rows, Shape, ROWS};
use crate::transpose;
use fearless_simd::{dispatch, f32x8, f64x8, prelude::*, Level, Simd};

/// A type whose numbers have a mean.
///
/// Each type has an impl of its own, of functions that are not generic: so the kernels are compiled
/// here, once, and whatever uses them only links to them. `level` decides how fast, and nothing else.
pub trait Element: Copy {
    /// The type of the mean, if no other is asked for.
    type Mean: Copy;

    /// What may stand in for an element that does not count: it leaves every sum as it is.
    fn zero() -> Self;

    /// Whether some are missing: NaNs or NaTs.
    const MAY_BE_MISSING: bool = false;

    /// Whether this one is.
    #[inline(always)]
    fn is_missing(self) -> bool {
        false
    }

    /// The element whose bytes are in the other order.
    fn swap_bytes(self) -> Self;

    /// The encoding of the mean of nothing: NaN or NaT.
    fn nothing(format: Binary) -> u64 {
        format.nan()
    }

    /// The encoding of the mean of `data`, which is not empty and of which `n` elements count (the
    /// others are zeros), rounded once to `format`. (The mean of times is a time, whatever `format`
    /// says.)
    ///
    /// ```
    /// use mean_core::{Binary, Element, Level};
    /// let mean = f32::mean_bits(Level::new(), &[1.0, 2.0, 2.0], 3, Binary::B64);
    /// assert_eq!(f64::from_bits(mean), 5.0 / 3.0);
    /// ```
    fn mean_bits(level: Level, data: &[Self], n: u64, format: Binary) -> u64;

    /// The same where another kernel's bound has left the mean open: most likely it is an exact tie.
    fn mean_of_tie(level: Level, data: &[Self], n: u64, format: Binary) -> u64 {
        Self::mean_bits(level, data, n, format)
    }

    /// The same of elements that come in runs; `None` where none of them counts.
    fn mean_of_runs(level: Level, runs: &mut dyn Runs<Self>, format: Binary) -> Option<u64>;

    /// The same of elements that lie apart and all count, if there is a quick way that proves it. (This
    /// one is generic: what copies the elements is to be compiled into the kernel.)
    fn mean_of_strided(_level: Level, _data: impl Strided<Self>, _format: Binary) -> Option<u64> {
        None
    }

    /// The same of those elements of a slice that count.
    fn mean_of_counted(_level: Level, _data: Counted<Self>, _format: Binary) -> Option<u64> {
        None
    }

    /// Element k of run i becomes element i of row k.
    #[inline(always)]
    fn transpose_block<S: Simd>(_: S, block: [&[Self; ROWS]; ROWS]) -> [[Self; ROWS]; ROWS] {
        transpose::plain(block)
    }

    /// Whether there is a kernel for many columns at once that rounds to this format.
    fn takes_columns(_format: Binary) -> bool {
        true
    }

    /// Finds the encoding of the mean of each column of a table, of at most [`MOST_ROWS`] rows, and
    /// returns the columns that have none: theirs are unspecified.
    ///
    /// [`MOST_ROWS`]: crate::MOST_ROWS
    fn means_of_columns(
        level: Level,
        table: &mut dyn Rows<Self>,
        shape: Shape,
        format: Binary,
        means: &mut [u64],
    ) -> Remaining;

    /// Whether there is a kernel for many runs of so many elements each that rounds to this format.
    fn takes_rows(_level: Level, _n: usize, _format: Binary) -> bool {
        false
    }

    /// As `means_of_columns`, of runs of `n` elements each, if [`Element::takes_rows`], in which so many parts (1 or
    /// 2) take turns, each with a mean of its own, one after the other. `rows` fills in some of them, from an index on;
    /// it may be asked for one more than once. What follows is asked for `ahead`.
    fn means_of_rows<'a>(
        _level: Level,
        _n_and_parts: [usize; 2],
        _rows: &dyn Fn(usize, &mut [Counted<'a, Self>]),
        _ahead: Option<Ahead>,
        means: &mut [u64],
    ) -> Remaining {
        Remaining { open: (0..means.len()).collect(), empty: vec![] }
    }
}

/// A floating-point element that float64 lanes hold exactly.
pub trait Float: Format + Element<Mean = Self> {
    /// The exact sum: little-endian 32-bit digits, one in each i64, in units of the smallest
    /// subnormal. Wide enough for 2^63 - 1 elements: 63 bits more than the largest magnitude, and a
    /// sign.
    type Digits: AsRef<[i64]> + AsMut<[i64]> + Clone;
    /// The digits of zero.
    const ZERO: Self::Digits;
    /// The narrowest lanes that hold an element.
    type Lane: Holds<Self>;

    /// Four vectors of consecutive elements, widened: `data` has as many as they have lanes.
    fn load<S: Simd>(simd: S, data: &[Self]) -> [S::f64s; 4];

    /// `W` of them: four, but for float64, which is as wide as the lanes.
    #[inline(always)]
    fn load_some<S: Simd, const W: usize>(simd: S, data: &[Self]) -> [S::f64s; W] {
        debug_assert!(W == 4);
        let four = Self::load(simd, data);
        std::array::from_fn(
            #[inline(always)]
            |i| four[i],
        )
    }

    /// As [`Element`]'s.
    #[inline(always)]
    fn transpose_block<S: Simd>(_: S, block: [&[Self; ROWS]; ROWS]) -> [[Self; ROWS]; ROWS] {
        transpose::plain(block)
    }
}

/// The impl of [`Element`] of a [`Float`].
macro_rules! float_element {
    ($float:ident) => {
        impl Element for $float {
            type Mean = Self;
            const MAY_BE_MISSING: bool = true;

            #[inline(always)]
            fn zero() -> Self {
                Self::from_bits(0)
            }

            #[inline(always)]
            fn is_missing(self) -> bool {
                self.magnitude_bits() > Self::BINARY.infinity()
            }

            #[inline(always)]
            fn swap_bytes(self) -> Self {
                Format::from_bits(Format::to_bits(self).swap_bytes() >> (64 - <Self as Format>::BITS))
            }

            fn mean_bits(level: Level, data: &[Self], n: u64, format: Binary) -> u64 {
                dispatch!(level, simd => crate::mean_at(simd, data, n, format))
            }

            fn mean_of_tie(level: Level, data: &[Self], n: u64, format: Binary) -> u64 {
                dispatch!(level, simd => crate::mean_of_tie_at(simd, data, n, format))
                    .unwrap_or_else(|| Self::mean_bits(level, data, n, format))
            }

            fn mean_of_runs(
                level: Level,
                runs: &mut dyn Runs<Self>,
                format: Binary,
            ) -> Option<u64> {
                dispatch!(level, simd => crate::mean_of_runs_at(simd, runs, format))
            }

            fn mean_of_strided(
                level: Level,
                data: impl Strided<Self>,
                format: Binary,
            ) -> Option<u64> {
                dispatch!(level, simd => crate::mean_of_source_at(simd, Copied(data), format))
            }

            fn mean_of_counted(level: Level, data: Counted<Self>, format: Binary) -> Option<u64> {
                dispatch!(level, simd => crate::mean_of_source_at(simd, data, format))
            }

            #[inline(always)]
            fn transpose_block<S: Simd>(
                simd: S,
                block: [&[Self; ROWS]; ROWS],
            ) -> [[Self; ROWS]; ROWS] {
                <Self as Float>::transpose_block(simd, block)
            }

            fn takes_columns(format: Binary) -> bool {
                format == Self::BINARY
            }

            fn means_of_columns(
                level: Level,
                table: &mut dyn Rows<Self>,
                shape: Shape,
                _: Binary,
                means: &mut [u64],
            ) -> Remaining {
                means_of_columns(level, table, shape, means)
            }

            fn takes_rows(level: Level, n: usize, format: Binary) -> bool {
                format == Self::BINARY && environment::is_default() && rows::takes(level, n)
            }

            fn means_of_rows<'a>(
                level: Level,
                n_and_parts: [usize; 2],
                rows: &dyn Fn(usize, &mut [Counted<'a, Self>]),
                ahead: Option<Ahead>,
                means: &mut [u64],
            ) -> Remaining {
                rows::means_of_rows(level, n_and_parts, rows, ahead, means)
            }
        }
    };
}

/// As [`Element`]'s.
fn means_of_columns<E: Float>(
    level: Level,
    table: &mut dyn Rows<E>,
    shape: Shape,
    means: &mut [u64],
) -> Remaining {
    if !environment::is_default() {
        return Remaining { open: (0..shape.columns).collect(), empty: vec![] };
    }
    let mut found = tile::means_of_columns(level, table, shape, means);
    // So many are not for want of a proof: NaNs, to look for which takes one more reading of all.
    if found.open.len() > shape.columns / 32 {
        let specials = Specials::of_columns(level, table, shape);
        found.open.retain(|&column| !specials[column].any());
        for (mean, special) in means.iter_mut().zip(&specials).filter(|(_, found)| found.any()) {
            *mean = special.mean(E::BINARY);
        }
    }
    found
}

impl Format for f64 {
    const BINARY: Binary = Binary::B64;

    #[inline(always)]
    fn to_bits(self) -> u64 {
        self.to_bits()
    }
    #[inline(always)]
    fn from_bits(bits: u64) -> Self {
        Self::from_bits(bits)
    }
}

float_element!(f64);

impl Float for f64 {
    type Digits = [i64; 68]; // 2098 bits of magnitude + 63 + sign <= 2176
    const ZERO: Self::Digits = [0; 68];
    type Lane = Self;

    #[inline(always)]
    fn load<S: Simd>(simd: S, data: &[Self]) -> [S::f64s; 4] {
        lane::load(simd, data)
    }

    #[inline(always)]
    fn load_some<S: Simd, const W: usize>(simd: S, data: &[Self]) -> [S::f64s; W] {
        lane::load(simd, data)
    }

    #[inline(always)]
    fn transpose_block<S: Simd>(simd: S, block: [&[Self; ROWS]; ROWS]) -> [[Self; ROWS]; ROWS] {
        transpose::interleave::<S, Self, f64x8<S>>(simd, block)
    }
}

impl Format for f32 {
    const BINARY: Binary = Binary::B32;

    #[inline(always)]
    fn to_bits(self) -> u64 {
        self.to_bits().into()
    }
    #[inline(always)]
    fn from_bits(bits: u64) -> Self {
        Self::from_bits(bits as u32)
    }
}

float_element!(f32);

impl Float for f32 {
    type Digits = [i64; 11]; // 277 bits of magnitude + 63 + sign <= 352
    const ZERO: Self::Digits = [0; 11];
    type Lane = Self;

    #[inline(always)]
    fn load<S: Simd>(simd: S, data: &[Self]) -> [S::f64s; 4] {
        let (left, right) = data.split_at(S::f32s::LEN);
        widen::<S>(S::f32s::from_slice(simd, left), S::f32s::from_slice(simd, right))
    }

    #[inline(always)]
    fn transpose_block<S: Simd>(simd: S, block: [&[Self; ROWS]; ROWS]) -> [[Self; ROWS]; ROWS] {
        transpose::interleave::<S, Self, f32x8<S>>(simd, block)
    }
}

/// A binary16 number, `float16`, by its encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct F16(pub u16);

impl Format for F16 {
    const BINARY: Binary = Binary::B16;

    #[inline(always)]
    fn to_bits(self) -> u64 {
        self.0.into()
    }
    #[inline(always)]
    fn from_bits(bits: u64) -> Self {
        Self(bits as u16)
    }
}

float_element!(F16);

impl Float for F16 {
    type Digits = [i64; 4]; // 40 bits of magnitude + 63 + sign <= 128
    const ZERO: Self::Digits = [0; 4];
    type Lane = f32;

    #[inline(always)]
    fn load<S: Simd>(simd: S, data: &[Self]) -> [S::f64s; 4] {
        let (left, right) = signed::<S>(load_u16(simd, data, |x| x.0)).widen();
        widen::<S>(half_to_single(simd, left), half_to_single(simd, right))
    }
}

/// Without the shift of exponents that would cost an operation: every lane is 2^112 times too small.
impl Holds<F16> for f32 {
    const DOWN: i32 = F16_DOWN;
    const KEEPS_NANS_APART: bool = false;

    #[inline(always)]
    fn load<S: Simd>(simd: S, data: &[F16]) -> [S::f32s; 4] {
        in_places(simd, load_pair(simd, data, |x| x.0))
    }

    #[inline(always)]
    fn load_counted<S: Simd>(
        simd: S,
        data: &[F16],
        mask: Option<&[u8]>,
        skips: bool,
    ) -> ([S::f32s; 4], u64) {
        let (mut pair, zero) = (load_pair(simd, data, |x| x.0), S::u16s::splat(simd, 0));
        let given = mask.map(|mask| bits_of(simd, mask));
        let mut counts = given.unwrap_or(!0 >> (64 - data.len()));
        let mut numbers = 0;
        for (i, x) in pair.iter_mut().enumerate() {
            let at = i * S::u16s::LEN;
            if skips {
                let number = (*x << 1).simd_le((F16::INFINITY << 1) as u16);
                numbers |= number.to_bitmask() << at;
                *x = number.select(*x, zero);
            }
            if let Some(given) = given {
                let given = <S::u16s as SimdBase<S>>::Mask::from_bitmask(simd, given >> at);
                *x = given.select(*x, zero);
            }
        }
        if skips {
            counts &= numbers;
        }
        (in_places(simd, pair), counts)
    }
}

/// All NaN where one is not finite.
#[inline(always)]
fn in_places<S: Simd>(simd: S, [left, right]: [S::u16s; 2]) -> [S::f32s; 4] {
    // Without the sign, encodings ascend to those of infinities and NaNs.
    let largest = (left << 1).max(right << 1);
    if largest.simd_ge((F16::INFINITY << 1) as u16).any_true() {
        return [S::f32s::splat(simd, f32::NAN); 4];
    }
    let (a, b) = signed::<S>(left).widen();
    let (c, d) = signed::<S>(right).widen();
    [in_place::<S>(a), in_place::<S>(b), in_place::<S>(c), in_place::<S>(d)]
}

/// The exponent of a binary16, in the place of a binary32's, stands for so much less.
const F16_DOWN: i32 = 127 - 15;

/// A binary16 in the places of a binary32: 2^112 times too small, and not special.
#[inline(always)]
fn in_place<S: Simd>(encoding: S::i32s) -> S::f32s {
    // Copies of the sign are where the exponent has three bits more.
    ((encoding << 13) & !(7 << 28)).bitcast()
}

/// binary16 to binary32.
#[inline(always)]
fn half_to_single<S: Simd>(simd: S, encoding: S::i32s) -> S::f32s {
    let power =
        |exponent: i32| S::f32s::splat(simd, f32::from_bits(((127 + exponent) as u32) << 23));
    let x = in_place::<S>(encoding);
    // Infinities and NaNs have their fraction, too, where it belongs.
    let special = S::f32s::from_bits(x.to_bits() | f32::INFINITY.to_bits());
    x.abs().simd_ge(power(16 - F16_DOWN)).select(special, x * power(F16_DOWN))
}

#[inline(always)]
fn signed<S: Simd>(encodings: S::u16s) -> S::i16s {
    encodings.bitcast()
}

/// A bfloat16 number, by its encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct BF16(pub u16);

impl Format for BF16 {
    const BINARY: Binary = Binary::BF16;

    #[inline(always)]
    fn to_bits(self) -> u64 {
        self.0.into()
    }
    #[inline(always)]
    fn from_bits(bits: u64) -> Self {
        Self(bits as u16)
    }
}

float_element!(BF16);

impl Float for BF16 {
    type Digits = [i64; 11]; // 261 bits of magnitude + 63 + sign <= 352
    const ZERO: Self::Digits = [0; 11];
    type Lane = f32;

    #[inline(always)]
    fn load<S: Simd>(simd: S, data: &[Self]) -> [S::f64s; 4] {
        let (left, right) = load_u16(simd, data, |x| x.0).widen();
        widen::<S>((left << 16).bitcast(), (right << 16).bitcast())
    }
}

impl Holds<BF16> for f32 {
    #[inline(always)]
    fn load<S: Simd>(simd: S, data: &[BF16]) -> [S::f32s; 4] {
        let [left, right] = load_pair(simd, data, |x| x.0);
        let ((a, b), (c, d)) = (left.widen(), right.widen());
        [(a << 16).bitcast(), (b << 16).bitcast(), (c << 16).bitcast(), (d << 16).bitcast()]
    }
}

#[inline(always)]
fn widen<S: Simd>(left: S::f32s, right: S::f32s) -> [S::f64s; 4] {
    let (a, b) = left.widen();
    let (c, d) = right.widen();
    [a, b, c, d]
}

/// A vector of the encodings of 16-bit elements.
#[inline(always)]
fn load_u16<S: Simd, E: Copy>(simd: S, data: &[E], encoding: impl Fn(E) -> u16) -> S::u16s {
    let data = &data[..S::u16s::LEN];
    S::u16s::from_fn(simd, |i| encoding(data[i]))
}

/// Two of them.
#[inline(always)]
fn load_pair<S: Simd, E: Copy>(
    simd: S,
    data: &[E],
    encoding: impl Fn(E) -> u16 + Copy,
) -> [S::u16s; 2] {
    let (left, right) = data.split_at(S::u16s::LEN);
    [load_u16(simd, left, encoding), load_u16(simd, right, encoding)]
}
