/* SPDX-License-Identifier: MIT */
/* terminal.c - see terminal.h. */
#include "client/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>

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
    bool print_requests, open_browser;
};

struct terminal *terminal_new(bool print_requests, bool open_browser)
{
    struct terminal *t = xcalloc(1, sizeof *t);
    t->out = log_file_open("-");
    if (!t->out) {
        free(t);
        return NULL;
    }
    t->print_requests = print_requests;
    t->open_browser = open_browser;
    return t;
}

void terminal_free(struct terminal *t)
{
    if (!t)
        return;
    log_file_close(t->out);
    for (size_t i = 0; i < t->n_shown; i++)
        free(t->shown[i].url);
    free(t->shown);
    free(t);
}

/* Starts a program with default signals, and with nothing to read or write. */
static int spawn_quietly(char *const argv[])
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    sigset_t none, standard;
    pid_t pid;
    sigemptyset(&none);
    sigemptyset(&standard);
    sigaddset(&standard, SIGPIPE);
    sigaddset(&standard, SIGCHLD);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_WRONLY, 0);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setsigdefault(&attr, &standard);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    int err = posix_spawnp(&pid, argv[0], &files, &attr, argv, environ);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&files);
    return err;
}

static void open_in_browser(char *url)
{
    char program[] = "xdg-open";
    char *argv[] = {program, url, NULL};
    signal(SIGCHLD, SIG_IGN); /* the kernel reaps it */
    int err = spawn_quietly(argv);
    if (err != 0)
        LOG(WARN, "browser_not_opened", LOG_STR("program", program),
            LOG_STR("reason", strerror(err)));
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
    if (first && t->open_browser && own)
        open_in_browser(s->url);
    else if (first && t->open_browser)
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
