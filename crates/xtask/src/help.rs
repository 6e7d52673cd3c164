//! `cargo xtask help`.

/// Prints what there is.
pub(crate) fn run() {
    println!(
        "\
usage: cargo xtask VERB

  quickstart [OPTIONS]     install what is missing, build, start the service and write a sample
                           corpus; serves on until Ctrl-C. OPTIONS go to 'hornbook quickstart':
                           --once (exit when the corpus is there), --listen, --data-dir, --out
  test [--full] [FILTER..] install what tests need and run every check; --full adds the long ones
                           (kill loops, 10,000 cases of each property); with a FILTER only the tests
                           that match it run, and no other check
  arrows                   check which crate uses which
  compose                  check docker-compose.yml
  model                    fetch the small real model and print where it lies
  embedding-model          the same for the small embedding model
  openapi                  write docs/openapi.json anew from the built service
  help                     this"
    );
}
