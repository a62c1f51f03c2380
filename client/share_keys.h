/* SPDX-License-Identifier: MIT */
/* share_keys.h - makes the keys of --share-key, by which their holders may look without a password.
 * The server gets their hashes alone. */
#ifndef CLIENT_SHARE_KEYS_H
#define CLIENT_SHARE_KEYS_H

#include "h2mux/base/opt.h"

enum { SHARE_KEYS_MAX = 16, SHARE_KEY_TEXT = 44 };

struct share_keys {
    struct {
        char *name;                /* owned */
        char key[SHARE_KEY_TEXT];  /* 256 random bits in base64url */
        char hash[SHARE_KEY_TEXT]; /* its SHA-256, likewise */
        int64_t until_s;           /* wall clock; 0: never */
        uint64_t uses;             /* 0: any number */
    } v[SHARE_KEYS_MAX];
    size_t n;
};

/* Returns 0 if @value is NAME[:TIME[:USES]], as ann:2h:1, else ERR_SYNTAX. */
int share_keys_check(const char *value) MUSTCHECK;

/* Makes a key for each of @list. Returns 0, or ERR_LIMIT when there are more than SHARE_KEYS_MAX,
 * or ERR_IO when there are no random bytes. The caller frees @out by share_keys_free. */
int share_keys_make(const struct opt_list *list, int64_t now_s, struct share_keys *out) MUSTCHECK;
void share_keys_free(struct share_keys *k);

#endif
