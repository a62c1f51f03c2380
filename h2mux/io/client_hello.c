/* SPDX-License-Identifier: MIT */
/* client_hello.c - see client_hello.h. */
#include "h2mux/io/client_hello.h"

#include <stdlib.h>
#include <string.h>

#include "h2mux/base/alloc.h"

enum {
    RECORD_HEAD = 5,    /* type, version, length: RFC 8446 5.1 */
    RECORD_MAX = 16384, /* bytes of one record */
    HANDSHAKE = 22,     /* the type of a record */
    MESSAGE_HEAD = 4,   /* type, length: RFC 8446 4 */
    CLIENT_HELLO = 1,   /* the type of a message */
    RANDOM = 32,
    SERVER_NAME = 0, /* extensions: RFC 8446 4.2 */
    ALPN = 16,
    HOST_NAME = 0 /* the type of a name: RFC 6066 3 */
};

/* ---- numbers and vectors */

static unsigned byte_at(struct slice s, size_t i)
{
    return (unsigned char)s.ptr[i];
}

static size_t number(struct slice s, size_t at, size_t bytes)
{
    size_t n = 0;
    for (size_t i = 0; i < bytes; i++)
        n = n << 8 | byte_at(s, at + i);
    return n;
}

/* Takes @len bytes off @in. Returns false if there are fewer. */
static bool take(struct slice *in, size_t len, struct slice *out)
{
    if (in->len < len)
        return false;
    *out = slice_make(in->ptr, len);
    *in = slice_skip(*in, len);
    return true;
}

/* Takes a number of @bytes bytes off @in. */
static bool take_number(struct slice *in, size_t bytes, size_t *out)
{
    struct slice digits;
    if (!take(in, bytes, &digits))
        return false;
    *out = number(digits, 0, bytes);
    return true;
}

/* Takes a vector off @in, whose length stands before it in @bytes bytes (RFC 8446 3.4). */
static bool take_vector(struct slice *in, size_t bytes, struct slice *out)
{
    size_t len;
    return take_number(in, bytes, &len) && take(in, len, out);
}

/* ---- extensions */

static bool is_of_names(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
}

/* Keeps @host as the name, if a host may have it. */
static void keep_name(struct slice host, struct client_hello *out)
{
    if (slice_ends(host, SLICE(".")))
        host.len--;
    if (host.len > CLIENT_HELLO_NAME_MAX)
        return;
    memcpy(out->name, host.ptr, host.len);
    out->name[host.len] = '\0';
    ascii_lower(out->name, host.len);
    for (size_t i = 0; i < host.len; i++)
        if (!is_of_names(out->name[i]))
            out->name[0] = '\0';
}

/* A list has one name of each type at most, and the type of hosts is the only one in use. */
static bool read_server_name(struct slice body, struct client_hello *out)
{
    struct slice list, host;
    size_t type;
    if (!take_vector(&body, 2, &list) || body.len > 0)
        return false;
    if (!take_number(&list, 1, &type) || !take_vector(&list, 2, &host) || host.len == 0)
        return false;
    if (type == HOST_NAME)
        keep_name(host, out);
    return list.len == 0;
}

static bool read_alpn(struct slice body, struct client_hello *out)
{
    struct slice list, protocol;
    if (!take_vector(&body, 2, &list) || body.len > 0 || list.len == 0)
        return false;
    out->has_alpn = true;
    while (list.len > 0) {
        if (!take_vector(&list, 1, &protocol) || protocol.len == 0)
            return false;
        out->offers_h2 |= slice_eq(protocol, SLICE("h2"));
        out->offers_http1 |= slice_eq(protocol, SLICE("http/1.1"));
    }
    return true;
}

/* Reads all extensions. One that comes twice is a fault (RFC 8446 4.2). */
static bool read_extensions(struct slice all, struct client_hello *out)
{
    bool named = false;
    while (all.len > 0) {
        size_t type;
        struct slice body;
        if (!take_number(&all, 2, &type) || !take_vector(&all, 2, &body))
            return false;
        bool twice = (type == SERVER_NAME && named) || (type == ALPN && out->has_alpn);
        named |= type == SERVER_NAME;
        if (twice || (type == SERVER_NAME && !read_server_name(body, out)) ||
            (type == ALPN && !read_alpn(body, out)))
            return false;
    }
    return true;
}

/* Reads the message @in behind its head. A hello of TLS 1.2 may have no extensions at all. */
static bool read_message(struct slice in, struct client_hello *out)
{
    struct slice skipped, extensions;
    *out = (struct client_hello){.has_alpn = false};
    if (!take(&in, 2 + RANDOM, &skipped) || !take_vector(&in, 1, &skipped) || /* session */
        !take_vector(&in, 2, &skipped) ||                                     /* ciphers */
        !take_vector(&in, 1, &skipped))                                       /* compression */
        return false;
    if (in.len == 0)
        return true;
    return take_vector(&in, 2, &extensions) && in.len == 0 && read_extensions(extensions, out);
}

/* ---- records */

/* Returns the length of the message, with its head, which has been read. */
static size_t message_len(const struct client_hello_reader *r)
{
    return MESSAGE_HEAD + number(slice_make((const char *)r->head, MESSAGE_HEAD), 1, 3);
}

/* Notes a whole record with @part of the message. */
static int note_record(struct client_hello_reader *r, struct slice part)
{
    for (size_t i = 0; i < part.len && r->got + i < MESSAGE_HEAD; i++)
        r->head[r->got + i] = (unsigned char)part.ptr[i];
    r->got += part.len;
    r->record += RECORD_HEAD + part.len;
    if (r->head[0] != CLIENT_HELLO)
        return ERR_SYNTAX;
    return r->got >= MESSAGE_HEAD && message_len(r) > CLIENT_HELLO_MAX ? ERR_LIMIT : ERR_OK;
}

static bool is_whole(const struct client_hello_reader *r)
{
    return r->got >= MESSAGE_HEAD && r->got >= message_len(r);
}

/* Looks at the next record. Returns ERR_AGAIN while it is not whole. An empty one is a fault (RFC
 * 8446 5.1): it would cost a peer little and bring nothing. */
static int next_record(struct client_hello_reader *r, struct slice bytes)
{
    struct slice rest = slice_skip(bytes, r->record);
    if (rest.len > 0 && byte_at(rest, 0) != HANDSHAKE)
        return ERR_SYNTAX;
    if (rest.len > 1 && byte_at(rest, 1) != 3)
        return ERR_SYNTAX;
    if (rest.len < RECORD_HEAD)
        return ERR_AGAIN;
    size_t len = number(rest, 3, 2);
    if (len == 0 || len > RECORD_MAX)
        return ERR_SYNTAX;
    if (r->record + RECORD_HEAD + len > CLIENT_HELLO_MAX)
        return ERR_LIMIT;
    if (rest.len < RECORD_HEAD + len)
        return ERR_AGAIN;
    return note_record(r, slice_make(rest.ptr + RECORD_HEAD, len));
}

/* Copies the message, of @len bytes, out of the whole records of @bytes into @to. */
static void gather(struct slice bytes, char *to, size_t len)
{
    while (len > 0) {
        size_t part = number(bytes, 3, 2);
        size_t n = part < len ? part : len;
        memcpy(to, bytes.ptr + RECORD_HEAD, n);
        to += n;
        len -= n;
        bytes = slice_skip(bytes, RECORD_HEAD + part);
    }
}

int client_hello_read(struct client_hello_reader *r, struct slice bytes, struct client_hello *out)
{
    while (!is_whole(r)) {
        int err = next_record(r, bytes);
        if (err < 0)
            return err;
    }
    size_t len = message_len(r);
    char *message = xmalloc(len);
    gather(bytes, message, len);
    bool good = read_message(slice_skip(slice_make(message, len), MESSAGE_HEAD), out);
    free(message);
    if (!good)
        *out = (struct client_hello){.has_alpn = false};
    return good ? ERR_OK : ERR_SYNTAX;
}
