/* SPDX-License-Identifier: MIT */
/* fields.c - see fields.h.
 *
 * The arena is a chain of blocks, so that kept bytes stay where they are while it grows. Readers
 * bound what a peer sends (h1_limits, FIELDS_BYTES_MAX) before they add it. */
#include "h2mux/http/fields.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "h2mux/base/pool.h"
#include "h2mux/http/bytes.h"
#include "h2mux/http/field_name.h"

enum {
    ARENA_BLOCK = 1024 - 64, /* a block of the pool holds this and the block's head */
    FIELDS_FIRST = 16,
    CONNECTION_OPTIONS_MAX = 64 /* every field is compared with each option: more is abuse */
};

struct arena_block {
    struct arena_block *next; /* owned: the block filled before this one */
    size_t used, cap;
    char data[];
};

static struct arena_block *block_take(size_t cap)
{
    size_t size = sizeof(struct arena_block) + cap;
    struct arena_block *a = size <= POOL_MAX ? pool_take(size) : xmalloc(size);
    a->cap = cap;
    a->used = 0;
    return a;
}

static void block_give(struct arena_block *a)
{
    size_t size = sizeof *a + a->cap;
    if (size <= POOL_MAX)
        pool_give(a, size);
    else
        free(a);
}

static struct field *array_take(size_t cap)
{
    size_t size = cap * sizeof(struct field);
    return size <= POOL_MAX ? pool_take(size) : xmalloc(size);
}

static void array_give(struct field *v, size_t cap)
{
    size_t size = cap * sizeof *v;
    if (size <= POOL_MAX)
        pool_give(v, size);
    else
        free(v);
}

void fields_init(struct fields *f)
{
    *f = (struct fields){0};
}

void fields_deinit(struct fields *f)
{
    while (f->arena) {
        struct arena_block *next = f->arena->next;
        block_give(f->arena);
        f->arena = next;
    }
    array_give(f->v, f->cap);
    fields_init(f);
}

static char *arena_take(struct fields *f, size_t len)
{
    struct arena_block *a = f->arena;
    if (!a || a->cap - a->used < len) {
        a = block_take(len > ARENA_BLOCK ? len : ARENA_BLOCK);
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

static size_t field_bytes(const struct field *field)
{
    return field->name.len + field->value.len + 32;
}

void fields_add(struct fields *f, struct slice name, struct slice value)
{
    if (f->count == f->cap) {
        size_t cap = f->cap ? 2 * f->cap : FIELDS_FIRST;
        struct field *v = array_take(cap);
        if (f->count > 0)
            memcpy(v, f->v, f->count * sizeof *v);
        array_give(f->v, f->cap);
        f->v = v;
        f->cap = cap;
    }
    f->v[f->count] = (struct field){name, value};
    f->bytes += field_bytes(&f->v[f->count++]);
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
            f->bytes -= field_bytes(&f->v[i]);
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

/* The options of all Connection lines, in order. */
struct options {
    struct slice v[CONNECTION_OPTIONS_MAX]; /* borrowed from the section */
    size_t count;
};

static int options_collect(struct options *o, struct slice list)
{
    struct slice option;
    while (slice_next_token(&list, &option)) {
        if (o->count == CONNECTION_OPTIONS_MAX || (field_rules(option) & FIELD_PROTECTED))
            return ERR_DENIED;
        o->v[o->count++] = option;
    }
    return ERR_OK;
}

/* The rules of names whose aliases are dropped. FIELD_SECRET is not among them, since no program
 * reads a field because its name is that of a secret. */
enum { ALIASES_DROPPED = ~(FIELD_ALIAS | FIELD_SECRET) };

static bool is_dropped_alias(unsigned rules)
{
    return (rules & FIELD_ALIAS) && (rules & (unsigned)ALIASES_DROPPED);
}

/* What fields_strip removes: the options that Connection names, and what `also` chooses. */
struct strip {
    struct options options;
    fields_also *also;
    void *user;
};

static bool is_stripped(const struct field *field, void *user)
{
    const struct strip *s = user;
    for (size_t i = 0; i < s->options.count; i++)
        if (field_name_is(field->name, s->options.v[i]))
            return true;
    unsigned rules = field_rules(field->name);
    return rules != 0 && ((rules & FIELD_HOP) || is_dropped_alias(rules) ||
                          (s->also && s->also(field, rules, s->user)));
}

int fields_strip(struct fields *f, fields_also *also, void *user)
{
    struct strip s;
    s.options.count = 0;
    s.also = also;
    s.user = user;
    for (size_t i = 0; i < f->count; i++)
        if (slice_ieq(f->v[i].name, SLICE("connection")) &&
            options_collect(&s.options, f->v[i].value) < 0)
            return ERR_DENIED;
    fields_remove_if(f, is_stripped, &s);
    return ERR_OK;
}

bool field_name_valid(struct slice name)
{
    for (size_t i = 0; i < name.len; i++)
        if (!byte_is_token((unsigned char)name.ptr[i]))
            return false;
    return name.len > 0;
}

bool field_value_valid(struct slice value)
{
    size_t i = byte_skip_printable(value.ptr, value.len);
    for (; i < value.len; i++)
        if (!byte_is_value((unsigned char)value.ptr[i]))
            return false;
    return slice_trim(value).len == value.len;
}

bool field_is_secret(struct slice name)
{
    /* The lengths of secrets. This function is called for every field that is sent. */
    enum { LENGTHS = 1 << 6 | 1 << 9 | 1 << 10 | 1 << 12 | 1 << 13 | 1 << 19 };
    return name.len < 20 && (LENGTHS >> name.len & 1) && (field_rules(name) & FIELD_SECRET);
}

/* RFC 9110 6.5.1 forbids fields of framing, routing, authentication and request control, and those
 * that say how to read the content. */
bool field_forbidden_in_trailers(struct slice name)
{
    unsigned rules = field_rules(name);
    return (rules & FIELD_NOT_TRAILER) || is_dropped_alias(rules);
}
