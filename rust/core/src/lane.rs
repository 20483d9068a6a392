//! The lanes that the kernel sums in, and how elements are loaded into them.

use crate::element::Float;
use crate::format::Format;
use fearless_simd::{prelude::*, u8x16, u8x32, u8x64, Simd, SimdFloatElement};

/// A format that lanes add in.
pub trait Lane: Format + SimdFloatElement {
    /// A lane takes fewer than 2^L steps in a block. More lengthen the blocks, and cost precision.
    const L: i32;
    /// Groups of four vectors in a block; a tail adds one. So many that what ends a block costs little.
    const ROUNDS: usize;
    /// With FMA the first anchor's biased exponent is a multiple of this.
    const STEP: i32;
    /// A mean whose last bit is below 2^SPARE units of the grid is too small for what they drop: for one
    /// window of 64 bits, and for the two of narrow lanes.
    const SPARE: u32;

    /// The most lanes in a group: 4 vectors of 512 bits.
    const MOST: usize = 4 * 512 / <Self as Format>::BITS as usize;
    /// Whether they drop so much that only some data suit them.
    const NARROW: bool = <Self as Format>::BITS < 64;

    /// What keeps some lanes of a group: from `MOST - k` on it drops the first k and keeps the rest; from
    /// `2 * MOST - k` on it keeps the first k.
    fn keep<'a>() -> &'a [Self::Bits];
    /// As many of the low bits as a lane has.
    fn low(bits: u64) -> Self::Bits;
    /// A lane's bits as two's complement.
    fn integer(bits: Self::Bits) -> i64;
    /// All bits of the lanes of a mask. (To AND with: a `select` looks at the signs once more.)
    fn lanes<S: Simd>(mask: <Self::Native<S> as SimdBase<S>>::Mask) -> Bits<S, Self>;
}

macro_rules! lane {
    ($float:ty, $bits:ty, $signed:ty, $l:expr, $rounds:expr, $step:expr, $spare:expr) => {
        impl Lane for $float {
            const L: i32 = $l;
            const ROUNDS: usize = $rounds;
            const STEP: i32 = $step;
            const SPARE: u32 = $spare;

            #[inline(always)]
            fn keep<'a>() -> &'a [$bits] {
                const MOST: usize = <$float as Lane>::MOST;
                static KEEP: [$bits; 3 * MOST] = {
                    let mut keep = [0; 3 * MOST];
                    let mut lane = MOST;
                    while lane < 2 * MOST {
                        keep[lane] = !0;
                        lane += 1;
                    }
                    keep
                };
                &KEEP
            }
            #[inline(always)]
            fn low(bits: u64) -> $bits {
                bits as $bits
            }
            #[inline(always)]
            fn integer(bits: $bits) -> i64 {
                (bits as $signed).into()
            }
            #[inline(always)]
            fn lanes<S: Simd>(mask: <Self::Native<S> as SimdBase<S>>::Mask) -> Bits<S, Self> {
                mask.to_vector().bitcast()
            }
        }

        const _: () = assert!(<$float>::ROUNDS + 1 < 1 << <$float>::L);
        // (They may be read in pairs.)
        const _: () = assert!(<$float>::ROUNDS.is_multiple_of(2));
    };
}

// L, ROUNDS, STEP, SPARE. Where the spacing of the mean is below 2^10 u1, a bound of u1 / 2 would meet a
// midpoint more than once in 2^10 times: zero-mean data, of which the second half need not be read
// twice. Below 2^5 u2 it is once in 2^5 times, and to read all again costs twice what narrow lanes save.
lane!(f32, u32, i32, 6, 62, 128, 5);
lane!(f64, u64, i64, 8, 248, 256, 10);

/// The mask of a vector.
type Mask<S, F> = <<F as SimdFloatElement>::Native<S> as SimdBase<S>>::Mask;

/// The bits of a vector.
pub type Bits<S, F> = <<F as SimdFloatElement>::Native<S> as SimdFloat<S>>::Bits;

/// Lanes that hold the elements `E` exactly.
pub trait Holds<E>: Lane {
    /// Elements are loaded 2^DOWN times smaller than they are.
    const DOWN: i32 = 0;
    /// Whether a lane is NaN where its element is, and no other.
    const KEEPS_NANS_APART: bool = true;

    /// Four vectors of consecutive elements: `data` has as many as they have lanes.
    fn load<S: Simd>(simd: S, data: &[E]) -> [Self::Native<S>; 4];

    /// The same with zeros for those that do not count, and a bit for each that does: where their byte in `mask` is
    /// not 0, and if they are no NaN that is skipped. (To count bits is little work, and none for the vectors'
    /// pipes.)
    #[inline(always)]
    fn load_counted<S: Simd>(
        simd: S,
        data: &[E],
        mask: Option<&[u8]>,
        skips: bool,
    ) -> ([Self::Native<S>; 4], u64) {
        let mut four = Self::load(simd, data);
        let given = mask.map(|mask| bits_of(simd, mask));
        let mut counts = given.unwrap_or(!0 >> (64 - data.len()));
        let mut numbers = 0;
        for (i, x) in four.iter_mut().enumerate() {
            let at = i * Self::Native::<S>::LEN;
            if skips {
                let number = x.simd_eq(*x);
                numbers |= number.to_bitmask() << at;
                *x = Self::Native::<S>::from_bits(x.to_bits() & Self::lanes::<S>(number));
            }
            if let Some(given) = given {
                let given = Mask::<S, Self>::from_bitmask(simd, given >> at);
                *x = Self::Native::<S>::from_bits(x.to_bits() & Self::lanes::<S>(given));
            }
        }
        if skips {
            counts &= numbers;
        }
        (four, counts)
    }

    /// The same of all that are no NaN, counted in lanes, in two's complement downwards: quicker where the bits of a
    /// mask are not at hand.
    #[inline(always)]
    fn load_numbers<S: Simd>(
        simd: S,
        data: &[E],
        counts: &mut Bits<S, Self>,
    ) -> [Self::Native<S>; 4] {
        let mut four = Self::load(simd, data);
        for x in &mut four {
            let number = Self::lanes::<S>(x.simd_eq(*x));
            *counts += number;
            *x = Self::Native::<S>::from_bits(x.to_bits() & number);
        }
        four
    }
}

/// A bit for each byte that is not 0: of as many as a group has elements, from 8 to 64.
#[inline(always)]
pub(crate) fn bits_of<S: Simd>(simd: S, mask: &[u8]) -> u64 {
    match mask.len() {
        64 => !u8x64::from_slice(simd, mask).simd_eq(0).to_bitmask(),
        32 => !u8x32::from_slice(simd, mask).simd_eq(0).to_bitmask() & 0xffff_ffff,
        16 => !u8x16::from_slice(simd, mask).simd_eq(0).to_bitmask() & 0xffff,
        _ => mask.iter().rev().fold(0, |bits, &byte| bits << 1 | u64::from(byte != 0)),
    }
}

impl<E: Float> Holds<E> for f64 {
    #[inline(always)]
    fn load<S: Simd>(simd: S, data: &[E]) -> [S::f64s; 4] {
        E::load(simd, data)
    }
}

impl Holds<f32> for f32 {
    #[inline(always)]
    fn load<S: Simd>(simd: S, data: &[f32]) -> [S::f32s; 4] {
        load(simd, data)
    }
}

/// Vectors of elements that are as wide as the lanes.
#[inline(always)]
pub(crate) fn load<S: Simd, F: SimdFloatElement, const W: usize>(
    simd: S,
    data: &[F],
) -> [F::Native<S>; W] {
    let len = F::Native::<S>::LEN;
    let data = &data[..W * len];
    std::array::from_fn(
        #[inline(always)]
        |i| F::Native::<S>::from_slice(simd, &data[i * len..][..len]),
    )
}
