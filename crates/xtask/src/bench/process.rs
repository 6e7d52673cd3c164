//! Runs a program on chosen cores and watches its CPU time, and everybody else's.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::Outcome;

/// Ticks per second in `/proc`; Linux shows 100 to every program, whatever it counts with.
const TICKS_PER_S: f64 = 100.0;
/// How often the program's CPU time is read: often enough to tell phases apart, too seldom to disturb.
const LOOK: Duration = Duration::from_millis(20);

/// What a program did while it was watched; all times are seconds since its start.
pub(crate) struct Watched {
    /// Lines of standard output and when each came.
    pub(crate) lines: Vec<(f64, String)>,
    /// CPU seconds that it had used, as time went on.
    cpu: Vec<(f64, f64)>,
    /// Cores that anything else on the machine kept busy on average, the hypervisor included.
    pub(crate) others_cores: f64,
}

impl Watched {
    /// CPU seconds used between two times.
    pub(crate) fn cpu_between(&self, from_s: f64, to_s: f64) -> f64 {
        self.cpu_until(to_s) - self.cpu_until(from_s)
    }

    fn cpu_until(&self, at_s: f64) -> f64 {
        let after = self.cpu.partition_point(|(time_s, _)| *time_s < at_s);
        let (Some(low), Some(high)) = (self.cpu.get(after.wrapping_sub(1)), self.cpu.get(after))
        else {
            return self
                .cpu
                .get(after.min(self.cpu.len().saturating_sub(1)))
                .map_or(0.0, |it| it.1);
        };
        let share = (at_s - low.0) / (high.0 - low.0);
        low.1 + share * (high.1 - low.1)
    }
}

/// A program that runs on these cores only.
pub(crate) fn pinned(cores: &str, program: &Path) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", cores]).arg(program);
    command
}

/// Runs a program to its end; its complaints go to the file `log` and, if it fails, into the failure.
pub(crate) fn watch(command: &mut Command, input: &[u8], log: &Path) -> Outcome<Watched> {
    let name = command.get_args().nth(2).unwrap_or_default().to_string_lossy().into_owned();
    let failed = |error: std::io::Error| format!("could not run {name}: {error}");
    let complaints = File::create(log).map_err(failed)?;
    let machine_s = machine_cpu_s()?;
    let children_s = own_children_cpu_s()?;
    let start = Instant::now();
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(complaints)
        .spawn()
        .map_err(failed)?;
    let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
    let (lines, cpu, status) = std::thread::scope(|scope| {
        // Both end when the program does, whether or not it read all of its input.
        scope.spawn(move || stdin.map(|mut stdin| stdin.write_all(input)));
        let reader = scope.spawn(move || {
            let lines = stdout.into_iter().flat_map(|stdout| BufReader::new(stdout).lines());
            let lines = lines.map_while(Result::ok);
            lines.map(|line| (start.elapsed().as_secs_f64(), line)).collect::<Vec<_>>()
        });
        let (cpu, status) = look(&mut child, start);
        (reader.join().unwrap_or_default(), cpu, status)
    });
    let wall_s = start.elapsed().as_secs_f64();
    let status = status.map_err(failed)?;
    if !status.success() {
        let complaints = fs::read_to_string(log).unwrap_or_default();
        let last: Vec<&str> = complaints.lines().rev().take(5).collect();
        let last: Vec<&str> = last.into_iter().rev().collect();
        return Err(format!("{name} failed ({status}): {}", last.join("\n")));
    }
    let others_s = (machine_cpu_s()? - machine_s) - (own_children_cpu_s()? - children_s);
    Ok(Watched { lines, cpu, others_cores: (others_s / wall_s).max(0.0) })
}

/// Reads the program's CPU time until it ends.
fn look(
    child: &mut Child,
    start: Instant,
) -> (Vec<(f64, f64)>, std::io::Result<std::process::ExitStatus>) {
    let mut cpu = vec![(0.0, 0.0)];
    loop {
        if let Some(cpu_s) = cpu_s(child.id()) {
            cpu.push((start.elapsed().as_secs_f64(), cpu_s));
        }
        match child.try_wait() {
            Ok(None) => std::thread::sleep(LOOK),
            Ok(Some(status)) => return (cpu, Ok(status)),
            Err(error) => return (cpu, Err(error)),
        }
    }
}

/// CPU seconds of a process and of those of its children that ended.
fn cpu_s(pid: u32) -> Option<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    Some(stat_fields(&stat)?.iter().sum::<f64>() / TICKS_PER_S)
}

/// CPU seconds of a process, of those of its children that ended, and of all processes below it.
pub(crate) fn tree_cpu_s(pid: u32) -> f64 {
    let processes: Vec<(u32, u32, f64)> = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let pid = entry.ok()?.file_name().to_str()?.parse().ok()?;
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
            let (_, fields) = stat.rsplit_once(')')?;
            let parent = fields.split_whitespace().nth(1)?.parse().ok()?;
            Some((pid, parent, stat_fields(&stat)?.iter().sum::<f64>() / TICKS_PER_S))
        })
        .collect();
    let mut tree = vec![pid];
    let mut next = 0;
    while let Some(&parent) = tree.get(next) {
        let children = processes.iter().filter(|process| process.1 == parent);
        tree.extend(children.map(|process| process.0));
        next += 1;
    }
    processes.iter().filter(|process| tree.contains(&process.0)).map(|process| process.2).sum()
}

/// CPU seconds of a process alone.
pub(crate) fn own_cpu_s(pid: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat_fields(&stat).map_or(0.0, |[user, system, ..]| (user + system) / TICKS_PER_S)
}

/// CPU seconds of all living processes below one, and of the children that those had.
pub(crate) fn below_cpu_s(pid: u32) -> f64 {
    tree_cpu_s(pid) - cpu_s(pid).unwrap_or(0.0)
}

/// Bytes that a field of `/proc/PID/status` tells in KiB, such as `VmHWM`.
pub(crate) fn status_bytes(pid: u32, field: &str) -> Outcome<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    kib.map(|kib| kib * 1024.0).ok_or_else(|| format!("process {pid} tells no {field}"))
}

/// Ticks in user and system mode, of the process and of its ended children.
fn stat_fields(stat: &str) -> Option<[f64; 4]> {
    // The second field is the program's name in brackets, which may hold anything.
    let (_, fields) = stat.rsplit_once(')')?;
    let ticks: Vec<f64> =
        fields.split_whitespace().skip(11).take(4).map_while(|tick| tick.parse().ok()).collect();
    ticks.try_into().ok()
}

fn own_children_cpu_s() -> Outcome<f64> {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let [.., user, system] = stat_fields(&stat).ok_or("/proc/self/stat makes no sense")?;
    Ok((user + system) / TICKS_PER_S)
}

/// CPU seconds that the whole machine has spent, and that others took from it.
pub(crate) fn machine_cpu_s() -> Outcome<f64> {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let line = stat.lines().next().unwrap_or_default();
    let ticks: Vec<f64> =
        line.split_whitespace().skip(1).map_while(|tick| tick.parse().ok()).collect();
    // user, nice, system, idle, iowait, irq, softirq, steal; guests are counted in user already.
    match ticks[..] {
        [user, nice, system, _, _, irq, softirq, steal, ..] => {
            Ok((user + nice + system + irq + softirq + steal) / TICKS_PER_S)
        }
        _ => Err("/proc/stat makes no sense".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_watched() {
        let log = std::env::temp_dir().join(format!("hornbook-watch-{}", std::process::id()));
        let script = "read line; echo got $line; i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done; echo end";
        let watched =
            watch(Command::new("sh").args(["-c", script]), b"this\n", &log).expect("watched");
        let lines: Vec<&str> = watched.lines.iter().map(|(_, line)| line.as_str()).collect();
        assert_eq!(lines, ["got this", "end"]);
        let (begun_s, ended_s) = (watched.lines[0].0, watched.lines[1].0);
        assert!(watched.cpu_between(begun_s, ended_s) > 0.0);
        assert!(watched.cpu_between(0.0, ended_s) < ended_s + 0.2);
        let failure = watch(Command::new("sh").args(["-c", "echo broken >&2; exit 3"]), b"", &log);
        assert!(failure.err().expect("a failure").contains("broken"));
        let _ = fs::remove_file(log);
    }

    #[test]
    fn time_between_looks_is_shared_out() {
        let cpu = vec![(0.0, 0.0), (1.0, 2.0), (3.0, 4.0)];
        let watched = Watched { lines: Vec::new(), cpu, others_cores: 0.0 };
        assert_eq!(watched.cpu_between(0.5, 2.0), 2.0);
        assert_eq!(watched.cpu_between(2.0, 9.0), 1.0);
    }

    #[test]
    fn a_process_tells_of_itself_and_of_those_below() {
        let own = std::process::id();
        assert!(status_bytes(own, "VmHWM").expect("told") >= 1e6);
        assert!(status_bytes(own, "VmPony").is_err());
        assert!(own_cpu_s(own) >= 0.0 && own_cpu_s(u32::MAX) == 0.0);
        let script = "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done; echo; read line";
        let mut child = Command::new("sh")
            .args(["-c", script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("a pipe");
        BufReader::new(stdout).read_line(&mut line).expect("a line");
        let child_s = own_cpu_s(child.id());
        assert!(child_s > 0.0 && below_cpu_s(own) >= child_s);
        drop(child.stdin.take());
        child.wait().expect("its end");
    }

    #[test]
    fn a_name_with_brackets_does_not_confuse() {
        let stat = "7 (a) b) S 1 7 7 0 -1 0 0 0 0 0 11 12 13 14 20 0";
        assert_eq!(stat_fields(stat), Some([11.0, 12.0, 13.0, 14.0]));
    }
}
