//! The inner loops, compiled for the instruction set that is found when a model is loaded.
//!
//! This module alone holds `unsafe`: code compiled for a detected instruction set, loads and
//! stores within checked slices, and the team's hand-over of a borrowed closure. What it offers
//! the rest of the crate are safe functions over slices. Every result is one sum in one fixed
//! order per output, whatever the number of rows, threads and neighbours.

mod attend;
mod crew;
mod encode;
mod half;
mod isa;
mod lanes;
mod matmul;
mod memory;
mod pack;
mod panel;
mod quantise;
mod rows;
pub(crate) mod scan;
mod shared;
mod team;

pub(crate) use attend::{HeadShape, KvPages, PAGE_POSITIONS, PageId, Plan, Position, attend};
pub(crate) use crew::Crew;
pub(crate) use encode::{LayerNorm, TextHeads, add_and_gelu, add_to_rows, attend_all};
pub use isa::InstructionSet;
pub(crate) use isa::Isa;
pub(crate) use matmul::{Product, multiply};
pub(crate) use pack::PackedMatrix;
pub(crate) use panel::{PANEL, Panel, interleave, multiply_panel};
pub(crate) use quantise::{Filling, QuantisedRows};
pub(crate) use rows::{HeadPreparation, HeadRows, Norm, RopePairs, Turns, gate};
pub(crate) use team::Team;
