//! The engine through its front door: loading, writing, giving up, and bad files.

mod bytes;
mod complete;
mod device;
mod give_up;
mod load;
mod prompt;
mod real;
mod sampling;
mod stream;
mod tiny;
