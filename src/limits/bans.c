/* SPDX-License-Identifier: MIT */
/* bans.c - see bans.h. The bans are a short array, in no order; those that are over go when the
 * array is changed. */
#include "src/limits/bans.h"

#include <arpa/inet.h>
#include <endian.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "h2mux/base/alloc.h"
#include "h2mux/base/err.h"
#include "h2mux/base/inet.h"

enum { V4_BITS = 32, V4_PREFIX = BANS_BITS - V4_BITS, V6_MOST = 64 };

struct bans {
    pthread_mutex_t lock;
    _Atomic size_t count; /* read without the lock, too */
    struct ban all[BANS_MAX];
};

struct bans *bans_new(void)
{
    struct bans *b = xcalloc(1, sizeof *b);
    pthread_mutex_init(&b->lock, NULL);
    return b;
}

void bans_free(struct bans *b)
{
    if (b)
        pthread_mutex_destroy(&b->lock);
    free(b);
}

/* ---- networks */

/* Returns the first @bits bits of @a, as two numbers: address.h keeps the first 64 bits of IPv6 in
 * the order of the wire. */
static struct address masked(const struct address *a, unsigned bits)
{
    unsigned host = bits > 64 ? bits - 64 : 0;
    uint64_t upper = bits == 0 ? 0 : bits >= 64 ? UINT64_MAX : UINT64_MAX << (64 - bits);
    uint64_t lower = host == 0 ? 0 : host >= 64 ? UINT64_MAX : UINT64_MAX << (64 - host);
    return (struct address){be64toh(a->network) & upper, a->host & lower};
}

static bool covers(const struct bans_network *n, const struct address *a)
{
    struct address m = masked(a, n->bits);
    return address_eq(&m, &n->base);
}

/* Reads an address into @out. Returns its family, or AF_UNSPEC. */
static int parse_address(struct slice text, struct address *out)
{
    struct sockaddr_storage peer = {0};
    union inet address;
    if (inet_parse(AF_INET, text, &address)) {
        peer.ss_family = AF_INET;
        ((struct sockaddr_in *)(void *)&peer)->sin_addr = address.v4;
    } else if (inet_parse(AF_INET6, text, &address) && !IN6_IS_ADDR_V4MAPPED(&address.v6)) {
        peer.ss_family = AF_INET6;
        ((struct sockaddr_in6 *)(void *)&peer)->sin6_addr = address.v6;
    } else {
        return AF_UNSPEC;
    }
    return address_of_peer((const struct sockaddr *)&peer, out) ? peer.ss_family : AF_UNSPEC;
}

int bans_network_parse(struct slice text, struct bans_network *out)
{
    ptrdiff_t slash = slice_find(text, '/');
    struct slice host = slash < 0 ? text : slice_make(text.ptr, (size_t)slash);
    uint64_t bits = 0;
    struct address a;
    int family = parse_address(host, &a);
    uint64_t most = family == AF_INET ? V4_BITS : BANS_BITS;
    if (family == AF_UNSPEC)
        return ERR_SYNTAX;
    if (slash < 0)
        bits = family == AF_INET ? V4_BITS : V6_MOST;
    else if (slice_to_u64(slice_skip(text, (size_t)slash + 1), most, &bits) < 0)
        return ERR_SYNTAX;
    if (family == AF_INET6 && bits > V6_MOST)
        return ERR_LIMIT;
    out->bits = (unsigned)bits + (family == AF_INET ? V4_PREFIX : 0);
    out->base = masked(&a, out->bits);
    return 0;
}

static void put(uint8_t *to, uint64_t value)
{
    for (int i = 0; i < 8; i++)
        to[i] = (uint8_t)(value >> (56 - 8 * i));
}

void bans_network_text(const struct bans_network *n, char out[static BANS_NETWORK_TEXT])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    uint8_t bytes[16];
    char host[INET6_ADDRSTRLEN] = "";
    put(bytes, n->base.network);
    put(bytes + 8, n->base.host);
    bool v4 = n->bits >= V4_PREFIX && memcmp(bytes, mapped, sizeof mapped) == 0;
    inet_ntop(v4 ? AF_INET : AF_INET6, v4 ? bytes + 12 : bytes, host, sizeof host);
    snprintf(out, BANS_NETWORK_TEXT, "%s/%u", host, v4 ? n->bits - V4_PREFIX : n->bits);
}

/* ---- the bans */

static bool is_same(const struct ban *a, const struct ban *b)
{
    return strcmp(a->name, b->name) == 0 && a->of_network == b->of_network &&
           (!a->of_network ||
            (a->network.bits == b->network.bits && address_eq(&a->network.base, &b->network.base)));
}

/* Removes what is over, and the ban @gone, which may be NULL. Returns whether that was there. */
static bool sweep(struct bans *b, const struct ban *gone, uint64_t now_us)
{
    size_t kept = 0, count = atomic_load(&b->count);
    bool found = false;
    for (size_t i = 0; i < count; i++) {
        bool is_gone = gone && is_same(&b->all[i], gone);
        found |= is_gone;
        if (!is_gone && b->all[i].until_us > now_us)
            b->all[kept++] = b->all[i];
    }
    atomic_store(&b->count, kept);
    return found;
}

int bans_add(struct bans *b, const struct ban *ban, uint64_t now_us)
{
    int err = ERR_LIMIT;
    pthread_mutex_lock(&b->lock);
    sweep(b, ban, now_us);
    size_t count = atomic_load(&b->count);
    if (count < BANS_MAX) {
        b->all[count] = *ban;
        atomic_store(&b->count, count + 1);
        err = 0;
    }
    pthread_mutex_unlock(&b->lock);
    return err;
}

bool bans_remove(struct bans *b, const struct ban *ban)
{
    pthread_mutex_lock(&b->lock);
    bool found = sweep(b, ban, 0);
    pthread_mutex_unlock(&b->lock);
    return found;
}

bool ban_is_of(const struct ban *ban, struct slice name, const struct address *from, bool shares)
{
    bool of_viewers = ban->name[0] && ban->of_network;
    if (ban->name[0] && !slice_ieq(name, slice_str(ban->name)))
        return false;
    if (of_viewers && shares)
        return false;
    return !ban->of_network || (from && covers(&ban->network, from));
}

static uint64_t look(struct bans *b, struct slice name, const struct address *from, bool shares,
                     uint64_t now_us)
{
    uint64_t until_us = 0;
    if (!b || atomic_load_explicit(&b->count, memory_order_relaxed) == 0)
        return 0;
    pthread_mutex_lock(&b->lock);
    size_t count = atomic_load(&b->count);
    for (size_t i = 0; i < count; i++)
        if (b->all[i].until_us > now_us && b->all[i].until_us > until_us &&
            ban_is_of(&b->all[i], name, from, shares))
            until_us = b->all[i].until_us;
    pthread_mutex_unlock(&b->lock);
    return until_us;
}

uint64_t bans_of_sharing(struct bans *b, struct slice name, const struct address *from,
                         uint64_t now_us)
{
    return look(b, name, from, true, now_us);
}

uint64_t bans_of_viewing(struct bans *b, struct slice name, const struct address *from,
                         uint64_t now_us)
{
    return look(b, name, from, false, now_us);
}

bool bans_bar(struct bans *b, struct slice name, const struct viewer *v, uint64_t now_us)
{
    struct address of;
    bool known = address_of_viewer(v, &of);
    return bans_of_viewing(b, name, known ? &of : NULL, now_us) > 0;
}

size_t bans_list(struct bans *b, struct ban *out, size_t max, uint64_t now_us)
{
    size_t listed = 0;
    pthread_mutex_lock(&b->lock);
    size_t count = atomic_load(&b->count);
    for (size_t i = 0; i < count && listed < max; i++)
        if (b->all[i].until_us > now_us)
            out[listed++] = b->all[i];
    pthread_mutex_unlock(&b->lock);
    return listed;
}
