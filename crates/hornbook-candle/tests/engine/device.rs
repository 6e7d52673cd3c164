//! Devices: the whole way of a GPU, driven on the processor.

use futures_util::future::join_all;
use hornbook_candle::{ComputeDevice, InstructionSet, LoadError};
use hornbook_inference::Backend;

use crate::tiny::{Tiny, greedy, request};

/// Answers of a device with so many slots and threads.
async fn texts(device: ComputeDevice, slots: usize, threads: usize) -> Vec<String> {
    let loaded = Tiny::new()
        .load(|config| {
            config.device = device;
            config.slots = slots;
            config.threads = Some(threads);
        })
        .expect("the file loads");
    let answers = (0..12).map(|number| {
        let prompt = "the thing that they think of ".repeat(1 + number * number % 17);
        loaded.complete(match number % 3 {
            0 => request(&prompt, 20, number as u64),
            _ => greedy(&prompt, 20),
        })
    });
    let answers = join_all(answers).await.into_iter();
    answers.map(|answer| answer.expect("an answer").text).collect()
}

#[tokio::test]
async fn candle_s_tensors_write_what_the_kernels_write_alone_and_in_company() {
    let kernels = texts(ComputeDevice::Cpu, 4, 2).await;
    let alone = texts(ComputeDevice::CandleCpu, 1, 1).await;
    assert_eq!(alone, texts(ComputeDevice::CandleCpu, 16, 2).await);
    // Sums differ in their last bits, so two tokens may change places; most answers have none
    // so close.
    let same = alone.iter().zip(&kernels).filter(|(left, right)| left == right).count();
    assert!(same > 9, "{same} of 12 answers are the same");
}

#[tokio::test]
async fn the_device_is_named_as_what_the_bits_depend_on() {
    let device = ComputeDevice::CandleCpu;
    let loaded = Tiny::new().load(|config| config.device = device).expect("the file loads");
    assert_eq!(loaded.engine.provenance().instruction_set.as_deref(), Some("candle-cpu"));
}

#[tokio::test]
async fn an_instruction_set_is_used_where_the_machine_has_it_and_refused_elsewhere() {
    for set in InstructionSet::ALL {
        let loaded = Tiny::new().load(|config| config.instruction_set = Some(set));
        match loaded {
            Ok(loaded) if set.is_available() => {
                let named = loaded.engine.provenance().instruction_set;
                assert_eq!(named.as_deref(), Some(set.name()));
                let answer = loaded.complete(greedy("the thing", 4)).await.expect("an answer");
                assert_eq!(answer.usage.completion_tokens, 4);
            }
            Err(LoadError::InstructionSet { set: refused }) if !set.is_available() => {
                assert_eq!(refused, set);
            }
            Ok(_) => panic!("{set} was taken, and this machine lacks it"),
            Err(error) => panic!("{set}: {error}"),
        }
    }
}

#[cfg(not(feature = "cuda"))]
#[test]
fn a_gpu_needs_another_build() {
    let error = match Tiny::new().load(|config| config.device = ComputeDevice::Cuda(0)) {
        Ok(_) => panic!("this build has no CUDA"),
        Err(error) => error.to_string(),
    };
    assert_eq!(error, "cannot start the engine: cuda:0 needs a build with the feature `cuda`");
}
