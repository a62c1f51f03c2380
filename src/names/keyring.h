/* SPDX-License-Identifier: MIT */
/* keyring.h - reads the keys of the secret file and signs with them. The first key signs tickets,
 * and every key verifies them, so that a key can be replaced while tickets of the old key are in
 * use. protocol.md#tickets
 *
 * A keyring has at least one key and does not change after keyring_open, so any thread may use it.
 * The keyring does not know the meaning of the bytes that it signs. */
#ifndef SRC_NAMES_KEYRING_H
#define SRC_NAMES_KEYRING_H

#include <stdint.h>

#include "h2mux/base/slice.h"

enum { KEYRING_MAC_LEN = 32 };

struct keyring;

/* Reads the keys from the file `secret` of @state_dir. Creates the file with one new key and mode
 * 0600 when it does not exist. Returns the keyring; or NULL, with a sentence in @reason, when the
 * file cannot be read or created, has a line that is not a key, or holds no key. */
struct keyring *keyring_open(const char *state_dir, char *reason, size_t reason_cap) MUSTCHECK;

/* Overwrites and frees the keys. NULL is fine. */
void keyring_free(struct keyring *k);

/* Returns the number of keys. Key 0 signs new tickets. */
size_t keyring_count(const struct keyring *k);

/* Returns the id of key @i, as it is written in the file. */
const char *keyring_id(const struct keyring *k, size_t i);

/* Writes the HMAC-SHA256 of @text by key @i into @mac. Returns 0, or ERR_IO when OpenSSL fails. */
int keyring_sign(const struct keyring *k, size_t i, struct slice text,
                 uint8_t mac[static KEYRING_MAC_LEN]) MUSTCHECK;

#endif
