//! Who works on a window, and whether that process still lives.
//!
//! A live owner is left alone out of politeness only: should this judge wrongly, the chain still
//! lets one of the two commit (see [`crate::manifest::chain`]).

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

/// How long a version protects its owner (DESIGN §5).
pub const LEASE: TimeDelta = TimeDelta::seconds(60);

/// The process that works on a window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// The host's name.
    pub host: String,
    /// The kernel's boot id; empty where there is none (not Linux).
    pub boot_id: String,
    /// The process id.
    pub pid: u32,
    /// When the process started, in clock ticks since boot (`/proc/<pid>/stat`, field 22); 0 where unknown.
    pub started: u64,
    /// When the owner last wrote a version.
    pub heartbeat: DateTime<Utc>,
    /// The inode of the pid namespace: containers of one kernel number their processes apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid_namespace: Option<u64>,
}

/// What is known of an owner's process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sign {
    /// It is gone for certain.
    Gone,
    /// It runs, or it cannot be seen from here.
    Unknown,
}

impl Owner {
    /// This process, as of `now`.
    pub fn current(now: DateTime<Utc>) -> Self {
        let pid = std::process::id();
        Self {
            host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
            boot_id: read_trimmed("/proc/sys/kernel/random/boot_id").unwrap_or_default(),
            pid,
            started: stat_of(pid).map_or(0, |stat| stat.started),
            heartbeat: now,
            pid_namespace: pid_namespace(),
        }
    }

    /// Whether the window is to be left alone: the owner is not known to be gone, and its newest
    /// version is under [`LEASE`] old. A heartbeat as far in the future is a wrong clock, not life.
    pub fn is_live(&self, now: DateTime<Utc>) -> bool {
        (now - self.heartbeat).abs() < LEASE && self.sign(&Self::current(now)) == Sign::Unknown
    }

    fn sign(&self, here: &Self) -> Sign {
        let same_boot = !self.boot_id.is_empty() && self.boot_id == here.boot_id;
        let same_pids = match (self.pid_namespace, here.pid_namespace) {
            (Some(theirs), Some(ours)) => theirs == ours,
            _ => true,
        };
        if self.host != here.host || !same_boot || !same_pids {
            return Sign::Unknown;
        }
        match stat_of(self.pid) {
            None if is_hidden(self.pid) => Sign::Unknown,
            None => Sign::Gone,
            Some(stat) if stat.dead || (self.started != 0 && stat.started != self.started) => {
                Sign::Gone
            }
            Some(_) => Sign::Unknown,
        }
    }
}

/// The two fields of `/proc/<pid>/stat` that matter here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stat {
    /// A zombie still has an entry, but it writes no more.
    dead: bool,
    started: u64,
}

fn stat_of(pid: u32) -> Option<Stat> {
    parse_stat(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// proc(5): the command's name in parentheses may hold spaces and parentheses, so fields count from
/// the last `)`: state is field 3, starttime field 22.
fn parse_stat(text: &str) -> Option<Stat> {
    let (_, rest) = text.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace();
    let state = fields.next()?;
    let started = fields.nth(18)?.parse().ok()?;
    Some(Stat { dead: matches!(state, "Z" | "X" | "x"), started })
}

/// A process that answers a signal without an entry under `/proc`: mounted with `hidepid`.
fn is_hidden(pid: u32) -> bool {
    i32::try_from(pid)
        .ok()
        .and_then(rustix::process::Pid::from_raw)
        .is_some_and(|pid| rustix::process::test_kill_process(pid) != Err(rustix::io::Errno::SRCH))
}

fn read_trimmed(path: &str) -> Option<String> {
    std::fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

/// `/proc/self/ns/pid` is a link to `pid:[4026531836]`.
fn pid_namespace() -> Option<u64> {
    let link = std::fs::read_link("/proc/self/ns/pid").ok()?;
    link.to_str()?.strip_prefix("pid:[")?.strip_suffix(']')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_stat_behind_a_hostile_name() {
        let text = "42 (a) b (c)) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 777 20";
        assert_eq!(parse_stat(text), Some(Stat { dead: false, started: 777 }));
        let zombie = "42 (x) Z 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 7 20";
        assert_eq!(parse_stat(zombie), Some(Stat { dead: true, started: 7 }));
        assert_eq!(parse_stat("42 (x"), None);
    }

    #[test]
    fn this_process_is_live_until_its_lease_ends() {
        let now = Utc::now();
        let owner = Owner::current(now);
        assert!(owner.is_live(now));
        assert!(owner.is_live(now + TimeDelta::seconds(59)));
        assert!(!owner.is_live(now + TimeDelta::seconds(60)));
        assert!(!owner.is_live(now - TimeDelta::seconds(61)));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_process_that_is_gone_is_dead_at_once() {
        let now = Utc::now();
        let mut child = std::process::Command::new("true").spawn().expect("spawn");
        let pid = child.id();
        let started = stat_of(pid).map_or(0, |stat| stat.started);
        let gone = Owner { pid, started, ..Owner::current(now) };
        // A zombie first (not waited for), then no entry at all.
        while stat_of(pid).is_some_and(|stat| !stat.dead) {
            std::thread::yield_now();
        }
        assert!(!gone.is_live(now));
        child.wait().expect("wait");
        assert!(!gone.is_live(now));
        let reused = Owner { started: 1, ..Owner::current(now) };
        assert!(!reused.is_live(now), "another process under the same pid");
    }

    #[test]
    fn another_host_boot_or_pid_namespace_is_not_judged() {
        let now = Utc::now();
        let gone = Owner { pid: u32::MAX, ..Owner::current(now) };
        for elsewhere in [
            Owner { host: "elsewhere".into(), ..gone.clone() },
            Owner { boot_id: "other".into(), ..gone.clone() },
            Owner { pid_namespace: Some(1), ..gone },
        ] {
            assert!(elsewhere.is_live(now), "{elsewhere:?}");
        }
    }
}
