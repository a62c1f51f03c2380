/* SPDX-License-Identifier: MIT */
/* test_exchange_party.c - which streams of a link are said to be one viewer's: those of one
 * connection, and behind a proxy those of one address. Rule F92. */
#include "exchange_world.h"

#include "h2mux/h2/h2.h"

/* Returns the stream as the client sees it. */
static struct far *begin(struct fixture *x, size_t which, enum kind kind)
{
    exchange_start(start(x, which, kind)->exchange, x->tunnel);
    return await_far(x, x->n_far + 1);
}

static void leave(struct fixture *x, size_t which)
{
    exchange_cancel(x->near[which].exchange, "viewer_left");
    x->near[which].exchange = NULL;
    message_deinit(&x->near[which].head);
}

static void check_party(const char *name, const struct far *f, uint32_t number)
{
    char want[64] = "";
    if (number > 0)
        snprintf(want, sizeof want, "oneport-party=%u ", number);
    if (!strstr(f->fields, want) || !!strstr(f->fields, "oneport-party") != (number > 0))
        fail_msg("%s: %s", name, f->fields);
}

static void proxied(struct near *n, const char *address)
{
    n->viewer.proxied = n->viewer.trusted = true;
    snprintf(n->viewer.address, sizeof n->viewer.address, "%s", address);
}

/* F92 */
static void test_who_is_one_viewer(void **state)
{
    static const struct {
        const char *name, *first, *second; /* addresses that a proxy names; NULL: no proxy */
        bool connection, asks, told;
        enum kind kind;
    } rows[] = {
        {"a connection", NULL, NULL, true, true, true, GET},
        {"two connections", NULL, NULL, false, true, false, GET},
        {"an upload", NULL, NULL, true, true, true, POST},
        {"a WebSocket", NULL, NULL, true, true, true, WEBSOCKET},
        {"the link does not ask", NULL, NULL, true, false, false, GET},
        {"an address behind a proxy", "192.0.2.1", "192.0.2.1", false, true, true, GET},
        {"two of them", "192.0.2.1", "192.0.2.2", false, true, false, GET},
        {"two by one connection of the proxy", "192.0.2.1", "192.0.2.2", true, true, false, GET},
        {"a household", "2001:db8::1", "2001:db8::2", false, true, true, GET},
    };
    struct fixture *x = *state;
    struct link *l = attach(x, 10);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct list_node connection;
        uint32_t number = 4 * (uint32_t)i + 1;
        bool together = rows[i].told || !rows[i].asks;
        list_init(&connection);
        l->backend.asks_party = rows[i].asks;
        for (size_t n = 0; n < 2; n++) {
            const char *address = n == 0 ? rows[i].first : rows[i].second;
            x->near[n].viewer = (struct viewer){.proxied = false};
            x->near[n].connection = rows[i].connection ? &connection : NULL;
            if (address)
                proxied(&x->near[n], address);
            const struct far *f = begin(x, n, n == 0 ? GET : rows[i].kind);
            check_party(rows[i].name, f, n == 1 && rows[i].told ? number : 0);
        }
        assert_int_equal(h2_leg_party(x->near[1].exchange->relay.far.leg),
                         together ? number : number + 2);
        leave(x, 0);
        leave(x, 1);
        assert_true(list_empty(&connection));
        x->near[0].connection = x->near[1].connection = NULL;
    }
}

static bool is_over(void *user)
{
    return !((struct near *)user)->exchange;
}

/* F92: the first stream of a viewer who has none left is told nothing, nor is one that goes by
 * another link; a request that is sent again says what is so by then. */
static void test_what_is_over_is_no_more(void **state)
{
    struct fixture *x = *state;
    struct link *l = attach(x, 10);
    l->backend.asks_party = true;
    for (size_t n = 0; n < 2; n++)
        proxied(&x->near[n], "192.0.2.1");
    begin(x, 0, GET);
    leave(x, 0);
    check_party("the only one", begin(x, 0, GET), 0);
    struct far *f = begin(x, 1, GET);
    check_party("the second", f, 3);
    leave(x, 0);
    refuse(f, H2_REFUSED_STREAM);
    f = await_far(x, 4);
    check_party("sent again", f, 0);
    answer(f, 200, NULL, NULL, true);
    turns_until(x->worker->loop, is_over, &x->near[1]);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_who_is_one_viewer),
        TEST(test_what_is_over_is_no_more),
    };
    return cmocka_run_group_tests_name("exchange_party", tests, NULL, NULL);
}
