# SPDX-License-Identifier: MIT
"""Tests that a stream of a viewer's HTTP/2 connection stays one request, whether the origin speaks
HTTP/1.1 or HTTP/2: the origin sees it once and as it was meant, or the stream is refused and no
other one is harmed."""

import contextlib

import pytest
from support.h2_viewer import viewing
from support.origins import ScriptedOrigin
from support.recording_origin import RecordingOrigin
from support.smuggling_http2 import BAD, GOOD, http2_cases
from support.smuggling_http2_run import Http2Run, RecordingH2Origin


@pytest.fixture(params=["http/1.1", "h2c"])
def recorded(request, ended, new_client):
    """Returns (what the origin has seen, a client that shares it)."""
    if request.param == "h2c":
        recorder = ended.enter_context(contextlib.closing(RecordingH2Origin()))
        return recorder, new_client(recorder.url)
    recorder = RecordingOrigin()
    origin = ended.enter_context(contextlib.closing(ScriptedOrigin(recorder)))
    return recorder, new_client(origin.port)


@pytest.mark.rule("E2", "D1", "D2", "D4", "D5", "D6", "D9")
@pytest.mark.parametrize(
    "step", [pytest.param(7, id="each 7th"), pytest.param(1, id="all", marks=pytest.mark.full)]
)
def test_a_stream_is_one_request(recorded, step):
    recorder, client = recorded
    cases = http2_cases(client.host, step)
    assert {case.verdict for case in cases} >= {GOOD, BAD}
    run = Http2Run(recorder, lambda: viewing(client), client.host)
    wrong = [f"{case}: {what}" for case, what in run.judged(cases)]
    assert not wrong, f"{len(wrong)} of {len(cases)}:\n" + "\n".join(wrong[:40])
    assert run.leaked(cases) == []
