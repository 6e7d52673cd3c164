//! What the measured constants make of more work than a benchmark can do: multiplication, no measurement.

/// Prompts of a large job.
const PROMPTS: f64 = 30e6;
/// Documents per second of a large fleet of endpoints.
const PER_S: f64 = 10_000.0;
/// Most and fewest documents of a group commit under load.
const GROUPS: [f64; 2] = [256.0, 64.0];

/// Constants of one document, from the row `cpu`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Constants {
    /// CPU seconds of the service per 1,000 documents.
    pub(crate) service_cpu_s: f64,
    /// CPU seconds of Postgres per 1,000 documents.
    pub(crate) postgres_cpu_s: f64,
    /// CPU seconds of both for the corpus, per 1,000 documents.
    pub(crate) assembly_cpu_s: f64,
    /// Bytes in Postgres' tables and indexes for one document.
    pub(crate) table_bytes: f64,
    /// Documents per second of this machine, everything on it.
    pub(crate) per_s: f64,
}

impl Constants {
    /// The table, as notes have it.
    pub(crate) fn markdown(&self) -> String {
        let row = |what: &str, cpu_s: f64| {
            let hours = PROMPTS / 1e3 * cpu_s / 3600.0;
            let cores = PER_S / 1e3 * cpu_s;
            format!("| {what} | {hours:.1} core-hours | {cores:.1} cores |\n")
        };
        let commits = GROUPS.map(|group| (PROMPTS / group / 1e3, PER_S / group));
        [
            "\nOn paper, from the constants of the row `cpu`:\n\n".to_owned(),
            "| | 30,000,000 prompts | 10,000 documents/s |\n|---|---|---|\n".to_owned(),
            row("workers", self.service_cpu_s),
            row("Postgres", self.postgres_cpu_s),
            row("exporting and assembling, both", self.assembly_cpu_s),
            format!(
                "| tables and indexes | {:.0} GB | {:.0} MB/s |\n",
                PROMPTS * self.table_bytes / 1e9,
                PER_S * self.table_bytes / 1e6
            ),
            format!(
                "| group commits | {:.0} to {:.0} thousand | {:.0} to {:.0} per second |\n",
                commits[0].0, commits[1].0, commits[0].1, commits[1].1
            ),
            format!(
                "| with machines like this one, everything on it | {:.1} hours with one | {:.0} of them |\n",
                PROMPTS / self.per_s / 3600.0,
                (PER_S / self.per_s).ceil()
            ),
        ]
        .concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_are_multiplied() {
        let constants = Constants {
            service_cpu_s: 0.24,
            postgres_cpu_s: 0.12,
            assembly_cpu_s: 0.36,
            table_bytes: 5e3,
            per_s: 1_500.0,
        };
        let table = constants.markdown();
        for row in [
            "| workers | 2.0 core-hours | 2.4 cores |",
            "| Postgres | 1.0 core-hours | 1.2 cores |",
            "| tables and indexes | 150 GB | 50 MB/s |",
            "| group commits | 117 to 469 thousand | 39 to 156 per second |",
            "| 5.6 hours with one | 7 of them |",
        ] {
            assert!(table.contains(row), "{row}: {table}");
        }
    }
}
