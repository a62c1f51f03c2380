/* SPDX-License-Identifier: MIT */
/* owner.h - makes and compares the ids of owners of names. An id is 128 random bits. A ticket
 * proves that its holder is the owner, and the names file remembers the id. protocol.md#tickets */
#ifndef SRC_NAMES_OWNER_H
#define SRC_NAMES_OWNER_H

#include <stdbool.h>
#include <stdint.h>

#include "h2mux/base/slice.h"

enum { OWNER_LEN = 16, OWNER_TEXT_MAX = 2 * OWNER_LEN + 1 };

/* Fills @owner with random bytes. Returns 0, or ERR_IO when OpenSSL has no random bytes. */
int owner_new(uint8_t owner[static OWNER_LEN]) MUSTCHECK;

/* Compares two owners in constant time. */
bool owner_eq(const uint8_t a[static OWNER_LEN], const uint8_t b[static OWNER_LEN]);

/* Writes @owner into @out as 32 lower-case hexadecimal digits, zero-terminated. */
void owner_text(const uint8_t owner[static OWNER_LEN], char out[static OWNER_TEXT_MAX]);

/* Reads an owner from 32 hexadecimal digits. Returns 0, or ERR_SYNTAX when @text is anything
 * else. */
int owner_parse(struct slice text, uint8_t owner[static OWNER_LEN]) MUSTCHECK;

#endif
