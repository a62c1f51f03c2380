/* SPDX-License-Identifier: MIT */
/* kept.c - see kept.h. */
#include "client/server/kept.h"

#include <string.h>

void kept_drop(struct kept *k)
{
    sock_close(k->sock);
    k->sock = NULL;
}

void kept_put(struct kept *k, const struct url *at, struct sock *sock)
{
    kept_drop(k);
    k->at = *at;
    k->sock = sock;
}

static bool is_one_place(const struct url *a, const struct url *b)
{
    return a->https == b->https && a->port == b->port && strcmp(a->host, b->host) == 0;
}

/* Under TLS, reading takes the session tickets that lie before whatever else has come. */
static bool is_quiet(struct sock *s)
{
    char byte;
    return sock_read(s, &byte, 1) == ERR_AGAIN;
}

struct sock *kept_take(struct kept *k, const struct url *to)
{
    struct sock *sock = k->sock;
    if (!sock || !is_one_place(&k->at, to) || !is_quiet(sock))
        return NULL;
    k->sock = NULL;
    return sock;
}
