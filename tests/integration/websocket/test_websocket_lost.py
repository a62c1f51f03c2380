# SPDX-License-Identifier: MIT
"""Tests a link that is lost at every position inside a WebSocket frame (rule W8). The viewer gets
whole frames and Close 1012, or a part of a frame and FIN. It never gets bytes that it would read as
another frame. A hand-made client decides how much of a frame it sends."""

import contextlib
import ctypes
import threading

import pytest
from support.faultproxy import CUT, RST, FaultProxy
from support.foreign import ForeignLink, register
from support.origins import accept_websocket
from support.pattern import pattern
from support.programs import SLOW, stable
from support.viewer import Viewer, head
from support.wait import wait_until
from support.websocket_frames import BINARY, PING, TEXT, close, fragments, frame, split
from support.websocket_viewer import HANDSHAKE

BEFORE = frame(BINARY, pattern(40)) + frame(PING, b"?") + fragments(TEXT, b"abc", 1)
QUANTUM = 16_384


def positions(length):
    """Returns every position of a small frame. Of a large frame it returns those of the header and
    a few others."""
    return range(length + 1) if length < 140 else [*range(13), 100, length // 2, length - 1, length]


FRAMES = [frame(BINARY, pattern(size)) for size in (0, 5, 125, 126, 300)] + [
    close(1000, b"bye"),
    close(),
]
CASES = [(whole, at) for whole in FRAMES for at in positions(len(whole))]
CASES += [(frame(BINARY, pattern(65_536)), at) for at in (*range(13), 5000, QUANTUM, 50_000)]


def is_1012(data):
    found, rest = split(data)
    return rest == b"" and [(first, payload[:2]) for first, payload in found] == [
        (0x88, (1012).to_bytes(2, "big"))
    ]


def judge(behind, whole, at):
    """Tells whether @behind is right: what a viewer got after the first @at bytes of the frame
    @whole, when its link was lost."""
    boundary, closed = at in (0, len(whole)), whole[0] == 0x88 and at > 0
    return is_1012(behind) if boundary and not closed else behind == b""


@pytest.fixture
def foreign(server, name, ended):
    """Returns foreign(serve), which opens a hand-made link. Viewers ask for its .host."""

    def start(serve):
        link = ended.enter_context(
            contextlib.closing(
                ForeignLink(server, name, register(server, name)["ticket"], serve=serve)
            )
        )
        link.host = f"{name}.localhost:{server.port}"
        return link

    return start


@pytest.fixture
def sockets(server, ended):
    """Returns sockets(host, count), which opens @count viewers and sends their handshakes. Viewer n
    asks for /n."""

    def start(host, count, **options):
        viewers = [ended.enter_context(Viewer(server.port, **options)) for _ in range(count)]
        for number, viewer in enumerate(viewers):
            viewer.send(head("GET", f"/{number}", host, *HANDSHAKE))
        return viewers

    return start


def number_of(stream):
    return int(dict(stream.fields)[":path"][1:])


def say(stream, data):
    for start in range(0, len(data), QUANTUM):
        stream.link.h2.send_data(stream.number, data[start : start + QUANTUM])
    stream.link.flush()


def drop(link, how):
    """Ends a link with FIN or RST. For RST it connects the socket to AF_UNSPEC, because close()
    would wait until the link's thread leaves recv()."""
    if how == RST:
        nowhere = bytes(16)  # AF_UNSPEC
        assert (
            ctypes.CDLL(None).connect(link.connection.socket.fileno(), nowhere, len(nowhere)) == 0
        )
    else:
        link.close()


@pytest.mark.rule("W8")
@pytest.mark.parametrize("how", [CUT, RST])
@pytest.mark.parametrize("read", [True, False], ids=["has-left", "on-the-way"])
def test_lost_at_every_position(foreign, sockets, how, read):
    """Each position has its own WebSocket, all on one link. Bytes that were still on the way may be
    cut earlier; the same rule holds for them."""
    count = len(CASES)
    answered = threading.Semaphore(0)

    def serve(stream):
        whole, at = CASES[number_of(stream)]
        stream.answer(200, end=False)
        say(stream, BEFORE + whole[:at])
        answered.release()

    link = foreign(serve)
    viewers = sockets(link.host, count)
    for viewer in viewers:
        assert viewer.response().status == 101
        assert answered.acquire(timeout=10 * SLOW)
    for viewer, (whole, at) in zip(viewers if read else [], CASES):
        assert viewer.exactly(len(BEFORE) + at) == BEFORE + whole[:at]
    drop(link, how)
    for viewer, (whole, at) in zip(viewers, CASES):
        got, sent = viewer.rest(), (b"" if read else BEFORE + whole[:at])
        if read:
            assert judge(got, whole, at), (len(whole), at, got[:40])
        else:
            same = got[: len(sent)] == sent and judge(got[len(sent) :], whole, at)
            assert same or whole_frames_and_1012(got, sent) or sent.startswith(got), (
                len(whole),
                at,
                got[-40:],
            )


def whole_frames_and_1012(got, sent):
    """Tells whether @got is whole frames of @sent and a Close 1012. This is right when the link
    ended before all of its bytes were read, or when oneportd removed the part of a frame that it
    had not sent."""
    found, rest = split(got)
    body = got[: len(got) - len(found[-1][1]) - 2] if found else b""
    return rest == b"" and is_1012(got[len(body) :]) and sent.startswith(body)


QUEUED = [
    (frame(BINARY, pattern(size)), at)
    for size, at in [
        (0, 1),
        (5, 1),
        (5, 2),
        (5, 6),
        (126, 3),
        (300, 4),
        (300, 200),
        (300, 303),
        (65_536, 9),
        (65_536, 11),
    ]
]


@pytest.mark.rule("W8")
@pytest.mark.parametrize("how", [CUT, RST])
def test_what_still_waits_is_cut_to_whole_frames(foreign, sockets, how):
    """The viewers read nothing. oneportd does not send the part of a frame that still waits in it,
    but a Close."""
    streams, filler = {}, frame(BINARY, pattern(1000)) * 16

    def serve(stream):
        streams[number_of(stream)] = stream
        stream.sent = b""
        stream.answer(200, end=False)

    link = foreign(serve)
    viewers = sockets(link.host, len(QUEUED), receive_buffer=16 << 10)
    for viewer in viewers:
        assert viewer.response().status == 101

    def fill():
        """Sends whole frames as long as the window allows. Leaves room for a part of the last
        one."""
        with link.lock:
            for stream in streams.values():
                while link.h2.local_flow_control_window(stream.number) > len(filler) + 500:
                    link.h2.send_data(stream.number, filler)
                    stream.sent += filler
            link.flush()
        return sum(len(stream.sent) for stream in streams.values())

    stable(fill, 20 * SLOW, 0.2 * SLOW)
    with link.lock:
        for number, (whole, at) in enumerate(QUEUED):
            say(streams[number], whole[:at])
    # The last request on the link is answered after everything else. When it is done, oneportd has
    # read all that was sent before.
    with link.lock:
        link.serve = lambda stream: stream.answer(200, b"behind")
    with Viewer(viewers[0].socket.getpeername()[1]) as other:
        assert other.get(link.host).body == b"behind"
    drop(link, how)
    cut = 0
    for number, viewer in enumerate(viewers):
        got, sent, (whole, at) = viewer.rest(), streams[number].sent, QUEUED[number]
        assert got[: len(sent)] == sent, (number, len(got), len(sent))
        behind = got[len(sent) :]
        cut += is_1012(behind)
        assert is_1012(behind) or behind == whole[:at], (number, behind)
    # The kernel may have taken the last bytes for a viewer meanwhile. Then nothing may follow them.
    assert cut >= len(QUEUED) // 2


@pytest.mark.rule("W8")
@pytest.mark.parametrize("how", [CUT, RST])
def test_the_origin_gets_only_what_the_viewer_sent(
    server, new_client, scripted, new_proxy, sockets, how
):
    """The link is lost while viewers are inside a frame. Each origin connection gets the bytes of
    its viewer and ends."""
    whole = frame(BINARY, pattern(300), b"\x9c\x01\xfe\x7b")
    cuts = [*range(14), 150, len(whole) - 1, len(whole)]
    heard, reached = {}, threading.Semaphore(0)

    def serve(connection):
        accept_websocket(connection)
        at = cuts[int(connection.line.split()[1][1:])]
        got = connection.exactly(at)
        reached.release()
        with contextlib.suppress(ConnectionError):
            got += connection.rest()
        heard[at] = got

    proxy: FaultProxy = new_proxy(server.port)
    client = new_client(scripted(serve).port, url=f"https://localhost:{proxy.port}")
    viewers = sockets(client.host, len(cuts))
    for viewer, at in zip(viewers, cuts):
        assert viewer.response().status == 101
        viewer.send(whole[:at])
    for _ in cuts:
        assert reached.acquire(timeout=10 * SLOW)
    proxy.reset() if how == RST else proxy.forget()
    wait_until(lambda: len(heard) == len(cuts), 10 * SLOW, "the origin connections' ends")
    ends = [heard[at][len(whole[:at]) :] for at in cuts]
    assert all(heard[at][:at] == whole[:at] for at in cuts) and ends == [b""] * len(cuts), ends
    assert all(is_1012(viewer.rest()) for viewer in viewers)
