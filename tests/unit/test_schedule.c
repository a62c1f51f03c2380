/* SPDX-License-Identifier: MIT */
/* test_schedule.c - whose bytes come first at the other end: short before bulk, bulk in turns,
 * nobody held up and nobody forgotten. In both roles. schedule.h. */
#include "mux.h"

#define COUNT(rows) (sizeof rows / sizeof((rows)[0]))

enum { KIB = 1024, BULK = 4 * SCHEDULE_RUN, WORD = 100 };

static struct mux *open_mux(int role)
{
    return mux_new((enum h2_role)role, &mux_options);
}

static void check_content(const struct mux *m)
{
    for (size_t i = 0; i < m->n_streams; i++)
        wire_check_pattern(&m->streams[i].got, m->streams[i].written);
}

static void finish(struct mux *m)
{
    turns_until(m->loop, mux_all_came, m);
    check_content(m);
    mux_free(m);
}

/* ---- turns */

static void test_bulk_in_turns(void **state)
{
    const int run = SCHEDULE_RUN;
    char want[256];
    snprintf(want, sizeof want, "A%d B%d C%d A%d B%d C%d A%d B1 C%d A%d C%d", run, run, run, run,
             run, run, run, run, run, run);
    for (int role = H2_OPENER; role <= H2_SERVER; role++) {
        struct mux *m = open_mux(role);
        struct mux_stream *a = mux_open(m, LEG_BULK), *b = mux_open(m, LEG_BULK),
                          *c = mux_open(m, LEG_BULK);
        mux_write(a, BULK, false);
        mux_write(b, 2 * SCHEDULE_RUN + 1, false);
        mux_write(c, BULK, true);
        turns_until(m->loop, mux_all_came, m);
        mux_check_runs(m, "bulk", want);
        finish(m);
    }
}

/* One alone sends on and on; who comes later waits for a turn at most, however much there is. */
static void test_latecomer(void **state)
{
    for (int role = H2_OPENER; role <= H2_SERVER; role++) {
        struct mux *m = open_mux(role);
        struct mux_stream *a = mux_open(m, LEG_BULK), *b = mux_open(m, LEG_BULK);
        mux_stop_reading(m);
        mux_write(a, 3 * BULK, false);
        mux_settle(m);
        size_t sent = a->sent;
        assert_in_range(sent, SCHEDULE_RUN, 3 * BULK - 1);
        mux_write(b, 2 * SCHEDULE_RUN, false);
        mux_go_on_reading(m);
        turns_until(m->loop, mux_all_came, m);
        assert_ptr_equal(m->runs[1].of, b);
        assert_in_range(m->runs[0].bytes, sent, sent + SCHEDULE_RUN);
        assert_int_equal(m->runs[1].bytes, SCHEDULE_RUN);
        assert_int_equal(m->runs[2].bytes, SCHEDULE_RUN);
        finish(m);
    }
}

/* ---- short before bulk */

static const struct {
    const char *name;
    enum leg_hint hint;
    size_t before, bytes; /* sent before; written while bulk is queued */
    bool first;
} shorts[] = {
    {"interactive", LEG_INTERACTIVE, 0, WORD, true},
    {"interactive for long", LEG_INTERACTIVE, 10 * SCHEDULE_SHORT, WORD, true},
    {"interactive, still short", LEG_INTERACTIVE, 0, SCHEDULE_SHORT, true},
    {"interactive, too much at once", LEG_INTERACTIVE, 0, SCHEDULE_SHORT + 1, false},
    {"the beginning of bulk", LEG_BULK, 0, WORD, true},
    {"bulk that has just sent little", LEG_BULK, SCHEDULE_SHORT - 1, WORD, true},
    {"bulk that has sent more", LEG_BULK, SCHEDULE_SHORT, WORD, false},
    {"bulk from the start", LEG_BULK, 0, SCHEDULE_SHORT + 1, false},
};

/* A is bulk in the middle of a turn, B waits for its own. */
static void check_short(struct mux *m, size_t row)
{
    struct mux_stream *a = mux_open(m, LEG_BULK), *b = mux_open(m, LEG_BULK);
    struct mux_stream *c = mux_open(m, shorts[row].hint);
    mux_write(c, shorts[row].before, false);
    turns_until(m->loop, mux_all_came, m);
    mux_forget_runs(m);
    mux_stop_reading(m);
    mux_write(a, 3 * BULK, false);
    mux_write(b, BULK, false);
    mux_settle(m);
    size_t framed = a->sent + b->sent;
    mux_write(c, shorts[row].bytes, false);
    mux_go_on_reading(m);
    turns_until(m->loop, mux_all_came, m);
    size_t before = 0;
    for (size_t i = 0; m->runs[i].of != c; i++)
        before += m->runs[i].bytes;
    /* one frame may have been made already */
    if ((before <= framed + SCHEDULE_FRAME) != shorts[row].first)
        fail_msg("%s: %zu octets before it, %zu were framed", shorts[row].name, before, framed);
}

static void test_short_comes_first(void **state)
{
    for (int role = H2_OPENER; role <= H2_SERVER; role++)
        for (size_t row = 0; row < COUNT(shorts); row++)
            for (uint64_t rate = 0; rate < 2; rate++) {
                struct mux *m = open_mux(role);
                m->tx->tx.pace.rate = rate; /* slow: A is stopped in the middle of its turn */
                check_short(m, row);
                finish(m);
            }
}

static bool a_came(void *user)
{
    const struct mux *m = user;
    return buf_len(&m->streams[0].got) == m->streams[0].written;
}

/* Bytes of others between those of @a, beside the @under_way that were framed before it had any.
 */
static size_t longest_wait(const struct mux *m, const struct mux_stream *a, size_t under_way)
{
    size_t others = 0, most = 0;
    for (size_t i = 0, came = 0; came < a->written; i++) {
        bool own = m->runs[i].of == a;
        came += own ? m->runs[i].bytes : 0;
        others = own ? 0 : others + m->runs[i].bytes;
        most = others > most + under_way ? others - under_way : most;
        under_way = own ? 0 : under_way;
    }
    return most;
}

/* Short streams that never run dry, to a slow peer and to a fast one: bulk waits for so much of
 * theirs, and for the turn in which it became that much. */
static void test_bulk_is_not_starved(void **state)
{
    for (int role = H2_OPENER; role <= H2_SERVER; role++)
        for (uint64_t rate = 0; rate < 2; rate++) {
            struct mux *m = open_mux(role);
            struct mux_stream *a = mux_open(m, LEG_BULK);
            m->tx->tx.pace.rate = rate;
            for (int i = 0; i < 3; i++) {
                struct mux_stream *s = mux_open(m, LEG_INTERACTIVE);
                s->refill = SCHEDULE_SHORT / 2;
                mux_write(s, SCHEDULE_SHORT / 2, false);
            }
            mux_settle(m);
            mux_forget_runs(m);
            size_t under_way = 0;
            for (struct mux_stream *s = a + 1; s <= a + 3; s++)
                under_way += s->sent - buf_len(&s->got);
            mux_write(a, 2 * SCHEDULE_RUN, false);
            turns_until(m->loop, a_came, m);
            assert_in_range(longest_wait(m, a, under_way), SCHEDULE_AHEAD / 2,
                            SCHEDULE_AHEAD + SCHEDULE_RUN);
            for (struct mux_stream *s = a + 1; s <= a + 3; s++)
                s->refill = 0;
            finish(m);
        }
}

/* ---- nobody is held up */

/* A stream whose reader gives no credit stops at its window, the others go on; with credit it does
 * too. */
static void test_stream_without_window(void **state)
{
    for (int role = H2_OPENER; role <= H2_SERVER; role++) {
        struct mux *m = open_mux(role);
        struct mux_stream *a = mux_open(m, LEG_BULK), *b = mux_open(m, LEG_BULK),
                          *c = mux_open(m, LEG_INTERACTIVE);
        a->hold = true;
        mux_write(a, MUX_WINDOW + BULK, false);
        mux_settle(m);
        mux_write(b, BULK, true);
        mux_write(c, WORD, false);
        while (buf_len(&b->got) < BULK || buf_len(&c->got) < WORD || buf_len(&a->got) < MUX_WINDOW)
            mux_settle(m);
        mux_settle(m);
        assert_int_equal(buf_len(&a->got), MUX_WINDOW);
        mux_credit(a);
        finish(m);
    }
}

static bool connection_is_used_up(void *user)
{
    const struct mux *m = user;
    return nghttp2_session_get_remote_window_size(m->tx->host.ng) == 0;
}

/* Over its budget the reader keeps the connection's credit: then even what is short waits; when it
 * comes back nobody was forgotten. */
static void test_connection_without_window(void **state)
{
    for (int role = H2_OPENER; role <= H2_SERVER; role++) {
        struct h2_options o = mux_options;
        o.buffer_limit = MUX_WINDOW;
        struct mux *m = mux_new((enum h2_role)role, &o);
        struct mux_stream *a = mux_open(m, LEG_BULK), *b = mux_open(m, LEG_BULK),
                          *c = mux_open(m, LEG_INTERACTIVE);
        for (struct mux_stream *s = a; s <= b; s++) {
            int32_t id = CONTAINER_OF(s->rx, struct h2_stream, leg)->id;
            nghttp2_session_set_local_window_size(m->rx->host.ng, 0, id, WINDOW_CONNECTION);
            stream_host_mark(&m->rx->host);
            s->hold = true;
        }
        mux_settle(m);
        mux_write(a, WINDOW_CONNECTION / 2 + BULK, false);
        mux_write(b, WINDOW_CONNECTION / 2 + BULK, false);
        turns_until(m->loop, connection_is_used_up, m);
        mux_write(c, WORD, false);
        mux_settle(m);
        assert_int_equal(buf_len(&a->got) + buf_len(&b->got), WINDOW_CONNECTION);
        assert_int_equal(buf_len(&c->got), 0);
        mux_forget_runs(m);
        mux_credit(a);
        mux_credit(b);
        turns_until(m->loop, mux_all_came, m);
        assert_ptr_equal(m->runs[0].of, c);
        finish(m);
    }
}

/* A's frames fill the sock's queue to the byte and are all it has, so the library wants nothing
 * when they have left; that B waits only the schedule knows. No credit comes that would wake the
 * session. */
static void test_full_queue_goes_on(void **state)
{
    for (int role = H2_OPENER; role <= H2_SERVER; role++) {
        struct mux *m = open_mux(role);
        struct mux_stream *a = mux_open(m, LEG_BULK), *b = mux_open(m, LEG_BULK);
        a->hold = b->hold = true;
        m->tx->tx.pace.rate = 0;
        assert_int_equal(pace_queue(&m->tx->tx.pace), H2_OUT_CHUNK);
        mux_write(a, H2_OUT_CHUNK / (SCHEDULE_FRAME + FRAME_HEAD) * SCHEDULE_FRAME, false);
        mux_write(b, SCHEDULE_SHORT + 1, false);
        mux_settle(m);
        assert_int_equal(buf_len(&a->got), a->written);
        assert_int_equal(buf_len(&b->got), b->written);
        finish(m);
    }
}

/* ---- ends in the middle of a turn */

enum ending { SENDER_RESETS, READER_RESETS, ENDS };

static bool is_over(void *user)
{
    const struct mux_stream *s = user;
    return s->ended || s->rx_reset || s->tx_reset;
}

static void end_stream(struct mux_stream *s, enum ending how)
{
    struct leg_fault why = {.err = ERR_CLOSED, .h2_code = H2_CANCEL};
    struct leg **leg = how == SENDER_RESETS ? &s->tx : &s->rx, *from = *leg;
    if (how == ENDS) {
        mux_write(s, 0, true);
    } else {
        *leg = NULL;
        from->ops->reset(from, &why);
    }
}

/* A has its turn while the sock is full, B waits for its own: one of them ends. */
static void end_in_a_turn(int role, enum ending how, bool waiting, size_t written)
{
    struct mux *m = open_mux(role);
    struct mux_stream *a = mux_open(m, LEG_BULK), *b = mux_open(m, LEG_BULK),
                      *c = mux_open(m, LEG_INTERACTIVE);
    struct mux_stream *over = waiting ? b : a, *other = waiting ? a : b;
    mux_stop_reading(m);
    mux_write(a, written, false);
    mux_settle(m);
    mux_write(b, BULK, false);
    mux_write(c, WORD, true);
    mux_settle(m);
    end_stream(over, how);
    mux_settle(m);
    mux_go_on_reading(m);
    turns_until(m->loop, is_over, over);
    over->rx_reset |= how != ENDS;
    mux_write(other, WORD, true);
    turns_until(m->loop, mux_all_came, m);
    assert_int_equal(over->ended, how == ENDS);
    wire_check_pattern(&other->got, other->written);
    wire_check_pattern(&c->got, c->written);
    assert_true(other->ended && c->ended);
    assert_false(schedule_waits(&m->tx->host.schedule));
    mux_free(m);
}

/* The others get theirs, and nobody looks for who is gone. */
static void test_end_in_a_turn(void **state)
{
    static const size_t written[] = {SCHEDULE_RUN, 5 * SCHEDULE_RUN + WORD, 7 * SCHEDULE_RUN};
    for (int role = H2_OPENER; role <= H2_SERVER; role++)
        for (int how = SENDER_RESETS; how <= ENDS; how++)
            for (size_t i = 0; i < COUNT(written); i++) {
                end_in_a_turn(role, (enum ending)how, false, written[i]);
                end_in_a_turn(role, (enum ending)how, true, written[i]);
            }
}

/* ---- ends without bytes */

static bool all_ended(void *user)
{
    const struct mux *m = user;
    for (size_t i = 0; i < m->n_streams; i++)
        if (!m->streams[i].ended)
            return false;
    return true;
}

static void end_by_trailers(struct mux_stream *s)
{
    struct fields t;
    fields_init(&t);
    fields_add(&t, SLICE("x-sum"), SLICE("1"));
    s->tx->ops->trailers(s->tx, &t);
    fields_deinit(&t);
}

/* Trailers and an END_STREAM of its own come behind all of the body, or alone; at once, or after
 * the body has left. */
static void test_ends_behind_bodies(void **state)
{
    static const size_t bodies[] = {0, 1, SCHEDULE_SHORT, 2 * SCHEDULE_RUN, BULK + WORD};
    for (int role = H2_OPENER; role <= H2_SERVER; role++)
        for (int later = 0; later < 2; later++) {
            struct mux *m = open_mux(role);
            for (size_t i = 0; i < 2 * COUNT(bodies); i++)
                mux_open(m, i % 3 == 0 ? LEG_INTERACTIVE : LEG_BULK);
            for (size_t i = 0; i < m->n_streams; i++)
                mux_write(&m->streams[i], bodies[i / 2], false);
            if (later)
                turns_until(m->loop, mux_all_came, m);
            for (size_t i = 0; i < m->n_streams; i++)
                if (i % 2 == 0)
                    end_by_trailers(&m->streams[i]);
                else
                    mux_write(&m->streams[i], 0, true);
            turns_until(m->loop, all_ended, m);
            for (size_t i = 0; i < m->n_streams; i++)
                assert_int_equal(m->streams[i].trailers, i % 2 == 0);
            assert_false(schedule_waits(&m->tx->host.schedule));
            finish(m);
        }
}

/* F89: bulk waits until some is admitted, and what is short goes all the same. */
static void test_bulk_is_held(void **state)
{
    for (int role = H2_OPENER; role <= H2_SERVER; role++) {
        struct mux *m = open_mux(role);
        struct mux_stream *a = mux_open(m, LEG_BULK), *b = mux_open(m, LEG_INTERACTIVE);
        struct schedule *q = &m->tx->host.schedule;
        m->tx->tx.flight.next_us = UINT64_MAX; /* nobody else admits */
        schedule_admit(q, 0);
        mux_write(a, BULK, true);
        mux_settle(m);
        assert_int_equal(a->sent, 0);
        assert_false(schedule_waits(q));
        assert_true(schedule_has_bulk(q));
        mux_write(b, WORD, true);
        mux_settle(m);
        assert_int_equal(b->sent, WORD);
        schedule_admit(q, SCHEDULE_FRAME + 1);
        stream_host_mark(&m->tx->host);
        mux_settle(m);
        assert_int_equal(a->sent, 2 * SCHEDULE_FRAME);
        schedule_admit(q, SIZE_MAX);
        stream_host_mark(&m->tx->host);
        finish(m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bulk_in_turns),
        cmocka_unit_test(test_latecomer),
        cmocka_unit_test(test_short_comes_first),
        cmocka_unit_test(test_bulk_is_not_starved),
        cmocka_unit_test(test_stream_without_window),
        cmocka_unit_test(test_connection_without_window),
        cmocka_unit_test(test_full_queue_goes_on),
        cmocka_unit_test(test_end_in_a_turn),
        cmocka_unit_test(test_ends_behind_bodies),
        cmocka_unit_test(test_bulk_is_held),
    };
    return cmocka_run_group_tests_name("schedule", tests, NULL, NULL);
}
