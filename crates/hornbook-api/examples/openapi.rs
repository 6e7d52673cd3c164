//! Prints the OpenAPI document: `cargo run -p hornbook-api --example openapi > docs/openapi.json`.

#![expect(clippy::print_stdout, reason = "printing is what it is for")]

fn main() {
    print!("{}", hornbook_api::openapi());
}
