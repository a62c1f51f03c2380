/* SPDX-License-Identifier: MIT */
/* test_link.c - tests the probe of a link, and a link that has used up its streams' ids. link.h */
#include "link_world.h"

#include "h2mux/base/clock.h"
#include "h2mux/h2/session_int.h"

static bool no_links(void *user)
{
    return list_empty(&((struct world *)user)->worker->links);
}

/* A probe that comes too soon is not sent: the caller learns when to try again. */
static void test_probe(void **state)
{
    struct world *w = world_new("4s");
    struct link *l = reach(w, OPEN);
    uint64_t wait = l->backend.ops->probe(&l->backend, 60000, 50);
    assert_in_range(wait, 1, 60000);
    settle(w);
    assert_false(no_links(w));
    assert_int_equal(l->backend.ops->probe(&l->backend, 0, 1000), 0); /* the client answers that */
    settle(w);
    assert_false(no_links(w));
    for (int i = 0; i < 2; i++)
        sock_pause(w->relay.ends[i]);
    uint64_t start = clock_now_us();
    assert_int_equal(l->backend.ops->probe(&l->backend, 0, 50), 0);
    turns_until(w->worker->loop, no_links, w);
    assert_true(clock_now_us() - start >= 50 * 1000);
    world_free(w);
}

static bool client_gone(void *user)
{
    return !((struct world *)user)->client;
}

static void ask_once(struct world *w)
{
    viewer_connect(w);
    upload(w);
    turns_until(w->worker->loop, viewer_done, w);
    assert_true(has(&w->viewer, "HTTP/1.1 200 "));
    assert_true(buf_len(&w->viewer.got) > ANSWER);
    viewer_leave(w);
}

/* Row 27: the stream with the last id below 2^30 is answered on its link, which then drains. The
 * next request waits for another link. Each POST arrives once. */
static void test_ids_run_out(void **state)
{
    struct world *w = world_new("4s");
    struct link *l = attach(w, ENOUGH, false);
    turns_until(w->worker->loop, is_live, w);
    assert_int_equal(nghttp2_session_set_next_stream_id(l->session->host.ng, (1 << 30) - 3), 0);
    ask_once(w);
    assert_int_equal(w->goaways, 0);
    ask_once(w);
    assert_int_equal(w->goaways, 1);
    assert_int_equal(w->streams_at_goaway, 2); /* its head came first */
    turns_until(w->worker->loop, client_gone, w);
    relay_cut(&w->relay);
    viewer_connect(w);
    upload(w);
    settle(w);
    assert_false(w->viewer.ended);
    assert_int_equal(w->streams, 2);
    attach(w, ENOUGH, false);
    turns_until(w->worker->loop, viewer_done, w);
    assert_true(has(&w->viewer, "HTTP/1.1 200 "));
    assert_int_equal(w->streams, 3);
    assert_int_equal(w->heard, 3 * UPLOAD);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_probe),
        cmocka_unit_test(test_ids_run_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
