/* SPDX-License-Identifier: MIT */
/* owner.c - makes, compares, prints and reads the ids of owners; see owner.h. */
#include "src/names/owner.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include "h2mux/base/err.h"
#include "h2mux/http/bytes.h"

int owner_new(uint8_t owner[static OWNER_LEN])
{
    return RAND_bytes(owner, OWNER_LEN) == 1 ? 0 : ERR_IO;
}

bool owner_eq(const uint8_t a[static OWNER_LEN], const uint8_t b[static OWNER_LEN])
{
    return CRYPTO_memcmp(a, b, OWNER_LEN) == 0;
}

void owner_text(const uint8_t owner[static OWNER_LEN], char out[static OWNER_TEXT_MAX])
{
    bytes_to_hex(owner, OWNER_LEN, out);
}

int owner_parse(struct slice text, uint8_t owner[static OWNER_LEN])
{
    if (text.len != (size_t)2 * OWNER_LEN)
        return ERR_SYNTAX;
    for (size_t i = 0; i < OWNER_LEN; i++) {
        int high = byte_hex((unsigned char)text.ptr[2 * i]),
            low = byte_hex((unsigned char)text.ptr[2 * i + 1]);
        if (high < 0 || low < 0)
            return ERR_SYNTAX;
        owner[i] = (uint8_t)(high << 4 | low);
    }
    return 0;
}
