/* SPDX-License-Identifier: MIT */
/* page_call.c - looks at the fields by which a browser says why it sends a request; see
 * page_call.h. */
#include "src/http/page_call.h"

static bool has_field(const struct fields *f, struct slice name)
{
    return fields_find(f, name);
}

/* Returns whether a field line of @name has another value than @value. */
static bool differs(const struct fields *f, struct slice name, struct slice value)
{
    for (size_t i = 0; i < f->count; i++)
        if (slice_ieq(f->v[i].name, name) && !slice_ieq(slice_trim(f->v[i].value), value))
            return true;
    return false;
}

/* Returns whether a field line of @name contains the word @word in any letter case. */
static bool mentions(const struct fields *f, struct slice name, struct slice word)
{
    for (size_t i = 0; i < f->count; i++)
        for (struct slice rest = f->v[i].value;
             slice_ieq(f->v[i].name, name) && rest.len >= word.len; rest = slice_skip(rest, 1))
            if (slice_istarts(rest, word))
                return true;
    return false;
}

/* Returns whether @origin is that of the request itself: its scheme is any, and the rest is the
 * authority. */
static bool is_own_origin(struct slice origin, struct slice authority)
{
    size_t scheme = slice_istarts(origin, SLICE("https://"))  ? 8
                    : slice_istarts(origin, SLICE("http://")) ? 7
                                                              : 0;
    return scheme > 0 && slice_ieq(slice_skip(origin, scheme), authority);
}

static bool has_foreign_origin(const struct message *m)
{
    const struct fields *f = &m->fields;
    for (size_t i = 0; i < f->count; i++)
        if (slice_ieq(f->v[i].name, SLICE("origin")) &&
            !is_own_origin(slice_trim(f->v[i].value), m->authority))
            return true;
    return false;
}

static bool is_prefetch(const struct fields *f)
{
    return mentions(f, SLICE("sec-purpose"), SLICE("prefetch")) ||
           mentions(f, SLICE("sec-purpose"), SLICE("prerender")) ||
           mentions(f, SLICE("purpose"), SLICE("prefetch")) ||
           mentions(f, SLICE("x-purpose"), SLICE("preview")) ||
           mentions(f, SLICE("x-moz"), SLICE("prefetch"));
}

bool page_call(const struct message *m, bool https)
{
    const struct fields *f = &m->fields;
    if (mentions(f, SLICE("sec-fetch-site"), SLICE("cross-site")) ||
        mentions(f, SLICE("sec-fetch-site"), SLICE("same-site")) ||
        differs(f, SLICE("sec-fetch-dest"), SLICE("empty")) || has_foreign_origin(m) ||
        is_prefetch(f))
        return true;
    /* The fetch() of Node says "accept-language: *", and a browser names languages. */
    return !https && (differs(f, SLICE("accept-language"), SLICE("*")) ||
                      has_field(f, SLICE("referer")) || has_field(f, SLICE("cookie")));
}
