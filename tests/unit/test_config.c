/* SPDX-License-Identifier: MIT */
/* test_config.c - tests which command lines oneportd accepts, and its errors for the others. */
#include "src/worker/config.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "h2mux/base/err.h"
#include "h2mux/io/sock.h"
#include "src/worker/listen_address.h"

enum { ARGS_MAX = 8 };

static char said[32768]; /* what the last parse has printed */

/* Runs config_parse with standard error and output in a file. */
static enum opt_result parse(const char *const *args, struct config *c)
{
    char *argv[ARGS_MAX + 2] = {(char[]){"oneportd"}};
    int argc = 1;
    for (; argc <= ARGS_MAX && args[argc - 1]; argc++)
        argv[argc] = (char *)(uintptr_t)args[argc - 1]; /* only read */
    fflush(NULL);
    FILE *file = tmpfile();
    int err = dup(STDERR_FILENO), out = dup(STDOUT_FILENO);
    dup2(fileno(file), STDERR_FILENO);
    dup2(fileno(file), STDOUT_FILENO);
    enum opt_result result = config_parse(argc, argv, c);
    fflush(NULL);
    dup2(err, STDERR_FILENO);
    dup2(out, STDOUT_FILENO);
    close(err);
    close(out);
    rewind(file);
    said[fread(said, 1, sizeof said - 1, file)] = '\0';
    fclose(file);
    return result;
}

static const struct {
    const char *args[ARGS_MAX];
    const char *error; /* a part of the line that is printed */
} wrong[] = {
    {{NULL}, "--domain is required"},
    {{"--domain", ""}, "--domain"},
    {{"--domain", "a b"}, "--domain"},
    {{"--domain", "-a.com"}, "--domain"},
    {{"--domain", "a-.com"}, "--domain"},
    {{"--domain", "a..com"}, "--domain"},
    {{"--domain", "192.0.2.1"}, "--domain"},
    {{"--domain", "192.0.2.1."}, "--domain"},
    {{"-d", "x.org", "--nonsense"}, "--nonsense"},
    {{"-d", "x.org", "--links", "2"}, "--links"},
    {{"-d", "x.org", "--early-hints", "yes"}, "--early-hints"},
    {{"-d", "x.org", "--config", "/nowhere/f"}, "/nowhere/f: No such file"},
    {{"-d", "x.org", "--workers", "257"}, "--workers"},
    {{"-d", "x.org", "--workers", "257"}, "--workers"},
    {{"-d", "x.org", "operand"}, "operand"},
    {{"-d", "x.org", "--listen", "example.com:3000"}, "--listen"},
    {{"-d", "x.org", "--listen", "127.0.0.1"}, "--listen"},
    {{"-d", "x.org", "--listen", "127.0.0.1:65536"}, "--listen"},
    {{"-d", "x.org", "--listen", "::1:80"}, "--listen"},
    {{"-d", "x.org", "--listen", "unix:relative"}, "--listen"},
    {{"-d", "x.org", "--cert", "c"}, "--cert needs --key"},
    {{"-d", "x.org", "--key", "k"}, "--key needs --cert"},
    {{"-d", "x.org", "--cert", "c", "--cert", "d", "--key", "k"}, "--cert needs --key"},
    {{"-d", "x.org", "--redirect", "unix:/r"}, "--redirect"},
    {{"-d", "x.org", "--redirect", "example.com:80"}, "--redirect"},
    {{"-d", "x.org", "--hsts", "3651d"}, "--hsts"},
    {{"-d", "x.org", "--public-url", "x.org"}, "--public-url"},
    {{"-d", "x.org", "--public-url", "https://y.org"}, "is not the --domain 'x.org'"},
    {{"-d", "x.org", "--public-url", "https://x.org/path"}, "--public-url"},
    {{"-d", "x.org", "--public-url", "https://x.org:0"}, "--public-url"},
    {{"-d", "x.org", "--public-url", "ftp://x.org"}, "--public-url"},
    {{"-d", "x.org", "--attach-url", "http://x.org"}, "--attach-url"},
    {{"-d", "x.org", "--attach-url", "https://"}, "--attach-url"},
    {{"-d", "x.org", "--trusted-proxy", "10.0.0.0/40"}, "--trusted-proxy"},
    {{"-d", "x.org", "--accept-proxy", "10.0.0.0/40"}, "--accept-proxy"},
    {{"-d", "x.org", "--forward-field", "X-Forwarded-For"}, "--forward-field"},
    {{"-d", "x.org", "--forward-field", "Proxy"}, "--forward-field"},
    {{"-d", "x.org", "--forward-field", "X_Real_IP"}, "--forward-field"},
    {{"-d", "x.org", "--forward-field", "a b"}, "--forward-field"},
    {{"-d", "x.org", "--drop-field", "a:"}, "--drop-field"},
    {{"-d", "x.org", "--drop-field", "Host"}, "--drop-field"},
    {{"-d", "x.org", "--drop-field", "content_length"}, "--drop-field"},
    {{"-d", "x.org", "--drop-field", "Upgrade"}, "--drop-field"},
    {{"-d", "x.org", "--drop-field", "Via"}, "--drop-field"},
    {{"-d", "x.org", "--drop-field", "X-Forwarded-For"}, "--drop-field"},
    {{"-d", "x.org", "--drop-field", "Sec-WebSocket-Key"}, "--drop-field"},
    {{"-d", "x.org", "--drop-field", "oneport-x"}, "--drop-field"},
    {{"-d", "x.org", "--landing", "/here"}, "--landing"},
    {{"-d", "x.org", "--landing", "https://x y"}, "--landing"},
    {{"-d", "x.org", "--log-level", "loud"}, "--log-level"},
    {{"-d", "x.org", "--log-format", "xml"}, "--log-format"},
    {{"-d", "x.org", "--hold", "4"}, "--hold"},
    {{"-d", "x.org", "--hold", "9h"}, "--hold"},
    {{"-d", "x.org", "--max-links", "0"}, "--max-links"},
    {{"-d", "x.org", "--max-handshakes", "7"}, "--max-handshakes"},
    {{"-d", "x.org", "--max-tunnels-per-address", "20001"}, "--max-tunnels-per-address"},
    {{"-d", "x.org", "--register-rate", "-1"}, "--register-rate"},
    {{"-d", "x.org", "--port", "http"}, "--port"},
    {{"-d", "x.org", "--address", "example.com"}, "--address"},
};

static void test_wrong(void **state)
{
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct config c;
        enum opt_result result = parse(wrong[i].args, &c);
        char *end = strchr(said, '\n');
        if (result != OPT_WRONG || !strstr(said, wrong[i].error) || !end || end[1] != '\0' ||
            strncmp(said, "oneportd: ", 10) != 0)
            fail_msg("row %zu (%s): %d '%s'", i, wrong[i].error, (int)result, said);
        config_deinit(&c);
    }
}

/* W9, F2, F7, F8: the default times. */
static void test_defaults(void **state)
{
    static const char *const args[] = {"--domain", "Example.COM.", "--state-dir", "/s", NULL};
    struct config c;
    assert_int_equal(parse(args, &c), OPT_RUN);
    assert_string_equal(c.domain, "example.com");
    assert_int_equal(c.listen.addresses.count, 1);
    assert_string_equal(c.listen.addresses.item[0], "127.0.0.1:3000");
    assert_string_equal(c.names.state_dir, "/s");
    assert_int_equal(c.workers, 0);
    assert_int_equal(c.names.hold_ms, 4000);
    assert_int_equal(c.names.grace_ms, 600000);
    assert_int_equal(c.names.pending_ms, 60000);
    assert_int_equal(c.names.ticket_life_ms, INT64_C(30) * 86400000);
    assert_int_equal(c.timeouts.drain_ms, 30000);
    assert_int_equal(c.timeouts.keepalive_ms, 15000);
    assert_int_equal(c.timeouts.origin_ms, 600000);
    assert_int_equal(c.timeouts.idle_ms, 600000);
    assert_int_equal(c.timeouts.websocket_ms, 3600000);
    assert_int_equal(c.timeouts.head_ms, 15000);
    assert_int_equal(c.timeouts.viewer_keepalive_ms, 75000);
    assert_int_equal(c.timeouts.attach_ms, 10000);
    assert_int_equal(c.limits.streams, 20000);
    assert_int_equal(c.limits.links, 4);
    assert_int_equal(c.limits.handshakes, 512);
    assert_int_equal(c.limits.tunnels, 50);
    assert_int_equal(c.limits.register_rate, 60);
    assert_int_equal(c.limits.viewer_rate, 0);
    assert_int_equal(c.localtunnel.max_sockets, 0);
    assert_int_equal(c.limits.body, 0);
    assert_string_equal(c.early_hints, "auto");
    assert_string_equal(c.log.access, "-");
    assert_false(c.localtunnel.secure);
    config_deinit(&c);
}

static const struct {
    const char *args[ARGS_MAX];
    const char *listen[3];
} listens[] = {
    {{"-d", "x.org", "--listen", "0.0.0.0:80", "--listen", "[::]:80"}, {"0.0.0.0:80", "[::]:80"}},
    {{"-d", "x.org", "--listen", "unix:/run/x.sock"}, {"unix:/run/x.sock"}},
    {{"-d", "x.org", "--listen", "127.0.0.1:0"}, {"127.0.0.1:0"}},
    {{"-d", "x.org", "--port", "80"}, {"127.0.0.1:80"}},
    {{"-d", "x.org", "-p", "80", "--address", "0.0.0.0"}, {"0.0.0.0:80"}},
    {{"-d", "x.org", "--address", "::1"}, {"[::1]:3000"}},
    {{"-d", "x.org", "--address", "[::1]"}, {"[::1]:3000"}},
    {{"-d", "x.org", "--address", "*"}, {"*:3000"}},
    {{"-d", "x.org", "--address", "localhost"}, {"localhost:3000"}},
    {{"-d", "x.org", "--listen", ":443"}, {":443"}},
    {{"-d", "x.org", "--port", "80", "--listen", "127.0.0.1:3000"},
     {"127.0.0.1:3000", "127.0.0.1:80"}},
};

static void test_listen(void **state)
{
    for (size_t i = 0; i < sizeof listens / sizeof listens[0]; i++) {
        struct config c;
        assert_int_equal(parse(listens[i].args, &c), OPT_RUN);
        size_t n = 0;
        for (; listens[i].listen[n]; n++) {
            struct listen_addresses parsed;
            assert_string_equal(c.listen.addresses.item[n], listens[i].listen[n]);
            assert_int_equal(listen_address_parse(c.listen.addresses.item[n], &parsed), 0);
        }
        assert_int_equal(c.listen.addresses.count, n);
        config_deinit(&c);
    }
}

static const struct {
    const char *text;
    const char *want[2]; /* as sock_address_text writes them; none: not an address */
} addresses[] = {
    {"127.0.0.1:8080", {"127.0.0.1:8080"}},
    {"0.0.0.0:0", {"0.0.0.0:0"}},
    {"[::1]:443", {"[::1]:443"}},
    {"[::]:443", {"[::]:443"}},
    {"[::ffff:127.0.0.1]:1", {"127.0.0.1:1"}},
    {"unix:/run/x", {"unix"}},
    {"443", {"0.0.0.0:443", "[::]:443"}},
    {"0", {"0.0.0.0:0", "[::]:0"}},
    {":443", {"0.0.0.0:443", "[::]:443"}},
    {"*:443", {"0.0.0.0:443", "[::]:443"}},
    {"localhost:443", {"127.0.0.1:443", "[::1]:443"}},
    {"LOCALHOST:65535", {"127.0.0.1:65535", "[::1]:65535"}},
    {"", {NULL}},
    {":", {NULL}},
    {"*", {NULL}},
    {"*:", {NULL}},
    {"*443", {NULL}},
    {"**:443", {NULL}},
    {"[*]:443", {NULL}},
    {"65536", {NULL}},
    {":65536", {NULL}},
    {"-1", {NULL}},
    {" 443", {NULL}},
    {"443 ", {NULL}},
    {"0x1bb", {NULL}},
    {"127.0.0.1", {NULL}},
    {"localhost", {NULL}},
    {"localhost.:443", {NULL}},
    {"a.localhost:443", {NULL}},
    {"::443", {NULL}},
    {"::1:443", {NULL}},
    {"[::1]443", {NULL}},
    {"[::1]", {NULL}},
    {"example.com:443", {NULL}},
    {"unix:", {NULL}},
    {"unix:x", {NULL}},
};

/* O28 */
static void test_listen_address(void **state)
{
    struct listen_addresses a;
    for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++) {
        size_t n = 0;
        int err = listen_address_parse(addresses[i].text, &a);
        print_message("%s\n", addresses[i].text);
        for (; n < 2 && addresses[i].want[n]; n++) {
            char text[64];
            assert_true(n < a.n);
            sock_address_text((const struct sockaddr *)&a.v[n].addr, true, text, sizeof text);
            assert_string_equal(text, addresses[i].want[n]);
        }
        assert_int_equal(err, n > 0 ? 0 : ERR_SYNTAX);
        assert_true(err < 0 || a.n == n);
    }
    assert_int_equal(listen_address_parse("[::1]:443", &a), 0);
    assert_int_equal(a.v[0].len, sizeof(struct sockaddr_in6));
    assert_int_equal(listen_address_port(&a.v[0]), 443);
    listen_address_set_port(&a.v[0], 80);
    assert_int_equal(listen_address_port(&a.v[0]), 80);
    assert_int_equal(listen_address_parse("unix:/run/x", &a), 0);
    assert_string_equal(((struct sockaddr_un *)&a.v[0].addr)->sun_path, "/run/x");
    assert_int_equal(listen_address_port(&a.v[0]), 0);
    char long_path[200] = "unix:/";
    memset(long_path + 6, 'x', 120);
    assert_int_equal(listen_address_parse(long_path, &a), ERR_SYNTAX);
}

/* O28: what decides whether [::] leaves a port to IPv4. */
static void test_listen_with_v4(void **state)
{
    static const struct opt_list all = {
        {"[::]:1", "unix:/x", "127.0.0.1:2", ":3", "[::1]:4"}, 5, NULL};
    for (uint16_t port = 0; port < 6; port++)
        assert_int_equal(listen_address_has_v4(&all, port), port == 2 || port == 3);
}

static const struct {
    const char *text;
    int want;
    bool https;
    const char *host;
    uint16_t port;
} urls[] = {
    {"https://example.com", 0, true, "example.com", 0},
    {"HTTP://Example.com:8080/", 0, false, "Example.com", 8080},
    {"http://localhost:8080", 0, false, "localhost", 8080},
    {"https://192.0.2.1:443", 0, true, "192.0.2.1", 443},
    {"https://[::1]", 0, true, "[::1]", 0},
    {"https://[::1]:8443", 0, true, "[::1]", 8443},
    {"https://", ERR_SYNTAX, false, "", 0},
    {"https:///", ERR_SYNTAX, false, "", 0},
    {"https://u@example.com", ERR_SYNTAX, false, "", 0},
    {"https://example.com:", ERR_SYNTAX, false, "", 0},
    {"https://example.com:99999", ERR_SYNTAX, false, "", 0},
    {"https://example.com?q", ERR_SYNTAX, false, "", 0},
    {"example.com", ERR_SYNTAX, false, "", 0},
};

static void test_base_url(void **state)
{
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        struct base_url u;
        int got = base_url_parse(urls[i].text, &u);
        if (got != urls[i].want)
            fail_msg("%s: %s", urls[i].text, err_text(got));
        if (got == 0 && (u.https != urls[i].https || u.port != urls[i].port ||
                         !slice_eq(u.host, slice_str(urls[i].host))))
            fail_msg("%s", urls[i].text);
    }
}

static void test_urls(void **state)
{
    static const char *const args[] = {"-d",
                                       "x.org",
                                       "--public-url",
                                       "http://X.ORG:8080",
                                       "--attach-url",
                                       "https://127.0.0.1:8443",
                                       NULL};
    struct config c;
    assert_int_equal(parse(args, &c), OPT_RUN);
    assert_string_equal(c.urls.public, "http://X.ORG:8080");
    assert_string_equal(c.urls.attach, "https://127.0.0.1:8443");
    config_deinit(&c);
}

static const struct {
    const char *label;
    const char *args[ARGS_MAX];
    const char *env[2][2];
    const char *listen, *domain, *public, *drop; /* lists with commas */
    bool secure;
} rivals[] = {
    {"O27 --listen beats PORT and ADDRESS",
     {"-d", "x.org", "--listen", "[::1]:80"},
     {{"PORT", "3001"}, {"ADDRESS", "0.0.0.0"}},
     .listen = "[::1]:80"},
    {"O27 --port beats LISTEN",
     {"-d", "x.org", "--port", "81"},
     {{"LISTEN", "[::1]:80"}},
     .listen = "127.0.0.1:81"},
    {"O27 --address beats LISTEN, and goes with PORT",
     {"-d", "x.org", "--address", "::1"},
     {{"LISTEN", "[::1]:80"}, {"PORT", "82"}},
     .listen = "[::1]:82"},
    {"O27 LISTEN and PORT",
     {"-d", "x.org"},
     {{"LISTEN", "[::1]:80"}, {"PORT", "82"}},
     .listen = "[::1]:80,127.0.0.1:82"},
    {"O27 the address of a service",
     {"-d", "x.org"},
     {{"PORT", "tcp://10.0.0.1:3000"}},
     .listen = NULL},
    {"O27 --domain beats PUBLIC_URL",
     {"-d", "x.org"},
     {{"PUBLIC_URL", "https://y.org:8443"}},
     .listen = NULL},
    {"O27 --domain goes with PUBLIC_URL",
     {"-d", "x.org"},
     {{"PUBLIC_URL", "https://X.org.:8443"}},
     .public = "https://X.org.:8443"},
    {"O27 --public-url beats DOMAIN",
     {"--public-url", "https://Y.org"},
     {{"DOMAIN", "x.org"}},
     .domain = "y.org",
     .public = "https://Y.org"},
    {"O27 --secure beats PUBLIC_URL",
     {"-d", "x.org", "--secure"},
     {{"PUBLIC_URL", "http://x.org"}},
     .secure = true},
    {"O27 --secure goes with PUBLIC_URL",
     {"-d", "x.org", "--secure"},
     {{"PUBLIC_URL", "https://x.org:1"}},
     .public = "https://x.org:1",
     .secure = true},
    {"O27 --no-secure", {"-d", "x.org", "--no-secure"}, {{"SECURE", "1"}}, .listen = NULL},
    {"O27 --forward-field beats DROP_FIELD",
     {"-d", "x.org", "--forward-field", "X-One"},
     {{"DROP_FIELD", "x-two,x-one,x-three"}},
     .drop = "x-two,x-three"},
    {"O27 --drop-field",
     {"-d", "x.org", "--drop-field", "X-One"},
     {{"FORWARD_FIELD", "x-one"}},
     .drop = "X-One"},
};

static const char *joined(const struct opt_list *l, char out[static 256])
{
    size_t len = 0;
    out[0] = '\0';
    for (size_t i = 0; i < l->count; i++)
        len += (size_t)snprintf(out + len, 256 - len, "%s%s", i ? "," : "", l->item[i]);
    return out;
}

static void assert_text(const char *got, const char *want)
{
    if (want)
        assert_string_equal(got, want);
    else
        assert_null(got);
}

static void test_contradictions(void **state)
{
    for (size_t i = 0; i < sizeof rivals / sizeof rivals[0]; i++) {
        struct config c;
        char name[2][64], text[256];
        for (size_t n = 0; n < 2; n++) {
            snprintf(name[n], sizeof name[n], "ONEPORTD_%s",
                     rivals[i].env[n][0] ? rivals[i].env[n][0] : "NOTHING");
            setenv(name[n], rivals[i].env[n][0] ? rivals[i].env[n][1] : "", 1);
        }
        print_message("%s\n", rivals[i].label);
        assert_int_equal(parse(rivals[i].args, &c), OPT_RUN);
        assert_string_equal(said, "");
        assert_string_equal(joined(&c.listen.addresses, text),
                            rivals[i].listen ? rivals[i].listen : "127.0.0.1:3000");
        assert_string_equal(c.domain, rivals[i].domain ? rivals[i].domain : "x.org");
        assert_text(c.urls.public, rivals[i].public);
        assert_string_equal(joined(&c.fields.drop, text), rivals[i].drop ? rivals[i].drop : "");
        assert_int_equal(c.localtunnel.secure, rivals[i].secure);
        config_deinit(&c);
        for (size_t n = 0; n < 2; n++)
            unsetenv(name[n]);
    }
}

static void test_environment(void **state)
{
    static const char *const args[] = {"--hold", "1s", NULL};
    struct config c;
    setenv("ONEPORTD_DOMAIN", "env.org", 1);
    setenv("ONEPORTD_HOLD", "2s", 1);
    setenv("ONEPORTD_NAME_GRACE", "3s", 1);
    assert_int_equal(parse(args, &c), OPT_RUN);
    assert_string_equal(c.domain, "env.org");
    assert_int_equal(c.names.hold_ms, 1000);
    assert_int_equal(c.names.grace_ms, 3000);
    config_deinit(&c);
    unsetenv("ONEPORTD_DOMAIN");
    unsetenv("ONEPORTD_HOLD");
    unsetenv("ONEPORTD_NAME_GRACE");
}

static void test_state_dir(void **state)
{
    static const char *const args[] = {"-d", "x.org", NULL};
    struct config c;
    setenv("XDG_STATE_HOME", "/xdg", 1);
    assert_int_equal(parse(args, &c), OPT_RUN);
    assert_string_equal(c.names.state_dir, geteuid() == 0 ? "/var/lib/oneport" : "/xdg/oneportd");
    config_deinit(&c);
    unsetenv("XDG_STATE_HOME");
}

static void test_help(void **state)
{
    static const char *const args[] = {"--help", NULL};
    static const char *const names[] = {"--domain", "--listen",     "--cert",          "--key",
                                        "--hold",   "--name-grace", "--trusted-proxy", "--secure"};
    struct config c;
    assert_int_equal(parse(args, &c), OPT_SHOWN);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_non_null(strstr(said, names[i]));
    config_deinit(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wrong),          cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_listen),         cmocka_unit_test(test_listen_address),
        cmocka_unit_test(test_listen_with_v4), cmocka_unit_test(test_base_url),
        cmocka_unit_test(test_urls),           cmocka_unit_test(test_environment),
        cmocka_unit_test(test_contradictions), cmocka_unit_test(test_state_dir),
        cmocka_unit_test(test_help),
    };
    setenv("ONEPORTD_CONFIG", "none", 1); /* but where a row names a file */
    return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
