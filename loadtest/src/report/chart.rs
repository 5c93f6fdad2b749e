//! Charts as inline SVG. Colours are classes, so that the page's style sheet turns them dark.

use std::fmt::Write as _;

use super::HistogramBar;

/// A line, or points when `dots` is set.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    pub(crate) name: &'static str,
    /// Class of the style sheet: `a`, `b` or `c`.
    pub(crate) class: &'static str,
    pub(crate) points: Vec<(f64, f64)>,
    pub(crate) dots: bool,
}

/// A vertical line with words: something that happened then.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) at: f64,
    pub(crate) text: String,
}

/// What a chart shows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Labels {
    pub(crate) title: &'static str,
    pub(crate) x: &'static str,
    pub(crate) y: &'static str,
}

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 260.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 30.0;
const BOTTOM: f64 = 44.0;
const TICKS: u32 = 5;

/// Maps values to places. A log axis is linear in the logarithm.
#[derive(Clone, Copy, Debug)]
struct Axis {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
}

impl Axis {
    fn at(self, value: f64) -> f64 {
        let share = (value - self.low) / (self.high - self.low).max(f64::MIN_POSITIVE);
        self.from + share * (self.to - self.from)
    }

    fn across(low: f64, high: f64) -> Self {
        Self {
            low,
            high,
            from: LEFT,
            to: WIDTH - RIGHT,
        }
    }

    fn up(high: f64) -> Self {
        Self {
            low: 0.0,
            high,
            from: HEIGHT - BOTTOM,
            to: TOP,
        }
    }
}

/// Lines over a linear axis; `bar` is a horizontal line that is not to be crossed.
pub(crate) fn lines(
    labels: &Labels,
    series: &[Series],
    bar: Option<f64>,
    events: &[Event],
) -> String {
    let points = || series.iter().flat_map(|s| &s.points);
    let highest_x = points().map(|p| p.0).fold(0.0, f64::max);
    let highest_x = events
        .iter()
        .map(|event| event.at)
        .fold(highest_x, f64::max);
    let highest_y = points().map(|p| p.1).fold(bar.unwrap_or(0.0), f64::max);
    let step = nice(highest_y);
    let x = Axis::across(0.0, highest_x.max(f64::MIN_POSITIVE));
    let y = Axis::up(step * f64::from(TICKS));
    let mut svg = open(labels);
    rows(&mut svg, y, step);
    columns(&mut svg, x, nice(highest_x));
    for (index, event) in events.iter().enumerate() {
        mark(&mut svg, event, x, index);
    }
    for (index, one) in series.iter().enumerate() {
        draw(&mut svg, one, x, y);
        legend(&mut svg, one, index);
    }
    if let Some(bar) = bar {
        let place = y.at(bar);
        let (from, to) = (x.from, x.to);
        let _ = writeln!(
            svg,
            r#"<path class="bar" d="M{from:.1} {place:.1}H{to:.1}"/>"#
        );
    }
    svg + "</svg>\n"
}

/// Counts over a logarithmic axis of milliseconds.
pub(crate) fn histogram(labels: &Labels, bars: &[HistogramBar]) -> String {
    let (Some(first), Some(last)) = (bars.first(), bars.last()) else {
        return String::new();
    };
    #[expect(clippy::cast_precision_loss, reason = "a count of requests")]
    let counts = || bars.iter().map(|bar| bar.count as f64);
    let highest = counts().fold(0.0, f64::max);
    let step = nice(highest);
    let x = Axis::across(first.from_ms.log10().floor(), last.to_ms.log10().ceil());
    let y = Axis::up(step * f64::from(TICKS));
    let mut svg = open(labels);
    rows(&mut svg, y, step);
    decades(&mut svg, x);
    for (bar, count) in bars.iter().zip(counts()) {
        let (from, to, top) = (
            x.at(bar.from_ms.log10()),
            x.at(bar.to_ms.log10()),
            y.at(count),
        );
        let (width, height) = ((to - from - 0.5).max(0.5), y.from - top);
        let (low, high, count) = (bar.from_ms, bar.to_ms, bar.count);
        let _ = writeln!(
            svg,
            r#"<rect class="fill a" x="{from:.1}" y="{top:.1}" width="{width:.1}" height="{height:.1}"><title>{low:.3} to {high:.3} ms: {count}</title></rect>"#
        );
    }
    svg + "</svg>\n"
}

fn open(labels: &Labels) -> String {
    let (title, x, y) = (labels.title, labels.x, labels.y);
    let (middle, bottom) = (f64::midpoint(LEFT, WIDTH - RIGHT), HEIGHT - 8.0);
    format!(
        r#"<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{title}"><title>{title}</title>
<text x="{LEFT}" y="18" class="unit">{y}</text>
<text x="{middle}" y="{bottom}" class="unit middle">{x}</text>
"#
    )
}

fn rows(svg: &mut String, y: Axis, step: f64) {
    let (from, to) = (LEFT, WIDTH - RIGHT);
    for tick in 0..=TICKS {
        let value = f64::from(tick) * step;
        let place = y.at(value);
        let text = place + 4.0;
        let left = from - 8.0;
        let value = short(value);
        let _ = writeln!(
            svg,
            r#"<path class="grid" d="M{from} {place:.1}H{to}"/><text class="end" x="{left}" y="{text:.1}">{value}</text>"#
        );
    }
}

fn columns(svg: &mut String, x: Axis, step: f64) {
    for tick in 0..=TICKS {
        let value = f64::from(tick) * step;
        if value <= x.high * 1.001 {
            column(svg, x.at(value), &short(value));
        }
    }
}

fn decades(svg: &mut String, x: Axis) {
    let mut decade = x.low;
    while decade <= x.high + 0.5 {
        column(svg, x.at(decade), &short(10_f64.powf(decade)));
        decade += 1.0;
    }
}

fn column(svg: &mut String, place: f64, text: &str) {
    let (bottom, below) = (HEIGHT - BOTTOM, HEIGHT - BOTTOM + 16.0);
    let _ = writeln!(
        svg,
        r#"<path class="grid" d="M{place:.1} {TOP}V{bottom}"/><text class="middle" x="{place:.1}" y="{below}">{text}</text>"#
    );
}

/// Words of neighbours stand on different lines, and never beyond the edge.
fn mark(svg: &mut String, event: &Event, x: Axis, index: usize) {
    let place = x.at(event.at);
    let bottom = HEIGHT - BOTTOM;
    let line = f64::from(u32::try_from(index % 3).unwrap_or(0));
    let below = TOP + 12.0 + 13.0 * line;
    let (class, beside) = if place > WIDTH * 0.75 {
        ("end", place - 4.0)
    } else {
        ("start", place + 4.0)
    };
    let text = super::page::escape(&event.text);
    let _ = writeln!(
        svg,
        r#"<path class="mark" d="M{place:.1} {TOP}V{bottom}"/><text class="{class} word" x="{beside:.1}" y="{below:.1}">{text}</text>"#
    );
}

fn draw(svg: &mut String, series: &Series, x: Axis, y: Axis) {
    let class = series.class;
    if series.dots {
        for (across, up) in &series.points {
            let (cx, cy) = (x.at(*across), y.at(*up));
            let _ = writeln!(
                svg,
                r#"<circle class="fill {class}" cx="{cx:.1}" cy="{cy:.1}" r="4"><title>{across:.0}/s: {up:.2} ms</title></circle>"#
            );
        }
        return;
    }
    let mut path = String::new();
    for (index, (across, up)) in series.points.iter().enumerate() {
        let letter = if index == 0 { 'M' } else { 'L' };
        let _ = write!(path, "{letter}{:.1} {:.1}", x.at(*across), y.at(*up));
    }
    let _ = writeln!(svg, r#"<path class="line {class}" d="{path}"/>"#);
}

fn legend(svg: &mut String, series: &Series, index: usize) {
    let place = 400.0 + 90.0 * f64::from(u32::try_from(index).unwrap_or(0));
    let (class, name, text) = (series.class, series.name, place + 14.0);
    let _ = writeln!(
        svg,
        r#"<rect class="fill {class}" x="{place}" y="9" width="10" height="10"/><text x="{text}" y="18">{name}</text>"#
    );
}

/// A step of 1, 2 or 5 times a power of ten, of which `TICKS` cover `highest`.
fn nice(highest: f64) -> f64 {
    let needed = (highest / f64::from(TICKS)).max(1e-3);
    let power = 10_f64.powf(needed.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0];
    let fitting = steps
        .into_iter()
        .find(|step| step * power >= needed * 0.999_999);
    fitting.unwrap_or(10.0) * power
}

fn short(value: f64) -> String {
    if value >= 10_000.0 {
        return format!("{}k", short(value / 1_000.0));
    }
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_round_and_cover_the_highest() {
        for (highest, step) in [
            (4.2, 1.0),
            (5.0, 1.0),
            (5.1, 2.0),
            (99.0, 20.0),
            (1_200.0, 500.0),
        ] {
            assert!(
                (nice(highest) - step).abs() < 1e-9,
                "{highest}: {}",
                nice(highest)
            );
        }
    }

    #[test]
    fn numbers_on_axes_are_short() {
        assert_eq!(
            [0.0, 0.01, 2.5, 1_500.0, 20_000.0].map(short),
            ["0", "0.01", "2.5", "1500", "20k"]
        );
    }
}
