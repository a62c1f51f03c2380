/* SPDX-License-Identifier: MIT */
/* test_sock_state.c - the states of a sock's two directions: each transition from each state.
 * sock_int.h. */
#include "wire.h"

#include "h2mux/io/sock_int.h"

enum { RX_STATES = 9, TX_STATES = 6 };

enum rx_step { ARRIVED, LEFT, GOT_ALL, GOT_LESS, DRAINED, HELD, STARVED, ENDED, TOLD, FAIL };

static void rx_step(struct sock *s, enum rx_step step)
{
    switch (step) {
    case ARRIVED:
        sock_rx_arrived(s);
        break;
    case LEFT:
        sock_rx_left(s);
        break;
    case GOT_ALL:
        sock_rx_got(s, 10, 10);
        break;
    case GOT_LESS:
        sock_rx_got(s, 9, 10);
        break;
    case DRAINED:
        sock_rx_drained(s);
        break;
    case HELD:
        sock_rx_held(s);
        break;
    case STARVED:
        sock_rx_starved(s);
        break;
    case ENDED:
        sock_rx_ended(s, ERR_RESET);
        break;
    case TOLD:
        sock_rx_told(s);
        break;
    case FAIL:
        sock_rx_fail(s, ERR_IO);
        break;
    }
}

/* From empty, held, ready, short, notified, left, ended, told, failed, of a sock with TLS. */
static const struct {
    const char *name;
    enum rx_step step;
    const char *to[RX_STATES];
} rx_rows[] = {
    {"an event",
     ARRIVED,
     {"ready", "ready", "ready", "ready", "notified", "left", "ended", "told", "failed"}},
    {"FIN is seen",
     LEFT,
     {"left", "left", "left", "left", "told", "left", "ended", "told", "failed"}},
    {"all of a read",
     GOT_ALL,
     {"ready", "ready", "ready", "ready", "notified", "left", "ended", "told", "failed"}},
    {"a short read",
     GOT_LESS,
     {"short", "short", "short", "short", "notified", "left", "ended", "told", "failed"}},
    {"nothing there",
     DRAINED,
     {"held", "held", "held", "held", "notified", "held", "ended", "told", "failed"}},
    {"OpenSSL may hold",
     HELD,
     {"held", "held", "ready", "short", "notified", "left", "ended", "told", "failed"}},
    {"OpenSSL starves",
     STARVED,
     {"empty", "empty", "ready", "short", "notified", "left", "ended", "told", "failed"}},
    {"the end is read",
     ENDED,
     {"ended", "ended", "ended", "ended", "told", "ended", "ended", "told", "failed"}},
    {"the end is told",
     TOLD,
     {"notified", "notified", "notified", "notified", "notified", "told", "told", "told",
      "failed"}},
    {"an error",
     FAIL,
     {"failed", "failed", "failed", "failed", "failed", "failed", "failed", "failed", "failed"}},
};

static struct sock tls_sock(enum sock_rx_state from)
{
    struct sock s = {.fd = -1, .tls.ssl = (SSL *)(void *)&tls_sock, .rx.state = from};
    s.rx.failed = from == SOCK_RX_FAILED ? ERR_ABUSE : 0;
    return s;
}

static void test_rx(void **state)
{
    for (size_t i = 0; i < sizeof rx_rows / sizeof *rx_rows; i++)
        for (int nth = 0; nth < RX_STATES; nth++) {
            enum sock_rx_state from = (enum sock_rx_state)nth;
            struct sock s = tls_sock(from);
            rx_step(&s, rx_rows[i].step);
            if (strcmp(sock_rx_name(s.rx.state), rx_rows[i].to[from]) != 0)
                fail_msg("%s: %s leads to %s, want %s", rx_rows[i].name, sock_rx_name(from),
                         sock_rx_name(s.rx.state), rx_rows[i].to[from]);
            assert_int_equal(s.rx.failed != 0, s.rx.state == SOCK_RX_FAILED);
        }
}

/* Without OpenSSL nothing is held. */
static void test_plain(void **state)
{
    for (enum sock_rx_state from = SOCK_RX_READY; from <= SOCK_RX_SHORT; from++) {
        struct sock s = {.fd = -1, .rx.state = from};
        sock_rx_drained(&s);
        assert_int_equal(s.rx.state, SOCK_RX_EMPTY);
        sock_rx_held(&s);
        assert_int_equal(s.rx.state, SOCK_RX_EMPTY);
    }
}

/* The first error stays, and the end that the peer gave. */
static void test_first_error_stays(void **state)
{
    struct sock s = tls_sock(SOCK_RX_FAILED);
    sock_rx_fail(&s, ERR_IO);
    assert_int_equal(s.rx.failed, ERR_ABUSE);
    s = tls_sock(SOCK_RX_LEFT);
    sock_rx_ended(&s, ERR_RESET);
    sock_rx_ended(&s, 0);
    assert_int_equal(s.rx.end, ERR_RESET);
}

enum tx_step { READY, FULL, SHUT };

static void tx_step(struct sock *s, enum tx_step step)
{
    if (step == READY)
        sock_tx_ready(s);
    else if (step == FULL)
        sock_tx_full(s);
    else
        sock_tx_shut(s);
}

/* From full, ready, full-fin, ready-fin, ended, broken. */
static const struct {
    enum tx_step step;
    const char *to[TX_STATES];
} tx_rows[] = {
    {READY, {"ready", "ready", "ready-fin", "ready-fin", "ended", "broken"}},
    {FULL, {"full", "full", "full-fin", "full-fin", "ended", "broken"}},
    {SHUT, {"full-fin", "ready-fin", "full-fin", "ready-fin", "ended", "ready-fin"}},
};

static void test_tx(void **state)
{
    for (size_t i = 0; i < sizeof tx_rows / sizeof *tx_rows; i++)
        for (int nth = 0; nth < TX_STATES; nth++) {
            enum sock_tx_state from = (enum sock_tx_state)nth;
            struct sock s = {.fd = -1, .tx.state = from};
            tx_step(&s, tx_rows[i].step);
            if (strcmp(sock_tx_name(s.tx.state), tx_rows[i].to[from]) != 0)
                fail_msg("row %zu: %s leads to %s, want %s", i, sock_tx_name(from),
                         sock_tx_name(s.tx.state), tx_rows[i].to[from]);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rx),
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_first_error_stays),
        cmocka_unit_test(test_tx),
    };
    return cmocka_run_group_tests_name("sock_state", tests, NULL, NULL);
}
