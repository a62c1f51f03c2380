# SPDX-License-Identifier: MIT
"""Says whose answer a viewer got. Every head, trailer and piece of body that a plan sends has a
token of its own, so the bytes tell on which stream they were sent (wire.py).

An answer is right if it is oneportd's own error, or if everything in it was sent on a stream that
carried this very request. If it looks complete, the client's answer was complete, too."""

from .wire import TOKEN

NEIGHBOUR = b"neighbours-own"  # is in all that the honest tunnel carries
# What oneportd adds to a WebSocket whose link is lost.
CLOSE_1012 = b"\x88\x13\x03\xf4tunnel restarting"
WITHOUT_BODY = (204, 304)


def is_own(response):
    """Returns whether oneportd itself gave the answer."""
    return any(
        name.lower() == "proxy-status" and value.startswith("oneport; error=")
        for name, value in response.fields
    )


def kind_of(seen):
    """Names how a request ended, for a count."""
    if seen.response is not None and is_own(seen.response):
        return "refused"
    return "socket" if seen.socket else seen.end


def faults(person, streams, foreign):
    """Yields a sentence for everything that is wrong with what one viewer saw.

    @streams(nonce) returns [(Wire, Stream)] of the streams that carried the request. @foreign are
    nonces of other viewers."""
    if not person.seen:
        yield "the server took no connection"
    if person.surplus and not own_end(person.surplus):
        yield f"bytes behind the answer: {person.surplus[:200]!r}"
    allowed, mine = set(), [streams(seen.nonce) for seen in person.seen]
    for wire, stream in (one for found in mine for one in found):
        allowed |= wire.all_tokens if stream.has_unknown() else stream.tokens()
    for token in sorted(set(TOKEN.findall(person.raw)) - allowed):
        yield f"{token} was never sent on its stream"
    if NEIGHBOUR in person.raw:
        yield "it has bytes of the neighbour"
    for nonce in foreign:
        if nonce.encode() in person.raw:
            yield f"it has the nonce {nonce}"
    for seen, found in zip(person.seen, mine):
        why = judge(seen, [stream for _, stream in found])
        if why:
            yield f"{why}: {seen}; the last bytes are {person.raw[-200:]!r}"


def own_end(data):
    """Returns whether these are the bytes by which oneportd ends a connection that says nothing."""
    return data.startswith(b"HTTP/1.1 408 ")


def judge(seen, streams):
    """Returns what is wrong with one request and its answer, or None. @streams are those that
    carried the request."""
    if seen.end in ("hang", "malformed", None):
        return seen.end or "it never ended"
    if seen.end == "left" or seen.response is None or is_own(seen.response):
        return None
    reasons = [mismatch(seen, stream) for stream in streams]
    if None in reasons:
        return None
    return "; ".join(reasons) or "an answer to a request that no link has got"


def mismatch(seen, stream):
    """Returns why the answer is not that of the stream, or None if it is."""
    got, told = seen.response, stream.final()
    if stream.has_unknown():
        return None if stream.body.startswith(without_close(seen)) else "another body"
    if told is None:
        return "no head was sent"
    status = dict(told).get(b":status")
    if not seen.socket and status != str(got.status).encode():
        return f"the status sent was {status}"
    sent = [value.decode("latin-1") for name, value in told if name == b"x-token"]
    if got.all("x-token") != sent:
        return f"the tokens sent were {sent}"
    if not stream.body.startswith(without_close(seen)):
        return f"another body: {stream.body[:80]!r}"
    if seen.end == "complete" and not is_whole(seen, stream, told):
        return f"it looks complete with {len(got.body)} of {len(stream.body)} bytes"
    return None


def without_close(seen):
    body = seen.response.body
    if seen.socket and body.endswith(CLOSE_1012):
        return body[: -len(CLOSE_1012)]
    return body


def is_whole(seen, stream, told):
    """Returns whether the client's answer was complete with the bytes that the viewer got."""
    got = seen.response
    if seen.method == "HEAD" or got.status in WITHOUT_BODY:
        return True
    if stream.ended and got.body == stream.body:
        return True
    return dict(told).get(b"content-length") == str(len(got.body)).encode()


def request_faults(peer, people, host):
    """Yields what is wrong with the requests that have come by a link: they must be those of the
    name's own viewers, with their own bodies."""
    sent = {seen.nonce: seen for person in people for seen in person.seen}
    for number, fields in list(peer.heads.items()):
        told = dict(fields)
        nonce = told.get(b":path", b"").decode("latin-1").lstrip("/")
        if nonce not in sent:
            yield f"the link got a request that is not its own: {told}"
        elif told.get(b":authority") != host.encode():
            yield f"the link got a request for {told.get(b':authority')}"
        elif sent[nonce].method == "POST" and not sent[nonce].body_sent.startswith(
            peer.bodies.get(number, b"")
        ):
            got, whole = peer.bodies[number], sent[nonce].body_sent
            at = next(
                (n for n, pair in enumerate(zip(got, whole)) if pair[0] != pair[1]), len(whole)
            )
            yield f"the link got another body with {nonce}, from byte {at}: {got[at:][:80]!r}"
