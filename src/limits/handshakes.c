/* SPDX-License-Identifier: MIT */
/* handshakes.c - a list of addresses, one a handshake. Invariant: the first `count` of `order` are
 * the places that are taken. */
#include "src/limits/handshakes.h"

#include <pthread.h>
#include <stdlib.h>

#include "src/limits/address.h"

struct handshakes {
    pthread_mutex_t lock;
    uint64_t per_address;
    size_t count;
    int order[HANDSHAKES_MAX];    /* a permutation of the places */
    size_t index[HANDSHAKES_MAX]; /* of a place, in order */
    struct address address[HANDSHAKES_MAX];
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

static bool has_room(const struct handshakes *h, const struct address *key)
{
    uint64_t own = 0;
    for (size_t i = 0; i < h->count; i++)
        own += address_eq(&h->address[h->order[i]], key);
    return h->count < HANDSHAKES_MAX && own < h->per_address;
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
    pthread_mutex_unlock(&h->lock);
    return place;
}

void handshakes_end(struct handshakes *h, int place)
{
    if (place < 0)
        return;
    pthread_mutex_lock(&h->lock);
    size_t at = h->index[place];
    int last = h->order[--h->count];
    h->order[at] = last;
    h->index[last] = at;
    h->order[h->count] = place;
    h->index[place] = h->count;
    pthread_mutex_unlock(&h->lock);
}
