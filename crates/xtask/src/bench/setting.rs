//! What all measurements have in common: programs, files, cores.

use std::fs;
use std::path::PathBuf;

use crate::ambient::{Ambient, is_program};
use crate::{Outcome, model, shell};

use super::options::Options;
use super::theirs::{self, BATCHED_BENCH, QUANTIZE};

/// Everything that a measurement needs to know.
pub(crate) struct Setting<'a> {
    pub(crate) ambient: &'a Ambient,
    /// The model file.
    pub(crate) model: PathBuf,
    /// Threads of both engines.
    pub(crate) threads: usize,
    /// Cores of both engines.
    pub(crate) cores: String,
    /// The built program that measures the local engine.
    pub(crate) engine_bench: PathBuf,
    /// The built service.
    pub(crate) hornbook: PathBuf,
    /// Where requantised files and logs lie.
    pub(crate) dir: PathBuf,
    /// Directory of llama.cpp's programs, if there is a build.
    pub(crate) llama_cpp_dir: Option<PathBuf>,
    /// The cargo profile that was built.
    pub(crate) profile: &'static str,
}

impl<'a> Setting<'a> {
    /// Builds what the rows need, finds the model, the cores and llama.cpp, and makes its files.
    pub(crate) fn prepare(options: &Options, ambient: &'a Ambient) -> Outcome<Self> {
        if ambient.find("taskset").is_none() {
            return Err("needs the program taskset, on Debian and Ubuntu in util-linux".to_owned());
        }
        let model = match &options.model {
            // The service runs elsewhere, where a relative path leads nowhere.
            Some(model) => fs::canonicalize(model)
                .map_err(|error| format!("cannot find {}: {error}", model.display()))?,
            None => model::fetch(ambient)?,
        };
        build(options, ambient)?;
        let dir = ambient.target.join("bench");
        fs::create_dir_all(&dir)
            .map_err(|error| format!("could not make {}: {error}", dir.display()))?;
        let (profile, folder) =
            if options.release { ("release", "release") } else { ("dev", "debug") };
        let built = ambient.target.join(folder);
        let setting = Self {
            ambient,
            model,
            threads: options.threads,
            cores: options.cores.clone().map_or_else(|| first_cores(options.threads), Ok)?,
            engine_bench: built.join("examples/engine_bench"),
            hornbook: built.join("hornbook"),
            dir,
            llama_cpp_dir: find_llama_cpp(options, ambient)?,
            profile,
        };
        if setting.llama_cpp_dir.is_some() {
            for name in &options.types {
                theirs::requantise(&setting, name)?;
            }
        }
        Ok(setting)
    }

    /// One of llama.cpp's programs.
    pub(crate) fn llama_cpp(&self, program: &str) -> Outcome<PathBuf> {
        let dir = self.llama_cpp_dir.as_ref().ok_or("there is no build of llama.cpp")?;
        Ok(dir.join(program))
    }
}

/// Builds the measuring program, and the service where a row needs it. The whole workspace is named so
/// that dependencies get the features that everything else builds them with.
fn build(options: &Options, ambient: &Ambient) -> Outcome {
    let mut command = ambient.cargo();
    command.args(["build", "--workspace", "--example", "engine_bench"]);
    if options.wants("job") {
        command.args(["--bin", "hornbook"]);
    }
    if options.release {
        command.arg("--release");
    }
    shell::run(&mut command)
}

/// The build that was named, else the one that `bench llama-cpp` made, else none.
fn find_llama_cpp(options: &Options, ambient: &Ambient) -> Outcome<Option<PathBuf>> {
    let own = super::llama_cpp::bin_dir(ambient);
    let dir = options.llama_cpp.as_ref().unwrap_or(&own);
    match [BATCHED_BENCH, QUANTIZE].iter().find(|program| !is_program(&dir.join(program))) {
        None => Ok(Some(dir.clone())),
        Some(_) if options.llama_cpp.is_none() => Ok(None),
        Some(program) => Err(format!("there is no {program} in {}", dir.display())),
    }
}

/// The first cores that this process may run on.
fn first_cores(count: usize) -> Outcome<String> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let allowed = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    let cores = cores_of(allowed.unwrap_or_default().trim());
    if cores.len() < count {
        return Err(format!("{count} threads need as many cores; this may use {}", cores.len()));
    }
    Ok(cores[..count].iter().map(usize::to_string).collect::<Vec<_>>().join(","))
}

/// All numbers of a list such as `0-3,8`.
fn cores_of(list: &str) -> Vec<usize> {
    let ranges = list.split(',').filter_map(|range| {
        let (from, to) = range.split_once('-').unwrap_or((range, range));
        Some(from.parse().ok()?..=to.parse().ok()?)
    });
    ranges.flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_cores() {
        assert_eq!(cores_of("0-2,8"), [0, 1, 2, 8]);
        assert_eq!(cores_of("5"), [5]);
        assert_eq!(cores_of(""), [0; 0]);
        assert!(first_cores(1).is_ok());
        assert!(first_cores(1_000_000).is_err());
    }
}
