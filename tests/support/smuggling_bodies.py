# SPDX-License-Identifier: MIT
"""Lists the bodies of the corpus: chunks, what nearly looks like chunks, and the beginnings of
other requests."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Body:
    family: str
    name: str
    text: str  # {smuggled} is the request that also stands behind each body
    # The content if the body is read as chunks; None: it is invalid or does not end.
    chunked: object = None
    strict: bool = True  # False: invalid as chunks, though some parsers repair it to that content
    swallows: bool = False  # read as chunks, the body includes the request behind it
    endless: bool = False  # read as chunks, the body promises more bytes than are sent
    everywhere: bool = False  # used behind every head, not only those with chunks


HELLO = "5\r\nhello\r\n0\r\n\r\n"


def good(family, name, text, chunked, **how):
    return Body(family, name, text, chunked, **how)


def bad(family, name, text, chunked=None, **how):
    return Body(family, name, text, chunked, strict=False, **how)


BODIES = [
    bad("plain", "nothing", "", everywhere=True),
    bad("plain", "words", "five!", everywhere=True),
    bad("plain", "empty line", "\r\n", everywhere=True),
    good("chunks", "the last one alone", "0\r\n\r\n", "", everywhere=True),
    good("chunks", "one", HELLO, "hello", everywhere=True),
    good("chunks", "several", "1\r\nh\r\n3\r\nell\r\n1\r\no\r\n0\r\n\r\n", "hello"),
    good("chunks", "zeros and capitals", "00A\r\n0123456789\r\n000\r\n\r\n", "0123456789"),
    good("chunks", "chunks within", "f\r\n" + HELLO + "\r\n0\r\n\r\n", HELLO),
    good("trailers", "one", "5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n", "hello"),
    good(
        "trailers",
        "framing and Host",
        "5\r\nhello\r\n0\r\nContent-Length: 99\r\nTransfer-Encoding: x\r\nHost: evil\r\n\r\n",
        "hello",
    ),
    bad("trailers", "folded", "0\r\nX-Sum: 1\r\n 2\r\n\r\n", ""),
    bad("trailers", "LF", "0\r\nX-Sum: 1\n\r\n", ""),
    bad("trailers", "no name", "0\r\n: 1\r\n\r\n", ""),
    bad("trailers", "NUL", "0\r\nX-Sum: \0\r\n\r\n", ""),
    bad("trailers", "end without CR", "0\r\n\n", "", everywhere=True),
    bad("trailers", "no end", "0\r\n", "", swallows=True),
    good("trailers", "a request as a value", "0\r\nX-Swallow: ", "", swallows=True),
    good("extensions", "name", "5;a\r\nhello\r\n0\r\n\r\n", "hello"),
    good("extensions", "value", "5;a=b;c=d\r\nhello\r\n0;e\r\n\r\n", "hello"),
    good("extensions", "quoted", '5;a="b;c"\r\nhello\r\n0\r\n\r\n', "hello"),
    # Every parser ends the line at its CRLF, even within quotes.
    good("extensions", "quote left open", '5;a="\r\nhello\r\n0\r\n\r\n"', "hello"),
    bad("extensions", "space before", "5 ;a\r\nhello\r\n0\r\n\r\n", "hello"),
    bad("extensions", "LF within", "5;a\nhello\r\n0\r\n\r\n", "hello", everywhere=True),
    bad(
        "extensions",
        "LF and a size within",
        "2;\nxx\r\n{inner}\r\n0\r\n\r\n{smuggled}\r\n0\r\n\r\n",
        "xx0\r\n\r\n{smuggled}",
    ),
    bad("extensions", "CR within", "5;a\rb\r\nhello\r\n0\r\n\r\n", "hello"),
    bad("extensions", "CR CR LF", "5;a\r\r\nhello\r\n0\r\n\r\n", "hello"),
    bad("extensions", "NUL", "5;\0\r\nhello\r\n0\r\n\r\n", "hello"),
    bad("extensions", "300 bytes", "5;" + "a" * 300 + "\r\nhello\r\n0\r\n\r\n", "hello"),
    bad("sizes", "none", "\r\nhello\r\n0\r\n\r\n"),
    bad("sizes", "no digit", "g\r\nhello\r\n0\r\n\r\n"),
    bad("sizes", "0x", "0x5\r\nhello\r\n0\r\n\r\n"),
    bad("sizes", "plus", "+5\r\nhello\r\n0\r\n\r\n"),
    bad("sizes", "minus", "-5\r\nhello\r\n0\r\n\r\n"),
    bad("sizes", "underscore", "0_5\r\nhello\r\n0\r\n\r\n"),
    bad("sizes", "space before", " 5\r\nhello\r\n0\r\n\r\n"),
    bad("sizes", "space behind", "5 \r\nhello\r\n0\r\n\r\n", "hello"),
    bad("sizes", "tab behind", "5\t\r\nhello\r\n0\r\n\r\n", "hello"),
    bad("sizes", "2^64 and 5", "10000000000000005\r\nhello\r\n0\r\n\r\n"),
    bad("sizes", "2^64-1", "ffffffffffffffff\r\nhello\r\n0\r\n\r\n", endless=True),
    bad("sizes", "more than comes", "fff\r\nhello\r\n0\r\n\r\n", endless=True),
    bad("lines", "LF behind the size", "5\nhello\r\n0\r\n\r\n", "hello", everywhere=True),
    bad("lines", "LF alone", "5\nhello\n0\n\n", "hello"),
    bad("lines", "CR CR LF", "5\r\r\nhello\r\n0\r\n\r\n", "hello"),
    bad("lines", "CR alone", "5\rhello\r\n0\r\n\r\n"),
    bad("lines", "nothing behind the data", "5\r\nhello0\r\n\r\n"),
    bad("lines", "two bytes behind the data", "5\r\nhelloXX0\r\n\r\n"),
    bad("lines", "LF behind the data", "5\r\nhello\n0\r\n\r\n", "hello"),
    bad("lines", "LF behind the last size", "0\n\r\n", ""),
    good(
        "requests", "in a chunk", "{size}\r\n{smuggled}\r\n0\r\n\r\n", "{smuggled}", everywhere=True
    ),
    good("requests", "behind the last chunk", "0\r\n\r\n{smuggled}", "", everywhere=True),
    bad("requests", "at once", "{smuggled}", everywhere=True),
    bad(
        "requests",
        "a head that swallows one",
        "GET /swallow HTTP/1.1\r\nX-Swallow: ",
        everywhere=True,
    ),
    bad(
        "requests",
        "a body that swallows one",
        "POST /swallow HTTP/1.1\r\nHost: {nobody}\r\nContent-Length: 20\r\n\r\n",
    ),
    bad("requests", "PRI", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
]
