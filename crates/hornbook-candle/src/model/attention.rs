//! The one seam for attention: storing keys and values, and reading them.

use crate::kernel::{
    Crew, HeadPreparation, HeadRows, HeadShape, KvPages, PageId, Plan, Position, attend,
};

use super::linear::ComputeError;

/// Keeps the keys and values of all sequences, and attends to them.
///
/// Activations cross the seam as slices in the host's memory; they are small beside the weights
/// and the stored keys and values, which stay where the implementor has them.
pub(crate) trait Attention: Send {
    /// Prepares for a pass: its rows, and the pages of each sequence that they name, up to the
    /// rows' own positions at least. No two rows may have one place.
    fn begin(&mut self, rows: &[Position], tables: &[&[PageId]]) -> Result<(), ComputeError>;

    /// One layer of the pass: prepares queries and keys, stores keys and values, and lets every
    /// row attend to its sequence's positions up to its own, those of this pass among them.
    ///
    /// `output` is like the queries, `[rows, heads, head_dim]`.
    fn attend(
        &mut self,
        crew: Crew<'_>,
        layer: usize,
        preparation: &HeadPreparation<'_>,
        heads: HeadRows<'_>,
        output: &mut [f32],
    ) -> Result<(), ComputeError>;

    /// Copies the first `positions` positions of a page to another, all layers.
    fn copy_page(&mut self, from: PageId, to: PageId, positions: usize)
    -> Result<(), ComputeError>;
}

/// Attention on the processor, with keys and values as 16-bit floats.
pub(crate) struct HostAttention {
    pages: KvPages,
    plan: Plan,
}

impl HostAttention {
    /// Room for `pages` pages; an error where there is no such room.
    pub(crate) fn new(shape: HeadShape, pages: usize) -> std::io::Result<Self> {
        Ok(Self { pages: KvPages::new(shape, pages)?, plan: Plan::default() })
    }
}

impl Attention for HostAttention {
    fn begin(&mut self, rows: &[Position], tables: &[&[PageId]]) -> Result<(), ComputeError> {
        self.plan = Plan::new(self.pages.shape(), rows, tables);
        Ok(())
    }

    fn attend(
        &mut self,
        crew: Crew<'_>,
        layer: usize,
        preparation: &HeadPreparation<'_>,
        mut heads: HeadRows<'_>,
        output: &mut [f32],
    ) -> Result<(), ComputeError> {
        self.pages.store(crew, layer, &self.plan, preparation, heads.reborrow());
        attend(crew, &self.pages, layer, &self.plan, heads.queries, output);
        Ok(())
    }

    fn copy_page(
        &mut self,
        from: PageId,
        to: PageId,
        positions: usize,
    ) -> Result<(), ComputeError> {
        self.pages.copy_page(from, to, positions);
        Ok(())
    }
}
