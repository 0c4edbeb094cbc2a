//! What payloads did, added up.

use std::collections::BTreeMap;

use crate::explain::{Class, Path, Step, wait};
use crate::histogram::Histogram;

/// Lengths of time; what is read from them is at most an eighth off.
pub type Lengths = Histogram<8>;

/// Steps of one payload that are looked at: the first ones. Each is paired with each later one.
const MOST_STEPS: usize = 32;

/// Steps, and pairs of steps, that an hour keeps: the most frequent. There are far fewer, unless
/// somebody puts ids into names.
const MOST_ROWS: usize = 2_000;

/// What was seen of one step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Payloads that were there.
    pub passed: i64,
    /// Of those that it ended for.
    pub took: Lengths,
}

/// What was seen of some payloads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub payloads: i64,
    pub steps: BTreeMap<Step, Seen>,
    /// From leaving the first step to entering the second.
    pub waits: BTreeMap<(Step, Step), Lengths>,
}

impl Tally {
    pub fn add(&mut self, path: &Path) {
        self.payloads += 1;
        let stays = &path.stays()[..path.stays().len().min(MOST_STEPS)];
        for (index, stay) in stays.iter().enumerate() {
            let seen = self.steps.entry(stay.step()).or_default();
            seen.passed += 1;
            if stay.class() != Class::Progress {
                seen.took.add(stay.took());
            }
            for later in &stays[index + 1..] {
                let pair = (stay.step(), later.step());
                self.waits.entry(pair).or_default().add(wait(stay, later));
            }
        }
    }

    /// Leaves the most frequent rows.
    pub fn trim(&mut self) {
        keep_most(&mut self.steps, |seen| seen.passed);
        keep_most(&mut self.waits, Lengths::samples);
    }
}

fn keep_most<K: Ord + Copy, V>(rows: &mut BTreeMap<K, V>, weight: impl Fn(&V) -> i64) {
    if rows.len() <= MOST_ROWS {
        return;
    }
    let mut keys: Vec<(i64, K)> = rows.iter().map(|(key, row)| (-weight(row), *key)).collect();
    keys.sort_unstable();
    for (_, key) in &keys[MOST_ROWS..] {
        rows.remove(key);
    }
}

/// A histogram as pairs of bucket and count, as PostgreSQL writes an `integer[]`.
pub fn pairs(lengths: &Lengths) -> String {
    let pairs: Vec<String> = lengths
        .counts()
        .map(|(bucket, count)| format!("{bucket},{}", count.min(i32::MAX.into())))
        .collect();
    format!("{{{}}}", pairs.join(","))
}

/// Adds what [`pairs`] wrote.
pub fn add_pairs(lengths: &mut Lengths, pairs: &[i32]) {
    for pair in pairs.chunks_exact(2) {
        if let Ok(bucket) = usize::try_from(pair[0]) {
            lengths.add_to(bucket, pair[1].into());
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn pairs_give_back_what_they_were_made_from() {
        let mut lengths = Lengths::default();
        for millis in [0, 3, 3, 70_000] {
            lengths.add(TimeDelta::milliseconds(millis));
        }
        let text = pairs(&lengths);
        let numbers: Vec<i32> = text
            .trim_matches(['{', '}'])
            .split(',')
            .map(|number| number.parse().unwrap())
            .collect();
        let mut twice = lengths.clone();
        add_pairs(&mut twice, &numbers);
        assert_eq!(twice.samples(), 2 * lengths.samples());
        let mut once = Lengths::default();
        add_pairs(&mut once, &numbers);
        assert_eq!(once, lengths);
        assert_eq!(pairs(&Lengths::default()), "{}");
    }

    #[test]
    fn the_most_frequent_rows_stay() {
        let mut rows: BTreeMap<i64, i64> = (0..3_000).map(|n| (n, n)).collect();
        keep_most(&mut rows, |n| *n);
        assert_eq!(rows.len(), MOST_ROWS);
        assert_eq!(rows.first_key_value(), Some((&1_000, &1_000)));
    }
}
