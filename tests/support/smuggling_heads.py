# SPDX-License-Identifier: MIT
"""Lists the heads of the corpus, in families. Each head says at which one place its request
ends."""

from dataclasses import dataclass

# The end of a request is a number of bytes behind the head, or one of these:
BODY = "body"  # behind the body
ALL = "all"  # behind the request that stands behind the body
BEYOND = "beyond"  # nowhere: the head promises more bytes than are sent
CHUNKED = "chunked"  # where the chunks end
NEVER = "never"  # parsers would disagree on the place: nobody may accept the request


@dataclass(frozen=True)
class Head:
    family: str
    name: str
    end: object
    text: str
    strict: bool  # False: invalid, though some parsers repair it
    method: str = "POST"


FIELDS = "Host: {host}\r\nX-Case: {number}\r\n"
TOP = "POST {target} HTTP/1.1\r\n" + FIELDS
TE = "Transfer-Encoding: chunked\r\n"
CL = "Content-Length: {length}\r\n"
UPGRADE = (
    "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"
)
WEBSOCKET = (
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key:"
    " dGhlIHNhbXBsZSBub25jZQ==\r\n"
)


def top(line="POST {target} HTTP/1.1", host="{host}"):
    return f"{line}\r\nHost: {host}\r\nX-Case: {{number}}\r\n"


def good(family, name, end, *parts, **how):
    return Head(family, name, end, "".join(parts) + "\r\n", True, **how)


def bad(family, name, end, *parts, **how):
    return Head(family, name, end, "".join(parts) + "\r\n", False, **how)


LENGTHS = [
    good("CL", "none", 0, TOP),
    good("CL", "none with GET", 0, top("GET {target} HTTP/1.1"), method="GET"),
    good("CL", "exact", BODY, TOP, CL),
    good("CL", "exact with GET", BODY, top("GET {target} HTTP/1.1"), CL, method="GET"),
    good("CL", "exact with HEAD", BODY, top("HEAD {target} HTTP/1.1"), CL, method="HEAD"),
    good("CL", "0", 0, TOP, "Content-Length: 0\r\n"),
    good("CL", "short", 3, TOP, "Content-Length: 3\r\n"),
    good("CL", "all", ALL, TOP, "Content-Length: {all}\r\n"),
    good("CL", "beyond", BEYOND, TOP, "Content-Length: {beyond}\r\n"),
    good("CL", "exact, to be closed", BODY, TOP, CL, "Connection: close\r\n"),
    good("CL", "zeros before", BODY, TOP, "Content-Length: 00{length}\r\n"),
    bad("CL", "plus", BODY, TOP, "Content-Length: +{length}\r\n"),
    bad("CL", "minus", NEVER, TOP, "Content-Length: -{length}\r\n"),
    bad("CL", "hexadecimal", NEVER, TOP, "Content-Length: 0x{length}\r\n"),
    bad("CL", "fraction", NEVER, TOP, "Content-Length: {length}.0\r\n"),
    bad("CL", "two numbers", NEVER, TOP, "Content-Length: 0 {length}\r\n"),
    bad("CL", "empty", NEVER, TOP, "Content-Length:\r\n"),
    bad("CL", "2^64 and more", NEVER, TOP, "Content-Length: 1844674407370955161{length}\r\n"),
    bad("CL", "name with a space behind", BODY, TOP, "Content-Length : {length}\r\n"),
    bad("CL", "value with a vertical tab", NEVER, TOP, "Content-Length: \x0b{length}\r\n"),
    good("CL", "underscore", 0, TOP, "Content_Length: {length}\r\n"),
]

CODINGS = [
    good("TE", "chunked", CHUNKED, TOP, TE),
    good("TE", "capitals", CHUNKED, TOP, "TRANSFER-ENCODING: CHUNKED\r\n"),
    good("TE", "spaces and tab around", CHUNKED, TOP, "Transfer-Encoding:  \tchunked\t \r\n"),
    bad("TE", "gzip, chunked", NEVER, TOP, "Transfer-Encoding: gzip, chunked\r\n"),
    bad("TE", "chunked, identity", NEVER, TOP, "Transfer-Encoding: chunked, identity\r\n"),
    bad("TE", "identity", NEVER, TOP, "Transfer-Encoding: identity\r\n"),
    bad("TE", "xchunked", NEVER, TOP, "Transfer-Encoding: xchunked\r\n"),
    bad("TE", "parameter", NEVER, TOP, "Transfer-Encoding: chunked;q=1\r\n"),
    bad("TE", "quoted", NEVER, TOP, 'Transfer-Encoding: "chunked"\r\n'),
    bad("TE", "comma", NEVER, TOP, "Transfer-Encoding: ,chunked\r\n"),
    bad("TE", "empty", NEVER, TOP, "Transfer-Encoding:\r\n"),
    bad("TE", "vertical tab", NEVER, TOP, "Transfer-Encoding: \x0bchunked\r\n"),
    bad("TE", "NUL behind", NEVER, TOP, "Transfer-Encoding: chunked\0\r\n"),
    bad("TE", "byte above 127", NEVER, TOP, "Transfer-Encoding: \xa0chunked\r\n"),
    bad("TE", "space before the colon", NEVER, TOP, "Transfer-Encoding : chunked\r\n"),
    bad("TE", "folded", NEVER, TOP, "Transfer-Encoding:\r\n chunked\r\n"),
    bad("TE", "folded field before", NEVER, TOP, "X-Fold: a\r\n Transfer-Encoding: chunked\r\n"),
    good("TE", "underscore", 0, TOP, "Transfer_Encoding: chunked\r\n"),
    bad("TE", "HTTP/1.0", NEVER, top("POST {target} HTTP/1.0"), TE),
    bad("CL and TE", "length first", NEVER, TOP, CL, TE),
    bad("CL and TE", "coding first", NEVER, TOP, TE, CL),
    bad("CL and TE", "0", NEVER, TOP, "Content-Length: 0\r\n", TE),
    bad("CL and TE", "identity", NEVER, TOP, CL, "Transfer-Encoding: identity\r\n"),
    bad(
        "CL and TE",
        "coding that Connection names",
        NEVER,
        TOP,
        CL,
        TE,
        "Connection: Transfer-Encoding\r\n",
    ),
    bad(
        "CL and TE", "length that Connection names", BODY, TOP, "Connection: Content-Length\r\n", CL
    ),
    bad(
        "CL and TE",
        "chunked that Connection names",
        CHUNKED,
        TOP,
        "Connection: keep-alive, transfer-encoding\r\n",
        TE,
    ),
]

LINES = [
    Head("lines", "LF alone", BODY, (TOP + CL + "\r\n").replace("\r\n", "\n"), False),
    bad("lines", "LF behind the request line", BODY, TOP.replace("\r\n", "\n", 1), CL),
    bad("lines", "LF before a length", BODY, TOP, "X-Line: a\n" + CL),
    bad("lines", "LF before a coding", CHUNKED, TOP, "X-Line: a\n" + TE),
    Head("lines", "LF at the end", BODY, TOP + CL + "\n", False),
    Head("lines", "LF at both ends", BODY, TOP + CL.replace("\r\n", "\n\n"), False),
    bad("lines", "CR before a coding", NEVER, TOP, "X-Line: a\r" + TE),
    bad("lines", "CR CR LF at the end", NEVER, TOP, CL + "\r"),
    bad("lines", "CR in a name", NEVER, TOP, "X-Li\rne: a\r\n", CL),
    bad("lines", "NUL in a value", NEVER, TOP, "X-Line: a\0b\r\n", CL),
    bad("lines", "NUL in a name", NEVER, TOP, "X-Li\0ne: a\r\n", CL),
    bad("lines", "no colon", BODY, TOP, "X-Line\r\n", CL),
    bad("lines", "no name", NEVER, TOP, ": a\r\n", CL),
    good("lines", "an empty one before", BODY, "\r\n", TOP, CL),
    bad("lines", "a space before", NEVER, " ", TOP, CL),
    bad("whitespace", "two spaces", BODY, top("POST  {target} HTTP/1.1"), CL),
    bad("whitespace", "tab", NEVER, top("POST\t{target}\tHTTP/1.1"), CL),
    bad("whitespace", "space behind the version", BODY, top("POST {target} HTTP/1.1 "), CL),
    bad("whitespace", "space in the target", NEVER, top("POST {target} /smuggled HTTP/1.1"), CL),
    bad(
        "whitespace",
        "field that begins with a space",
        NEVER,
        "POST {target} HTTP/1.1\r\n Host: {host}\r\n",
        TOP.split("\r\n", 1)[1],
        CL,
    ),
    good("whitespace", "none behind the colon", BODY, TOP, "Content-Length:{length}\r\n"),
    good("whitespace", "around the length", BODY, TOP, "Content-Length: \t{length} \t\r\n"),
]

DUPLICATES = [
    bad("duplicates", "lengths alike", BODY, TOP, CL, CL),
    bad("duplicates", "lengths in a list", BODY, TOP, "Content-Length: {length}, {length}\r\n"),
    bad("duplicates", "lengths that differ", NEVER, TOP, CL, "Content-Length: {all}\r\n"),
    bad("duplicates", "lengths that differ in case", NEVER, TOP, CL, "content-length: 0\r\n"),
    bad("duplicates", "codings", NEVER, TOP, TE, TE),
    bad("duplicates", "codings that differ", NEVER, TOP, TE, "Transfer-Encoding: identity\r\n"),
    bad("duplicates", "codings in a list", NEVER, TOP, "Transfer-Encoding: chunked, chunked\r\n"),
    bad("duplicates", "hosts alike", BODY, TOP, "Host: {host}\r\n", CL),
    bad("duplicates", "hosts that differ", NEVER, TOP, "Host: {nobody}\r\n", CL),
    bad("duplicates", "no host", NEVER, "POST {target} HTTP/1.1\r\n", CL),
]

FORMS = [
    good("forms", "absolute", BODY, top("POST http://{host}{target} HTTP/1.1"), CL),
    good("forms", "absolute, chunked", CHUNKED, top("POST http://{host}{target} HTTP/1.1"), TE),
    bad(
        "forms", "absolute of another host", BODY, top("POST http://{nobody}{target} HTTP/1.1"), CL
    ),
    bad(
        "forms",
        "absolute with another Host",
        BODY,
        top("POST http://{host}{target} HTTP/1.1", "{nobody}"),
        CL,
    ),
    bad(
        "forms", "absolute with credentials", BODY, top("POST http://a@{host}{target} HTTP/1.1"), CL
    ),
    bad("forms", "absolute of another scheme", BODY, top("POST ftp://{host}{target} HTTP/1.1"), CL),
    bad("forms", "authority", NEVER, top("POST {host} HTTP/1.1"), CL),
    bad("forms", "asterisk", NEVER, top("POST * HTTP/1.1"), CL),
    bad("forms", "no slash", NEVER, top("POST smuggled HTTP/1.1"), CL),
    bad("forms", "fragment", NEVER, top("POST {target}#a HTTP/1.1"), CL),
    bad("forms", "CONNECT", NEVER, top("CONNECT {host} HTTP/1.1"), CL),
    bad("forms", "TRACE", NEVER, top("TRACE {target} HTTP/1.1")),
    bad("versions", "0.9", NEVER, "GET {target}\r\n"),
    bad("versions", "1.2", BODY, top("POST {target} HTTP/1.2"), CL),
    bad("versions", "2.0", NEVER, top("POST {target} HTTP/2.0"), CL),
    bad("versions", "small letters", NEVER, top("POST {target} http/1.1"), CL),
    bad("versions", "PRI", NEVER, "PRI * HTTP/2.0\r\n\r\nSM\r\n"),
    good("versions", "1.0", BODY, top("POST {target} HTTP/1.0"), CL),
    good(
        "versions",
        "1.0, to be kept",
        BODY,
        top("POST {target} HTTP/1.0"),
        CL,
        "Connection: keep-alive\r\n",
    ),
    good("versions", "1.0 without a length", 0, top("POST {target} HTTP/1.0")),
]

UPGRADES = [
    good("upgrade", "h2c", BODY, TOP, UPGRADE, CL),
    good("upgrade", "h2c, chunked", CHUNKED, TOP, UPGRADE, TE),
    good("upgrade", "h2c with GET", 0, top("GET {target} HTTP/1.1"), UPGRADE, method="GET"),
    good("upgrade", "ptth", BODY, TOP, "Connection: upgrade\r\nUpgrade: ptth\r\nALPN: h2\r\n", CL),
    good("upgrade", "TLS", BODY, TOP, "Connection: upgrade\r\nUpgrade: TLS/1.2\r\n", CL),
    good(
        "upgrade",
        "websocket that is refused",
        0,
        top("GET {target} HTTP/1.1"),
        WEBSOCKET,
        method="GET",
    ),
    good("upgrade", "websocket with POST", BODY, TOP, WEBSOCKET, CL),
    bad(
        "upgrade",
        "websocket with a length",
        1,
        top("GET {target} HTTP/1.1"),
        WEBSOCKET,
        "Content-Length: 1\r\n",
        method="GET",
    ),
    bad(
        "upgrade",
        "websocket, chunked",
        CHUNKED,
        top("GET {target} HTTP/1.1"),
        WEBSOCKET,
        TE,
        method="GET",
    ),
    bad(
        "upgrade",
        "websocket of version 777",
        0,
        top("GET {target} HTTP/1.1"),
        WEBSOCKET.replace("13", "777"),
        method="GET",
    ),
    good("expect", "continue", BODY, TOP, CL, "Expect: 100-continue\r\n"),
    good("expect", "continue, chunked", CHUNKED, TOP, TE, "Expect: 100-continue\r\n"),
    good("expect", "continue without a body", 0, TOP, "Expect: 100-continue\r\n"),
    bad("expect", "another", BODY, TOP, CL, "Expect: 200-ok\r\n"),
    bad("connection", "names Host", BODY, TOP, "Connection: host\r\n", CL),
    good(
        "connection",
        "names what is not there",
        BODY,
        TOP,
        "Connection: x-absent, keep-alive\r\n",
        CL,
    ),
    good("connection", "Proxy-Connection", BODY, TOP, "Proxy-Connection: close\r\n", CL),
    good("connection", "Keep-Alive", CHUNKED, TOP, "Keep-Alive: timeout=5\r\n", TE),
]

HEADS = LENGTHS + CODINGS + LINES + DUPLICATES + FORMS + UPGRADES
