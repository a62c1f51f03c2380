/* SPDX-License-Identifier: MIT */
/* test_peer_sign.c - which peers are gone, and when to look. */
#include "h2mux/io/peer_sign.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

enum { TIMEOUT_MS = 30000 };

static const struct {
    const char *name;
    struct peer_sign sign;
    bool bad;
} signs[] = {
    {"F26 nothing sent twice", {0, 0, 60000}, false},
    {"F26 two losses", {2, 0, 60000}, false},
    {"F26 three losses", {3, 0, 0}, true},
    {"F26 many losses", {9, 0, 60000}, true},
    {"F27 a probe under way", {0, 1, 120000}, false},
    {"F26 two probes without answer", {0, 2, 90000}, true},
};

static void test_bad(void **state)
{
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++)
        if (peer_sign_is_bad(&signs[i].sign) != signs[i].bad)
            fail_msg("%s", signs[i].name);
}

/* F26: silence before the bytes were sent does not count, nor what came before an answer. */
static void test_silence(void **state)
{
    const struct peer_sign sign = {.quiet_ms = 25000};
    assert_int_equal(peer_sign_silence_ms(&sign, 10000), 10000);
    assert_int_equal(peer_sign_silence_ms(&sign, 30000), 25000);
}

/* F26: the last look comes when the time is up, and not ten seconds later. */
static void test_looks(void **state)
{
    assert_int_equal(peer_sign_next_ms(0, TIMEOUT_MS), 10000);
    assert_int_equal(peer_sign_next_ms(10000, TIMEOUT_MS), 10000);
    assert_int_equal(peer_sign_next_ms(25000, TIMEOUT_MS), 5000);
    assert_int_equal(peer_sign_next_ms(29999, TIMEOUT_MS), 20);
    assert_int_equal(peer_sign_next_ms(0, 600000), 10000);
    assert_int_equal(peer_sign_next_ms(0, 3000), 1000);
    assert_int_equal(peer_sign_next_ms(2500, 3000), 500);
    assert_int_equal(peer_sign_next_ms(0, 1), 20);
}

/* What the kernel says every 100 ms of a peer that vanishes at 0, whose timeout of retransmission
 * is @rto_ms at first. */
static struct peer_sign vanished(uint64_t at_ms, uint64_t rto_ms)
{
    struct peer_sign sign = {.quiet_ms = at_ms};
    for (uint64_t due = rto_ms, step = rto_ms; due <= at_ms; due += step *= 2)
        sign.retransmits++;
    return sign;
}

/* F26: a peer on any usual path is found within 5 s of the timeout, whatever the phase of the
 * looks. */
static void test_vanished(void **state)
{
    for (uint64_t rto_ms = 200; rto_ms <= 600; rto_ms += 100)
        for (uint64_t phase_ms = 0; phase_ms < 10000; phase_ms += 100) {
            uint64_t at = phase_ms, since = 0;
            for (;;) {
                struct peer_sign sign = vanished(at, rto_ms);
                if (!peer_sign_is_bad(&sign))
                    since = at;
                uint64_t silence = peer_sign_silence_ms(&sign, at - since);
                if (silence >= TIMEOUT_MS)
                    break;
                at += peer_sign_next_ms(silence, TIMEOUT_MS);
            }
            if (at < TIMEOUT_MS || at > TIMEOUT_MS + 5000)
                fail_msg("RTO %d, phase %d: %d", (int)rto_ms, (int)phase_ms, (int)at);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_silence),
        cmocka_unit_test(test_looks),
        cmocka_unit_test(test_vanished),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
