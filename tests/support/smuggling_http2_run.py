# SPDX-License-Identifier: MIT
"""Sends the corpus of smuggling_http2.py to an origin that records what comes, many streams of a
connection at a time, and judges the results."""

import re
import threading

from .frames import CANCEL, END_STREAM, INTERNAL_ERROR, PROTOCOL_ERROR, frame, headers
from .h2_origin import H2Origin
from .programs import SLOW
from .recording_origin import ANSWER, Request, all_of
from .smuggling_http2 import BAD, GOOD, OF_A_CONNECTION
from .wait import wait_until

AT_ONCE = 20  # streams of one connection
ANSWER_S = 30 * SLOW
CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
# What oneport adds to a request, and what it may leave out.
OURS = {
    *("host", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-port"),
    *("x-forwarded-proto", "content-length", "transfer-encoding", "connection", "cookie"),
}


class RecordingH2Origin:
    """Is a RecordingOrigin that speaks HTTP/2. It has the same .whole, .begun and .faults."""

    def __init__(self):
        self.lock = threading.Lock()
        self.whole, self.begun, self.faults = {}, set(), []
        self.origin = H2Origin(on_request=self._begin, on_end=self._end)
        self.url = self.origin.url

    def _begin(self, stream):
        with self.lock:
            self.begun.add(stream.get(":path"))
            names = [name for name, _ in stream.fields]
            texts = [*names, *(value for _, value in stream.fields)]
            if OF_A_CONNECTION & set(names) or any(map(CONTROL.search, texts)):
                self.faults.append(f"fields {stream.fields}")

    def _end(self, stream):
        target = stream.get(":path")
        plain = [pair for pair in stream.fields if pair[0][0] != ":"]
        hosts = [stream.get(":authority"), *all_of(plain, "host")]
        known = [host for host in hosts if host]
        request = Request(0, stream.get(":method"), target, plain, stream.body)
        with self.lock:
            if len(set(known)) != 1:
                self.faults.append(f"hosts {hosts}")
            if any(int(size) != len(stream.body) for size in all_of(plain, "content-length")):
                self.faults.append(f"length of {request}")
            request.fields = [("host", known[0])] + [f for f in plain if f[0] != "host"]
            self.whole.setdefault(target, []).append(request)
        stream.head(200, end=request.method == "HEAD")
        if request.method != "HEAD":
            stream.data(ANSWER + target.encode(), end=True)

    def close(self):
        self.origin.close()


class Http2Run:
    def __init__(self, recorder, connect, host):
        """@connect() makes an H2Viewer whose requests for @host reach @recorder."""
        self.recorder, self.connect, self.host = recorder, connect, host

    def judged(self, cases):
        """Sends @cases. Returns a list of (case, what is wrong)."""
        wrong = []
        for at in range(0, len(cases), AT_ONCE):
            some = cases[at : at + AT_ONCE]
            with self.connect() as viewer:
                streams = [self._send(viewer, case) for case in some]
                wrong += self._complaints(viewer, some, streams)
                target = f"/canary/{some[0].number}"
                if viewer.get(target).body != ANSWER + target.encode():
                    wrong.append((some[0], "has harmed the request behind it"))
        return wrong

    @staticmethod
    def _send(viewer, case):
        stream, viewer.next_stream = viewer.next_stream, viewer.next_stream + 2
        sent = headers(stream, *case.fields, end=case.body is None)
        if case.body is not None:
            sent += frame(0, 0 if case.trailers else END_STREAM, stream, case.body)
        if case.trailers:
            sent += headers(stream, *case.trailers, end=True)
        viewer.send(sent)
        return stream

    def _complaints(self, viewer, cases, streams):
        """Waits for the end of each stream. Returns a list of (case, what is wrong)."""
        wrong = []
        for case, stream in zip(cases, streams):
            wait_until(
                lambda stream=stream: {stream} & (viewer.over | viewer.resets.keys())
                or viewer.ended.is_set(),
                ANSWER_S,
                f"the end of {case}",
            )
            what = (
                f"has ended the connection: {viewer.goaways}"
                if viewer.ended.is_set()
                else self._complaint(viewer, case, stream)
            )
            if what:
                wrong.append((case, what))
        return wrong

    def _complaint(self, viewer, case, stream):
        """Returns what is wrong with the answer to @case, or with what the origin has seen of it;
        None: nothing."""
        path = case.get(":path")
        whole = self.recorder.whole.get(path, [])
        answer = viewer.so_far(stream) if stream in viewer.over else None
        if answer is None and viewer.resets.get(stream) not in (
            PROTOCOL_ERROR,
            INTERNAL_ERROR,
            CANCEL,
        ):
            return f"was reset with {viewer.resets.get(stream)}"
        passed = answer is not None and answer.status < 400
        if len(whole) > 1:
            return f"came {len(whole)} times"
        if (whole or passed) and case.verdict == BAD:
            return f"was taken as {whole}, answer {answer}"
        if not (whole and passed) and case.verdict == GOOD:
            return f"was answered by {answer}, and the origin has seen {whole}"
        if not whole:
            return f"was answered by {answer}" if passed else None
        return self._changed(case, whole[0]) or self._mixed_up(case, answer)

    def _changed(self, case, got):
        """Returns what of the request @got at the origin is not of @case, or None."""
        if (got.method, got.body) != (case.get(":method"), case.body or b""):
            return f"became {got}"
        if (got.get("Host"), got.get("X-Case")) != (self.host, str(case.number)):
            return f"has other fields: {got}"
        sent = {name for name, _ in case.fields}
        if more := {name.lower() for name, _ in got.fields} - sent - OURS:
            return f"got {more} from nowhere"
        if more := {name.lower() for name, _ in got.trailers} - {name for name, _ in case.trailers}:
            return f"got the trailers {more} from nowhere"
        return None

    @staticmethod
    def _mixed_up(case, answer):
        """Returns what is wrong with the @answer to a request that the origin has answered."""
        if answer and case.get(":method") != "HEAD":
            if answer.body != ANSWER + case.get(":path").encode():
                return f"got another answer: {answer.body!r}"
        return None

    def leaked(self, cases):
        """Returns all requests that are neither cases nor canaries, and all faults of the
        origin."""
        right = {
            path for case in cases if not (path := case.get(":path") or "").startswith("/smug")
        }
        return self.recorder.faults + sorted(
            target for target in self.recorder.begun - right if not target.startswith("/canary/")
        )
