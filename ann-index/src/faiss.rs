use std::path::Path;

use crate::envelope;
use crate::ffi::{Handle, IvfBuild, compile_options};
use crate::index::check_query;
use crate::top::best_first;
use crate::vectors::check_rows;
use crate::{Bitmap, Error, Hit, Plan, SearchReport, VectorIndex};

/// How to build inverted lists with 8-bit codes.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct BuildParams {
    /// Number of lists, at most the number of rows.
    pub nlist: u32,
    /// Rounds of k-means.
    pub iterations: u32,
    pub seed: u32,
    pub threads: u32,
}

impl BuildParams {
    /// About 4 √rows lists, and at least 39 rows a list, below which FAISS's k-means has too few
    /// points to place a centre.
    #[must_use]
    pub fn for_rows(rows: usize, seed: u32) -> Self {
        let root = rows.isqrt().saturating_mul(4);
        let nlist = root.min(rows / 39).clamp(1, 65_536);
        Self {
            nlist: u32::try_from(nlist).unwrap_or(1),
            iterations: 10,
            seed,
            threads: 2,
        }
    }
}

/// How much of the index one search looks at.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct SearchParams {
    /// Lists to probe; ignored by a flat index.
    pub nprobe: u32,
}

/// An index of FAISS, searched through `&self` from any number of threads; a query runs on the
/// thread that asks.
///
/// Scores of an index with 8-bit codes are those of the decoded vectors, a little off the true
/// ones; [`crate::SpaceIndex`] scores the best again with the full vectors.
#[derive(Debug)]
pub struct FaissIndex {
    handle: Handle,
    default: SearchParams,
}

impl FaissIndex {
    /// Inverted lists with 8-bit codes. The same rows, parameters and build give the same index.
    ///
    /// # Errors
    /// Rows that are not whole or not finite, or more lists than rows.
    pub fn build_ivf_sq8(
        vectors: &[f32],
        dimension: usize,
        params: &BuildParams,
    ) -> Result<Self, Error> {
        check_rows(vectors, dimension)?;
        check_build(params, vectors.len() / dimension)?;
        let build = IvfBuild {
            lists: params.nlist,
            iterations: params.iterations,
            seed: params.seed,
            threads: params.threads,
        };
        Handle::build_ivf_sq8(vectors, dimension, build)
            .map(Self::from_handle)
            .map_err(|detail| Error::Faiss {
                action: "build the index",
                detail,
            })
    }

    /// Full vectors, scanned.
    ///
    /// # Errors
    /// Rows that are not whole or not finite.
    pub fn build_flat(vectors: &[f32], dimension: usize) -> Result<Self, Error> {
        check_rows(vectors, dimension)?;
        Handle::build_flat(vectors, dimension)
            .map(Self::from_handle)
            .map_err(|detail| Error::Faiss {
                action: "build the index",
                detail,
            })
    }

    /// Reads an index file into memory.
    ///
    /// # Errors
    /// When the file is missing, damaged or of another kind.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, Error> {
        Self::open(path.as_ref(), false)
    }

    /// Maps an index file: its pages are read when first touched and shared between processes.
    /// The file must not change while it is mapped.
    ///
    /// # Errors
    /// As [`FaissIndex::load`].
    pub fn load_mmap(path: impl AsRef<Path>) -> Result<Self, Error> {
        Self::open(path.as_ref(), true)
    }

    fn open(path: &Path, mapped: bool) -> Result<Self, Error> {
        let refused = |detail| Error::File {
            path: path.to_owned(),
            detail,
        };
        envelope::check(path).map_err(refused)?;
        Handle::load(path, mapped)
            .map(Self::from_handle)
            .map_err(refused)
    }

    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), Error> {
        let path = path.as_ref();
        let refused = |detail| Error::File {
            path: path.to_owned(),
            detail,
        };
        self.handle.save(path).map_err(refused)?;
        envelope::seal(path).map_err(|error| refused(error.to_string()))
    }

    fn from_handle(handle: Handle) -> Self {
        // Without a measured table an eighth of the lists is a start on the safe side.
        let nprobe = (handle.shape().lists / 8).max(1);
        Self {
            handle,
            default: SearchParams { nprobe },
        }
    }

    /// Rows of so many lists, as many as they hold in the mean.
    pub(crate) fn rows_of(&self, probes: u32) -> u64 {
        let rows = self.handle.shape().rows;
        match u64::from(self.lists()) {
            0 => rows,
            lists => rows * u64::from(probes) / lists,
        }
    }

    /// Number of inverted lists; 0 for a flat index.
    #[must_use]
    pub fn lists(&self) -> u32 {
        self.handle.shape().lists
    }

    /// As [`VectorIndex::search`], probing as many lists as asked for.
    ///
    /// # Errors
    /// As [`VectorIndex::search`], and an `nprobe` of 0.
    pub fn search_with(
        &self,
        query: &[f32],
        k: usize,
        params: SearchParams,
        allowed: Option<&Bitmap>,
        out: &mut Vec<Hit>,
    ) -> Result<SearchReport, Error> {
        check_query(self, query, k, allowed)?;
        if params.nprobe == 0 {
            let value = "0".to_owned();
            return Err(Error::Invalid {
                field: "nprobe",
                value,
                allowed: "1 or more",
            });
        }
        out.clear();
        // Asking for more than there are rows would only pad the answer.
        let wanted = u32::try_from(k.min(self.len())).unwrap_or(u32::MAX);
        let probes = params.nprobe.min(self.lists());
        if wanted > 0 {
            self.handle
                .search(query, wanted, probes.max(1), allowed, out)
                .map_err(|detail| Error::Faiss {
                    action: "search",
                    detail,
                })?;
        }
        out.sort_unstable_by(best_first);
        let eligible = allowed.map_or(self.len() as u64, Bitmap::count);
        let plan = if probes == self.lists() {
            Plan::Exact
        } else {
            Plan::Approximate
        };
        Ok(SearchReport {
            plan,
            lists_probed: probes,
            scanned: self.rows_of(probes),
            eligible,
        })
    }
}

impl VectorIndex for FaissIndex {
    fn dimension(&self) -> usize {
        self.handle.shape().dimension as usize
    }

    fn len(&self) -> usize {
        usize::try_from(self.handle.shape().rows).unwrap_or(usize::MAX)
    }

    fn search(
        &self,
        query: &[f32],
        k: usize,
        allowed: Option<&Bitmap>,
        out: &mut Vec<Hit>,
    ) -> Result<SearchReport, Error> {
        self.search_with(query, k, self.default, allowed, out)
    }
}

pub(crate) fn check_build(params: &BuildParams, rows: usize) -> Result<(), Error> {
    let invalid = |field, value: u32, allowed| {
        Err(Error::Invalid {
            field,
            value: value.to_string(),
            allowed,
        })
    };
    if params.nlist == 0 || params.nlist as usize > rows {
        return invalid("nlist", params.nlist, "from 1 to the number of rows");
    }
    if params.iterations == 0 || params.iterations > 1_000 {
        return invalid("iterations", params.iterations, "from 1 to 1000");
    }
    if params.threads == 0 || params.threads > 1_024 {
        return invalid("threads", params.threads, "from 1 to 1024");
    }
    Ok(())
}

/// Refuses a FAISS that was compiled without AVX2, where a scan of 8-bit codes is about five
/// times slower. Returns the compile options.
///
/// # Errors
/// When the options lack AVX2; the message says how to build with it.
pub fn check_compile_options() -> Result<String, Error> {
    let options = compile_options().map_err(|detail| Error::Faiss {
        action: "tell its compile options",
        detail,
    })?;
    if options.contains("AVX2") || options.contains("AVX512") {
        return Ok(options);
    }
    Err(Error::GenericBuild { options })
}
