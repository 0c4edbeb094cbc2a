//! Lengths of time as a histogram: a few numbers that can be added up over batches, hours and
//! consumers.

use chrono::TimeDelta;

/// Doublings beyond the first millisecond: up to 2^31 ms (25 days), which no date that passes
/// validation reaches by default.
const DOUBLINGS: usize = 31;

/// How often which length of time came, positive or negative.
///
/// The middle bucket holds what is shorter than a millisecond. On either side of it each doubling,
/// from 2^k ms up to but not including 2^(k+1) ms, is divided into `PARTS` buckets of equal width; the
/// outermost hold everything beyond. So what is read from it is off by a factor of at most
/// 1 + 1/`PARTS`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histogram<const PARTS: usize>(Vec<i64>);

impl<const PARTS: usize> Default for Histogram<PARTS> {
    fn default() -> Self {
        Self(vec![0; 2 * Self::SIDE + 1])
    }
}

impl<const PARTS: usize> Histogram<PARTS> {
    /// Buckets of either sign.
    const SIDE: usize = DOUBLINGS * PARTS;

    /// Counts one.
    pub fn add(&mut self, length: TimeDelta) {
        self.0[Self::bucket(length)] += 1;
    }

    /// Counts `n` of bucket `index`, from 0; one that does not exist is left out.
    pub fn add_to(&mut self, index: usize, n: i64) {
        if let Some(count) = self.0.get_mut(index) {
            *count += n;
        }
    }

    /// How many are in it.
    pub fn samples(&self) -> i64 {
        self.0.iter().sum()
    }

    /// Each bucket that is not empty, with what it holds.
    pub fn counts(&self) -> impl Iterator<Item = (usize, i64)> {
        let all = self.0.iter().copied().enumerate();
        all.filter(|(_, count)| *count != 0)
    }

    /// What the part `q` (0 to 1) do not exceed, in seconds; `None` while it is empty.
    ///
    /// Within a bucket they are taken to lie evenly. So the answer has the sign of the true one and
    /// lies in its bucket.
    pub fn quantile(&self, q: f64) -> Option<f64> {
        let samples = self.samples();
        let rank = ((q * samples as f64).ceil()).clamp(1.0, samples.max(1) as f64);
        let mut before = 0.0;
        for (index, count) in self.0.iter().enumerate() {
            let count = *count as f64;
            if count > 0.0 && before + count >= rank {
                let (low, high) = Self::bounds(index);
                let part = (rank - before - 0.5) / count;
                return Some((low + (high - low) * part) / 1_000.0);
            }
            before += count;
        }
        None
    }

    /// As PostgreSQL writes a `bigint[]`.
    pub fn literal(&self) -> String {
        let counts: Vec<String> = self.0.iter().map(i64::to_string).collect();
        format!("{{{}}}", counts.join(","))
    }

    fn bucket(length: TimeDelta) -> usize {
        let millis = length.num_milliseconds();
        // Beyond the outermost bucket there is nothing to tell apart.
        let size = millis.unsigned_abs().min(1 << DOUBLINGS);
        if size == 0 {
            return Self::SIDE;
        }
        let doubling = size.ilog2() as usize;
        let part = ((size - (1 << doubling)) as usize * PARTS) >> doubling;
        let steps = (doubling * PARTS + part + 1).min(Self::SIDE);
        if millis < 0 {
            Self::SIDE - steps
        } else {
            Self::SIDE + steps
        }
    }

    /// From where to where a bucket reaches, milliseconds.
    fn bounds(index: usize) -> (f64, f64) {
        let edge = |steps: usize| {
            let part = (steps % PARTS) as f64 / PARTS as f64;
            (1_u64 << (steps / PARTS)) as f64 * (1.0 + part)
        };
        match index.cmp(&Self::SIDE) {
            std::cmp::Ordering::Equal => (-1.0, 1.0),
            std::cmp::Ordering::Greater => {
                let steps = index - Self::SIDE;
                (edge(steps - 1), edge(steps))
            }
            std::cmp::Ordering::Less => {
                let steps = Self::SIDE - index;
                (-edge(steps), -edge(steps - 1))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of<const PARTS: usize>(millis: impl IntoIterator<Item = i64>) -> Histogram<PARTS> {
        let mut histogram = Histogram::default();
        for millis in millis {
            histogram.add(TimeDelta::milliseconds(millis));
        }
        histogram
    }

    fn each_lies_within_the_bounds_of_its_bucket<const PARTS: usize>() {
        let sizes = [0, 1, 2, 3, 4, 7, 500, 1_000, 1_023, 1_024, 86_400_000];
        for millis in sizes.into_iter().flat_map(|size| [size, -size]) {
            let index = Histogram::<PARTS>::bucket(TimeDelta::milliseconds(millis));
            let (low, high) = Histogram::<PARTS>::bounds(index);
            let millis = millis as f64;
            assert!(low <= millis && millis <= high, "{low} {millis} {high}");
        }
        let bucket = Histogram::<PARTS>::bucket;
        let side = Histogram::<PARTS>::SIDE;
        assert_eq!(bucket(TimeDelta::microseconds(-999)), side);
        assert_eq!(bucket(TimeDelta::MAX), 2 * side);
        assert_eq!(bucket(TimeDelta::MIN), 0);
    }

    #[test]
    fn each_length_lies_within_the_bounds_of_its_bucket() {
        each_lies_within_the_bounds_of_its_bucket::<1>();
        each_lies_within_the_bounds_of_its_bucket::<8>();
    }

    /// Rows of clock skew are stored in this order.
    #[test]
    fn one_part_a_doubling_is_63_buckets() {
        let histogram = of::<1>([-1, 0, 1, 2, 3, 4]);
        let counts: Vec<_> = histogram.counts().collect();
        assert_eq!(counts, [(30, 1), (31, 1), (32, 1), (33, 2), (34, 1)]);
        assert_eq!(histogram.literal().split(',').count(), 63);
    }

    fn quantiles_are_within<const PARTS: usize>() {
        let histogram = of::<PARTS>((1..=1_000).chain([-5_000; 3]));
        assert_eq!(histogram.samples(), 1_003);
        let most = 1.0 + 1.0 / PARTS as f64;
        for (q, truth) in [(0.001, -5.0), (0.5, 0.5), (0.99, 0.99), (1.0, 1.0)] {
            let read = histogram.quantile(q).unwrap() / truth;
            assert!((1.0 / most..=most).contains(&read), "{PARTS} {q}: {read}");
        }
        assert_eq!(Histogram::<PARTS>::default().quantile(0.5), None);
        let none = of::<PARTS>([0; 10]).quantile(0.99).unwrap();
        assert!(none.abs() < 0.001, "{none}");
    }

    #[test]
    fn quantiles_are_off_by_no_more_than_a_bucket() {
        quantiles_are_within::<1>();
        quantiles_are_within::<8>();
    }
}
