/* SPDX-License-Identifier: MIT */
/* test_leap.c - tests which first bytes are a leap line, and that its connection gets no answer and
 * waits. leap.h */
#include "link_world.h"

static const struct {
    const char *text;
    bool want;
} lines[] = {
    {"__h2o_leap__ my-app\n", true},
    {"__h2o_leap__ \n", true},
    {"__h2o_leap__\n", true},
    {"__h2o_leap__\r\n", true},
    {"__h2o_leap__", true},
    {"__h2o_leap", false},
    {"__h2o_leap__x my-app", false},
    {" __h2o_leap__ x", false},
    {"__H2O_LEAP__ x", false},
    {"GET __h2o_leap__", false},
    {"", false},
};

/* Q51 */
static void test_lines(void **state)
{
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        print_message("%s\n", lines[i].text);
        assert_int_equal(leap_is(slice_str(lines[i].text)), lines[i].want);
    }
}

static size_t waiting(const struct world *w)
{
    assert_int_equal(commons_count(w->server.leaps), list_count(&w->worker->leaps));
    return list_count(&w->worker->leaps);
}

/* Sends @text at once, or byte by byte. */
static void leap(struct world *w, const char *text, bool cut)
{
    char one[2] = {0};
    viewer_connect(w);
    for (const char *c = text; cut && *c; c++) {
        one[0] = *c;
        say(w, one);
        settle(w);
    }
    if (!cut)
        say(w, text);
    settle(w);
}

/* Q51: the connection stays open, without an answer, until the server stops. */
static void test_the_connection_waits(void **state)
{
    static const char *const texts[] = {"__h2o_leap__ my-app\n", "__h2o_leap__ my-app\nmore\n",
                                        "__h2o_leap__\n", "__h2o_leap__ /a b\n"};
    for (size_t i = 0; i < 2 * sizeof texts / sizeof *texts; i++) {
        struct world *w = world_new("0");
        leap(w, texts[i / 2], i % 2);
        assert_int_equal(waiting(w), 1);
        assert_int_equal(stat_get(&w->worker->stats.edges_open), 0);
        assert_false(w->viewer.ended);
        assert_int_equal(buf_len(&w->viewer.got), 0);
        crew_drain(w->worker);
        settle(w);
        assert_int_equal(waiting(w), 0);
        assert_true(w->viewer.ended);
        world_free(w);
    }
}

static bool is_answered(void *user)
{
    const struct world *w = user;
    return buf_len(&w->viewer.got) >= strlen("HTTP/1.1 400 ");
}

static bool is_refused(void *user)
{
    const struct world *w = user;
    return memmem(buf_slice(&w->viewer.got).ptr, buf_len(&w->viewer.got), " 400 ", 5);
}

/* Q51: what only looks alike is a request like any other. */
static void test_other_first_lines(void **state)
{
    static const char *const texts[] = {
        "__h2o_leap__ / HTTP/1.1\r\nHost: none.example.com\r\nConnection: close\r\n\r\n",
        "__h2o_jump__ my-app\n",
        "GET /__h2o_leap__ HTTP/1.1\r\nHost: none.example.com\r\nConnection: close\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct world *w = world_new("0");
        leap(w, texts[i], false);
        turns_until(w->worker->loop, is_answered, w);
        assert_int_equal(waiting(w), 0);
        assert_true(slice_starts(buf_slice(&w->viewer.got), SLICE("HTTP/1.1 4")));
        world_free(w);
    }
}

/* Q51: a leap line behind a request is malformed. */
static void test_the_second_line(void **state)
{
    struct world *w = world_new("0");
    leap(w, "GET /healthz HTTP/1.1\r\nHost: example.com\r\n\r\n__h2o_leap__ my-app\n", false);
    turns_until(w->worker->loop, is_refused, w);
    assert_int_equal(waiting(w), 0);
    world_free(w);
}

/* Q51: when all places are taken, the connection is closed at once. */
static void test_without_a_place(void **state)
{
    struct world *w = world_new("0");
    static struct seat seats[LEAPS_MAX];
    const struct who nobody = {.depth = 0};
    for (size_t i = 0; i < LEAPS_MAX; i++)
        commons_hold(w->server.leaps, w->worker, &nobody, &seats[i]);
    leap(w, "__h2o_leap__ my-app\n", false);
    assert_true(list_empty(&w->worker->leaps));
    assert_true(w->viewer.ended);
    assert_int_equal(buf_len(&w->viewer.got), 0);
    for (size_t i = 0; i < LEAPS_MAX; i++)
        commons_give(w->server.leaps, &seats[i]);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_the_connection_waits),
        cmocka_unit_test(test_other_first_lines),
        cmocka_unit_test(test_the_second_line),
        cmocka_unit_test(test_without_a_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
