# SPDX-License-Identifier: MIT
"""Makes a corpus of requests that two parsers might split differently. Each case is a head, a body
behind it, and one more request behind that.

The request behind names a host that nobody shares. So it can reach an origin only as bytes that
were copied without being parsed, and a proxy that takes a body's bytes for a request sends one
answer too many. Each case has a target of its own."""

from dataclasses import dataclass

from .smuggling_bodies import BODIES, Body
from .smuggling_heads import ALL, BEYOND, BODY, CHUNKED, HEADS, NEVER, Head

NOBODY = "nobody-at-all.localhost"
SMUGGLED = "GET /smuggled/{number} HTTP/1.1\r\nHost: " + NOBODY + "\r\nConnection: close\r\n\r\n"


@dataclass(frozen=True)
class Case:
    number: int
    head: Head
    body: Body
    top: bytes  # the head
    rest: bytes  # the body and the request behind it
    intent: object  # (method, target, body); None: no one may accept it, or it never ends
    strict: bool  # the request conforms in every detail
    surplus: bool  # bytes are left behind the request
    endless: bool  # the request promises more bytes than are sent

    @property
    def raw(self):
        return self.top + self.rest

    @property
    def target(self):
        return f"/case/{self.number}"

    @property
    def kind(self):
        return f"{self.head.family}: {self.head.name}"

    def __str__(self):
        return f"{self.number} {self.kind} / {self.body.family}: {self.body.name}"


def case(number, head, body, host):
    target, behind = f"/case/{number}", SMUGGLED.format(number=number)

    def filled(text):
        sizes = {"{size}": f"{len(behind):x}", "{inner}": f"{len(behind) + 5:x}"}
        for mark, value in {"{smuggled}": behind, "{nobody}": NOBODY, **sizes}.items():
            text = text.replace(mark, value)
        return text

    text = filled(body.text)
    whole = len(text) + len(behind)
    top = head.text.format(
        target=target,
        host=host,
        number=number,
        nobody=NOBODY,
        length=len(text),
        all=whole,
        beyond=whole + 10,
    )
    rest = (text + behind).encode("latin-1")
    end = {BODY: len(text), ALL: whole, BEYOND: whole + 10}.get(head.end, head.end)
    strict, surplus, endless, content = head.strict, True, False, None
    if end == CHUNKED:
        strict, surplus, endless = strict and body.strict, not body.swallows, body.endless
        content = None if body.chunked is None else filled(body.chunked).encode("latin-1")
    elif end != NEVER:
        surplus, endless = end < len(rest), end > len(rest)
        content = None if endless else rest[:end]
    intent = None if content is None else (head.method, target, content)
    return Case(
        number,
        head,
        body,
        top.encode("latin-1"),
        rest,
        intent,
        strict and intent is not None,
        surplus,
        endless,
    )


def cases(host):
    """Returns every head with every body that matters behind it, for a tunnel whose viewers send
    this Host."""
    pairs = [
        (head, body) for head in HEADS for body in BODIES if body.everywhere or head.end == CHUNKED
    ]
    return [case(number, head, body, host) for number, (head, body) in enumerate(pairs)]
