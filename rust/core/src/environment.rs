//! The caller's floating-point environment: another library may have left a rounding mode or
//! flush-to-zero set in this thread.

use std::hint::black_box;

/// Whether additions round to nearest and keep subnormals, as the kernels need. A few additions tell,
/// in a nanosecond or two, and change no control bit; the exact path does not mind.
#[inline(always)]
pub(crate) fn is_default() -> bool {
    let one = black_box(1.0);
    let rounds_up = one + 0.75 * f64::EPSILON > 1.0; // not towards zero, nor down
    let rounds_down = one + 0.25 * f64::EPSILON == 1.0; // not up
    let subnormal = black_box(f64::MIN_POSITIVE / 4.0);
    let keeps_subnormals = (subnormal + subnormal).to_bits() != 0; // read and written
    rounds_up & rounds_down & keeps_subnormals
}
