/* SPDX-License-Identifier: MIT */
/* stream_head.c - maps pseudo-fields and fields to the members of a message and back. See
 * stream_head.h. */
#include "h2mux/h2/stream_head.h"

#include <stdlib.h>
#include <string.h>

enum { EXTRA = 7 /* room for pseudo-fields and content-length */ };

/* ---- received */

static struct slice *pseudo_field(struct message *m, struct slice name)
{
    static const struct {
        struct slice name;
        size_t offset;
    } table[] = {
        {{":method", 7}, offsetof(struct message, method)},
        {{":scheme", 7}, offsetof(struct message, scheme)},
        {{":authority", 10}, offsetof(struct message, authority)},
        {{":path", 5}, offsetof(struct message, path)},
        {{":protocol", 9}, offsetof(struct message, protocol)},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (slice_eq(table[i].name, name))
            return (struct slice *)(void *)((char *)m + table[i].offset);
    return NULL;
}

int h2_head_take(struct message *m, struct slice name, struct slice value)
{
    uint64_t number;
    if (m->fields.count >= FIELDS_HEAD_MAX ||
        m->fields.bytes + name.len + value.len + 32 > FIELDS_BYTES_MAX)
        return ERR_LIMIT;
    if (slice_eq(name, SLICE(":status"))) {
        if (slice_to_u64(value, 999, &number) < 0)
            return ERR_SYNTAX;
        m->status = (int)number;
        return ERR_OK;
    }
    if (name.len > 0 && name.ptr[0] == ':') {
        struct slice *to = pseudo_field(m, name);
        if (to)
            *to = fields_keep(&m->fields, value);
        return ERR_OK;
    }
    if (slice_eq(name, SLICE("content-length")) &&
        slice_to_u64(value, INT64_MAX, &number) == ERR_OK) {
        m->length = (int64_t)number;
        return ERR_OK;
    }
    fields_add_copy(&m->fields, name, value);
    return ERR_OK;
}

bool h2_head_settle_authority(struct message *m)
{
    const struct field *host = fields_find(&m->fields, SLICE("host"));
    if (!host)
        return true;
    struct slice value = host->value;
    if (fields_count(&m->fields, SLICE("host")) > 1 ||
        (m->authority.len > 0 && !slice_ieq(value, m->authority)))
        return false;
    m->authority = value;
    fields_remove(&m->fields, SLICE("host"));
    return true;
}

/* ---- to be sent */

static void begin(struct h2_head *h, const struct fields *f)
{
    h->count = 0;
    h->v = f->count + EXTRA <= H2_HEAD_FEW ? h->few : xcalloc(f->count + EXTRA, sizeof(nghttp2_nv));
}

static void add(struct h2_head *h, struct slice name, struct slice value)
{
    uint8_t flags = field_is_secret(name) ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE;
    h->v[h->count++] = (nghttp2_nv){(uint8_t *)(uintptr_t)name.ptr, (uint8_t *)(uintptr_t)value.ptr,
                                    name.len, value.len, flags};
}

static void add_if(struct h2_head *h, struct slice name, struct slice value)
{
    if (value.len > 0)
        add(h, name, value);
}

/* Returns whether a field is of a connection of HTTP/1.1 only, and malformed in HTTP/2 (RFC 9113
 * 8.2.2). Programs that speak both have such fields in their own answers. */
static bool is_of_http1(struct slice name)
{
    switch (name.len) {
    case sizeof "upgrade" - 1:
        return slice_ieq(name, SLICE("upgrade"));
    case sizeof "connection" - 1:
        return slice_ieq(name, SLICE("connection")) || slice_ieq(name, SLICE("keep-alive"));
    case sizeof "transfer-encoding" - 1:
        return slice_ieq(name, SLICE("transfer-encoding"));
    default:
        return false;
    }
}

static void add_fields(struct h2_head *h, const struct fields *f)
{
    for (size_t i = 0; i < f->count; i++)
        if (!is_of_http1(f->v[i].name))
            add(h, f->v[i].name, f->v[i].value);
}

void h2_head_of(struct h2_head *h, const struct message *m)
{
    begin(h, &m->fields);
    if (m->status > 0) {
        h->status[0] = (char)('0' + m->status / 100 % 10);
        h->status[1] = (char)('0' + m->status / 10 % 10);
        h->status[2] = (char)('0' + m->status % 10);
        add(h, SLICE(":status"), slice_make(h->status, sizeof h->status));
    } else {
        add(h, SLICE(":method"), m->method);
        add_if(h, SLICE(":protocol"), m->protocol);
        add(h, SLICE(":scheme"), m->scheme);
        add_if(h, SLICE(":authority"), m->authority);
        add(h, SLICE(":path"), m->path);
    }
    add_fields(h, &m->fields);
    if (m->length != MESSAGE_LENGTH_UNKNOWN && m->protocol.len == 0)
        add(h, SLICE("content-length"), slice_from_u64((uint64_t)m->length, h->length));
}

void h2_head_of_trailers(struct h2_head *h, const struct fields *trailers)
{
    begin(h, trailers);
    add_fields(h, trailers);
}

void h2_head_release(struct h2_head *h)
{
    if (h->v != h->few)
        free(h->v);
}
