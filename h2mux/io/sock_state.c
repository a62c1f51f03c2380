/* SPDX-License-Identifier: MIT */
/* sock_state.c - changes the states of a sock's two directions, names them and checks them.
 * sock_int.h has drawings of the states.
 *
 * Invariant: rx is EMPTY or HELD only after the kernel has said that it has no bytes, or after
 * sock_rest. So no wake-up is lost although events are edge-triggered. */
#include "h2mux/io/sock_int.h"

#include "h2mux/base/check.h"

const char *sock_rx_name(enum sock_rx_state state)
{
    static const char *const names[] = {"empty", "held",  "ready", "short", "notified",
                                        "left",  "ended", "told",  "failed"};
    return names[state];
}

const char *sock_tx_name(enum sock_tx_state state)
{
    static const char *const names[] = {"full",      "ready", "full-fin",
                                        "ready-fin", "ended", "broken"};
    return names[state];
}

/* ---- receiving */

void sock_rx_arrived(struct sock *s)
{
    if (s->rx.state < SOCK_RX_NOTIFIED)
        s->rx.state = SOCK_RX_READY;
}

void sock_rx_left(struct sock *s)
{
    if (s->rx.state == SOCK_RX_NOTIFIED)
        s->rx.state = SOCK_RX_TOLD;
    else if (s->rx.state < SOCK_RX_LEFT)
        s->rx.state = SOCK_RX_LEFT;
}

/* Notes a read of @n bytes where @cap were asked for. A short read makes the state SHORT and not
 * EMPTY, because an RST may have come in the same event. */
void sock_rx_got(struct sock *s, size_t n, size_t cap)
{
    if (s->rx.state < SOCK_RX_NOTIFIED)
        s->rx.state = n < cap ? SOCK_RX_SHORT : SOCK_RX_READY;
}

void sock_rx_drained(struct sock *s)
{
    if (s->rx.state != SOCK_RX_NOTIFIED && s->rx.state < SOCK_RX_ENDED)
        s->rx.state = s->tls.ssl ? SOCK_RX_HELD : SOCK_RX_EMPTY;
}

void sock_rx_held(struct sock *s)
{
    if (s->rx.state == SOCK_RX_EMPTY && s->tls.ssl)
        s->rx.state = SOCK_RX_HELD;
}

void sock_rx_starved(struct sock *s)
{
    if (s->rx.state == SOCK_RX_HELD)
        s->rx.state = SOCK_RX_EMPTY;
}

void sock_rx_ended(struct sock *s, int end)
{
    if (sock_has_ended(s))
        return;
    s->rx.state = s->rx.state == SOCK_RX_NOTIFIED ? SOCK_RX_TOLD : SOCK_RX_ENDED;
    s->rx.end = end;
}

/* Notes that the reader was told of the end. The state is TOLD if the peer has left, and NOTIFIED
 * after close_notify without FIN. */
void sock_rx_told(struct sock *s)
{
    if (s->rx.state != SOCK_RX_FAILED)
        s->rx.state = sock_has_left(s) ? SOCK_RX_TOLD : SOCK_RX_NOTIFIED;
}

void sock_rx_fail(struct sock *s, int err)
{
    if (s->rx.state != SOCK_RX_FAILED)
        s->rx.failed = err;
    s->rx.state = SOCK_RX_FAILED;
}

/* ---- sending */

void sock_tx_ready(struct sock *s)
{
    if (s->tx.state == SOCK_TX_FULL)
        s->tx.state = SOCK_TX_READY;
    else if (s->tx.state == SOCK_TX_FULL_FIN)
        s->tx.state = SOCK_TX_READY_FIN;
}

void sock_tx_full(struct sock *s)
{
    if (s->tx.state == SOCK_TX_READY)
        s->tx.state = SOCK_TX_FULL;
    else if (s->tx.state == SOCK_TX_READY_FIN)
        s->tx.state = SOCK_TX_FULL_FIN;
}

void sock_tx_shut(struct sock *s)
{
    if (s->tx.state == SOCK_TX_FULL)
        s->tx.state = SOCK_TX_FULL_FIN;
    else if (s->tx.state == SOCK_TX_READY || s->tx.state == SOCK_TX_BROKEN)
        s->tx.state = SOCK_TX_READY_FIN;
}

void sock_tx_ended(struct sock *s)
{
    s->tx.state = SOCK_TX_ENDED;
}

/* ---- invariants */

/* Aborts unless @holds. Prints both states and @what first. */
static void check_state(const struct sock *s, bool holds, const char *what)
{
    if (!holds)
        fprintf(stderr, "sock: rx %s, tx %s, %s: %s\n", sock_rx_name(s->rx.state),
                sock_tx_name(s->tx.state), s->tls.ssl ? "TLS" : "plain", what);
    CHECK_THAT(holds);
}

static void check_rx(const struct sock *s)
{
    bool of_kernel = s->rx.state == SOCK_RX_READY || s->rx.state == SOCK_RX_SHORT;
    bool of_tls = s->rx.state == SOCK_RX_HELD || s->rx.state == SOCK_RX_NOTIFIED;
    check_state(s, s->fd >= 0 || !of_kernel, "only a kernel has bytes ready");
    check_state(s, s->tls.ssl || !of_tls, "only OpenSSL holds bytes");
    check_state(s, (s->rx.failed != 0) == (s->rx.state == SOCK_RX_FAILED), "an error is FAILED");
}

static void check_tx(const struct sock *s)
{
    bool over = s->tx.state == SOCK_TX_ENDED || s->tx.state == SOCK_TX_BROKEN;
    bool early = s->tls.ssl && s->state != SOCK_OPEN;
    check_state(s, !over || buf_len(&s->tx.raw) == 0, "nothing leaves any more");
    check_state(s, early || buf_len(&s->tx.early) == 0, "only before TLS is open");
    check_state(s, s->state != SOCK_HANDSHAKING || s->tls.ssl, "only TLS shakes hands");
    check_state(s, s->tail.of || !s->tail.waits, "a tail is counted somewhere");
    check_state(s, !s->finish || s->state == SOCK_OPEN, "last words are said while open");
}

static void check_closed(const struct sock *s)
{
    CHECK_THAT(s->fd == -1);
    CHECK_THAT(!s->pair && !s->finish && !s->tail.waits);
    CHECK_THAT(loop_gather(s->loop)->owner != s);
    CHECK_THAT(!wheel_timer_armed(&s->watch.timer));
    CHECK_THAT(!list_linked(&s->tasks.ready.node) && !list_linked(&s->tasks.shake.node));
    CHECK_THAT(!list_linked(&s->tasks.flush.node) && !list_linked(&s->tasks.check.node));
}

void sock_check(const struct sock *s)
{
    loop_check_thread(s->loop);
    if (s->state == SOCK_CLOSED) {
        check_closed(s);
        return;
    }
    CHECK_THAT(!s->pair || (s->pair->pair == s && s->pair->loop == s->loop && s->fd == -1));
    check_rx(s);
    check_tx(s);
}
