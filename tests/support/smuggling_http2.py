# SPDX-License-Identifier: MIT
"""Makes a corpus of requests of HTTP/2 that a translation to HTTP/1.1 might split differently, or
write as another request. Each has a target of its own. The requests of smuggling.py are among them:
their fields as fields of a stream, their body and the request behind it as its DATA."""

import re
from dataclasses import dataclass, field

from .smuggling import cases
from .smuggling_heads import CHUNKED

GOOD, BAD, EITHER = "is right", "is malformed", "may be refused"
SMUGGLED = "GET /smuggled/{number} HTTP/1.1\r\nHost: {host}\r\n\r\n"

TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")
METHOD = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}")
VALUE = re.compile(r"|[\x21-\x7e\x80-\xff]([\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?")
PATH = re.compile(r"/[\x21\x22\x24-\x7e]*")
OF_A_CONNECTION = {"connection", "proxy-connection", "keep-alive", "transfer-encoding", "upgrade"}


@dataclass(frozen=True)
class Http2Case:
    number: int
    name: str
    verdict: str
    fields: list  # of the head, pseudo-fields included
    body: bytes = None  # None: the head ends the stream
    trailers: list = field(default_factory=list)

    @property
    def target(self):
        return f"/case/{self.number}"

    def get(self, name):
        return dict(self.fields).get(name)

    def __str__(self):
        return f"{self.number} {self.name}, which {self.verdict}"


# ---- requests of HTTP/1.1 ----
def fields_of(top):
    """Returns the head of a request of HTTP/1.1 as fields of HTTP/2. Whatever is no line of its own
    stays where it is, line ends included. The first Host becomes the authority."""
    first, *lines = [line for line in top.decode("latin-1").split("\r\n") if line]
    method, _, rest = first.partition(" ")
    pseudo = [(":method", method), (":scheme", "https")]
    pseudo.append((":path", re.sub(r" HTTP/[0-9.]+$", "", rest, flags=re.IGNORECASE)))
    fields = []
    for line in lines:
        name, _, value = line.partition(":")
        name, value = name.lower(), value.removeprefix(" ")
        if name == "host" and ":authority" not in dict(pseudo):
            pseudo.append((":authority", value))
        else:
            fields.append((name, value))
    return pseudo + fields


def verdict_of(fields, size):
    """Judges a head with a body of @size bytes by RFC 9113 8.2 and 8.3, and RFC 9110."""
    pseudo = {name: value for name, value in fields if name.startswith(":")}
    plain = [(name, value) for name, value in fields if name not in pseudo]
    lengths = [value for name, value in plain if name == "content-length"]
    hosts = {value for name, value in plain if name == "host"} | {pseudo.get(":authority")}
    right = (
        METHOD.fullmatch(pseudo[":method"])
        and pseudo[":method"] not in ("CONNECT", "TRACE")
        and PATH.fullmatch(pseudo[":path"])
        and len(hosts) == 1
        and None not in hosts
        and all(TOKEN.fullmatch(name) and VALUE.fullmatch(value) for name, value in plain)
        and not OF_A_CONNECTION & {name for name, _ in plain}
        and all(value == "100-continue" for name, value in plain if name == "expect")
    )
    if not right or len(lengths) > 1:
        return BAD
    if lengths and not (lengths[0].isdecimal() and int(lengths[0]) == size):
        return BAD
    return GOOD if not lengths or lengths[0] == str(size) else EITHER


def translated(host, step):
    """Yields the requests of the other corpus, with all that is behind the head as the body, and
    with what was meant as the body. A head whose body is chunked has only the first."""
    for case in cases(host)[::step]:
        if not (case.body.everywhere or case.head.end == CHUNKED):
            continue
        fields = fields_of(case.top)
        bodies = [case.rest]
        if case.head.end != CHUNKED and case.intent and case.intent[2] != case.rest:
            bodies.append(case.intent[2])
        for body in bodies:
            yield f"{case.kind} / {case.body.name}", fields, body


# ---- requests of HTTP/2 alone ----
FORGED = "X-Forged: 1"
LINE_ENDS = {"CR LF": "\r\n", "LF": "\n", "CR": "\r", "NUL": "\0"}
AT = "{target}"


def pseudo(method="POST", scheme="https", path=AT, authority="{host}"):
    given = {":method": method, ":scheme": scheme, ":path": path, ":authority": authority}
    return [pair for pair in given.items() if pair[1] is not None]


def with_fields(*more):
    return [*pseudo(), *more]


def injections():
    """Yields heads that become another request when a text is written as it is."""
    for name, end in LINE_ENDS.items():
        behind = f"{end}{FORGED}"
        whole = f" HTTP/1.1{end}Host: a{end}{end}{{smuggled}}"
        yield f"{name} in a value", with_fields(("x-a", f"b{behind}"))
        yield f"{name} in a value, and a request", with_fields(("x-a", f"b{end}{end}{{smuggled}}"))
        yield f"{name} in a name", with_fields((f"x-a: b{end}x-forged", "1"))
        yield f"{name} behind a value", with_fields(("x-a", f"b{end}"))
        yield f"{name} before a value", with_fields(("x-a", f"{end} b"))
        yield f"{name} in the path", pseudo(path=AT + whole)
        yield f"{name} in the method", pseudo(method=f"GET {AT}{whole}POST")
        yield f"{name} in the authority", pseudo(authority=f"{{host}}{behind}")
        yield f"{name} in the scheme", pseudo(scheme=f"https{behind}")
        yield f"{name} in a host", [*pseudo(authority=None), ("host", f"{{host}}{behind}")]
        yield f"{name} in a cookie", with_fields(("cookie", "a=1"), ("cookie", f"b=2{behind}"))
        yield f"{name} in a length", with_fields(("content-length", f"{{length}}{behind}"))


MALFORMED = [
    ("a name with a colon", with_fields(("x-a: b", "c"))),
    ("a name with a space", with_fields(("x a", "b"))),
    ("a name with a space behind", with_fields(("content-length ", "0"))),
    ("a name in capitals", with_fields(("X-A", "b"))),
    ("a length in capitals", with_fields(("Content-Length", "0"))),
    ("a coding in capitals", with_fields(("Transfer-Encoding", "chunked"))),
    ("an empty name", with_fields(("", "b"))),
    ("a name above ASCII", with_fields(("x-\xe4", "b"))),
    ("a value with a space before", with_fields(("x-a", " b"))),
    ("a value with a tab behind", with_fields(("x-a", "b\t"))),
    ("a coding", with_fields(("transfer-encoding", "chunked"))),
    (
        "a coding and a length",
        with_fields(("transfer-encoding", "chunked"), ("content-length", "0")),
    ),
    ("a coding that is empty", with_fields(("transfer-encoding", ""))),
    ("te of chunked", with_fields(("te", "chunked"))),
    ("te of trailers and more", with_fields(("te", "trailers, chunked"))),
    ("connection", with_fields(("connection", "close"))),
    ("connection that names a length", with_fields(("connection", "content-length"))),
    ("keep-alive", with_fields(("keep-alive", "timeout=5"))),
    ("proxy-connection", with_fields(("proxy-connection", "close"))),
    ("an upgrade", with_fields(("upgrade", "h2c"))),
    ("a length that is too short", with_fields(("content-length", "1"))),
    ("a length that is too long", with_fields(("content-length", "9999"))),
    ("a length of 0", with_fields(("content-length", "0"))),
    ("a length with a plus", with_fields(("content-length", "+{length}"))),
    ("a length with a minus", with_fields(("content-length", "-{length}"))),
    ("a length in hexadecimal", with_fields(("content-length", "0x{length}"))),
    ("a length of 2^64 and more", with_fields(("content-length", "1844674407370955161{length}"))),
    ("an empty length", with_fields(("content-length", ""))),
    ("lengths that differ", with_fields(("content-length", "{length}"), ("content-length", "0"))),
    ("lengths alike", with_fields(*[("content-length", "{length}")] * 2)),
    ("lengths in a list", with_fields(("content-length", "{length}, {length}"))),
    ("a host that differs", with_fields(("host", "nobody.localhost"))),
    ("two hosts", [*pseudo(authority=None), ("host", "{host}"), ("host", "nobody.localhost")]),
    ("no host", pseudo(authority=None)),
    ("an empty authority", pseudo(authority="")),
    ("userinfo", pseudo(authority="me@{host}")),
    ("an authority with a path", pseudo(authority="{host}/smuggled")),
    ("an authority with a space", pseudo(authority="{host} HTTP/1.1")),
    ("an authority with a comma", pseudo(authority="{host},nobody.localhost")),
    ("an authority of two ports", pseudo(authority="{host}:80")),
    ("no path", pseudo(path=None)),
    ("an empty path", pseudo(path="")),
    ("an asterisk", pseudo(path="*")),
    ("a path without a slash", pseudo(path="smuggled")),
    ("an absolute path", pseudo(path="https://{host}" + AT)),
    ("a path with a fragment", pseudo(path=AT + "#a")),
    ("a path with a space", pseudo(path=AT + " HTTP/1.0")),
    ("a path with a tab", pseudo(path=AT + "\tHTTP/1.0")),
    ("a path above ASCII", pseudo(path=AT + "\xe4")),
    ("a path with DEL", pseudo(path=AT + "\x7f")),
    ("a method with a space", pseudo(method="GET /smuggled")),
    ("a method with a colon", pseudo(method="GET:")),
    ("an empty method", pseudo(method="")),
    ("no method", pseudo(method=None)),
    ("a long method", pseudo(method="G" * 33)),
    ("CONNECT", [(":method", "CONNECT"), (":authority", "{host}")]),
    ("CONNECT with a path", pseudo(method="CONNECT")),
    ("TRACE", pseudo(method="TRACE")),
    ("no scheme", pseudo(scheme=None)),
    ("an empty scheme", pseudo(scheme="")),
    ("another scheme", pseudo(scheme="ftp")),
    ("a scheme that is a URL", pseudo(scheme="https://nobody.localhost/?")),
    ("an unknown pseudo-field", [*pseudo(), (":forged", "1")]),
    ("a status", [*pseudo(), (":status", "200")]),
    ("a protocol", [*pseudo(), (":protocol", "websocket")]),
    ("a pseudo-field twice", [*pseudo(), (":path", "/smuggled")]),
    ("a method twice", [*pseudo(), (":method", "GET")]),
    ("a pseudo-field behind a field", [("x-a", "b"), *pseudo()]),
    (
        "an authority behind a field",
        [*pseudo(authority=None), ("x-a", "b"), (":authority", "{host}")],
    ),
    ("another expectation", with_fields(("expect", "200-ok"))),
]

RIGHT = [
    ("nothing special", pseudo()),
    ("the right length", with_fields(("content-length", "{length}"))),
    ("a host and no authority", [*pseudo(authority=None), ("host", "{host}")]),
    ("a host like the authority", with_fields(("host", "{host}"))),
    ("a scheme that is not that of TLS", pseudo(scheme="http")),
    ("a method of its own", pseudo(method="REPORT")),
    ("a method in small letters", pseudo(method="post")),
    ("GET with a body", pseudo(method="GET")),
    ("HEAD", pseudo(method="HEAD")),
    ("a path of two slashes", pseudo(path="/" + AT)),
    ("a path with dots", pseudo(path=AT + "/../a")),
    ("a path with escapes", pseudo(path=AT + "%0d%0a%00")),
    ("a query with a request", pseudo(path=AT + "?GET%20/smuggled")),
    ("cookies", with_fields(("cookie", "a=1"), ("cookie", "b=2"))),
    ("te", with_fields(("te", "trailers"))),
    ("an expectation", with_fields(("expect", "100-continue"))),
    ("an underscore", with_fields(("content_length", "0"), ("transfer_encoding", "chunked"))),
    ("an empty value", with_fields(("x-a", ""))),
    ("values of another request", with_fields(("x-a", "GET /smuggled HTTP/1.1"))),
    ("a range", with_fields(("range", "bytes=0-1"))),
]

TRAILERS = [
    ("trailers", [("x-sum", "1")], GOOD),
    ("trailers that frame", [("content-length", "0"), ("host", "nobody.localhost")], EITHER),
    ("a coding in trailers", [("transfer-encoding", "chunked")], BAD),
    ("connection in trailers", [("connection", "close")], BAD),
    ("a pseudo-field in trailers", [(":path", "/smuggled")], BAD),
    ("capitals in trailers", [("X-Sum", "1")], BAD),
    ("a request in trailers", [("x-sum", "1\r\n\r\n{smuggled}")], BAD),
    ("a line end in a trailer's name", [("x-sum: 1\r\nx-forged", "1")], BAD),
]


def alone():
    """Yields (name, verdict, head, body is there, trailers)."""
    for body in (False, True):
        words = "with a body" if body else "without a body"
        for name, head in injections():
            yield f"{name}, {words}", BAD, head, body, []
    for name, head in MALFORMED:
        yield name, BAD, head, True, []
    yield "a length without a body", BAD, with_fields(("content-length", "5")), False, []
    for name, head in RIGHT:
        yield name, GOOD, head, "HEAD" not in name, []
    yield "no body", GOOD, pseudo(), False, []
    yield "no body and a length of 0", GOOD, with_fields(("content-length", "0")), False, []
    for name, trailers, verdict in TRAILERS:
        yield name, verdict, pseudo(), True, trailers
        right = with_fields(("content-length", "{length}"))
        yield f"{name}, behind a length", verdict, right, True, trailers


def http2_cases(host, step=1):
    """Returns the corpus, for a tunnel whose viewers ask for this authority. Of the requests of
    HTTP/1.1 it has each @step-th."""
    made = []

    def fill(fields, **values):
        filled = []
        for name, value in fields:
            for mark, text in values.items():
                name, value = (word.replace(f"{{{mark}}}", text) for word in (name, value))
            filled.append((name, value))
        return filled

    def add(name, verdict, head, body, trailers):
        made.append(Http2Case(len(made) + 1, name, verdict, head, body, trailers))

    for name, verdict, head, has_body, trailers in alone():
        number = len(made) + 1
        smuggled = SMUGGLED.format(number=number, host=host)
        body = f"0\r\n\r\n{smuggled}".encode() if has_body else None
        known = {
            "target": f"/case/{number}",
            "host": host,
            "smuggled": smuggled,
            "length": str(len(body or b"")),
        }
        mark = [("x-case", str(number))]
        add(name, verdict, fill(head, **known) + mark, body, fill(trailers, **known))
    for name, head, body in translated(host, step):
        number = len(made) + 1
        head = [
            (field, re.sub(r"/case/\d+", f"/case/{number}", value) if field == ":path" else value)
            for field, value in head
        ]
        head = [(field, str(number) if field == "x-case" else value) for field, value in head]
        add(name, verdict_of(head, len(body)), head, body, [])
    return made
