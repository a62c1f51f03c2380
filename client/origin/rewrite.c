/* SPDX-License-Identifier: MIT */
/* rewrite.c - see rewrite.h. A value that is a base, or begins with it, gets the other base in its
 * place; a value that begins with "//authority" gets the other authority. */
#include "client/origin/rewrite.h"

#include "client/origin/base.h"
#include "h2mux/http/h1.h"

int rewrite_parse(const char *text, struct rewrite *out)
{
    static const struct {
        const char *name;
        enum rewrite_mode mode;
    } modes[] = {{"auto", REWRITE_AUTO}, {"keep", REWRITE_KEEP}, {"rewrite", REWRITE_ALL}};
    *out = (struct rewrite){.mode = REWRITE_KEEP};
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++)
        if (strcmp(text, modes[i].name) == 0) {
            out->mode = modes[i].mode;
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

/* Puts @base in front of @rest, in a value of @f. */
static struct slice with_base(struct fields *f, const struct base *base, bool is_short,
                              struct slice rest)
{
    const struct slice parts[] = {is_short ? SLICE("") : base->scheme,
                                  is_short ? SLICE("//") : SLICE("://"), base->authority, rest};
    return join(f, parts, 4);
}

/* Returns whether @value names the base @from, and sets @out to the same with @to. */
static bool swapped(struct fields *f, struct slice value, const struct base *from,
                    const struct base *to, struct slice *out)
{
    struct slice rest;
    bool is_short = false;
    if (!base_begins(from, value, &rest)) {
        is_short = base_begins_short(from, value, &rest);
        if (!is_short)
            return false;
    }
    *out = with_base(f, to, is_short, rest);
    return true;
}

static void swap_base(struct fields *f, struct field *field, const struct base *from,
                      const struct base *to)
{
    struct slice value;
    if (swapped(f, field->value, from, to, &value))
        set_value(f, field, value);
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

/* The name by which the service knows itself in this mode, on its own wire. */
static struct base inner_base(const struct rewrite *w, struct slice authority)
{
    struct base inner = origin_base(w);
    if (w->mode != REWRITE_ALL)
        inner.authority = w->mode == REWRITE_VALUE ? slice_str(w->value) : authority;
    return inner;
}

/* Sets @out to @uri as the service is to read it, which names the viewer's base, and returns true;
 * false: it stays. Where the fields of X-Forwarded say another base than Host and the wire do,
 * services differ in which one they compare: a path alone is right for all. */
static bool inner_uri(const struct rewrite *w, struct fields *f, struct slice uri,
                      const struct base *viewer, const struct base *inner, struct slice *out)
{
    struct slice rest;
    if (w->mode == REWRITE_ALL)
        return swapped(f, uri, viewer, inner, out);
    if (slice_ieq(viewer->scheme, inner->scheme) && slice_ieq(viewer->authority, inner->authority))
        return false;
    if (!base_begins(viewer, uri, &rest))
        return false;
    *out = rest.len > 0 ? rest : SLICE("/");
    return out->ptr[0] == '/' && !slice_starts(*out, SLICE("//")); /* which would name a host */
}

/* Returns how many bytes @s has up to the end of the list in parentheses that it begins with. What
 * stands in quotes there is an entity tag. */
static size_t list_length(struct slice s)
{
    bool quoted = false;
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == '"')
            quoted = !quoted;
        else if (s.ptr[i] == ')' && !quoted)
            return i + 1;
    }
    return s.len;
}

/* Changes the resources that an If field names, "<uri> (conditions)"; the conditions have tokens of
 * the service's own. RFC 4918 10.4. */
static void change_if(const struct rewrite *w, struct fields *f, struct field *field,
                      const struct base *viewer, const struct base *inner)
{
    struct slice left = field->value;
    struct buf out;
    buf_init(&out, 2 * (size_t)FIELDS_BYTES_MAX);
    while (left.len > 0) {
        ptrdiff_t close = left.ptr[0] == '<' ? slice_find(left, '>') : -1;
        size_t n = left.ptr[0] == '(' ? list_length(left) : 1;
        struct slice part = slice_make(left.ptr, n), uri;
        if (close > 0 &&
            inner_uri(w, f, slice_make(left.ptr + 1, (size_t)close - 1), viewer, inner, &uri)) {
            n = (size_t)close;
            part = uri;
            if (buf_append(&out, SLICE("<")) < 0)
                break;
        }
        if (buf_append(&out, part) < 0)
            break; /* cannot be: a head is smaller */
        left = slice_skip(left, n);
    }
    set_value(f, field, fields_keep(f, buf_slice(&out)));
    buf_release(&out);
}

/* WebDAV names resources in two fields of a request. Rule H33. */
static void change_webdav(const struct rewrite *w, struct fields *f, const struct base *viewer,
                          const struct base *inner)
{
    for (size_t i = 0; i < f->count; i++) {
        struct field *field = &f->v[i];
        struct slice value;
        if (slice_ieq(field->name, SLICE("if")))
            change_if(w, f, field, viewer, inner);
        else if (slice_ieq(field->name, SLICE("destination")) &&
                 inner_uri(w, f, field->value, viewer, inner, &value))
            set_value(f, field, value);
    }
}

/* Makes the fields that the server has written say @inner, where they are. Rule H32. */
static void change_forwarded(const struct rewrite *w, struct fields *f, const struct base *inner)
{
    for (size_t i = 0; i < f->count; i++) {
        struct field *field = &f->v[i];
        if (slice_ieq(field->name, SLICE("x-forwarded-host"))) {
            set_value(f, field, inner->authority);
        } else if (slice_ieq(field->name, SLICE("x-forwarded-proto"))) {
            set_value(f, field, inner->scheme);
        } else if (slice_ieq(field->name, SLICE("x-forwarded-port"))) {
            char digits[SLICE_U64_MAX];
            set_value(f, field, fields_keep(f, slice_from_u64(w->origin->port, digits)));
        }
    }
}

void rewrite_request(const struct rewrite *w, struct message *m)
{
    static const char *const names[] = {"origin", "referer", NULL};
    struct base viewer = {m->scheme, m->authority}, inner = inner_base(w, m->authority);
    change_webdav(w, &m->fields, &viewer, &inner);
    if (w->mode == REWRITE_ALL) {
        swap_in_fields(&m->fields, names, &viewer, &inner);
        change_forwarded(w, &m->fields, &inner);
    }
    m->authority = inner.authority;
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

/* Returns the URL in the value of a Refresh, "5; url=URL", which may be in quotes; empty: it has
 * none. */
static struct slice refresh_url(struct slice value)
{
    ptrdiff_t semicolon = slice_find(value, ';');
    struct slice url = semicolon < 0 ? SLICE("") : slice_skip(value, (size_t)semicolon + 1);
    url = slice_trim(url);
    if (!slice_istarts(url, SLICE("url")))
        return SLICE("");
    url = slice_trim(slice_skip(url, 3));
    if (!slice_starts(url, SLICE("=")))
        return SLICE("");
    url = slice_trim(slice_skip(url, 1));
    if (url.len == 0 || (url.ptr[0] != '"' && url.ptr[0] != '\''))
        return url;
    ptrdiff_t quote = slice_find(slice_skip(url, 1), url.ptr[0]);
    return slice_make(url.ptr + 1, quote < 0 ? url.len - 1 : (size_t)quote);
}

/* Sets @out to @url with the viewer's base, if it names the service. Rules R15, R42. */
static bool outer_url(const struct rewrite *w, struct fields *f, struct slice url,
                      const struct base *viewer, const struct base *origin, struct slice *out)
{
    struct slice rest;
    bool is_short;
    if (w->mode == REWRITE_ALL && swapped(f, url, origin, viewer, out))
        return true;
    if (!base_is_mixed(viewer, origin, url, &rest, &is_short))
        return false;
    *out = with_base(f, viewer, is_short, rest);
    return true;
}

static void change_references(const struct rewrite *w, struct fields *f, const struct base *viewer,
                              const struct base *origin)
{
    static const char *const names[] = {"location", "content-location", NULL};
    for (size_t i = 0; i < f->count; i++) {
        struct field *field = &f->v[i];
        bool refresh = slice_ieq(field->name, SLICE("refresh"));
        struct slice whole = field->value, url = refresh ? refresh_url(whole) : whole, changed;
        if ((!refresh && !is_any_of(field->name, names)) || url.len == 0 ||
            !outer_url(w, f, url, viewer, origin, &changed))
            continue;
        size_t before = (size_t)(url.ptr - whole.ptr);
        const struct slice parts[] = {slice_make(whole.ptr, before), changed,
                                      slice_skip(whole, before + url.len)};
        set_value(f, field, join(f, parts, 3));
    }
}

void rewrite_response(const struct rewrite *w, struct message *m, struct slice scheme,
                      struct slice authority)
{
    static const char *const names[] = {"access-control-allow-origin", NULL};
    struct base viewer = {scheme, authority}, origin = origin_base(w);
    change_references(w, &m->fields, &viewer, &origin);
    if (w->mode != REWRITE_ALL)
        return;
    swap_in_fields(&m->fields, names, &origin, &viewer);
    for (size_t i = 0; i < m->fields.count; i++)
        if (slice_ieq(m->fields.v[i].name, SLICE("set-cookie")))
            swap_cookie_domain(&m->fields, &m->fields.v[i], base_host(origin.authority),
                               base_host(authority));
}

bool rewrite_leads_inside(const struct rewrite *w, const struct message *m)
{
    struct slice where = fields_value(&m->fields, SLICE("location")), rest;
    const struct slice authority = slice_str(w->origin->authority);
    const struct base plain = {SLICE("http"), authority}, tls = {SLICE("https"), authority};
    return base_begins(&plain, where, &rest) || base_begins(&tls, where, &rest);
}
