//! Work on several threads whose result does not show how many there were.

/// Cuts items into one run per thread, works on the runs at once and gives the results in the items' order.
pub(super) fn chunks<T: Sync, R: Send>(
    items: &[T],
    threads: usize,
    work: impl Fn(&[T]) -> R + Sync,
) -> Vec<R> {
    if items.is_empty() {
        return Vec::new();
    }
    let each = items.len().div_ceil(threads.max(1));
    if each == items.len() {
        return vec![work(items)];
    }
    std::thread::scope(|scope| {
        let work = &work;
        let running: Vec<_> =
            items.chunks(each).map(|chunk| scope.spawn(move || work(chunk))).collect();
        let joined = running.into_iter().map(|thread| thread.join());
        joined.map(|done| done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    })
}
