//! The exact mean of numbers, rounded once.
//!
//! [`mean`] returns RN((x₁ + … + xₙ) / n): the exact rational mean, rounded to nearest, ties to
//! even, into the result's format. The bits depend on the multiset of the elements alone.
//!
//! | file | what it knows |
//! |---|---|
//! | `format.rs` | IEEE 754 binary formats: decoding a number, and the single rounding of a quotient |
//! | `element.rs` | the element types: how each one becomes an integer multiple of its unit |
//! | `exact.rs` | the superaccumulator: the exact sum in integer digits |
#![forbid(unsafe_code)]

mod element;
mod exact;
mod format;

pub use element::{Element, Value};
pub use exact::ExactSum;
pub use format::Format;

/// The correctly rounded mean of `data`, or `None` where there is nothing to average.
///
/// A NaN anywhere, or +inf and -inf together, give the positive quiet NaN with payload 0; one kind
/// of infinity gives that infinity. Nothing else overflows on the way. An exact zero is +0.0, a
/// negative value that underflows is -0.0.
///
/// ```
/// use mean_core::mean;
/// assert_eq!(mean(&[1e308, 1e308]), Some(1e308));
/// assert_eq!(mean(&[1e100, 1.0, -1e100]), Some(1.0 / 3.0));
/// assert_eq!(mean::<f32>(&[]), None);
/// ```
pub fn mean<E: Element>(data: &[E]) -> Option<E::Mean> {
    let mut sum = ExactSum::new();
    sum.extend(data);
    sum.mean()
}
