# SPDX-License-Identifier: MIT
"""pytest --client haproxy|node: the tests of HTTP and WebSockets with another author's client at
the end of the link, and what is not the same with it."""

import fnmatch

import pytest
from support import haproxy
from support import other_clients as clients
from support.haproxy import HaproxyClient
from support.other_clients import NodeClient

KINDS = {"haproxy": HaproxyClient, "node": NodeClient}
PROGRAMS = {"haproxy": haproxy.PROGRAM, "node": clients.NODE}
SUITE = [
    "test_basics",
    "test_http",
    "test_streaming",
    "test_backpressure",
    "test_rules_requests",
    "test_rules_responses",
    "test_failures",
    "test_websocket",
    "test_rules_websocket",
    "test_websocket_matrix",
    "test_websocket_lost",
    "test_nginx",
    "test_aborts",
    "test_smuggling",
]
MAKERS = {"new_client", "tunnel", "websocket_tunnel", "stage"}  # fixtures that a client comes from

# {client: {why that is right: [patterns of the ids of tests that must fail]}}
DIFFERENT = {
    "haproxy": {
        (
            "a body whose end is missing has its end all the same: HAProxy says END_STREAM when"
            " a chunked answer breaks off, and when the origin resets one without length; "
            "nobody behind it can tell"
        ): [
            "test_http::*cut_response_looks_cut[R10 chunked]",
            "test_http::*cut_response_looks_cut[R10 in a chunk]",
            "test_http::*test_r12_a_cut_response_to_http_1_0_is_reset",
            "test_rules_responses::*test_until_close_rst_breaks_it[*]",
            "test_rules_responses::*test_a_cut_body_never_looks_complete[R10 chunks-*]",
            "test_rules_responses::*test_a_cut_body_never_looks_complete[R10 no end of trailers-*]",
        ],
        (
            "an origin that ends before its answer is REFUSED_STREAM, which says that it was "
            "not asked: 503, not 502"
        ): [
            "test_basics::*test_origin_that_closes_at_once",
            "test_http::*test_d8_a_post_is_not_sent_twice",
            "test_http::*[R9 half a head]",
            "test_http::*[R9 nothing]",
            "test_rules_responses::*[R9 half a head]",
            "test_rules_responses::*[R9 nothing]",
        ],
        (
            "heads that oneport refuses are taken: HTTP/2.0, folded lines, a length beside "
            "chunks or named by Connection, more and larger fields"
        ): [
            "test_http::*[R1 HTTP/2]",
            "test_http::*[R3 obs-fold]",
            "test_http::*[R3 CL and TE]",
            "test_rules_responses::*[R3 CL and TE]",
            "test_rules_responses::*[R3 Connection names a length]",
            "test_http::*[R2 fields]",
            "test_rules_responses::*[R2 fields]",
            "test_http::*[R2 head]",
            "test_rules_responses::*[R2 octets]",
        ],
        "the length of a 204 is passed on, for which HTTP/2 has none: 502": [
            "test_rules_responses::*[R6 with a length]",
            "test_smuggling::*too_much*[204 with a length-*]",
        ],
        "the body of a 205 is passed on": [
            "test_rules_responses::*[R8 with a body]",
            "test_rules_responses::*[R8 until close]",
        ],
        (
            "fields that Connection names are passed on, and Connection itself is not, so that "
            "nobody can tell them"
        ): [
            "test_http::*test_r14_hop_by_hop_fields_of_the_origin_are_dropped",
            "test_rules_responses::*test_what_the_origin_says_of_itself_stays",
        ],
        (
            "trailers are passed on as they are, and a Content-Length or TE among them is "
            "malformed (RFC 9113 8.1): 502"
        ): ["test_rules_responses::*test_trailers_without_what_they_must_not_say"],
        "a Host with an empty port loses its colon": [
            "test_rules_requests::*test_an_empty_port_is_none"
        ],
        (
            "an answer to a handshake is taken for an open WebSocket: 200, 101 to another "
            "protocol, a protocol that nobody offered"
        ): [
            "test_websocket::*accept[200]",
            "test_websocket::*accept[other upgrade]",
            "test_websocket::*test_a_protocol_that_was_not_offered_is_refused",
            "test_rules_websocket::*half_a_handshake[HTTP/1.1 200 *]",
        ],
        "a wrong Sec-WebSocket-Accept is an error like any other of the origin": [
            "test_rules_websocket::*half_a_handshake[HTTP/1.1 101 *]"
        ],
        "a WebSocket has no half: the origin's FIN ends both directions, and so does its RST": [
            "test_websocket::*test_a_viewer_talks_on_behind_the_fin_of_the_origin[*]",
            "test_websocket::*test_reset_of_the_origin_is_no_orderly_end",
        ],
    },
    "node": {
        "each request has a connection of its own": [
            "test_basics::*test_reply_helper_is_understood",
            "test_basics::*test_the_origin_connection_is_used_again",
        ],
        (
            "heads that oneport refuses are taken: HTTP/2.0, codings, a length that Connection "
            "names, more fields"
        ): [
            "test_http::*[R1 HTTP/2]",
            "test_http::*[R3 TE]",
            "test_rules_responses::*[R3 coding]",
            "test_rules_responses::*[R3 Connection names a length]",
            "test_http::*[R2 fields]",
            "test_rules_responses::*[R2 fields]",
        ],
        "a request without a body says Content-Length: 0": [
            "test_rules_requests::*test_what_follows_a_request_without_body_is_the_next"
        ],
        (
            "Node's parser takes a Content-Length among trailers for a second length: the body "
            "is cut"
        ): ["test_rules_responses::*test_trailers_without_what_they_must_not_say"],
        (
            "chunks behind an answer are nonsense, which is told before the answer is: the body"
            " is cut"
        ): [
            "test_smuggling::*too_much*[length-chunks-at once]",
            "test_smuggling::*too_much*[length of POST-chunks-at once]",
            "test_smuggling::*too_much*[chunks-chunks-at once]",
            "test_smuggling::*too_much*[chunks-chunks-behind *]",
            "test_smuggling::*too_much*[chunks and trailers-chunks-at once]",
            "test_smuggling::*too_much*[chunks and trailers-chunks-behind *]",
            "test_smuggling::*too_much*[error-chunks-at once]",
        ],
    },
}
# Likewise, of tests that may pass now and then, would wait for what never comes, or mean nothing.
LEFT_OUT = {
    "haproxy": {
        (
            "the head behind a 103 now and then has END_STREAM, with its length and without its"
            " body: 502"
        ): ["*::test_r4_103_*"],
        (
            "the origin's connection is used again behind a refused handshake: the script takes"
            " the next request for the WebSocket's octets"
        ): [
            *(
                f"test_smuggling::*test_behind_a_refused_websocket_nothing_is_relayed[{said}-*]"
                for said in (200, 302, 403, 426, 500, "101 to h2c")
            ),
            "test_rules_websocket::*half_a_handshake[HTTP/1.1 204 *]",
        ],
        (
            "a connection to the origin may be new before the old one's end is seen: one more "
            "than streams"
        ): ["test_aborts::*test_a_crowd_that_asks_and_leaves"],
        "compares oneport with HAProxy": [
            "test_smuggling::*test_oneport_writes_what_haproxy_would[*]"
        ],
    },
    "node": {
        (
            "where the origin has closed behind its answer, Node's http may fail to write and "
            "not read it"
        ): ["test_http::*test_d12_r18_an_answer_before_the_upload_ends"],
        "compares oneport with HAProxy": [
            "test_smuggling::*test_oneport_writes_what_haproxy_would[*]"
        ],
    },
}


def maker(kind):
    """What makes a client of a kind, with a Client's arguments. Options that are oneport's own are
    not for others."""

    def make(server, origin, directory, *options, **keywords):
        if list(options[:1]) == ["--max-streams"]:
            keywords["max_streams"], options = options[1], options[2:]
        if options or set(keywords) - {"name", "url", "max_streams"} or not isinstance(origin, int):
            pytest.skip("asks for oneport's own options")
        return KINDS[kind](server, origin, directory, **keywords)

    return make


def kind_of(item, config):
    """The client of a test: of the run, or of the test's own parameters."""
    call = getattr(item, "callspec", None)
    return (call and call.params.get("client_kind")) or config.getoption("--client")


def matches(name, pattern):
    """Of a pattern's signs only * and ? mean more than themselves."""
    return fnmatch.fnmatchcase(name, pattern.replace("[", "[[]"))


def listed(table, kind, name):
    """Why a test of this name is in a table."""
    return [
        why
        for why, patterns in table.get(kind, {}).items()
        if any(matches(name, pattern) for pattern in patterns)
    ]


def named(item):
    return f"{item.path.stem}::{item.name}"


def refuse_stale(kind, names):
    """Every row is about a test that is there."""
    rows = [
        pattern
        for table in (DIFFERENT, LEFT_OUT)
        for patterns in table[kind].values()
        for pattern in patterns
    ]
    stale = [pattern for pattern in rows if not any(matches(name, pattern) for name in names)]
    if stale:
        raise pytest.UsageError(f"other_clients.py lists for {kind} what is no test: {stale}")


def sort_out(config, items):
    """Leaves out what is not of the suite or has no client, and marks what must fail."""
    kind = config.getoption("--client")
    if kind != "oneport":
        chosen = [
            item for item in items if item.path.stem in SUITE and MAKERS & set(item.fixturenames)
        ]
        config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
        items[:] = chosen
        if not config.option.file_or_dir and not config.option.keyword:
            refuse_stale(kind, [named(item) for item in items])
    for item in items:
        for why in listed(DIFFERENT, kind_of(item, config), named(item)):
            item.add_marker(pytest.mark.xfail(strict=True, reason=why))
        for why in listed(LEFT_OUT, kind_of(item, config), named(item)):
            item.add_marker(pytest.mark.skip(reason=why))
