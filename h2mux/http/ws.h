/* SPDX-License-Identifier: MIT */
/* ws.h - computes the WebSocket handshake and follows frame boundaries. Payload is never looked at.
 * RFC 6455 4, 5. */
#ifndef H2MUX_HTTP_WS_H
#define H2MUX_HTTP_WS_H

#include "h2mux/base/err.h"
#include "h2mux/base/slice.h"

enum { WS_KEY_LEN = 24, WS_ACCEPT_LEN = 28 };

/* Returns whether @key is base64 of exactly 16 bytes. */
bool ws_key_valid(struct slice key);
/* Makes a random key, with a zero byte behind it. Fails with ERR_IO. */
int ws_key_new(char out[static WS_KEY_LEN + 1]) MUSTCHECK;
/* Computes Sec-WebSocket-Accept for @key, with a zero byte behind it. RFC 6455 4.2.2 item 5.4. */
void ws_accept(struct slice key, char out[static WS_ACCEPT_LEN + 1]);

/* Follows one direction by its frame headers, to know where a frame ends. */
struct ws_frames {
    uint8_t header[14];
    size_t header_len; /* bytes of the current header seen */
    uint64_t payload;  /* bytes of the current frame still to come */
    bool close_seen;   /* a Close frame has begun: nothing may be added behind it */
    bool broken;       /* a header was malformed: where frames end is unknown from there on */
    uint64_t tail;     /* bytes since the last frame boundary */
};
void ws_frames_init(struct ws_frames *f);
void ws_frames_feed(struct ws_frames *f, struct slice data);

/* Writes an unmasked Close frame with @code and at most 123 bytes of @reason. Returns its length.
 */
enum { WS_CLOSE_MAX = 127, WS_POLICY_VIOLATION = 1008, WS_SERVICE_RESTART = 1012 };
size_t ws_close_frame(uint16_t code, struct slice reason, char out[static WS_CLOSE_MAX]);

#endif
