/* SPDX-License-Identifier: MIT */
/* frame.c - see frame.h. */
#include "tests/bench/frame.h"

enum { FIN = 0x80, MASKED = 0x80, LEN16 = 126, LEN64 = 127, MASK_LEN = 4 };

static uint64_t big_endian(const char *ptr, size_t bytes)
{
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; i++)
        value = value << 8 | (uint8_t)ptr[i];
    return value;
}

bool frame_read(struct slice bytes, struct frame *f)
{
    if (bytes.len < 2)
        return false;
    uint8_t second = (uint8_t)bytes.ptr[1];
    unsigned code = second & 0x7f;
    size_t extra = code == LEN64 ? 8 : code == LEN16 ? 2 : 0, mask = second & MASKED ? MASK_LEN : 0;
    size_t head = 2 + extra + mask;
    if (bytes.len < head)
        return false;
    uint64_t len = extra ? big_endian(bytes.ptr + 2, extra) : code;
    if (len > bytes.len - head)
        return false;
    *f = (struct frame){.opcode = (uint8_t)bytes.ptr[0] & 0x0f,
                        .body = {bytes.ptr + head, (size_t)len},
                        .len = head + (size_t)len};
    memcpy(f->mask, bytes.ptr + 2 + extra, mask);
    return true;
}

size_t frame_write_head(char out[static FRAME_HEAD_MAX], unsigned opcode, size_t len, bool masked)
{
    size_t extra = len > UINT16_MAX ? 8 : len >= LEN16 ? 2 : 0, head = 2 + extra;
    unsigned code = extra == 8 ? LEN64 : extra == 2 ? LEN16 : (unsigned)len;
    out[0] = (char)(FIN | opcode);
    out[1] = (char)(code | (masked ? MASKED : 0));
    for (size_t i = 0; i < extra; i++)
        out[2 + i] = (char)((uint64_t)len >> 8 * (extra - 1 - i));
    if (!masked)
        return head;
    memset(out + head, 0, MASK_LEN);
    return head + MASK_LEN;
}
