/* SPDX-License-Identifier: MIT */
/* terminal.c - see terminal.h. */
#include "client/terminal.h"

#include <stdlib.h>
#include <unistd.h>

#include "client/opener.h"
#include "h2mux/base/buf.h"
#include "h2mux/base/log.h"

/* The URL of a tunnel that was shown last. */
struct shown {
    const char *tunnel; /* borrowed; NULL: there is one */
    char *url;          /* owned */
};

struct terminal {
    struct log_file *out; /* owned: it never blocks, even if nobody reads */
    struct shown *shown;  /* owned: one for each tunnel that has a URL */
    size_t n_shown;
    bool print_requests;
    int opener; /* owned; -1: no browser */
};

struct terminal *terminal_new(bool print_requests, int opener)
{
    struct terminal *t = xcalloc(1, sizeof *t);
    t->out = log_file_open("-");
    if (!t->out) {
        free(t);
        return NULL;
    }
    t->print_requests = print_requests;
    t->opener = opener;
    return t;
}

void terminal_free(struct terminal *t)
{
    if (!t)
        return;
    log_file_close(t->out);
    if (t->opener >= 0)
        close(t->opener);
    for (size_t i = 0; i < t->n_shown; i++)
        free(t->shown[i].url);
    free(t->shown);
    free(t);
}

static void print(struct terminal *t, struct buf *line)
{
    log_file_line(t->out, buf_slice(line));
    buf_release(line);
}

/* Returns what was shown of @tunnel; a new one has no URL. */
static struct shown *find_shown(struct terminal *t, const char *tunnel)
{
    for (size_t i = 0; i < t->n_shown; i++)
        if (!tunnel || strcmp(t->shown[i].tunnel, tunnel) == 0)
            return &t->shown[i];
    t->shown = xrealloc(t->shown, (t->n_shown + 1) * sizeof *t->shown);
    t->shown[t->n_shown] = (struct shown){.tunnel = tunnel};
    return &t->shown[t->n_shown++];
}

static const char *colon_after(const char *tunnel)
{
    return tunnel ? ": " : "";
}

void terminal_show_url(struct terminal *t, const char *tunnel, const char *url, bool own)
{
    struct buf line;
    struct shown *s = find_shown(t, tunnel);
    bool first = !s->url;
    if (!first && strcmp(s->url, url) == 0)
        return;
    free(s->url);
    s->url = xstrdup(url);
    buf_init(&line, 4096);
    if (buf_printf(&line, "%s%syour url is: %s", tunnel ? tunnel : "", colon_after(tunnel), url) ==
        0)
        print(t, &line);
    if (first && t->opener >= 0 && own)
        opener_open(t->opener, s->url);
    else if (first && t->opener >= 0)
        LOG(WARN, "browser_not_opened", LOG_STR("url", url),
            LOG_STR("reason", "its host is neither the server's nor below it; see --attach-host"));
}

void terminal_show_request(struct terminal *t, const char *tunnel, struct slice method,
                           struct slice path, int status, uint64_t ms)
{
    char quoted_method[LOG_QUOTED_MAX], quoted_path[LOG_QUOTED_MAX];
    struct buf line;
    if (!t->print_requests)
        return;
    log_quote(method, quoted_method);
    log_quote(path, quoted_path);
    buf_init(&line, 4096);
    if (buf_printf(&line, "%s%s%s %s %d %llu", tunnel ? tunnel : "", colon_after(tunnel),
                   quoted_method, quoted_path, status, (unsigned long long)ms) == 0)
        print(t, &line);
}
