use std::net::{Ipv4Addr, TcpListener};

use crate::cli::Failure;

/// A port, what it is for, and the variable that sets it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Port {
    pub variable: &'static str,
    pub purpose: &'static str,
    pub number: u16,
}

impl Port {
    /// Services listen on every address, so a program on any one of them is in the way.
    fn free(self) -> bool {
        TcpListener::bind((Ipv4Addr::UNSPECIFIED, self.number)).is_ok()
    }
}

/// Names every port that is taken, or given out twice, before anything is started.
pub(super) fn check(ports: impl Iterator<Item = Port>) -> Result<(), Failure> {
    let mut seen: Vec<Port> = Vec::new();
    let mut problems = Vec::new();
    for port in ports {
        let Port {
            variable,
            purpose,
            number,
        } = port;
        if let Some(twin) = seen.iter().find(|twin| twin.number == number) {
            problems.push(format!(
                "{variable} and {} are both {number}: give one another port",
                twin.variable
            ));
        } else if !port.free() {
            problems.push(format!(
                "port {number} for {purpose} is taken: free it or set {variable} to another one"
            ));
        }
        seen.push(port);
    }
    if problems.is_empty() {
        Ok(())
    } else {
        Err(Failure::work(problems.join("; ")))
    }
}
