//! Whether an assembly's tokenizer is there.

use hornbook_types::{AssemblySpec, Invalid, tokenizer_places};

use crate::AppState;

/// Refuses the name of a tokenizer that nobody put where tokenizers lie.
pub(crate) fn check_tokenizer(state: &AppState, assembly: &AssemblySpec) -> Result<(), Invalid> {
    let Some(name) = &assembly.tokenizer else { return Ok(()) };
    let places = tokenizer_places(&state.config.tokenizers, name);
    if places.iter().any(|place| place.is_file()) {
        return Ok(());
    }
    let detail = format!(
        "there is no tokenizer {name}: put its tokenizer.json into tokenizers/{name}/ below the data directory"
    );
    Err(Invalid::at("/assembly/tokenizer", detail))
}
