//! The one seam for arithmetic on weights: rows times matrices.

use crate::kernel::{Crew, Filling, PackedMatrix, Product, QuantisedRows, multiply};

/// A weight matrix that rows are multiplied by.
pub(crate) trait Linear: Send + Sync {
    /// Numbers of a product.
    fn outputs(&self) -> usize;

    /// Numbers of a row.
    fn inputs(&self) -> usize;

    /// Bytes of memory that the weights take.
    fn bytes(&self) -> usize;

    /// Copies row `index` of the matrix, which is how a token becomes its embedding.
    fn copy_row(&self, index: usize, output: &mut [f32]) -> Result<(), ComputeError>;

    /// The tiles that take quantised rows; `None` for a matrix that takes floats.
    fn packed(&self) -> Option<&PackedMatrix>;

    /// Multiplies floats, `[rows, inputs]`, to `[rows, outputs]`; asked only of matrices that are
    /// not packed.
    fn apply(&self, crew: Crew<'_>, input: &[f32], output: &mut [f32]) -> Result<(), ComputeError>;
}

/// A product could not be computed, as when a device runs out of memory.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot compute: {detail}")]
pub(crate) struct ComputeError {
    /// What the device said.
    pub(crate) detail: String,
}

impl From<candle_core::Error> for ComputeError {
    fn from(error: candle_core::Error) -> Self {
        // What follows the first line is where in the library it happened.
        let detail = error.to_string().lines().next().unwrap_or_default().to_owned();
        Self { detail }
    }
}

impl Linear for PackedMatrix {
    fn outputs(&self) -> usize {
        self.outputs()
    }

    fn inputs(&self) -> usize {
        self.inputs()
    }

    fn bytes(&self) -> usize {
        self.bytes()
    }

    fn copy_row(&self, index: usize, output: &mut [f32]) -> Result<(), ComputeError> {
        self.copy_row(index, output);
        Ok(())
    }

    fn packed(&self) -> Option<&PackedMatrix> {
        Some(self)
    }

    fn apply(&self, crew: Crew<'_>, input: &[f32], output: &mut [f32]) -> Result<(), ComputeError> {
        let filling = Filling::whole_rows(input.len() / self.inputs(), self.inputs());
        let mut rows = QuantisedRows::default();
        rows.copy(crew, filling, input);
        multiply(crew, &rows, &mut [Product { matrix: self, output, add: false }]);
        Ok(())
    }
}

/// One matrix and where its products go.
pub(crate) struct Multiplication<'a> {
    /// The matrix.
    pub(crate) matrix: &'a dyn Linear,
    /// `[rows, outputs]`.
    pub(crate) output: &'a mut [f32],
    /// Whether the products are added to what `output` holds; else they replace it.
    pub(crate) add: bool,
}

/// In which forms some matrices want their rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Wants {
    quantised: bool,
    floats: bool,
}

impl Wants {
    fn of(multiplications: &[Multiplication<'_>]) -> Self {
        let packed = |each: &Multiplication<'_>| each.matrix.packed().is_some();
        Self {
            quantised: multiplications.iter().any(packed),
            floats: !multiplications.iter().all(packed),
        }
    }
}

/// Rows on their way into matrices: quantised, as floats or both, as the matrices want them. The
/// memory is kept from one use to the next.
#[derive(Default)]
pub(crate) struct Rows {
    quantised: QuantisedRows,
    floats: Vec<f32>,
    /// Scratch for products that are added.
    added: Vec<f32>,
}

impl Rows {
    /// Makes rows and multiplies them by several matrices of the same inputs: `make` is called
    /// once with every row, part of it and the place for that part's numbers, on all threads.
    pub(crate) fn multiply_made(
        &mut self,
        crew: Crew<'_>,
        filling: Filling,
        make: impl Fn(usize, usize, &mut [f32]) + Sync,
        multiplications: &mut [Multiplication<'_>],
    ) -> Result<(), ComputeError> {
        let wants = Wants::of(multiplications);
        if !wants.floats {
            self.quantised.fill(crew, filling, make);
            return self.multiply(crew, &[], multiplications);
        }
        let Filling { rows, inputs, parts, grain } = filling;
        let mut floats = std::mem::take(&mut self.floats);
        floats.resize(rows * inputs, 0.0);
        crew.team.run_chunks(&mut floats, inputs / parts, grain, |unit, place| {
            make(unit / parts, unit % parts, place);
        });
        let outcome = self.multiply_given(crew, filling, &floats, multiplications);
        self.floats = floats;
        outcome
    }

    /// Multiplies rows that lie in memory, `[rows, inputs]`.
    pub(crate) fn multiply_given(
        &mut self,
        crew: Crew<'_>,
        filling: Filling,
        input: &[f32],
        multiplications: &mut [Multiplication<'_>],
    ) -> Result<(), ComputeError> {
        if Wants::of(multiplications).quantised {
            self.quantised.copy(crew, filling, input);
        }
        self.multiply(crew, input, multiplications)
    }

    /// The packed matrices are multiplied as one piece of work.
    fn multiply(
        &mut self,
        crew: Crew<'_>,
        floats: &[f32],
        multiplications: &mut [Multiplication<'_>],
    ) -> Result<(), ComputeError> {
        let mut products = Vec::with_capacity(multiplications.len());
        for Multiplication { matrix, output, add } in multiplications {
            match matrix.packed() {
                Some(matrix) => products.push(Product { matrix, output, add: *add }),
                None if *add => {
                    self.added.resize(output.len(), 0.0);
                    matrix.apply(crew, floats, &mut self.added)?;
                    for (sum, addend) in output.iter_mut().zip(&self.added) {
                        *sum += addend;
                    }
                }
                None => matrix.apply(crew, floats, output)?,
            }
        }
        if !products.is_empty() {
            multiply(crew, &self.quantised, &mut products);
        }
        Ok(())
    }
}
