# SPDX-License-Identifier: MIT
"""Tests that bytes beyond a request never become another request (rows 17 and 18). Two readers
might split each of the 1,824 requests in different ways. Each of them is refused, or the origin
sees it exactly once and as it was meant, with nothing else on its connection."""

import contextlib
import threading

import pytest
from support import haproxy, nginx
from support.haproxy import HaproxyClient
from support.nginx import Nginx
from support.octets import value_of
from support.origins import ScriptedOrigin, reply
from support.recording_origin import RecordingOrigin
from support.smuggling import cases
from support.smuggling_run import Run
from support.unread import unread
from support.viewer import Viewer, fetch, head
from support.wait import wait_until
from support.websocket_viewer import HANDSHAKE


@pytest.fixture(scope="module")
def behind_nginx(server, tmp_path_factory):
    """Starts nginx in front of the file's server."""
    running = Nginx(server, tmp_path_factory.mktemp("nginx"))
    yield running
    running.stop()


@pytest.fixture
def front(request, server):
    """Returns the port and the TLS context for viewers: those of oneportd without TLS, or (True) of
    nginx."""
    if not request.param:
        return server.port, None
    running = request.getfixturevalue("behind_nginx")
    return running.port, running.certificate.client_context(["http/1.1"])


@pytest.fixture
def recorder():
    return RecordingOrigin()


@pytest.fixture
def recording(recorder):
    with contextlib.closing(ScriptedOrigin(recorder)) as origin:
        yield origin


# Every 5th case, 365 in all, has each body with some of the heads.
SOME = pytest.mark.parametrize(
    "step", [pytest.param(5, id="each 5th"), pytest.param(1, id="all", marks=pytest.mark.full)]
)


def judged(run, step=1):
    """Runs each @step-th case. Returns the Outcomes. Fails if any of them is wrong."""
    with contextlib.closing(run):
        outcomes = [run.sent(case) for case in cases(run.host)[::step]]
    wrong = [f"{outcome.case}: {what}" for outcome in outcomes if (what := run.complaint(outcome))]
    assert not wrong, f"{len(wrong)} of {len(outcomes)}:\n" + "\n".join(wrong[:40])
    assert run.leaked() == []
    return outcomes


@pytest.mark.rule(
    "Q21",
    "Q22",
    "Q23",
    "Q24",
    "Q25",
    "Q26",
    "Q27",
    "Q28",
    "Q31",
    "Q32",
    "Q33",
    "Q34",
    "Q35",
    "Q38",
    "W2",
    "D7",
)
@pytest.mark.parametrize(
    "piece",
    [None, pytest.param(1, marks=pytest.mark.full), pytest.param(7, marks=pytest.mark.full)],
)
def test_oneportd_takes_only_requests_that_are_right(
    server, recorder, recording, new_client, piece
):
    client = new_client(recording.port)
    outcomes = judged(
        Run(recorder, lambda: Viewer(server.port), client.host, strictly=True, piece=piece)
    )
    refused = [
        str(outcome.case)
        for outcome in outcomes
        if outcome.case.strict and outcome.case.target not in recorder.whole
    ]
    assert refused == []


@SOME
@pytest.mark.skipif(not nginx.PROGRAM, reason="nginx is not installed")
@pytest.mark.parametrize("front", [True], ids=["nginx"], indirect=True)
def test_through_nginx(step, front, behind_nginx, recorder, recording, new_client):
    """nginx repairs some of the requests before oneportd sees them. The result must be what was
    meant."""
    client = new_client(recording.port, server=behind_nginx)
    outcomes = judged(Run(recorder, lambda: Viewer(*front), client.host, strictly=False), step)
    assert len(recorder.whole) > len(outcomes) / 5


# ---- beside HAProxy ----
KNOWN = {
    # what differs, and why
    "upgrade: websocket that is refused": "HAProxy 2.6 takes the origin's 200 for an open "
    "WebSocket; oneport answers 502 (W5)",
}
OWN = {"sec-websocket-key"}  # each makes one
HOP = ("connection", "close")  # each decides whether it uses its connection again (D14)


def equivalent(request, host):
    """Returns the parts of a request that must be alike, whoever carried it. The order counts only
    among fields of the same name."""
    fields = [
        (name.lower(), value.replace(host, "HOST"))
        for name, value in request.fields
        if name.lower() not in OWN and (name.lower(), value) != HOP
    ]
    return (
        request.method,
        request.target,
        sorted(fields, key=lambda field: field[0]),
        request.body,
        [(name.lower(), value) for name, value in request.trailers],
    )


@SOME
@pytest.mark.skipif(not haproxy.PROGRAM, reason="haproxy is not installed")
@pytest.mark.rule("D1", "D5", "D6")
def test_oneport_writes_what_haproxy_would(
    step, server, recorder, recording, new_client, ended, tmp_path, name
):
    """HAProxy is the other end of another link to the same oneportd. oneport and HAProxy carry the
    same requests, except the rows of KNOWN."""
    theirs = RecordingOrigin()
    origin = ended.enter_context(contextlib.closing(ScriptedOrigin(theirs)))
    other = HaproxyClient(server, origin.port, tmp_path, name)
    ended.callback(other.stop)
    ours = new_client(recording.port)
    outcomes = [
        judged(Run(at, lambda: Viewer(server.port), client.host, strictly=True), step)
        for at, client in ((recorder, ours), (theirs, other))
    ]
    differ = set()
    for mine, their in zip(*outcomes):
        carried = [
            [equivalent(request, client.host) for request in at.whole.get(mine.case.target, [])]
            for at, client in ((recorder, ours), (theirs, other))
        ]
        if carried[0] != carried[1] or mine.statuses != their.statuses:
            assert mine.case.kind in KNOWN, (
                f"{mine.case}: {mine.statuses} and {carried[0]}, "
                f"HAProxy: {their.statuses} and {carried[1]}"
            )
            differ.add(mine.case.kind)
    assert differ == set(KNOWN)


# ---- an origin that says too much ----
FORGED = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged"
CHUNKS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nmine\r\n0\r\n"
ANSWERS = [
    # what, method, the answer, its status and its body
    ("length", "GET", reply(b"mine"), 200, b"mine"),
    ("no content", "GET", reply(b""), 200, b""),
    ("length of POST", "POST", reply(b"mine"), 200, b"mine"),
    ("chunks", "GET", CHUNKS + b"\r\n", 200, b"mine"),
    ("chunks and trailers", "GET", CHUNKS + b"X-Sum: 1\r\n\r\n", 200, b"mine"),
    ("HEAD", "HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n", 200, b""),
    ("HEAD without length", "HEAD", b"HTTP/1.1 200 OK\r\n\r\n", 200, b""),
    ("HEAD of chunks", "HEAD", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 200, b""),
    ("204", "GET", b"HTTP/1.1 204 No Content\r\n\r\n", 204, b""),
    (
        "204 with a length",
        "GET",
        b"HTTP/1.1 204 No Content\r\nContent-Length: 50\r\n\r\n",
        204,
        b"",
    ),
    ("205", "GET", b"HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n", 205, b""),
    ("304", "GET", b"HTTP/1.1 304 Not Modified\r\n\r\n", 304, b""),
    (
        "304 with a length",
        "GET",
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: 50\r\n\r\n",
        304,
        b"",
    ),
    ("error", "GET", reply(b"mine", status=500), 500, b"mine"),
]
SURPLUS = {
    "an answer": FORGED,
    "an interim answer": b"HTTP/1.1 103 Early Hints\r\nLink: </forged>\r\n\r\n",
    "half a head": FORGED[:20],
    "a byte": b"H",
    "a line end": b"\r\n",
    "chunks": b"6\r\nforged\r\n0\r\n\r\n",
}


@pytest.mark.rule("D7", "R5", "R6", "R7")
@pytest.mark.parametrize("when", ["at once", "behind a pause", "when it is idle"])
@pytest.mark.parametrize(
    "surplus", [pytest.param(surplus, id=what) for what, surplus in SURPLUS.items()]
)
@pytest.mark.parametrize(
    "method,answer,status,body", [pytest.param(*rest, id=what) for what, *rest in ANSWERS]
)
def test_what_an_origin_sends_too_much_reaches_no_viewer(
    server, played, method, answer, status, body, surplus, when
):
    """The viewer gets its answer. The next requests get theirs, on another connection."""
    told, go = [], threading.Event()

    def serve(connection):
        first = not told
        told.append(connection)
        while True:
            connection.request()
            connection.body()
            if not first:
                connection.send(reply(b"clean"))
                continue
            connection.send(
                answer + surplus
                if when == "at once"
                else answer[:-1]
                if when == "behind a pause"
                else answer
            )
            if when == "behind a pause":
                wait_until(
                    lambda: unread(connection.socket) == 0, what="the answer's beginning to be read"
                )
                connection.send(answer[-1:] + surplus)
            elif when == "when it is idle":
                go.wait(10)
                connection.send(surplus)
                sent.set()

    sent = threading.Event()
    client = played(serve)
    got = fetch(server.port, client.host, method=method, body=b"x" if method == "POST" else b"")
    assert (got.status, got.body, got.interim) == (status, body, [])
    if when == "when it is idle":
        go.set()
        assert sent.wait(10)
    for _ in range(2):
        assert fetch(server.port, client.host).body == b"clean"
    # These are the connection with the surplus and the next one, which is kept.
    assert len(told) == (2 if client.keeps_origins else 3)


# ---- an upgrade that does not come about ----
REFUSALS = [
    # what the origin answers to a handshake, the status that the viewer gets
    ("200", reply(b"no"), 502),
    ("302", reply(b"", "Location: /", status=302), 302),
    ("403", reply(b"no", status=403), 403),
    ("426", reply(b"no", "Upgrade: websocket", "Connection: upgrade", status=426), 426),
    ("500", reply(b"no", status=500), 500),
    (
        "101 with another key's answer",
        "HTTP/1.1 101 Go\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
        "Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n",
        502,
    ),
    ("101 to h2c", "HTTP/1.1 101 Go\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n", 502),
]
BEHIND = [
    "GET /behind HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
]


@pytest.mark.rule("W5", "W6")
@pytest.mark.parametrize(
    "front",
    [
        False,
        pytest.param(
            True, marks=pytest.mark.skipif(not nginx.PROGRAM, reason="nginx is not installed")
        ),
    ],
    ids=["alone", "nginx"],
    indirect=True,
)
@pytest.mark.parametrize("behind", BEHIND, ids=["a request", "a preface"])
@pytest.mark.parametrize(
    "answer,status", [pytest.param(*rest, id=what) for what, *rest in REFUSALS]
)
def test_behind_a_refused_websocket_nothing_is_relayed(played, front, answer, status, behind):
    """The data that a viewer sends after its handshake is parsed as a request. It is never passed
    on as raw bytes."""
    raw, asked = [], []

    def serve(connection):
        line, fields = connection.request()
        if value_of(fields, "Upgrade"):
            connection.send(answer)
            raw.append(connection.rest())
        else:
            asked.append((line, value_of(fields, "Via") is not None))
            connection.send(reply(b"behind"))

    client = played(serve)
    port, tls = front
    with Viewer(port, tls) as viewer:
        viewer.send(
            head("GET", "/socket", client.host, *HANDSHAKE)
            + behind.format(host=client.host).encode()
        )
        assert viewer.response().status == status
        with contextlib.suppress(EOFError, ConnectionError):
            assert (viewer.response().status < 400) == bool(asked)
    wait_until(lambda: raw, what="the end of the origin's connection")
    assert raw == [b""]
    assert asked == ([("GET /behind HTTP/1.1", True)] if behind.startswith("GET") else [])
