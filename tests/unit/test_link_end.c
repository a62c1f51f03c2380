/* SPDX-License-Identifier: MIT */
/* test_link_end.c - cuts a link after any byte and ends it in each of its states.
 * http-rules.md#failures */
#include "link_world.h"

/* Returns how many bytes a whole upload and its answer take on the link. */
static size_t bytes_of_an_exchange(void)
{
    struct world *w = world_new("0");
    viewer_connect(w);
    attach(w, ENOUGH, false);
    turns_until(w->worker->loop, is_live, w);
    upload(w);
    turns_until(w->worker->loop, viewer_done, w);
    assert_true(has(&w->viewer, "HTTP/1.1 200 OK\r\n"));
    assert_int_equal(w->heard, UPLOAD);
    settle(w);
    size_t bytes = ENOUGH - w->relay.left;
    world_free(w);
    return bytes;
}

/* Checks that the answer is complete or looks incomplete: a 200 has its last chunk only behind the
 * whole body. */
static void check_verdict(struct world *w, size_t cut)
{
    const struct viewer_end *v = &w->viewer;
    struct slice got = buf_slice(&v->got);
    bool whole = slice_ends(got, SLICE("0\r\n\r\n"));
    if (has(v, "HTTP/1.1 200 OK\r\n") && whole && got.len < ANSWER)
        fail_msg("cut after %zu: looks whole", cut);
    if (!has(v, "HTTP/1.1 200 ") && !has(v, "HTTP/1.1 502 ") && !has(v, "HTTP/1.1 503 "))
        fail_msg("cut after %zu: no answer but %.*s", cut, SLICE_FMT(got));
}

static void cut_after(size_t bytes, bool by_reset)
{
    struct world *w = world_new("0");
    viewer_connect(w);
    attach(w, bytes, by_reset);
    settle(w);
    upload(w);
    turns_until(w->worker->loop, viewer_done, w);
    check_verdict(w, bytes);
    viewer_leave(w);
    relay_cut(&w->relay);
    settle(w);
    assert_null(w->client);
    attach(w, ENOUGH, false);
    turns_until(w->worker->loop, is_live, w);
    viewer_connect(w);
    upload(w);
    turns_until(w->worker->loop, viewer_done, w);
    assert_true(has(&w->viewer, "HTTP/1.1 200 OK\r\n"));
    world_free(w);
}

/* F4, F5, H12 */
static void test_link_cut_after_any_byte(void **state)
{
    size_t all = bytes_of_an_exchange();
    for (size_t bytes = 1; bytes < all; bytes += bytes < 600 || bytes + 200 > all ? 1 : 17)
        cut_after(bytes, bytes % 2 == 0);
}

enum end {
    WORKER_STOPS,
    LINK_CLOSES,
    LINK_DRAINS,
    LINK_TAKEN_OVER,
    LINK_REPLACED,
    CLIENT_LEAVES,
    VIEWER_LEAVES,
    RELAY_CUTS,
    ENDS
};

static void end_by(struct world *w, struct link *l, enum end how)
{
    switch (how) {
    case WORKER_STOPS:
        crew_stop(w->worker);
        break;
    case LINK_CLOSES:
        link_close(l, 0);
        break;
    case LINK_DRAINS:
        link_drain(l);
        break;
    case LINK_TAKEN_OVER:
        l->backend.ops->retire(&l->backend, RETIRE_TAKEN_OVER);
        break;
    case LINK_REPLACED:
        l->backend.ops->retire(&l->backend, RETIRE_REPLACED);
        break;
    case CLIENT_LEAVES:
        if (w->client)
            h2_session_goaway(w->client, SLICE(""));
        break;
    case VIEWER_LEAVES:
        sock_abort(w->viewer.sock);
        w->viewer.sock = NULL;
        break;
    case RELAY_CUTS:
        relay_cut(&w->relay);
        break;
    case ENDS:
        break;
    }
}

/* At each stage the worker stops, or the link ends in one of the ways there are. Sanitizers and
 * world_free check that nothing is used afterwards and nothing is left. */
static void test_every_end_at_every_stage(void **state)
{
    for (int stage = 0; stage < STAGES; stage++)
        for (int how = 0; how < ENDS; how++) {
            struct world *w = world_new("4s");
            struct link *l = reach(w, (enum stage)stage);
            if (l || how == WORKER_STOPS || how == VIEWER_LEAVES)
                end_by(w, l, (enum end)how);
            settle(w);
            world_free(w);
        }
}

static bool viewer_heard_close(void *user)
{
    return has(&((struct world *)user)->viewer, "\x88") && viewer_done(user);
}

/* W8 */
static void test_websocket_of_a_cut_link_gets_1012(void **state)
{
    struct world *w = world_new("4s");
    reach(w, UPGRADED);
    relay_cut(&w->relay);
    turns_until(w->worker->loop, viewer_heard_close, w);
    assert_true(has(&w->viewer, "\x03\xf4"));
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_link_cut_after_any_byte),
        cmocka_unit_test(test_every_end_at_every_stage),
        cmocka_unit_test(test_websocket_of_a_cut_link_gets_1012),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
