//! The line that is redrawn while a run goes on; nothing where there is no terminal.

use std::sync::Arc;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::engine::{Shared, lock};
use crate::measured::Measured;

/// Redraws until dropped.
#[derive(Debug)]
pub(crate) struct Line {
    task: Option<JoinHandle<()>>,
    bar: ProgressBar,
}

const REDRAW: Duration = Duration::from_millis(250);
const SPARKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const SPARKLINE: usize = 24;

impl Line {
    /// Watches a measurement. Drawing costs some hundred microseconds four times a second, and
    /// only on a terminal.
    pub(crate) fn watch(runtime: &Handle, what: String, measured: &Shared) -> Self {
        let bar = ProgressBar::new_spinner().with_style(style());
        bar.set_draw_target(ProgressDrawTarget::stderr());
        if bar.is_hidden() {
            return Self { task: None, bar };
        }
        let (drawn, measured) = (bar.clone(), Arc::clone(measured));
        let task = runtime.spawn(async move {
            let (mut ticks, started) = (tokio::time::interval(REDRAW), Instant::now());
            loop {
                ticks.tick().await;
                let text = text(&lock(&measured));
                let passed = started.elapsed().as_secs_f64();
                drawn.set_message(format!("{what}  {passed:5.1} s  {text}"));
                drawn.tick();
            }
        });
        Self {
            task: Some(task),
            bar,
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
        self.bar.finish_and_clear();
    }
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_spinner())
}

fn text(measured: &Measured) -> String {
    let latency = measured.latency();
    if latency.is_empty() {
        return format!("wanted {:.0}/s  warming up", measured.rate_wanted());
    }
    // The slice that is being filled would show a rate that is too low.
    let last = measured.slices().len().saturating_sub(2);
    let good = measured.slices().get(last).map_or(0, |slice| slice.good);
    #[expect(clippy::cast_precision_loss, reason = "a count of a slice")]
    let got = good as f64 / measured.slice_seconds(last);
    format!(
        "wanted {:.0}/s  got {got:.0}/s  p50 {:.2}  p99 {:.2}  max {:.1} ms  errors {}  {}",
        measured.rate_wanted(),
        latency.percentile_ms(50.0),
        latency.percentile_ms(99.0),
        latency.max_ms(),
        measured.failed(),
        sparkline(measured),
    )
}

/// p99 of the last slices, against the highest of them.
fn sparkline(measured: &Measured) -> String {
    let slices = measured.slices();
    let last = slices
        .get(slices.len().saturating_sub(SPARKLINE)..)
        .unwrap_or_default();
    let values: Vec<f64> = last
        .iter()
        .map(|slice| slice.latency.percentile_ms(99.0))
        .collect();
    sparks(&values)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share of eight characters"
)]
fn sparks(values: &[f64]) -> String {
    let highest = values.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    let spark = |value: &f64| {
        SPARKS
            .get((value / highest * 7.0).round() as usize)
            .copied()
    };
    values.iter().filter_map(spark).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_highest_value_fills_its_character() {
        assert_eq!(super::sparks(&[0.0, 3.5, 7.0]), "▁▅█");
        assert_eq!(super::sparks(&[]), "");
        assert_eq!(super::sparks(&[0.0]), "▁");
    }
}
