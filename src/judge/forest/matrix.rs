//! A dense matrix of features: one row a case, one column a feature.

/// The largest number of columns: a node names its column in 16 bits, and one number stays free.
pub const MAX_COLUMNS: usize = u16::MAX as usize;

/// Why numbers do not make a [`Matrix`].
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum MatrixError {
    /// A matrix has at least one column and at most [`MAX_COLUMNS`].
    #[error("{0} columns; a matrix has 1 to {MAX_COLUMNS}")]
    Columns(usize),
    /// The values do not fill rows times columns.
    #[error("{values} values do not fill {rows} rows of {columns} columns")]
    Size {
        /// Rows that were asked for.
        rows: usize,
        /// Columns that were asked for.
        columns: usize,
        /// Values that came.
        values: usize,
    },
    /// A value is infinite or not a number.
    #[error("row {row}, column {column} is {value}; values are finite")]
    NotFinite {
        /// Row of the value, from 0.
        row: usize,
        /// Column of the value, from 0.
        column: usize,
        /// The value.
        value: f32,
    },
}

/// Rows of finite `f32`, row after row.
#[derive(Debug, Clone, PartialEq)]
pub struct Matrix {
    columns: usize,
    values: Vec<f32>,
}

impl Matrix {
    /// Returns a matrix of this many columns without a row.
    ///
    /// # Errors
    /// [`MatrixError::Columns`] for no column or too many.
    pub fn empty(columns: usize) -> Result<Self, MatrixError> {
        if columns == 0 || columns > MAX_COLUMNS {
            return Err(MatrixError::Columns(columns));
        }
        Ok(Self {
            columns,
            values: Vec::new(),
        })
    }

    /// Returns the matrix of these values, which stand row after row.
    ///
    /// # Errors
    /// [`MatrixError`] when the sizes do not fit or a value is not finite.
    pub fn try_new(rows: usize, columns: usize, values: Vec<f32>) -> Result<Self, MatrixError> {
        let empty = Self::empty(columns)?;
        if rows.checked_mul(columns) != Some(values.len()) {
            return Err(MatrixError::Size {
                rows,
                columns,
                values: values.len(),
            });
        }
        finite(&values, 0, columns)?;
        Ok(Self { values, ..empty })
    }

    /// Adds a row at the end.
    ///
    /// # Errors
    /// [`MatrixError`] when it is not as wide as the matrix or a value is not finite; the matrix is
    /// then unchanged.
    pub fn push_row(&mut self, row: &[f32]) -> Result<(), MatrixError> {
        if row.len() != self.columns {
            return Err(MatrixError::Size {
                rows: 1,
                columns: self.columns,
                values: row.len(),
            });
        }
        finite(row, self.rows(), self.columns)?;
        self.values.extend_from_slice(row);
        Ok(())
    }

    /// Returns the number of rows.
    pub fn rows(&self) -> usize {
        self.values.len() / self.columns
    }

    /// Returns the number of columns.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Returns row `at`, counted from 0; it is empty beyond the last row.
    pub fn row(&self, at: usize) -> &[f32] {
        let from = at.saturating_mul(self.columns);
        self.values
            .get(from..from.saturating_add(self.columns))
            .unwrap_or_default()
    }

    /// Returns all values, row after row.
    pub fn values(&self) -> &[f32] {
        &self.values
    }
}

fn finite(values: &[f32], first_row: usize, columns: usize) -> Result<(), MatrixError> {
    match values.iter().position(|value| !value.is_finite()) {
        None => Ok(()),
        Some(at) => Err(MatrixError::NotFinite {
            row: first_row + at / columns,
            column: at % columns,
            value: values.get(at).copied().unwrap_or(f32::NAN),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_as_they_went_in() {
        let mut matrix = Matrix::try_new(2, 2, vec![1.0, 2.0, 3.0, 4.0]).unwrap();
        matrix.push_row(&[5.0, 6.0]).unwrap();
        assert_eq!((matrix.rows(), matrix.columns()), (3, 2));
        assert_eq!(matrix.row(0), [1.0, 2.0]);
        assert_eq!(matrix.row(2), [5.0, 6.0]);
        assert!(matrix.row(3).is_empty());
        assert!(matrix.row(usize::MAX).is_empty());
    }

    #[test]
    fn sizes_that_do_not_fit_are_refused() {
        assert_eq!(Matrix::empty(0), Err(MatrixError::Columns(0)));
        assert!(Matrix::empty(MAX_COLUMNS).is_ok());
        assert!(Matrix::empty(MAX_COLUMNS + 1).is_err());
        assert!(Matrix::try_new(2, 2, vec![0.0; 3]).is_err());
        assert!(Matrix::try_new(usize::MAX, 2, vec![0.0; 2]).is_err());
        let mut matrix = Matrix::empty(2).unwrap();
        assert!(matrix.push_row(&[1.0]).is_err());
        assert_eq!(matrix.rows(), 0);
    }

    #[test]
    fn a_value_that_is_not_finite_is_refused_and_named() {
        let mut matrix = Matrix::try_new(1, 2, vec![0.0, 1.0]).unwrap();
        let refused = matrix.push_row(&[0.0, f32::INFINITY]).unwrap_err();
        assert_eq!(
            refused,
            MatrixError::NotFinite {
                row: 1,
                column: 1,
                value: f32::INFINITY
            }
        );
        assert_eq!(matrix.rows(), 1);
        assert!(Matrix::try_new(1, 1, vec![f32::NAN]).is_err());
    }
}
