/* SPDX-License-Identifier: MIT */
/* frame.h - WebSocket frames as both ends of the benchmark need them (RFC 6455 5.2): no fragments,
 * bodies up to FRAME_MAX. */
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
    char mask[4];      /* zeros: none, or one that changes nothing */
    size_t len;        /* of the whole frame */
};

/* Whether @bytes begin with a whole frame. */
bool frame_read(struct slice bytes, struct frame *f);

/* Writes the head of a frame whose body of @len bytes follows. @masked: with the mask of zeros,
 * which is legal and free. */
size_t frame_write_head(char out[static FRAME_HEAD_MAX], unsigned opcode, size_t len, bool masked);

#endif
