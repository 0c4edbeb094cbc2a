//! Child processes that cannot outlive their parent, and that the terminal's Ctrl-C does not hit.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitStatus};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use tokio::time::Instant;

/// How often a process that was told to end is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// Signals for a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    Interrupt,
    Quit,
    Terminate,
    Kill,
    /// Freezes it, as a machine that swaps or is suspended does.
    Stop,
    /// Has it go on where it was stopped.
    Continue,
}

impl Signal {
    fn number(self) -> i32 {
        match self {
            Self::Interrupt => libc::SIGINT,
            Self::Quit => libc::SIGQUIT,
            Self::Terminate => libc::SIGTERM,
            Self::Kill => libc::SIGKILL,
            Self::Stop => libc::SIGSTOP,
            Self::Continue => libc::SIGCONT,
        }
    }
}

/// A child in a process group of its own, which gets a signal when this process dies however it dies.
///
/// Dropping it sends that signal too, without waiting for the end.
#[derive(Debug)]
pub struct Child {
    inner: std::process::Child,
    last_wish: Signal,
    /// Closed when the child is dropped, which lets the keeper thread end.
    _keeper: mpsc::Sender<()>,
}

impl Child {
    /// Starts the command. `last_wish` is the signal it gets when this process dies.
    ///
    /// # Errors
    /// What the operating system says against starting it.
    pub fn spawn(mut command: Command, last_wish: Signal) -> io::Result<Self> {
        command.process_group(0);
        bind_to_parent(&mut command, last_wish);
        let (keeper, dropped) = mpsc::channel();
        let (started, start) = mpsc::sync_channel(1);
        // The kernel ties the parent-death signal to the thread that forked, not to the process: on
        // a worker thread of an async runtime the child would be ended when that thread retires.
        thread::Builder::new()
            .name("child-keeper".into())
            .spawn(move || {
                if started.send(command.spawn()).is_ok() {
                    dropped.recv().ok();
                }
            })?;
        let inner = start.recv().map_err(io::Error::other)??;
        Ok(Self {
            inner,
            last_wish,
            _keeper: keeper,
        })
    }

    /// The process id, which is its process group's too.
    pub fn id(&self) -> u32 {
        self.inner.id()
    }

    /// Sends a signal; a child that has already ended is left alone.
    pub fn signal(&mut self, signal: Signal) {
        if matches!(self.inner.try_wait(), Ok(None)) {
            send(self.inner.id(), signal);
        }
    }

    /// How it ended, or none while it runs.
    ///
    /// # Errors
    /// The child is no longer ours to wait for.
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        self.inner.try_wait()
    }

    /// Waits for the end, at most `limit`; none if it still runs then.
    ///
    /// # Errors
    /// The child is no longer ours to wait for.
    pub async fn wait(&mut self, limit: Duration) -> io::Result<Option<ExitStatus>> {
        let deadline = Instant::now() + limit;
        loop {
            let status = self.inner.try_wait()?;
            if status.is_some() || Instant::now() >= deadline {
                return Ok(status);
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Asks it to end by `signal`, waits at most `limit`, then kills it.
    ///
    /// # Errors
    /// The child is no longer ours to wait for.
    pub async fn end(&mut self, signal: Signal, limit: Duration) -> io::Result<ExitStatus> {
        self.signal(signal);
        if let Some(status) = self.wait(limit).await? {
            return Ok(status);
        }
        self.inner.kill()?;
        self.inner.wait()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.signal(self.last_wish);
    }
}

/// Whether a process of this id exists (a zombie does not count where `/proc` can tell).
pub fn alive(pid: u32) -> bool {
    let Ok(pid_t) = i32::try_from(pid) else {
        return false;
    };
    // SAFETY: signal 0 sends nothing; `kill` touches no memory of ours.
    let answer = unsafe { libc::kill(pid_t, 0) };
    let exists = answer == 0 || io::Error::last_os_error().raw_os_error() == Some(libc::EPERM);
    exists && !zombie(pid)
}

/// The state is the first letter after the command's name, which may itself hold `)` and blanks.
fn zombie(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .ok()
        .and_then(|stat| Some(stat.rsplit_once(") ")?.1.starts_with('Z')))
        .unwrap_or(false)
}

/// Whether this process runs as root.
pub fn is_root() -> bool {
    // SAFETY: it only asks, and cannot fail.
    unsafe { libc::geteuid() == 0 }
}

/// Sends a signal to any process; one that is gone is not an error.
pub fn send(pid: u32, signal: Signal) {
    // 0 and negative numbers would mean whole process groups.
    if let Ok(pid) = i32::try_from(pid)
        && pid > 0
    {
        // SAFETY: `kill` touches no memory of ours.
        unsafe { libc::kill(pid, signal.number()) };
    }
}

#[cfg(target_os = "linux")]
fn bind_to_parent(command: &mut Command, last_wish: Signal) {
    let parent = std::process::id();
    let hook = move || {
        // SAFETY: both are plain system calls, allowed between fork and exec.
        let orphaned = unsafe {
            if libc::prctl(libc::PR_SET_PDEATHSIG, last_wish.number()) != 0 {
                return Err(io::Error::last_os_error());
            }
            libc::getppid()
        };
        // The parent may have died before the signal was asked for.
        if u32::try_from(orphaned) == Ok(parent) {
            Ok(())
        } else {
            Err(io::Error::from_raw_os_error(libc::ESRCH))
        }
    };
    // SAFETY: the hook allocates nothing and takes no lock.
    unsafe { command.pre_exec(hook) };
}

/// Elsewhere the kernel offers no such signal; the next start finds what was left.
#[cfg(not(target_os = "linux"))]
fn bind_to_parent(_command: &mut Command, _last_wish: Signal) {}
