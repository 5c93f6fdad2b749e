use std::sync::Arc;

use bytemuck::Zeroable;
use xxhash_rust::xxh3::xxh3_64;

use super::CodeIndex;
use super::layout::{Header, Layout, MAGIC, Table};
use super::quantise::{Coded, LARGEST, MOST_DIMENSIONS};
use crate::faiss::{BuildParams, check_build};
use crate::ffi::{IvfBuild, centres};
use crate::image::{Image, Lines};
use crate::simd::{BLOCK, Level};
use crate::{Error, Vectors};

/// Standard deviations of a list that count for its rank. A query's nearest rows are the outer
/// ones of their lists, so a wide list promises more than its mean does: between 2 and 4 the rows
/// to look at hardly differ, at 0 they are a fifth more, twice as many when lengths vary.
const REACH: f32 = 3.0;
/// Stands for a row that is not there.
const NOBODY: u32 = u32::MAX;

/// The order in which rows are stored, and the lists that it is made of.
#[derive(Debug, Default)]
struct Order {
    ids: Vec<u32>,
    starts: Vec<u32>,
    sizes: Vec<u32>,
}

impl CodeIndex {
    /// All rows in order of id, to be scanned.
    ///
    /// # Errors
    /// More than 32768 dimensions, or numbers above 10¹⁵.
    pub fn build_scan(vectors: Arc<Vectors>) -> Result<Self, Error> {
        check_range(&vectors)?;
        let rows = vectors.len();
        let ids = (0u32..).take(rows).collect();
        Self::build(
            vectors,
            &Order {
                ids,
                ..Order::default()
            },
        )
    }

    /// Rows in lists around the centres that k-means finds; the same for the same vectors and
    /// parameters, whatever the number of threads.
    ///
    /// # Errors
    /// As [`CodeIndex::build_scan`], and parameters outside their limits.
    pub fn build_lists(vectors: Arc<Vectors>, params: &BuildParams) -> Result<Self, Error> {
        check_range(&vectors)?;
        check_build(params, vectors.len())?;
        let build = IvfBuild {
            lists: params.nlist,
            iterations: params.iterations,
            seed: params.seed,
            threads: params.threads,
        };
        let (_, nearest) =
            centres(vectors.as_slice(), vectors.dimension(), build).map_err(|detail| {
                Error::Faiss {
                    action: "find centres",
                    detail,
                }
            })?;
        Self::build(vectors, &Order::of(&nearest, params.nlist))
    }

    fn build(vectors: Arc<Vectors>, order: &Order) -> Result<Self, Error> {
        let lists = order.sizes.len();
        let header = Header {
            magic: MAGIC,
            rows: vectors.len() as u64,
            blocks: order.ids.len().div_ceil(BLOCK) as u64,
            vectors: xxh3_64(bytemuck::cast_slice(vectors.as_slice())),
            dimension: u32::try_from(vectors.dimension()).unwrap_or(u32::MAX),
            lists: u32::try_from(lists).unwrap_or(u32::MAX),
            reach: REACH,
            ..Header::zeroed()
        };
        let layout = Layout::of(&header).ok_or_else(|| Error::Invalid {
            field: "vectors",
            value: format!("{} rows", vectors.len()),
            allowed: "what fits into memory",
        })?;
        let mut lines = Lines::new(layout.len);
        lines.put(crate::image::Section::default(), &[header]);
        let rows = order.ids.iter().map(|&id| vectors.row(id));
        put_table(
            &mut lines,
            layout.rows,
            &Coded::of(vectors.dimension(), rows),
        );
        if lists > 0 {
            let (means, spreads) = means(&vectors, order);
            let means = means.chunks_exact(vectors.dimension()).map(Some);
            put_table(
                &mut lines,
                layout.means,
                &Coded::of(vectors.dimension(), means),
            );
            lines.put(layout.spreads, &spreads);
            lines.put(layout.starts, &order.starts);
            lines.put(layout.sizes, &order.sizes);
            lines.put(layout.ids, &order.ids);
        }
        Ok(Self {
            vectors,
            image: Image::Owned(lines),
            header,
            layout,
            level: Level::best(),
        })
    }

    /// Takes bytes whose checksum was right, and still believes none of their numbers.
    pub(super) fn from_image(image: Image, vectors: Arc<Vectors>) -> Result<Self, String> {
        let begin = image.bytes().get(..size_of::<Header>());
        let header: Header = begin
            .map(bytemuck::pod_read_unaligned)
            .filter(|header: &Header| header.magic == MAGIC)
            .ok_or("it is not an index of codes")?;
        let shape = (header.rows, u64::from(header.dimension));
        let expected = (vectors.len() as u64, vectors.dimension() as u64);
        if shape != expected {
            return Err(format!(
                "it is over {} rows of dimension {}, the vectors are {} of {}",
                shape.0, shape.1, expected.0, expected.1
            ));
        }
        if header.vectors != xxh3_64(bytemuck::cast_slice(vectors.as_slice())) {
            return Err("it was made from other vectors".to_owned());
        }
        let layout = Layout::of(&header)
            .filter(|layout| layout.len == image.bytes().len())
            .ok_or("its length does not fit its shape")?;
        let index = Self {
            vectors,
            image,
            header,
            layout,
            level: Level::best(),
        };
        index.check_lists()?;
        Ok(index)
    }

    /// Every row must be in one place, and every list inside the table.
    fn check_lists(&self) -> Result<(), String> {
        let wrong = || Err("its lists do not hold each row once".to_owned());
        let blocks = self.blocks();
        if self.header.lists == 0 {
            return if blocks == self.vectors.len().div_ceil(BLOCK) {
                Ok(())
            } else {
                wrong()
            };
        }
        let mut seen = crate::Bitmap::new(self.vectors.len());
        let mut next = 0;
        for list in 0..self.header.lists as usize {
            let (range, size) = self.list(list);
            if range.start != next || range.len() != size.div_ceil(BLOCK) || range.end > blocks {
                return wrong();
            }
            next = range.end;
            let (rows, rest) = self.ids()[range.start * BLOCK..range.end * BLOCK].split_at(size);
            rows.iter().for_each(|&id| seen.set(id));
            if rest.iter().any(|&id| id != NOBODY) {
                return wrong();
            }
        }
        let sizes: &[u32] = self.image.section(self.layout.sizes);
        let total: u64 = sizes.iter().map(|&size| u64::from(size)).sum();
        if next == blocks && seen.count() == self.header.rows && total == self.header.rows {
            Ok(())
        } else {
            wrong()
        }
    }
}

impl Order {
    /// Lists that got no row are left out.
    fn of(nearest: &[u32], lists: u32) -> Self {
        let mut members = vec![Vec::new(); lists as usize];
        for (id, &list) in (0u32..).zip(nearest) {
            if let Some(list) = members.get_mut(list as usize) {
                list.push(id);
            }
        }
        let mut order = Self {
            starts: vec![0],
            ..Self::default()
        };
        for list in members.into_iter().filter(|list| !list.is_empty()) {
            order
                .sizes
                .push(u32::try_from(list.len()).unwrap_or(u32::MAX));
            order.ids.extend(list);
            let end = order.ids.len().next_multiple_of(BLOCK);
            order.ids.resize(end, NOBODY);
            order
                .starts
                .push(u32::try_from(end / BLOCK).unwrap_or(u32::MAX));
        }
        order
    }
}

/// The mean of each list, and how far its rows lie from it: standard deviation of one dimension.
fn means(vectors: &Vectors, order: &Order) -> (Vec<f32>, Vec<f32>) {
    let dimension = vectors.dimension();
    let mut means = Vec::with_capacity(order.sizes.len() * dimension);
    let mut spreads = Vec::with_capacity(order.sizes.len());
    for (&start, &size) in order.starts.iter().zip(&order.sizes) {
        let from = start as usize * BLOCK;
        let rows = || {
            let ids = order.ids.iter().skip(from).take(size as usize);
            ids.filter_map(|&id| vectors.row(id))
        };
        let mut mean = vec![0.0f64; dimension];
        for row in rows() {
            for (sum, &x) in mean.iter_mut().zip(row) {
                *sum += f64::from(x) / f64::from(size);
            }
        }
        let differences = rows().flat_map(|row| row.iter().zip(&mean));
        let squares: f64 = differences
            .map(|(&x, mean)| (f64::from(x) - mean).powi(2))
            .sum();
        let numbers = f64::from(size) * f64::from(u32::try_from(dimension).unwrap_or(1));
        means.extend(mean.into_iter().map(narrow));
        spreads.push(narrow((squares / numbers).sqrt()));
    }
    (means, spreads)
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "lists are ranked by it, which bears rounding"
)]
fn narrow(x: f64) -> f32 {
    x as f32
}

fn put_table(lines: &mut Lines, table: Table, coded: &Coded) {
    lines.put(table.codes, &coded.codes);
    lines.put(table.steps, &coded.steps);
    lines.put(table.errors, &coded.errors);
    lines.put(table.lengths, &coded.lengths);
}

fn check_range(vectors: &Vectors) -> Result<(), Error> {
    if vectors.dimension() > MOST_DIMENSIONS {
        return Err(Error::Invalid {
            field: "dimension",
            value: vectors.dimension().to_string(),
            allowed: "at most 32768 for 8-bit codes",
        });
    }
    match vectors.as_slice().iter().find(|x| x.abs() > LARGEST) {
        Some(x) => Err(Error::Invalid {
            field: "vectors",
            value: x.to_string(),
            allowed: "numbers up to 1e15 for 8-bit codes",
        }),
        None => Ok(()),
    }
}
