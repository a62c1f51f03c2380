"""Octets beyond a request never become another's (http-rules 3 rows 17, 18): 1,824 requests that two readers might split in two
ways, each refused or seen by the origin exactly once and as it was meant, with nothing else on its connection."""

import contextlib

import pytest
from support import haproxy, nginx
from support.haproxy import HaproxyClient
from support.nginx import Nginx
from support.origins import ScriptedOrigin
from support.programs import Client
from support.recording_origin import RecordingOrigin
from support.smuggling import cases
from support.smuggling_run import Run
from support.viewer import Viewer


@pytest.fixture
def recorder():
    return RecordingOrigin()


@pytest.fixture
def recording(recorder):
    with contextlib.closing(ScriptedOrigin(recorder)) as origin:
        yield origin


# Each 5th case comes to each body with one head or another: 365 of them.
SOME = pytest.mark.parametrize("step", [pytest.param(5, id="each 5th"), pytest.param(1, id="all", marks=pytest.mark.full)])


def judged(run, step=1):
    """Runs each @step-th case: the Outcomes. What is wrong with any of them fails."""
    with contextlib.closing(run):
        outcomes = [run.sent(case) for case in cases(run.host)[::step]]
    wrong = [f"{outcome.case}: {what}" for outcome in outcomes if (what := run.complaint(outcome))]
    assert not wrong, f"{len(wrong)} of {len(outcomes)}:\n" + "\n".join(wrong[:40])
    assert run.leaked() == []
    return outcomes


@pytest.mark.rule("Q21", "Q22", "Q23", "Q24", "Q25", "Q26", "Q27", "Q28", "Q31", "Q32", "Q33", "Q34", "Q35", "Q38", "W2", "D7")
def test_oneportd_takes_what_is_right_in_every_letter_and_nothing_else(server, recorder, recording, new_client):
    client = new_client(recording.port)
    outcomes = judged(Run(recorder, lambda: Viewer(server.port), client.host, strictly=True))
    refused = [str(outcome.case) for outcome in outcomes if outcome.case.strict and outcome.case.target not in recorder.whole]
    assert refused == []


@SOME
@pytest.mark.skipif(not nginx.PROGRAM, reason="nginx is not installed")
def test_through_nginx(step, server, recorder, recording, new_client, ended, tmp_path):
    """nginx repairs some of it before oneportd sees it; what it makes of it must be what was meant."""
    front = Nginx(server, tmp_path)
    ended.callback(front.stop)
    client = new_client(recording.port, server=front)
    tls = front.certificate.client_context(["http/1.1"])
    outcomes = judged(Run(recorder, lambda: Viewer(front.port, tls), client.host, strictly=False), step)
    assert len(recorder.whole) > len(outcomes) / 5


# ---- beside HAProxy ----
KNOWN = {
    # what differs, and why
    "upgrade: websocket that is refused": "HAProxy 2.6 takes the origin's 200 for an open WebSocket; oneport says 502 (W5)",
}
OWN = {"sec-websocket-key"}  # each makes one


def equivalent(request, host):
    """What must be alike of a request, whoever carried it: the order only of fields that have one name."""
    fields = [(name.lower(), value.replace(host, "HOST")) for name, value in request.fields if name.lower() not in OWN]
    return request.method, request.target, sorted(fields, key=lambda field: field[0]), request.body, request.trailers


@SOME
@pytest.mark.skipif(not haproxy.PROGRAM, reason="haproxy is not installed")
@pytest.mark.rule("D1", "D5", "D6")
def test_oneport_writes_what_haproxy_would(step, server, recorder, recording, new_client, ended, tmp_path, name):
    """HAProxy is the other end of a link to the same oneportd. What both carry is alike; what is not stands above."""
    theirs = RecordingOrigin()
    origin = ended.enter_context(contextlib.closing(ScriptedOrigin(theirs)))
    other = HaproxyClient(server, origin.port, tmp_path, name)
    ended.callback(other.stop)
    ours = new_client(recording.port)
    outcomes = [judged(Run(at, lambda: Viewer(server.port), client.host, strictly=True), step)
                for at, client in ((recorder, ours), (theirs, other))]
    differ = set()
    for mine, their in zip(*outcomes):
        carried = [[equivalent(request, client.host) for request in at.whole.get(mine.case.target, [])]
                   for at, client in ((recorder, ours), (theirs, other))]
        if carried[0] != carried[1] or mine.statuses != their.statuses:
            assert mine.case.kind in KNOWN, f"{mine.case}: {mine.statuses} and {carried[0]}, HAProxy: {their.statuses} and {carried[1]}"
            differ.add(mine.case.kind)
    assert differ == set(KNOWN)
