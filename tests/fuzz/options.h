/* SPDX-License-Identifier: MIT */
/* options.h - makes a command line and an environment of an input: one argument on each line up to
 * an empty line, then one NAME=VALUE on each line. */
#ifndef TESTS_FUZZ_OPTIONS_H
#define TESTS_FUZZ_OPTIONS_H

#include <unistd.h>

#include "h2mux/base/opt.h"
#include "tests/fuzz/fuzz.h"

enum { FUZZ_ARGS_MAX = 40, FUZZ_ENV_MAX = 20 };

struct fuzz_command {
    char *argv[FUZZ_ARGS_MAX + 2]; /* owned, except the first */
    int argc;
    char *env[FUZZ_ENV_MAX + 2]; /* owned, except the first */
    size_t n_env;
    char **testers; /* the environment to restore */
};

static char fuzz_home[] = "HOME=/nonexistent";

/* Reads an input and puts its variables, with names that begin with @prefix, into the environment.
 */
static inline void fuzz_command_read(struct fuzz_command *c, struct slice in, const char *prefix)
{
    static char program[] = "program";
    *c = (struct fuzz_command){
        .argv = {program}, .argc = 1, .env = {fuzz_home}, .n_env = 1, .testers = environ};
    while (in.len > 0 && c->argc <= FUZZ_ARGS_MAX) {
        struct slice line = fuzz_line(&in);
        if (line.len == 0)
            break;
        c->argv[c->argc++] = slice_dup(line);
    }
    while (in.len > 0 && c->n_env <= FUZZ_ENV_MAX) {
        struct slice line = fuzz_line(&in);
        if (slice_starts(line, slice_str(prefix)))
            c->env[c->n_env++] = slice_dup(line);
    }
    environ = c->env;
}

/* Restores the environment. The values of @c stay readable until it is freed. */
static inline void fuzz_command_unset(struct fuzz_command *c)
{
    static char *bare[] = {fuzz_home, NULL};
    environ = bare;
}

static inline void fuzz_command_free(struct fuzz_command *c)
{
    environ = c->testers;
    for (int i = 1; i < c->argc; i++)
        free(c->argv[i]);
    for (size_t i = 1; i < c->n_env; i++)
        free(c->env[i]);
}

/* Checks durations and sizes: the number that was read can be written as digits and read again. */
static inline void fuzz_check_numbers(struct slice in)
{
    char *text = slice_dup(in), again[32];
    uint64_t n, same;
    if (opt_parse_msec(text, &n) == 0) {
        snprintf(again, sizeof again, "%llums", (unsigned long long)n);
        assert(opt_parse_msec(again, &same) == 0 && same == n);
    }
    if (opt_parse_size(text, &n) == 0) {
        snprintf(again, sizeof again, "%llu", (unsigned long long)n);
        assert(opt_parse_size(again, &same) == 0 && same == n);
    }
    free(text);
}

#endif
