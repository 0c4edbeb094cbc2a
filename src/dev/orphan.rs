//! Processes that a killed process left behind.

use std::fs;
use std::process::Command;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::child::{Signal, alive, send};

/// How long each signal may take before the next one.
const PATIENCE: Duration = Duration::from_secs(11);
const LOOK: Duration = Duration::from_millis(20);

/// What a process id of a former run stands for today.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// It was the process in question, and it is gone now.
    Ended,
    /// No such process.
    Nobody,
    /// The number has been given to some other process.
    Stranger,
}

/// Ends the process of this id if its command line says that it is the one in question: `mark` is a path in it.
/// The signals are sent one after the other, each only if the one before it did not do.
pub async fn end(pid: u32, mark: &str, signals: &[Signal]) -> Found {
    if !alive(pid) {
        return Found::Nobody;
    }
    // A process that ends meanwhile has no command line.
    let Some(command) = command_line(pid).filter(|command| !command.is_empty()) else {
        return Found::Nobody;
    };
    if !command.contains(mark) {
        return Found::Stranger;
    }
    for signal in signals {
        send(pid, *signal);
        if gone(pid).await {
            break;
        }
    }
    Found::Ended
}

async fn gone(pid: u32) -> bool {
    let deadline = Instant::now() + PATIENCE;
    while alive(pid) {
        if Instant::now() >= deadline {
            return false;
        }
        sleep(LOOK).await;
    }
    true
}

/// Linux tells it without help (`ps` is missing in small containers); other systems have `ps`.
fn command_line(pid: u32) -> Option<String> {
    if let Ok(bytes) = fs::read(format!("/proc/{pid}/cmdline")) {
        return Some(String::from_utf8_lossy(&bytes).into_owned());
    }
    let pid = pid.to_string();
    let output = Command::new("ps")
        .args(["-ww", "-o", "args=", "-p", &pid])
        .output()
        .ok()?;
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}
