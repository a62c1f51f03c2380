/* SPDX-License-Identifier: MIT */
/* h1_scan_cut.h - scans a head whole and however it is cut. For tests of h1_scan.c and h1_head.c.
 */
#ifndef TESTS_UNIT_H1_SCAN_CUT_H
#define TESTS_UNIT_H1_SCAN_CUT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "h2mux/http/h1.h"
#include "pieces.h"

#define IN(text)                                                                                   \
    {                                                                                              \
        (text), sizeof text - 1                                                                    \
    }
#define COUNT(rows) (sizeof rows / sizeof(*(rows)))
#define HOST "Host: a.example\r\n"

enum side { REQUEST, RESPONSE, TO_HEAD };

/* Scans the first @len bytes after the first @cut alone, from memory that ends with them. */
static inline ssize_t scan_cut(struct slice in, size_t cut, size_t len, bool request)
{
    struct h1_scan s = {0};
    size_t ends[] = {cut, len};
    ssize_t n = 0;
    for (size_t i = 0; i < COUNT(ends) && n == 0; i++) {
        char *exact = xcalloc(1, ends[i] ? ends[i] : 1);
        memcpy(exact, in.ptr, ends[i]);
        n = h1_scan_head(&s, slice_make(exact, ends[i]), &h1_default_limits, request);
        free(exact);
    }
    return n;
}

static inline ssize_t scan_by_bytes(struct slice in, bool request)
{
    struct h1_scan s = {0};
    ssize_t n = 0;
    for (size_t len = 0; len <= in.len && n == 0; len++)
        n = h1_scan_head(&s, slice_make(in.ptr, len), &h1_default_limits, request);
    return n;
}

/* Each length from memory that ends with it. */
static inline ssize_t scan_in_pieces(struct slice in, uint32_t seed, bool request)
{
    struct h1_scan s = {0};
    ssize_t n = 0;
    for (size_t len = 0; len < in.len && n == 0;) {
        len += next_piece(&seed, in.len - len);
        char *exact = xcalloc(1, len);
        memcpy(exact, in.ptr, len);
        n = h1_scan_head(&s, slice_make(exact, len), &h1_default_limits, request);
        free(exact);
    }
    return n;
}

/* Whole, in two at each byte (of long heads, at some), byte by byte, and in random pieces:
 * always @want. */
static inline void check_scan(const char *id, struct slice in, bool request, ssize_t want)
{
    size_t step = in.len > 4096 ? 509 : 1;
    for (size_t cut = 0; cut <= in.len; cut += step)
        if (scan_cut(in, cut, in.len, request) != want)
            fail_msg("%s: cut at %zu: %zd, want %zd", id, cut, scan_cut(in, cut, in.len, request),
                     want);
    if (scan_by_bytes(in, request) != want)
        fail_msg("%s: by bytes: %zd, want %zd", id, scan_by_bytes(in, request), want);
    for (uint32_t seed = 1; seed <= (in.len > 4096 ? 1 : PIECES_ROUNDS); seed++)
        if (scan_in_pieces(in, seed, request) != want)
            fail_msg("%s: in pieces of seed %u: %zd, want %zd", id, seed,
                     scan_in_pieces(in, seed, request), want);
}

#endif
