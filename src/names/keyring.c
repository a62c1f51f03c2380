/* SPDX-License-Identifier: MIT */
/* keyring.c - reads or creates the secret file, and signs with its keys; see keyring.h. */
#include "src/names/keyring.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include "h2mux/base/check.h"
#include "h2mux/base/err.h"
#include "h2mux/base/log.h"
#include "src/names/base64url.h"
#include "src/names/state.h"

enum { ID_MAX = 32, KEY_MIN = 16, KEY_MAX = 64, KEY_NEW = 32, SECRET_FILE_MAX = 65536 };

struct key {
    char id[ID_MAX + 1];
    uint8_t secret[KEY_MAX];
    size_t len; /* of the secret: KEY_MIN to KEY_MAX */
};

struct keyring {
    struct key *keys; /* owned; at least one */
    size_t n;
};

static void keyring_check(const struct keyring *k)
{
    CHECK_THAT(k->keys && k->n > 0);
    for (size_t i = 0; i < k->n; i++) {
        CHECK_THAT(k->keys[i].len >= KEY_MIN && k->keys[i].len <= KEY_MAX);
        CHECK_THAT(memchr(k->keys[i].id, '\0', ID_MAX + 1));
    }
}

/* ---- the file */

/* Reads a line `id base64` into @k. The base64 may use either alphabet, with or without padding.
 * Returns 0, or ERR_SYNTAX when the line is malformed or the secret does not have KEY_MIN to
 * KEY_MAX bytes. */
static int key_parse(struct slice line, struct key *k)
{
    char text[2 * KEY_MAX];
    ptrdiff_t space = slice_find(line, ' ');
    if (space <= 0 || space > ID_MAX)
        return ERR_SYNTAX;
    struct slice secret = slice_trim(slice_skip(line, (size_t)space));
    while (secret.len > 0 && secret.ptr[secret.len - 1] == '=')
        secret.len--;
    if (secret.len > sizeof text)
        return ERR_SYNTAX;
    memcpy(text, secret.ptr, secret.len);
    base64url_from_base64(text, secret.len);
    ssize_t len = base64url_decode(slice_make(text, secret.len), k->secret, KEY_MAX);
    OPENSSL_cleanse(text, sizeof text);
    if (len < KEY_MIN)
        return ERR_SYNTAX;
    memcpy(k->id, line.ptr, (size_t)space);
    k->len = (size_t)len;
    return 0;
}

/* Removes the first line from @text. Returns that line without its line end and without white space
 * at either end. */
static struct slice take_line(struct slice *text)
{
    ptrdiff_t end = slice_find(*text, '\n');
    struct slice line = slice_make(text->ptr, end < 0 ? text->len : (size_t)end);
    *text = slice_skip(*text, end < 0 ? text->len : (size_t)end + 1);
    if (line.len > 0 && line.ptr[line.len - 1] == '\r')
        line.len--;
    return slice_trim(line);
}

/* Adds the keys of @text, the content of the secret file, to @k. Skips empty lines and lines that
 * begin with '#'. Returns 0, or the number of the first line that is not a key. */
static size_t keyring_parse(struct keyring *k, struct slice text)
{
    for (size_t number = 1; text.len > 0; number++) {
        struct slice line = take_line(&text);
        struct key key = {0};
        if (line.len == 0 || line.ptr[0] == '#')
            continue;
        if (key_parse(line, &key) < 0)
            return number;
        k->keys = xrealloc(k->keys, (k->n + 1) * sizeof *k->keys);
        k->keys[k->n++] = key;
        OPENSSL_cleanse(&key, sizeof key);
    }
    return 0;
}

/* Creates the secret file with one new random key. Returns 0; ERR_TAKEN when another process has
 * created the file meanwhile, whose key is as good; or ERR_IO when the file or random bytes cannot
 * be had. */
static int secret_create(const char *dir)
{
    uint8_t id[4], secret[KEY_NEW];
    char text[2 * KEY_MAX + ID_MAX], encoded[2 * KEY_NEW];
    if (RAND_bytes(id, sizeof id) != 1 || RAND_bytes(secret, sizeof secret) != 1)
        return ERR_IO;
    EVP_EncodeBlock((unsigned char *)encoded, secret, sizeof secret);
    int len =
        snprintf(text, sizeof text, "k%02x%02x%02x%02x %s\n", id[0], id[1], id[2], id[3], encoded);
    int err = state_create(dir, STATE_SECRET, slice_make(text, (size_t)len));
    OPENSSL_cleanse(secret, sizeof secret);
    OPENSSL_cleanse(encoded, sizeof encoded);
    OPENSSL_cleanse(text, sizeof text);
    return err;
}

static int secret_read(const char *dir, struct buf *out)
{
    int err = state_prepare(dir);
    if (err == 0)
        err = state_read(dir, STATE_SECRET, out);
    if (err == ERR_NOT_FOUND) {
        err = secret_create(dir);
        if (err == 0 || err == ERR_TAKEN)
            err = state_read(dir, STATE_SECRET, out);
    }
    return err;
}

struct keyring *keyring_open(const char *state_dir, char *reason, size_t reason_cap)
{
    struct keyring *k = xcalloc(1, sizeof *k);
    struct buf text;
    buf_init(&text, SECRET_FILE_MAX);
    int err = secret_read(state_dir, &text);
    size_t wrong = err < 0 ? 0 : keyring_parse(k, buf_slice(&text));
    if (err < 0)
        snprintf(reason, reason_cap, "%s/%s: %s", state_dir, STATE_SECRET,
                 err == ERR_IO ? strerrordesc_np(errno) : err_text(err));
    else if (wrong > 0)
        snprintf(reason, reason_cap, "%s/%s: line %zu is not a key (kid, space, base64)", state_dir,
                 STATE_SECRET, wrong);
    else if (k->n == 0)
        snprintf(reason, reason_cap, "%s/%s: holds no key", state_dir, STATE_SECRET);
    else if (state_is_exposed(state_dir, STATE_SECRET))
        LOG(WARN, "secret_file_readable", LOG_STR("dir", state_dir), LOG_STR("file", STATE_SECRET));
    if (text.ptr)
        OPENSSL_cleanse(text.ptr, text.cap);
    buf_release(&text);
    if (err == 0 && wrong == 0 && k->n > 0)
        return k;
    keyring_free(k);
    return NULL;
}

void keyring_free(struct keyring *k)
{
    if (!k)
        return;
    if (k->keys)
        OPENSSL_cleanse(k->keys, k->n * sizeof *k->keys);
    free(k->keys);
    free(k);
}

/* ---- the keys */

size_t keyring_count(const struct keyring *k)
{
    return k->n;
}

const char *keyring_id(const struct keyring *k, size_t i)
{
    assert(i < k->n);
    return k->keys[i].id;
}

int keyring_sign(const struct keyring *k, size_t i, struct slice text,
                 uint8_t mac[static KEYRING_MAC_LEN])
{
    unsigned len = 0;
    if (CHECKING)
        keyring_check(k);
    assert(i < k->n);
    const struct key *key = &k->keys[i];
    bool ok = HMAC(EVP_sha256(), key->secret, (int)key->len, (const unsigned char *)text.ptr,
                   text.len, mac, &len);
    return ok && len == KEYRING_MAC_LEN ? 0 : ERR_IO;
}
