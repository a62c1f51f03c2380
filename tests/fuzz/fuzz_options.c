/* SPDX-License-Identifier: MIT */
/* fuzz_options.c - the command line and environment of oneportd (options.h).
 *
 * Checks that accepted values are in range, that their addresses can be read, and that they mean
 * the same when they are typed again. */
#include <arpa/inet.h>
#include <stddef.h>

#include "src/http/trust.h"
#include "src/worker/config.h"
#include "src/worker/listen_address.h"
#include "tests/fuzz/options.h"

#define FIELD(name) offsetof(struct config, name)

static const struct {
    const char *name;
    size_t offset;
    const char *unit;
} numbers[] = {
    {"workers", FIELD(workers), ""},
    {"ticket-life", FIELD(names.ticket_life_ms), "ms"},
    {"name-pending", FIELD(names.pending_ms), "ms"},
    {"name-grace", FIELD(names.grace_ms), "ms"},
    {"hold", FIELD(names.hold_ms), "ms"},
    {"keepalive", FIELD(timeouts.keepalive_ms), "ms"},
    {"drain-timeout", FIELD(timeouts.drain_ms), "ms"},
    {"attach-timeout", FIELD(timeouts.attach_ms), "ms"},
    {"head-timeout", FIELD(timeouts.head_ms), "ms"},
    {"idle-timeout", FIELD(timeouts.idle_ms), "ms"},
    {"max-streams", FIELD(limits.streams), ""},
    {"max-links", FIELD(limits.links), ""},
    {"max-body", FIELD(limits.body), ""},
};
enum { NUMBERS = sizeof numbers / sizeof numbers[0] };

static uint64_t number(const struct config *c, size_t i)
{
    uint64_t n;
    memcpy(&n, (const char *)c + numbers[i].offset, sizeof n);
    return n;
}

static void check_addresses(const struct config *c)
{
    struct listen_addresses parsed;
    struct in_addr v4;
    struct trust *t = trust_new();
    assert(t && c->listen.addresses.count > 0 && c->listen.addresses.count <= OPT_LIST_MAX);
    for (size_t i = 0; i < c->listen.addresses.count; i++)
        assert(listen_address_parse(c->listen.addresses.item[i], &parsed) == 0);
    for (size_t i = 0; i < c->listen.trusted_proxy.count; i++)
        assert(trust_add(t, c->listen.trusted_proxy.item[i]) == 0);
    for (size_t i = 0; i < c->listen.accept_proxy.count; i++)
        assert(trust_add(t, c->listen.accept_proxy.item[i]) == 0);
    assert(c->domain[0] && c->domain[strlen(c->domain) - 1] != '.' && c->names.state_dir[0]);
    assert(inet_pton(AF_INET, c->domain, &v4) != 1);
    assert(c->listen.certs.count == c->listen.keys.count);
    trust_free(t);
}

static void check_again(const struct config *c)
{
    char *argv[NUMBERS + 3] = {xasprintf("program"), xasprintf("--domain=%s", c->domain),
                               xasprintf("--state-dir=%s", c->names.state_dir)};
    struct config again;
    for (size_t i = 0; i < NUMBERS; i++)
        argv[3 + i] = xasprintf("--%s=%llu%s", numbers[i].name, (unsigned long long)number(c, i),
                                numbers[i].unit);
    enum opt_result result = config_parse(NUMBERS + 3, argv, &again);
    assert(result == OPT_RUN);
    assert(strcmp(again.domain, c->domain) == 0 &&
           strcmp(again.names.state_dir, c->names.state_dir) == 0);
    for (size_t i = 0; i < NUMBERS; i++)
        assert(number(&again, i) == number(c, i));
    config_deinit(&again);
    for (size_t i = 0; i < NUMBERS + 3; i++)
        free(argv[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_command command;
    struct config c;
    fuzz_check_numbers(fuzz_input(data, size));
    fuzz_command_read(&command, fuzz_input(data, size), "ONEPORTD_");
    struct fuzz_streams streams = fuzz_quiet();
    enum opt_result result = config_parse(command.argc, command.argv, &c);
    fuzz_loud(streams);
    if (result == OPT_RUN)
        check_addresses(&c);
    fuzz_command_unset(&command);
    if (result == OPT_RUN)
        check_again(&c);
    fuzz_command_free(&command);
    config_deinit(&c);
    return 0;
}
