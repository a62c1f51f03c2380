/* SPDX-License-Identifier: MIT */
/* bans.h - remembers whom the operator has shut out, and until when. A ban is of a name, of a
 * network, or of the viewers of one name that come from a network. Has a lock; without a ban a
 * question costs one read of memory. http-rules.md#the-board
 *
 * An IPv6 address is known by its first 64 bits (address.h), so no ban of a smaller network can be
 * made. Bans do not outlive the process. */
#ifndef SRC_LIMITS_BANS_H
#define SRC_LIMITS_BANS_H

#include "src/limits/address.h"

enum {
    BANS_MAX = 1024,
    BANS_NAME_MAX = 63,     /* bytes of a name */
    BANS_NETWORK_TEXT = 64, /* bytes of a network as text, with the zero */
    BANS_BITS = 128
};

/* A network. IPv4 networks are those of the mapped addresses ::ffff:0:0/96. */
struct bans_network {
    struct address base; /* two numbers, without bits beyond `bits` */
    unsigned bits;
};

struct ban {
    char name[BANS_NAME_MAX + 1]; /* folded; empty: every name */
    bool of_network;              /* `network` counts; false: everybody */
    struct bans_network network;
    uint64_t until_us; /* monotonic */
};

struct bans;

struct bans *bans_new(void) MUSTCHECK;
void bans_free(struct bans *b);

/* Reads "192.0.2.1", "192.0.2.0/24", "2001:db8::1" (its /64) or "2001:db8::/48". Returns 0,
 * ERR_SYNTAX when @text is none of these, or ERR_LIMIT for an IPv6 network smaller than a /64. */
int bans_network_parse(struct slice text, struct bans_network *out) MUSTCHECK;
/* Writes the network as bans_network_parse reads it. */
void bans_network_text(const struct bans_network *n, char out[static BANS_NETWORK_TEXT]);

/* Returns whether @ban shuts out the address @from (NULL: it is not known) from sharing @name, or
 * else from looking at it. A ban of both a name and a network is of viewers alone. Pure. */
bool ban_is_of(const struct ban *ban, struct slice name, const struct address *from, bool shares);

/* Adds a ban, or changes the end of one that is there. Returns 0, or ERR_LIMIT when there are
 * BANS_MAX. */
int bans_add(struct bans *b, const struct ban *ban, uint64_t now_us) MUSTCHECK;
/* Ends the ban of the same name and network. Returns whether there was one. */
bool bans_remove(struct bans *b, const struct ban *ban);

/* Returns until when the address @from (NULL: it is not known) may not share @name, or 0. @b is
 * NULL where nobody can make a ban. */
uint64_t bans_of_sharing(struct bans *b, struct slice name, const struct address *from,
                         uint64_t now_us);
/* Returns likewise until when @from may not look at @name. */
uint64_t bans_of_viewing(struct bans *b, struct slice name, const struct address *from,
                         uint64_t now_us);

/* Returns whether the viewer @v may not look at @name. */
bool bans_bar(struct bans *b, struct slice name, const struct viewer *v, uint64_t now_us);

/* Copies at most @max bans that are in force to @out. Returns how many. */
size_t bans_list(struct bans *b, struct ban *out, size_t max, uint64_t now_us);

#endif
