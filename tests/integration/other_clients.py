"""pytest --client haproxy|node: the tests of HTTP and WebSockets with another author's client at the end of the link, and what is
not the same with it. A test that stands below must fail, or it does not belong there."""

import fnmatch

import pytest
from support import haproxy
from support import other_clients as clients
from support.haproxy import HaproxyClient
from support.other_clients import NodeClient

KINDS = {"haproxy": HaproxyClient, "node": NodeClient}
PROGRAMS = {"haproxy": haproxy.PROGRAM, "node": clients.NODE}
SUITE = ["test_10_basics", "test_20_http", "test_21_streaming", "test_22_backpressure", "test_23_rules_requests", "test_24_rules_responses",
         "test_25_failures", "test_30_websocket", "test_35_rules_websocket", "test_37_websocket_matrix", "test_38_websocket_lost",
         "test_40_nginx", "test_66_aborts", "test_68_smuggling"]
MAKERS = {"new_client", "tunnel", "websocket_tunnel", "stage"}  # fixtures that a client comes from

# {client: [(pattern of a test's id, why)]}: what fails, and why that is right
DIFFERENT = {"haproxy": [], "node": []}


def maker(kind):
    """What makes a client of a kind, with a Client's arguments. Options that are oneport's own are not for others."""

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


def sort_out(config, items):
    """Leaves out what is not of the suite or has no client, and marks what must fail."""
    if config.getoption("--client") != "oneport":
        chosen = [item for item in items if item.path.stem in SUITE and MAKERS & set(item.fixturenames)]
        config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
        items[:] = chosen
    for item in items:
        for pattern, why in DIFFERENT.get(kind_of(item, config), ()):
            if fnmatch.fnmatchcase(item.nodeid.rpartition("/")[2], pattern.replace("[", "[[]")):
                item.add_marker(pytest.mark.xfail(strict=True, reason=why))
