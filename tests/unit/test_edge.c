/* SPDX-License-Identifier: MIT */
/* test_edge.c - tests that a viewer who has ended its direction still gets its answers. edge_h1.h
 */
#include "link_world.h"

static bool no_edges(void *user)
{
    return stat_get(&((struct world *)user)->worker->stats.edges_open) == 0;
}

/* Answers that a viewer has not read yet are still sent when its FIN comes (RFC 9112 9.6). */
static void test_queued_answers_outlive_the_viewers_fin(void **state)
{
    static const char ask[] = "GET /api/health HTTP/1.1\r\nHost: example.com\r\n\r\n";
    struct world *w = world_new("0");
    viewer_connect(w);
    say(w, ask);
    settle(w);
    /* More than the pair holds, less than what stops the edge. */
    size_t one = buf_len(&w->viewer.got), count = 280 * 1024 / one;
    sock_pause(w->viewer.sock);
    for (size_t i = 0; i < count; i++)
        say(w, ask);
    sock_shutdown(w->viewer.sock);
    turns_until(w->worker->loop, no_edges, w);
    sock_resume(w->viewer.sock);
    turns_until(w->worker->loop, viewer_done, w);
    assert_int_equal(buf_len(&w->viewer.got), (count + 1) * one);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_queued_answers_outlive_the_viewers_fin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
