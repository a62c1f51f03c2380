/* SPDX-License-Identifier: MIT */
/* test_stream_window.c - the windows of streams while SETTINGS, acknowledgements, DATA and credit
 * cross, and while slow readers lose their windows. Whatever the order, in the end the sender has
 * the window that was granted. */
#include "stream_world.h"

enum { SEEDS = 60, STEPS = 1500, OPEN_MOST = 170 };

/* ---- what is done at random */

static uint32_t chance(struct world *w, uint32_t n)
{
    w->seed = w->seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(w->seed >> 33) % n;
}

/* Closes all but some streams, so that the initial window rises again. */
static void close_crowd(struct world *w)
{
    uint32_t left = chance(w, 20);
    for (size_t i = 0; i < w->n_readers && w->open > left; i++)
        if (chance(w, 4) > 0)
            close_stream(w, &w->readers[i]);
}

static struct reader *any_reader(struct world *w)
{
    return w->n_readers > 0 ? &w->readers[chance(w, (uint32_t)w->n_readers)] : NULL;
}

/* A reader becomes slow or fast. */
static void change_reader(struct world *w)
{
    struct reader *r = any_reader(w);
    if (r) {
        r->known = chance(w, 4) > 0;
        r->takes = chance(w, 2) > 0 ? 0 : (uint64_t)1 << chance(w, 24);
    }
}

/* Makes windows grow: other streams have learned much, or a round of credit never ends. */
static void make_grow(struct world *w)
{
    struct stream_flow *f = &w->session->host.flow;
    f->learned = chance(w, 3) > 0 ? 0 : 4096u << chance(w, 9);
    f->rtt_us = f->rtt_least_us = chance(w, 2) > 0 ? 1 : 60000000;
    f->line_rate = chance(w, 2) > 0 ? 0 : 1u << chance(w, 18);
    f->first_rate = f->line_rate;
    stream_host_fit_line(&w->session->host);
    stream_host_retier(&w->session->host);
}

static void read_some(struct world *w)
{
    struct reader *r = any_reader(w);
    if (r && r->held > 0)
        credit(r, chance(w, 2) > 0 ? r->held : 1 + chance(w, (uint32_t)r->held));
}

static void send_some(struct world *w)
{
    for (size_t n = w->peer.n_streams; n > 0 && chance(w, 6) > 0; n--) {
        struct stock_stream *st = &w->peer.streams[chance(w, (uint32_t)w->peer.n_streams)];
        if (!st->closed)
            stock_send(&w->peer, st, 1 + chance(w, 80 * KI));
    }
}

static void open_some(struct world *w)
{
    uint32_t n = chance(w, 4) > 0 ? 1 : chance(w, 40);
    while (n-- > 0 && w->open < OPEN_MOST && w->peer.n_streams < STOCK_STREAMS - 50 &&
           w->n_readers < STOCK_STREAMS - 50)
        open_stream(w);
}

static void step(struct world *w)
{
    w->session->host.flow.announced_us = 0; /* a raise need not wait */
    switch (chance(w, 10)) {
    case 0:
        open_some(w);
        break;
    case 1:
        send_some(w);
        break;
    case 2:
    case 3:
        read_some(w);
        break;
    case 4:
        deliver_to_peer(w, chance(w, 3) > 0 ? chance(w, 200) : SIZE_MAX);
        break;
    case 5:
        deliver_to_us(w, chance(w, 3) > 0 ? chance(w, 100 * KI) : SIZE_MAX);
        break;
    case 6:
        change_reader(w);
        break;
    case 7:
        look(w);
        break;
    case 8:
        if (chance(w, 60) == 0)
            close_crowd(w);
        else if (w->n_readers > 0 && chance(w, 4) == 0)
            close_stream(w, any_reader(w));
        break;
    default:
        make_grow(w);
    }
    settle(w);
}

/* ---- what must hold */

/* F20, F22: whatever crosses, no stream hangs, and every sender has the window that it was
 * granted. */
static void test_every_order(void **state)
{
    static struct world w;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        world_open(&w, seed % 2 > 0 ? H2_OPENER : H2_SERVER);
        w.seed = seed + 1;
        w.peer.padding = seed % 3 > 0 ? 0 : chance(&w, 255);
        for (int i = 0; i < STEPS; i++)
            step(&w);
        read_all(&w);
        check_windows(&w);
        world_close(&w);
    }
}

/* ---- one order: the 33rd request */

/* F20: the 33rd request lowers the windows of the 32 bodies that run, and credit makes them grow
 * before the peer has acknowledged that. */
static void test_the_33rd_request(void **state)
{
    static struct world w;
    world_open(&w, H2_OPENER);
    for (int i = 0; i < 32; i++)
        open_stream(&w);
    deliver_all(&w);
    send_to_all(&w, 64 * KI);
    deliver_to_us(&w, SIZE_MAX);
    w.session->host.flow.rtt_us = 60000000;
    open_stream(&w);
    for (size_t i = 0; i < w.n_readers; i++)
        credit(&w.readers[i], w.readers[i].held);
    settle(&w);
    assert_int_equal(w.session->host.flow.initial, 16 * KI);
    send_to_all(&w, 1 << 20);
    read_all(&w);
    check_windows(&w);
    for (size_t i = 0; i < 32; i++)
        assert_int_equal(w.readers[i].got, 64 * KI + (1 << 20));
    world_close(&w);
}

/* ---- F21, F22: one reader */

/* F21: a kernel takes all at once for a reader that acknowledges nothing. The window stays, though
 * every round of credit is over in no time, and though others have larger ones. */
static void test_credit_alone_earns_nothing(void **state)
{
    static struct world w;
    struct reader *r = begin_full(&w, 0);
    w.session->host.flow.rtt_us = 60000000;
    assert_int_equal(r->held, 64 * KI);
    assert_true(read_pieces(&w, r, 4 << 20) <= 64 * KI);
    w.session->host.flow.learned = LARGE;
    assert_true(read_pieces(&w, r, LARGE) <= 64 * KI);
    assert_int_equal(window_of(&w), 64 * KI);
    r->takes = 64 * KI; /* now it reads */
    read_pieces(&w, r, 256 * KI);
    assert_true(window_of(&w) >= 128 * KI);
    world_close(&w);
}

/* F22: a slow reader with a full window of 512 KiB loses it. As it reads on, no credit goes back
 * until 64 KiB are held, and no more is held from then on. When it has become fast, it earns a
 * larger window again, and all of its body comes. */
static void test_a_slow_reader_loses_its_window(void **state)
{
    static struct world w;
    struct reader *r = begin_full(&w, LARGE);
    assert_int_equal(r->held, LARGE);
    look(&w);
    assert_int_equal(window_of(&w), LARGE);
    look(&w);
    assert_int_equal(window_of(&w), 64 * KI);
    size_t got = r->got;
    read_pieces(&w, r, (LARGE)-64 * KI);
    assert_int_equal(r->got, got);
    assert_int_equal(r->held, 64 * KI);
    assert_true(read_pieces(&w, r, 2 << 20) <= 64 * KI);
    r->takes = LARGE;
    read_pieces(&w, r, 256 * KI);
    assert_true(window_of(&w) > 64 * KI);
    read_all(&w);
    assert_int_equal(r->got, 16 << 20);
    check_windows(&w);
    world_close(&w);
}

/* F22: credit that the sender has not used yet is withheld too, as its bytes come. */
static void test_a_slow_reader_of_a_slow_sender(void **state)
{
    static struct world w;
    struct reader *r = begin_full(&w, 0);
    w.session->host.flow.learned = LARGE;
    r->known = false;
    read_all(&w);
    r->known = true;
    uint32_t large = window_of(&w);
    assert_true(large >= LARGE); /* more if the round trip that was measured is a long one */
    send_to_all(&w, 100 * KI);
    deliver_all(&w);
    look(&w);
    look(&w);
    assert_int_equal(window_of(&w), 64 * KI);
    send_to_all(&w, 4 << 20);
    deliver_long(&w, r);
    assert_true(r->held <= large);
    read_pieces(&w, r, r->held - 64 * KI);
    assert_true(read_pieces(&w, r, LARGE) <= 64 * KI);
    world_close(&w);
}

/* Sends @frames frames of a byte and 254 bytes of padding, whose credit nghttp2 keeps by itself. */
static void send_padded(struct world *w, struct reader *r, int frames)
{
    w->peer.padding = 255;
    for (int i = 0; i < frames; i++) {
        send_to_all(w, 1);
        deliver_all(w);
        if (i + 1 < frames)
            credit(r, r->held);
    }
    w->peer.padding = 0;
}

/* F22: padding whose credit has not gone back, before a window is made smaller or after that, does
 * not stop the stream. */
static void test_padding_of_a_slow_reader(void **state)
{
    static const struct {
        int before, after;
    } rows[] = {{900, 0}, {1, 160}, {1, 250}, {900, 160}};
    static struct world w;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct reader *r = begin_full(&w, 0);
        r->known = false;
        w.session->host.flow.learned = LARGE;
        read_all(&w);
        r->known = true;
        send_padded(&w, r, rows[i].before);
        look(&w);
        look(&w);
        assert_int_equal(window_of(&w), 64 * KI);
        send_padded(&w, r, rows[i].after);
        send_to_all(&w, 4 << 20);
        read_all(&w);
        assert_int_equal(r->got, (20 << 20) + rows[i].before + rows[i].after);
        world_close(&w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_33rd_request),
        cmocka_unit_test(test_every_order),
        cmocka_unit_test(test_credit_alone_earns_nothing),
        cmocka_unit_test(test_a_slow_reader_loses_its_window),
        cmocka_unit_test(test_a_slow_reader_of_a_slow_sender),
        cmocka_unit_test(test_padding_of_a_slow_reader),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
