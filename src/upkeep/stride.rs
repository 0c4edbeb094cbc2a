//! How many rows a step deletes: as many as it can without holding its locks for long.

use std::time::Duration;

/// No step deletes more rows.
pub const MOST_ROWS: usize = 5_000;

/// No step holds a lock for longer: the server ends it.
pub const LONGEST: Duration = Duration::from_millis(100);

/// With room for a slower next step.
const AIM: Duration = Duration::from_millis(50);

const FIRST_ROWS: usize = 1_000;

/// The number of rows of the next step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stride(usize);

impl Default for Stride {
    fn default() -> Self {
        Self(FIRST_ROWS)
    }
}

impl Stride {
    pub fn rows(self) -> usize {
        self.0
    }

    /// A step held its locks for `held`: the next may be larger, or is smaller.
    pub fn took(&mut self, held: Duration) {
        if held > AIM {
            self.0 = (self.0 / 2).max(1);
        } else if held < AIM / 2 {
            self.0 = (self.0 * 2).min(MOST_ROWS);
        }
    }

    /// A step was ended for taking too long. False if it could not be any smaller.
    pub fn shrink(&mut self) -> bool {
        let smaller = self.0 > 1;
        self.0 = (self.0 / 4).max(1);
        smaller
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grows_to_the_most_and_shrinks_to_one() {
        let mut stride = Stride::default();
        for _ in 0..10 {
            stride.took(Duration::from_millis(1));
        }
        assert_eq!(stride.rows(), MOST_ROWS);
        stride.took(Duration::from_millis(30));
        assert_eq!(stride.rows(), MOST_ROWS, "neither fast nor slow");
        stride.took(Duration::from_millis(60));
        assert_eq!(stride.rows(), MOST_ROWS / 2);
        while stride.shrink() {}
        assert_eq!(stride.rows(), 1);
    }
}
