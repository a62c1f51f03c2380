/* SPDX-License-Identifier: MIT */
/* priority.c - see priority.h. The value is a dictionary (RFC 8941 3.2), of which one member
 * counts.
 */
#include "h2mux/h2/priority.h"

/* Returns whether the member @m is `u=N`, perhaps with parameters. */
static bool is_urgency(struct slice m)
{
    return slice_starts(m, SLICE("u=")) && m.len >= 3 && m.ptr[2] >= '0' &&
           m.ptr[2] < '0' + PRIORITY_LEVELS && (m.len == 3 || m.ptr[3] == ';' || m.ptr[3] == ' ');
}

uint8_t priority_urgency(struct slice value)
{
    uint8_t urgency = PRIORITY_USUAL;
    while (value.len > 0) {
        ptrdiff_t end = slice_find(value, ',');
        struct slice member = end < 0 ? value : slice_make(value.ptr, (size_t)end);
        value = slice_skip(value, end < 0 ? value.len : (size_t)end + 1);
        member = slice_trim(member);
        if (is_urgency(member))
            urgency = (uint8_t)(member.ptr[2] - '0');
    }
    return urgency;
}
