//! Embedding models from outside: vectors against sentence-transformers, and files that lie.

mod company;
mod fixture;
mod golden;
mod hostile;
