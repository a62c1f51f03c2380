/* SPDX-License-Identifier: MIT */
/* priority.h - reads how urgent a peer says that an answer is: the field `priority`, and the value
 * of a PRIORITY_UPDATE frame. RFC 9218 4. Pure. */
#ifndef H2MUX_H2_PRIORITY_H
#define H2MUX_H2_PRIORITY_H

#include <stdint.h>

#include "h2mux/base/slice.h"

enum {
    PRIORITY_LEVELS = 8, /* 0 is the most urgent */
    PRIORITY_USUAL = 3   /* of an answer of which nothing is said */
};

/* Returns the urgency that @value asks for, from 0 to 7: the last `u` that is a number of those, or
 * PRIORITY_USUAL. Whatever else @value says is skipped, also `i`, since answers of the same urgency
 * take turns in any case. */
uint8_t priority_urgency(struct slice value);

#endif
