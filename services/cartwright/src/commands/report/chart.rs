//! The one chart of the report: the lift and its interval, as people were met.

use std::fmt::Write as _;

use super::summary::Look;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 280.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 30.0;
const BOTTOM: f64 = 44.0;
const TICKS: i32 = 6;

/// Maps values to places.
#[derive(Copy, Clone)]
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
}

/// The curve with its band; nothing for fewer than two looks.
pub(super) fn lift(looks: &[Look], currency: &str) -> String {
    let (Some(first), Some(last)) = (looks.first(), looks.last()) else {
        return String::new();
    };
    if looks.len() < 2 {
        return String::new();
    }
    let major = |minor: f64| minor / 100.0;
    let low = looks.iter().map(|look| major(look.low)).fold(0.0, f64::min);
    let high = looks
        .iter()
        .map(|look| major(look.high))
        .fold(0.0, f64::max);
    let step = nice((high - low) / f64::from(TICKS - 1));
    let y = Axis {
        low: (low / step).floor() * step,
        high: (high / step).ceil() * step,
        from: HEIGHT - BOTTOM,
        to: TOP,
    };
    let x = Axis {
        low: float(first.people),
        high: float(last.people),
        from: LEFT,
        to: WIDTH - RIGHT,
    };
    let mut svg = open(currency);
    rows(&mut svg, y, step);
    columns(&mut svg, x);
    let point =
        |people: u64, minor: f64| format!("{:.1} {:.1}", x.at(float(people)), y.at(major(minor)));
    let highs = looks.iter().map(|look| point(look.people, look.high));
    let lows = looks.iter().rev().map(|look| point(look.people, look.low));
    let band: Vec<String> = highs.chain(lows).collect();
    let line: Vec<String> = looks
        .iter()
        .map(|look| point(look.people, look.estimate))
        .collect();
    let zero = y.at(0.0);
    let _ = writeln!(
        svg,
        r#"<path class="band" d="M{}Z"/><path class="bar" d="M{LEFT} {zero:.1}H{}"/><path class="line a" d="M{}"/>"#,
        band.join("L"),
        WIDTH - RIGHT,
        line.join("L"),
    );
    svg + "</svg>\n"
}

fn open(currency: &str) -> String {
    let (middle, bottom) = (f64::midpoint(LEFT, WIDTH - RIGHT), HEIGHT - 8.0);
    let title = "What acting adds, as people were met";
    let currency = super::page::escape(currency);
    format!(
        r#"<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{title}"><title>{title}</title>
<text x="{LEFT}" y="18">{currency} a person</text>
<text x="{middle}" y="{bottom}" class="middle">people whose time is over</text>
"#
    )
}

fn rows(svg: &mut String, y: Axis, step: f64) {
    let mut value = y.low;
    while value <= y.high + step / 2.0 {
        let place = y.at(value);
        let (left, text, to) = (LEFT - 8.0, place + 4.0, WIDTH - RIGHT);
        let shown = value + 0.0;
        let _ = writeln!(
            svg,
            r#"<path class="grid" d="M{LEFT} {place:.1}H{to}"/><text class="end" x="{left}" y="{text:.1}">{shown:.2}</text>"#
        );
        value += step;
    }
}

fn columns(svg: &mut String, x: Axis) {
    let step = nice((x.high - x.low) / 5.0);
    let mut value = (x.low / step).ceil() * step;
    while value <= x.high {
        let place = x.at(value);
        let (bottom, below) = (HEIGHT - BOTTOM, HEIGHT - BOTTOM + 16.0);
        let _ = writeln!(
            svg,
            r#"<path class="grid" d="M{place:.1} {TOP}V{bottom}"/><text class="middle" x="{place:.1}" y="{below}">{value:.0}</text>"#
        );
        value += step;
    }
}

/// A step of 1, 2 or 5 times a power of ten, at least as large as needed.
fn nice(needed: f64) -> f64 {
    let needed = needed.max(1e-3);
    let power = 10_f64.powf(needed.log10().floor());
    let fitting = [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .find(|step| step * power >= needed * 0.999_999);
    fitting.unwrap_or(10.0) * power
}

#[expect(clippy::cast_precision_loss, reason = "a count of people")]
fn float(people: u64) -> f64 {
    people as f64
}
