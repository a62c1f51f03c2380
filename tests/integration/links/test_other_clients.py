# SPDX-License-Identifier: MIT
"""Runs some of the HTTP and WebSocket tests with HAProxy and with Node instead of oneport.
tests/interop/clients.sh runs all of them (pytest --client). other_clients.py lists the tests that
do not pass with these clients."""

import other_clients
import pytest
from test_basics import (
    test_204_and_304_have_no_body,
    test_head_keeps_the_length_and_has_no_body,
    test_methods_arrive_as_sent,
    test_over_tls_as_in_plain,
    test_via_is_appended_and_names_the_node,
)
from test_http import (
    test_d5_q29_chunked_with_trailers,
    test_h6_a_refusal_instead_of_100,
    test_h6_the_origins_100_is_relayed,
    test_h12_a_chunked_upload_cut_in_the_middle_is_never_completed,
    test_q37_bytes_above_7f_pass_in_values,
    test_r4_103_reaches_a_direct_viewer,
    test_r13_trailers_for_a_viewer_that_wants_them,
    test_r17_a_viewer_that_leaves_frees_the_origin,
    test_repeated_response_fields,
)
from test_streaming import test_both_directions_at_once, test_the_head_does_not_wait_for_the_body
from test_websocket import (
    test_close_code_of_the_viewer_reaches_the_origin,
    test_close_codes_of_the_origin_arrive,
    test_data_behind_a_fin_may_be_long,
    test_echo,
    test_fin_is_passed_on_as_fin_each_way,
    test_requests_beside_sockets,
    test_what_the_origin_is_told,
)

__all__ = [  # pytest collects the imported tests here too
    "test_204_and_304_have_no_body",
    "test_head_keeps_the_length_and_has_no_body",
    "test_methods_arrive_as_sent",
    "test_over_tls_as_in_plain",
    "test_via_is_appended_and_names_the_node",
    "test_d5_q29_chunked_with_trailers",
    "test_h6_a_refusal_instead_of_100",
    "test_h6_the_origins_100_is_relayed",
    "test_h12_a_chunked_upload_cut_in_the_middle_is_never_completed",
    "test_q37_bytes_above_7f_pass_in_values",
    "test_r4_103_reaches_a_direct_viewer",
    "test_r13_trailers_for_a_viewer_that_wants_them",
    "test_r17_a_viewer_that_leaves_frees_the_origin",
    "test_repeated_response_fields",
    "test_both_directions_at_once",
    "test_the_head_does_not_wait_for_the_body",
    "test_close_code_of_the_viewer_reaches_the_origin",
    "test_close_codes_of_the_origin_arrive",
    "test_data_behind_a_fin_may_be_long",
    "test_echo",
    "test_fin_is_passed_on_as_fin_each_way",
    "test_requests_beside_sockets",
    "test_what_the_origin_is_told",
]


@pytest.fixture(scope="module", params=sorted(other_clients.KINDS))
def client_kind(request):
    if not other_clients.PROGRAMS[request.param]:
        pytest.skip(f"{request.param} is not installed")
    return request.param
