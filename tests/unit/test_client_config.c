/* SPDX-License-Identifier: MIT */
/* test_client_config.c - the command line, judged: what runs, what is refused with one line. */
#include "client/config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

enum { ARGS_MAX = 10 };

static const struct {
    const char *name;
    const char *args[ARGS_MAX];
    enum opt_result want;
} rows[] = {
    {"least", {"3000", "--host", "example.com"}, OPT_RUN},
    {"localtunnel's letters",
     {"-p", "3000", "-h", "https://example.com", "-s", "my-app", "-l", "db", "-o"},
     OPT_RUN},
    {"plain to loopback", {"3000", "-h", "http://localhost:8080"}, OPT_RUN},
    {"unix", {"unix:/run/a", "-h", "example.com"}, OPT_RUN},
    {"all timers",
     {"3000", "-hexample.com", "--connect-timeout=1s", "--origin-timeout=0", "--idle-timeout=1m",
      "--websocket-timeout=2h", "--keepalive=500ms", "--leave-timeout=0", "--server-timeout=3s"},
     OPT_RUN},
    {"one link", {"3000", "-h", "example.com", "--links", "1"}, OPT_RUN},
    {"most links", {"3000", "-h", "example.com", "--links=16"}, OPT_RUN},
    {"no link", {"3000", "-h", "example.com", "--links", "0"}, OPT_WRONG},
    {"too many links", {"3000", "-h", "example.com", "--links", "17"}, OPT_WRONG},
    {"links are counted", {"3000", "-h", "example.com", "--links", "two"}, OPT_WRONG},
    {"help", {"--help"}, OPT_SHOWN},
    {"O94 -h alone", {"-h"}, OPT_SHOWN},
    {"O94 help alone", {"help"}, OPT_SHOWN},
    {"O94 -V", {"-V"}, OPT_SHOWN},
    {"O94 http before a port", {"http", "8000", "-h", "example.com"}, OPT_RUN},
    {"O94 https before a port", {"https", "8443", "-h", "example.com"}, OPT_RUN},
    {"O94 https before http://", {"https", "http://a", "-h", "example.com"}, OPT_WRONG},
    {"D45 health of HTTP/2", {"h2c://a", "--health", "/", "-h", "example.com"}, OPT_RUN},
    {"O94 https before h2c://", {"https", "h2c://a", "-h", "example.com"}, OPT_WRONG},
    {"O94 http alone", {"http", "-h", "example.com"}, OPT_WRONG},
    {"O94 tcp", {"tcp", "22", "-h", "example.com"}, OPT_WRONG},
    {"O94 another word", {"serve", "8000", "-h", "example.com"}, OPT_WRONG},
    {"O94 three words", {"http", "8000", "1", "-h", "example.com"}, OPT_WRONG},
    {"O94 a path", {"8000/path", "-h", "example.com"}, OPT_RUN},
    {"version", {"--version"}, OPT_SHOWN},
    {"nothing", {NULL}, OPT_WRONG},
    {"no server", {"3000"}, OPT_WRONG},
    {"no origin", {"-h", "example.com"}, OPT_WRONG},
    {"two origins", {"3000", "-p", "3001", "-h", "example.com"}, OPT_WRONG},
    {"two operands", {"3000", "3001", "-h", "example.com"}, OPT_WRONG},
    {"bad port", {"70000", "-h", "example.com"}, OPT_WRONG},
    {"bad --port", {"-p", "0", "-h", "example.com"}, OPT_WRONG},
    {"plain to elsewhere", {"3000", "-h", "http://example.com"}, OPT_WRONG},
    {"server with a path", {"3000", "-h", "https://example.com/x"}, OPT_WRONG},
    {"server of another scheme", {"3000", "-h", "ftp://example.com"}, OPT_WRONG},
    {"T8 a token on the command line",
     {"3000", "-h", "example.com", "--token", "0123456789abcdef"},
     OPT_WRONG},
    {"T8 a token behind =", {"3000", "-h", "example.com", "--token=0123456789abcdef"}, OPT_WRONG},
    {"T8 no file", {"3000", "-h", "example.com", "--token-file", "/nowhere/f"}, OPT_WRONG},
    {"T8 a file that is none",
     {"3000", "-h", "example.com", "--token-file", "/dev/null"},
     OPT_WRONG},
    {"name with a slash", {"3000", "-h", "example.com", "-s", "a/../b"}, OPT_WRONG},
    {"empty name", {"3000", "-h", "example.com", "-s", ""}, OPT_WRONG},
    {"bad host header", {"3000", "-h", "example.com", "--host-header", "a b"}, OPT_WRONG},
    {"O230 a path", {"3000", "-h", "example.com", "--health", "/up?x"}, OPT_RUN},
    {"O230 no path", {"3000", "-h", "example.com", "--health", "up"}, OPT_WRONG},
    {"O230 a fragment", {"3000", "-h", "example.com", "--health", "/up#x"}, OPT_WRONG},
    {"O230 two lines", {"3000", "-h", "example.com", "--health", "/up\r\nX: y"}, OPT_WRONG},
    {"a viewer's sign-in", {"3000", "-h", "example.com", "--origin-login", "viewer"}, OPT_RUN},
    {"nobody's sign-in",
     {"3000", "-h", "example.com", "--origin-login=off", "--origin-keepalive=0"},
     OPT_RUN},
    {"bad sign-in", {"3000", "-h", "example.com", "--origin-login", "on"}, OPT_WRONG},
    {"a sign-in on no connection",
     {"3000", "-h", "example.com", "--origin-login=viewer", "--origin-keepalive=0"},
     OPT_WRONG},
    {"bad time", {"3000", "-h", "example.com", "--idle-timeout", "10"}, OPT_WRONG},
    {"bad level", {"3000", "-h", "example.com", "--log-level", "loud"}, OPT_WRONG},
    {"bad format", {"3000", "-h", "example.com", "--log-format", "xml"}, OPT_WRONG},
    {"unknown", {"3000", "-h", "example.com", "--nope"}, OPT_WRONG},
    {"not yet: --token", {"3000", "-h", "example.com", "--token", "x"}, OPT_WRONG},
    {"--origin", {"--origin", "unix:/run/a", "-h", "example.com"}, OPT_RUN},
    {"--origin and an operand", {"3000", "--origin", "3001", "-h", "example.com"}, OPT_WRONG},
    {"--origin and --port", {"-p", "3000", "--origin", "3001", "-h", "example.com"}, OPT_WRONG},
    {"a bad --origin", {"--origin", "70000", "-h", "example.com"}, OPT_WRONG},
    {"O100 no file", {"3000", "-h", "example.com", "--config", "none"}, OPT_RUN},
    {"O100 a file that is missing", {"3000", "-h", "x.org", "--config", "/nowhere/f"}, OPT_WRONG},
    {"O86 a proxy", {"3000", "-h", "example.com", "--proxy", "http://a:b@p:3128"}, OPT_RUN},
    {"O86 no proxy", {"3000", "-h", "example.com", "--proxy", "none"}, OPT_RUN},
    {"O86 a bad proxy", {"3000", "-h", "example.com", "--proxy", "http://p"}, OPT_WRONG},
};

static enum opt_result load(const char *const args[], struct config *c)
{
    char program[] = "oneport";
    char *argv[ARGS_MAX + 2] = {program};
    int argc = 1;
    for (; args[argc - 1]; argc++)
        argv[argc] = strdup(args[argc - 1]);
    enum opt_result result = config_load(argc, argv, c);
    /* what the config borrows from argv is not looked at behind this line */
    for (int i = 1; i < argc; i++)
        free(argv[i]);
    if (result != OPT_RUN)
        config_deinit(c);
    return result;
}

static void test_rows(void **state)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct config c;
        print_message("%s\n", rows[i].name);
        assert_int_equal(load(rows[i].args, &c), rows[i].want);
    }
}

static void test_defaults(void **state)
{
    struct config c;
    assert_int_equal(load(rows[0].args, &c), OPT_RUN);
    assert_true(c.server.https);
    assert_string_equal(c.server.authority, "example.com");
    assert_string_equal(c.origin.text, "localhost:3000");
    assert_int_equal(c.rewrite.mode, REWRITE_AUTO);
    assert_int_equal(c.remote.links, 1);
    assert_int_equal(c.remote.max_streams, 20000);
    assert_int_equal(c.times.keepalive_ms, 15000);
    assert_int_equal(c.times.connect_ms, 5000);
    assert_int_equal(c.times.origin_ms, 600000);
    assert_int_equal(c.times.origin_idle_ms, 4000);
    assert_int_equal(c.times.idle_ms, 600000);
    assert_int_equal(c.times.websocket_ms, 3600000);
    assert_int_equal(c.times.leave_ms, 5000);
    assert_int_equal(c.login, LOGIN_OFF);
    assert_int_equal(c.level, LOG_INFO);
}

/* O94: how an origin may be written. */
static void test_words(void **state)
{
    static const struct {
        const char *args[ARGS_MAX];
        const char *text, *path;
        bool https;
    } shares[] = {
        {{"http", "8000", "-hx.org"}, "localhost:8000", "", false},
        {{"https", "8443", "-hx.org"}, "localhost:8443", "", true},
        {{"http", "db:80", "-hx.org"}, "db:80", "", false},
        {{"8000/", "-hx.org"}, "localhost:8000", "", false},
        {{"8000/a/b?c=d#e", "-hx.org"}, "localhost:8000", "/a/b?c=d#e", false},
        {{"db:8000?x", "-hx.org"}, "db:8000", "?x", false},
        {{"https://db/login", "-hx.org"}, "db:443", "/login", true},
        {{"http", "http://db:81/x", "-hx.org"}, "db:81", "/x", false},
        {{"unix:/run/a", "-hx.org"}, "unix:/run/a", "", false},
        {{"h2c://db:50051/x", "-hx.org"}, "db:50051", "/x", false},
        {{"https", "https+h2://db", "-hx.org"}, "db:443", "", true},
    };
    for (size_t i = 0; i < sizeof shares / sizeof *shares; i++) {
        struct config c;
        print_message("%s %s\n", shares[i].args[0], shares[i].args[1]);
        assert_int_equal(load(shares[i].args, &c), OPT_RUN);
        assert_string_equal(c.origin.text, shares[i].text);
        assert_string_equal(c.words.path, shares[i].path);
        assert_int_equal(c.origin.url.https, shares[i].https);
        config_deinit(&c);
    }
}

static void test_environment(void **state)
{
    static const char *const args[] = {"3000", NULL};
    struct config c;
    setenv("ONEPORT_HOST", "env.example.com", 1);
    assert_int_equal(load(args, &c), OPT_RUN);
    assert_string_equal(c.server.host, "env.example.com");
    assert_int_equal(load(rows[0].args, &c), OPT_RUN);
    assert_string_equal(c.server.host, "example.com"); /* the flag wins */
    unsetenv("ONEPORT_HOST");
}

static const struct {
    const char *label;
    const char *args[ARGS_MAX];
    enum opt_result want;
} logins[] = {
    {"O104 login", {"example.com"}, OPT_RUN},
    {"O104 a URL", {"https://example.com:8443", "--ca", "f"}, OPT_RUN},
    {"O104 --host is beaten", {"-h", "http://x.org", "example.com"}, OPT_RUN},
    {"O104 help", {"--help"}, OPT_SHOWN},
    {"O104 no server", {NULL}, OPT_WRONG},
    {"O104 --host is no operand", {"-h", "example.com"}, OPT_WRONG},
    {"O104 two servers", {"a.org", "b.org"}, OPT_WRONG},
    {"O104 plain HTTP", {"http://example.com"}, OPT_WRONG},
    {"O104 a path", {"example.com/x"}, OPT_WRONG},
};

static void test_login(void **state)
{
    for (size_t i = 0; i < sizeof logins / sizeof *logins; i++) {
        char *argv[ARGS_MAX + 2] = {(char[]){"login"}};
        int argc = 1;
        struct config c;
        for (; logins[i].args[argc - 1]; argc++)
            argv[argc] = (char *)(uintptr_t)logins[i].args[argc - 1]; /* only read */
        print_message("%s\n", logins[i].label);
        assert_int_equal(config_load_login(argc, argv, &c), logins[i].want);
        if (logins[i].want == OPT_RUN)
            assert_string_equal(c.server.host, "example.com");
        config_deinit(&c);
    }
}

static const char tunnels_file[] = "host = example.com\n"
                                   "links = 2\n"
                                   "[tunnel web]\n"
                                   "port = 3000\n"
                                   "links = 3\n"
                                   "[tunnel api]\n"
                                   "origin = unix:/run/api.sock\n"
                                   "subdomain = API\n"
                                   "[tunnel same]\n"
                                   "origin = 3001\n"
                                   "subdomain = api\n"
                                   "[tunnel bare]\n"
                                   "links = 1\n";

static const struct {
    const char *label;
    const char *args[ARGS_MAX];
    enum opt_result want;
    const char *tunnels; /* "NAME ORIGIN LINKS " of each */
} starts[] = {
    {"O105 one", {"web"}, OPT_RUN, "web localhost:3000 3 "},
    {"O105 two", {"api", "web"}, OPT_RUN, "api unix:/run/api.sock 2 web localhost:3000 3 "},
    {"O105 an option for both",
     {"api", "--links=4", "web"},
     OPT_RUN,
     "api unix:/run/api.sock 4 web localhost:3000 4 "},
    {"O105 an option that beats the section's", {"api", "-p9"}, OPT_RUN, "api localhost:9 2 "},
    {"O105 none", {NULL}, OPT_WRONG, NULL},
    {"O105 an unknown one", {"web", "wbe"}, OPT_WRONG, NULL},
    {"O105 one twice", {"web", "web"}, OPT_WRONG, NULL},
    {"O105 names and --all", {"web", "--all"}, OPT_WRONG, NULL},
    {"O105 the same name for two", {"api", "same"}, OPT_WRONG, NULL},
    {"O105 nothing to share", {"bare"}, OPT_WRONG, NULL},
    {"O105 one of all with nothing to share", {"--all"}, OPT_WRONG, NULL},
    {"O105 help", {"--help"}, OPT_SHOWN, NULL},
};

static void test_start(void **state)
{
    char path[] = "/tmp/test_client_config.XXXXXX";
    int fd = mkstemp(path);
    assert_int_equal(write(fd, tunnels_file, sizeof tunnels_file - 1), sizeof tunnels_file - 1);
    close(fd);
    setenv("ONEPORT_CONFIG", path, 1);
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++) {
        char *argv[ARGS_MAX + 2] = {(char[]){"start"}}, got[1024] = "";
        int argc = 1;
        struct config_set set;
        for (; starts[i].args[argc - 1]; argc++)
            argv[argc] = (char *)(uintptr_t)starts[i].args[argc - 1]; /* only read */
        print_message("%s\n", starts[i].label);
        assert_int_equal(config_load_start(argc, argv, &set), starts[i].want);
        for (size_t n = 0; n < set.count && starts[i].tunnels; n++)
            snprintf(got + strlen(got), sizeof got - strlen(got), "%s %s %d ", set.each[n].tunnel,
                     set.each[n].origin.text, (int)set.each[n].remote.links);
        if (starts[i].tunnels)
            assert_string_equal(got, starts[i].tunnels);
        config_set_deinit(&set);
    }
    setenv("ONEPORT_CONFIG", "none", 1);
    unlink(path);
}

static const struct {
    const char *label;
    const char *args[ARGS_MAX];
    const char *env[2][2];
    const char *origin;
    bool https, any_cert, insecure, open;
    const char *key;
} rivals[] = {
    {"O27 an operand beats PORT",
     {"8080", "-h", "x.org"},
     {{"PORT", "3000"}},
     .origin = "localhost:8080"},
    {"O27 a socket beats PORT",
     {"unix:/a", "-h", "x.org"},
     {{"PORT", "3000"}, {"LOCAL_HOST", "db"}},
     .origin = "unix:/a"},
    {"O27 PORT alone",
     {"-h", "x.org"},
     {{"PORT", "3000"}, {"LOCAL_HOST", "db"}},
     .origin = "db:3000"},
    {"O27 the address of a service",
     {"8080", "-h", "x.org"},
     {{"PORT", "tcp://10.0.0.1:3000"}},
     .origin = "localhost:8080"},
    {"O27 --port beats a service's PORT",
     {"-p", "8080", "-h", "x.org"},
     {{"PORT", "tcp://10.0.0.1:3000"}},
     .origin = "localhost:8080"},
    {"O27 a scheme beats LOCAL_HTTPS",
     {"http://db:1", "-h", "x.org"},
     {{"LOCAL_HTTPS", "1"}},
     .origin = "db:1"},
    {"O27 a port goes with LOCAL_HTTPS",
     {"1", "-h", "x.org"},
     {{"LOCAL_HTTPS", "1"}},
     .origin = "localhost:1",
     .https = true},
    {"O27 --local-ca beats ALLOW_INVALID_CERT",
     {"1", "-h", "x.org", "--local-ca", "f"},
     {{"ALLOW_INVALID_CERT", "1"}},
     .origin = "localhost:1"},
    {"O27 --ca beats INSECURE",
     {"1", "-h", "x.org", "--ca", "f"},
     {{"INSECURE", "1"}},
     .origin = "localhost:1"},
    {"O27 --local-cert beats LOCAL_KEY",
     {"1", "-h", "x.org", "--local-cert", "f"},
     {{"LOCAL_KEY", "k"}},
     .origin = "localhost:1"},
    {"O27 LOCAL_CERT goes with --local-key",
     {"1", "-h", "x.org", "--local-key", "k"},
     {{"LOCAL_CERT", "f"}},
     .origin = "localhost:1",
     .key = "k"},
    {"O27 flags of the environment",
     {"1", "-h", "x.org"},
     {{"ALLOW_INVALID_CERT", "1"}, {"INSECURE", "1"}},
     .origin = "localhost:1",
     .any_cert = true,
     .insecure = true},
    {"O27 flags are turned off",
     {"1", "-h", "x.org", "--no-insecure", "--no-open"},
     {{"OPEN", "1"}, {"INSECURE", "1"}},
     .origin = "localhost:1"},
};

static void test_contradictions(void **state)
{
    for (size_t i = 0; i < sizeof rivals / sizeof *rivals; i++) {
        struct config c;
        char name[2][64];
        for (size_t n = 0; n < 2; n++) {
            snprintf(name[n], sizeof name[n], "ONEPORT_%s",
                     rivals[i].env[n][0] ? rivals[i].env[n][0] : "NOTHING");
            setenv(name[n], rivals[i].env[n][0] ? rivals[i].env[n][1] : "", 1);
        }
        print_message("%s\n", rivals[i].label);
        assert_int_equal(load(rivals[i].args, &c), OPT_RUN);
        assert_string_equal(c.origin.text, rivals[i].origin);
        assert_int_equal(c.origin.url.https, rivals[i].https);
        assert_int_equal(c.local.any_cert, rivals[i].any_cert);
        assert_int_equal(c.remote.any_cert, rivals[i].insecure);
        assert_int_equal(c.output.open, rivals[i].open);
        assert_int_equal(!c.local.key, !rivals[i].key);
        for (size_t n = 0; n < 2; n++)
            unsetenv(name[n]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),           cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_words),          cmocka_unit_test(test_environment),
        cmocka_unit_test(test_contradictions), cmocka_unit_test(test_login),
        cmocka_unit_test(test_start),
    };
    unsetenv("ONEPORT_HOST");
    unsetenv("ONEPORT_PORT");
    setenv("ONEPORT_CONFIG", "none", 1); /* but where a row names a file */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
