//! A leaderboard as people read it: one table for each slice.

use std::collections::BTreeSet;

use comfy_table::Cell;
use snapshot::{Leaderboard, LeaderboardRow, Manifest};

use crate::output;

/// Prints every slice, that of all predictions first.
pub(crate) fn print(board: &Leaderboard) {
    for slice in board.slices() {
        let rows: Vec<&LeaderboardRow> = (board.rows.iter())
            .filter(|row| row.slice == slice)
            .collect();
        output::result(table(slice, &rows));
    }
    output::note(format!(
        "first {} places, events from {} to {}; +MRR: above popularity, with the bounds of 95 % of \
         paired resamples of shoppers",
        board.k,
        output::time(board.from_ms),
        output::time(board.to_ms)
    ));
}

/// Prints the figures that the leaderboard does not hold.
pub(crate) fn print_quality(manifest: &Manifest) {
    let board = manifest.leaderboard.as_ref();
    let methods = board.into_iter().flat_map(|board| &board.rows);
    let methods: BTreeSet<&str> = methods.map(|row| row.method.as_str()).collect();
    let rest = (manifest.quality.iter()).filter(|(name, _)| {
        let method = name.split_once('.').map_or("", |(_, method)| method);
        !methods.contains(method)
    });
    let mut table = output::table(["quality", "value"]);
    for (name, value) in rest {
        table.add_row([name.clone(), format!("{value:.4}")]);
    }
    if table.row_count() > 0 {
        output::result(table);
    }
}

fn table(slice: &str, rows: &[&LeaderboardRow]) -> comfy_table::Table {
    let predictions = rows.first().map_or(0, |row| row.predictions);
    let title = format!("{}: {predictions}", slice.replace('_', " "));
    let mut table = output::table([
        title.as_str(),
        "hit rate",
        "MRR",
        "nDCG",
        "recall",
        "coverage",
        "+MRR",
        "95 %",
    ]);
    for row in rows {
        let figures = [row.hit_rate, row.mrr, row.ndcg, row.recall, row.coverage];
        let mut cells = vec![Cell::new(&row.method)];
        cells.extend(figures.map(|figure| output::number(format!("{figure:.4}"))));
        let gain = row.gain.map(|gain| gain.mrr);
        let mean = gain.map_or_else(String::new, |gain| format!("{:+.4}", gain.mean));
        let bounds = gain.map(|gain| format!("{:+.4} to {:+.4}", gain.low, gain.high));
        cells.push(output::number(mean));
        cells.push(output::number(bounds.unwrap_or_default()));
        table.add_row(cells);
    }
    table
}
