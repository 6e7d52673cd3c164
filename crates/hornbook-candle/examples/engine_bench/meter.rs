//! Wall clock and CPU seconds of this process.

use std::error::Error;
use std::time::Instant;

/// Ticks in `/proc/self/stat` per second; Linux shows 100 to every program, whatever it counts with.
const TICKS_PER_S: f64 = 100.0;

/// Seconds that some work took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seconds {
    pub(crate) wall: f64,
    /// Of all threads of this process, user and system.
    pub(crate) cpu: f64,
}

/// A running measurement.
pub(crate) struct Meter {
    start: Instant,
    cpu: f64,
}

impl Meter {
    pub(crate) fn start() -> Result<Self, Box<dyn Error>> {
        Ok(Self { start: Instant::now(), cpu: cpu_seconds()? })
    }

    pub(crate) fn stop(&self) -> Result<Seconds, Box<dyn Error>> {
        Ok(Seconds { wall: self.start.elapsed().as_secs_f64(), cpu: cpu_seconds()? - self.cpu })
    }
}

fn cpu_seconds() -> Result<f64, Box<dyn Error>> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    // The second field is the program's name in brackets, which may hold anything.
    let (_, fields) = stat.rsplit_once(')').ok_or("/proc/self/stat makes no sense")?;
    let ticks = fields.split_whitespace().skip(11).take(2);
    let ticks: Vec<u64> = ticks.map(str::parse).collect::<Result<_, _>>()?;
    Ok(ticks.iter().sum::<u64>() as f64 / TICKS_PER_S)
}

/// Most memory that this process ever had resident, in bytes; pages of mapped files count.
pub(crate) fn peak_bytes() -> Result<u64, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next());
    Ok(kib.ok_or("/proc/self/status has no VmHWM")?.parse::<u64>()? * 1024)
}
