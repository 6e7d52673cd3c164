//! Job specs that tests submit.

use serde_json::{Value, json};

/// A job of `documents` prompts over three recipe lines, served by `endpoint`, with all gates off.
pub fn small_job(endpoint: &str, documents: u64) -> Value {
    json!({
        "name": "a small job",
        "seeds": "starter-curriculum",
        "recipe": [
            {"template": "textbook-chapter", "audience": "middle-school", "share": 0.4},
            {"template": "textbook-chapter", "audience": "college", "share": 0.3},
            {"template": "story", "audience": "toddler", "share": 0.3},
        ],
        "documents": documents,
        "sampling": {"max_tokens": 400, "seed": "42"},
        "endpoints": [endpoint],
        "gates": {"preset": "none"},
    })
}
