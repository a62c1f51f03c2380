/* SPDX-License-Identifier: MIT */
/* test_shares.c - tests the rule by which pools give out their places: http-rules.md#pools */
#include "src/limits/shares.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { PLACES = 64 };

/* Returns the path of the address @text, or nobody for "". */
static struct who who_of(const char *text)
{
    struct sockaddr_storage peer = {0};
    struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)&peer;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)&peer;
    struct address a;
    if (inet_pton(AF_INET, text, &v4->sin_addr) == 1)
        peer.ss_family = AF_INET;
    else if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1)
        peer.ss_family = AF_INET6;
    return address_of_peer((const struct sockaddr *)&peer, &a) ? who_of_address(&a)
                                                               : (struct who){.depth = 0};
}

/* ---- examples */

/* A pool, and the places that were taken from it in turn. */
struct world {
    struct shares *s;
    struct share place[PLACES];
    size_t n;
};

static void end(struct world *w)
{
    for (size_t i = 0; i < PLACES; i++)
        shares_give(w->s, &w->place[i]);
    shares_free(w->s);
}

/* Takes a place for @text. Returns its victim's index, -1 for none, or -2 when it was refused. */
static int take(struct world *w, const char *text, bool idle)
{
    struct who who = who_of(text);
    struct share *victim, *p = &w->place[w->n++];
    if (!shares_take(w->s, &who, p, &victim))
        return -2;
    shares_set_idle(w->s, p, idle);
    return victim ? (int)(victim - w->place) : -1;
}

/* F50: nobody gets the last quarter. */
static void test_f50_nobody_gets_the_last_quarter(void **state)
{
    static const char *const rows[] = {"192.0.2.1", "2001:db8:1:2::1", "::ffff:192.0.2.9"};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct world w = {.s = shares_new(8)};
        assert_int_equal(shares_most(w.s), 6);
        for (int n = 0; n < 6; n++)
            assert_int_equal(take(&w, rows[i], false), -1);
        assert_int_equal(take(&w, rows[i], false), -2);
        assert_int_equal(take(&w, "198.51.100.7", false), -1);
        assert_int_equal(take(&w, rows[i], false), -2);
        assert_int_equal(take(&w, "", false), -1);
        assert_int_equal(take(&w, "198.51.100.8", false), -2); /* full, and nothing is idle */
        end(&w);
    }
}

/* F50: networks count as one. */
static void test_f50_networks_count_as_one(void **state)
{
    static const struct {
        const char *name, *before, *behind;
    } rows[] = {{"/64", "2001:db8:1:2::", ""},
                {"/56", "2001:db8:1:", "::1"},
                {"/48", "2001:db8:1:", "00::1"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct world w = {.s = shares_new(8)};
        char text[INET6_ADDRSTRLEN];
        print_message("%s\n", rows[i].name);
        for (int n = 1; n < 8; n++) {
            snprintf(text, sizeof text, "%s%d%s", rows[i].before, n, rows[i].behind);
            assert_int_equal(take(&w, text, false), n < 7 ? -1 : -2);
        }
        assert_int_equal(take(&w, "2001:db8:2::1", false), -1);
        end(&w);
    }
}

/* F51: the greediest gives up its oldest idle place. */
static void test_f51_the_greediest_gives_up_its_oldest_idle_place(void **state)
{
    struct world w = {.s = shares_new(8)};
    for (int n = 0; n < 5; n++)
        assert_int_equal(take(&w, "192.0.2.1", n > 0), -1);
    for (int n = 0; n < 3; n++)
        assert_int_equal(take(&w, "192.0.2.2", true), -1);
    assert_int_equal(take(&w, "192.0.2.3", false), 1); /* place 0 is busy */
    assert_int_equal(take(&w, "192.0.2.3", false), 2);
    assert_int_equal(take(&w, "192.0.2.1", false), 3); /* its own: the greediest is itself */
    end(&w);
}

/* F51: of equals each replaces its own. */
static void test_f51_of_equals_each_replaces_its_own(void **state)
{
    struct world w = {.s = shares_new(4)};
    for (int n = 0; n < 2; n++)
        assert_int_equal(take(&w, "192.0.2.1", true), -1);
    for (int n = 0; n < 2; n++)
        assert_int_equal(take(&w, "192.0.2.2", true), -1);
    assert_int_equal(take(&w, "192.0.2.2", true), 2);
    assert_int_equal(take(&w, "192.0.2.1", false), 0);
    assert_int_equal(take(&w, "192.0.2.1", true), 1);
    end(&w);
}

/* F51: a place that is used again is the youngest. */
static void test_f51_a_place_that_is_used_again_is_the_youngest(void **state)
{
    struct world w = {.s = shares_new(4)};
    for (int n = 0; n < 3; n++)
        assert_int_equal(take(&w, "192.0.2.1", true), -1);
    assert_int_equal(take(&w, "192.0.2.2", true), -1);
    shares_set_idle(w.s, &w.place[0], false);
    shares_set_idle(w.s, &w.place[0], true);
    shares_set_idle(w.s, &w.place[1], true); /* is idle already: keeps its turn */
    assert_int_equal(take(&w, "192.0.2.3", false), 1);
    end(&w);
}

/* F51: a crowd in one network is greedier than its members. */
static void test_f51_a_crowd_in_one_network_is_greedier_than_its_members(void **state)
{
    struct world w = {.s = shares_new(8)};
    char text[INET6_ADDRSTRLEN];
    for (int n = 0; n < 4; n++) { /* one place each, in one /48 */
        snprintf(text, sizeof text, "2001:db8:1:%d00::1", n);
        assert_int_equal(take(&w, text, true), -1);
    }
    for (int n = 0; n < 2; n++)
        assert_int_equal(take(&w, "192.0.2.1", true), -1);
    for (int n = 0; n < 2; n++)
        assert_int_equal(take(&w, "192.0.2.2", true), -1);
    assert_int_equal(take(&w, "192.0.2.3", true), 0);
    end(&w);
}

/* F52: nobody is never the victim. */
static void test_f52_nobody_is_never_the_victim(void **state)
{
    struct world w = {.s = shares_new(4)};
    for (int n = 0; n < 3; n++)
        assert_int_equal(take(&w, "", true), -1);
    assert_int_equal(take(&w, "192.0.2.1", true), -1);
    assert_int_equal(take(&w, "192.0.2.2", true), 3);
    assert_int_equal(take(&w, "", true), 4);
    assert_int_equal(take(&w, "192.0.2.1", true), -2); /* all four are nobody's */
    end(&w);
}

static void test_objects_are_holders(void **state)
{
    int a = 0, b = 0;
    struct who of_a = who_of_object(&a), of_b = who_of_object(&b);
    struct shares *s = shares_new(4);
    struct share place[5] = {0}, *victim;
    for (int n = 0; n < 3; n++)
        assert_true(shares_take(s, &of_a, &place[n], &victim));
    assert_false(shares_take(s, &of_a, &place[3], &victim));
    assert_true(shares_take(s, &of_b, &place[4], &victim));
    assert_true(shares_has_most(s, &of_a));
    assert_false(shares_has_most(s, &of_b));
    for (int n = 0; n < 5; n++)
        shares_give(s, &place[n]);
    shares_give(s, &place[0]); /* once more does nothing */
    assert_int_equal(shares_count(s), 0);
    shares_free(s);
}

/* ---- against a model that walks over everything */

enum { CAPACITY = 23, NAMES = 12, STEPS = 60000 };

static const char *const names[NAMES] = {
    "",
    "192.0.2.1",
    "192.0.2.2",
    "198.51.100.1",
    "2001:db8:1:100::1",
    "2001:db8:1:101::1",
    "2001:db8:1:200::1",
    "2001:db8:1:201::1",
    "2001:db8:2:100::1",
    "2001:db8:2:100::2",
    "2001:db8:3::1",
    "2001:db8:3:1::1",
};

struct model {
    struct who who[NAMES];
    struct {
        bool taken, idle;
        int of;
        uint64_t since;
    } place[PLACES];
    uint64_t turns;
};

/* Returns whether the holder @h of the path @path is the holder at @level of the path @other. */
static bool shared(const struct who *path, const struct who *other, unsigned level)
{
    return level < path->depth && level < other->depth &&
           address_eq(&path->at[level], &other->at[level]);
}

static size_t model_count(const struct model *m, const struct who *who, unsigned level)
{
    size_t n = 0;
    for (size_t i = 0; i < PLACES; i++)
        n += m->place[i].taken && shared(&m->who[m->place[i].of], who, level);
    return n;
}

static size_t model_total(const struct model *m)
{
    size_t n = 0;
    for (size_t i = 0; i < PLACES; i++)
        n += m->place[i].taken;
    return n;
}

/* Returns the idle place that goes first below the holder at @level - 1 of @within (any place when
 * @level is 0), or -1. */
static int model_victim(const struct model *m, const struct who *within, unsigned level)
{
    size_t best_count = 0;
    int best = -1;
    for (int i = 0; i < PLACES; i++) {
        const struct who *who = &m->who[m->place[i].of];
        if (!m->place[i].taken || !m->place[i].idle || who->depth == 0 ||
            (level > 0 && !shared(who, within, level - 1)))
            continue;
        int oldest = i;
        size_t count = SIZE_MAX;
        if (level < who->depth) {
            oldest = model_victim(m, who, level + 1);
            count = model_count(m, who, level);
        }
        if (best < 0 || count > best_count ||
            (count == best_count && m->place[oldest].since < m->place[best].since)) {
            best = oldest;
            best_count = count;
        }
    }
    return best;
}

static bool model_may_displace(const struct model *m, const struct who *who,
                               const struct who *victim)
{
    for (unsigned i = 0; i < victim->depth; i++)
        if (!shared(who, victim, i))
            return model_count(m, victim, i) > (i < who->depth ? model_count(m, who, i) : 0);
    return true;
}

/* Returns the victim of a newcomer, -1 for none, or -2 when the newcomer is refused. */
static int model_judge(const struct model *m, const struct who *who)
{
    bool full = model_total(m) >= CAPACITY;
    unsigned level = 0;
    for (unsigned i = 0; i < who->depth; i++)
        if (model_count(m, who, i) >= CAPACITY - CAPACITY / 4) {
            level = i + 1;
            full = true;
        }
    if (!full)
        return -1;
    for (; level <= who->depth; level++) {
        int victim = model_victim(m, who, level);
        if (victim >= 0 && model_may_displace(m, who, &m->who[m->place[victim].of]))
            return victim;
    }
    return -2;
}

static void step_take(struct model *m, struct shares *s, struct share *places, int at, int of)
{
    struct share *victim;
    int expected = model_judge(m, &m->who[of]);
    bool taken = shares_take(s, &m->who[of], &places[at], &victim);
    assert_int_equal(taken ? (victim ? victim - places : -1) : -2, expected);
    if (!taken)
        return;
    if (victim)
        m->place[victim - places].taken = false;
    m->place[at].taken = true;
    m->place[at].idle = false;
    m->place[at].of = of;
}

static void step(struct model *m, struct shares *s, struct share *places)
{
    int at = rand() % PLACES;
    if (!m->place[at].taken) {
        step_take(m, s, places, at, rand() % 4 > 0 ? rand() % NAMES : rand() % 3);
    } else if (rand() % 3 > 0) {
        bool idle = rand() % 3 > 0;
        if (idle != m->place[at].idle && m->who[m->place[at].of].depth > 0)
            m->place[at].since = m->turns++;
        m->place[at].idle = idle;
        shares_set_idle(s, &places[at], idle);
    } else {
        m->place[at].taken = false;
        shares_give(s, &places[at]);
    }
}

/* F50 F51 F52: against a model. */
static void test_f50_f51_f52_against_a_model(void **state)
{
    static struct model m;
    static struct share places[PLACES];
    struct shares *s = shares_new(CAPACITY);
    srand(7);
    for (int i = 0; i < NAMES; i++)
        m.who[i] = who_of(names[i]);
    for (int i = 0; i < STEPS; i++) {
        step(&m, s, places);
        assert_int_equal(shares_count(s), model_total(&m));
        assert_true(shares_count(s) <= CAPACITY);
    }
    shares_check(s);
    for (int i = 0; i < PLACES; i++)
        shares_give(s, &places[i]);
    shares_free(s);
}

/* ---- a large pool */

/* A stranger comes to a pool that one network has filled, again and again. */
/* F51: a stranger costs no walk. */
static void test_f51_a_stranger_costs_no_walk(void **state)
{
    enum { LARGE = 20000 };
    struct shares *s = shares_new(LARGE);
    struct share *places = calloc(LARGE + 1, sizeof *places), *victim;
    struct address a = {.network = 0, .host = UINT64_C(0xffff00000000)};
    for (int i = 0; i < LARGE; i++, a.host++) {
        struct who who = who_of_address(&a);
        assert_true(shares_take(s, &who, &places[i], &victim));
        shares_set_idle(s, &places[i], true);
    }
    for (int i = 0; i < LARGE; i++, a.host++) {
        struct who who = who_of_address(&a);
        struct share *p = i == 0 ? &places[LARGE] : &places[i - 1];
        assert_true(shares_take(s, &who, p, &victim));
        assert_ptr_equal(victim, &places[i]);
        shares_set_idle(s, p, true);
    }
    for (int i = 0; i <= LARGE; i++)
        shares_give(s, &places[i]);
    free(places);
    shares_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_f50_nobody_gets_the_last_quarter),
        cmocka_unit_test(test_f50_networks_count_as_one),
        cmocka_unit_test(test_f51_the_greediest_gives_up_its_oldest_idle_place),
        cmocka_unit_test(test_f51_of_equals_each_replaces_its_own),
        cmocka_unit_test(test_f51_a_place_that_is_used_again_is_the_youngest),
        cmocka_unit_test(test_f51_a_crowd_in_one_network_is_greedier_than_its_members),
        cmocka_unit_test(test_f52_nobody_is_never_the_victim),
        cmocka_unit_test(test_objects_are_holders),
        cmocka_unit_test(test_f50_f51_f52_against_a_model),
        cmocka_unit_test(test_f51_a_stranger_costs_no_walk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
