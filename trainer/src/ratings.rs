//! Who touched what, and how much: the sparse matrix that factorisation works on.

/// Compressed rows; each row's columns ascend.
#[derive(Clone, Debug, PartialEq)]
pub struct Ratings {
    columns: usize,
    offsets: Vec<usize>,
    indices: Vec<u32>,
    values: Vec<f32>,
}

impl Ratings {
    /// From (row, column, value) in any order; values of one cell add up.
    pub fn new(rows: usize, columns: usize, cells: &[(u32, u32, f64)]) -> Self {
        let mut cells = cells.to_vec();
        cells.sort_unstable_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)).then(a.2.total_cmp(&b.2)));
        cells.dedup_by(|next, kept| {
            let same = (next.0, next.1) == (kept.0, kept.1);
            if same {
                kept.2 += next.2;
            }
            same
        });
        let mut offsets = vec![0; rows + 1];
        for (row, _, _) in &cells {
            offsets[*row as usize + 1] += 1;
        }
        for row in 0..rows {
            offsets[row + 1] += offsets[row];
        }
        let indices = cells.iter().map(|(_, column, _)| *column).collect();
        let values = cells.iter().map(|(_, _, value)| narrow(*value)).collect();
        Self {
            columns,
            offsets,
            indices,
            values,
        }
    }

    /// The same cells with rows and columns exchanged.
    pub fn transposed(&self) -> Self {
        let mut offsets = vec![0; self.columns + 1];
        for column in &self.indices {
            offsets[*column as usize + 1] += 1;
        }
        for column in 0..self.columns {
            offsets[column + 1] += offsets[column];
        }
        let mut next = offsets.clone();
        let mut indices = vec![0; self.indices.len()];
        let mut values = vec![0.0; self.values.len()];
        for (row, number) in (0..self.rows()).zip(0_u32..) {
            for (column, value) in self.row(row) {
                let place = &mut next[column];
                indices[*place] = number;
                values[*place] = value;
                *place += 1;
            }
        }
        Self {
            columns: self.rows(),
            offsets,
            indices,
            values,
        }
    }

    /// Without the cells of columns that fewer than `least` rows have; and how many such columns
    /// there are that have any.
    pub fn without_rare(mut self, least: u32) -> (Self, u64) {
        let mut rows_of = vec![0_u32; self.columns];
        for column in &self.indices {
            rows_of[*column as usize] += 1;
        }
        let rare = rows_of.iter().filter(|&&rows| rows > 0 && rows < least);
        let rare = rare.count() as u64;
        let mut kept = 0;
        for row in 0..self.rows() {
            let range = self.offsets[row]..self.offsets[row + 1];
            self.offsets[row] = kept;
            for from in range {
                let column = self.indices[from];
                if rows_of[column as usize] >= least {
                    self.indices[kept] = column;
                    self.values[kept] = self.values[from];
                    kept += 1;
                }
            }
        }
        let last = self.rows();
        self.offsets[last] = kept;
        self.indices.truncate(kept);
        self.values.truncate(kept);
        (self, rare)
    }

    pub fn map(mut self, change: impl Fn(f32) -> f32) -> Self {
        for value in &mut self.values {
            *value = change(*value);
        }
        self
    }

    pub fn rows(&self) -> usize {
        self.offsets.len() - 1
    }

    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Number of cells that hold a value.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// (column, value) of a row.
    pub fn row(&self, row: usize) -> impl Iterator<Item = (usize, f32)> + '_ {
        let range = self.offsets[row]..self.offsets[row + 1];
        let columns = self.indices[range.clone()]
            .iter()
            .map(|column| *column as usize);
        columns.zip(self.values[range].iter().copied())
    }
}

#[expect(clippy::cast_possible_truncation, reason = "weights are stored as f32")]
fn narrow(value: f64) -> f32 {
    value as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_of_too_few_rows_loses_its_cells_and_keeps_its_place() {
        let cells = [
            (0, 0, 1.0),
            (1, 0, 2.0),
            (1, 2, 4.0),
            (3, 0, 3.0),
            (3, 2, 5.0),
        ];
        let all = Ratings::new(4, 4, &cells);
        let (kept, rare) = all.clone().without_rare(3);
        let expected = [(0, 0, 1.0), (1, 0, 2.0), (3, 0, 3.0)];
        assert_eq!((kept, rare), (Ratings::new(4, 4, &expected), 1));
        assert_eq!(all.clone().without_rare(1), (all, 0));
    }

    #[test]
    fn adds_up_cells_and_exchanges_rows_with_columns() {
        let ratings = Ratings::new(2, 3, &[(1, 2, 1.0), (0, 1, 4.0), (1, 2, 8.0), (1, 0, 1.0)]);
        assert_eq!(ratings.row(0).collect::<Vec<_>>(), [(1, 4.0)]);
        assert_eq!(ratings.row(1).collect::<Vec<_>>(), [(0, 1.0), (2, 9.0)]);
        let transposed = ratings.transposed();
        assert_eq!(transposed.row(2).collect::<Vec<_>>(), [(1, 9.0)]);
        assert_eq!(transposed.transposed(), ratings);
    }
}
