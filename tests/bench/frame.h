/* SPDX-License-Identifier: MIT */
/* frame.h - reads and writes WebSocket frames (RFC 6455 5.2) for both ends of the benchmark: no
 * fragments, bodies of at most FRAME_MAX bytes. */
#ifndef TESTS_BENCH_FRAME_H
#define TESTS_BENCH_FRAME_H

#include "h2mux/base/slice.h"

enum {
    FRAME_BINARY = 2,
    FRAME_CLOSE = 8,
    FRAME_PING = 9,
    FRAME_PONG = 10,
    FRAME_HEAD_MAX = 14,
    FRAME_MAX = 65536 + FRAME_HEAD_MAX
};

struct frame {
    unsigned opcode;
    struct slice body; /* borrowed; still masked with `mask` */
    char mask[4];      /* zeros if there is no mask */
    size_t len;        /* of the whole frame */
};

/* Reads the frame at the front of @bytes into @f. Returns false if it is not whole yet. */
bool frame_read(struct slice bytes, struct frame *f);

/* Writes the head of a frame with a body of @len bytes and returns the length of the head. @masked
 * adds a mask of zeros, which is legal and leaves the body as it is. */
size_t frame_write_head(char out[static FRAME_HEAD_MAX], unsigned opcode, size_t len, bool masked);

#endif
