//! Work on several threads whose results come in the order of what they were made from.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use super::limits::{BATCHES_AHEAD, THREADS_MAX};

/// Takes items from `next`, one thread at a time, works on them, and hands the results to `take` in order.
///
/// `worker` makes what one thread works with. At most `threads + BATCHES_AHEAD` items are under way at once. The
/// error that is told is the first in the order of the items, with any number of threads.
pub(crate) fn ordered<T, R, E, W>(
    threads: usize,
    mut next: impl FnMut() -> Result<Option<T>, E> + Send,
    worker: impl Fn() -> W + Sync,
    mut take: impl FnMut(R) -> Result<(), E>,
) -> Result<(), E>
where
    T: Send,
    R: Send,
    E: Send,
    W: FnMut(T) -> Result<R, E>,
{
    let threads = threads.clamp(1, THREADS_MAX);
    if threads == 1 {
        let mut work = worker();
        while let Some(item) = next()? {
            take(work(item)?)?;
        }
        return Ok(());
    }
    let ahead = threads + BATCHES_AHEAD;
    let (permit, permits) = sync_channel(ahead);
    for _ in 0..ahead {
        // There is room for all of them.
        let _ = permit.send(());
    }
    let (result, results) = sync_channel(ahead);
    let queue = Mutex::new(Queue { next, permits, number: 0, done: false });
    std::thread::scope(|scope| {
        for _ in 0..threads {
            let (queue, worker, result) = (&queue, &worker, result.clone());
            scope.spawn(move || run(queue, worker(), &result));
        }
        drop(result);
        join(permit, &results, &mut take)
    })
}

struct Queue<F> {
    next: F,
    permits: Receiver<()>,
    number: u64,
    done: bool,
}

fn run<T, R, E>(
    queue: &Mutex<Queue<impl FnMut() -> Result<Option<T>, E>>>,
    mut work: impl FnMut(T) -> Result<R, E>,
    results: &SyncSender<(u64, Result<R, E>)>,
) {
    loop {
        // A poisoned queue means that another thread panicked: the scope tells.
        let Ok(mut queue) = queue.lock() else { return };
        if queue.done || queue.permits.recv().is_err() {
            return;
        }
        let number = queue.number;
        queue.number += 1;
        let item = (queue.next)();
        queue.done = !matches!(item, Ok(Some(_)));
        drop(queue);
        let done = match item {
            Ok(Some(item)) => work(item),
            Ok(None) => return,
            Err(error) => Err(error),
        };
        if results.send((number, done)).is_err() {
            return;
        }
    }
}

/// Puts results in order; returning early takes the permits away, which ends the threads.
fn join<R, E>(
    permit: SyncSender<()>,
    results: &Receiver<(u64, Result<R, E>)>,
    take: &mut impl FnMut(R) -> Result<(), E>,
) -> Result<(), E> {
    let mut waiting = BTreeMap::new();
    let mut due = 0;
    while let Ok((number, result)) = results.recv() {
        waiting.insert(number, result);
        while let Some(result) = waiting.remove(&due) {
            take(result?)?;
            due += 1;
            // Nobody is left to want it when the items have come to their end.
            let _ = permit.send(());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn squares(threads: usize, bad: Option<u64>) -> (Vec<u64>, Result<(), u64>) {
        let mut numbers = 0..1_000_u64;
        let mut taken = Vec::new();
        let outcome = ordered(
            threads,
            || Ok(numbers.next()),
            || {
                |number: u64| {
                    std::thread::yield_now();
                    if bad.is_some_and(|bad| number >= bad) {
                        Err(number)
                    } else {
                        Ok(number * number)
                    }
                }
            },
            |square| {
                taken.push(square);
                Ok(())
            },
        );
        (taken, outcome)
    }

    #[test]
    fn results_come_in_order_whatever_the_threads() {
        let expected: Vec<u64> = (0..1_000).map(|number| number * number).collect();
        for threads in [1, 2, 7] {
            assert_eq!(squares(threads, None), (expected.clone(), Ok(())));
        }
    }

    #[test]
    fn the_first_error_in_order_is_told() {
        for threads in [1, 2, 7] {
            let (taken, outcome) = squares(threads, Some(300));
            assert_eq!((taken.len(), outcome), (300, Err(300)), "{threads}");
        }
    }

    #[test]
    fn an_error_of_the_reader_comes_after_what_it_read() {
        for threads in [1, 2] {
            let mut left = 5;
            let mut taken = 0;
            let outcome = ordered(
                threads,
                || {
                    left -= 1;
                    if left == 0 { Err("cut short") } else { Ok(Some(left)) }
                },
                || Ok,
                |_| {
                    taken += 1;
                    Ok(())
                },
            );
            assert_eq!((taken, outcome), (4, Err("cut short")));
        }
    }
}
