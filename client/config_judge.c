/* SPDX-License-Identifier: MIT */
/* config_judge.c - judges the options of the client together, and derives from them what the rest
 * of the client uses; see config_int.h. */
#include "client/config_int.h"

#include <stdio.h>
#include <string.h>

#include "client/qr.h"
#include "h2mux/base/clock.h"
#include "h2mux/base/err.h"
#include "h2mux/base/inet.h"

int config_parse_name(const char *value, struct url *out)
{
    union inet address;
    *out = (struct url){.port = 0};
    if (inet_parse(AF_INET6, slice_str(value), &address))
        return url_set_host(out, slice_str(value), 0);
    int err = url_parse_authority(slice_str(value), out);
    return err == 0 && out->port != 0 ? ERR_SYNTAX : err;
}

enum opt_result config_judge_server(struct config *c)
{
    if (!c->remote.host)
        return REFUSE("no server: name one with --host HOST or ONEPORT_HOST, or remember one with "
                      "`oneport login HOST`; there is no built-in one\n");
    if (url_parse(slice_str(c->remote.host), &c->server) < 0)
        return REFUSE("--host: \"%s\" is not HOST, HOST:PORT or https://HOST[:PORT]\n",
                      c->remote.host);
    if (strcmp(c->server.path, "/") != 0)
        return REFUSE("--host: \"%s\" has a path; want https://HOST[:PORT]\n", c->remote.host);
    if (!c->server.https && !url_is_loopback(&c->server))
        return REFUSE("--host: http:// is accepted for loopback only, not for %s\n",
                      c->server.host);
    return OPT_RUN;
}

void config_hide_secrets(int argc, char **argv, struct config *c)
{
    users_hide(argc, argv, &c->policy.auth);
    c->policy.auth.count = 0;
    const char *value = c->remote.proxy;
    c->remote.proxy = NULL;
    for (int i = 1; value && i < argc; i++) {
        size_t len = strlen(argv[i]);
        if (value >= argv[i] && value <= argv[i] + len)
            proxy_hide(argv[i] + (value - argv[i]));
    }
}

enum opt_result config_judge_proxy(struct config *c)
{
    const char *reason = NULL;
    int err = proxy_choice_load(&c->proxy, c->remote.proxy, &reason);
    return err < 0 ? REFUSE("%s: %s\n", c->proxy.from, reason) : OPT_RUN;
}

static enum opt_result judge_origin(struct config *c, const char *operand)
{
    const char *reason = NULL, *origin = operand ? operand : c->local.origin;
    enum opt_source from = operand ? OPT_COMMAND_LINE : c->origin_from;
    char port[8];
    if (origin && c->local.port != 0)
        return REFUSE("both --port and \"%s\" say what to share; give one\n", origin);
    if (operand && c->local.origin)
        return REFUSE("both --origin and \"%s\" say what to share; give one\n", operand);
    if (!origin && c->local.port == 0)
        return REFUSE("nothing to share: give PORT, HOST:PORT, http(s)://HOST[:PORT] or "
                      "unix:/PATH (see --help)\n");
    /* The scheme of an origin outranks what the environment or a file says. */
    if (origin && strstr(origin, "://") && c->https_from < from)
        c->local.https = false;
    snprintf(port, sizeof port, "%u", (unsigned)c->local.port);
    if (origin_address_parse(origin ? origin : port, c->local.host, c->local.https, &c->origin,
                             &reason) < 0)
        return REFUSE("\"%s\": %s\n", origin ? origin : port, reason);
    return OPT_RUN;
}

enum opt_result config_read_words(struct config *c, const char *const *words, size_t n,
                                  const char **operand)
{
    const char *reason = NULL;
    if (n == 0)
        return OPT_RUN;
    if (origin_words_read(words, n, &c->words, &reason) < 0)
        return REFUSE("\"%s%s%s\": %s\n", words[0], n > 1 ? " " : "", n > 1 ? words[1] : "",
                      reason);
    if (c->words.https)
        c->local.https = true;
    *operand = c->words.text;
    return OPT_RUN;
}

/* The rows have checked what is parsed here. A Host without a host, as ":80", names nothing. */
static void judge_name(struct config *c)
{
    int err = 0;
    if (c->local.name)
        err = config_parse_name(c->local.name, &c->named);
    else if (c->rewrite.mode == REWRITE_VALUE)
        err = url_parse_authority(slice_str(c->rewrite.value), &c->named);
    if (err < 0)
        c->named.host[0] = '\0';
}

/* Writes who may look. */
static enum opt_result judge_policy(struct config *c)
{
    struct users users;
    char why[USERS_WHY_MAX];
    int err = users_read(&c->policy.auth, c->policy.auth_file, &users, why);
    if (c->policy.expires_ms > 0)
        c->until_s = clock_wall_s() + (int64_t)((c->policy.expires_ms + 999) / 1000);
    int keys = share_keys_make(&c->policy.keys, clock_wall_s(), &c->keys);
    if (err == 0 && keys == 0)
        c->policy_text = policy_write(&c->policy, &users, &c->keys, c->until_s);
    bool asks = users.n > 0 || c->keys.n > 0;
    users_free(&users);
    if (err < 0)
        return REFUSE("--auth, --auth-file: %s\n", why);
    if (keys < 0)
        return REFUSE("--share-key: more than %d keys, or no random bytes\n", SHARE_KEYS_MAX);
    if (!asks && (c->policy.cors || c->policy.public.count > 0 || c->policy.auth_file))
        return REFUSE("--public-path, --cors and --auth-file need somebody to sign in: see --auth "
                      "and --share-key\n");
    if (c->policy_text && strlen(c->policy_text) > POLICY_TEXT_MAX)
        return REFUSE(
            "who may look takes more than %d bytes: --allow, --auth, --header-add and the "
            "like are too long\n",
            POLICY_TEXT_MAX);
    return OPT_RUN;
}

enum opt_result config_judge(struct config *c, const char *operand)
{
    enum opt_result result = config_judge_proxy(c);
    if (result == OPT_RUN)
        result = judge_origin(c, operand);
    if (result == OPT_RUN)
        result = config_judge_server(c);
    if (result == OPT_RUN)
        result = config_judge_token(c);
    if (result != OPT_RUN)
        return result;
    if (rewrite_parse(c->local.host_header, &c->rewrite) < 0 ||
        reuse_parse(c->local.reuse, &c->reuse) < 0 || login_parse(c->local.login, &c->login) < 0 ||
        !log_level_parse(slice_str(c->output.log_level), &c->level))
        return OPT_WRONG; /* cannot be: the rows have checked them */
    if (c->login == LOGIN_VIEWER && c->times.origin_idle_ms == 0)
        return REFUSE("--origin-login viewer keeps connections, and --origin-keepalive 0 keeps "
                      "none\n");
    if (c->output.qr && !qr_possible())
        return REFUSE("--qr needs a build with libqrencode, which this one is not\n");
    if (judge_policy(c) != OPT_RUN)
        return OPT_WRONG;
    c->rewrite.origin = &c->origin.url;
    judge_name(c);
    c->log_json = strcmp(c->output.log_format, "json") == 0;
    return OPT_RUN;
}
