/* SPDX-License-Identifier: MIT */
/* fuzz_proxy_header.c - the first bytes of a connection that a front end passes on.
 *
 * Checks that the verdict does not depend on where the bytes are cut, that every header ends within
 * the input and within its limit, and that what stands behind it changes nothing. */
#include "src/http/proxy_header.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "h2mux/base/err.h"

static int read_in_steps(struct slice in, struct proxy_header *out)
{
    int err = ERR_AGAIN;
    for (size_t have = 0; err == ERR_AGAIN && have < in.len;)
        err = proxy_header_read(slice_make(in.ptr, ++have), out);
    return err;
}

static void check_header(const struct proxy_header *h, struct slice in)
{
    sa_family_t family = h->peer.ss_family;
    assert(h->bytes > 0 && h->bytes <= in.len && h->bytes <= PROXY_HEADER_MAX);
    assert(h->named ? family == AF_INET || family == AF_INET6 : family == AF_UNSPEC);
}

static void check_same(const struct proxy_header *a, const struct proxy_header *b)
{
    assert(a->named == b->named && a->bytes == b->bytes);
    assert(memcmp(&a->peer, &b->peer, sizeof a->peer) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice in = fuzz_input(data, size);
    struct proxy_header whole, single, alone;
    int err = proxy_header_read(in, &whole);
    assert(err == 0 || err == ERR_AGAIN || err == ERR_SYNTAX);
    assert(err != ERR_AGAIN || in.len < PROXY_HEADER_MAX);
    if (in.len > 0)
        assert(read_in_steps(in, &single) == err);
    if (err != 0)
        return 0;
    check_header(&whole, in);
    assert(proxy_header_read(slice_make(in.ptr, whole.bytes), &alone) == 0);
    check_same(&whole, &alone);
    check_same(&whole, &single);
    return 0;
}
