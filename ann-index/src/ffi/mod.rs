//! Calls into the C++ shim over FAISS, and the mapping of files. Beside `simd`, the only unsafe
//! code of the workspace. Everything that leaves this module is safe: it checks each length itself
//! and trusts no caller.
#![allow(
    unsafe_code,
    reason = "FAISS is C++, and what else changes a mapped file is out of our hands"
)]

mod map;

use std::ffi::{CStr, CString, c_char, c_int};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr::{NonNull, null, null_mut};

use crate::{Bitmap, Hit};

pub(crate) use map::MappedFile;

const TEXT: usize = 512;

#[repr(C)]
struct Raw {
    _opaque: [u8; 0],
}

/// Rows, dimension, and lists (0 for a flat index).
#[repr(C)]
#[derive(Copy, Clone, Debug)]
pub(crate) struct Shape {
    pub(crate) rows: u64,
    pub(crate) dimension: u32,
    pub(crate) lists: u32,
}

#[repr(C)]
#[derive(Copy, Clone)]
struct RawHit {
    id: u32,
    score: f32,
}

unsafe extern "C" {
    fn ann_build_flat(
        rows: *const f32,
        n: u64,
        d: u32,
        out: *mut *mut Raw,
        error: *mut c_char,
        error_len: usize,
    ) -> c_int;
    fn ann_build_ivf_sq8(
        rows: *const f32,
        n: u64,
        d: u32,
        lists: u32,
        iterations: u32,
        seed: u32,
        threads: u32,
        out: *mut *mut Raw,
        error: *mut c_char,
        error_len: usize,
    ) -> c_int;
    fn ann_centres(
        rows: *const f32,
        n: u64,
        d: u32,
        lists: u32,
        iterations: u32,
        seed: u32,
        threads: u32,
        centres: *mut f32,
        nearest: *mut u32,
        error: *mut c_char,
        error_len: usize,
    ) -> c_int;
    fn ann_load(
        path: *const c_char,
        mapped: c_int,
        out: *mut *mut Raw,
        error: *mut c_char,
        error_len: usize,
    ) -> c_int;
    fn ann_save(
        index: *const Raw,
        path: *const c_char,
        error: *mut c_char,
        error_len: usize,
    ) -> c_int;
    fn ann_free(index: *mut Raw);
    fn ann_shape(index: *const Raw) -> Shape;
    fn ann_search(
        index: *const Raw,
        query: *const f32,
        k: u32,
        probes: u32,
        bitmap: *const u8,
        bitmap_len: usize,
        hits: *mut RawHit,
        found: *mut u32,
        error: *mut c_char,
        error_len: usize,
    ) -> c_int;
    fn ann_compile_options(
        out: *mut c_char,
        len: usize,
        error: *mut c_char,
        error_len: usize,
    ) -> c_int;
}

/// An index owned by the C++ side, freed on drop.
pub(crate) struct Handle {
    raw: NonNull<Raw>,
    shape: Shape,
}

// SAFETY: the index is plain memory (or a read-only mapping) with no tie to the thread that made
// it, and freeing it is allowed from any thread.
unsafe impl Send for Handle {}
// SAFETY: after construction only `ann_search`, `ann_save` and `ann_shape` are called, all on a
// const index; FAISS keeps a search's state on its stack and documents concurrent searches as
// safe. Its global statistics counters may miss counts, and nobody reads them.
unsafe impl Sync for Handle {}

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: `raw` came from the shim, is owned by this value alone and freed once.
        unsafe { ann_free(self.raw.as_ptr()) }
    }
}

impl std::fmt::Debug for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.shape.fmt(f)
    }
}

/// How to build inverted lists.
#[derive(Copy, Clone, Debug)]
pub(crate) struct IvfBuild {
    pub(crate) lists: u32,
    pub(crate) iterations: u32,
    pub(crate) seed: u32,
    pub(crate) threads: u32,
}

impl Handle {
    pub(crate) fn build_flat(rows: &[f32], dimension: usize) -> Result<Self, String> {
        let (n, d) = rows_of(rows, dimension)?;
        Self::made(|out, error, len| {
            // SAFETY: `rows` holds n × d numbers, as `rows_of` checked; they are copied.
            unsafe { ann_build_flat(rows.as_ptr(), n, d, out, error, len) }
        })
    }

    pub(crate) fn build_ivf_sq8(
        rows: &[f32],
        dimension: usize,
        build: IvfBuild,
    ) -> Result<Self, String> {
        let (n, d) = rows_of(rows, dimension)?;
        let IvfBuild {
            lists,
            iterations,
            seed,
            threads,
        } = build;
        Self::made(|out, error, len| {
            // SAFETY: `rows` holds n × d numbers, as `rows_of` checked; they are only read.
            unsafe {
                ann_build_ivf_sq8(
                    rows.as_ptr(),
                    n,
                    d,
                    lists,
                    iterations,
                    seed,
                    threads,
                    out,
                    error,
                    len,
                )
            }
        })
    }

    pub(crate) fn load(path: &Path, mapped: bool) -> Result<Self, String> {
        let path = c_path(path)?;
        Self::made(|out, error, len| {
            // SAFETY: `path` is a C string that lives through the call.
            unsafe { ann_load(path.as_ptr(), c_int::from(mapped), out, error, len) }
        })
    }

    pub(crate) fn save(&self, path: &Path) -> Result<(), String> {
        let path = c_path(path)?;
        checked(|error, len| {
            // SAFETY: the index is alive and `path` is a C string that lives through the call.
            unsafe { ann_save(self.raw.as_ptr(), path.as_ptr(), error, len) }
        })
    }

    pub(crate) fn shape(&self) -> Shape {
        self.shape
    }

    /// Appends at most `k` hits to `out`, in FAISS's order.
    pub(crate) fn search(
        &self,
        query: &[f32],
        k: u32,
        probes: u32,
        allowed: Option<&Bitmap>,
        out: &mut Vec<Hit>,
    ) -> Result<(), String> {
        if u32::try_from(query.len()) != Ok(self.shape.dimension) {
            return Err(format!("query of {} numbers", query.len()));
        }
        // A selector that reads past the bitmap's end would be a wild read; FAISS itself stops at
        // the length given, so a short bitmap is sound, only narrower.
        let (bits, bits_len) = allowed.map_or((null(), 0), |bitmap| {
            (
                bitmap.words().as_ptr().cast::<u8>(),
                size_of_val(bitmap.words()),
            )
        });
        let mut hits = vec![RawHit { id: 0, score: 0.0 }; k as usize];
        let mut found = 0;
        checked(|error, len| {
            // SAFETY: the query has the index's dimension, `hits` has room for k, the bitmap's
            // words are read as bytes for `bits_len` of them, and all outlive the call.
            unsafe {
                ann_search(
                    self.raw.as_ptr(),
                    query.as_ptr(),
                    k,
                    probes,
                    bits,
                    bits_len,
                    hits.as_mut_ptr(),
                    &raw mut found,
                    error,
                    len,
                )
            }
        })?;
        let found = hits.iter().take(found as usize);
        out.extend(found.map(|hit| Hit {
            id: hit.id,
            score: hit.score,
        }));
        Ok(())
    }

    fn made(make: impl FnOnce(*mut *mut Raw, *mut c_char, usize) -> c_int) -> Result<Self, String> {
        let mut raw = null_mut();
        checked(|error, len| make(&raw mut raw, error, len))?;
        let raw = NonNull::new(raw).ok_or("no index came back")?;
        // SAFETY: the shim has just made this index and it is alive.
        let shape = unsafe { ann_shape(raw.as_ptr()) };
        Ok(Self { raw, shape })
    }
}

/// The centres that k-means finds, row-major, and for each row the nearest of them.
pub(crate) fn centres(
    rows: &[f32],
    dimension: usize,
    build: IvfBuild,
) -> Result<(Vec<f32>, Vec<u32>), String> {
    let (n, d) = rows_of(rows, dimension)?;
    let mut centres = vec![0.0; build.lists as usize * dimension];
    let mut nearest = vec![0; rows.len() / dimension];
    checked(|error, len| {
        // SAFETY: `rows` holds n × d numbers, `centres` lists × d and `nearest` n, as they were
        // just made; all outlive the call.
        unsafe {
            ann_centres(
                rows.as_ptr(),
                n,
                d,
                build.lists,
                build.iterations,
                build.seed,
                build.threads,
                centres.as_mut_ptr(),
                nearest.as_mut_ptr(),
                error,
                len,
            )
        }
    })?;
    Ok((centres, nearest))
}

pub(crate) fn compile_options() -> Result<String, String> {
    let mut text: [c_char; TEXT] = [0; TEXT];
    // SAFETY: the buffer is writable for the length given.
    checked(|error, len| unsafe { ann_compile_options(text.as_mut_ptr(), TEXT, error, len) })?;
    Ok(text_of(&text))
}

fn checked(call: impl FnOnce(*mut c_char, usize) -> c_int) -> Result<(), String> {
    let mut error: [c_char; TEXT] = [0; TEXT];
    match call(error.as_mut_ptr(), TEXT) {
        0 => Ok(()),
        _ => Err(text_of(&error)),
    }
}

fn text_of(text: &[c_char; TEXT]) -> String {
    // SAFETY: the buffer began zeroed and the shim writes at most its length with a zero at the
    // end, so there is one.
    unsafe { CStr::from_ptr(text.as_ptr()) }
        .to_string_lossy()
        .into_owned()
}

fn rows_of(rows: &[f32], dimension: usize) -> Result<(u64, u32), String> {
    let d = u32::try_from(dimension).ok().filter(|&d| d > 0);
    match d {
        Some(d) if rows.len().is_multiple_of(dimension) => Ok(((rows.len() / dimension) as u64, d)),
        Some(_) | None => Err(format!("{} numbers of dimension {dimension}", rows.len())),
    }
}

fn c_path(path: &Path) -> Result<CString, String> {
    CString::new(path.as_os_str().as_bytes()).map_err(|_| "path holds a zero byte".to_owned())
}
