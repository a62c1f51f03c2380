/* SPDX-License-Identifier: MIT */
/* login_command.c - see login_command.h. */
#include "client/login_command.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/config.h"
#include "client/server/complaint.h"
#include "client/server/status.h"
#include "h2mux/base/err.h"
#include "h2mux/base/file.h"

struct login {
    struct config config;
    struct loop *loop;
    struct resolver *resolver;
    struct tls *tls;
    struct call_env env;
    struct status_call call;
    struct status found;
    enum exit_code code;
};

static enum exit_code complain(const char *what, const char *why)
{
    fprintf(stderr, "oneport: %s: %s\n", what, why);
    return EXIT_USAGE;
}

/* ---- asking */

static void end(struct login *l, enum exit_code code)
{
    l->code = code;
    loop_stop(l->loop);
}

static void on_status(void *user, const struct status *s)
{
    struct login *l = user;
    l->found = *s;
    end(l, EXIT_STOPPED);
}

static void on_refused(void *user, const char *reason)
{
    struct login *l = user;
    fprintf(stderr, "oneport: %s is not remembered: %s\n", l->config.server.authority, reason);
    end(l, EXIT_REFUSED);
}

static void on_failed(void *user, const char *step, int err, const char *reason)
{
    struct login *l = user;
    const char *advice = complaint_advice(step, err, reason);
    fprintf(stderr, "oneport: %s cannot be asked: %s: %s%s%s\n", l->config.server.authority, step,
            reason, advice ? "; " : "", advice ? advice : "");
    end(l, err == ERR_CERT ? EXIT_CERTIFICATE : EXIT_RETRIES);
}

static const struct status_ops status_ops = {
    .on_status = on_status,
    .on_refused = on_refused,
    .on_failed = on_failed,
};

static enum exit_code ask(struct login *l)
{
    const struct config *c = &l->config;
    struct tls_client_options options = {.ca_file = c->remote.ca,
                                         .ca_beside = true,
                                         .insecure = c->remote.any_cert,
                                         .cert_file = c->remote.cert,
                                         .key_file = c->remote.key};
    char reason[TLS_REASON_MAX];
    l->tls = tls_client_new(&options, reason);
    if (!l->tls)
        return complain("TLS", reason);
    l->loop = loop_new();
    l->resolver = l->loop ? resolver_new(l->loop) : NULL;
    if (!l->resolver) {
        complain("cannot start", strerror(errno));
        return EXIT_INTERNAL;
    }
    l->env = (struct call_env){.loop = l->loop,
                               .resolver = l->resolver,
                               .tls = l->tls,
                               .timeout_ms = c->times.server_ms,
                               .proxy = c->proxy};
    status_start(&l->call, &l->env, &c->server, &status_ops, l);
    loop_run(l->loop);
    return l->code;
}

/* ---- remembering */

/* Reads the file, which may be missing, into @text. */
static enum exit_code read_old(const char *path, struct buf *text)
{
    const char *why;
    int fd = file_open_trusted(path, &why);
    if (fd == ERR_NOT_FOUND)
        return EXIT_STOPPED;
    if (fd < 0)
        return complain(path, why);
    int err = file_read_all(fd, text);
    close(fd);
    return err < 0 ? complain(path, err_text(err)) : EXIT_STOPPED;
}

/* Writes the file anew with "@key = @value" in it. */
static enum exit_code remember(const char *path, const char *key, const char *value)
{
    struct buf old, new;
    buf_init(&old, CONF_FILE_MAX);
    buf_init(&new, CONF_FILE_MAX);
    char *temporary = xasprintf("%s.new", path);
    enum exit_code code = read_old(path, &old);
    if (code == EXIT_STOPPED && conf_put(buf_slice(&old), key, value, &new) < 0)
        code = complain(path, "the line or the file would become too long");
    if (code == EXIT_STOPPED &&
        (file_make_directories(path) < 0 || file_replace(path, temporary, buf_slice(&new)) < 0))
        code = complain(path, strerror(errno));
    free(temporary);
    buf_release(&old);
    buf_release(&new);
    return code;
}

/* Returns the path of the file to write, which the caller frees: --config's, or the user's own. A
 * link is followed, so that it stays one. */
static char *path_to_write(const struct config *c)
{
    bool named = c->file && strcmp(c->file, "none") != 0;
    char *path = named ? xstrdup(c->file) : config_own_path();
    char *real = path ? realpath(path, NULL) : NULL;
    if (!real)
        return path;
    free(path);
    return real;
}

/* Says what the environment keeps from counting. */
static void warn_of_environment(const struct config *c)
{
    const char *host = getenv("ONEPORT_HOST");
    if (host && host[0] && strcmp(host, c->remote.host) != 0)
        fprintf(stderr, "oneport: ONEPORT_HOST=%s in the environment still beats the file\n", host);
}

static enum exit_code remember_all(const struct login *l)
{
    const struct config *c = &l->config;
    char *path = path_to_write(c), *ca = NULL;
    if (!path)
        return complain("login", "there is no home for the file; name one by --config FILE");
    enum exit_code code = remember(path, "host", c->remote.host);
    if (code == EXIT_STOPPED && c->remote.ca) {
        ca = realpath(c->remote.ca, NULL);
        code = ca ? remember(path, "ca", ca) : complain(c->remote.ca, strerror(errno));
    }
    if (code == EXIT_STOPPED)
        printf("%s is an oneportd %s, which serves %llu names now.\n"
               "It is remembered in %s; `oneport 3000` is enough from now on.\n",
               c->server.authority, l->found.version, (unsigned long long)l->found.live, path);
    warn_of_environment(c);
    free(ca);
    free(path);
    return code;
}

enum exit_code login_command_run(int argc, char **argv)
{
    static struct login login;
    enum exit_code code;
    switch (config_load_login(argc, argv, &login.config)) {
    case OPT_RUN:
        code = ask(&login);
        if (code == EXIT_STOPPED)
            code = remember_all(&login);
        break;
    case OPT_SHOWN:
        code = EXIT_STOPPED;
        break;
    case OPT_WRONG:
    default:
        code = EXIT_USAGE;
        break;
    }
    resolver_free(login.resolver);
    loop_free(login.loop);
    tls_free(login.tls);
    config_deinit(&login.config);
    return code;
}
