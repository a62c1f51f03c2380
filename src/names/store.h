/* SPDX-License-Identifier: MIT */
/* store.h - opens the state directory for a process that serves: takes its lock, reads its keys and
 * the server's name, and makes what is missing. What a full or read-only disk refuses is kept in
 * memory, and made later (store_settle). protocol.md#state-directory
 *
 * Invariant: nothing is written while another process has the lock. */
#ifndef SRC_NAMES_STORE_H
#define SRC_NAMES_STORE_H

#include <stdatomic.h>

#include "src/names/keyring.h"
#include "src/names/state.h"

struct store {
    const char *dir;           /* borrowed */
    struct keyring *keyring;   /* owned */
    char node[STATE_NODE_MAX]; /* the server's name in Via */
    bool node_unsaved;         /* the file `node` could not be written */
    _Atomic int lock;          /* STATE_LOCK_NONE: the disk has refused it, or it was given up */
};

/* Makes the directory @dir if it is missing, takes the lock, and reads or makes the keys and the
 * name. Returns the store; or NULL, with a sentence in @reason, when another process serves from
 * the directory, when somebody else may change it or a file in it, or when a file cannot be used.
 */
struct store *store_open(const char *dir, char *reason, size_t reason_cap) MUSTCHECK;

/* Gives the lock up and frees @s. NULL is fine. */
void store_free(struct store *s);

/* Takes the lock and makes the files that the disk has refused. Must be called before a file of the
 * directory is written; only one thread may call it. Returns 0 when nothing is missing, otherwise a
 * negative error code with a sentence in @reason. */
int store_settle(struct store *s, char *reason, size_t reason_cap) MUSTCHECK;

/* Tells a successor that the lock will be given up in a moment. */
void store_will_end(struct store *s);

/* Gives the lock up. Nothing may be written afterwards. */
void store_give(struct store *s);

#endif
