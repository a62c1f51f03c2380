/* SPDX-License-Identifier: MIT */
/* proxy_header.c - reads the PROXY protocol; see proxy_header.h. */
#include "src/http/proxy_header.h"

#include <arpa/inet.h>

#include "h2mux/base/check.h"
#include "h2mux/base/err.h"
#include "h2mux/base/inet.h"

enum {
    SIGNATURE_LEN = 12,
    FIXED_LEN = 16, /* signature, version and command, family, length */
    VERSION_LOCAL = 0x20,
    VERSION_PROXY = 0x21,
    TCP4 = 0x11,
    TCP6 = 0x21,
    TCP4_LEN = 12, /* two addresses and two ports */
    TCP6_LEN = 36
};

static const char signature[] = "\r\n\r\n\0\r\nQUIT\n";

static struct sockaddr_in *v4_of(struct proxy_header *h)
{
    return (struct sockaddr_in *)(void *)&h->peer;
}

static struct sockaddr_in6 *v6_of(struct proxy_header *h)
{
    return (struct sockaddr_in6 *)(void *)&h->peer;
}

/* ---- version 2 */

static void take_v4(struct proxy_header *h, const char *at)
{
    h->named = true;
    v4_of(h)->sin_family = AF_INET;
    memcpy(&v4_of(h)->sin_addr, at, 4);
    memcpy(&v4_of(h)->sin_port, at + 8, 2);
}

static void take_v6(struct proxy_header *h, const char *at)
{
    h->named = true;
    v6_of(h)->sin6_family = AF_INET6;
    memcpy(&v6_of(h)->sin6_addr, at, 16);
    memcpy(&v6_of(h)->sin6_port, at + 32, 2);
}

static int read_binary(struct slice in, struct proxy_header *out)
{
    const unsigned char *b = (const unsigned char *)in.ptr;
    if (in.len < FIXED_LEN)
        return ERR_AGAIN;
    unsigned command = b[12], family = b[13];
    size_t len = (size_t)b[14] << 8 | b[15];
    if ((command != VERSION_LOCAL && command != VERSION_PROXY) ||
        len > (size_t)PROXY_HEADER_MAX - FIXED_LEN)
        return ERR_SYNTAX;
    if (in.len < FIXED_LEN + len)
        return ERR_AGAIN;
    out->bytes = FIXED_LEN + len;
    bool proxied = command == VERSION_PROXY;
    if (proxied && ((family == TCP4 && len < TCP4_LEN) || (family == TCP6 && len < TCP6_LEN)))
        return ERR_SYNTAX;
    if (proxied && family == TCP4)
        take_v4(out, in.ptr + FIXED_LEN);
    else if (proxied && family == TCP6)
        take_v6(out, in.ptr + FIXED_LEN);
    return 0;
}

/* ---- version 1 */

static struct slice take_word(struct slice *line)
{
    ptrdiff_t space = slice_find(*line, ' ');
    struct slice word = slice_make(line->ptr, space < 0 ? line->len : (size_t)space);
    *line = slice_skip(*line, space < 0 ? line->len : (size_t)space + 1);
    return word;
}

/* Reads "SOURCE DESTINATION PORT PORT" of @family. */
static int read_ends(struct slice line, int family, struct proxy_header *out)
{
    union inet source, destination;
    uint64_t port, ours;
    struct slice from = take_word(&line), to = take_word(&line);
    struct slice from_port = take_word(&line), to_port = take_word(&line);
    if (line.len > 0 || !inet_parse(family, from, &source) ||
        !inet_parse(family, to, &destination) || slice_to_u64(from_port, UINT16_MAX, &port) < 0 ||
        slice_to_u64(to_port, UINT16_MAX, &ours) < 0)
        return ERR_SYNTAX;
    out->named = true;
    if (family == AF_INET)
        *v4_of(out) = (struct sockaddr_in){
            .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr = source.v4};
    else
        *v6_of(out) = (struct sockaddr_in6){
            .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port), .sin6_addr = source.v6};
    return 0;
}

static int read_text(struct slice in, struct proxy_header *out)
{
    ptrdiff_t end = slice_find(in, '\n');
    if (end < 0)
        return in.len < PROXY_HEADER_TEXT_MAX ? ERR_AGAIN : ERR_SYNTAX;
    if (end < 1 || end >= PROXY_HEADER_TEXT_MAX || in.ptr[end - 1] != '\r')
        return ERR_SYNTAX;
    out->bytes = (size_t)end + 1;
    struct slice line = slice_skip(slice_make(in.ptr, (size_t)end - 1), sizeof "PROXY");
    struct slice family = take_word(&line);
    if (slice_eq(family, SLICE("UNKNOWN")))
        return 0;
    if (slice_eq(family, SLICE("TCP4")))
        return read_ends(line, AF_INET, out);
    return slice_eq(family, SLICE("TCP6")) ? read_ends(line, AF_INET6, out) : ERR_SYNTAX;
}

/* ---- either */

static bool may_be(struct slice in, const char *start, size_t len)
{
    return memcmp(in.ptr, start, in.len < len ? in.len : len) == 0;
}

int proxy_header_read(struct slice in, struct proxy_header *out)
{
    static const char text[] = "PROXY ";
    size_t text_len = sizeof text - 1;
    *out = (struct proxy_header){0};
    if (in.len == 0)
        return ERR_AGAIN;
    if (may_be(in, signature, SIGNATURE_LEN))
        return in.len < SIGNATURE_LEN ? ERR_AGAIN : read_binary(in, out);
    if (may_be(in, text, text_len))
        return in.len < text_len ? ERR_AGAIN : read_text(in, out);
    return ERR_SYNTAX;
}
