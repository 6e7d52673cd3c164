//! What all rows have in common: the built programs, and a fresh service for each measurement.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::ambient::Ambient;
use crate::{Outcome, install, shell};

use super::super::http;
use super::super::service::Service;
use super::mock::Mock;
use super::options::Options;

/// Name of the mock among the service's endpoints.
const ENDPOINT: &str = "mock";

/// The built programs and where their files go.
pub(crate) struct House {
    /// The service.
    pub(crate) hornbook: PathBuf,
    /// The mock endpoint.
    pub(crate) mock: PathBuf,
    /// The bare loop.
    pub(crate) bare_loop: PathBuf,
    /// Where logs lie.
    pub(crate) dir: PathBuf,
    /// The cargo profile that was built.
    pub(crate) profile: &'static str,
}

impl House {
    /// Builds the three programs and installs Postgres.
    pub(crate) fn prepare(options: &Options, ambient: &Ambient) -> Outcome<Self> {
        install::ensure(&[install::POSTGRES], ambient)?;
        let mut command = ambient.cargo();
        // The whole workspace is named so that dependencies get the features that everything else builds them with.
        command.args(["build", "--workspace", "--bin", "hornbook"]);
        command.args(["--example", "fan_out_mock", "--example", "bare_loop"]);
        if options.release {
            command.arg("--release");
        }
        shell::run(&mut command)?;
        let dir = ambient.target.join("bench");
        fs::create_dir_all(&dir)
            .map_err(|error| format!("could not make {}: {error}", dir.display()))?;
        let (profile, folder) =
            if options.release { ("release", "release") } else { ("dev", "debug") };
        let built = ambient.target.join(folder);
        Ok(Self {
            hornbook: built.join("hornbook"),
            mock: built.join("examples/fan_out_mock"),
            bare_loop: built.join("examples/bare_loop"),
            dir,
            profile,
        })
    }

    /// A service in an empty data directory, with the mock as an endpoint of these limits.
    pub(crate) fn open(&self, mock: &Mock, limits: &Value) -> Outcome<Service> {
        let service = Service::launch(self.serve(), &self.dir)?;
        let endpoint = json!({
            "kind": "openai", "model": "mock", "limits": limits,
            "base_url": format!("http://{}/v1", mock.address),
        });
        http::put(&service.address, &format!("/v1/endpoints/{ENDPOINT}"), &endpoint)?;
        Ok(service)
    }

    /// Kills a service as `kill -9` does and starts another in its place.
    pub(crate) fn kill_and_reopen(&self, service: &mut Service) -> Outcome {
        service.kill_and_launch(self.serve(), &self.dir)
    }

    fn serve(&self) -> Command {
        let mut command = Command::new(&self.hornbook);
        command.args(["serve", "--no-local-engine"]);
        command
    }
}

/// A job of so many prompts for the mock: three lines of the catalog, every gate at its default.
pub(crate) fn job(prompts: u64) -> Value {
    json!({
        "name": format!("{prompts} prompts"),
        "seeds": "starter-curriculum",
        "recipe": [
            {"template": "textbook-chapter", "audience": "middle-school", "share": 0.4},
            {"template": "textbook-chapter", "audience": "college", "share": 0.3},
            {"template": "story", "audience": "toddler", "share": 0.3},
        ],
        "documents": prompts,
        "sampling": {"max_tokens": 2500, "seed": "42"},
        "endpoints": [ENDPOINT],
    })
}

/// Submits a job and returns its path.
pub(crate) fn submit(service: &Service, prompts: u64) -> Outcome<String> {
    let job = http::post(&service.address, "/v1/jobs", &job(prompts))?;
    let id = job["id"].as_str().ok_or("the submitted job has no id")?;
    Ok(format!("/v1/jobs/{id}"))
}

/// The kind of file system that a directory lies in: what fsync costs depends on it.
pub(crate) fn file_system(dir: &Path) -> String {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    kind_of_mount(&mounts, dir).unwrap_or_else(|| "unknown".to_owned())
}

fn kind_of_mount(mounts: &str, dir: &Path) -> Option<String> {
    let places = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ').skip(1);
        Some((words.next()?, words.next()?))
    });
    let above = places.filter(|(place, _)| dir.starts_with(place));
    // Of two mounts in one place the later one is seen.
    above.max_by_key(|(place, _)| place.len()).map(|(_, kind)| kind.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_mount_counts() {
        let mounts = "a / ext4 rw 0 0\nb /tmp tmpfs rw 0 0\nc /tmpfoo xfs rw 0 0\n";
        assert_eq!(kind_of_mount(mounts, Path::new("/tmp/x")).as_deref(), Some("tmpfs"));
        assert_eq!(kind_of_mount(mounts, Path::new("/var")).as_deref(), Some("ext4"));
        assert_eq!(kind_of_mount("", Path::new("/var")), None);
    }

    #[test]
    fn a_job_asks_for_so_many_and_switches_no_gate_off() {
        let job = job(7);
        assert_eq!(job["documents"], 7);
        assert!(job.get("gates").is_none());
    }
}
