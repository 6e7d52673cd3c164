//! What was found of what was planted, and whether whoever went had cause; computed from the texts anew.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::Outcome;
use crate::planted::{BANDS, Planted, jaccard};
use crate::shards::TRUTH;

/// Least Jaccard of a duplicate.
const THRESHOLD: f64 = 0.7;

/// Recall by band, and precision. Of a pair that was found one goes, so a pair was missed if both stay.
pub(crate) fn run(planted: &Planted, dir: &Path, dropped: &Path) -> Outcome<Value> {
    let roots = read(dropped)?;
    let roots: HashMap<u64, u64> =
        roots.iter().map(|fields| (fields[0] as u64, fields[1] as u64)).collect();
    let (mut pairs, mut found) = ([0_u64; BANDS.len()], [0_u64; BANDS.len()]);
    for truth in read(&dir.join(TRUTH))? {
        let (variant, base, band) = (truth[0] as u64, truth[1] as u64, truth[2] as usize);
        pairs[band] += 1;
        found[band] += u64::from(roots.contains_key(&variant) || roots.contains_key(&base));
    }
    let (mut just, mut least) = (0_u64, 1.0_f64);
    for (&gone, &root) in &roots {
        let similarity = jaccard(&planted.words(gone), &planted.words(root));
        least = least.min(similarity);
        just += u64::from(similarity >= THRESHOLD && !roots.contains_key(&root));
    }
    let share = |part: u64, whole: u64| part as f64 / whole as f64;
    let recall: Vec<f64> = (0..BANDS.len()).map(|band| share(found[band], pairs[band])).collect();
    Ok(json!({
        "pairs": pairs, "found": found, "recall": recall,
        "dropped": roots.len(), "precision": share(just, roots.len() as u64), "least_jaccard": least,
    }))
}

/// Lines of numbers.
fn read(path: &Path) -> Outcome<Vec<Vec<f64>>> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let fields = |line: &str| line.split('\t').map(str::parse).collect::<Result<Vec<f64>, _>>();
    let lines: Result<Vec<_>, _> = text.lines().map(fields).collect();
    let lines = lines.map_err(|error| format!("{}: {error}", path.display()))?;
    match lines.iter().all(|line| line.len() >= 2) {
        true => Ok(lines),
        false => Err(format!("{}: a line is too short", path.display())),
    }
}
