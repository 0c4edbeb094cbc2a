//! How far a long file is.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::cli::producer::Outcome;

/// What takes less than this shows nothing.
const PATIENCE: Duration = Duration::from_secs(1);

/// On stderr, and only where that is a terminal.
pub struct Progress {
    bar: ProgressBar,
    started: Instant,
    visible: bool,
}

impl Progress {
    /// `bytes`: how much there is to read, if that is known.
    pub fn new(bytes: Option<u64>) -> Self {
        let bar = ProgressBar::with_draw_target(bytes, ProgressDrawTarget::hidden());
        let template = match bytes {
            Some(_) => "{bar:30} {percent:>3}%  {msg}  {eta} left",
            None => "{spinner} {msg}",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Self {
            bar,
            started: Instant::now(),
            visible: false,
        }
    }

    /// `bytes`: how much has been read.
    pub fn update(&mut self, bytes: u64, outcome: &Outcome) {
        if !self.visible && self.started.elapsed() >= PATIENCE {
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
            self.visible = true;
        }
        if self.visible {
            let Outcome {
                delivered, failed, ..
            } = outcome;
            self.bar
                .set_message(format!("{delivered} delivered, {failed} failed"));
        }
        self.bar.set_position(bytes);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
