//! The results as one picture: bars on a logarithmic scale, a mark for each round, so that the spread is seen.

use crate::{
    peers::Peer,
    rounds::{Measured, Sample},
    scenario::Scenario,
    statistics::median,
};

const WIDTH: f64 = 960.0;
/// Where the bars begin and end.
const LEFT: f64 = 190.0;
const RIGHT: f64 = 900.0;
const BAR: f64 = 15.0;
const GAP: f64 = 14.0;

/// A panel: what its bars say.
struct Panel {
    title: &'static str,
    /// The ends of the scale, powers of ten.
    from: f64,
    to: f64,
    value: fn(&Sample) -> f64,
}

const PANELS: [Panel; 2] = [
    Panel {
        title: "CPU for each request, microseconds (shorter is better)",
        from: 1.0,
        to: 10_000.0,
        value: |sample| sample.cpu,
    },
    Panel {
        title: "99th percentile of the latency at a fixed rate, microseconds (shorter is better)",
        from: 10.0,
        to: 100_000.0,
        value: |sample| sample.latency(0.99),
    },
];

/// The picture, as SVG.
pub(crate) fn picture(measured: &Measured) -> String {
    let mut shapes = Vec::new();
    let mut y = 30.0;
    for panel in &PANELS {
        y = draw(panel, measured, y, &mut shapes);
    }
    let legend = Peer::ALL.iter().enumerate().fold(LEFT, |x, (_, &peer)| {
        shapes.push(format!(
            r#"<rect x="{x}" y="{y:.1}" width="12" height="12" fill="{}"/>{}"#,
            colour(peer),
            text(x + 18.0, y + 10.5, "start", peer.name())
        ));
        x + 100.0
    });
    shapes.push(text(
        legend,
        y + 10.5,
        "start",
        "bar: median over the rounds; dots: the rounds",
    ));
    let height = y + 34.0;
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0}" font-family="system-ui, sans-serif" font-size="13" fill="#222222">
<title>The API beside the floor and an Express peer</title>
<rect width="100%" height="100%" fill="#ffffff"/>
{}
</svg>
"##,
        shapes.join("\n")
    )
}

/// Draws a panel from `top` on; tells where the next one may begin.
fn draw(panel: &Panel, measured: &Measured, top: f64, shapes: &mut Vec<String>) -> f64 {
    shapes.push(format!(
        r#"<text x="20" y="{top}" font-weight="bold">{}</text>"#,
        panel.title
    ));
    let first = shapes.len();
    let mut y = top + 20.0;
    for scenario in Scenario::ALL {
        let begin = y;
        for peer in Peer::ALL.into_iter().filter(|&peer| scenario.is_for(peer)) {
            let values: Vec<f64> = measured.of(peer, scenario).map(panel.value).collect();
            bar(panel, peer, &values, y, shapes);
            y += BAR + 2.0;
        }
        shapes.push(text(
            LEFT - 10.0,
            f64::midpoint(begin, y) + 3.5,
            "end",
            scenario.name(),
        ));
        y += GAP;
    }
    // The scale goes behind the bars.
    let mut tick = panel.from;
    while tick <= panel.to {
        let x = panel.x(tick);
        let line = format!(
            r##"<line x1="{x:.1}" x2="{x:.1}" y1="{:.1}" y2="{y:.1}" stroke="#ddd"/>{}"##,
            top + 12.0,
            text(x, y + 14.0, "middle", &tick.to_string())
        );
        shapes.insert(first, line);
        tick *= 10.0;
    }
    y + 50.0
}

fn bar(panel: &Panel, peer: Peer, values: &[f64], y: f64, shapes: &mut Vec<String>) {
    let middle = median(values);
    let end = panel.x(middle);
    shapes.push(format!(
        r#"<rect x="{LEFT}" y="{y:.1}" width="{:.1}" height="{BAR}" fill="{}"/>"#,
        end - LEFT,
        colour(peer)
    ));
    for &value in values {
        shapes.push(format!(
            r##"<circle cx="{:.1}" cy="{:.1}" r="2" fill="#222222" fill-opacity="0.5"/>"##,
            panel.x(value),
            y + BAR / 2.0
        ));
    }
    let furthest = values.iter().fold(end, |x, &value| x.max(panel.x(value)));
    let digits = usize::from(middle < 100.0);
    shapes.push(text(
        furthest + 6.0,
        y + 11.5,
        "start",
        &format!("{middle:.digits$}"),
    ));
}

impl Panel {
    fn x(&self, value: f64) -> f64 {
        let share = (value / self.from).log10() / (self.to / self.from).log10();
        LEFT + share.clamp(0.0, 1.0) * (RIGHT - LEFT)
    }
}

/// Told apart also by those who see few colours: dark, middle, light.
fn colour(peer: Peer) -> &'static str {
    match peer {
        Peer::Floor => "#999999",
        Peer::Ours => "#0072b2",
        Peer::Express => "#e69f00",
    }
}

/// Everything written is ours: nothing needs escaping.
fn text(x: f64, y: f64, anchor: &str, words: &str) -> String {
    format!(r#"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}">{words}</text>"#)
}
