"""Plots a methodologist expects, as plain SVG: PIT histograms, caterpillar, funnel of shrinkage. No plotting library."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from estimation.arrays import Floats

INK, FILL, RULE = "#1b3a5c", "#7fa6cc", "#b0402a"


def _frame(width: int, height: int, title: str, body: list[str]) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" aria-label="{title}"'
    style = 'font-family="sans-serif" font-size="11"'
    return "\n".join([f"{head} {style}>", f"<title>{title}</title>", *body, "</svg>"]) + "\n"


def _text(x: float, y: float, words: str, anchor: str = "middle") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{INK}">{words}</text>'


def pit(classes: Sequence[tuple[str, Floats]], bins: int = 10) -> str:
    """One histogram per size class; the rule is what a uniform PIT gives."""
    wide, high, body = 170, 130, []
    for number, (name, values) in enumerate(classes):
        left, counts = 20 + number * wide, np.histogram(values, bins, (0, 1))[0]
        even = len(values) / bins
        for place, count in enumerate(counts):
            tall = 70 * count / max(even, 1e-9)
            x = left + place * (wide - 30) / bins
            body.append(f'<rect x="{x:.1f}" y="{high - tall:.1f}" width="13" height="{tall:.1f}" fill="{FILL}"/>')
        body.append(f'<line x1="{left}" x2="{left + wide - 30}" y1="{high - 70}" y2="{high - 70}" stroke="{RULE}"/>')
        words = name.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        body.append(_text(left + (wide - 30) / 2, high + 16, f"{words.replace('veiligheids', '')} ({len(values):,})"))
    return _frame(20 + wide * len(classes), high + 24, "Randomised PIT by estimated size", body)


def caterpillar(mean: Floats, low: Floats, high: Floats, true: Floats) -> str:
    """Areas in order of their estimate: 90% interval, estimate, planted truth."""
    order = np.argsort(mean)
    wide, tall, top = 720, 260, float(np.sqrt(max(high.max(), 1.0)))

    def y(value: float) -> float:
        return tall - 20 - (tall - 40) * float(np.sqrt(max(value, 0.0))) / top

    body = [_text(4, y(v) + 4, f"{v:g}", "start") for v in (0, 5, 20, 50, 100, 200) if v <= high.max()]
    for place, i in enumerate(order):
        x = 40 + (wide - 50) * place / max(len(order) - 1, 1)
        body.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{y(low[i]):.1f}" y2="{y(high[i]):.1f}" stroke="{FILL}"/>')
        body.append(f'<circle cx="{x:.1f}" cy="{y(mean[i]):.1f}" r="1" fill="{INK}"/>')
        body.append(f'<circle cx="{x:.1f}" cy="{y(true[i]):.1f}" r="1.3" fill="{RULE}"/>')
    body.append(
        _text(wide / 2, tall - 2, "areas in order of their estimate: 90% interval, estimate (dark), planted (red)")
    )
    return _frame(wide, tall, "Caterpillar of areas", body)


def funnel(exposure: Floats, raw: Floats, smooth: Floats) -> str:
    """Raw and smoothed rate relative to the covariate mean, against what is expected: small areas move most."""
    wide, tall = 720, 260
    at = np.log10(np.maximum(exposure, 0.1))
    left, right = float(at.min()), float(at.max())
    body = [f'<line x1="40" x2="{wide - 10}" y1="{tall / 2}" y2="{tall / 2}" stroke="{RULE}"/>']
    for i in range(len(at)):
        x = 40 + (wide - 50) * (at[i] - left) / max(right - left, 1e-9)
        ys = [tall / 2 - 90 * float(np.clip(np.log2(max(v, 0.25)), -1.3, 1.3)) for v in (raw[i], smooth[i])]
        body.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{ys[0]:.1f}" y2="{ys[1]:.1f}" stroke="#ccc"/>')
        body.append(f'<circle cx="{x:.1f}" cy="{ys[0]:.1f}" r="1.5" fill="{FILL}"/>')
        body.append(f'<circle cx="{x:.1f}" cy="{ys[1]:.1f}" r="1.5" fill="{INK}"/>')
    words = "expected users (log scale): rate as counted (light) and as modelled (dark), relative to the covariate mean (log2)"
    body.append(_text(wide / 2, tall - 4, words))
    return _frame(wide, tall, "Funnel of shrinkage", body)


def calibration(levels: Floats, curves: Sequence[tuple[str, Floats]]) -> str:
    """Nominal level of central intervals against the share that holds the truth, one curve per class."""
    side, left, body = 260, 40, []

    def at(x: float, y: float) -> tuple[float, float]:
        return left + side * x, side + 10 - side * y

    for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
        (x, y), (right, _) = at(0.0, tick), at(1.0, tick)
        body.append(f'<line x1="{x}" x2="{right}" y1="{y}" y2="{y}" stroke="#eee"/>')
        body += [_text(x - 4, y + 4, f"{tick:.0%}", "end"), _text(at(tick, 0)[0], side + 26, f"{tick:.0%}")]
    (x1, y1), (x2, y2) = at(0, 0), at(1, 1)
    body.append(f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="{RULE}" stroke-dasharray="4 3"/>')
    for number, (name, shares) in enumerate(curves):
        path = " ".join("{:.1f},{:.1f}".format(*at(float(x), float(y))) for x, y in zip(levels, shares, strict=True))
        colour = f"hsl({210 + 150 * number // max(len(curves) - 1, 1)}, 60%, {30 + 6 * number}%)"
        body.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        words, row = name.replace("<", "&lt;").replace(">", "&gt;"), 24 + 18 * number
        body.append(f'<line x1="330" x2="350" y1="{row}" y2="{row}" stroke="{colour}" stroke-width="3"/>')
        body.append(_text(356, row + 4, words, "start"))
    body.append(_text(left + side / 2, side + 42, "nominal level (randomised PIT); dashed: perfect"))
    return _frame(500, side + 50, "Calibration of central intervals", body)
