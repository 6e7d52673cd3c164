//! Which endpoints answer here, and what follows for prompts and jobs.

use std::collections::BTreeMap;
use std::sync::{Arc, MutexGuard, PoisonError};

use hornbook_types::Slug;
use uuid::Uuid;

use super::Desk;
use crate::generate::chunk::{Chunk, Prompt};
use crate::generate::puller::Live;

impl Desk {
    /// Notes which endpoints have a loop.
    pub(crate) fn set_live(&self, live: BTreeMap<Slug, Arc<Live>>) {
        *self.live() = live;
    }

    /// True when an endpoint of the chunk's job answers here and has not tried the prompt.
    pub(crate) fn has_another(&self, chunk: &Chunk, prompt: &Prompt) -> bool {
        let live = self.live();
        let untried = chunk.job.spec.endpoints.iter().filter(|name| !prompt.trials.has(name));
        untried.filter_map(|name| live.get(name)).any(|live| !live.limiter.is_down())
    }

    /// Jobs on the desk all of whose endpoints here are down, and what is the matter with each.
    pub(crate) fn standing_still(&self) -> BTreeMap<Uuid, String> {
        let chunks = self.all();
        let live = self.live();
        let why = |chunk: &Chunk| {
            let ours: Vec<_> =
                chunk.job.spec.endpoints.iter().filter_map(|name| live.get(name)).collect();
            let is_down = !ours.is_empty() && ours.iter().all(|live| live.limiter.is_down());
            let one = |live: &&Arc<Live>| match live.limiter.last_error() {
                Some(error) => format!("{} is down ({error})", live.name),
                None => format!("{} is down", live.name),
            };
            is_down.then(|| ours.iter().map(one).collect::<Vec<_>>().join("; "))
        };
        chunks.iter().filter_map(|chunk| Some((chunk.job.id, why(chunk)?))).collect()
    }

    /// True when an endpoint of its job may be sent to from here.
    pub(super) fn is_served(&self, chunk: &Chunk) -> bool {
        let live = self.live();
        let mut names = chunk.job.spec.endpoints.iter();
        names.any(|name| live.contains_key(name) && self.shares.admits(name))
    }

    /// The endpoints of a job that have a loop here take no more prompts for a while, unless they answer.
    pub(crate) fn rest_endpoints_of(&self, job: Uuid) {
        let chunks = self.all();
        let live = self.live();
        let of_job = chunks.iter().filter(|chunk| chunk.job.id == job);
        let names = of_job.flat_map(|chunk| &chunk.job.spec.endpoints);
        names.filter_map(|name| live.get(name)).for_each(|live| live.rest());
    }

    fn live(&self) -> MutexGuard<'_, BTreeMap<Slug, Arc<Live>>> {
        // Only ever replaced whole, so a panic leaves it whole.
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
