/* SPDX-License-Identifier: MIT */
/* memo.h - remembers for a minute what was computed of passes and credentials, so that a request
 * costs a hash and no MAC. It keeps the SHA-256 of a text behind a random seed, and no text.
 * Belongs to a thread; the time is an argument. */
#ifndef SRC_POLICIES_MEMO_H
#define SRC_POLICIES_MEMO_H

#include "h2mux/base/slice.h"

enum { MEMO_TAG_LEN = 16, MEMO_LIFE_S = 60 };

struct memo;

struct memo *memo_new(void) MUSTCHECK;
void memo_free(struct memo *m);

/* Frees the table if nothing in it is good any more. */
void memo_tidy(struct memo *m, int64_t now_s);
/* Returns how large the table is, in bytes. */
size_t memo_bytes(const struct memo *m);

/* Returns whether the text @text of the kind @kind is remembered, and fills @tag then. @m NULL: it
 * is not. */
bool memo_find(struct memo *m, char kind, struct slice text, int64_t now_s,
               uint8_t tag[static MEMO_TAG_LEN]);

/* Remembers @tag for @text until @until_s, or for MEMO_LIFE_S if that is less. What has the same
 * place is forgotten. */
void memo_keep(struct memo *m, char kind, struct slice text, int64_t until_s, int64_t now_s,
               const uint8_t tag[static MEMO_TAG_LEN]);

#endif
