//! The endpoints that one process can ask, by name.

use std::collections::BTreeMap;

use hornbook_types::Slug;

use crate::SharedBackend;

/// Endpoints by name; each is asked for as much as it takes, so nothing here balances.
#[derive(Clone, Default)]
pub struct EndpointPool {
    backends: BTreeMap<Slug, SharedBackend>,
}

impl EndpointPool {
    /// A pool of these endpoints; of two with one name the later counts.
    pub fn new(backends: Vec<(Slug, SharedBackend)>) -> Self {
        Self { backends: backends.into_iter().collect() }
    }

    /// The endpoint of that name.
    pub fn get(&self, name: &Slug) -> Option<&SharedBackend> {
        self.backends.get(name)
    }

    /// Every endpoint, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&Slug, &SharedBackend)> {
        self.backends.iter()
    }

    /// Adds an endpoint, or puts a changed one in the place of the old; requests under way finish
    /// where they began.
    pub fn insert(&mut self, name: Slug, backend: SharedBackend) {
        self.backends.insert(name, backend);
    }

    /// Takes an endpoint away.
    pub fn remove(&mut self, name: &Slug) -> Option<SharedBackend> {
        self.backends.remove(name)
    }

    /// Prompts that are worth having under way at once over all endpoints.
    pub fn slots(&self) -> usize {
        self.backends.values().fold(0, |slots, backend| slots.saturating_add(backend.slots()))
    }
}
