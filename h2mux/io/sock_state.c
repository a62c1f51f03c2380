/* SPDX-License-Identifier: MIT */
/* sock_state.c - the states of a sock's two directions: every change of them, and their names. The
 * drawings are in sock_int.h.
 *
 * Invariant: rx is EMPTY or HELD only after the kernel said that nothing is there (or sock_rest
 * took a short read for that), so with edge-triggered events no wake-up is lost. */
#include "h2mux/io/sock_int.h"

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

/* close_notify may be told before FIN is there. */
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
