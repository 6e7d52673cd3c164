//! How fast products are: `cargo test -p hornbook-candle speed -- --ignored --nocapture`.

use std::time::Instant;

use candle_core::quantized::GgmlDType;

use super::super::pack::tests::{Random, random_blocks};
use super::super::quantise::Filling;
use super::super::{Crew, InstructionSet, Isa, PackedMatrix, QuantisedRows, Team};
use super::{Product, multiply};

/// A feed-forward matrix of a model with 135 million weights.
const OUTPUTS: usize = 1_536;
const INPUTS: usize = 576;
/// Enough of them that no cache holds all.
const MATRICES: usize = 160;
/// The fastest of so many rounds counts: other programs only ever make one slower.
const ROUNDS: usize = 12;

fn matrices(dtype: GgmlDType, count: usize) -> Vec<PackedMatrix> {
    let team = Team::new(1).expect("threads start");
    let mut random = Random(1);
    let inputs = INPUTS.next_multiple_of(dtype.block_size());
    (0..count)
        .map(|_| {
            let blocks = random_blocks(dtype, OUTPUTS * inputs, &mut random);
            PackedMatrix::pack(&team, dtype, &blocks, OUTPUTS, inputs).expect("sound blocks")
        })
        .collect()
}

/// Seconds of a product of each of the matrices.
fn seconds(crew: Crew<'_>, matrices: &[PackedMatrix], rows: usize) -> f64 {
    let inputs = matrices[0].inputs();
    let numbers = Random(2).floats(rows * inputs);
    let mut quantised = QuantisedRows::default();
    quantised.copy(crew, Filling::whole_rows(rows, inputs), &numbers);
    let mut output = vec![0.0; rows * OUTPUTS];
    let mut round = || {
        let start = Instant::now();
        for matrix in matrices {
            let product = Product { matrix, output: &mut output, add: false };
            multiply(crew, &quantised, &mut [product]);
        }
        start.elapsed().as_secs_f64()
    };
    (0..ROUNDS).map(|_| round()).fold(f64::INFINITY, f64::min)
}

#[test]
#[ignore = "measures"]
fn speed() {
    let team = Team::new(1).expect("threads start");
    let types = [
        GgmlDType::Q4_0,
        GgmlDType::Q4_1,
        GgmlDType::Q8_0,
        GgmlDType::Q4K,
        GgmlDType::Q5K,
        GgmlDType::Q6K,
    ];
    println!("billion products of weights and numbers a second, one thread, weights in the cache");
    for isa in InstructionSet::ALL.into_iter().filter_map(Isa::new) {
        for dtype in types {
            let matrices = matrices(dtype, 1);
            let found = [1, 2, 4, 8, 16, 32, 128].map(|rows| {
                let work = (OUTPUTS * matrices[0].inputs() * rows) as f64;
                format!(
                    "{rows} rows {:4.0}",
                    work / seconds(Crew { team: &team, isa }, &matrices, rows) / 1e9
                )
            });
            println!("{:9} {dtype:?}: {}", isa.set().name(), found.join(", "));
        }
    }
}

#[test]
#[ignore = "measures"]
fn streaming_speed() {
    for threads in [1, 2] {
        let team = Team::new(threads).expect("threads start");
        for dtype in [GgmlDType::Q4_0, GgmlDType::Q4_1, GgmlDType::Q8_0] {
            let matrices = matrices(dtype, MATRICES);
            let bytes: usize = matrices.iter().map(PackedMatrix::bytes).sum();
            for isa in InstructionSet::ALL.into_iter().filter_map(Isa::new).take(3) {
                let crew = Crew { team: &team, isa };
                let found = [1, 2, 8, 32].map(|rows| {
                    let seconds = seconds(crew, &matrices, rows);
                    let work = (OUTPUTS * INPUTS * rows * MATRICES) as f64;
                    format!(
                        "{rows} rows {:5.1} GB/s {:4.0} GMAC/s",
                        bytes as f64 / seconds / 1e9,
                        work / seconds / 1e9
                    )
                });
                println!(
                    "{threads} threads {:9} {dtype:?}: {}",
                    isa.set().name(),
                    found.join(", ")
                );
            }
        }
    }
}

#[test]
#[ignore = "measures"]
fn quantising_speed() {
    let team = Team::new(1).expect("threads start");
    for isa in InstructionSet::ALL.into_iter().filter_map(Isa::new) {
        let crew = Crew { team: &team, isa };
        let found = [1, 32, 128].map(|rows| {
            let numbers = Random(2).floats(rows * INPUTS);
            let mut quantised = QuantisedRows::default();
            let mut round = || {
                let start = Instant::now();
                for _ in 0..100 {
                    quantised.copy(crew, Filling::whole_rows(rows, INPUTS), &numbers);
                }
                start.elapsed().as_secs_f64() / 100.0
            };
            let seconds = (0..ROUNDS).map(|_| round()).fold(f64::INFINITY, f64::min);
            format!(
                "{rows} rows {:.2} numbers a nanosecond",
                (rows * INPUTS) as f64 / seconds / 1e9
            )
        });
        println!("{:9} {}", isa.set().name(), found.join(", "));
    }
}

/// The shapes of a model with 135 million weights: its layers one after the other.
#[test]
#[ignore = "measures"]
fn layers_speed() {
    const LAYERS: usize = 30;
    const SHAPES: [&[(usize, usize)]; 4] = [
        &[(576, 576), (192, 576), (192, 576)],
        &[(576, 576)],
        &[(1_536, 576), (1_536, 576)],
        &[(576, 1_536)],
    ];
    for threads in [1, 2] {
        let team = Team::new(threads).expect("threads start");
        let crew = Crew { team: &team, isa: Isa::detect() };
        let mut random = Random(1);
        let mut layer = || {
            SHAPES.map(|shapes| {
                let pack = |(outputs, inputs): &(usize, usize)| {
                    let blocks = random_blocks(GgmlDType::Q4_1, outputs * inputs, &mut random);
                    PackedMatrix::pack(&team, GgmlDType::Q4_1, &blocks, *outputs, *inputs)
                        .expect("sound blocks")
                };
                shapes.iter().map(pack).collect::<Vec<_>>()
            })
        };
        let layers: Vec<_> = (0..LAYERS).map(|_| layer()).collect();
        for rows in [1, 8, 32, 128] {
            // The best of every product by itself, summed.
            let mut best = [[f64::INFINITY; 4]; LAYERS];
            for _ in 0..ROUNDS {
                for (layer, best) in layers.iter().zip(&mut best) {
                    for (matrices, best) in layer.iter().zip(best) {
                        let inputs = matrices[0].inputs();
                        let mut quantised = QuantisedRows::default();
                        quantised.copy(
                            crew,
                            Filling::whole_rows(rows, inputs),
                            &vec![1.0; rows * inputs],
                        );
                        let mut outputs: Vec<Vec<f32>> =
                            matrices.iter().map(|m| vec![0.0; rows * m.outputs()]).collect();
                        let mut products: Vec<Product<'_>> = matrices
                            .iter()
                            .zip(&mut outputs)
                            .map(|(matrix, output)| Product { matrix, output, add: false })
                            .collect();
                        let start = Instant::now();
                        multiply(crew, &quantised, &mut products);
                        *best = best.min(start.elapsed().as_secs_f64());
                    }
                }
            }
            let seconds = |part: usize| best.iter().map(|best| best[part]).sum::<f64>();
            let works = SHAPES.map(|shapes| {
                shapes.iter().map(|(outputs, inputs)| outputs * inputs).sum::<usize>()
                    * rows
                    * LAYERS
            });
            let speed = |part: usize| works[part] as f64 / seconds(part) / 1e9;
            let all = works.iter().sum::<usize>() as f64 / (0..4).map(seconds).sum::<f64>() / 1e9;
            println!(
                "{threads} threads, {rows} rows: qkv {:.0}, output {:.0}, gate and up {:.0}, down {:.0}, all {all:.0} GMAC/s",
                speed(0),
                speed(1),
                speed(2),
                speed(3)
            );
        }
    }
}
