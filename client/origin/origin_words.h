/* SPDX-License-Identifier: MIT */
/* origin_words.h - understands the words after the options as people write them for programs of
 * this kind: "8000", "http 8000", "https 8443", "8000/path". Pure. */
#ifndef CLIENT_ORIGIN_ORIGIN_WORDS_H
#define CLIENT_ORIGIN_ORIGIN_WORDS_H

#include "client/origin/origin_address.h"

enum { ORIGIN_WORDS_MAX = 2 };

struct origin_words {
    char text[URL_AUTHORITY_MAX + URL_PATH_MAX]; /* the origin as origin_address_parse takes it */
    bool https;                                  /* "https" came before it */
    char path[URL_PATH_MAX];                     /* what was left out of it; empty: nothing */
};

/* Reads @n words. Leaves the path of a page out, since the whole service is shared. Fails with
 * ERR_SYNTAX or ERR_UNSUPPORTED; @reason is static text then, which says what can be written
 * instead. */
int origin_words_read(const char *const *words, size_t n, struct origin_words *out,
                      const char **reason) MUSTCHECK;

#endif
