//! Attention of query rows over pages of stored keys and values.

mod pages;
mod plan;
mod softmax;
#[cfg(test)]
mod tests;
mod tile;
mod unit;

use std::cell::RefCell;

pub(crate) use pages::{HeadShape, KvPages, PAGE_POSITIONS, PageId};
pub(crate) use plan::{Plan, Position};
pub(in crate::kernel) use softmax::weigh;

use super::shared::SharedSlice;
use super::{Crew, lanes};
use unit::{Attending, Scratch, Units};

thread_local! {
    /// Each thread's memory, kept from one layer to the next.
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// Every row of a plan attends to its sequence's positions up to its own: `queries` and `output`
/// are `[rows, heads, head_dim]`.
pub(crate) fn attend(
    crew: Crew<'_>,
    pages: &KvPages,
    layer: usize,
    plan: &Plan,
    queries: &[f32],
    output: &mut [f32],
) {
    let output = SharedSlice::new(output);
    let attending = Attending { pages, layer, plan, queries, output };
    crew.team.run(plan.gangs().len() * pages.shape().kv_heads, 1, |units| {
        SCRATCH.with_borrow_mut(|scratch| {
            lanes::run(crew.isa, Units { attending: &attending, units, scratch });
        });
    });
}
