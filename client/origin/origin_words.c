/* SPDX-License-Identifier: MIT */
/* origin_words.c - see origin_words.h. */
#include "client/origin/origin_words.h"

#include <stdio.h>

#include "h2mux/base/err.h"

static bool is_word(const char *word, const char *const *list)
{
    for (; *list; list++)
        if (strcmp(word, *list) == 0)
            return true;
    return false;
}

static int refuse(const char **reason, int err, const char *text)
{
    *reason = text;
    return err;
}

static int judge_first(const char *word, bool alone, struct origin_words *out, const char **reason)
{
    static const char *const carried[] = {"http", "https", NULL};
    static const char *const bare[] = {"tcp", "udp", "tls", "ssh", "rdp", NULL};
    if (is_word(word, bare))
        return refuse(reason, ERR_UNSUPPORTED,
                      "oneport shares HTTP services with their WebSockets, and no bare ports. What "
                      "carries a port inside of a WebSocket (websocat, wstunnel) can be shared: "
                      "oneport PORT");
    if (!is_word(word, carried))
        return alone ? 0 : refuse(reason, ERR_SYNTAX, "one word says what to share: oneport PORT");
    if (alone)
        return refuse(reason, ERR_SYNTAX, "what is shared is missing: oneport PORT");
    out->https = strcmp(word, "https") == 0;
    return 0;
}

/* Cuts the path off @text, with query and fragment. */
static void cut_path(struct origin_words *out)
{
    char *authority = strstr(out->text, "://");
    char *path = strpbrk(authority ? authority + 3 : out->text, "/?#");
    if (!path || strncmp(out->text, "unix:", 5) == 0)
        return;
    if (strcmp(path, "/") != 0)
        snprintf(out->path, sizeof out->path, "%s", path);
    *path = '\0';
}

int origin_words_read(const char *const *words, size_t n, struct origin_words *out,
                      const char **reason)
{
    *out = (struct origin_words){.https = false};
    int err = judge_first(words[0], n == 1, out, reason);
    if (err < 0)
        return err;
    const char *text = words[n - 1];
    if (strlen(text) >= sizeof out->text)
        return refuse(reason, ERR_LIMIT, "this is too long");
    if (out->https && (strncmp(text, "http://", 7) == 0 || strncmp(text, "h2c://", 6) == 0))
        return refuse(reason, ERR_SYNTAX, "https and the URL contradict each other");
    snprintf(out->text, sizeof out->text, "%s", text);
    cut_path(out);
    return 0;
}
