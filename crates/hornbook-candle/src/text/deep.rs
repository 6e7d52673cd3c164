//! Room for recursion that a file decides the depth of.

/// Stack for parsing and rendering a template. The address space is reserved, and memory taken only
/// as deep as a template goes: 64 KiB of source nest at most that many operators, at 250 to
/// 1,100 bytes a level, and rendering nests at most a value for every few steps of its fuel.
const STACK_BYTES: usize = 256 * 1024 * 1024;

/// Runs `work` on a stack of its own; an error tells that no thread could be had, or that it
/// panicked.
pub(super) fn with_deep_stack<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T, String> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .name("template".to_owned())
            .stack_size(STACK_BYTES)
            .spawn_scoped(scope, work)
            .map_err(|error| format!("no thread for the template: {error}"))?;
        thread.join().map_err(|_| "the template's thread panicked".to_owned())
    })
}
