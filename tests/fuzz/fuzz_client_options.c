/* SPDX-License-Identifier: MIT */
/* fuzz_client_options.c - the command line and environment of oneport (options.h).
 *
 * Checks that accepted options name an origin and a server, by https or on loopback, and that they
 * name the same when they are typed again. */
#include "client/config.h"
#include "h2mux/http/h1.h"
#include "tests/fuzz/options.h"

static void check_again(const struct config *c)
{
    const struct url *u = &c->origin.url;
    struct config again;
    char *argv[] = {
        xasprintf("program"),
        xasprintf("--host=%s://%s", c->server.https ? "https" : "http", c->server.authority),
        xasprintf("--keepalive=%llums", (unsigned long long)c->times.keepalive_ms),
        xasprintf("--links=%llu", (unsigned long long)c->remote.links),
        c->origin.unix_path[0] ? xasprintf("unix:%s", c->origin.unix_path)
                               : xasprintf("%s://%s", u->https ? "https" : "http", u->authority)};
    enum opt_result result = config_load(sizeof argv / sizeof argv[0], argv, &again);
    assert(result == OPT_RUN);
    assert(strcmp(again.server.authority, c->server.authority) == 0);
    assert(again.server.port == c->server.port && again.server.https == c->server.https);
    assert(strcmp(again.origin.text, c->origin.text) == 0 && again.remote.links == c->remote.links);
    assert(strcmp(again.origin.unix_path, c->origin.unix_path) == 0);
    assert(again.times.keepalive_ms == c->times.keepalive_ms);
    config_deinit(&again);
    for (size_t i = 0; i < sizeof argv / sizeof argv[0]; i++)
        free(argv[i]);
}

static void check_accepted(const struct config *c)
{
    assert(c->server.host[0] && c->server.port != 0 && strcmp(c->server.path, "/") == 0);
    assert(c->server.https || url_is_loopback(&c->server));
    assert(c->origin.unix_path[0] || (c->origin.url.host[0] && c->origin.url.port != 0));
    assert(c->remote.links >= 1 && c->remote.links <= 16 && c->remote.max_streams >= 1);
    assert(!c->remote.name || (c->remote.name[0] && !strpbrk(c->remote.name, "/?# \r\n")));
    assert(c->rewrite.origin == &c->origin.url);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_command command;
    struct config c;
    fuzz_check_numbers(fuzz_input(data, size));
    fuzz_command_read(&command, fuzz_input(data, size), "ONEPORT_");
    struct fuzz_streams streams = fuzz_quiet();
    enum opt_result result = config_load(command.argc, command.argv, &c);
    fuzz_loud(streams);
    fuzz_command_unset(&command);
    if (result == OPT_RUN) {
        check_accepted(&c);
        if (h1_authority_valid(slice_str(
                c.origin.url.authority))) /* otherwise it has a zone, as in fe80::1%eth0 */
            check_again(&c);
    }
    config_deinit(&c);
    fuzz_command_free(&command);
    return 0;
}
