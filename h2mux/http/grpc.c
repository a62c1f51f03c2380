/* SPDX-License-Identifier: MIT */
/* grpc.c - see grpc.h. */
#include "h2mux/http/grpc.h"

enum { TEXT_MAX = 512 };

bool grpc_is(const struct fields *f)
{
    return slice_istarts(fields_value(f, SLICE("content-type")), SLICE("application/grpc"));
}

int grpc_status_of(int status)
{
    switch (status) {
    case 400:
    case 431:
        return GRPC_INTERNAL;
    case 401:
        return GRPC_UNAUTHENTICATED;
    case 403:
        return GRPC_PERMISSION_DENIED;
    case 404:
    case 501:
        return GRPC_UNIMPLEMENTED;
    case 413:
        return GRPC_RESOURCE_EXHAUSTED;
    case 429:
    case 502:
    case 503:
    case 504:
        return GRPC_UNAVAILABLE;
    default:
        return GRPC_UNKNOWN;
    }
}

/* Writes @text to @out, percent-encoded but for printable ASCII without '%'. Returns the length. */
static size_t escape(struct slice text, char out[static 3 * TEXT_MAX])
{
    static const char hex[] = "0123456789ABCDEF";
    size_t n = 0;
    for (size_t i = 0; i < text.len && i < (size_t)TEXT_MAX; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (c >= 0x20 && c <= 0x7e && c != '%') {
            out[n++] = (char)c;
            continue;
        }
        out[n++] = '%';
        out[n++] = hex[c >> 4];
        out[n++] = hex[c & 0xf];
    }
    return n;
}

void grpc_fail(struct message *m, int code, struct slice text)
{
    char escaped[3 * TEXT_MAX];
    size_t len = escape(text, escaped);
    m->status = 200;
    fields_add(&m->fields, SLICE("content-type"), SLICE("application/grpc"));
    fields_add_printf(&m->fields, SLICE("grpc-status"), "%d", code);
    fields_add_copy(&m->fields, SLICE("grpc-message"), slice_make(escaped, len));
}
