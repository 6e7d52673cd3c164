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

/// Rows on their way into matrices: quantised, as floats or both, as the matrices want them. The
/// memory is kept from one filling to the next.
#[derive(Default)]
pub(crate) struct Rows {
    quantised: QuantisedRows,
    floats: Vec<f32>,
    /// Scratch for products that are added.
    added: Vec<f32>,
}

/// In which forms some matrices want their rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wants {
    quantised: bool,
    floats: bool,
}

impl Wants {
    /// What those matrices want.
    pub(crate) fn of<'a>(matrices: impl IntoIterator<Item = &'a dyn Linear>) -> Self {
        let mut wants = Self { quantised: false, floats: false };
        for matrix in matrices {
            match matrix.packed() {
                Some(_) => wants.quantised = true,
                None => wants.floats = true,
            }
        }
        wants
    }
}

impl Rows {
    /// Makes rows: `make` is called once with every row, part of it and the place for that part's
    /// numbers, on all threads.
    pub(crate) fn fill(
        &mut self,
        crew: Crew<'_>,
        wants: Wants,
        filling: Filling,
        make: impl Fn(usize, usize, &mut [f32]) + Sync,
    ) {
        if !wants.floats {
            return self.quantised.fill(crew, filling, make);
        }
        let Filling { rows, inputs, parts, grain } = filling;
        self.floats.resize(rows * inputs, 0.0);
        crew.team.run_chunks(&mut self.floats, inputs / parts, grain, |unit, place| {
            make(unit / parts, unit % parts, place);
        });
        if wants.quantised {
            self.quantised.copy(crew, filling, &self.floats);
        }
    }

    /// Multiplies the rows by several matrices; the packed ones as one piece of work.
    ///
    /// The rows must have been filled as `Wants::of` those matrices says.
    pub(crate) fn multiply(
        &mut self,
        crew: Crew<'_>,
        multiplications: &mut [Multiplication<'_>],
    ) -> Result<(), ComputeError> {
        let mut products = Vec::with_capacity(multiplications.len());
        for Multiplication { matrix, output, add } in multiplications {
            match matrix.packed() {
                Some(matrix) => products.push(Product { matrix, output, add: *add }),
                None if *add => {
                    self.added.resize(output.len(), 0.0);
                    matrix.apply(crew, &self.floats, &mut self.added)?;
                    for (sum, addend) in output.iter_mut().zip(&self.added) {
                        *sum += addend;
                    }
                }
                None => matrix.apply(crew, &self.floats, output)?,
            }
        }
        if !products.is_empty() {
            multiply(crew, &self.quantised, &mut products);
        }
        Ok(())
    }
}
