/* SPDX-License-Identifier: MIT */
/* patience.h - says when tries to reach the server have failed for long enough. Pure: time is an
 * argument. http-rules.md O93, O172 */
#ifndef CLIENT_SERVER_PATIENCE_H
#define CLIENT_SERVER_PATIENCE_H

#include <stdbool.h>
#include <stdint.h>

enum { PATIENCE_TRIES = 4 }; /* of a first connection, at least */

struct patience {
    uint64_t max_retries; /* in a row while no link is up; 0: no limit */
    uint64_t first_ms;    /* with a first connection; 0: no end but that of max_retries */
    uint64_t began_us;    /* when that was first tried */
    uint64_t retries;     /* that were counted since a link was up */
    unsigned vain;        /* failures in a row that trying again will hardly mend */
};

/* Notes whether trying again will hardly mend the failure that has just come. */
void patience_note(struct patience *p, bool vain);

/* Returns whether the try that has just failed was the last one. @first: no link was ever up.
 * @counts: the try counts against max_retries. */
bool patience_is_over(const struct patience *p, bool first, bool counts, uint64_t now_us);

#endif
