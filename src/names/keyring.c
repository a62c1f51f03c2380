/* SPDX-License-Identifier: MIT */
/* keyring.c - reads or creates the secret file, and signs with its keys; see keyring.h. */
#include "src/names/keyring.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include "h2mux/base/check.h"
#include "h2mux/base/err.h"
#include "h2mux/base/log.h"
#include "h2mux/http/bytes.h"
#include "src/names/base64url.h"
#include "src/names/state.h"

enum { ID_MAX = 32, KEY_MIN = 16, KEY_MAX = 64, KEY_NEW = 32, SECRET_FILE_MAX = 65536 };

struct key {
    char id[ID_MAX + 1];
    uint8_t secret[KEY_MAX];
    size_t len; /* of the secret: KEY_MIN to KEY_MAX */
};

struct key_list {
    struct key *keys; /* owned */
    size_t n;
};

struct keyring {
    pthread_rwlock_t lock; /* guards the rest */
    struct key_list list;  /* at least one */
    bool unsaved;          /* the file could not be made: the one key is only here */
};

static void keyring_check(const struct keyring *k)
{
    const struct key_list *l = &k->list;
    CHECK_THAT(l->keys && l->n > 0);
    CHECK_THAT(!k->unsaved || l->n == 1);
    for (size_t i = 0; i < l->n; i++) {
        CHECK_THAT(l->keys[i].len >= KEY_MIN && l->keys[i].len <= KEY_MAX);
        CHECK_THAT(memchr(l->keys[i].id, '\0', ID_MAX + 1));
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

static void wipe(struct key_list *l)
{
    if (l->keys)
        OPENSSL_cleanse(l->keys, l->n * sizeof *l->keys);
    free(l->keys);
    *l = (struct key_list){0};
}

static void add_key(struct key_list *l, const struct key *key)
{
    struct key_list longer = {.keys = xcalloc(l->n + 1, sizeof *l->keys), .n = l->n + 1};
    if (l->n > 0)
        memcpy(longer.keys, l->keys, l->n * sizeof *l->keys);
    longer.keys[l->n] = *key;
    wipe(l);
    *l = longer;
}

/* Adds the keys of @text, the content of the secret file, to @l. Skips empty lines and lines that
 * begin with '#'. Returns 0, or the number of the first line that is not a key. */
static size_t key_list_parse(struct key_list *l, struct slice text)
{
    for (size_t number = 1; text.len > 0; number++) {
        struct slice line = take_line(&text);
        struct key key = {0};
        if (line.len == 0 || line.ptr[0] == '#')
            continue;
        if (key_parse(line, &key) < 0)
            return number;
        add_key(l, &key);
        OPENSSL_cleanse(&key, sizeof key);
    }
    return 0;
}

/* Reads the file into @l. Returns 0; ERR_NOT_FOUND; or another negative value, with a sentence in
 * @reason. */
static int read_keys(const char *dir, struct key_list *l, char *reason, size_t reason_cap)
{
    struct buf text;
    const char *why = NULL;
    buf_init(&text, SECRET_FILE_MAX);
    int err = state_read(dir, STATE_SECRET, &text, &why);
    size_t wrong = err < 0 ? 0 : key_list_parse(l, buf_slice(&text));
    if (err < 0)
        snprintf(reason, reason_cap, "%s/%s: %s", dir, STATE_SECRET, why);
    else if (wrong > 0)
        snprintf(reason, reason_cap, "%s/%s: line %zu is not a key (kid, space, base64)", dir,
                 STATE_SECRET, wrong);
    else if (l->n == 0)
        snprintf(reason, reason_cap, "%s/%s: holds no key: remove it, and a new one is made", dir,
                 STATE_SECRET);
    else if (state_is_exposed(dir, STATE_SECRET))
        LOG(WARN, "secret_file_readable", LOG_STR("dir", dir), LOG_STR("file", STATE_SECRET));
    if (text.ptr)
        OPENSSL_cleanse(text.ptr, text.cap);
    buf_release(&text);
    return err < 0 ? err : wrong > 0 || l->n == 0 ? ERR_SYNTAX : 0;
}

/* Makes a random key. Returns 0, or ERR_IO when OpenSSL has no random bytes. */
static int key_new(struct key *k)
{
    uint8_t id[4];
    if (RAND_bytes(id, sizeof id) != 1 || RAND_bytes(k->secret, KEY_NEW) != 1)
        return ERR_IO;
    k->id[0] = 'k';
    bytes_to_hex(id, sizeof id, k->id + 1);
    k->len = KEY_NEW;
    return 0;
}

static int save_key(const char *dir, const struct key *k, const char **why)
{
    char text[2 * KEY_MAX + ID_MAX], encoded[2 * KEY_MAX];
    EVP_EncodeBlock((unsigned char *)encoded, k->secret, (int)k->len);
    int len = snprintf(text, sizeof text, "%s %s\n", k->id, encoded);
    int err = state_create(dir, STATE_SECRET, slice_make(text, (size_t)len), why);
    int error = errno;
    OPENSSL_cleanse(encoded, sizeof encoded);
    OPENSSL_cleanse(text, sizeof text);
    errno = error;
    return err;
}

/* Makes a new key and saves it, or keeps it in memory if the disk is full or read-only. Returns 0;
 * ERR_TAKEN when the file is there by now, whose key is as good; or another negative value, with a
 * sentence in @reason. */
static int create_key(struct keyring *k, const char *dir, char *reason, size_t reason_cap)
{
    const char *why = "no random bytes";
    struct key key = {0};
    int err = key_new(&key);
    if (err == 0)
        err = save_key(dir, &key, &why);
    k->unsaved = err == ERR_NOT_FOUND || state_may_pass(err);
    if (err == 0 || k->unsaved)
        add_key(&k->list, &key);
    else
        snprintf(reason, reason_cap, "%s/%s: %s", dir, STATE_SECRET, why);
    OPENSSL_cleanse(&key, sizeof key);
    return k->unsaved ? 0 : err;
}

static int prepare(const char *dir, char *reason, size_t reason_cap)
{
    const char *why;
    int err = state_prepare(dir, &why);
    if (err == 0 || state_may_pass(err))
        return 0;
    snprintf(reason, reason_cap, "%s: %s", dir, why);
    return err;
}

static void init_lock(struct keyring *k)
{
    pthread_rwlockattr_t a;
    pthread_rwlockattr_init(&a);
    pthread_rwlockattr_setkind_np(&a, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    if (pthread_rwlock_init(&k->lock, &a) != 0)
        abort();
    pthread_rwlockattr_destroy(&a);
}

struct keyring *keyring_open(const char *state_dir, char *reason, size_t reason_cap)
{
    struct keyring *k = xcalloc(1, sizeof *k);
    init_lock(k);
    int err = prepare(state_dir, reason, reason_cap);
    if (err == 0)
        err = read_keys(state_dir, &k->list, reason, reason_cap);
    if (err == ERR_NOT_FOUND) {
        err = create_key(k, state_dir, reason, reason_cap);
        if (err == ERR_TAKEN)
            err = read_keys(state_dir, &k->list, reason, reason_cap);
    }
    if (err == 0)
        return k;
    keyring_free(k);
    return NULL;
}

int keyring_reload(struct keyring *k, const char *state_dir, char *reason, size_t reason_cap)
{
    struct key_list fresh = {0};
    int err = read_keys(state_dir, &fresh, reason, reason_cap);
    if (err == 0) {
        pthread_rwlock_wrlock(&k->lock);
        struct key_list old = k->list;
        k->list = fresh;
        k->unsaved = false;
        pthread_rwlock_unlock(&k->lock);
        fresh = old;
    }
    wipe(&fresh);
    return err;
}

int keyring_save(struct keyring *k, const char *state_dir, const char **why)
{
    keyring_hold(k);
    bool unsaved = k->unsaved;
    struct key key = k->list.keys[0];
    keyring_release(k);
    /* The lock is not held here, since a disk may be slow. */
    int err = unsaved ? save_key(state_dir, &key, why) : 0;
    int error = errno;
    OPENSSL_cleanse(&key, sizeof key);
    if (err == ERR_TAKEN)
        err = 0;
    if (unsaved && err == 0) {
        pthread_rwlock_wrlock(&k->lock);
        k->unsaved = false;
        pthread_rwlock_unlock(&k->lock);
    }
    errno = error;
    return err;
}

void keyring_free(struct keyring *k)
{
    if (!k)
        return;
    wipe(&k->list);
    pthread_rwlock_destroy(&k->lock);
    free(k);
}

/* ---- the keys */

void keyring_hold(struct keyring *k)
{
    pthread_rwlock_rdlock(&k->lock);
}

void keyring_release(struct keyring *k)
{
    pthread_rwlock_unlock(&k->lock);
}

size_t keyring_count(const struct keyring *k)
{
    return k->list.n;
}

const char *keyring_id(const struct keyring *k, size_t i)
{
    assert(i < k->list.n);
    return k->list.keys[i].id;
}

int keyring_sign(const struct keyring *k, size_t i, struct slice text,
                 uint8_t mac[static KEYRING_MAC_LEN])
{
    unsigned len = 0;
    if (CHECKING)
        keyring_check(k);
    assert(i < k->list.n);
    const struct key *key = &k->list.keys[i];
    bool ok = HMAC(EVP_sha256(), key->secret, (int)key->len, (const unsigned char *)text.ptr,
                   text.len, mac, &len);
    return ok && len == KEYRING_MAC_LEN ? 0 : ERR_IO;
}
