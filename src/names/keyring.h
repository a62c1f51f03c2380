/* SPDX-License-Identifier: MIT */
/* keyring.h - reads the keys of the secret file and signs with them. The first key signs tickets,
 * and each of them verifies, so that a key can be replaced while tickets of the old one are in use.
 * protocol.md#tickets
 *
 * A keyring has at least one key and does not change after keyring_open, so any thread may use it.
 * It signs bytes and knows nothing of what they say. */
#ifndef SRC_NAMES_KEYRING_H
#define SRC_NAMES_KEYRING_H

#include <stdint.h>

#include "h2mux/base/slice.h"

enum { KEYRING_MAC_LEN = 32 };

struct keyring;

/* Reads the keys from the file `secret` of @state_dir. Creates that file with one new key, mode
 * 0600, when it does not exist. Returns NULL, with a sentence in @reason, when the file cannot be
 * read or created, when a line of it is not a key, and when it holds no key. */
struct keyring *keyring_open(const char *state_dir, char *reason, size_t reason_cap) MUSTCHECK;

/* Overwrites and frees the keys. NULL is fine. */
void keyring_free(struct keyring *k);

/* Returns the number of keys. Key 0 is the one to sign with. */
size_t keyring_count(const struct keyring *k);

/* Returns the id of key @i, as it stands in the file. */
const char *keyring_id(const struct keyring *k, size_t i);

/* Writes the HMAC-SHA256 of @text by key @i into @mac. Returns 0, or ERR_IO when OpenSSL fails. */
int keyring_sign(const struct keyring *k, size_t i, struct slice text,
                 uint8_t mac[static KEYRING_MAC_LEN]) MUSTCHECK;

#endif
