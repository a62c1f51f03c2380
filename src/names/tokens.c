/* SPDX-License-Identifier: MIT */
/* tokens.c - reads the tokens file as a whole, or not at all; see tokens.h. */
#include "src/names/tokens.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "h2mux/base/check.h"
#include "h2mux/base/err.h"
#include "h2mux/base/file.h"
#include "h2mux/base/map.h"
#include "src/names/name_index.h"
#include "src/names/name_pattern.h"

struct content {
    char *text;           /* owned: what the tokens borrow from */
    struct token *tokens; /* owned */
    size_t n, cap;
    struct map by_id;           /* of struct token */
    struct name_index reserved; /* by any token */
    struct slice leap;          /* patterns, borrowed from `text`; empty: none */
};

struct tokens {
    pthread_rwlock_t lock; /* guards the rest */
    struct content *now;   /* owned */
    uint64_t generation;   /* of `now` */
};

static void content_free(struct content *c)
{
    if (!c)
        return;
    map_deinit(&c->by_id);
    name_index_deinit(&c->reserved);
    free(c->tokens);
    free(c->text);
    free(c);
}

/* ---- reading */

static struct slice take_line(struct slice *text)
{
    ptrdiff_t end = slice_find(*text, '\n');
    struct slice line = slice_make(text->ptr, end < 0 ? text->len : (size_t)end);
    *text = slice_skip(*text, line.len + (end >= 0));
    return slice_trim(
        line.len > 0 && line.ptr[line.len - 1] == '\r' ? slice_make(line.ptr, line.len - 1) : line);
}

/* Reads the rest of a line of the word `leap`. */
static int take_leap(struct content *c, struct slice rest, const char **why)
{
    struct slice key = SLICE("names=");
    rest = slice_trim(rest);
    *why = c->leap.len > 0 ? "is the second one of leap" : "wants names= and patterns behind leap";
    if (c->leap.len > 0 || !slice_starts(rest, key) ||
        !name_patterns_valid(slice_skip(rest, key.len)))
        return ERR_SYNTAX;
    c->leap = slice_skip(rest, key.len);
    return 0;
}

static int take_token(struct content *c, struct slice line, const char **why)
{
    if (c->n == c->cap) {
        c->cap = c->cap ? 2 * c->cap : 16;
        c->tokens = xrealloc(c->tokens, c->cap * sizeof *c->tokens);
    }
    struct token *t = &c->tokens[c->n];
    if (token_parse(line, t, why) < 0)
        return ERR_SYNTAX;
    c->n++;
    return 0;
}

/* Makes the maps when the tokens do not move any more. Returns 0; or ERR_SYNTAX with @twice, the
 * place of the first token whose ID or text stands before. */
static int index_tokens(struct content *c, size_t *twice)
{
    struct map hashes;
    int err = 0;
    map_init(&hashes);
    for (size_t i = 0; i < c->n && err == 0; i++) {
        struct token *t = &c->tokens[i];
        struct slice hash = slice_make((const char *)t->hash, sizeof t->hash);
        if (map_get(&c->by_id, slice_str(t->id)) || (t->secret && map_get(&hashes, hash)))
            err = ERR_SYNTAX;
        *twice = i;
        map_set(&c->by_id, slice_str(t->id), t);
        name_index_add(&c->reserved, t->reserve);
        if (t->secret)
            map_set(&hashes, hash, t);
    }
    map_deinit(&hashes);
    return err;
}

static int parse_lines(struct content *c, struct slice text, size_t *number, const char **why)
{
    int err = 0;
    for (*number = 1; text.len > 0; ++*number) {
        struct slice line = take_line(&text);
        if (line.len == 0 || line.ptr[0] == '#')
            continue;
        bool leap = slice_starts(line, SLICE("leap ")) || slice_starts(line, SLICE("leap\t")) ||
                    slice_eq(line, SLICE("leap"));
        err = leap ? take_leap(c, slice_skip(line, 4), why) : take_token(c, line, why);
        if (err < 0)
            break;
    }
    return err;
}

/* Reads @text, of which it takes a copy. Returns NULL with a sentence in @reason. */
static struct content *parse(const char *path, struct slice text,
                             char reason[static TOKENS_REASON_MAX])
{
    struct content *c = xcalloc(1, sizeof *c);
    const char *why = "";
    size_t number = 0, twice = 0;
    map_init(&c->by_id);
    name_index_init(&c->reserved);
    c->text = slice_dup(text);
    /* A NUL would cut a word that was not judged. */
    if (memchr(text.ptr ? text.ptr : "", '\0', text.len))
        snprintf(reason, TOKENS_REASON_MAX, "%s: is no text", path);
    else if (parse_lines(c, slice_make(c->text, text.len), &number, &why) < 0)
        snprintf(reason, TOKENS_REASON_MAX, "%s:%zu: the line %s", path, number, why);
    else if (index_tokens(c, &twice) < 0)
        snprintf(reason, TOKENS_REASON_MAX, "%s: the ID or the token of '%s' stands there twice",
                 path, c->tokens[twice].id);
    else
        return c;
    content_free(c);
    return NULL;
}

/* Reads the file into @text. Returns 0, or a negative value with a sentence in @reason. */
static int read_file(const char *path, struct buf *text, char reason[static TOKENS_REASON_MAX])
{
    const char *why = NULL;
    int fd = file_open_trusted(path, &why);
    if (fd < 0) {
        snprintf(reason, TOKENS_REASON_MAX, "%s: %s", path, why);
        return fd;
    }
    int err = file_read_all(fd, text);
    if (err < 0)
        snprintf(reason, TOKENS_REASON_MAX, "%s: %s", path,
                 err == ERR_IO ? strerrordesc_np(errno) : err_text(err));
    close(fd);
    return err;
}

static struct tokens *wrap(struct content *c)
{
    if (!c)
        return NULL;
    struct tokens *t = xcalloc(1, sizeof *t);
    if (pthread_rwlock_init(&t->lock, NULL) != 0)
        abort();
    t->now = c;
    t->generation = 1;
    return t;
}

struct tokens *tokens_open(const char *path, char reason[static TOKENS_REASON_MAX])
{
    struct buf text;
    struct content *c = NULL;
    buf_init(&text, TOKENS_FILE_MAX);
    if (read_file(path, &text, reason) == 0)
        c = parse(path, buf_slice(&text), reason);
    buf_release(&text);
    return wrap(c);
}

struct tokens *tokens_of_text(struct slice text, char reason[static TOKENS_REASON_MAX])
{
    return wrap(parse("tokens", text, reason));
}

void tokens_take(struct tokens *t, struct tokens *fresh, void (*beside)(void *user), void *user)
{
    pthread_rwlock_wrlock(&t->lock);
    struct content *old = t->now;
    t->now = fresh->now;
    t->generation++;
    if (beside)
        beside(user);
    pthread_rwlock_unlock(&t->lock);
    fresh->now = old;
    tokens_free(fresh);
}

void tokens_free(struct tokens *t)
{
    if (!t)
        return;
    content_free(t->now);
    pthread_rwlock_destroy(&t->lock);
    free(t);
}

/* ---- judging */

static enum token_verdict grant(const struct token *t, int64_t now_s, struct token_grant *g)
{
    *g = (struct token_grant){
        .secret = t->secret, .max = t->max, .links = t->links, .streams = t->streams};
    memcpy(g->id, t->id, sizeof g->id);
    memcpy(g->policy, t->policy.ptr ? t->policy.ptr : "", t->policy.len);
    return token_is_over(t, now_s) ? TOKEN_OVER : TOKEN_GOOD;
}

/* Returns the token with the hash @hash, or NULL. Compares with all of them. */
static const struct token *by_hash(const struct content *c,
                                   const uint8_t hash[static TOKEN_HASH_LEN])
{
    const struct token *found = NULL;
    for (size_t i = 0; i < c->n; i++)
        if (c->tokens[i].secret && CRYPTO_memcmp(c->tokens[i].hash, hash, TOKEN_HASH_LEN) == 0)
            found = &c->tokens[i];
    return found;
}

enum token_verdict tokens_find(struct tokens *t, struct slice text, int64_t now_s,
                               struct token_grant *g)
{
    uint8_t hash[TOKEN_HASH_LEN];
    enum token_verdict v = TOKEN_UNKNOWN;
    *g = (struct token_grant){.max = 0};
    if (!t)
        return TOKEN_GOOD;
    if (text.len == 0 || text.len > TOKEN_TEXT_MAX || token_hash(text, hash) < 0)
        return TOKEN_UNKNOWN;
    pthread_rwlock_rdlock(&t->lock);
    const struct token *found = by_hash(t->now, hash);
    if (found)
        v = grant(found, now_s, g);
    pthread_rwlock_unlock(&t->lock);
    return v;
}

/* Finds the token @id while the lock is held, and judges its time. */
static enum token_verdict look(const struct tokens *t, struct slice id, int64_t now_s,
                               const struct token **out)
{
    *out = id.len > 0 ? map_get(&t->now->by_id, id) : NULL;
    if (!*out)
        return id.len > 0 ? TOKEN_UNKNOWN : TOKEN_NONE;
    return token_is_over(*out, now_s) ? TOKEN_OVER : TOKEN_GOOD;
}

enum token_verdict tokens_look(struct tokens *t, struct slice id, int64_t now_s,
                               struct token_grant *g)
{
    const struct token *found;
    *g = (struct token_grant){.max = 0};
    if (!t)
        return TOKEN_GOOD;
    pthread_rwlock_rdlock(&t->lock);
    enum token_verdict v = look(t, id, now_s, &found);
    if (found)
        v = grant(found, now_s, g);
    pthread_rwlock_unlock(&t->lock);
    return v;
}

/* Returns whether @name is reserved for another token and not for @t. A token that is over reserves
 * its names still: an operator takes it out of the file when they are free. */
static bool is_anothers(const struct content *c, const struct token *t, struct slice name)
{
    bool its_own = t && name_patterns_match(t->reserve, name);
    return !its_own && name_index_match(&c->reserved, name);
}

enum token_verdict tokens_permit(struct tokens *t, struct slice id, struct slice name,
                                 int64_t now_s)
{
    const struct token *found;
    if (!t)
        return TOKEN_GOOD;
    pthread_rwlock_rdlock(&t->lock);
    enum token_verdict v = look(t, id, now_s, &found);
    if (v == TOKEN_GOOD && !token_permits(found, name))
        v = TOKEN_NAME;
    if (v == TOKEN_GOOD && is_anothers(t->now, found, name))
        v = TOKEN_RESERVED;
    pthread_rwlock_unlock(&t->lock);
    return v;
}

enum token_verdict tokens_permit_domain(struct tokens *t, struct slice id, struct slice host,
                                        int64_t now_s)
{
    const struct token *found;
    if (!t)
        return TOKEN_DOMAIN; /* nobody says whose domain it is */
    pthread_rwlock_rdlock(&t->lock);
    enum token_verdict v = look(t, id, now_s, &found);
    if (v == TOKEN_GOOD && !token_has_domain(found, host))
        v = TOKEN_DOMAIN;
    pthread_rwlock_unlock(&t->lock);
    return v;
}

bool tokens_permit_leap(struct tokens *t, struct slice name)
{
    if (!t)
        return true;
    pthread_rwlock_rdlock(&t->lock);
    bool permits = name_patterns_match(t->now->leap, name) && !is_anothers(t->now, NULL, name);
    pthread_rwlock_unlock(&t->lock);
    return permits;
}

int tokens_fit(struct tokens *t, struct slice id, struct slice word,
               char out[static NAME_MAX_LEN + 1])
{
    const struct token *found = NULL;
    int err = 0;
    if (t) {
        pthread_rwlock_rdlock(&t->lock);
        if (look(t, id, 0, &found) != TOKEN_GOOD)
            err = ERR_DENIED;
        else if (!token_permits(found, word))
            err = name_patterns_fill(found->names, word, out);
        else
            found = NULL; /* the word itself */
        pthread_rwlock_unlock(&t->lock);
    }
    if (!found && err == 0) {
        memcpy(out, word.ptr, word.len);
        out[word.len] = '\0';
    }
    return err < 0 ? ERR_DENIED : 0;
}

bool tokens_have_policies(struct tokens *t, bool (*has)(void *user, struct slice policy),
                          void *user, char id[static TOKEN_ID_MAX + 1])
{
    bool all = true;
    id[0] = '\0';
    if (!t)
        return true;
    pthread_rwlock_rdlock(&t->lock);
    for (size_t i = 0; i < t->now->n && all; i++) {
        const struct token *one = &t->now->tokens[i];
        all = one->policy.len == 0 || has(user, one->policy);
        if (!all)
            memcpy(id, one->id, sizeof one->id);
    }
    pthread_rwlock_unlock(&t->lock);
    return all;
}

uint64_t tokens_epoch(struct tokens *t, int64_t now_s)
{
    uint64_t over = 0;
    if (!t)
        return 0;
    pthread_rwlock_rdlock(&t->lock);
    for (size_t i = 0; i < t->now->n; i++)
        over += token_is_over(&t->now->tokens[i], now_s);
    uint64_t epoch = t->generation << 32 | over;
    pthread_rwlock_unlock(&t->lock);
    return epoch;
}

size_t tokens_count(struct tokens *t)
{
    if (!t)
        return 0;
    pthread_rwlock_rdlock(&t->lock);
    size_t n = t->now->n;
    pthread_rwlock_unlock(&t->lock);
    return n;
}
