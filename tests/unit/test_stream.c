/* SPDX-License-Identifier: MIT */
/* test_stream.c - bytes that are put where they will leave from, and the frames made of them
 * there: the same at the other end as those that were copied. In both roles. stream.c, leg.h. */
#include "mux.h"

#define COUNT(rows) (sizeof rows / sizeof((rows)[0]))

enum { KIB = 1024 };

static struct h2_stream *stream_of(struct leg *leg)
{
    return CONTAINER_OF(leg, struct h2_stream, leg);
}

/* Puts @bytes of the @room that was asked for. */
static void put(struct mux_stream *s, size_t room, size_t bytes, bool end)
{
    char *to = leg_place(s->tx, room);
    assert_non_null(to);
    memset(to, '?', room); /* all of it may be used */
    for (size_t i = 0; i < bytes; i++)
        to[i] = wire_byte(s->written + i);
    s->written += bytes;
    s->tx->ops->body(s->tx, slice_make(to, bytes), end);
}

static bool all_came(void *user)
{
    const struct mux *m = user;
    return mux_all_came(user) && m->streams[0].ended;
}

static void finish(struct mux *m)
{
    mux_write(&m->streams[0], 0, true);
    turns_until(m->loop, all_came, m);
    wire_check_pattern(&m->streams[0].got, m->streams[0].written);
    mux_free(m);
}

/* ---- sizes around those at which frames are made otherwise */

static const size_t sizes[] = {1,
                               2,
                               247,
                               2048,
                               8 * KIB - 1,
                               8 * KIB,
                               8 * KIB + 1,
                               SCHEDULE_FRAME - 1,
                               SCHEDULE_FRAME,
                               SCHEDULE_FRAME + 1,
                               16 * KIB,
                               2 * SCHEDULE_FRAME,
                               2 * SCHEDULE_FRAME + 8 * KIB,
                               64 * KIB - 1,
                               64 * KIB,
                               64 * KIB + 1,
                               300 * KIB};

enum way { PUT, PUT_WITH_ROOM_LEFT, WRITE, WAYS };

static void give(struct mux_stream *s, enum way way, size_t bytes)
{
    if (way == WRITE)
        mux_write(s, bytes, false);
    else
        put(s, way == PUT ? bytes : bytes + 1000, bytes, false);
}

/* Each size three times: alone, behind what waits, and alone again in memory that is used. */
static void test_sizes(void **state)
{
    for (int role = H2_OPENER; role <= H2_SERVER; role++)
        for (int way = 0; way < WAYS; way++)
            for (size_t i = 0; i < COUNT(sizes); i++) {
                struct mux *m = mux_new((enum h2_role)role, &mux_options);
                struct mux_stream *s = mux_open(m, LEG_BULK);
                give(s, (enum way)way, sizes[i]);
                give(s, (enum way)way, sizes[i]);
                turns_until(m->loop, mux_all_came, m);
                give(s, (enum way)way, sizes[i]);
                finish(m);
            }
}

/* One after the other in every order of ways, with the sock full or not: what is left of a frame's
 * memory is the room of the next header. */
static void test_ways_and_sizes_mixed(void **state)
{
    for (int role = H2_OPENER; role <= H2_SERVER; role++)
        for (int full = 0; full < 2; full++) {
            struct mux *m = mux_new((enum h2_role)role, &mux_options);
            struct mux_stream *s = mux_open(m, LEG_BULK);
            if (full)
                mux_stop_reading(m);
            for (size_t i = 0; i < 4 * COUNT(sizes); i++) {
                give(s, (enum way)(i % WAYS), sizes[i * 5 % COUNT(sizes)]);
                if (i % 7 == 6)
                    mux_settle(m);
            }
            mux_go_on_reading(m);
            finish(m);
        }
}

/* Others' frames between them: each header before its own bytes. */
static void test_two_streams(void **state)
{
    for (int role = H2_OPENER; role <= H2_SERVER; role++) {
        struct mux *m = mux_new((enum h2_role)role, &mux_options);
        struct mux_stream *a = mux_open(m, LEG_BULK), *b = mux_open(m, LEG_INTERACTIVE);
        for (size_t i = 0; i < 3 * COUNT(sizes); i++) {
            put(a, sizes[i % COUNT(sizes)], sizes[i % COUNT(sizes)], false);
            put(b, 100, i, false);
            if (i % 4 == 0)
                mux_settle(m);
        }
        turns_until(m->loop, mux_all_came, m);
        wire_check_pattern(&b->got, b->written);
        finish(m);
    }
}

/* ---- places */

/* The first frame finds room for its header in front, so that it need not be copied. */
static void test_place_has_room_in_front(void **state)
{
    struct mux *m = mux_new(H2_OPENER, &mux_options);
    struct mux_stream *s = mux_open(m, LEG_BULK);
    struct h2_stream *st = stream_of(s->tx);
    for (size_t i = 0; i < COUNT(sizes); i++) {
        char *to = leg_place(s->tx, sizes[i]);
        assert_ptr_equal(to, st->tx.queue.ptr + FRAME_HEAD);
        assert_null(leg_place(s->tx, 0));
        assert_null(st->tx.queue.ptr); /* nothing came: no memory is kept for it */
    }
    finish(m);
}

/* What waits already stays, whether a place behind it is used, changed for another, or not needed.
 */
static void test_place_behind_what_waits(void **state)
{
    struct mux *m = mux_new(H2_SERVER, &mux_options);
    struct mux_stream *s = mux_open(m, LEG_BULK);
    mux_stop_reading(m);
    mux_write(s, 400 * KIB, false);
    mux_settle(m);
    assert_true(buf_len(&stream_of(s->tx)->tx.queue) > 0);
    assert_non_null(leg_place(s->tx, 64 * KIB));
    assert_null(leg_place(s->tx, 0));
    assert_non_null(leg_place(s->tx, 1000 * KIB));
    mux_write(s, 100, false); /* not from the place */
    put(s, 64 * KIB, 64 * KIB, false);
    put(s, 64 * KIB, 0, false);
    put(s, 64 * KIB, 1, false);
    mux_go_on_reading(m);
    finish(m);
}

static void test_last_bytes_in_place(void **state)
{
    for (int role = H2_OPENER; role <= H2_SERVER; role++)
        for (size_t i = 0; i < COUNT(sizes); i++) {
            struct mux *m = mux_new((enum h2_role)role, &mux_options);
            struct mux_stream *s = mux_open(m, LEG_BULK);
            put(s, sizes[i], sizes[i], true);
            assert_null(leg_place(s->tx, 1000)); /* nothing may follow */
            turns_until(m->loop, all_came, m);
            wire_check_pattern(&s->got, s->written);
            mux_free(m);
        }
}

/* A place is nowhere once the stream was given up. */
static void test_no_place(void **state)
{
    struct leg_fault why = {.err = ERR_CLOSED, .h2_code = H2_CANCEL};
    for (int role = H2_OPENER; role <= H2_SERVER; role++) {
        struct mux *m = mux_new((enum h2_role)role, &mux_options);
        struct mux_stream *s = mux_open(m, LEG_BULK);
        struct leg *leg = s->tx;
        put(s, 64 * KIB, 20 * KIB, false);
        leg->ops->reset(leg, &why);
        assert_null(leg_place(leg, 1000));
        assert_null(leg_place(leg, 0));
        s->tx_reset = true;
        mux_settle(m);
        assert_true(s->rx_reset);
        mux_free(m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_ways_and_sizes_mixed),
        cmocka_unit_test(test_two_streams),
        cmocka_unit_test(test_place_has_room_in_front),
        cmocka_unit_test(test_place_behind_what_waits),
        cmocka_unit_test(test_last_bytes_in_place),
        cmocka_unit_test(test_no_place),
    };
    return cmocka_run_group_tests_name("stream", tests, NULL, NULL);
}
