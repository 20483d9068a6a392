//! What comes from far: how it is read, and asked for early.
//!
//! A core waits for some cache lines at once, and for others the hardware asks by itself, if it foresees
//! them. That is less than it could be where more is done with an element than to add it, at the end of each
//! page, and where eight rows are read in turn.

use crate::tile::{ROWS, TILE};
use std::hint::black_box;
use std::ops::Range;
use std::sync::OnceLock;

/// Bytes in a cache line.
pub const CACHE_LINE: usize = 64;
/// Rows so many bytes apart, or a multiple, that are asked for at one column in turn take 5 to 13 % longer than
/// at columns apart (measured on Zen 4): from the bits in which they differ, memory may choose no other bank.
const MEETING: usize = 2048;
/// Bytes of an array of which most come from memory.
pub const FAR: usize = 20 << 20;
/// Less is near everywhere, and shorter than what is read in streams in one go.
pub(crate) const NEAR: usize = 64 << 10;
/// Parts of a slice that are read at once.
pub(crate) const STREAMS: usize = 8;
/// How early what follows in one of several streams is asked for, in bytes: in turn with others it is time enough.
/// (On an Emerald Rapids 256 to 1024 differ by a few hundredths.)
const FOLLOWING: usize = 512;
/// The same in parts of a block that are read in turn. (There, 1 to 4 KB differ by a few hundredths.)
const IN_TURN: usize = 2 << 10;
/// No part of a block is shorter, but for two: the hardware has to find each anew.
const LEAST_PART: usize = 8 << 10;

/// From how many bytes on something is read otherwise (of fewer, in a nearer cache, it would cost a tenth), and how.
struct Limits {
    /// A table is not near any more: more than fits the second cache.
    near: usize,
    /// Of so many bytes the last block is read first.
    from_end: Range<usize>,
    /// What follows in a stream is asked for early.
    ahead: usize,
    /// So many are the parts of a block that are streams then.
    parts: usize,
    /// A slice is read in several streams.
    streams: usize,
    /// And what follows in each of these is asked for.
    following: bool,
    /// More columns of a table are read in one go, and what follows in each row is asked for.
    long: usize,
    /// The next rows of a table are asked for early.
    table: usize,
}

static LIMITS: OnceLock<Limits> = OnceLock::new();

/// As measured; or in tests all that can be read in streams is, or in parts that are asked for early.
fn limits() -> &'static Limits {
    LIMITS.get_or_init(|| if cfg!(test) { IN_STREAMS } else { measured() })
}

const IN_STREAMS: Limits = Limits {
    near: 0,
    from_end: NEAR..NEAR + NEAR / 2,
    ahead: 0,
    parts: 4,
    streams: 0,
    following: true,
    long: usize::MAX,
    table: usize::MAX,
};

/// From now on all that is long enough is read in streams, or in parts that are asked for early, whatever the machine, so
/// that a test can see it: the mean is the same. False where something has been read in another way already.
#[doc(hidden)]
pub fn read_in_streams() -> bool {
    LIMITS.get_or_init(|| IN_STREAMS).streams == IN_STREAMS.streams
}

impl Limits {
    /// As [`Reading::of`].
    fn reading(&self, bytes: usize, wide: bool) -> Reading {
        if bytes < self.near {
            Reading::Near
        } else if wide && bytes >= self.table {
            Reading::Far
        } else if wide && bytes >= self.long {
            Reading::Long
        } else {
            Reading::ByVector
        }
    }
}

/// As measured on four machines.
fn measured() -> Limits {
    const NONE: usize = usize::MAX;
    // Zen 4 foresees a stream by itself, and takes half as long again for one that is asked for too.
    // (Its second cache is 1 MB; that a table in there is better read as on Intel was not measured.)
    const ZEN_4: Limits = Limits {
        near: 0,
        from_end: 0..0,
        ahead: NONE,
        parts: 1,
        streams: NONE,
        following: false,
        long: NONE,
        table: FAR,
    };
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    {
        // Emerald Rapids. Its third cache is large, and as far as memory is elsewhere. The first cache can wait
        // for 16 lines, which are 15 GB/s from there; more comes if the second foresees it: of each stream by
        // itself, and the better the longer that is. So the rows that are next are not asked for (it takes up to
        // half as long again), but what follows in these. Of a long slice streams without an end are best; of elements
        // that lie apart, or do not all count, and of integers, parts of each block: from memory they take three
        // quarters to nine tenths of the time of one stream.
        //
        // What has made an array, or read it, has gone on to its end, as a rule, which is in the second cache then. From
        // there back, on a Granite Rapids, 4 MB take three quarters of the time, 8 MB six sevenths, 16 MB 93 %; and where
        // it is not there, hardly anything is lost. (But a tenth of what comes from memory.)
        const INTEL: Limits = Limits {
            near: 2 << 20,
            from_end: 2 << 20..FAR,
            ahead: 2 << 20,
            parts: 4,
            streams: 24 << 20,
            following: true,
            long: 2 << 20,
            table: NONE,
        };
        // Zen 3. Eight streams come in two thirds of the time of one, and so do eight rows of a table; to ask for
        // them as well does no good, but to one stream it does. (Both from so many bytes on: then no slice is read
        // in streams and twice, too. Fewer may be in the third cache, of which others have their share.)
        const ZEN_3: Limits = Limits {
            near: 0,
            from_end: 0..0,
            ahead: 13 << 20,
            parts: 1,
            streams: 13 << 20,
            following: false,
            long: NONE,
            table: NONE,
        };
        let cpu = raw_cpuid::CpuId::new();
        let vendor = cpu.get_vendor_info();
        let features = cpu.get_extended_feature_info();
        match vendor.as_ref().map(|it| it.as_str()) {
            Some("GenuineIntel") => return INTEL,
            Some("AuthenticAMD") if !features.is_some_and(|it| it.has_avx512f()) => {
                return ZEN_3; // and older ones, which were not measured
            }
            _ => {}
        }
    }
    ZEN_4
}

/// So many columns are long, and what is kept of them, six numbers each, still fits a second cache of 2 MB.
const LONG: usize = 10 * TILE;

/// How early what follows in a stream is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Ahead {
    /// So many bytes.
    pub bytes: usize,
    /// Whether it comes from memory, and is to be in the second cache; else in the first.
    pub is_far: bool,
}

impl Ahead {
    /// In a stream of so many bytes; `None` where it is not.
    #[inline(always)]
    pub fn of(bytes: usize) -> Option<Self> {
        if bytes < NEAR || bytes < limits().ahead {
            return None;
        }
        let is_far = bytes >= FAR;
        Some(Self { bytes: if is_far { 8 << 10 } else { 4 << 10 }, is_far })
    }
}

/// How blocks of elements are read, each in any order.
#[derive(Clone, Copy, Debug)]
pub struct Course {
    /// In so many parts of a block in turn (not 0), or in fewer;
    pub parts: usize,
    /// while what follows in each of these is asked for. `None`: in order.
    pub ahead: Option<Ahead>,
    /// Whether the last block is the first that is read.
    pub from_end: bool,
}

impl Course {
    /// One element after the other.
    pub const IN_ORDER: Self = Self { parts: 1, ahead: None, from_end: false };

    /// Of blocks of so many bytes in all.
    #[inline(always)]
    pub fn of(bytes: usize) -> Self {
        let Some(ahead) = Ahead::of(bytes) else { return Self::IN_ORDER };
        let parts = limits().parts;
        let in_turn = Ahead { bytes: IN_TURN, is_far: false };
        let ahead = Some(if parts > 1 { in_turn } else { ahead });
        Self { parts, ahead, from_end: limits().from_end.contains(&bytes) }
    }

    /// What some bytes are to be taken for `among` so many that are read one after the other: these come from as far as all,
    /// if they have parts that are worth it. (On Intel; elsewhere it is not measured.)
    #[inline(always)]
    pub fn bytes_among(bytes: usize, among: usize) -> usize {
        if bytes >= 2 * LEAST_PART && limits().parts > 1 {
            bytes.max(among)
        } else {
            bytes
        }
    }

    /// Gives `take` the places of all whole groups of `len` elements in a block, and with each the first of as many
    /// elements that are to be asked for, if there are any: so much further on in the same part, or after its end in
    /// that part of the block that is next.
    #[inline(always)]
    pub fn for_places(
        self,
        block: Range<usize>,
        len: usize,
        bytes_apart: usize,
        mut take: impl FnMut(usize, usize),
    ) {
        let (mut part, mut ahead) = (len, 0);
        if let Some(Ahead { bytes, .. }) = self.ahead {
            let parts = self.parts.min((block.len() * bytes_apart / LEAST_PART).max(2));
            part = (block.len() / len).div_ceil(parts) * len;
            ahead = bytes / bytes_apart;
        }
        // (In order each group is a part, and one step of the outer loop is all.)
        let end_of_part = block.start + part;
        let to_next = if self.from_end { block.len().wrapping_neg() } else { block.len() };
        for first in (block.start..end_of_part).step_by(len) {
            let is_within = first + ahead < end_of_part;
            let on = if is_within { ahead } else { to_next.wrapping_add(ahead).wrapping_sub(part) };
            let mut at = first;
            while at + len <= block.end {
                take(at, at.wrapping_add(on));
                at += part;
            }
        }
    }
}

/// How the rows of a table are read, eight at once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reading {
    /// [`TILE`] columns in one go, up to four vectors of each row at a time.
    Near,
    /// The same, but of float64 with AVX-512 vector by vector.
    ByVector,
    /// Ten times as many (twice, if of few rows), while what follows in each of the rows is asked for.
    Long,
    /// [`TILE`] columns, while the next eight rows are asked for.
    Far,
}

impl Reading {
    /// Of a table of so many bytes; `wide`: whether its rows are long, and read in place.
    pub fn of(bytes: usize, wide: bool) -> Self {
        limits().reading(bytes, wide)
    }

    /// The most columns that are read in one go.
    pub fn tile(self) -> usize {
        match self {
            Self::Near | Self::ByVector | Self::Far => TILE,
            Self::Long => LONG,
        }
    }
}

/// Whether a slice of so many bytes is read in several streams.
#[inline(always)]
pub(crate) fn in_streams(bytes: usize) -> bool {
    bytes >= NEAR && bytes >= limits().streams
}

/// Gives `take` all whole groups of `len` elements in a block, and of their mask, if there is one.
#[inline(always)]
pub(crate) fn for_groups<E>(
    course: Course,
    data: &[E],
    mask: Option<&[u8]>,
    block: Range<usize>,
    len: usize,
    mut take: impl FnMut(&[E], Option<&[u8]>),
) {
    // (Two loops: the first may be in a near cache.)
    let Some(ahead) = course.ahead else {
        let places = (block.start..).step_by(len);
        for (at, group) in places.zip(data[block].chunks_exact(len)) {
            take(group, mask.map(|mask| &mask[at..at + len]));
        }
        return;
    };
    course.for_places(
        block,
        len,
        size_of::<E>(),
        #[inline(always)]
        |at, next| {
            let next = next..next.wrapping_add(len);
            if let Some(mask) = mask {
                fetch_all(mask, next.clone(), ahead.is_far);
            }
            fetch_all(data, next, ahead.is_far);
            take(&data[at..at + len], mask.map(|mask| &mask[at..at + len]));
        },
    );
}

/// Asks for the elements of a range, if there are all: one look, and not one for each cache line.
#[inline(always)]
fn fetch_all<E>(data: &[E], range: Range<usize>, is_far: bool) {
    for line in data.get(range).unwrap_or_default().chunks(CACHE_LINE / size_of::<E>()) {
        prefetch(&line[0], is_far);
    }
}

/// Gives `take` groups of `len` elements, one of each of [`STREAMS`] ranges in turn: `first` is the first of them,
/// and each of the others begins so many elements after the one before.
#[inline(always)]
pub(crate) fn for_groups_in_streams<E>(
    data: &[E],
    first: Range<usize>,
    apart: usize,
    len: usize,
    mut take: impl FnMut(&[E]),
) {
    // (A number that the compiler does not know: all of them in one step would need more registers than there are.)
    let streams = black_box(STREAMS);
    let following = if limits().following { FOLLOWING / size_of::<E>() } else { 0 };
    for mut at in first.step_by(len) {
        for _ in 0..streams {
            if following != 0 {
                fetch(data, at + following..at + following + len, false);
            }
            take(&data[at..at + len]);
            at += apart;
        }
    }
}

/// Gives `take` the groups of `len` elements, an even number of them, and each once more from what the compiler cannot
/// know to be the same.
#[inline(always)]
pub(crate) fn for_groups_twice<E>(data: &[E], len: usize, mut take: impl FnMut(&[E], &[E])) {
    debug_assert!(data.len().is_multiple_of(2 * len));
    let again = black_box(data);
    for (pair, again) in data.chunks_exact(2 * len).zip(again.chunks_exact(2 * len)) {
        take(&pair[..len], &again[..len]);
        take(&pair[len..], &again[len..]);
    }
}

/// What is asked for while some rows are added, each row's group one by one: what is asked for at once is waited for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Early<'a, E> {
    /// Nothing.
    Nothing,
    /// What follows in each of the rows.
    Following,
    /// These rows, at the same columns.
    Next(&'a [&'a [E]]),
    /// These rows, so many elements further on in each than in the one before, and round.
    Skewed(&'a [&'a [E]], usize),
}

impl<'a, E> Early<'a, E> {
    /// The rows that are next, all that are not empty.
    pub fn next(rows: &'a [&'a [E]]) -> Self {
        let present = rows.iter().position(|row| row.is_empty()).unwrap_or(rows.len());
        let rows = &rows[..present];
        let place = |row: &[E]| row.as_ptr().addr() % MEETING;
        let Some((first, others)) = rows.split_first() else { return Self::Nothing };
        let meet = !others.is_empty() && others.iter().all(|row| place(row) == place(first));
        if !meet {
            return Self::Next(rows);
        }
        let line = CACHE_LINE / size_of::<E>();
        Self::Skewed(rows, (first.len() / ROWS).next_multiple_of(line))
    }

    /// Asks for what follows in a row, if that is what is asked for. (What [`Early::for_rows`] does for its rows.)
    #[inline(always)]
    pub fn ask_in(&self, row: &[E], group: Range<usize>) {
        if matches!(self, Self::Following) {
            let following = FOLLOWING / size_of::<E>();
            fetch(row, group.start + following..group.end + following, false);
        }
    }

    /// Gives `take` some rows, one by one, and asks meanwhile for what is needed when their `group` is done.
    #[inline(always)]
    pub fn for_rows<'b>(
        self,
        rows: impl Iterator<Item = &'b [E]>,
        group: Range<usize>,
        mut take: impl FnMut(&'b [E]),
    ) where
        E: 'b,
    {
        match self {
            // (A loop, here and elsewhere, for a `for_each` might not be compiled for the level.)
            Self::Nothing => {
                for row in rows {
                    take(row);
                }
            }
            Self::Following => {
                for row in rows {
                    self.ask_in(row, group.clone());
                    take(row);
                }
            }
            Self::Next(next) => {
                let mut next = next.iter();
                for row in rows {
                    if let Some(row) = next.next() {
                        fetch(row, group.clone(), true);
                    }
                    take(row);
                }
                for row in next {
                    fetch(row, group.clone(), true);
                }
            }
            Self::Skewed(next, skew) => {
                let (mut next, mut at) = (next.iter(), group.start);
                for row in rows {
                    if let Some(row) = next.next() {
                        fetch(row, at..at + group.len(), true);
                        at = around(at + skew, row.len());
                    }
                    take(row);
                }
                for row in next {
                    fetch(row, at..at + group.len(), true);
                    at = around(at + skew, row.len());
                }
            }
        }
    }
}

/// The same place in a row if that goes round. (In one of less than a cache line perhaps beyond it, where nothing is
/// asked for.)
#[inline(always)]
fn around(at: usize, len: usize) -> usize {
    if at < len {
        at
    } else {
        at - len
    }
}

/// Asks for the elements of a range, as far as there are any.
#[inline(always)]
pub(crate) fn fetch<E>(data: &[E], range: Range<usize>, is_far: bool) {
    let line = CACHE_LINE / size_of::<E>();
    for i in 0..range.len().div_ceil(line) {
        if let Some(x) = data.get(range.start + i * line) {
            prefetch(x, is_far);
        }
    }
}

/// A hint.
#[inline(always)]
fn prefetch<E>(x: &E, is_far: bool) {
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    if is_far {
        safe_arch::prefetch_t1(x);
    } else {
        safe_arch::prefetch_t0(x);
    }
    #[cfg(not(any(target_arch = "x86", target_arch = "x86_64")))]
    let _ = (x, is_far);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_read_as_its_size_says() {
        let limits = Limits { near: 10, long: 20, table: 30, ..IN_STREAMS };
        for (bytes, narrow, wide) in [
            (9, Reading::Near, Reading::Near),
            (10, Reading::ByVector, Reading::ByVector),
            (20, Reading::ByVector, Reading::Long),
            (30, Reading::ByVector, Reading::Far),
        ] {
            assert_eq!([false, true].map(|is_wide| limits.reading(bytes, is_wide)), [narrow, wide]);
        }
    }

    /// Each row once, in its order, whatever is asked for: more rows or fewer, and shorter ones than a cache line.
    #[test]
    fn rows_are_the_same_whatever_is_asked_for() {
        let data: Vec<u16> = (0..5000).collect();
        for (pitch, group) in [(3, 0..3), (600, 0..64), (600, 536..600), (20, 10..20)] {
            let rows: Vec<&[u16]> = data.chunks_exact(pitch).take(ROWS).collect();
            for next in [0, 1, 3, 8] {
                let next: Vec<&[u16]> =
                    data.chunks_exact(pitch / 2 + 1).skip(10).take(next).collect();
                let [skewed, more] = [32, 64].map(|skew| Early::Skewed(&next, skew));
                for early in [
                    Early::Nothing,
                    Early::Following,
                    Early::Next(&next),
                    Early::next(&next),
                    skewed,
                    more,
                ] {
                    for count in [0, 1, 7, ROWS] {
                        let mut got = vec![];
                        early.for_rows(rows[..count].iter().copied(), group.clone(), |row| {
                            got.push(row)
                        });
                        assert_eq!(got, rows[..count], "{early:?}");
                    }
                }
            }
        }
    }

    const AHEADS: [(usize, bool); 4] = [(0, true), (64, false), (2 << 10, false), (1 << 20, true)];

    /// Several parts in turn as well as one, and in order.
    fn courses() -> impl Iterator<Item = Course> {
        let ahead = |(bytes, is_far)| Some(Ahead { bytes, is_far });
        let of = move |parts| AHEADS.map(|it| Course { parts, ahead: ahead(it), from_end: false });
        let all = [1, 2, 4, 8].into_iter().flat_map(of).chain([Course::IN_ORDER]);
        all.flat_map(|course| [false, true].map(|from_end| Course { from_end, ..course }))
    }

    #[test]
    fn groups_are_the_same_on_each_course() {
        let data: Vec<u16> = (0..50_000).collect();
        let mask: Vec<u8> = data.iter().map(|x| (x % 251) as u8).collect();
        for course in courses() {
            for block in [0..0, 0..50_000, 7..8, 7..49_999, 40_000..50_000] {
                for len in [1, 8, 32, 4096] {
                    for mask in [None, Some(&mask[..])] {
                        let mut got = vec![];
                        let part = block.clone();
                        for_groups(course, &data, mask, part, len, |group, given| {
                            assert_eq!(group.len(), len);
                            let at = group[0] as usize;
                            assert_eq!(given, mask.map(|mask| &mask[at..at + len]));
                            got.extend_from_slice(group);
                        });
                        got.sort();
                        assert_eq!(got, data[block.clone()][..block.len() / len * len]);
                    }
                }
            }
        }
    }

    /// Of blocks one after the other every place is asked for before it is read, but for those that are read so early that
    /// there is no time to, and (where the last part is shorter) a few.
    #[test]
    fn what_follows_is_asked_for_before_it_is_read() {
        let (len, apart, blocks) = (32, 16, 5);
        let cases = [(1, 60), (2, 60), (4, 248), (4, 62), (4, 67)];
        for ((parts, groups), from_end) in
            cases.into_iter().flat_map(|it| [(it, false), (it, true)])
        {
            let ahead = Ahead { bytes: 2 << 10, is_far: false };
            let course = Course { parts, ahead: Some(ahead), from_end };
            let (mut asked, mut read) = (vec![], vec![]);
            for block in 0..blocks {
                let block = if from_end { blocks - 1 - block } else { block };
                let block = block * groups * len..(block + 1) * groups * len;
                course.for_places(block.clone(), len, apart, |at, next| {
                    read.push(at);
                    let is_too_late = read.contains(&next);
                    assert!(!is_too_late || groups % parts != 0 && next >= block.end);
                    asked.push(if is_too_late { usize::MAX } else { next });
                });
            }
            let when = |place: &usize| asked.iter().position(|next| next == place);
            for (at, time) in read.iter().zip(0..) {
                assert!(when(at).is_none_or(|asked| asked + ahead.bytes / apart / len <= time));
            }
            let early = ahead.bytes / apart / len * parts;
            let known = read.iter().filter(|at| asked.contains(at)).count();
            let uneven = groups % parts * blocks;
            assert!(known + early + uneven >= read.len(), "{parts} parts, {groups} groups");
        }
    }

    #[test]
    fn parts_take_turns() {
        let ahead = Some(Ahead { bytes: 2 << 10, is_far: false });
        let course = |parts| Course { parts, ahead, from_end: false };
        // (Groups of 4 KB.)
        for (parts, groups, want) in [
            (1, 5, vec![0, 1, 2, 3, 4]),
            (2, 5, vec![0, 3, 1, 4, 2]),
            (4, 2, vec![0, 1]),
            (4, 3, vec![0, 2, 1]),
            (4, 6, vec![0, 2, 4, 1, 3, 5]),
            (4, 7, vec![0, 3, 6, 1, 4, 2, 5]),
            (4, 8, vec![0, 2, 4, 6, 1, 3, 5, 7]),
        ] {
            let mut got = vec![];
            course(parts).for_places(0..groups * 512, 512, 8, |at, _| got.push(at / 512));
            assert_eq!(got, want, "{parts} parts of {groups} groups");
        }
    }

    #[test]
    fn streams_are_all_elements_once() {
        let data: Vec<usize> = (0..STREAMS * 96).collect();
        for len in [1, 4, 32, 96] {
            let mut got = vec![];
            for_groups_in_streams(&data, 0..96, 96, len, |group| {
                assert_eq!(group.len(), len);
                assert_eq!(group[0] / 96, got.len() / len % STREAMS);
                got.extend_from_slice(group);
            });
            got.sort();
            assert_eq!(got, data);
        }
    }
}
