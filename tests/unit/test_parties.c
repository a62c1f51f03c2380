/* SPDX-License-Identifier: MIT */
/* test_parties.c - streams of one viewer share a session with those of others as if they were one:
 * in the order of sending, in both roles, and in the size of windows. schedule.h, stream_party.c,
 * docs/flow-control.md#viewers. Rule F91. */
#include "mux.h"

#define COUNT(rows) (sizeof rows / sizeof((rows)[0]))

enum { RUNS = 4, BULK = RUNS * SCHEDULE_RUN, WORD = 100 };

static struct mux *open_mux(int role)
{
    return mux_new((enum h2_role)role, &mux_options);
}

static void finish(struct mux *m)
{
    turns_until(m->loop, mux_all_came, m);
    for (size_t i = 0; i < m->n_streams; i++)
        wire_check_pattern(&m->streams[i].got, m->streams[i].written);
    mux_free(m);
}

/* Opens a stream for each letter of @viewers, which says whose it is: the first of a letter has
 * nobody beside it. */
static void open_for(struct mux *m, const char *viewers, enum leg_hint hint)
{
    const struct mux_stream *first['z' + 1] = {NULL};
    for (const char *v = viewers; *v; v++) {
        const struct mux_stream *s = mux_open_beside(m, hint, first[(unsigned char)*v]);
        if (!first[(unsigned char)*v])
            first[(unsigned char)*v] = s;
    }
    mux_forget_runs(m);
}

/* The first turns, by the letters of the streams. A turn more of the same stream is one letter. */
static void check_order(const struct mux *m, const char *what, const char *want)
{
    char came[MUX_RUNS + 1] = "";
    for (size_t i = 0; i < m->n_runs && i < strlen(want); i++)
        came[i] = (char)('A' + (m->runs[i].of - m->streams));
    if (strcmp(came, want) != 0)
        fail_msg("%s:\n came '%s'\n want '%s'", what, came, want);
}

/* ---- turns */

/* F91 */
static void test_turns_go_round_the_viewers(void **state)
{
    static const struct {
        const char *viewers, *turns;
    } rows[] = {
        {"aaaaaaaaab", "AJBJCJDJEFGHI"},  /* one beside nine of another: every second turn */
        {"baaaaaaaaa", "ABACADAEFGHIJB"}, /* whichever came first */
        {"aaabbc", "ADFBEFCDFAEFB"},      /* three viewers, each a third */
        {"abc", "ABCABC"},                /* one each: as ever */
        {"aaa", "ABCABC"},                /* one viewer alone: as ever */
        {"aabb", "ACBDACBD"},
    };
    for (int role = H2_OPENER; role <= H2_SERVER; role++)
        for (size_t i = 0; i < COUNT(rows); i++) {
            struct mux *m = open_mux(role);
            open_for(m, rows[i].viewers, LEG_BULK);
            for (size_t s = 0; s < m->n_streams; s++)
                mux_write(&m->streams[s], BULK, false);
            turns_until(m->loop, mux_all_came, m);
            check_order(m, rows[i].viewers, rows[i].turns);
            finish(m);
        }
}

/* F91: a turn has as many bytes for a viewer whose streams have little each. */
static void test_a_turn_is_shared(void **state)
{
    for (int role = H2_OPENER; role <= H2_SERVER; role++) {
        struct mux *m = open_mux(role);
        open_for(m, "aaaaab", LEG_BULK);
        for (size_t s = 0; s < m->n_streams; s++)
            mux_write(&m->streams[s], s < 5 ? 40000 : BULK, false);
        turns_until(m->loop, mux_all_came, m);
        check_order(m, "little each", "ABFCDFEBDF");
        finish(m);
    }
}

/* F91: what is short goes before bulk, also that of a viewer who has much of both; among what is
 * short viewers take turns. */
static void test_short_before_bulk(void **state)
{
    for (int role = H2_OPENER; role <= H2_SERVER; role++) {
        struct mux *m = open_mux(role);
        open_for(m, "aaaaab", LEG_INTERACTIVE);
        mux_write(&m->streams[0], BULK, false); /* too much for a short one */
        mux_write(&m->streams[1], BULK, false);
        for (size_t s = 2; s < m->n_streams; s++)
            mux_write(&m->streams[s], WORD, false);
        turns_until(m->loop, mux_all_came, m);
        check_order(m, "short", "CFDEAB");
        finish(m);
    }
}

static size_t sent_before;
static uint64_t turns_before;

static bool all_came_in_steps(void *user)
{
    const struct mux *m = user;
    size_t sent = 0;
    for (size_t i = 0; i < m->n_streams; i++)
        sent += m->streams[i].sent;
    size_t turns = (size_t)(loop_turns(m->loop) - turns_before);
    assert_in_range(sent - sent_before, 0, turns * (4 * SCHEDULE_RUN + SCHEDULE_FRAME));
    sent_before = sent;
    turns_before += turns;
    return mux_all_came(user);
}

/* F91: a turn of the loop is bounded while viewers share a session, so that whoever has little
 * queued can read more before others have sent all that they have. */
static void test_a_turn_of_the_loop_is_bounded(void **state)
{
    for (int role = H2_OPENER; role <= H2_SERVER; role++) {
        struct mux *m = open_mux(role);
        open_for(m, "aaab", LEG_BULK);
        m->tx->tx.pace.rate = 1000000000;
        for (size_t s = 0; s < m->n_streams; s++)
            mux_write(&m->streams[s], 3 * BULK, true);
        sent_before = 0;
        turns_before = loop_turns(m->loop);
        turns_until(m->loop, all_came_in_steps, m);
        finish(m);
    }
}

/* ---- members come and go */

/* A viewer's stream joins while the first one of it waits alone; the number that they share
 * outlives the first one. */
static void test_the_first_one_ends(void **state)
{
    for (int role = H2_OPENER; role <= H2_SERVER; role++) {
        struct mux *m = open_mux(role);
        struct mux_stream *a = mux_open(m, LEG_BULK), *b = mux_open_beside(m, LEG_BULK, a);
        struct leg_fault why = {.err = ERR_CLOSED, .h2_code = H2_CANCEL};
        uint32_t number = h2_leg_party(mux_opener_leg(a));
        assert_int_equal(h2_leg_party(mux_opener_leg(b)), number);
        struct leg *gone = mux_opener_leg(a);
        a->tx = a->rx = NULL;
        a->tx_reset = a->rx_reset = true;
        gone->ops->reset(gone, &why);
        mux_settle(m);
        struct mux_stream *c = mux_open_beside(m, LEG_BULK, b), *d = mux_open(m, LEG_BULK);
        assert_int_equal(h2_leg_party(mux_opener_leg(c)), number);
        assert_int_equal(m->opener->host.parties.count, 1);
        assert_int_equal(m->server->host.parties.count, 1);
        mux_forget_runs(m);
        mux_write(b, BULK, false);
        mux_write(c, BULK, false);
        mux_write(d, BULK, false);
        turns_until(m->loop, mux_all_came, m);
        check_order(m, "after the first", "BDCDBDCD");
        finish(m);
    }
}

/* The server takes no number but that of an earlier stream, and one of a stream that is over. */
static void test_numbers_of_the_peer(void **state)
{
    static const struct {
        const char *value;
        size_t parties;
    } rows[] = {{"0", 0},          {"1", 1},  {"5", 1},          {"7", 0}, {"9", 0},
                {"4294967297", 0}, {"-1", 0}, {"2147483647", 0}, {"x", 0}, {"", 0}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct mux *m = open_mux(H2_SERVER);
        for (int n = 0; n < 3; n++)
            mux_open(m, LEG_BULK);
        struct message request;
        message_init(&request);
        request.method = SLICE("GET");
        request.scheme = SLICE("https");
        request.authority = SLICE("demo.example.com");
        request.path = SLICE("/D"); /* has the id 7 */
        fields_add(&request.fields, SLICE("party"), slice_str(rows[i].value));
        struct mux_stream *s = &m->streams[m->n_streams++];
        s->mux = m;
        buf_init(&s->got, SIZE_MAX / 2);
        s->rx = h2_stream_open(m->opener, &request, true, &mux_events, s);
        message_deinit(&request);
        turns_until(m->loop, mux_last_is_open, m);
        assert_int_equal(m->server->host.parties.count, rows[i].parties);
        finish(m);
    }
}

/* ---- the order itself, at random */

enum { ENTRIES = 24, GROUPS = 4, STEPS = 20000 };

struct model {
    struct schedule q;
    struct schedule_group groups[GROUPS];
    struct schedule_entry entries[ENTRIES];
    uint64_t seed;
    unsigned since[ENTRIES]; /* turns of others since it began to wait */
};

static uint32_t chance(struct model *x, uint32_t n)
{
    x->seed = x->seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(x->seed >> 33) % n;
}

static void step(struct model *x)
{
    struct schedule_entry *e = &x->entries[chance(x, ENTRIES)];
    switch (chance(x, 4)) {
    case 0:
        if (!list_linked(&e->node))
            x->since[e - x->entries] = 0;
        schedule_ready(&x->q, e, 1 + chance(x, 2 * SCHEDULE_SHORT));
        break;
    case 1:
        schedule_leave(&x->q, e);
        break;
    default:
        e = schedule_next(&x->q);
        if (e)
            schedule_framed(&x->q, e, SCHEDULE_FRAME);
        for (size_t i = 0; e && i < ENTRIES; i++)
            x->since[i] = e == &x->entries[i] ? 0 : x->since[i] + 1;
    }
}

/* Nobody is lost, stands in two queues, or waits for ever. */
static void test_at_random(void **state)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct model x = {.seed = seed};
        schedule_init(&x.q, seed % 2 == 0);
        for (size_t i = 0; i < GROUPS; i++)
            schedule_group_init(&x.groups[i]);
        for (size_t i = 0; i < ENTRIES; i++)
            schedule_entry_init(&x.entries[i]);
        for (int n = 0; n < STEPS; n++) {
            struct schedule_entry *e = &x.entries[chance(&x, ENTRIES)];
            if (!e->group && chance(&x, 64) == 0)
                schedule_join(e, &x.groups[chance(&x, GROUPS)]);
            step(&x);
            schedule_check(&x.q);
        }
        for (size_t i = 0; i < ENTRIES; i++)
            if (list_linked(&x.entries[i].node))
                assert_in_range(x.since[i], 0, 4 * ENTRIES * ENTRIES);
        size_t waiting = 0, came = 0;
        for (size_t i = 0; i < ENTRIES; i++)
            waiting += list_linked(&x.entries[i].node);
        while (schedule_next(&x.q))
            came++;
        assert_int_equal(came, waiting);
        schedule_deinit(&x.q);
    }
}

/* ---- windows */

static void count_for(const struct mux *m, const struct mux_stream *s, uint32_t askers,
                      uint32_t movers)
{
    for (const struct h2_session *h = m->opener;; h = m->server) {
        LIST_FOREACH (it, &h->host.streams) {
            const struct h2_stream *st = CONTAINER_OF(it, struct h2_stream, node);
            if (st->id != h2_stream_of(s->rx)->id)
                continue;
            assert_int_equal(h2_stream_askers(st), askers);
            if (h == m->rx)
                assert_int_equal(h2_stream_movers(st), movers);
        }
        if (h == m->server)
            return;
    }
}

/* F91: a stream shares with as many as there would be if all viewers had as many as its own. */
static void test_windows_are_dealt_to_viewers(void **state)
{
    for (int role = H2_OPENER; role <= H2_SERVER; role++) {
        struct mux *m = open_mux(role);
        open_for(m, "aaaaab", LEG_BULK);
        struct mux_stream *a = &m->streams[0], *b = &m->streams[5];
        count_for(m, a, 10, 0);
        count_for(m, b, 2, 0);
        for (size_t s = 1; s < m->n_streams; s++) /* A has no body yet */
            mux_write(&m->streams[s], WORD, false);
        turns_until(m->loop, mux_all_came, m);
        count_for(m, a, 10, 8);
        count_for(m, b, 2, 2);
        finish(m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_turns_go_round_the_viewers),
        cmocka_unit_test(test_a_turn_is_shared),
        cmocka_unit_test(test_short_before_bulk),
        cmocka_unit_test(test_a_turn_of_the_loop_is_bounded),
        cmocka_unit_test(test_the_first_one_ends),
        cmocka_unit_test(test_numbers_of_the_peer),
        cmocka_unit_test(test_at_random),
        cmocka_unit_test(test_windows_are_dealt_to_viewers),
    };
    return cmocka_run_group_tests_name("parties", tests, NULL, NULL);
}
