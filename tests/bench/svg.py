# SPDX-License-Identifier: MIT
"""Draws charts as SVG text: horizontal bars, and lines over a logarithmic axis."""

import math
from xml.sax.saxutils import escape

WIDTH, MARGIN, ROW = 720, 150, 26
COLOURS = ("#3366cc", "#dc7a2e", "#3a9d5d", "#8e5bb0", "#b5423c", "#708090")


def _text(x, y, words, anchor="start", size=13, weight="normal"):
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}"'
        f' font-weight="{weight}" font-family="sans-serif" fill="#222">{escape(str(words))}</text>'
    )


def _page(height, shapes):
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}"'
        f' height="{height}"><rect width="100%" height="100%"'
        f' fill="#fff"/>{"".join(shapes)}</svg>\n'
    )


def number(value):
    """Formats a number with three significant digits and a comma between thousands."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{digits}f}"


def bars(title, values, marked="oneport"):
    """Draws one bar for each of @values ({label: number}). The bar @marked has another colour."""
    most = max(values.values()) or 1
    shapes = [_text(10, 24, title, size=15, weight="bold")]
    for row, (label, value) in enumerate(values.items()):
        y = 44 + row * ROW
        length = max(1, value / most * (WIDTH - MARGIN - 90))
        colour = COLOURS[1] if label == marked else COLOURS[0]
        shapes += [
            _text(MARGIN - 8, y + 15, label, "end"),
            f'<rect x="{MARGIN}" y="{y}" width="{length:.1f}" height="{ROW - 6}" fill="{colour}"/>',
            _text(MARGIN + length + 6, y + 15, number(value)),
        ]
    return _page(54 + len(values) * ROW, shapes)


def lines(title, x_title, series):
    """Draws one line for each of @series ({label: [(x, y), ...]}). The x axis is logarithmic; the y
    axis begins at 0, so that a flat line looks flat."""
    left, top, width, height = 70, 50, WIDTH - 250, 260
    points = [point for line in series.values() for point in line]
    step = _step(max(y for _, y in points))
    most = step * math.ceil(max(y for _, y in points) * 1.05 / step)
    decades = max(1, math.ceil(math.log10(max(x for x, _ in points))))

    def place(x, y):
        return left + math.log10(x) / decades * width, top + height - y / most * height

    shapes = [
        _text(10, 24, title, size=15, weight="bold"),
        _text(left + width / 2, top + height + 42, x_title, "middle"),
    ]
    shapes += _axes(left, top, width, height, decades, step, most)
    for row, (label, line) in enumerate(series.items()):
        shapes += _line(
            label,
            [place(x, y) for x, y in line],
            COLOURS[row % len(COLOURS)],
            left + width + 14,
            top + 14 + row * 20,
        )
    return _page(top + height + 56, shapes)


def _step(most):
    """Returns a round number that fits four to ten times into @most."""
    power = 10 ** math.floor(math.log10(most / 4 if most > 0 else 1))
    return next(step * power for step in (5, 2, 1) if step * power * 4 <= most or step == 1)


def _axes(left, top, width, height, decades, step, most):
    shapes = []
    for decade in range(decades + 1):
        x = left + decade / decades * width
        shapes += [
            f'<line x1="{x:.1f}" y1="{top}" x2="{x:.1f}" y2="{top + height}" stroke="#ddd"/>',
            _text(x, top + height + 18, f"{10 ** decade:,}", "middle", 12),
        ]
    for mark in range(round(most / step) + 1):
        y = top + height - mark * step / most * height
        shapes += [
            f'<line x1="{left}" y1="{y:.1f}" x2="{left + width}" y2="{y:.1f}" stroke="#ddd"/>',
            _text(left - 6, y + 4, f"{mark * step:.6g}", "end", 12),
        ]
    return shapes


def _line(label, places, colour, x, y):
    path = " ".join(f"{px:.1f},{py:.1f}" for px, py in places)
    dots = [f'<circle cx="{px:.1f}" cy="{py:.1f}" r="3" fill="{colour}"/>' for px, py in places]
    return [
        f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>',
        *dots,
        f'<rect x="{x}" y="{y - 10}" width="12" height="12" fill="{colour}"/>',
        _text(x + 18, y, label),
    ]
