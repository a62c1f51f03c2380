/* SPDX-License-Identifier: MIT */
/* links.c - plays many clients: registers --count names, then attaches and drops their links.
 *
 * `links --port PORT --ca FILE --count N` prints a JSON object when all names are registered, and
 * one after each command on standard input: `attach`, `drop`, `count`. It ends with its input. The
 * names are PREFIX0, PREFIX1 and so on. Each name is registered on one connection and attached on
 * another, as independent clients would do it. */
#include <cjson/cJSON.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "h2mux/base/clock.h"
#include "h2mux/base/opt.h"
#include "tests/bench/conn.h"
#include "tests/bench/control.h"
#include "tests/bench/link.h"
#include "tests/bench/viewer.h"

#define FIELD(member) .offset = offsetof(struct fleet, member)

enum { AT_ONCE = 64, REQUEST_LIMIT = 1024, ANSWER_LIMIT = 16384, MAX_LINKS = 100000 };

struct clerk {
    struct viewer viewer;
    struct buf answer;
    struct link *link; /* borrowed: the link whose name is being registered */
    struct fleet *fleet;
};

struct fleet {
    uint64_t port, count, limit_s; /* options */
    const char *ca, *prefix;
    struct link_env env;
    struct control control;
    struct link *links;
    struct clerk clerks[AT_ONCE];
    size_t next, settled, up, failed; /* of the current phase */
    uint64_t since_us;
    bool attaching;
};

static const struct opt rows[] = {
    {"port", 'p', OPT_UINT, FIELD(port), .min = 1, .max = 65535, .value = "PORT",
     .help = "oneportd's, plain and TLS, on 127.0.0.1"},
    {"count", 'n', OPT_UINT, FIELD(count), .fallback = "100", .min = 1, .max = MAX_LINKS,
     .value = "N", .help = "names, a link each"},
    {"ca", 0, OPT_TEXT, FIELD(ca), .value = "FILE", .help = "who signed the server's certificate"},
    {"prefix", 0, OPT_TEXT, FIELD(prefix), .fallback = "bench-", .value = "TEXT",
     .help = "what the names begin with"},
    {"limit", 0, OPT_UINT, FIELD(limit_s), .fallback = "300", .min = 1, .max = 3600, .value = "S",
     .help = "die by SIGALRM after this"},
    {.name = NULL},
};

static const struct opt_program program = {
    .name = "links",
    .env_prefix = "BENCH_LINKS_",
    .usage = "links --port PORT --ca FILE [OPTIONS]",
    .about = "Registers and attaches many names at a oneportd on loopback.",
    .rows = rows,
};

static void say(struct fleet *f, const char *what, size_t done)
{
    printf("{\"%s\": %zu, \"failed\": %zu, \"seconds\": %.3f, \"resumed\": %llu}\n", what, done,
           f->failed, (double)(clock_now_us() - f->since_us) / 1e6,
           (unsigned long long)f->env.resumed);
    fflush(stdout);
}

static void begin(struct fleet *f)
{
    f->next = f->settled = f->failed = 0;
    f->env.resumed = 0;
    f->since_us = clock_now_us();
}

/* ---- registering */

static const struct viewer_ops clerk_ops;

static void register_next(struct clerk *c)
{
    struct fleet *f = c->fleet;
    if (f->next == f->count)
        return;
    c->link = &f->links[f->next++];
    if (viewer_dial(&c->viewer, f->env.base, &clerk_ops, f->env.port, c->link->number) < 0)
        abort();
}

static void registered(struct clerk *c, bool ok)
{
    struct fleet *f = c->fleet;
    f->failed += !ok;
    if (++f->settled == f->count)
        say(f, "registered", f->settled - f->failed);
}

static void on_ready(struct viewer *v)
{
    struct clerk *c = CONTAINER_OF(v, struct clerk, viewer);
    char request[REQUEST_LIMIT];
    int len =
        snprintf(request, sizeof request,
                 "GET /register/%s HTTP/1.1\r\nHost: localhost:%u\r\nOneport-Exact: ?1\r\n\r\n",
                 c->link->name, (unsigned)c->fleet->port);
    viewer_ask(v, slice_make(request, (size_t)len));
}

static void on_body(struct viewer *v, struct slice bytes)
{
    struct clerk *c = CONTAINER_OF(v, struct clerk, viewer);
    if (buf_append(&c->answer, bytes) < 0)
        abort();
}

static void on_answer(struct viewer *v)
{
    struct clerk *c = CONTAINER_OF(v, struct clerk, viewer);
    cJSON *json = cJSON_ParseWithLength(buf_slice(&c->answer).ptr, buf_len(&c->answer));
    const char *ticket = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, "ticket"));
    if (!ticket)
        fprintf(stderr, "links: no ticket: %.*s\n", SLICE_FMT(buf_slice(&c->answer)));
    else
        c->link->ticket = xstrdup(ticket);
    cJSON_Delete(json);
    buf_release(&c->answer);
    viewer_close(v);
    registered(c, ticket);
    register_next(c);
}

static void on_broken(struct viewer *v, const char *why)
{
    struct clerk *c = CONTAINER_OF(v, struct clerk, viewer);
    fprintf(stderr, "links: register: %s\n", why);
    buf_release(&c->answer);
    registered(c, false);
    register_next(c);
}

static const struct viewer_ops clerk_ops = {
    .on_ready = on_ready, .on_body = on_body, .on_answer = on_answer, .on_broken = on_broken};

static void register_all(struct fleet *f)
{
    begin(f);
    for (size_t i = 0; i < AT_ONCE; i++) {
        struct clerk *c = &f->clerks[i];
        *c = (struct clerk){.fleet = f, .viewer.conn.fd = -1};
        buf_init(&c->answer, ANSWER_LIMIT);
        register_next(c);
    }
}

/* ---- attaching */

static void attach_next(struct fleet *f)
{
    while (f->next < f->count) {
        struct link *l = &f->links[f->next++];
        if (l->ticket) {
            link_dial(l);
            return;
        }
        f->settled++;
        f->failed++;
    }
}

static void settle(struct fleet *f)
{
    if (++f->settled < f->count) {
        attach_next(f);
        return;
    }
    f->attaching = false;
    say(f, "attached", f->up);
}

static void on_up(struct link *l)
{
    struct fleet *f = l->env->user;
    f->up++;
    settle(f);
}

static void on_lost(struct link *l, const char *why)
{
    struct fleet *f = l->env->user;
    fprintf(stderr, "links: %s: %s\n", l->name, why);
    f->failed++;
    if (f->attaching)
        settle(f);
    else
        f->up--;
}

static void attach_all(struct fleet *f)
{
    begin(f);
    f->attaching = true;
    for (size_t i = 0; i < AT_ONCE; i++)
        attach_next(f);
}

static void drop_all(struct fleet *f)
{
    for (size_t i = 0; i < f->count; i++)
        link_drop(&f->links[i]);
    f->up = 0;
    say(f, "dropped", f->count);
}

static void on_command(void *user, char *line)
{
    struct fleet *f = user;
    if (!line)
        event_base_loopbreak(f->env.base);
    else if (strcmp(line, "attach") == 0 && !f->attaching && f->up == 0)
        attach_all(f);
    else if (strcmp(line, "drop") == 0 && !f->attaching)
        drop_all(f);
    else
        printf("{\"up\": %zu, \"failed\": %zu, \"requests\": %llu}\n", f->up, f->failed,
               (unsigned long long)f->env.requests);
    fflush(stdout);
}

static void make_links(struct fleet *f)
{
    f->links = xcalloc(f->count, sizeof *f->links);
    for (size_t i = 0; i < f->count; i++)
        f->links[i] =
            (struct link){.env = &f->env, .number = i, .name = xasprintf("%s%zu", f->prefix, i)};
}

static void run(struct fleet *f)
{
    make_links(f);
    register_all(f);
    control_open(&f->control, f->env.base, on_command, f);
    event_base_dispatch(f->env.base);
    control_close(&f->control);
    for (size_t i = 0; i < AT_ONCE; i++)
        viewer_close(&f->clerks[i].viewer);
    for (size_t i = 0; i < f->count; i++)
        link_deinit(&f->links[i]);
    free(f->links);
}

int main(int argc, char **argv)
{
    static struct fleet f;
    size_t none = 0;
    enum opt_result parsed = opt_parse(&program, argc, argv, &f, NULL, 0, &none);
    if (parsed != OPT_RUN)
        return parsed == OPT_SHOWN ? 0 : 1;
    if (f.port == 0 || !f.ca) {
        opt_help(&program, stderr);
        return 1;
    }
    conn_prepare_process();
    alarm((unsigned)f.limit_s);
    f.env = (struct link_env){.base = event_base_new(),
                              .tls = link_tls_new(f.ca),
                              .port = (uint16_t)f.port,
                              .on_up = on_up,
                              .on_lost = on_lost,
                              .user = &f};
    if (!f.env.base || !f.env.tls) {
        fprintf(stderr, "links: no event base, or no good CA file: %s\n", f.ca);
        return 1;
    }
    run(&f);
    SSL_CTX_free(f.env.tls);
    event_base_free(f.env.base);
    return 0;
}
