# SPDX-License-Identifier: MIT
"""Tests that tests/perf reads callgrind's file correctly and judges its figures correctly."""

import pytest
from perf import baseline
from perf.callgrind import self_costs

HERE = {"compiler": "cc 1", "libnghttp2": "1.0", "architecture": "any"}
BEFORE = {
    **HERE,
    "instructions": {
        "oneportd": {"oneportd": 15000, "libnghttp2": 10000},
        "oneport": {"oneport": 1000},
    },
}

# This file has two objects, names by number, relative positions, a function that is inlined from
# another file, and a line without cost.
CALLGRIND = """\
# callgrind format
version: 1
positions: line
events: Ir
summary: 1068

ob=(1) /usr/bin/oneportd
fl=(1) link.c
fn=(1) link_feed
10 5
+2 7
fi=(2) slice.h
4 3
fe=(1)
* 1
cob=(2) /usr/lib/libnghttp2.so.14.24.1
cfi=(3) ???
cfn=(2) nghttp2_session_mem_recv
calls=2 0
+1 1000
13 2

ob=(2)
fl=(3)
fn=(2)
0 950
cfn=(3) 0x0000000000017ed0
calls=4 0
-3 50

fn=(3)
0 50

ob=(1)
fl=(1)
fn=(4) link_free
30
-1 50
cfn=(1)
calls=1 10
+5 18
"""


def test_each_function_has_what_it_spent_itself():
    assert dict(self_costs(CALLGRIND)) == {
        ("oneportd", "link_feed"): 18,
        ("oneportd", "link_free"): 50,
        ("libnghttp2.so.14.24.1", "nghttp2_session_mem_recv"): 950,
        ("libnghttp2.so.14.24.1", "0x0000000000017ed0"): 50,
    }


def judge(server=1.0, client=1.0, **where):
    figures = {
        "oneportd": {"oneportd": 15000 * server, "libnghttp2": 10000 * server},
        "oneport": {"oneport": 1000 * client},
    }
    status, said = baseline.judge(figures, {**HERE, **where}, BEFORE)
    return status, "\n".join(said)


@pytest.mark.parametrize(
    "factor, status, word",
    [
        (1.06, baseline.FAILED, "FAILED: "),
        (1.04, baseline.PASSED, "passed: "),
        (1.00, baseline.PASSED, "passed: "),
        (0.96, baseline.PASSED, "passed: "),
        (0.94, baseline.PASSED, "lower the baseline: "),
    ],
)
def test_five_per_cent_are_the_limit(factor, status, word):
    for program in ("server", "client"):
        judged, said = judge(**{program: factor})
        assert (
            judged == status and word + ("oneportd" if program == "server" else "oneport ") in said
        ), said


def test_a_failure_says_how_much_and_what_to_do():
    _, said = judge(server=1.06)
    assert (
        "oneportd needs 26,500 instructions a request, the baseline is 25,000 (+6.0 %)" in said
        and "make perf-baseline" in said
    )


def test_one_program_cannot_compensate_for_the_other():
    assert judge(server=1.06, client=0.5)[0] == baseline.FAILED


@pytest.mark.parametrize(
    "where", [{"compiler": "cc 2"}, {"libnghttp2": "1.1"}, {"architecture": "another"}]
)
def test_in_another_environment_nothing_is_compared(where):
    status, said = judge(server=2.0, **where)
    assert status == baseline.SKIPPED and next(iter(where.values())) in said


def test_without_a_baseline_nothing_is_compared():
    assert baseline.judge({}, HERE, {})[0] == baseline.SKIPPED
