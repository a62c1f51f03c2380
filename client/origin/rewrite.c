/* SPDX-License-Identifier: MIT */
/* rewrite.c - see rewrite.h. A base is "scheme://authority", of the viewer's side or of the origin.
 * A value that is a base, or begins with it, gets the other base in its place; a value that begins
 * with "//authority" gets the other authority. */
#include "client/origin/rewrite.h"

#include "h2mux/http/h1.h"

struct base {
    struct slice scheme, authority;
};

int rewrite_parse(const char *text, struct rewrite *out)
{
    *out = (struct rewrite){.mode = REWRITE_KEEP};
    if (strcmp(text, "keep") == 0)
        return 0;
    if (strcmp(text, "rewrite") == 0) {
        out->mode = REWRITE_ALL;
        return 0;
    }
    out->mode = REWRITE_VALUE;
    out->value = text;
    return h1_authority_valid(slice_str(text)) ? 0 : ERR_SYNTAX;
}

static struct base origin_base(const struct rewrite *w)
{
    return (struct base){
        .scheme = w->origin->https ? SLICE("https") : SLICE("http"),
        .authority = slice_str(w->origin->authority),
    };
}

/* Returns @authority without the scheme's default port: where that is 80, "host:80", "host:" and
 * "host" are the same authority. */
static struct slice without_default_port(struct slice scheme, struct slice authority)
{
    struct slice port = slice_ieq(scheme, SLICE("https")) ? SLICE(":443") : SLICE(":80");
    if (slice_ends(authority, SLICE(":")))
        port = SLICE(":");
    if (slice_ends(authority, port))
        authority.len -= port.len;
    return authority;
}

/* Returns the length of the authority that @s begins with. */
static size_t authority_length(struct slice s)
{
    size_t n = 0;
    while (n < s.len && s.ptr[n] != '/' && s.ptr[n] != '?' && s.ptr[n] != '#')
        n++;
    return n;
}

/* Returns whether @value begins with @from, and sets @rest to what is behind it. */
static bool behind_base(struct slice value, const struct base *from, struct slice *rest)
{
    if (!slice_istarts(value, from->scheme) ||
        !slice_starts(slice_skip(value, from->scheme.len), SLICE("://")))
        return false;
    struct slice tail = slice_skip(value, from->scheme.len + 3);
    struct slice authority = slice_make(tail.ptr, authority_length(tail));
    if (!slice_ieq(without_default_port(from->scheme, authority),
                   without_default_port(from->scheme, from->authority)))
        return false;
    *rest = slice_skip(tail, authority.len);
    return true;
}

/* Returns whether @value is a network-path reference ("//authority/path", RFC 3986 4.2) to the
 * authority of @from, and sets @rest to what is behind that. It has the scheme of what it stands
 * in, which is that of @from. */
static bool behind_slashes(struct slice value, const struct base *from, struct slice *rest)
{
    if (!slice_starts(value, SLICE("//")))
        return false;
    struct slice tail = slice_skip(value, 2);
    struct slice authority = slice_make(tail.ptr, authority_length(tail));
    if (!slice_ieq(without_default_port(from->scheme, authority),
                   without_default_port(from->scheme, from->authority)))
        return false;
    *rest = slice_skip(tail, authority.len);
    return true;
}

static void set_value(struct fields *f, struct field *field, struct slice value)
{
    f->bytes += value.len - field->value.len;
    field->value = value;
}

/* Joins the parts in the section's arena, and returns that. */
static struct slice join(struct fields *f, const struct slice *parts, size_t n)
{
    struct buf b;
    buf_init(&b, 2 * (size_t)FIELDS_BYTES_MAX);
    for (size_t i = 0; i < n; i++)
        if (buf_append(&b, parts[i]) < 0)
            break; /* cannot be: a head is smaller */
    struct slice kept = fields_keep(f, buf_slice(&b));
    buf_release(&b);
    return kept;
}

static void swap_base(struct fields *f, struct field *field, const struct base *from,
                      const struct base *to)
{
    struct slice rest;
    if (behind_base(field->value, from, &rest)) {
        const struct slice parts[] = {to->scheme, SLICE("://"), to->authority, rest};
        set_value(f, field, join(f, parts, 4));
    } else if (behind_slashes(field->value, from, &rest)) {
        const struct slice parts[] = {SLICE("//"), to->authority, rest};
        set_value(f, field, join(f, parts, 3));
    }
}

static bool is_any_of(struct slice name, const char *const *names)
{
    for (; *names; names++)
        if (slice_ieq(name, slice_str(*names)))
            return true;
    return false;
}

static void swap_in_fields(struct fields *f, const char *const *names, const struct base *from,
                           const struct base *to)
{
    for (size_t i = 0; i < f->count; i++)
        if (is_any_of(f->v[i].name, names))
            swap_base(f, &f->v[i], from, to);
}

void rewrite_request(const struct rewrite *w, struct message *m)
{
    static const char *const names[] = {"origin", "referer", NULL};
    switch (w->mode) {
    case REWRITE_KEEP:
        return;
    case REWRITE_VALUE:
        m->authority = slice_str(w->value);
        return;
    case REWRITE_ALL: {
        struct base viewer = {m->scheme, m->authority}, origin = origin_base(w);
        swap_in_fields(&m->fields, names, &viewer, &origin);
        m->authority = origin.authority;
        return;
    }
    }
}

static struct slice host_of(struct slice authority)
{
    ptrdiff_t colon = slice_rfind(authority, ':'), bracket = slice_rfind(authority, ']');
    return colon > bracket ? slice_make(authority.ptr, (size_t)colon) : authority;
}

/* Sets @domain to the value of the Domain attribute in @cookie. Returns false when there is none.
 */
static bool find_domain(struct slice cookie, struct slice *domain)
{
    ptrdiff_t semicolon;
    while ((semicolon = slice_find(cookie, ';')) >= 0) {
        cookie = slice_skip(cookie, (size_t)semicolon + 1);
        ptrdiff_t end = slice_find(cookie, ';');
        struct slice attribute = end < 0 ? cookie : slice_make(cookie.ptr, (size_t)end);
        ptrdiff_t equals = slice_find(attribute, '=');
        if (equals < 0 ||
            !slice_ieq(slice_trim(slice_make(attribute.ptr, (size_t)equals)), SLICE("domain")))
            continue;
        *domain = slice_trim(slice_skip(attribute, (size_t)equals + 1));
        return true;
    }
    return false;
}

static void swap_cookie_domain(struct fields *f, struct field *field, struct slice from,
                               struct slice to)
{
    struct slice domain, bare;
    if (!find_domain(field->value, &domain))
        return;
    /* RFC 6265 5.2.3: a leading dot means nothing. */
    bare = slice_starts(domain, SLICE(".")) ? slice_skip(domain, 1) : domain;
    if (!slice_ieq(bare, from))
        return;
    struct slice before = slice_make(field->value.ptr, (size_t)(domain.ptr - field->value.ptr));
    struct slice after = slice_skip(field->value, before.len + domain.len);
    const struct slice parts[] = {before, to, after};
    set_value(f, field, join(f, parts, 3));
}

void rewrite_response(const struct rewrite *w, struct message *m, struct slice scheme,
                      struct slice authority)
{
    static const char *const names[] = {"location", "content-location",
                                        "access-control-allow-origin", NULL};
    if (w->mode != REWRITE_ALL)
        return;
    struct base viewer = {scheme, authority}, origin = origin_base(w);
    swap_in_fields(&m->fields, names, &origin, &viewer);
    for (size_t i = 0; i < m->fields.count; i++)
        if (slice_ieq(m->fields.v[i].name, SLICE("set-cookie")))
            swap_cookie_domain(&m->fields, &m->fields.v[i], host_of(origin.authority),
                               host_of(authority));
}
