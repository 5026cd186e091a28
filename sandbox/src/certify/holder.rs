//! The processes that hold a connection. A power cut is proved only if the killed process is the
//! one that held the connection to the sandbox.

use std::net::SocketAddr;

/// A process of this computer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Process {
    pub id: u32,
    pub name: String,
    /// The start of the process, so that another one with the same id is not mistaken for it.
    began: String,
}

impl Process {
    /// Returns whether the process still runs. A zombie does not.
    pub fn is_alive(&self) -> bool {
        system::process(self.id).is_some_and(|now| now.began == self.began)
    }
}

/// A connection, and the processes that hold the till's end of it.
#[derive(Debug)]
pub(super) struct Held {
    till: SocketAddr,
    server: SocketAddr,
    pub by: Vec<Process>,
}

impl Held {
    /// Finds the processes that hold the connection. None: they are on another computer, or this
    /// system does not say.
    pub fn find(till: SocketAddr, server: SocketAddr) -> Held {
        Held { till, server, by: holders(till, server) }
    }

    /// Returns a process that shows that the holder was not killed: none of the holders has ended,
    /// or one still has the connection. (A broker of the system, such as Wine's, has every
    /// connection and outlives the program.)
    pub fn survivor(&self) -> Option<Process> {
        let alive = self.by.iter().find(|process| process.is_alive())?;
        if self.by.iter().all(Process::is_alive) {
            return Some(alive.clone());
        }
        holders(self.till, self.server).into_iter().next()
    }
}

fn holders(till: SocketAddr, server: SocketAddr) -> Vec<Process> {
    system::ids(till.port(), server.port()).into_iter().filter_map(system::process).collect()
}

#[cfg(target_os = "linux")]
mod system {
    use std::collections::BTreeSet;
    use std::fs;

    use super::Process;

    /// Returns a process that runs.
    pub fn process(id: u32) -> Option<Process> {
        // PID (NAME) STATE … The 22nd field is the start time. The name may have spaces.
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        let (before, after) = (stat.split_once('(')?.1.rsplit_once(')')?.0, stat.rsplit_once(") ")?.1);
        let fields: Vec<&str> = after.split(' ').collect();
        let began = (*fields.get(19)?).to_owned();
        (!matches!(fields[0], "Z" | "X")).then_some(Process { id, name: before.to_owned(), began })
    }

    /// Returns the ids of the processes with a socket between these ports.
    pub fn ids(till: u16, server: u16) -> BTreeSet<u32> {
        let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(|table| fs::read_to_string(table).unwrap_or_default());
        let sockets: BTreeSet<String> = tables
            .iter()
            .flat_map(|table| table.lines().skip(1))
            .filter_map(|line| inode(line, till, server))
            .map(|inode| format!("socket:[{inode}]"))
            .collect();
        let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
        processes
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .filter(|id: &u32| !sockets.is_empty() && holds(*id, &sockets))
            .collect()
    }

    /// Returns the inode of a line of the table if the socket is between these ports.
    fn inode(line: &str, till: u16, server: u16) -> Option<&str> {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let port = |address: &str| u16::from_str_radix(address.rsplit(':').next()?, 16).ok();
        let is_between = port(fields.get(1)?)? == till && port(fields.get(2)?)? == server;
        is_between.then_some(*fields.get(9)?)
    }

    fn holds(id: u32, sockets: &BTreeSet<String>) -> bool {
        let files = fs::read_dir(format!("/proc/{id}/fd")).into_iter().flatten().flatten();
        files
            .filter_map(|file| fs::read_link(file.path()).ok())
            .any(|to| to.to_str().is_some_and(|to| sockets.contains(to)))
    }
}

#[cfg(windows)]
mod system {
    use std::collections::BTreeSet;
    use std::process::{Command, Stdio};

    use super::Process;

    /// Returns a process that runs.
    pub fn process(id: u32) -> Option<Process> {
        let mut tasklist = Command::new("tasklist");
        tasklist.args(["/NH", "/FO", "CSV", "/FI", &format!("PID eq {id}")]).stdin(Stdio::null());
        let listed = String::from_utf8_lossy(&tasklist.output().ok()?.stdout).into_owned();
        // "NAME","PID",…
        let line = listed.lines().find(|line| line.split("\",\"").nth(1) == Some(&id.to_string()))?;
        let name = line.trim_start_matches('"').split("\",\"").next()?;
        Some(Process { id, name: name.to_owned(), began: String::new() })
    }

    /// Returns the ids of the processes with a socket between these ports.
    pub fn ids(till: u16, server: u16) -> BTreeSet<u32> {
        let mut netstat = Command::new("netstat");
        let output = netstat.args(["-a", "-n", "-o"]).stdin(Stdio::null()).output();
        let listed = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
        listed.lines().filter_map(|line| id(line, till, server)).collect()
    }

    /// Returns the process of a line of netstat if its socket is between these ports.
    fn id(line: &str, till: u16, server: u16) -> Option<u32> {
        // Protocol, local address, remote address, state, process.
        let fields: Vec<&str> = line.split_whitespace().collect();
        let port = |address: &str| address.rsplit(':').next()?.parse::<u16>().ok();
        let is_between = *fields.first()? == "TCP" && port(fields.get(1)?)? == till && port(fields.get(2)?)? == server;
        is_between.then(|| fields.last()?.parse().ok())?
    }
}

#[cfg(not(any(target_os = "linux", windows)))]
mod system {
    use std::collections::BTreeSet;

    use super::Process;

    pub fn process(_: u32) -> Option<Process> {
        None
    }

    pub fn ids(_: u16, _: u16) -> BTreeSet<u32> {
        BTreeSet::new()
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn the_holder_of_a_connection_is_this_process() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let till = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let found = holders(till.local_addr().unwrap(), till.peer_addr().unwrap());
        assert_eq!(found.iter().map(|process| process.id).collect::<Vec<_>>(), [std::process::id()]);
        assert!(found[0].is_alive());
        let other = Process { began: "0".to_owned(), ..found[0].clone() };
        assert!(!other.is_alive());
        let held = |by| Held { till: till.local_addr().unwrap(), server: till.peer_addr().unwrap(), by };
        assert_eq!(held(found.clone()).survivor(), Some(found[0].clone()));
        // Another holder has ended, and this one still has the connection.
        assert_eq!(held(vec![other.clone(), found[0].clone()]).survivor(), Some(found[0].clone()));
        assert_eq!(held(vec![other]).survivor(), None);
        assert_eq!(holders(till.peer_addr().unwrap(), "127.0.0.1:1".parse().unwrap()), []);
    }
}
