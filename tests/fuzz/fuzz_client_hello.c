/* SPDX-License-Identifier: MIT */
/* fuzz_client_hello.c - the first bytes of a connection that begins TLS.
 *
 * Checks that the verdict does not depend on where the bytes are cut, that a hello reads the same
 * in one record and in many, and that a name has no byte that a host's name has not. */
#include "h2mux/io/client_hello.h"
#include "tests/fuzz/fuzz.h"

#include "h2mux/base/buf.h"

enum { RECORD_HEAD = 5, PIECE = 7 };

static int read_in_steps(struct slice in, size_t step, struct client_hello *out)
{
    struct client_hello_reader r = {.record = 0};
    int err = ERR_AGAIN;
    for (size_t have = 0; err == ERR_AGAIN && have < in.len;) {
        have = in.len - have > step ? have + step : in.len;
        err = client_hello_read(&r, slice_make(in.ptr, have), out);
    }
    return err;
}

static void check_hello(const struct client_hello *h)
{
    size_t len = strlen(h->name);
    assert(len <= CLIENT_HELLO_NAME_MAX);
    assert(strspn(h->name, "abcdefghijklmnopqrstuvwxyz0123456789.-_") == len);
    assert(h->has_alpn || (!h->offers_h2 && !h->offers_http1));
}

static void check_same(const struct client_hello *a, const struct client_hello *b)
{
    assert(!strcmp(a->name, b->name));
    assert(a->has_alpn == b->has_alpn && a->offers_h2 == b->offers_h2);
    assert(a->offers_http1 == b->offers_http1);
}

/* Copies the records of @in to @to, each split into records of PIECE bytes. */
static void split(struct slice in, struct buf *to)
{
    int err = 0;
    while (in.len > RECORD_HEAD) {
        size_t len = (size_t)(unsigned char)in.ptr[3] << 8 | (unsigned char)in.ptr[4];
        struct slice part = slice_skip(in, RECORD_HEAD);
        part.len = part.len < len ? part.len : len;
        in = slice_skip(in, RECORD_HEAD + part.len);
        while (part.len > 0) {
            char n = (char)(part.len < PIECE ? part.len : PIECE);
            err |= buf_append(to, SLICE("\x16\x03\x01\0"));
            err |= buf_append(to, slice_make(&n, 1));
            err |= buf_append(to, slice_make(part.ptr, (size_t)n));
            part = slice_skip(part, (size_t)n);
        }
    }
    assert(err == 0);
}

/* Checks that an accepted hello reads the same in small records, unless they make it too long. */
static void check_split(struct slice in, const struct client_hello *whole)
{
    struct client_hello other;
    struct buf small;
    buf_init(&small, 4 * in.len + 64);
    split(in, &small);
    int err = read_in_steps(buf_slice(&small), SIZE_MAX, &other);
    assert(err == 0 || err == ERR_LIMIT);
    if (err == 0)
        check_same(whole, &other);
    buf_release(&small);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice in = fuzz_input(data, size);
    struct client_hello whole, single;
    int err = read_in_steps(in, SIZE_MAX, &whole);
    assert(read_in_steps(in, 1, &single) == err);
    if (err != 0)
        return 0;
    check_hello(&whole);
    check_same(&whole, &single);
    check_split(in, &whole);
    return 0;
}
