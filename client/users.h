/* SPDX-License-Identifier: MIT */
/* users.h - is who may look with a password: takes names and passwords of options, which it hashes
 * by crypt_r, and names and hashes of a file. The server gets hashes only. */
#ifndef CLIENT_USERS_H
#define CLIENT_USERS_H

#include "h2mux/base/opt.h"

enum { USERS_MAX = 32, USERS_WHY_MAX = 256 };

struct users {
    struct {
        char *name, *hash; /* owned */
    } v[USERS_MAX];
    size_t n;
};

/* Returns 0 if @value is NAME:PASSWORD, else ERR_SYNTAX. */
int users_check(const char *value) MUSTCHECK;

/* Adds those of @list, and those of the file @path, a NAME:HASH a line, as `htpasswd -B` writes it;
 * NULL: there is none. Returns 0; or a negative error code, with a clause in @why. The caller frees
 * @out by users_free, whatever the result is. */
int users_read(const struct opt_list *list, const char *path, struct users *out,
               char why[static USERS_WHY_MAX]) MUSTCHECK;
void users_free(struct users *u);

/* Overwrites the passwords of @list that stand in @argv, which ps shows to everybody. */
void users_hide(int argc, char **argv, const struct opt_list *list);

#endif
