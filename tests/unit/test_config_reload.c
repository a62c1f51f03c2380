/* SPDX-License-Identifier: MIT */
/* test_config_reload.c - the options of a running server, read once more from a file that has
 * changed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "h2mux/base/err.h"
#include "src/worker/config.h"

static char path[] = "/tmp/test_config_reload.XXXXXX";

static void put(const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static const struct {
    const char *label, *before, *after;
    const char *applied, *waiting;
    const char *error; /* a part of it; NULL: none */
} rows[] = {
    {"O108 nothing", "hold = 1s\n", "hold = 1s\n", "", "", NULL},
    {"O108 the same in other words", "hold = 1s\n", "# new\nhold = 1000ms\n", "", "", NULL},
    {"O108 one that can change", "hold = 1s\n", "hold = 2s\n", "hold", "", NULL},
    {"O108 one that is new", "", "max-body = 1m\nlog-level = warn\n", "max-body,log-level", "",
     NULL},
    {"O108 one that is gone", "hold = 1s\n", "", "hold", "", NULL},
    {"O108 one that needs a restart", "workers = 2\n", "workers = 3\n", "", "workers", NULL},
    {"O108 a list", "trusted-proxy = 192.0.2.1\n", "trusted-proxy = 192.0.2.1, 192.0.2.2\n", "",
     "trusted-proxy", NULL},
    {"O108 listeners", "listen = :1\n", "port = 2\naddress = 127.0.0.1\n", "",
     "listen,port,address", NULL},
    {"O108 both kinds", "hold = 1s\nworkers = 2\n", "hold = 2s\nworkers = 3\n", "hold", "workers",
     NULL},
    {"O108 the command line beats the file", "max-links = 1\n", "max-links = 2\n", "", "", NULL},
    {"O108 another certificate", "cert = a\nkey = b\n", "cert = c\nkey = d\n", "cert,key", "",
     NULL},
    {"O108 a first certificate", "", "cert = c\nkey = d\n", "", "cert,key", NULL},
    {"O108 a URL", "", "public-url = https://x.org\n", "", "public-url", NULL},
    {"O108 a URL that the command line contradicts", "", "public-url = https://y.org\n", "", "",
     NULL},
    {"O107 a bad value", "hold = 1s\n", "hold = 2s\nmax-body = x\n", NULL, NULL,
     ":2: max-body: 'x' is not a size"},
    {"O107 an unknown option", "", "\nhod = 2s\n", NULL, NULL, ":2: unknown option 'hod'"},
    {"O107 no line", "", "hold\n", NULL, NULL, ":1: the line is neither"},
    {"O107 a contradiction", "", "cert = a\n", NULL, NULL, "--cert needs --key"},
};

static void test_reload(void **state)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char option[64], *argv[] = {(char[]){"oneportd"},
                                    (char[]){"--domain=x.org"},
                                    (char[]){"--state-dir=/s"},
                                    (char[]){"--max-links=4"},
                                    option,
                                    NULL};
        struct config first;
        struct config_change change;
        struct buf why;
        snprintf(option, sizeof option, "--config=%s", path);
        put(rows[i].before);
        print_message("%s\n", rows[i].label);
        assert_int_equal(config_parse(5, argv, &first), OPT_RUN);
        put(rows[i].after);
        buf_init(&why, 512);
        assert_int_equal(config_reload(&first, &change, &why), rows[i].error ? ERR_SYNTAX : 0);
        if (rows[i].error) {
            char *reason = slice_dup(buf_slice(&why));
            assert_non_null(strstr(reason, rows[i].error));
            assert_null(strchr(reason, '\n'));
            free(reason);
        } else {
            assert_string_equal(change.applied, rows[i].applied);
            assert_string_equal(change.waiting, rows[i].waiting);
            assert_int_equal(!change.now, !rows[i].applied[0]);
        }
        free(change.applied);
        free(change.waiting);
        config_free_newer(change.now ? change.now : &first, &first);
        buf_release(&why);
        config_deinit(&first);
    }
}

/* O108: the new configuration has the new values of options that can change, and the old values of
 * those that need a restart, however often it is read. */
static void test_values(void **state)
{
    char option[64], *argv[] = {(char[]){"oneportd"}, (char[]){"--domain=x.org"},
                                (char[]){"--state-dir=/s"}, option, NULL};
    struct config first;
    const struct config *newest = &first;
    snprintf(option, sizeof option, "--config=%s", path);
    put("hold = 1s\nworkers = 2\nlisten = 127.0.0.1:1\nlanding = https://a.org/\n");
    assert_int_equal(config_parse(4, argv, &first), OPT_RUN);
    for (unsigned round = 2; round < 6; round++) {
        char text[256];
        struct config_change change;
        struct buf why;
        snprintf(text, sizeof text,
                 "hold = %us\nworkers = 1%u\nlisten = 127.0.0.1:%u\nlanding = https://a%u.org/\n",
                 round, round, round, round);
        put(text);
        buf_init(&why, 512);
        assert_int_equal(config_reload(newest, &change, &why), 0);
        assert_non_null(change.now);
        assert_string_equal(change.applied, "landing,hold");
        assert_string_equal(change.waiting, "listen,workers");
        change.now->older = newest == &first ? NULL : (struct config *)(uintptr_t)newest;
        newest = change.now;
        free(change.applied);
        free(change.waiting);
        buf_release(&why);
        assert_int_equal(newest->names.hold_ms, 1000 * round);
        assert_int_equal(newest->workers, 2);
        assert_int_equal(newest->listen.addresses.count, 1);
        assert_string_equal(newest->listen.addresses.item[0], "127.0.0.1:1");
        assert_string_equal(newest->domain, "x.org");
        snprintf(text, sizeof text, "https://a%u.org/", round);
        assert_string_equal(newest->urls.landing, text);
    }
    assert_string_equal(first.urls.landing, "https://a.org/");
    config_free_newer(newest, &first);
    config_deinit(&first);
}

static int make_file(void **state)
{
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state)
{
    return unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_reload),
                                       cmocka_unit_test(test_values)};
    return cmocka_run_group_tests(tests, make_file, remove_file);
}
