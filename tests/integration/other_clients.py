# SPDX-License-Identifier: MIT
"""With `pytest --client haproxy|node` the HTTP and WebSocket tests run with another author's client
instead of oneport. Two tables list the tests that do not pass with it."""

import fnmatch
import re

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
    "test_front_ends",
    "test_aborts",
    "test_smuggling",
]
MAKERS = {"new_client", "tunnel", "websocket_tunnel", "stage"}  # fixtures that start a client

# {client: {why the difference is right: [patterns of test ids that must fail]}}
DIFFERENT = {
    "haproxy": {
        "HAProxy sends END_STREAM when a chunked answer breaks off, and when the origin resets an "
        "answer without length: the server cannot tell that the body is cut": [
            "test_http::*cut_response_looks_cut[R10 chunked]",
            "test_http::*cut_response_looks_cut[R10 in a chunk]",
            "test_http::*test_r12_a_cut_response_to_http_1_0_is_reset",
            "test_rules_responses::*test_until_close_rst_breaks_it[*]",
            "test_rules_responses::*test_a_cut_body_never_looks_complete[R10 chunks-*]",
            "test_rules_responses::*test_a_cut_body_never_looks_complete[R10 no end of trailers-*]",
            "test_front_ends::test_a_cut_body_looks_cut[nginx-chunked]",
            "test_front_ends::test_a_cut_body_looks_cut[haproxy-chunked]",
        ],
        "HAProxy sends REFUSED_STREAM when the origin closes before it answers, as if it had not "
        "been asked: the viewer gets 503, not 502": [
            "test_basics::*test_origin_that_closes_at_once",
            "test_http::*test_d8_a_post_is_not_sent_twice",
            "test_http::*[R9 half a head]",
            "test_http::*[R9 nothing]",
            "test_rules_responses::*[R9 half a head]",
            "test_rules_responses::*[R9 nothing]",
        ],
        "HAProxy takes heads that oneport refuses: HTTP/2.0, folded lines, a length that "
        "Connection names, more and larger fields": [
            "test_http::*[R1 HTTP/2]",
            "test_http::*[R3 obs-fold]",
            "test_rules_responses::*[R3 Connection names a length]",
            "test_http::*[R2 fields]",
            "test_rules_responses::*[R2 fields]",
            "test_http::*[R2 head]",
            "test_rules_responses::*[R2 octets]",
        ],
        "HAProxy passes the length of a 204 on, which HTTP/2 forbids: 502": [
            "test_rules_responses::*[R6 with a length]",
            "test_smuggling::*too_much*[204 with a length-*]",
        ],
        "HAProxy passes the body of a 205 on": [
            "test_rules_responses::*[R8 with a body]",
            "test_rules_responses::*[R8 until close]",
        ],
        "HAProxy drops Connection and passes the fields on that it names, so that the server "
        "cannot recognise them": [
            "test_http::*test_r14_hop_by_hop_fields_of_the_origin_are_dropped",
            "test_rules_responses::*test_what_the_origin_says_of_itself_stays",
        ],
        "HAProxy passes all trailers on; a Content-Length or TE among them is malformed "
        "(RFC 9113 8.1): 502": [
            "test_rules_responses::*test_trailers_without_what_they_must_not_say"
        ],
        "HAProxy removes the colon of a Host with an empty port": [
            "test_rules_requests::*test_a_host_with_an_empty_port_is_found"
        ],
        "HAProxy takes wrong answers to a handshake for an open WebSocket: 200, 101 to another "
        "protocol, a subprotocol that the viewer did not offer": [
            "test_websocket::*accept[200]",
            "test_websocket::*accept[other upgrade]",
            "test_websocket::*test_a_protocol_that_was_not_offered_is_refused",
            "test_rules_websocket::*half_a_handshake[HTTP/1.1 200 *]",
        ],
        "HAProxy reports a wrong Sec-WebSocket-Accept as any other error of the origin": [
            "test_rules_websocket::*half_a_handshake[HTTP/1.1 101 *]"
        ],
        "HAProxy ends both directions of a WebSocket at the origin's FIN or RST": [
            "test_websocket::*test_a_viewer_talks_on_behind_the_fin_of_the_origin[*]",
            "test_websocket::*test_reset_of_the_origin_is_no_orderly_end",
        ],
    },
    "node": {
        "Node opens a connection for each request": [
            "test_basics::*test_a_reply_without_body_keeps_the_origin_connection",
            "test_basics::*test_the_origin_connection_is_used_again",
        ],
        "Node takes heads that oneport refuses: HTTP/2.0, codings, a length that Connection names, "
        "more fields": [
            "test_http::*[R1 HTTP/2]",
            "test_http::*[R3 TE]",
            "test_rules_responses::*[R3 coding]",
            "test_rules_responses::*[R3 Connection names a length]",
            "test_http::*[R2 fields]",
            "test_rules_responses::*[R2 fields]",
        ],
        "Node adds Content-Length: 0 to a request without body": [
            "test_rules_requests::*test_what_follows_a_request_without_body_is_the_next"
        ],
        "Node takes a Content-Length among the trailers for a second length: the body is cut": [
            "test_rules_responses::*test_trailers_without_what_they_must_not_say"
        ],
        "Node reports an error for chunks after an answer, before it hands out the answer: the "
        "body is cut": [
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
# This table has the same form. Its tests are skipped, because they pass only now and then, would
# wait for something that never comes, or mean nothing with that client.
LEFT_OUT = {
    "haproxy": {
        "HAProxy sometimes sends the head after a 103 with END_STREAM, with its length but "
        "without its body: 502": ["*::test_r4_103_*"],
        "HAProxy uses the origin's connection again after a refused handshake: the script takes "
        "the next request for the WebSocket's bytes": [
            *(
                f"test_smuggling::*test_behind_a_refused_websocket_nothing_is_relayed[{said}-*]"
                for said in (200, 302, 403, 426, 500, "101 to h2c")
            ),
            "test_rules_websocket::*half_a_handshake[HTTP/1.1 204 *]",
        ],
        "HAProxy may open a connection to the origin before the old one has ended: there is one "
        "more than there are streams": ["test_aborts::*test_a_crowd_that_asks_and_leaves"],
        "compares oneport with HAProxy": [
            "test_smuggling::*test_oneport_writes_what_haproxy_would[*]"
        ],
    },
    "node": {
        "When the origin has closed after its answer, Node may fail to write the request and not "
        "read the answer": ["test_http::*test_d12_r18_an_answer_before_the_upload_ends"],
        "compares oneport with HAProxy": [
            "test_smuggling::*test_oneport_writes_what_haproxy_would[*]"
        ],
    },
}


def maker(kind):
    """Returns a function that starts a client of @kind and takes the arguments of Client. The
    function skips the test if the test passes options that only oneport has."""

    def make(server, origin, directory, *options, **keywords):
        if list(options[:1]) == ["--max-streams"]:
            keywords["max_streams"], options = options[1], options[2:]
        if options or set(keywords) - {"name", "url", "max_streams"} or not isinstance(origin, int):
            pytest.skip("uses options that only oneport has")
        return KINDS[kind](server, origin, directory, **keywords)

    return make


def kind_of(item, config):
    """Returns the kind of client that a test uses: the one of its parameters, or the one of the
    run."""
    call = getattr(item, "callspec", None)
    return (call and call.params.get("client_kind")) or config.getoption("--client")


def matches(name, pattern):
    """Tells whether @name matches @pattern. Only `*` and `?` have a special meaning in a
    pattern."""
    return fnmatch.fnmatchcase(name, pattern.replace("[", "[[]"))


def listed(table, kind, name):
    """Returns the reasons for which @table lists a test of this name."""
    return [
        why
        for why, patterns in table.get(kind, {}).items()
        if any(matches(name, pattern) for pattern in patterns)
    ]


def named(item):
    """Returns the file's and the test's name. The way is left out, since it is always `direct`."""
    name = item.name.removesuffix("[direct]")
    return f"{item.path.stem}::{re.sub('-direct]$', ']', name)}"


def refuse_stale(kind, names):
    """Fails if a row of a table matches no test."""
    rows = [
        pattern
        for table in (DIFFERENT, LEFT_OUT)
        for patterns in table[kind].values()
        for pattern in patterns
    ]
    stale = [pattern for pattern in rows if not any(matches(name, pattern) for name in names)]
    if stale:
        raise pytest.UsageError(f"other_clients.py: {kind} has rows that match no test: {stale}")


def sort_out(config, items):
    """Deselects the tests that are outside of the suite or use no client. Marks the tests that must
    fail or be skipped."""
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
