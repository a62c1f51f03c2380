/* SPDX-License-Identifier: MIT */
/* test_handshakes.c - tests the limits of TLS handshakes under way: http-rules.md#addresses */
#include "src/limits/handshakes.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

enum { EACH = 64 };

static struct sockaddr_storage address_of(const char *text)
{
    struct sockaddr_storage out = {0};
    struct sockaddr_in *v4 = (struct sockaddr_in *)(void *)&out;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)(void *)&out;
    if (inet_pton(AF_INET, text, &v4->sin_addr) == 1)
        out.ss_family = AF_INET;
    else if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1)
        out.ss_family = AF_INET6;
    else
        out.ss_family = AF_UNIX;
    return out;
}

struct world {
    struct trust *trust;
    struct handshakes *all;
};

static struct world world_of(uint64_t per_address)
{
    struct world w = {trust_new(), handshakes_new(per_address)};
    assert_int_equal(trust_add(w.trust, "203.0.113.0/24"), 0);
    return w;
}

static void end(struct world *w)
{
    handshakes_free(w->all);
    trust_free(w->trust);
}

static int begin(struct world *w, const char *address)
{
    struct sockaddr_storage peer = address_of(address);
    return handshakes_begin(w->all, w->trust, &peer);
}

static void test_an_address_has_so_many(void **state)
{
    static const struct {
        const char *name, *first, *second;
        bool same;
    } rows[] = {
        {"another address", "192.0.2.1", "192.0.2.2", false},
        {"IPv4 by IPv6", "192.0.2.1", "::ffff:192.0.2.1", true},
        {"another by IPv6", "::ffff:192.0.2.1", "::ffff:192.0.2.2", false},
        {"a network of IPv6", "2001:db8::1", "2001:db8::ffff:2", true},
        {"another network", "2001:db8::1", "2001:db8:0:1::1", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct world w = world_of(EACH);
        int place = begin(&w, rows[i].first);
        for (int n = 1; n < EACH; n++)
            assert_true(begin(&w, rows[i].first) >= 0);
        assert_int_equal(begin(&w, rows[i].first), HANDSHAKE_REFUSED);
        bool refused = begin(&w, rows[i].second) == HANDSHAKE_REFUSED;
        if (refused != rows[i].same)
            fail_msg("%s", rows[i].name);
        handshakes_end(w.all, place);
        assert_true(begin(&w, rows[i].first) >= 0);
        assert_int_equal(begin(&w, rows[i].first), HANDSHAKE_REFUSED);
        end(&w);
    }
}

static void test_all_have_so_many(void **state)
{
    int place[HANDSHAKES_MAX];
    char text[32];
    struct world w = world_of(EACH);
    (void)state;
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < HANDSHAKES_MAX; i++) {
            snprintf(text, sizeof text, "198.51.%d.%d", i / 200, i % 200);
            assert_true((place[i] = begin(&w, text)) >= 0);
        }
        assert_int_equal(begin(&w, "192.0.2.1"), HANDSHAKE_REFUSED);
        for (int i = 0; i < HANDSHAKES_MAX; i++) /* in another order */
            handshakes_end(w.all, place[i * 5 % HANDSHAKES_MAX]);
    }
    end(&w);
}

static void test_who_does_not_count(void **state)
{
    static const char *const uncounted[] = {"127.0.0.1", "::1", "a unix socket", "203.0.113.9"};
    (void)state;
    struct world w = world_of(1), off = world_of(0);
    for (size_t i = 0; i < sizeof uncounted / sizeof *uncounted; i++)
        for (int n = 0; n < 3; n++)
            assert_int_equal(begin(&w, uncounted[i]), HANDSHAKE_UNCOUNTED);
    handshakes_end(w.all, HANDSHAKE_UNCOUNTED);
    handshakes_end(w.all, HANDSHAKE_REFUSED);
    for (int n = 0; n < 3; n++)
        assert_int_equal(begin(&off, "192.0.2.1"), HANDSHAKE_UNCOUNTED);
    end(&w);
    end(&off);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_address_has_so_many),
        cmocka_unit_test(test_all_have_so_many),
        cmocka_unit_test(test_who_does_not_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
