/* SPDX-License-Identifier: MIT */
/* test_client_presence.c - whether somebody listens at the origin, by the system's tables. Rule
 * O95.
 */
#include "client/origin/presence.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "h2mux/base/kernel.h"
#include "wire.h"

#define V6 "00000000000000000000000000000000"

static const struct {
    const char *what, *line;
    bool listens; /* on port 3000, which is 0BB8 */
} lines[] = {
    {"O95 the head", "  sl  local_address rem_address   st tx_queue rx_queue", false},
    {"O95 it listens", "   0: 0100007F:0BB8 00000000:0000 0A 00000000:00000000 00:0 0", true},
    {"O95 everywhere", " 123: 00000000:0BB8 00000000:0000 0A 00000000:00000000 00:0 0", true},
    {"O95 IPv6", "   0: " V6 ":0BB8 " V6 ":0000 0A 00000000:00000000", true},
    {"O95 another port", "   0: 0100007F:0BB9 00000000:0000 0A 00000000:00000000", false},
    {"O95 a connection", "   0: 0100007F:0BB8 0100007F:1234 01 00000000:00000000", false},
    {"O95 a connection to it", "   0: 0100007F:1234 0100007F:0BB8 0A 00000000:00000000", false},
    {"O95 cut", "   0: 0100007F:0BB8 00000000:0000", false},
    {"O95 empty", "", false},
};

static void test_lines(void **state)
{
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        if (kernel_listens_in_line(lines[i].line, 3000) != lines[i].listens)
            fail_msg("%s", lines[i].what);
}

static enum presence ask(const char *text)
{
    struct origin_address a;
    const char *reason = NULL;
    assert_int_equal(origin_address_parse(text, "localhost", false, &a, &reason), 0);
    return presence_of(&a);
}

/* O95: the system is asked, and nobody is connected to. */
static void test_here(void **state)
{
    struct sockaddr_in at;
    char port[16], path[] = "/tmp/test_client_presence.XXXXXX", text[64];
    int fd = wire_listen(&at), file = mkstemp(path);
    snprintf(port, sizeof port, "%u", ntohs(at.sin_port));
    assert_int_equal(ask(port), PRESENCE_LISTENS);
    close(fd);
    assert_int_equal(ask(port), PRESENCE_NOBODY);
    assert_int_equal(ask("192.0.2.1:80"), PRESENCE_UNKNOWN);
    snprintf(text, sizeof text, "unix:%s", path);
    assert_int_equal(ask(text), PRESENCE_LISTENS);
    unlink(path);
    close(file);
    assert_int_equal(ask(text), PRESENCE_NOBODY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_here),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
