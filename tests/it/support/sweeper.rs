use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Waits for the end of its input, which comes when the test process ends however it ends, then for the
/// server's lock file to be gone, and removes the folder.
const SWEEP: &str = r#"
cat >/dev/null
n=0
while [ -e "$1/$2" ] && [ $n -lt 100 ]; do sleep 0.1; n=$((n+1)); done
rm -rf -- "$1"
"#;

/// Removes a folder once its owner is dropped or this process has ended, however it ended.
pub struct Sweeper {
    _shell: Child,
}

/// `lock` is a file in the folder that goes when the server on it is gone.
pub fn sweep(folder: &Path, lock: &str) -> Sweeper {
    let shell = Command::new("sh")
        .args(["-c", SWEEP, "sh"])
        .arg(folder)
        .arg(lock)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .unwrap();
    Sweeper { _shell: shell }
}
