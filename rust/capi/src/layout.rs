//! Axes: which elements make a cell of the result, in the order of memory.
//!
//! An exact mean does not care about order, so axes may be reversed, sorted and merged at will.

use smallvec::SmallVec;

/// Something for each axis: allocated only where there are more than usual.
pub(crate) type PerAxis<T> = SmallVec<[T; 4]>;

/// One axis of the array, the mask and the result: its length, and its stride in bytes in each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Axis {
    pub len: usize,
    pub data: isize,
    pub mask: isize,
    /// 0 for an axis that is reduced.
    pub out: isize,
}

impl Axis {
    /// An axis of one element.
    pub const ONE: Self = Self { len: 1, data: 0, mask: 0, out: 0 };

    /// Whether this axis and the one inside it are but one longer axis.
    fn continues(&self, inner: &Self) -> bool {
        let joins = |outer: isize, inner_stride: isize| {
            inner_stride.checked_mul(inner.len as isize) == Some(outer)
        };
        joins(self.data, inner.data) && joins(self.mask, inner.mask) && joins(self.out, inner.out)
    }
}

/// A place in the array, the mask and the result, in bytes from their first elements.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    pub data: isize,
    pub mask: isize,
    pub out: isize,
}

impl Place {
    pub fn moved(self, axis: &Axis, steps: isize) -> Self {
        Self {
            data: self.data + axis.data * steps,
            mask: self.mask + axis.mask * steps,
            out: self.out + axis.out * steps,
        }
    }
}

/// The axes of the cells and of the elements within a cell, and where they begin once they are sorted.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Layout {
    pub first: Place,
    pub kept: PerAxis<Axis>,
    pub reduced: PerAxis<Axis>,
}

impl Layout {
    /// Brings the axes, none of which is empty, into the order of memory, outermost first.
    pub fn sort(&mut self) {
        let Self { first, kept, reduced } = self;
        // What is repeated does not change a mean.
        reduced.retain(|axis| axis.data != 0 || axis.mask != 0);
        for axes in [kept, reduced] {
            axes.retain(|axis| axis.len != 1);
            for axis in axes.iter_mut().filter(|axis| axis.data < 0) {
                *first = first.moved(axis, axis.len as isize - 1);
                (axis.data, axis.mask, axis.out) = (-axis.data, -axis.mask, -axis.out);
            }
            axes.sort_by_key(|axis| std::cmp::Reverse(axis.data));
            // From the innermost outwards.
            for outer in (0..axes.len().saturating_sub(1)).rev() {
                if axes[outer].continues(&axes[outer + 1]) {
                    axes[outer] =
                        Axis { len: axes[outer].len * axes[outer + 1].len, ..axes[outer + 1] };
                    axes.remove(outer + 1);
                }
            }
        }
    }
}

/// Every index of some axes, the last axis fastest.
#[derive(Clone)]
pub(crate) struct Odometer<'a> {
    axes: &'a [Axis],
    index: PerAxis<usize>,
    pub place: Place,
}

impl<'a> Odometer<'a> {
    pub fn new(axes: &'a [Axis], first: Place) -> Self {
        Self { axes, index: PerAxis::from_elem(0, axes.len()), place: first }
    }

    /// Goes to the first index, at `place`.
    pub fn start_at(&mut self, place: Place) {
        self.index.fill(0);
        self.place = place;
    }

    /// Goes to the next index; false, and at the first again, after the last.
    pub fn advance(&mut self) -> bool {
        for (axis, index) in self.axes.iter().zip(&mut self.index).rev() {
            *index += 1;
            if *index < axis.len {
                self.place = self.place.moved(axis, 1);
                return true;
            }
            *index = 0;
            self.place = self.place.moved(axis, 1 - axis.len as isize);
        }
        false
    }
}
