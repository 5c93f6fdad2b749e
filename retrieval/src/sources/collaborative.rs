use std::sync::Arc;

use ann_index::{Bitmap, Hit, SearchReport, SpaceIndex, Vectors};
use snapshot::{Catalogue, Snapshot, files};

use crate::asked::Asked;
use crate::files::{SPACE, read_embeddings};
use crate::interests::Interest;
use crate::scratch::keep_best;
use crate::tower::{Seen, Tower};
use crate::{Error, FoldIn, Source};

/// Items near the shopper's vector.
#[derive(Debug)]
pub(crate) struct Collaborative {
    space: SpaceIndex,
    fold_in: FoldIn,
    /// Where there is one, it makes the shopper's vector.
    tower: Option<Tower>,
}

impl Collaborative {
    /// `None` when the generation has no such space.
    pub(crate) fn load(snapshot: &Snapshot, items: usize) -> Result<Option<Self>, Error> {
        let spaces = &snapshot.manifest().spaces;
        let Some(space) = spaces.iter().find(|space| space.name == SPACE) else {
            return Ok(None);
        };
        let stored = read_embeddings(snapshot)?;
        let vectors = Arc::new(Vectors::new(stored.vectors, stored.dimension)?);
        if vectors.len() != items {
            let detail = format!("{} vectors for {items} items", vectors.len());
            return Err(Error::Misfit {
                file: files::EMBEDDINGS,
                detail,
            });
        }
        let fold_in = FoldIn::new(
            Arc::clone(&vectors),
            &stored.gram,
            stored.alpha,
            stored.regularisation,
        )?;
        let space = super::space::open(snapshot, space, vectors)?;
        let tower = Tower::load(snapshot, SPACE, space.vectors().dimension())?;
        Ok(Some(Self {
            space,
            fold_in,
            tower,
        }))
    }

    pub(crate) fn space(&self) -> &SpaceIndex {
        &self.space
    }

    /// `None` when no interest gives a vector.
    pub(crate) fn find(
        &self,
        (interests, catalogue): (&[Interest], &Catalogue),
        allowed: &Bitmap,
        depth: usize,
        asked: &mut Asked,
        out: &mut Vec<Hit>,
    ) -> Result<Option<SearchReport>, Error> {
        let Some(query) = self.vector(interests, catalogue)? else {
            return Ok(None);
        };
        let report = super::space::search((SPACE, &self.space), &query, depth, allowed, out)?;
        // A predicted preference of 0 or less says that the shopper does not want the item.
        out.retain(|hit| hit.score > 0.0);
        let vectors = self.space.vectors();
        asked.note(Source::Collaborative, |ordinal| {
            vectors
                .row(ordinal)
                .map_or(0.0, |row| super::space::dot(&query, row))
        });
        Ok(Some(report))
    }

    fn vector(
        &self,
        interests: &[Interest],
        catalogue: &Catalogue,
    ) -> Result<Option<Vec<f32>>, Error> {
        let Some(tower) = &self.tower else {
            let strengths = interests.iter().map(|item| (item.ordinal, item.weight));
            let stage = tracing::info_span!(
                target: crate::STAGE, "fold_in", interests = interests.len());
            return Ok(stage.in_scope(|| self.fold_in.vector(strengths)));
        };
        if interests.is_empty() {
            return Ok(None);
        }
        let mut mean = Vec::new();
        super::space::mean(self.space.vectors(), interests, &mut mean);
        let vector = tower.vector(Seen {
            interests,
            catalogue,
            mean: &mean,
        });
        vector.map(Some)
    }

    /// Items whose vectors point where the item's points. The search is by inner product, which
    /// prefers popular items, so it goes four times deeper than the angle is then asked for.
    pub(crate) fn near(
        &self,
        ordinal: u32,
        allowed: &Bitmap,
        depth: usize,
        out: &mut Vec<Hit>,
    ) -> Result<Option<SearchReport>, Error> {
        let vectors = self.space.vectors();
        let Some(query) = vectors.row(ordinal).filter(|row| length(row) > 0.0) else {
            return Ok(None);
        };
        let deeper = depth.saturating_mul(4);
        let report = super::space::search((SPACE, &self.space), query, deeper, allowed, out)?;
        let own = length(query);
        for hit in out.iter_mut() {
            let other = vectors.row(hit.id).map_or(0.0, length);
            hit.score = if other > 0.0 {
                hit.score / (own * other)
            } else {
                0.0
            };
        }
        out.retain(|hit| hit.score > 0.0);
        keep_best(out, depth);
        Ok(Some(report))
    }
}

fn length(row: &[f32]) -> f32 {
    row.iter().map(|x| x * x).sum::<f32>().sqrt()
}
