//! Where an engine computes.

use std::fmt;
use std::str::FromStr;

use candle_core::Device;

use crate::LoadError;

const CPU: &str = "cpu";
const CANDLE_CPU: &str = "candle-cpu";
const CUDA_PREFIX: &str = "cuda:";

/// Where an engine computes: what holds the weights, the keys and the values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ComputeDevice {
    /// The processor, with this crate's own kernels.
    #[default]
    Cpu,
    /// The processor, through candle's tensors: the way of a GPU on a machine that has none, for
    /// tests and comparisons. It is many times slower.
    CandleCpu,
    /// The NVIDIA GPU of that number, in builds with the feature `cuda`.
    Cuda(usize),
}

impl ComputeDevice {
    /// Candle's device; `None` for this crate's own kernels.
    pub(crate) fn open(self) -> Result<Option<Device>, LoadError> {
        match self {
            Self::Cpu => Ok(None),
            Self::CandleCpu => Ok(Some(Device::Cpu)),
            Self::Cuda(_) if !cfg!(feature = "cuda") => Err(LoadError::Start {
                detail: format!("{self} needs a build with the feature `cuda`"),
            }),
            Self::Cuda(number) => match Device::new_cuda(number) {
                Ok(device) => Ok(Some(device)),
                Err(error) => {
                    Err(LoadError::Start { detail: format!("no device {self}: {error}") })
                }
            },
        }
    }
}

impl fmt::Display for ComputeDevice {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => formatter.write_str(CPU),
            Self::CandleCpu => formatter.write_str(CANDLE_CPU),
            Self::Cuda(number) => write!(formatter, "{CUDA_PREFIX}{number}"),
        }
    }
}

impl FromStr for ComputeDevice {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let number = name.strip_prefix(CUDA_PREFIX).and_then(|number| number.parse().ok());
        match (name, number) {
            (CPU, _) => Ok(Self::Cpu),
            (CANDLE_CPU, _) => Ok(Self::CandleCpu),
            (_, Some(number)) => Ok(Self::Cuda(number)),
            _ => Err(format!(
                "unknown device {name:?}; known are {CPU}, {CANDLE_CPU} and {CUDA_PREFIX}0, \
                 {CUDA_PREFIX}1 and so on"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for device in [ComputeDevice::Cpu, ComputeDevice::CandleCpu, ComputeDevice::Cuda(3)] {
            assert_eq!(device.to_string().parse(), Ok(device));
        }
        for name in ["", "gpu", "cuda", "cuda:", "cuda:x", "cuda:-1", "cuda:+1 "] {
            let error = name.parse::<ComputeDevice>().expect_err("no device");
            assert!(error.contains("known are cpu, candle-cpu and cuda:0"), "{error}");
        }
    }

    #[cfg(not(feature = "cuda"))]
    #[test]
    fn a_build_without_cuda_says_so() {
        let error = ComputeDevice::Cuda(1).open().expect_err("no such build").to_string();
        assert_eq!(error, "cannot start the engine: cuda:1 needs a build with the feature `cuda`");
    }
}
