//! What the system knows of connections on this machine.

use std::fs;

/// States in `/proc/net/tcp`.
const ESTABLISHED: &str = "01";
const LISTENING: &str = "0A";

/// A line of `/proc/net/tcp`.
struct Socket {
    port: u16,
    state: String,
    /// Bytes that have come and were not read, in hex.
    unread: String,
    /// 0 once its process has closed it.
    inode: String,
}

fn all() -> Vec<Socket> {
    let tables = ["tcp", "tcp6"].map(|table| fs::read_to_string(format!("/proc/net/{table}")));
    let lines = tables.iter().flatten().flat_map(|table| table.lines());
    lines.filter_map(socket).collect()
}

/// Number, local address, its peer's, state, what is queued, four more, and the inode.
fn socket(line: &str) -> Option<Socket> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let (_, port) = fields.get(1)?.rsplit_once(':')?;
    let (_, unread) = fields.get(4)?.split_once(':')?;
    Some(Socket {
        port: u16::from_str_radix(port, 16).ok()?,
        state: fields.get(3)?.to_string(),
        unread: unread.to_owned(),
        inode: fields.get(9)?.to_string(),
    })
}

/// Connections to this port that are not closed by who listens there.
pub fn open(port: u16) -> usize {
    let sockets = all().into_iter().filter(|socket| socket.port == port);
    sockets
        .filter(|socket| socket.state != LISTENING && socket.inode != "0")
        .count()
}

/// Whether something was sent to this port that is not read yet.
pub fn unread(port: u16) -> bool {
    all().iter().any(|socket| {
        socket.port == port
            && socket.state == ESTABLISHED
            && socket.unread.bytes().any(|digit| digit != b'0')
    })
}
