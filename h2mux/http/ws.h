/* SPDX-License-Identifier: MIT */
/* ws.h - the WebSocket handshake's arithmetic and its frame boundaries. RFC 6455 4, 5. Payload is
 * never looked at. */
#ifndef H2MUX_HTTP_WS_H
#define H2MUX_HTTP_WS_H

#include "h2mux/base/err.h"
#include "h2mux/base/slice.h"

enum { WS_KEY_LEN = 24, WS_ACCEPT_LEN = 28 };

bool ws_key_valid(struct slice key);                       /* base64 of exactly 16 bytes */
int ws_key_new(char out[static WS_KEY_LEN + 1]) MUSTCHECK; /* fresh and random, zero-terminated */
void ws_accept(struct slice key, char out[static WS_ACCEPT_LEN + 1]); /* RFC 6455 4.2.2 item 5.4 */

/* Follows one direction by its frame headers (2 to 14 bytes), to know where a frame ends. */
struct ws_frames {
    uint8_t header[14];
    size_t header_len; /* bytes of the current header seen */
    uint64_t payload;  /* bytes of the current frame still to come */
    bool close_seen;   /* a Close frame has begun: nothing may be added after it */
    bool broken;   /* reserved opcode or length out of range: boundaries can no longer be told */
    uint64_t tail; /* bytes since the last frame boundary */
};
void ws_frames_init(struct ws_frames *f);
void ws_frames_feed(struct ws_frames *f, struct slice data);
static inline bool ws_frames_at_boundary(const struct ws_frames *f)
{
    return f->tail == 0 && !f->broken;
}

/* An unmasked Close frame with @code and @reason (at most 123 bytes). The length written. */
enum { WS_CLOSE_MAX = 127, WS_SERVICE_RESTART = 1012 };
size_t ws_close_frame(uint16_t code, struct slice reason, char out[static WS_CLOSE_MAX]);

#endif
