//! Clock skew as a histogram: a few numbers that can be added up over batches, hours and consumers.

use chrono::TimeDelta;

/// Buckets of either sign beyond the first millisecond: each twice as wide as the one before it, up to
/// 2^31 ms (25 days), which no date that passes validation reaches by default.
const SIDE: usize = 31;

/// Buckets of a histogram: `SIDE` of negative skew, one of less than a millisecond, `SIDE` of positive.
pub const BUCKETS: usize = 2 * SIDE + 1;

/// How many messages had which skew: Kafka's timestamp minus the message's date.
///
/// Positive: the message says it happened before Kafka had it, as is usual. Negative: the
/// producer's clock is ahead. With the middle bucket as 0, bucket k holds skews from 2^(k-1) ms up to,
/// but not including, 2^k ms, and bucket -k their negatives; the outermost hold everything beyond.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histogram([i64; BUCKETS]);

impl Default for Histogram {
    fn default() -> Self {
        Self([0; BUCKETS])
    }
}

impl Histogram {
    /// Counts one message.
    pub fn add(&mut self, skew: TimeDelta) {
        self.0[bucket(skew)] += 1;
    }

    /// Counts `messages` of bucket `index`, from 0; one that does not exist is left out.
    pub fn add_to(&mut self, index: usize, messages: i64) {
        if let Some(count) = self.0.get_mut(index) {
            *count += messages;
        }
    }

    /// Messages in it.
    pub fn messages(&self) -> i64 {
        self.0.iter().sum()
    }

    /// The skew that the part `q` (0 to 1) of the messages do not exceed, in seconds; `None` without
    /// messages.
    ///
    /// Within a bucket messages are taken to lie evenly. So the answer has the sign of the true one and
    /// is between half and twice of it, or both are below a millisecond.
    pub fn quantile(&self, q: f64) -> Option<f64> {
        let messages = self.messages();
        let rank = ((q * messages as f64).ceil()).clamp(1.0, messages.max(1) as f64);
        let mut before = 0.0;
        for (index, count) in self.0.iter().enumerate() {
            let count = *count as f64;
            if count > 0.0 && before + count >= rank {
                let (low, high) = bounds(index);
                let part = (rank - before - 0.5) / count;
                return Some((low + (high - low) * part) / 1_000.0);
            }
            before += count;
        }
        None
    }

    /// As PostgreSQL writes a `bigint[]`.
    pub(super) fn literal(&self) -> String {
        let counts: Vec<String> = self.0.iter().map(i64::to_string).collect();
        format!("{{{}}}", counts.join(","))
    }
}

fn bucket(skew: TimeDelta) -> usize {
    // Beyond what 64 bits of milliseconds hold there is nothing to tell apart.
    let millis = skew.num_milliseconds();
    match millis.unsigned_abs() {
        0 => SIDE,
        size => {
            let steps = (size.ilog2() as usize + 1).min(SIDE);
            if millis < 0 {
                SIDE - steps
            } else {
                SIDE + steps
            }
        }
    }
}

/// From where to where a bucket reaches, milliseconds.
fn bounds(index: usize) -> (f64, f64) {
    let power = |steps: usize| (1_u64 << steps) as f64;
    match index.cmp(&SIDE) {
        std::cmp::Ordering::Equal => (-1.0, 1.0),
        std::cmp::Ordering::Greater => (power(index - SIDE - 1), power(index - SIDE)),
        std::cmp::Ordering::Less => (-power(SIDE - index), -power(SIDE - index - 1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(millis: impl IntoIterator<Item = i64>) -> Histogram {
        let mut histogram = Histogram::default();
        for millis in millis {
            histogram.add(TimeDelta::milliseconds(millis));
        }
        histogram
    }

    #[test]
    fn each_skew_lies_within_the_bounds_of_its_bucket() {
        for millis in [
            0,
            1,
            2,
            3,
            4,
            1_000,
            86_400_000,
            -1,
            -2,
            -3,
            -500,
            -86_400_000,
        ] {
            let (low, high) = bounds(bucket(TimeDelta::milliseconds(millis)));
            let millis = millis as f64;
            assert!(low <= millis && millis <= high, "{low} {millis} {high}");
        }
        assert_eq!(bucket(TimeDelta::microseconds(-999)), SIDE);
        assert_eq!(bucket(TimeDelta::MAX), BUCKETS - 1);
        assert_eq!(bucket(TimeDelta::MIN), 0);
    }

    #[test]
    fn quantiles_are_within_a_factor_of_two() {
        let histogram = of((1..=1_000).chain([-5_000; 3]));
        assert_eq!(histogram.messages(), 1_003);
        for (q, truth) in [(0.001, -5.0), (0.5, 0.5), (0.99, 0.99), (1.0, 1.0)] {
            let read = histogram.quantile(q).unwrap();
            assert!((0.5..=2.0).contains(&(read / truth)), "{q}: {read} {truth}");
        }
        assert_eq!(Histogram::default().quantile(0.5), None);
        let none = of([0; 10]).quantile(0.99).unwrap();
        assert!(none.abs() < 0.001, "{none}");
    }
}
