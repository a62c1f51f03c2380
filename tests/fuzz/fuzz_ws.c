/* SPDX-License-Identifier: MIT */
/* fuzz_ws.c - WebSocket frames, and a Sec-WebSocket-Key.
 *
 * Checks that frames have the same boundaries if they come whole and byte by byte. */
#include "h2mux/http/ws.h"
#include "tests/fuzz/fuzz.h"

static void check_key(struct slice in)
{
    char accept[WS_ACCEPT_LEN + 1], fresh[WS_KEY_LEN + 1];
    assert(ws_key_new(fresh) == ERR_OK && ws_key_valid(slice_str(fresh)));
    if (!ws_key_valid(in))
        return;
    assert(in.len == WS_KEY_LEN);
    ws_accept(in, accept);
    assert(strlen(accept) == WS_ACCEPT_LEN);
}

/* Checks that a Close frame of ours, which follows a whole frame, is a whole frame. */
static void check_close(struct ws_frames f, struct slice reason)
{
    char out[WS_CLOSE_MAX];
    if (f.tail != 0 || f.broken)
        return;
    ws_frames_feed(&f, slice_make(out, ws_close_frame(WS_SERVICE_RESTART, reason, out)));
    assert(f.tail == 0 && !f.broken && f.close_seen);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice in = fuzz_input(data, size);
    struct ws_frames whole, single;
    ws_frames_init(&whole);
    ws_frames_init(&single);
    ws_frames_feed(&whole, in);
    for (size_t i = 0; i < size; i++)
        ws_frames_feed(&single, slice_make(in.ptr + i, 1));
    assert(whole.tail == single.tail && whole.payload == single.payload && whole.tail <= size);
    assert(whole.broken == single.broken && whole.close_seen == single.close_seen);
    assert(whole.header_len <= sizeof whole.header);
    check_close(whole, in);
    check_key(in);
    return 0;
}
