use std::fs;
use std::path::{Path, PathBuf};

use payload_tracker::dev::child::Signal;
use rand::Rng;
use rand::rngs::StdRng;

use crate::support::Process;

const MOST: usize = 4;

struct Member {
    number: usize,
    process: Process,
}

/// The consumers of the group.
pub struct Fleet {
    members: Vec<Member>,
    started: usize,
    /// Where the logs of those that ended are kept.
    logs: PathBuf,
}

impl Fleet {
    pub fn new(logs: PathBuf) -> Self {
        fs::remove_dir_all(&logs).ok();
        fs::create_dir_all(&logs).unwrap();
        Self {
            members: Vec::new(),
            started: 0,
            logs,
        }
    }

    pub fn logs(&self) -> &Path {
        &self.logs
    }

    pub fn has_room(&self) -> bool {
        self.members.len() < MOST
    }

    pub fn has_one(&self) -> bool {
        self.members.len() == 1
    }

    /// Whether each is ready and has lanes.
    pub async fn all_read(&self) -> bool {
        for member in &self.members {
            let is_ready = matches!(member.process.probe("/ready").await, Some((200, _)));
            if !is_ready || !member.process.log().contains("lanes located") {
                return false;
            }
        }
        true
    }

    pub fn add(&mut self, process: Process) {
        self.started += 1;
        self.members.push(Member {
            number: self.started,
            process,
        });
    }

    pub async fn kill(&mut self, rng: &mut StdRng) {
        let mut member = self.take(rng);
        member.process.kill9().await;
        self.keep_log(&member);
    }

    /// Ends one in order, within 10 s.
    pub async fn stop(&mut self, rng: &mut StdRng) {
        let member = self.take(rng);
        self.end(member).await;
    }

    /// As `stop`, but leaves one.
    pub async fn shrink(&mut self, rng: &mut StdRng) {
        if self.members.len() > 1 {
            self.stop(rng).await;
        }
    }

    /// Freezes one; answers which.
    pub fn freeze(&mut self, rng: &mut StdRng) -> usize {
        let at = rng.random_range(0..self.members.len());
        self.members[at].process.signal(Signal::Stop);
        at
    }

    pub fn thaw(&mut self, at: usize) {
        self.members[at].process.signal(Signal::Continue);
    }

    /// # Panics
    /// When one ended that nobody ended.
    pub fn check(&mut self) {
        for member in &mut self.members {
            if let Some(status) = member.process.ended() {
                panic!("consumer {} ended by itself: {status}", member.number);
            }
        }
    }

    /// Ends all in order.
    pub async fn end_all(&mut self) {
        for member in std::mem::take(&mut self.members) {
            self.end(member).await;
        }
    }

    async fn end(&self, mut member: Member) {
        let status = member.process.terminate().await;
        self.keep_log(&member);
        assert!(status.success(), "consumer {}: {status}", member.number);
    }

    fn take(&mut self, rng: &mut StdRng) -> Member {
        self.members
            .swap_remove(rng.random_range(0..self.members.len()))
    }

    fn keep_log(&self, member: &Member) {
        let file = self.logs.join(format!("consumer-{}.log", member.number));
        fs::write(file, member.process.log()).unwrap();
    }
}
