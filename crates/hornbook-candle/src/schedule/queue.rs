//! A bounded queue from callers' tasks to a thread, which either side can end.
//!
//! A channel would do but for its end: the thread would sleep for as long as any caller's future
//! holds a sender, even one that nobody polls any more.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The queue has ended, and gives the item back.
#[derive(Debug)]
pub(crate) struct Ended<T>(pub(crate) T);

/// The callers' side.
pub(crate) struct QueueSender<T> {
    shared: Arc<Shared<T>>,
}

/// The thread's side; dropping it ends the queue and drops what is in it.
pub(crate) struct QueueReceiver<T> {
    shared: Arc<Shared<T>>,
}

struct Shared<T> {
    /// One permit for every item that fits.
    room: Arc<Semaphore>,
    state: Mutex<State<T>>,
    changed: Condvar,
}

struct State<T> {
    items: VecDeque<(T, OwnedSemaphorePermit)>,
    has_ended: bool,
}

/// A queue for at most `limit` items.
pub(crate) fn queue<T>(limit: usize) -> (QueueSender<T>, QueueReceiver<T>) {
    let shared = Arc::new(Shared {
        room: Arc::new(Semaphore::new(limit)),
        state: Mutex::new(State { items: VecDeque::new(), has_ended: false }),
        changed: Condvar::new(),
    });
    (QueueSender { shared: Arc::clone(&shared) }, QueueReceiver { shared })
}

impl<T> QueueSender<T> {
    /// Waits for room, in the order of the calls, and adds an item.
    pub(crate) async fn push(&self, item: T) -> Result<(), Ended<T>> {
        let Ok(permit) = Arc::clone(&self.shared.room).acquire_owned().await else {
            return Err(Ended(item));
        };
        let mut state = self.shared.lock();
        if state.has_ended {
            return Err(Ended(item));
        }
        state.items.push_back((item, permit));
        self.shared.changed.notify_one();
        Ok(())
    }

    /// Ends the queue: no more is added, and no more comes out.
    pub(crate) fn end(&self) {
        self.shared.end();
    }
}

impl<T> QueueReceiver<T> {
    /// Waits for an item; `None` once the queue has ended.
    pub(crate) fn pop(&self) -> Option<T> {
        let mut state = self.shared.lock();
        loop {
            if state.has_ended {
                return None;
            }
            if let Some((item, _permit)) = state.items.pop_front() {
                return Some(item);
            }
            state = self.shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl<T> Drop for QueueReceiver<T> {
    fn drop(&mut self) {
        self.shared.end();
    }
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self) {
        self.room.close();
        let mut state = self.lock();
        state.has_ended = true;
        let items = std::mem::take(&mut state.items);
        drop(state);
        // Not under the lock: dropping an item runs whatever waits for it.
        drop(items);
        self.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn poll<T>(future: impl Future<Output = T>) -> Option<T> {
        match std::pin::pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        }
    }

    #[test]
    fn room_is_bounded_and_order_kept() {
        let (sender, receiver) = queue(2);
        assert!(poll(sender.push(1)).is_some_and(|pushed| pushed.is_ok()));
        assert!(poll(sender.push(2)).is_some_and(|pushed| pushed.is_ok()));
        assert!(poll(sender.push(3)).is_none(), "full");
        assert_eq!(receiver.pop(), Some(1));
        assert!(poll(sender.push(4)).is_some_and(|pushed| pushed.is_ok()));
        assert_eq!((receiver.pop(), receiver.pop()), (Some(2), Some(4)));
    }

    #[test]
    fn either_side_ends_it_though_a_forgotten_future_waits() {
        let (sender, receiver) = queue(1);
        assert!(poll(sender.push(1)).is_some());
        let mut waiting = Box::pin(sender.push(2));
        assert!(waiting.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        let thread = std::thread::spawn(move || {
            let first = receiver.pop();
            (first, receiver.pop())
        });
        while sender.shared.room.available_permits() > 0 || !sender.shared.lock().items.is_empty() {
            std::thread::yield_now();
        }
        sender.end();
        assert_eq!(thread.join().expect("no panic"), (Some(1), None));
        assert!(matches!(poll(waiting), Some(Err(Ended(2)))));

        let (sender, receiver) = queue(1);
        assert!(poll(sender.push(Arc::new(3))).is_some());
        drop(receiver);
        assert!(matches!(poll(sender.push(Arc::new(4))), Some(Err(Ended(_)))));
    }
}
