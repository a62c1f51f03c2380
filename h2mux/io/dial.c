/* SPDX-License-Identifier: MIT */
/* dial.c - asks the resolver, connects to several addresses at the same time, goes through the
 * proxy if there is one, and runs the TLS handshake on the first connection. See dial.h.
 *
 * A racer is the attempt to connect to one address. The winner is the sock that is connected first.
 * Invariants: `query` is set only while RESOLVING; a racer has a sock while the racer may still
 * win; `winner` is set only while PASSING or HANDSHAKING, `passage` only while PASSING. One
 * deadline covers all steps together. */
#include "h2mux/io/dial.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>

#include "h2mux/base/inet.h"
#include "h2mux/io/passage.h"

struct racer {
    struct dial *dial; /* borrowed; the racer is part of the dial */
    struct sock *sock; /* owned; NULL before the start and after a loss */
    struct sockaddr_storage addr;
    socklen_t addr_len;
};

struct dial {
    struct loop *loop;            /* borrowed: outlives every dial */
    struct resolver *resolver;    /* borrowed; outlives every dial */
    struct resolver_query *query; /* weak: a query ends with its answer */
    struct dial_target target;
    const struct dial_ops *ops;
    void *user; /* borrowed; cancels the dial before its own end */
    enum dial_step step;
    struct racer racers[DIAL_ADDRESSES_MAX];
    size_t count, next;  /* number of racers; index of the next to start */
    struct sock *winner; /* owned */
    struct passage *passage;
    uint64_t passage_ms; /* a part of the deadline, so that the proxy is named */
    int err;             /* of the failure that says most; of this step */
    char reason[256];
    struct task begin;
    struct timer stagger, deadline;
    struct reap reap;
};

const char *dial_step_name(enum dial_step step)
{
    switch (step) {
    case DIAL_DNS:
        return "DNS";
    case DIAL_TCP:
        return "TCP";
    case DIAL_PROXY:
        return "proxy";
    case DIAL_TLS:
        return "TLS";
    }
    return "?";
}

static void drop_racers(struct dial *d)
{
    for (size_t i = 0; i < d->count; i++) {
        sock_close(d->racers[i].sock);
        d->racers[i].sock = NULL;
    }
}

void dial_cancel(struct dial *d)
{
    if (!d || !d->ops)
        return;
    d->ops = NULL;
    task_cancel(&d->begin);
    timer_stop(&d->stagger);
    timer_stop(&d->deadline);
    resolver_cancel(d->query);
    d->query = NULL;
    drop_racers(d);
    passage_cancel(d->passage);
    d->passage = NULL;
    sock_close(d->winner);
    d->winner = NULL;
    loop_reap(d->loop, &d->reap, free, d);
}

static void note(struct dial *d, int err, const char *reason)
{
    d->err = err;
    snprintf(d->reason, sizeof d->reason, "%s", reason ? reason : err_text(err));
}

/* Orders the failures of addresses by what they say: the greater the number, the more. An address
 * that was not tried for want of a descriptor may have the service. A machine that refuses is
 * there, and one that there is no way to may only be of the family that this machine lacks. */
static int weight(int err)
{
    switch (err) {
    case ERR_OK: /* none yet */
    case ERR_DNS:
        return 0;
    case ERR_UNREACHABLE:
        return 1;
    case ERR_TIMEOUT:
        return 2;
    case ERR_SHORT:
        return 4;
    default:
        return 3;
    }
}

static void note_racer(struct dial *d, int err, const char *reason)
{
    if (weight(err) >= weight(d->err))
        note(d, err, reason);
}

/* Puts the name of the proxy before the reason of a failure that has to do with it. */
static void blame_proxy(struct dial *d)
{
    const struct proxy *p = d->target.proxy;
    char why[sizeof d->reason];
    snprintf(why, sizeof why, "%s", d->reason);
    snprintf(d->reason, sizeof d->reason, strchr(p->host, ':') ? "[%s]:%u%s %s" : "%s:%u%s %s",
             p->host, (unsigned)p->port, d->step == DIAL_PROXY ? "" : ":", why);
    d->step = DIAL_PROXY;
}

/* Ends the dial, then calls on_failed. The order matters because the owner may do anything in
 * on_failed. */
static void fail(struct dial *d)
{
    const struct dial_ops *ops = d->ops;
    dial_cancel(d);
    if (d->target.proxy && d->step != DIAL_TLS)
        blame_proxy(d);
    ops->on_failed(d->user, d->step, d->err, d->reason);
}

static void succeed(struct dial *d)
{
    const struct dial_ops *ops = d->ops;
    struct sock *sock = d->winner;
    d->winner = NULL;
    dial_cancel(d);
    ops->on_done(d->user, sock);
}

static void on_winner_open(void *user)
{
    succeed(user);
}

static void on_winner_error(void *user, int err, const char *reason)
{
    struct dial *d = user;
    note(d, err, reason);
    fail(d);
}

/* Does nothing: bytes that arrive stay in the sock until the owner has taken the sock. */
static void on_nothing(void *user)
{
}

static const struct sock_ops winner_ops = {
    .on_open = on_winner_open,
    .on_readable = on_nothing,
    .on_error = on_winner_error,
};

static void start_tls(struct dial *d)
{
    if (!d->target.tls) {
        succeed(d);
        return;
    }
    d->step = DIAL_TLS;
    sock_set_ops(d->winner, &winner_ops, d);
    const char *name = d->target.tls_name ? d->target.tls_name : d->target.host;
    int err = sock_start_tls(d->winner, d->target.tls, name);
    if (err < 0) {
        note(d, err, NULL);
        fail(d);
    }
}

static void on_through(void *user)
{
    struct dial *d = user;
    d->passage = NULL;
    start_tls(d);
}

static void on_passage_failed(void *user, int err, const char *reason)
{
    struct dial *d = user;
    d->passage = NULL;
    note(d, err, reason);
    fail(d);
}

static const struct passage_ops passage_ops = {
    .on_through = on_through,
    .on_failed = on_passage_failed,
};

static void take_winner(struct dial *d, struct racer *r)
{
    d->winner = r->sock;
    r->sock = NULL;
    drop_racers(d);
    timer_stop(&d->stagger);
    if (!d->target.proxy) {
        start_tls(d);
        return;
    }
    d->step = DIAL_PROXY;
    d->passage = passage_start(d->loop, d->winner, d->target.proxy, d->target.host, d->target.port,
                               d->passage_ms, &passage_ops, d);
}

static void on_racer_open(void *user)
{
    struct racer *r = user;
    take_winner(r->dial, r);
}

static bool racing(const struct dial *d)
{
    for (size_t i = 0; i < d->next; i++)
        if (d->racers[i].sock)
            return true;
    return false;
}

static void start_next(struct dial *d);

static void on_racer_error(void *user, int err, const char *reason)
{
    struct racer *r = user;
    note_racer(r->dial, err, reason);
    sock_close(r->sock);
    r->sock = NULL;
    start_next(r->dial);
}

static const struct sock_ops racer_ops = {
    .on_open = on_racer_open,
    .on_readable = on_nothing,
    .on_error = on_racer_error,
};

/* Begins to connect to the next address. Skips addresses that fail at once. Fails the dial if no
 * address is left and no racer is connecting. */
static void start_next(struct dial *d)
{
    while (d->next < d->count) {
        struct racer *r = &d->racers[d->next++];
        r->dial = d;
        const struct sockaddr *to = (const struct sockaddr *)&r->addr;
        r->sock = sock_connect(d->loop, to, r->addr_len, d->target.below);
        if (r->sock) {
            sock_set_ops(r->sock, &racer_ops, r);
            if (d->next < d->count)
                timer_arm(&d->stagger, DIAL_STAGGER_MS);
            return;
        }
        int why = errno;
        note_racer(d, sock_connect_err(to, r->addr_len, why), strerror(why));
    }
    if (!racing(d))
        fail(d);
}

static void on_stagger(void *user)
{
    start_next(user);
}

static void on_deadline(void *user)
{
    struct dial *d = user;
    note(d, ERR_TIMEOUT, NULL);
    fail(d);
}

size_t dial_order(const struct addrinfo *list, const struct addrinfo **out, size_t max)
{
    const struct addrinfo *same = list, *other = list;
    size_t n = 0;
    while (n < max && (same || other)) {
        while (same && same->ai_family != list->ai_family)
            same = same->ai_next;
        if (same) {
            out[n++] = same;
            same = same->ai_next;
        }
        while (other && other->ai_family == list->ai_family)
            other = other->ai_next;
        if (other && n < max) {
            out[n++] = other;
            other = other->ai_next;
        }
    }
    return n;
}

/* Notes the address @a, for the case that no address may be dialled. */
static void note_denied(struct dial *d, const struct addrinfo *a)
{
    char text[INET6_ADDRSTRLEN], reason[sizeof d->reason];
    sock_address_text(a->ai_addr, false, text, sizeof text);
    snprintf(reason, sizeof reason, "%s of %.60s %.100s", text, d->target.host, d->target.denied);
    note(d, ERR_DENIED, reason);
}

static void add_addresses(struct dial *d, const struct addrinfo *list)
{
    const struct addrinfo *ordered[DIAL_ADDRESSES_MAX];
    size_t n = dial_order(list, ordered, DIAL_ADDRESSES_MAX);
    for (size_t i = 0; i < n; i++) {
        struct racer *r = &d->racers[d->count];
        if (ordered[i]->ai_addrlen > sizeof r->addr)
            continue;
        if (!d->target.proxy && d->target.allows &&
            !d->target.allows(d->target.rule, ordered[i]->ai_addr)) {
            note_denied(d, ordered[i]);
            continue;
        }
        memcpy(&r->addr, ordered[i]->ai_addr, ordered[i]->ai_addrlen);
        r->addr_len = ordered[i]->ai_addrlen;
        d->count++;
    }
}

static void race(struct dial *d)
{
    if (d->count == 0 && d->err == 0)
        note(d, ERR_DNS, "no usable address");
    d->step = DIAL_TCP;
    start_next(d);
}

static void on_answer(void *user, const struct addrinfo *list, int err, const char *reason)
{
    struct dial *d = user;
    d->query = NULL;
    if (!list) {
        note(d, err, reason);
        fail(d);
        return;
    }
    add_addresses(d, list);
    race(d);
}

static void add_unix(struct dial *d)
{
    struct racer *r = &d->racers[d->count++];
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    snprintf(un.sun_path, sizeof un.sun_path, "%s", d->target.unix_path);
    memcpy(&r->addr, &un, sizeof un);
    r->addr_len = sizeof un;
}

/* What is looked up and connected to: the proxy, or the host itself. */
static const char *next_host(const struct dial *d)
{
    return d->target.proxy ? d->target.proxy->host : d->target.host;
}

static uint16_t next_port(const struct dial *d)
{
    return d->target.proxy ? d->target.proxy->port : d->target.port;
}

static bool add_literal(struct dial *d, const char *address)
{
    struct addrinfo *list = resolver_literal(address, next_port(d));
    if (!list)
        return false;
    add_addresses(d, list);
    freeaddrinfo(list);
    return true;
}

/* Adds the addresses that need no lookup. Returns false if the host is a name that needs one. The
 * addresses of localhost are those of loopback, whatever /etc/hosts or a name server says. */
static bool add_known(struct dial *d)
{
    if (!inet_is_localhost(slice_str(next_host(d))))
        return add_literal(d, next_host(d));
    bool v4 = add_literal(d, "127.0.0.1"), v6 = add_literal(d, "::1");
    return v4 || v6;
}

static void on_begin(void *user)
{
    struct dial *d = user;
    if (d->target.unix_path) {
        add_unix(d);
        race(d);
        return;
    }
    if (add_known(d)) {
        race(d);
        return;
    }
    d->query = resolver_ask(d->resolver, next_host(d), next_port(d), on_answer, d);
}

struct dial *dial_start(struct loop *l, struct resolver *r, const struct dial_target *target,
                        uint64_t timeout_ms, const struct dial_ops *ops, void *user)
{
    struct dial *d = xcalloc(1, sizeof *d);
    d->loop = l;
    d->resolver = r;
    d->target = *target;
    d->ops = ops;
    d->user = user;
    d->step = DIAL_DNS;
    d->passage_ms = timeout_ms - timeout_ms / 4;
    task_init(&d->begin, on_begin, d);
    timer_init(&d->stagger, l, on_stagger, d);
    timer_init(&d->deadline, l, on_deadline, d);
    timer_arm(&d->deadline, timeout_ms);
    loop_defer_dear(l, &d->begin); /* thousands at once would hold up all else */
    return d;
}
