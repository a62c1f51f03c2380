# SPDX-License-Identifier: MIT
"""README's figures are those of docs/performance.md: of its newest run, which the tables show."""

import pathlib
import re

import pytest

TOP = pathlib.Path(__file__).resolve().parents[3]
README = " ".join((TOP / "README.md").read_text().split())
PAGE = (TOP / "docs" / "performance.md").read_text()


def cell(row, column=None):
    """Returns the number in the first row of that name on the page: in the column of that heading,
    or in the first one."""
    headings = None
    for line in PAGE.splitlines():
        cells = [part.strip() for part in line.strip("|").split("|")]
        if not line.startswith("|"):
            headings = None
        elif headings is None:
            headings = cells
        elif cells[0] == row:
            at = headings.index(column) if column else 1
            return float(cells[at].lstrip("≥ ").replace(",", ""))
    raise AssertionError(f"docs/performance.md has no row {row!r}")


REQUEST = "CPU-s per 10k requests"

# What README says, and what the page says of it.
CLAIMS = [
    (r"costs (\S+) of the CPU of the same chain built of two HAProxys",
     lambda: cell("CPU a request, of HAProxy's", "measured")),
    (r"and (\S+) times that of one plain nginx hop",
     lambda: cell(REQUEST, "oneport") / cell(REQUEST, "nginx")),
    (r"(10,000) WebSockets cost the server",
     lambda: cell("WebSockets through one link that echo", "measured")),
    (r"WebSockets cost the server (\S+) KiB each",
     lambda: cell("KiB of oneportd for an idle WebSocket, the crowd", "measured")),
    (r"carries (10,000) open WebSockets",
     lambda: cell("WebSockets through one link that echo", "measured")),
    (r"(one) link, which is one connection, carries",
     lambda: cell("connections between the ends for all of them", "measured")),
]  # fmt: skip


@pytest.mark.parametrize("pattern, measured", CLAIMS, ids=[claim[0] for claim in CLAIMS])
def test_a_figure_is_that_of_the_page(pattern, measured):
    """The page's figure, rounded to the digits that README has, is README's."""
    found = re.findall(pattern, README)
    assert len(found) == 1, "README does not say this once"
    text = {"one": "1"}.get(found[0], found[0]).replace(",", "")
    digits = len(text.partition(".")[2])
    assert round(measured(), digits) == float(text)


@pytest.mark.parametrize(
    "begin, end", [("- **Any number", "- **One"), ("- **Fast.**", "- **Every")]
)
def test_every_figure_is_compared(begin, end):
    """No figure of the sentences on speed and size stands in README without a row above."""
    text = begin + README.partition(begin)[2].partition(end)[0]
    claimed = [span for claim, _ in CLAIMS for span in figures(claim, text)]
    claimed += [match.span() for match in re.finditer(r"HTTP/2", text)]
    others = [match for match in re.finditer(r"\d\S*", text) if not within(match.start(), claimed)]
    assert not others


def figures(claim, text):
    return [match.span(1) for match in re.finditer(claim, text)]


def within(at, spans):
    return any(begin <= at < end for begin, end in spans)
