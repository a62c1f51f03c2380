/* SPDX-License-Identifier: MIT */
/* ws.c - see ws.h. RFC 6455 4, 5. */
#include "h2mux/http/ws.h"

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdlib.h>

enum {
    WS_NONCE_LEN = 16,
    WS_SHA1_LEN = 20,
    WS_REASON_MAX = 123,
    WS_OPCODE = 0x0f,
    WS_CONTROL = 0x08, /* set in the opcodes of control frames */
    WS_CLOSE = 0x08,
    WS_FIN = 0x80,
    WS_MASKED = 0x80
};

/* EVP_DecodeBlock takes '=' anywhere for a zero, so its place is checked here. */
bool ws_key_valid(struct slice key)
{
    unsigned char nonce[WS_KEY_LEN / 4 * 3];
    if (key.len != WS_KEY_LEN || slice_find(key, '=') != WS_KEY_LEN - 2 ||
        key.ptr[WS_KEY_LEN - 1] != '=')
        return false;
    return EVP_DecodeBlock(nonce, (const unsigned char *)key.ptr, WS_KEY_LEN) == (int)sizeof nonce;
}

int ws_key_new(char out[static WS_KEY_LEN + 1])
{
    unsigned char nonce[WS_NONCE_LEN];
    if (RAND_bytes(nonce, sizeof nonce) != 1)
        return ERR_IO;
    EVP_EncodeBlock((unsigned char *)out, nonce, sizeof nonce);
    return ERR_OK;
}

void ws_accept(struct slice key, char out[static WS_ACCEPT_LEN + 1])
{
    const struct slice guid = SLICE("258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    unsigned char sha1[WS_SHA1_LEN];
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    if (!md || EVP_DigestInit_ex(md, EVP_sha1(), NULL) != 1 ||
        EVP_DigestUpdate(md, key.ptr, key.len) != 1 ||
        EVP_DigestUpdate(md, guid.ptr, guid.len) != 1 || EVP_DigestFinal_ex(md, sha1, NULL) != 1)
        abort(); /* a SHA-1 of 60 bytes fails only when memory is gone */
    EVP_MD_CTX_free(md);
    EVP_EncodeBlock((unsigned char *)out, sha1, sizeof sha1);
}

void ws_frames_init(struct ws_frames *f)
{
    *f = (struct ws_frames){.header_len = 0};
}

/* Returns how long the header is, as far as it is known: its second byte tells. RFC 6455 5.2. */
static size_t header_size(const struct ws_frames *f)
{
    if (f->header_len < 2)
        return 2;
    unsigned len = f->header[1] & 0x7fu;
    size_t extended = len == 126 ? 2 : len == 127 ? 8 : 0;
    return 2 + extended + (f->header[1] & WS_MASKED ? 4 : 0);
}

static uint64_t header_payload(const struct ws_frames *f)
{
    unsigned len = f->header[1] & 0x7fu;
    if (len < 126)
        return len;
    uint64_t n = 0;
    for (size_t i = 2; i < (len == 126 ? 4u : 10u); i++)
        n = n << 8 | f->header[i];
    return n;
}

/* Opcodes 3-7 and 11-15 are reserved. Control frames have at most 125 bytes. RFC 6455 5.5. */
static bool header_broken(const struct ws_frames *f)
{
    unsigned opcode = f->header[0] & (unsigned)WS_OPCODE;
    if ((opcode & 7u) > 2)
        return true;
    return f->header_len >= 2 && (opcode & WS_CONTROL) && (f->header[1] & 0x7fu) > 125;
}

static void end_of_frame(struct ws_frames *f)
{
    f->header_len = 0;
    f->tail = 0;
}

static void feed_header(struct ws_frames *f, uint8_t byte)
{
    f->header[f->header_len++] = byte;
    f->broken = header_broken(f);
    if (f->broken)
        return;
    if ((f->header[0] & WS_OPCODE) == WS_CLOSE)
        f->close_seen = true;
    if (f->header_len < 2 || f->header_len < header_size(f))
        return;
    f->payload = header_payload(f);
    f->broken = f->payload > INT64_MAX; /* the most significant bit must be 0 */
    if (f->payload == 0)
        end_of_frame(f);
}

static bool in_header(const struct ws_frames *f)
{
    return f->payload == 0;
}

void ws_frames_feed(struct ws_frames *f, struct slice data)
{
    while (data.len > 0 && !f->broken) {
        size_t n = 1;
        if (in_header(f)) {
            f->tail++;
            feed_header(f, (uint8_t)data.ptr[0]);
        } else {
            n = data.len < f->payload ? data.len : (size_t)f->payload;
            f->tail += n;
            f->payload -= n;
            if (f->payload == 0)
                end_of_frame(f);
        }
        data = slice_skip(data, n);
    }
    f->tail += data.len;
}

size_t ws_close_frame(uint16_t code, struct slice reason, char out[static WS_CLOSE_MAX])
{
    size_t len = reason.len < WS_REASON_MAX ? reason.len : WS_REASON_MAX;
    out[0] = (char)(WS_FIN | WS_CLOSE);
    out[1] = (char)(2 + len);
    out[2] = (char)(code >> 8);
    out[3] = (char)(code & 0xff);
    if (len > 0)
        memcpy(out + 4, reason.ptr, len);
    return 4 + len;
}
