/* handshakes.c - a list of addresses, one a handshake. Invariant: the first `count` of `order` are
 * the places that are taken. */
#include "src/handshakes.h"

#include <pthread.h>
#include <stdlib.h>

enum { NETWORK_OCTETS = 8 }; /* of an IPv6 address */

struct handshakes {
    pthread_mutex_t lock;
    uint64_t per_address;
    size_t count;
    int order[HANDSHAKES_MAX];    /* a permutation of the places */
    size_t index[HANDSHAKES_MAX]; /* of a place, in order */
    struct in6_addr address[HANDSHAKES_MAX];
};

struct handshakes *handshakes_new(uint64_t per_address)
{
    struct handshakes *h = xcalloc(1, sizeof(*h));
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

/* IPv4 as ::ffff:a.b.c.d, IPv6 without its host part. false: it is no internet address. */
static bool key_of(const struct sockaddr_storage *peer, struct in6_addr *out)
{
    *out = (struct in6_addr){0};
    if (peer->ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)peer;
        out->s6_addr[10] = out->s6_addr[11] = 0xff;
        memcpy(out->s6_addr + 12, &v4->sin_addr, sizeof v4->sin_addr);
        return true;
    }
    if (peer->ss_family != AF_INET6)
        return false;
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)peer;
    memcpy(out->s6_addr, v6->sin6_addr.s6_addr,
           IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr) ? sizeof out->s6_addr : NETWORK_OCTETS);
    return true;
}

static bool has_room(const struct handshakes *h, const struct in6_addr *key)
{
    uint64_t own = 0;
    for (size_t i = 0; i < h->count; i++)
        own += memcmp(&h->address[h->order[i]], key, sizeof(*key)) == 0;
    return h->count < HANDSHAKES_MAX && own < h->per_address;
}

int handshakes_begin(struct handshakes *h, const struct trust *t,
                     const struct sockaddr_storage *peer)
{
    struct in6_addr key;
    if (h->per_address == 0 || trust_has(t, peer) || !key_of(peer, &key))
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
