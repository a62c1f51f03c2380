/* SPDX-License-Identifier: MIT */
/* base64url.h - writes and reads base64 with '-' and '_' and without padding (RFC 4648 5), as
 * tickets are written. Each sequence of bytes has exactly one text, and any other spelling is
 * refused. */
#ifndef SRC_NAMES_BASE64URL_H
#define SRC_NAMES_BASE64URL_H

#include <stdint.h>
#include <sys/types.h>

#include "h2mux/base/slice.h"

/* The longest text that is decoded. */
enum { BASE64URL_MAX = 1024 };

/* Writes @len bytes of @in into @out as zero-terminated text. @out has room for 4 characters for
 * each group of up to 3 bytes, and for the zero. Returns the length of the text. */
size_t base64url_encode(const void *in, size_t len, char *out);

/* Decodes @in into @out, which has room for @cap bytes. Returns the number of bytes, or ERR_SYNTAX
 * when @in is empty or longer than BASE64URL_MAX, has padding or a character outside the alphabet,
 * holds more than @cap bytes, or differs from the text that base64url_encode would write. */
ssize_t base64url_decode(struct slice in, uint8_t *out, size_t cap) MUSTCHECK;

/* Replaces each '+' by '-' and each '/' by '_' in @text, which is ordinary base64. */
void base64url_from_base64(char *text, size_t len);

#endif
