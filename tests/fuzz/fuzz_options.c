/* SPDX-License-Identifier: MIT */
/* fuzz_options.c - the command line and environment of oneportd (options.h).
 *
 * Checks that accepted values are in range, that their addresses can be read, and that they mean
 * the same when they are typed again. */
#include <arpa/inet.h>
#include <stddef.h>

#include "src/http/trust.h"
#include "src/worker/config.h"
#include "tests/fuzz/options.h"

#define FIELD(name) offsetof(struct config, name)

static const struct {
    const char *name;
    size_t offset;
    const char *unit;
} numbers[] = {
    {"workers", FIELD(workers), ""},
    {"ticket-life", FIELD(ticket_life_ms), "ms"},
    {"name-pending", FIELD(pending_ms), "ms"},
    {"name-grace", FIELD(name_grace_ms), "ms"},
    {"hold", FIELD(hold_ms), "ms"},
    {"keepalive", FIELD(keepalive_ms), "ms"},
    {"drain-timeout", FIELD(drain_timeout_ms), "ms"},
    {"attach-timeout", FIELD(attach_timeout_ms), "ms"},
    {"head-timeout", FIELD(head_timeout_ms), "ms"},
    {"idle-timeout", FIELD(idle_timeout_ms), "ms"},
    {"max-streams", FIELD(max_streams), ""},
    {"max-links", FIELD(max_links), ""},
    {"max-body", FIELD(max_body), ""},
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
    struct sockaddr_storage address;
    socklen_t len;
    struct in_addr v4;
    struct trust *t = trust_new();
    assert(t && c->listen.count > 0 && c->listen.count <= OPT_LIST_MAX);
    for (size_t i = 0; i < c->listen.count; i++)
        assert(listen_address_parse(c->listen.item[i], &address, &len) == 0);
    for (size_t i = 0; i < c->trusted_proxy.count; i++)
        assert(trust_add(t, c->trusted_proxy.item[i]) == 0);
    assert(c->domain[0] && c->domain[strlen(c->domain) - 1] != '.' && c->state_dir[0]);
    assert(inet_pton(AF_INET, c->domain, &v4) != 1);
    assert((!c->cert) == (!c->key));
    trust_free(t);
}

static void check_again(const struct config *c)
{
    char *argv[NUMBERS + 3] = {xasprintf("program"), xasprintf("--domain=%s", c->domain),
                               xasprintf("--state-dir=%s", c->state_dir)};
    struct config again;
    for (size_t i = 0; i < NUMBERS; i++)
        argv[3 + i] = xasprintf("--%s=%llu%s", numbers[i].name, (unsigned long long)number(c, i),
                                numbers[i].unit);
    enum opt_result result = config_parse(NUMBERS + 3, argv, &again);
    assert(result == OPT_RUN);
    assert(strcmp(again.domain, c->domain) == 0 && strcmp(again.state_dir, c->state_dir) == 0);
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
    fuzz_free_list(&command, &c.listen, "ONEPORTD_LISTEN");
    fuzz_free_list(&command, &c.trusted_proxy, "ONEPORTD_TRUSTED_PROXY");
    fuzz_command_unset(&command);
    if (result == OPT_RUN)
        check_again(&c);
    fuzz_command_free(&command);
    config_deinit(&c);
    return 0;
}
