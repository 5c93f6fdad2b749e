//! What a drill says: figures for a file, a table for people.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::args::SwapArgs;
use super::load::Load;
use super::memory::Resident;
use super::windows::{Windows, quantile};
use crate::stats;

/// The figures. The first nine are promised; more may follow.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    swaps: usize,
    failed: u64,
    mixed: u64,
    /// Median over the windows.
    p99_steady_ms: f64,
    p99_swap_ms: f64,
    rollback_ms: f64,
    rss_steady_mb: f64,
    rss_peak_mb: f64,
    rss_after_mb: f64,
    /// Of the p99 of a swap's window to that of the quiet windows on both sides of it.
    p99_ratio_median: f64,
    /// Upper end of the 95 % interval of the ratios' geometric mean.
    p99_ratio_high: f64,
    /// 95 of 100 ratios are at most this.
    p99_ratio_p95: f64,
    p99_pairs_ms: Vec<(f64, f64)>,
    swap_s_median: f64,
    rate: f64,
    requests: u64,
    /// Of them, candidates that were ranked with the generation they came from.
    ranked: u64,
    degraded: u64,
    generations: BTreeMap<String, u64>,
    /// Items that are in only one of the snapshots told.
    exclusive_items: usize,
    examples: Vec<String>,
}

impl Report {
    pub(crate) fn new(
        args: &SwapArgs,
        load: &Load,
        windows: &Windows,
        rollback: Option<Duration>,
        memory: Resident,
    ) -> Self {
        let seen = load.seen();
        let pairs = windows.p99_pairs_ms(&seen.samples);
        let counted = pairs.iter().filter(|(quiet, _)| *quiet > 0.0);
        let ratios: Vec<f64> = counted.map(|(quiet, swap)| swap / quiet).collect();
        let logs: Vec<f64> = ratios.iter().map(|ratio| ratio.ln()).collect();
        let of = |values: &[f64], share| quantile(&mut values.to_vec(), share).unwrap_or_default();
        let column = |pick: fn(&(f64, f64)) -> f64| pairs.iter().map(pick).collect::<Vec<_>>();
        let took: Vec<f64> = windows
            .swaps()
            .map(|swap| swap.took().saturating_sub(args.after).as_secs_f64())
            .collect();
        Self {
            swaps: windows.swaps().len(),
            failed: seen.failed,
            mixed: seen.mixed,
            p99_steady_ms: of(&column(|pair| pair.0), 0.5),
            p99_swap_ms: of(&column(|pair| pair.1), 0.5),
            rollback_ms: rollback.unwrap_or_default().as_secs_f64() * 1_000.0,
            rss_steady_mb: memory.steady,
            rss_peak_mb: memory.peak,
            rss_after_mb: memory.after,
            p99_ratio_median: of(&ratios, 0.5),
            p99_ratio_high: stats::independent(&logs)
                .map_or(0.0, |sample| sample.interval().exp().high),
            p99_ratio_p95: of(&ratios, 0.95),
            swap_s_median: of(&took, 0.5),
            p99_pairs_ms: pairs,
            rate: args.rate,
            requests: seen.requests,
            ranked: seen.ranked,
            degraded: seen.degraded,
            generations: seen.generations.clone(),
            exclusive_items: load.exclusive_items(),
            examples: seen.examples.clone(),
        }
    }

    /// Nothing failed, nothing was mixed.
    pub(crate) fn holds(&self) -> bool {
        self.failed == 0 && self.mixed == 0
    }

    pub(crate) fn table(&self) -> String {
        let mut text = format!(
            "{} swaps at {:.0}/s: {} requests, {} failed, {} mixed, {} degraded\n\
             p99: {:.2} ms quiet, {:.2} ms with a swap; ratio {:.2} in the median, {:.2} at most \
             with 95 %\n\
             back in {:.0} ms\n\
             memory: {:.0} MiB before, {:.0} MiB at most, {:.0} MiB after",
            self.swaps,
            self.rate,
            self.requests,
            self.failed,
            self.mixed,
            self.degraded,
            self.p99_steady_ms,
            self.p99_swap_ms,
            self.p99_ratio_median,
            self.p99_ratio_high,
            self.rollback_ms,
            self.rss_steady_mb,
            self.rss_peak_mb,
            self.rss_after_mb
        );
        for example in &self.examples {
            text.push_str("\n  ");
            text.push_str(example);
        }
        text
    }
}
