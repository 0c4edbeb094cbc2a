//! What processes used, as Linux counts it. Elsewhere it is not told.

use std::fs;
use std::time::Duration;

use sea_orm::sqlx;
use serde::Serialize;

use super::database::Database;
use crate::cli::Failure;

/// Linux tells CPU time in hundredths of a second, whatever the kernel's own clock.
const TICK: Duration = Duration::from_millis(10);

/// What a process used.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct Usage {
    /// Of user and system time, seconds.
    pub cpu_seconds: f64,
    /// The most memory that was resident, bytes.
    pub peak_rss_bytes: u64,
}

impl Usage {
    /// Of a process that runs.
    pub(super) fn of(pid: u32) -> Option<Self> {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let peak = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))?;
        let kib: u64 = peak.trim().trim_end_matches(" kB").parse().ok()?;
        Some(Self {
            cpu_seconds: Stat::of(pid)?.cpu.as_secs_f64(),
            peak_rss_bytes: kib * 1024,
        })
    }
}

/// A PostgreSQL server on this machine.
pub(super) struct Server {
    postmaster: u32,
}

impl Server {
    /// `None` where it runs elsewhere.
    ///
    /// # Errors
    ///
    /// What the database answers.
    pub(super) async fn of(database: &Database) -> Result<Option<Self>, Failure> {
        let mut session = database.pool.acquire().await?;
        let pid: i32 = sqlx::query_scalar("SELECT pg_backend_pid()")
            .fetch_one(&mut *session)
            .await?;
        let stat = u32::try_from(pid).ok().and_then(Stat::of);
        // Another machine's number may be anybody's here.
        let backend = stat.filter(|stat| stat.name == "postgres");
        Ok(backend.map(|stat| Self {
            postmaster: stat.parent,
        }))
    }

    /// CPU time of all its processes, those that have ended included, seconds.
    pub(super) fn cpu(&self) -> f64 {
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let spent: Duration = pids
            .filter_map(|pid| {
                let stat = Stat::of(pid)?;
                if pid == self.postmaster {
                    Some(stat.cpu + stat.ended)
                } else {
                    (stat.parent == self.postmaster).then_some(stat.cpu)
                }
            })
            .sum();
        spent.as_secs_f64()
    }
}

/// A line of /proc/PID/stat.
struct Stat {
    name: String,
    parent: u32,
    cpu: Duration,
    /// Of children that have ended.
    ended: Duration,
}

impl Stat {
    fn of(pid: u32) -> Option<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    /// `pid (name) state ppid ...`; a name may hold blanks and brackets.
    fn parse(line: &str) -> Option<Self> {
        let (start, rest) = line.rsplit_once(") ")?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let ticks = |field: usize| -> Option<Duration> {
            let ticks: u32 = fields.get(field)?.parse().ok()?;
            Some(TICK * ticks)
        };
        Some(Self {
            name: start.split_once('(')?.1.to_owned(),
            parent: fields.get(1)?.parse().ok()?,
            cpu: ticks(11)? + ticks(12)?,
            ended: ticks(13)? + ticks(14)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_stat_is_read_behind_any_name() {
        let line = "17 (a (b) c) S 4 17 17 0 -1 4194304 1 0 0 0 150 50 7 3 20 0 1 0 5 6 7";
        let stat = Stat::parse(line).unwrap();
        assert_eq!((stat.name.as_str(), stat.parent), ("a (b) c", 4));
        assert_eq!(stat.cpu, Duration::from_secs(2));
        assert_eq!(stat.ended, Duration::from_millis(100));
    }
}
