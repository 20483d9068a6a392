//! Axes: which elements make a cell of the result, in the order of memory.
//!
//! An exact mean does not care about order, so axes may be reversed, sorted and merged at will.

use smallvec::SmallVec;

/// Bytes of lines that may come in another order than that of memory.
const LONG_LINE: usize = 6 << 10;

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

    /// The same from its other end.
    fn reverse(&mut self, first: &mut Place) {
        *first = first.moved(self, self.len as isize - 1);
        (self.data, self.mask, self.out) = (-self.data, -self.mask, -self.out);
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
                axis.reverse(first);
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

    /// Once they are sorted: has the last one come first of cells that are long lines of elements of `size` bytes side by
    /// side, or of a single cell's such lines. (Others stay in order: their next one comes best if it is the next in memory.)
    pub fn begin_at_the_end(&mut self, size: usize) {
        let Self { first, kept, reduced } = self;
        let Some((line, outer)) = reduced.split_last_mut() else { return };
        let len = size.saturating_mul(line.len);
        if line.data != size as isize || len < LONG_LINE {
            return;
        }
        let axes = match (kept.is_empty(), outer.is_empty()) {
            (true, _) => outer,
            (false, true) => kept.as_mut_slice(),
            (false, false) => return,
        };
        let apart = axes.iter_mut().filter(|axis| axis.data.unsigned_abs() >= len);
        apart.for_each(|axis| axis.reverse(first));
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The axes of some lengths and strides, outermost first.
    fn axes(axes: &[(usize, isize)]) -> PerAxis<Axis> {
        axes.iter().map(|&(len, data)| Axis { len, data, mask: data / 8, out: data / 2 }).collect()
    }

    /// Which axes, of the cells and of the elements within one, have another direction then; `first` is the last of these.
    fn turned(kept: &[(usize, isize)], reduced: &[(usize, isize)]) -> [Vec<bool>; 2] {
        let before = [axes(kept), axes(reduced)];
        let [kept, reduced] = before.clone();
        let (mut after, mut first) = (Layout { kept, reduced, ..Layout::default() }, 0);
        after.begin_at_the_end(8);
        let turned = [0, 1].map(|i| {
            let axes = [&after.kept, &after.reduced][i].iter().zip(&before[i]);
            let turned = axes.map(|(after, before)| {
                let is_turned = after != before;
                assert!(!is_turned || after.data == -before.data && after.len == before.len);
                first += if is_turned { (before.len as isize - 1) * before.data } else { 0 };
                is_turned
            });
            turned.collect()
        });
        assert_eq!(after.first, Place { data: first, mask: first / 8, out: first / 2 });
        turned
    }

    #[test]
    fn lines_that_are_long_come_from_the_end() {
        let long = (1000, 8);
        assert_eq!(turned(&[(5, 8000)], &[long]), [vec![true], vec![false]]);
        assert_eq!(turned(&[(3, 40_000), (5, 8000)], &[long]), [vec![true, true], vec![false]]);
        assert_eq!(turned(&[], &[(3, 16_000), long]), [vec![], vec![true, false]]);
        assert_eq!(turned(&[], &[long]), [vec![], vec![false]]);
        // Cells that overlap, or are copies:
        assert_eq!(turned(&[(5, 4000)], &[long]), [vec![false], vec![false]]);
        assert_eq!(turned(&[(5, 0)], &[long]), [vec![false], vec![false]]);
        // Short lines, elements that lie apart, and columns:
        assert_eq!(turned(&[(5, 800)], &[(100, 8)]), [vec![false], vec![false]]);
        assert_eq!(turned(&[(5, 16_000)], &[(1000, 16)]), [vec![false], vec![false]]);
        assert_eq!(turned(&[(1000, 8)], &[(5, 8000)]), [vec![false], vec![false]]);
        assert_eq!(turned(&[(5, 8000)], &[]), [vec![false], vec![]]);
        // Cells of several lines:
        let several = [(3, 40_000), long];
        assert_eq!(turned(&[(5, 8000)], &several), [vec![false], vec![false, false]]);
    }
}
