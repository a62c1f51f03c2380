/* SPDX-License-Identifier: MIT */
/* password.h - reads what a viewer shows as name and password (Basic, RFC 7617), and compares a
 * password with its hash by crypt_r. Hashes are yescrypt and bcrypt, with no more work than this
 * server takes on for a stranger. Pure. */
#ifndef SRC_POLICIES_PASSWORD_H
#define SRC_POLICIES_PASSWORD_H

#include "h2mux/base/slice.h"

enum { PASSWORD_MAX = 128, PASSWORD_HASH_MAX = 128 };

/* A name and a password, each with a zero behind it. */
struct basic {
    char user[PASSWORD_MAX + 1];
    char password[PASSWORD_MAX + 1];
};

/* Reads the value of an Authorization field into @out. Returns false if it is no Basic, is not
 * understood, or is too long. */
bool basic_parse(struct slice value, struct basic *out);

/* Returns whether @hash is one of yescrypt ($y$, with the work of crypt's default at most) or
 * bcrypt
 * ($2b$, $2y$, $2a$, with a cost of 4 to 12). */
bool password_hash_valid(struct slice hash);

/* Returns whether @hash, which is valid, is that of @password. Takes tens of milliseconds and some
 * MiB. */
bool password_check(const char *password, const char *hash);

#endif
