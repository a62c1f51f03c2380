/* SPDX-License-Identifier: MIT */
/* handshakes.c - keeps a place for each handshake under way, with the peer's address; see
 * handshakes.h.
 *
 * Invariants: `order` lists each place once, and its first `count` places are taken; `index` gives
 * the position of a place in `order`; no address has more than `per_address` places. */
#include "src/limits/handshakes.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

#include "h2mux/base/check.h"
#include "src/limits/address.h"

struct handshakes {
    pthread_mutex_t lock;
    uint64_t per_address;
    size_t count;
    int order[HANDSHAKES_MAX];
    size_t index[HANDSHAKES_MAX];
    struct address address[HANDSHAKES_MAX]; /* of a place */
};

struct handshakes *handshakes_new(uint64_t per_address)
{
    struct handshakes *h = xcalloc(1, sizeof *h);
    pthread_mutex_init(&h->lock, NULL);
    h->per_address = per_address;
    for (size_t i = 0; i < HANDSHAKES_MAX; i++) {
        h->order[i] = (int)i;
        h->index[i] = i;
    }
    return h;
}

void handshakes_free(struct handshakes *h)
{
    if (!h)
        return;
    pthread_mutex_destroy(&h->lock);
    free(h);
}

/* Returns how many places @key has. */
static uint64_t count_of(const struct handshakes *h, const struct address *key)
{
    uint64_t own = 0;
    for (size_t i = 0; i < h->count; i++)
        own += address_eq(&h->address[h->order[i]], key);
    return own;
}

/* Checks the invariants while the caller holds the lock. @key is the address whose places are
 * counted. */
static void handshakes_check(const struct handshakes *h, const struct address *key)
{
    CHECK_THAT(h->count <= HANDSHAKES_MAX);
    for (size_t i = 0; i < HANDSHAKES_MAX; i++) {
        CHECK_THAT(h->order[i] >= 0 && h->order[i] < HANDSHAKES_MAX);
        CHECK_THAT(h->index[h->order[i]] == i);
    }
    CHECK_THAT(count_of(h, key) <= h->per_address);
}

static bool has_room(const struct handshakes *h, const struct address *key)
{
    return h->count < HANDSHAKES_MAX && count_of(h, key) < h->per_address;
}

int handshakes_begin(struct handshakes *h, const struct trust *t,
                     const struct sockaddr_storage *peer)
{
    struct address key;
    if (h->per_address == 0 || trust_has(t, peer) || !address_of_peer(peer, &key))
        return HANDSHAKE_UNCOUNTED;
    int place = HANDSHAKE_REFUSED;
    pthread_mutex_lock(&h->lock);
    if (has_room(h, &key)) {
        place = h->order[h->count++];
        h->address[place] = key;
    }
    if (CHECKING)
        handshakes_check(h, &key);
    pthread_mutex_unlock(&h->lock);
    return place;
}

void handshakes_end(struct handshakes *h, int place)
{
    if (place < 0)
        return;
    pthread_mutex_lock(&h->lock);
    assert(place < HANDSHAKES_MAX);
    size_t at = h->index[place];
    assert(at < h->count);
    int last = h->order[--h->count];
    h->order[at] = last;
    h->index[last] = at;
    h->order[h->count] = place;
    h->index[place] = h->count;
    if (CHECKING)
        handshakes_check(h, &h->address[place]);
    pthread_mutex_unlock(&h->lock);
}
