/* SPDX-License-Identifier: MIT */
/* audience.h - counts the viewers of the last minute. Pure: its caller has the clock.
 *
 * A viewer is a number that stands for an address. An audience remembers AUDIENCE_PLACES of them at
 * most; of two viewers at one place the later one counts, so large audiences are a little larger
 * than their count. */
#ifndef CLIENT_AUDIENCE_H
#define CLIENT_AUDIENCE_H

#include <stddef.h>
#include <stdint.h>

enum { AUDIENCE_PLACES = 4096, AUDIENCE_MS = 60 * 1000 };

struct audience {
    struct {
        uint64_t viewer;  /* 0: nobody */
        uint64_t seen_us; /* monotonic */
    } place[AUDIENCE_PLACES];
};

/* Notes that @viewer was seen at @now_us. 0 stands for nobody, and is not noted. */
void audience_note(struct audience *a, uint64_t viewer, uint64_t now_us);

/* Returns how many viewers were seen in the last AUDIENCE_MS. */
size_t audience_count(const struct audience *a, uint64_t now_us);

#endif
