/* SPDX-License-Identifier: MIT */
/* lines.c - see lines.h. A tunnel has a handful of links, so a search goes through all. */
#include "src/tunnels/lines.h"

#include <stdlib.h>

#include "h2mux/base/alloc.h"

struct known_line {
    char instance[INSTANCE_LEN + 1]; /* empty: nothing is known */
    unsigned slot;
    struct line_rate learned;
};

static struct known_line *find(const struct lines *l, const struct place *p)
{
    for (size_t i = 0; l->known && i < LINES_MAX; i++) {
        struct known_line *k = &l->known[i];
        if (k->slot == p->slot && slice_eq(slice_str(k->instance), p->instance))
            return k;
    }
    return NULL;
}

static struct known_line *oldest(const struct lines *l)
{
    struct known_line *k = l->known;
    for (size_t i = 1; i < LINES_MAX; i++)
        if (l->known[i].learned.us < k->learned.us)
            k = &l->known[i];
    return k;
}

void lines_keep(struct lines *l, const struct place *p, const struct line_rate *learned)
{
    if (p->instance.len == 0 || p->instance.len > INSTANCE_LEN)
        return;
    if (!l->known)
        l->known = xcalloc(LINES_MAX, sizeof *l->known);
    struct known_line *k = find(l, p);
    if (!k) {
        k = oldest(l);
        *k = (struct known_line){.slot = p->slot};
        memcpy(k->instance, p->instance.ptr, p->instance.len);
    }
    k->learned = *learned;
}

struct line_rate lines_find(const struct lines *l, const struct place *p)
{
    const struct known_line *k = p->instance.len > 0 ? find(l, p) : NULL;
    return k ? k->learned : (struct line_rate){0};
}

void lines_forget(struct lines *l)
{
    free(l->known);
    l->known = NULL;
}
