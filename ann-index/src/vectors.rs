use crate::Error;

/// A row-major table of finite f32 vectors of one dimension.
#[derive(Clone, PartialEq)]
pub struct Vectors {
    data: Vec<f32>,
    dimension: usize,
}

impl Vectors {
    /// # Errors
    /// When `data` is not whole rows of `dimension`, holds a number that is not finite, or has
    /// more rows than a u32 can name.
    pub fn new(data: Vec<f32>, dimension: usize) -> Result<Self, Error> {
        check_rows(&data, dimension)?;
        Ok(Self { data, dimension })
    }

    #[must_use]
    pub fn dimension(&self) -> usize {
        self.dimension
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.data.len() / self.dimension
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    #[must_use]
    pub fn as_slice(&self) -> &[f32] {
        &self.data
    }

    /// The row, or `None` when there is no such id.
    #[must_use]
    pub fn row(&self, id: u32) -> Option<&[f32]> {
        let start = usize::try_from(id).ok()?.checked_mul(self.dimension)?;
        self.data.get(start..start.checked_add(self.dimension)?)
    }
}

impl std::fmt::Debug for Vectors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vectors")
            .field("rows", &self.len())
            .field("dimension", &self.dimension)
            .finish()
    }
}

pub(crate) fn check_rows(data: &[f32], dimension: usize) -> Result<(), Error> {
    if dimension == 0 || !data.len().is_multiple_of(dimension) {
        return Err(Error::Invalid {
            field: "vectors",
            value: format!("{} numbers of dimension {dimension}", data.len()),
            allowed: "the length must be whole rows of a dimension above 0",
        });
    }
    if u32::try_from(data.len() / dimension).is_err() {
        return Err(Error::Invalid {
            field: "vectors",
            value: format!("{} rows", data.len() / dimension),
            allowed: "at most 4294967295 rows",
        });
    }
    match data.iter().enumerate().find(|(_, x)| !x.is_finite()) {
        Some((at, &value)) => Err(Error::NotFinite {
            what: "vectors",
            at,
            value,
        }),
        None => Ok(()),
    }
}
