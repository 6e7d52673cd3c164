//! What handlers take from a request, with every fault a problem.

mod body;
mod conditional;
mod cursor;
mod json;
mod path;
mod query;
mod spool;

pub(crate) use body::read_body;
pub(crate) use conditional::{Conditional, content_tag, if_match, not_modified};
pub(crate) use cursor::{ListQuery, Page, decode_cursor, encode_cursor, page_limit};
pub(crate) use json::{JsonBody, is_json, optional_json, parse_json, syntax};
pub(crate) use path::{corpus_id, job_id, reference, slug};
pub(crate) use query::QueryParams;
pub(crate) use spool::spool;
