/* SPDX-License-Identifier: MIT */
/* keyring.h - reads the keys of the secret file and signs with them. The first key signs tickets,
 * and every key verifies them, so that a key can be replaced while tickets of the old key are in
 * use. protocol.md#tickets
 *
 * A keyring has at least one key. Any thread may use it: keyring_reload exchanges the keys under a
 * lock, which a user of the keys holds from keyring_hold to keyring_release. The keyring does not
 * know the meaning of the bytes that it signs. */
#ifndef SRC_NAMES_KEYRING_H
#define SRC_NAMES_KEYRING_H

#include <stdbool.h>
#include <stdint.h>

#include "h2mux/base/slice.h"

enum { KEYRING_MAC_LEN = 32 };

struct keyring;

/* Reads the keys from the file `secret` of @state_dir. Creates the file with one new key and mode
 * 0600 when it does not exist; when the disk is full or read-only, the new key stays in memory
 * (keyring_save). Returns the keyring; or NULL, with a sentence in @reason, when somebody else may
 * have written the file, when the file cannot be read or created, has a line that is not a key, or
 * holds no key. */
struct keyring *keyring_open(const char *state_dir, char *reason, size_t reason_cap) MUSTCHECK;

/* Reads the keys from the file again, which must exist, and uses them from now on. Returns 0; or a
 * negative error code, with a sentence in @reason, when the file cannot be used. Then the old keys
 * stay in use. */
int keyring_reload(struct keyring *k, const char *state_dir, char *reason,
                   size_t reason_cap) MUSTCHECK;

/* Creates the secret file with the key that is only in memory, if there is such a key. Returns 0,
 * also when the file exists by now; or an error of state_create, with static text in @why. */
int keyring_save(struct keyring *k, const char *state_dir, const char **why) MUSTCHECK;

/* Overwrites and frees the keys. NULL is fine. */
void keyring_free(struct keyring *k);

/* Keeps the keys as they are until keyring_release. */
void keyring_hold(struct keyring *k);
void keyring_release(struct keyring *k);

/* The following functions are called between those two. */

/* Returns the number of keys. Key 0 signs new tickets. */
size_t keyring_count(const struct keyring *k);

/* Returns the id of key @i, as it is written in the file. */
const char *keyring_id(const struct keyring *k, size_t i);

/* Writes the HMAC-SHA256 of @text by key @i into @mac. Returns 0, or ERR_IO when OpenSSL fails. */
int keyring_sign(const struct keyring *k, size_t i, struct slice text,
                 uint8_t mac[static KEYRING_MAC_LEN]) MUSTCHECK;

#endif
