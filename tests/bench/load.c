/* SPDX-License-Identifier: MIT */
/* load.c - the load generator of the benchmark, `load MODE --port N [OPTIONS]`. It loads 127.0.0.1
 * alone and is bounded in count and time.
 *
 * It does what wrk and others cannot: it counts latency from a constant schedule, opens thousands
 * of WebSockets, uploads, and prints the share of each connection. */
#include "tests/bench/load.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "h2mux/base/err.h"
#include "h2mux/base/opt.h"
#include "tests/bench/conn.h"
#include "tests/bench/schedule.h"

#define FIELD(member) .offset = offsetof(struct load, member)

enum { MAX_CONNECTIONS = 100000, DAY_MS = 24 * 3600 * 1000 };

static const struct opt rows[] = {
    {"port", 'p', OPT_UINT, FIELD(port), .min = 1, .max = 65535, .value = "PORT",
     .help = "where to, on 127.0.0.1"},
    {"host", 0, OPT_TEXT, FIELD(host), .fallback = "localhost", .value = "HOST",
     .help = "the Host field; % in it is a number below --hosts"},
    {"hosts", 0, OPT_UINT, FIELD(hosts), .fallback = "1", .min = 1, .value = "N",
     .help = "how many hosts % stands for, taken in turn"},
    {"order", 0, OPT_TEXT, FIELD(order), .value = "N,N...",
     .help = "the numbers that % stands for, in place of those below --hosts"},
    {"every", 0, OPT_UINT, FIELD(every), .fallback = "0", .value = "N",
     .help = "rate, bulk: each viewer has two hosts, and goes to the other one after N requests"},
    {"check", 0, OPT_FLAG, FIELD(check), .help = "an answer has to begin with its host's label"},
    {"path", 0, OPT_TEXT, FIELD(path), .fallback = "/", .value = "PATH",
     .help = "what is asked for"},
    {"viewer", 0, OPT_TEXT, FIELD(viewer), .value = "ADDRESS",
     .help = "be a proxy of this viewer, by X-Forwarded-For"},
    {"connections", 'c', OPT_UINT, FIELD(connections), .fallback = "1", .min = 1,
     .max = MAX_CONNECTIONS, .value = "N", .help = "viewers"},
    {"rate", 'r', OPT_UINT, FIELD(rate), .fallback = "1000", .min = 1, .value = "N",
     .help = "requests a second, all viewers together"},
    {"time", 't', OPT_MSEC, FIELD(milliseconds), .fallback = "5s", .min = 1, .max = DAY_MS,
     .value = "T", .help = "how long"},
    {"warmup", 0, OPT_MSEC, FIELD(warmup_ms), .fallback = "0", .max = DAY_MS, .value = "T",
     .help = "bulk: not counted at first"},
    {"size", 's', OPT_SIZE, FIELD(size), .fallback = "1m", .value = "SIZE",
     .help = "bulk: of one body sent"},
    {"transfers", 0, OPT_UINT, FIELD(transfers), .fallback = "0", .value = "N",
     .help = "bulk: stop each viewer after N; 0: when the time is up"},
    {"upload", 0, OPT_FLAG, FIELD(upload), .help = "bulk: send bodies rather than fetch them"},
    {"limit", 0, OPT_UINT, FIELD(limit_s), .fallback = "300", .min = 1, .max = 3600, .value = "S",
     .help = "die by SIGALRM after this"},
    {.name = NULL},
};

static const struct opt_program program = {
    .name = "load",
    .env_prefix = "BENCH_LOAD_",
    .usage = "load rate|bulk|stall|websockets --port PORT [OPTIONS]",
    .about = "Loads an HTTP/1.1 server on loopback and says what came of it, as JSON.",
    .rows = rows,
};

static const struct mode {
    const char *name;
    int (*run)(struct load *l);
} modes[] = {
    {"rate", rate_run}, {"bulk", bulk_run}, {"stall", stall_run}, {"websockets", websockets_run}};

static int run(struct load *l, const char *name)
{
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        if (strcmp(name, modes[i].name) == 0)
            return modes[i].run(l);
    }
    fprintf(stderr, "load: no such mode: %s\n", name);
    return 1;
}

int main(int argc, char **argv)
{
    struct load l = {.base = NULL};
    const char *mode = NULL;
    size_t modes_given = 0;
    enum opt_result parsed = opt_parse(&program, argc, argv, &l, &mode, 1, &modes_given);
    if (parsed != OPT_RUN)
        return parsed == OPT_SHOWN ? 0 : 1;
    if (modes_given != 1 || l.port == 0) {
        opt_help(&program, stderr);
        return 1;
    }
    conn_prepare_process();
    alarm((unsigned)l.limit_s);
    l.base = schedule_base_new();
    if (!l.base)
        return 1;
    int code = load_prepare(&l) < 0 ? 1 : run(&l, mode);
    buf_release(&l.request);
    buf_release(&l.ordered);
    event_base_free(l.base);
    return code;
}
