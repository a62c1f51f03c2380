/* SPDX-License-Identifier: MIT */
/* patience.c - see patience.h. */
#include "client/server/patience.h"

void patience_note(struct patience *p, bool vain)
{
    p->vain = vain ? p->vain + 1 : 0;
}

/* A few tries are enough where somebody has to change something. What may pass gets some time
 * beside that. */
static bool is_first_over(const struct patience *p, uint64_t now_us)
{
    uint64_t tried_ms = (now_us - p->began_us) / 1000;
    return p->vain >= PATIENCE_TRIES ||
           (p->retries + 1 >= PATIENCE_TRIES && tried_ms >= p->first_ms);
}

bool patience_is_over(const struct patience *p, bool first, bool counts, uint64_t now_us)
{
    if (first && p->first_ms > 0 && is_first_over(p, now_us))
        return true;
    return counts && p->max_retries > 0 && p->retries >= p->max_retries;
}
