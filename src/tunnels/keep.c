/* SPDX-License-Identifier: MIT */
/* keep.c - begins and ends the lives of a name in the table of reservations; see keep.h. */
#include "src/tunnels/keep.h"

#include "h2mux/base/check.h"
#include "h2mux/base/clock.h"

static void keep_check(const struct keep *k)
{
    CHECK_THAT(!k->begun || (k->said && k->live_since_us > 0));
}

void keep_called(struct keep *k, const struct address *from)
{
    k->known = from;
    if (from)
        k->from = *from;
}

void keep_note(struct keep *k, struct reserve *r, struct slice name,
               const uint8_t owner[static OWNER_LEN], bool live)
{
    if (live && k->live_since_us == 0) {
        k->live_since_us = clock_now_us();
        k->said = k->said || reserve_is_for(r, name, owner);
    }
    if (live && k->said && !k->begun) {
        reserve_begin(r, name, owner, k->known ? &k->from : NULL, k->live_since_us);
        k->begun = true;
    }
    if (!live) {
        if (k->begun)
            reserve_end(r, name);
        k->begun = false;
        k->live_since_us = 0;
    }
    if (CHECKING)
        keep_check(k);
}
