/* fields.c - an HTTP field section and the rules of single fields: tokens, values, hop-by-hop
 * names.
 *
 * The arena is a chain of blocks, so that bytes kept in it stay where they are while it grows. What
 * a peer sends is bounded by whoever reads it (h1_limits, FIELDS_OCTETS_MAX) before it comes here.
 */
#include "h2mux/fields.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "h2mux/octet.h"

enum {
    ARENA_BLOCK = 1024,
    FIELDS_FIRST = 16,
    CONNECTION_OPTIONS_MAX = 64 /* each is looked for in every field: more is abuse */
};

struct arena_block {
    struct arena_block *next; /* owned: the block filled before this one */
    size_t used, cap;
    char data[];
};

void fields_init(struct fields *f)
{
    *f = (struct fields){0};
}

void fields_deinit(struct fields *f)
{
    while (f->arena) {
        struct arena_block *next = f->arena->next;
        free(f->arena);
        f->arena = next;
    }
    free(f->v);
    fields_init(f);
}

static char *arena_take(struct fields *f, size_t len)
{
    struct arena_block *a = f->arena;
    if (!a || a->cap - a->used < len) {
        size_t cap = len > ARENA_BLOCK ? len : ARENA_BLOCK;
        a = xcalloc(1, sizeof(*a) + cap);
        a->cap = cap;
        a->next = f->arena;
        f->arena = a;
    }
    a->used += len;
    return a->data + a->used - len;
}

struct slice fields_keep(struct fields *f, struct slice bytes)
{
    if (bytes.len == 0)
        return SLICE("");
    char *kept = arena_take(f, bytes.len);
    memcpy(kept, bytes.ptr, bytes.len);
    return slice_make(kept, bytes.len);
}

struct slice fields_keep_lower(struct fields *f, struct slice bytes)
{
    if (bytes.len == 0)
        return SLICE("");
    char *kept = arena_take(f, bytes.len);
    memcpy(kept, bytes.ptr, bytes.len);
    ascii_lower(kept, bytes.len);
    return slice_make(kept, bytes.len);
}

static size_t field_octets(const struct field *field)
{
    return field->name.len + field->value.len + 32;
}

void fields_add(struct fields *f, struct slice name, struct slice value)
{
    if (f->count == f->cap) {
        f->cap = f->cap ? 2 * f->cap : FIELDS_FIRST;
        f->v = xrealloc(f->v, f->cap * sizeof(*f->v));
    }
    f->v[f->count] = (struct field){name, value};
    f->octets += field_octets(&f->v[f->count++]);
}

void fields_add_copy(struct fields *f, struct slice name, struct slice value)
{
    struct slice kept = fields_keep(f, name);
    fields_add(f, kept, fields_keep(f, value));
}

void fields_add_printf(struct fields *f, struct slice name, const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, fmt, args);
    assert(len >= 0);
    char *text = arena_take(f, (size_t)len + 1);
    vsnprintf(text, (size_t)len + 1, fmt, again);
    va_end(again);
    va_end(args);
    fields_add(f, fields_keep(f, name), slice_make(text, (size_t)len));
}

void fields_copy(struct fields *to, const struct fields *from)
{
    for (size_t i = 0; i < from->count; i++)
        fields_add_copy(to, from->v[i].name, from->v[i].value);
}

const struct field *fields_find(const struct fields *f, struct slice name)
{
    for (size_t i = 0; i < f->count; i++)
        if (slice_ieq(f->v[i].name, name))
            return &f->v[i];
    return NULL;
}

size_t fields_count(const struct fields *f, struct slice name)
{
    size_t n = 0;
    for (size_t i = 0; i < f->count; i++)
        n += slice_ieq(f->v[i].name, name);
    return n;
}

struct slice fields_value(const struct fields *f, struct slice name)
{
    const struct field *field = fields_find(f, name);
    return field ? field->value : SLICE("");
}

bool fields_has_token(const struct fields *f, struct slice name, struct slice token)
{
    for (size_t i = 0; i < f->count; i++)
        if (slice_ieq(f->v[i].name, name) && slice_has_token(f->v[i].value, token))
            return true;
    return false;
}

void fields_remove_if(struct fields *f, bool (*drop)(const struct field *field, void *user),
                      void *user)
{
    size_t kept = 0;
    for (size_t i = 0; i < f->count; i++) {
        if (drop(&f->v[i], user))
            f->octets -= field_octets(&f->v[i]);
        else
            f->v[kept++] = f->v[i];
    }
    f->count = kept;
}

static bool is_named(const struct field *field, void *user)
{
    const struct slice *name = user;
    return slice_ieq(field->name, *name);
}

void fields_remove(struct fields *f, struct slice name)
{
    fields_remove_if(f, is_named, &name);
}

static bool in_names(const char *const *names, struct slice name)
{
    char first = name.len > 0 ? (char)(name.ptr[0] | 0x20) : '\0'; /* the names are in lower case */
    for (; *names; names++)
        if (first == **names && slice_ieq(name, slice_str(*names)))
            return true;
    return false;
}

/* Options of all Connection lines, in order. */
struct options {
    struct slice v[CONNECTION_OPTIONS_MAX]; /* borrowed from the section */
    size_t count;
};

/* Naming one of these would make us drop what the next hop decides by. */
static bool option_denied(struct slice option)
{
    static const char *const names[] = {"host",          "content-length", "transfer-encoding",
                                        "authorization", "cookie",         NULL};
    return in_names(names, option) || slice_istarts(option, SLICE("x-forwarded-"));
}

static int options_collect(struct options *o, struct slice list)
{
    struct slice option;
    while (slice_next_token(&list, &option)) {
        if (o->count == CONNECTION_OPTIONS_MAX || option_denied(option))
            return ERR_DENIED;
        o->v[o->count++] = option;
    }
    return ERR_OK;
}

static bool is_hop_by_hop(const struct field *field, void *user)
{
    static const char *const names[] = {"connection",
                                        "keep-alive",
                                        "proxy-connection",
                                        "transfer-encoding",
                                        "upgrade",
                                        "http2-settings",
                                        "te",
                                        NULL};
    const struct options *o = user;
    for (size_t i = 0; i < o->count; i++)
        if (slice_ieq(field->name, o->v[i]))
            return true;
    return in_names(names, field->name);
}

int fields_strip_hop_by_hop(struct fields *f)
{
    struct options o = {.count = 0};
    for (size_t i = 0; i < f->count; i++)
        if (slice_ieq(f->v[i].name, SLICE("connection")) && options_collect(&o, f->v[i].value) < 0)
            return ERR_DENIED;
    fields_remove_if(f, is_hop_by_hop, &o);
    return ERR_OK;
}

bool field_name_valid(struct slice name)
{
    for (size_t i = 0; i < name.len; i++)
        if (!octet_is_token((unsigned char)name.ptr[i]))
            return false;
    return name.len > 0;
}

bool field_value_valid(struct slice value)
{
    for (size_t i = 0; i < value.len; i++)
        if (!octet_is_value((unsigned char)value.ptr[i]))
            return false;
    return slice_trim(value).len == value.len;
}

bool field_is_secret(struct slice name)
{
    static const char *const names[] = {"authorization", "proxy-authorization", "cookie",
                                        "set-cookie",    "x-api-key",           "x-auth-token",
                                        "x-csrf-token",  "x-xsrf-token",        NULL};
    return in_names(names, name);
}

/* RFC 9110 6.5.1: framing, routing, authentication, request control and what says how to read the
 * content. */
bool field_forbidden_in_trailers(struct slice name)
{
    static const char *const names[] = {"content-length",
                                        "transfer-encoding",
                                        "trailer",
                                        "te",
                                        "connection",
                                        "keep-alive",
                                        "proxy-connection",
                                        "upgrade",
                                        "http2-settings",
                                        "host",
                                        "forwarded",
                                        "via",
                                        "x-real-ip",
                                        "location",
                                        "authorization",
                                        "proxy-authorization",
                                        "www-authenticate",
                                        "proxy-authenticate",
                                        "authentication-info",
                                        "proxy-authentication-info",
                                        "cookie",
                                        "set-cookie",
                                        "expect",
                                        "max-forwards",
                                        "range",
                                        "cache-control",
                                        "content-type",
                                        "content-encoding",
                                        "content-range",
                                        NULL};
    return in_names(names, name) || slice_istarts(name, SLICE("x-forwarded-"));
}
