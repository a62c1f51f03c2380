/* SPDX-License-Identifier: MIT */
/* test_board_judge.c - tests who may use the board: rules O256 to O259. */
#include "src/board/judge.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define TOKEN "a-token-of-sixteen"
#define COUNT(rows) (sizeof rows / sizeof((rows)[0]))

enum { WE = 1000, OTHER = 1001 };

/* A request, by the fields that count. NULL: the field is missing. */
struct row {
    const char *host, *authorization, *origin, *site, *type;
    bool local, open, changes;
    uid_t uid;
    enum board_verdict want;
};

static void add(struct message *m, const char *name, const char *value)
{
    if (value)
        fields_add(&m->fields, slice_str(name), slice_str(value));
}

static void judge(const struct row *r, size_t number)
{
    struct message m;
    const char *reason = NULL;
    struct board_door door = {
        .local = r->local, .uid = r->uid, .we = WE, .token = r->local ? SLICE("") : SLICE(TOKEN)};
    message_init(&m);
    m.authority = slice_str(r->host);
    add(&m, "authorization", r->authorization);
    add(&m, "origin", r->origin);
    add(&m, "sec-fetch-site", r->site);
    add(&m, "content-type", r->type);
    enum board_verdict got = board_judge(&door, &m, r->open, r->changes, &reason);
    if (got != r->want || (got != BOARD_MAY && !reason))
        fail_msg("row %zu: %d (%s)", number, (int)got, reason ? reason : "-");
    message_deinit(&m);
}

#define BEARER "Bearer " TOKEN
#define JSON "application/json"

/* O256, O257, O258, O259: a row for each way in. */
static void test_judge(void **state)
{
    static const struct row rows[] = {
        /* O256: a unix socket is for us and root */
        {"localhost", NULL, NULL, NULL, NULL, true, false, false, WE, BOARD_MAY},
        {"localhost", NULL, NULL, NULL, NULL, true, false, false, 0, BOARD_MAY},
        {"localhost", NULL, NULL, NULL, NULL, true, false, false, OTHER, BOARD_FORBIDDEN},
        {"localhost", BEARER, NULL, NULL, NULL, true, false, false, OTHER, BOARD_FORBIDDEN},
        {"localhost", NULL, NULL, NULL, NULL, true, true, false, (uid_t)-1, BOARD_FORBIDDEN},
        /* O257: elsewhere a token is wanted */
        {"127.0.0.1:9", NULL, NULL, NULL, NULL, false, false, false, 0, BOARD_NO_TOKEN},
        {"127.0.0.1:9", BEARER, NULL, NULL, NULL, false, false, false, 0, BOARD_MAY},
        {"127.0.0.1:9", "bearer  " TOKEN, NULL, NULL, NULL, false, false, false, 0, BOARD_MAY},
        {"127.0.0.1:9", BEARER "x", NULL, NULL, NULL, false, false, false, 0, BOARD_NO_TOKEN},
        {"127.0.0.1:9", "Bearer ", NULL, NULL, NULL, false, false, false, 0, BOARD_NO_TOKEN},
        {"127.0.0.1:9", "Basic " TOKEN, NULL, NULL, NULL, false, false, false, 0, BOARD_NO_TOKEN},
        {"127.0.0.1:9", NULL, NULL, NULL, NULL, false, true, false, 0, BOARD_MAY},
        /* O258: no name of a stranger leads here, and no page of another site */
        {"board.example", BEARER, NULL, NULL, NULL, false, false, false, 0, BOARD_FORBIDDEN},
        {"board.example", NULL, NULL, NULL, NULL, true, false, false, WE, BOARD_FORBIDDEN},
        {"localhost.example:9", BEARER, NULL, NULL, NULL, false, false, false, 0, BOARD_FORBIDDEN},
        {"", BEARER, NULL, NULL, NULL, false, false, false, 0, BOARD_FORBIDDEN},
        {"[::1]:9", BEARER, NULL, NULL, NULL, false, false, false, 0, BOARD_MAY},
        {"LOCALHOST:9", BEARER, NULL, NULL, NULL, false, false, false, 0, BOARD_MAY},
        {"localhost:9", BEARER, "http://localhost:9", NULL, NULL, false, false, false, 0,
         BOARD_MAY},
        {"localhost:9", BEARER, "http://localhost:8", NULL, NULL, false, false, false, 0,
         BOARD_FORBIDDEN},
        {"localhost:9", BEARER, "https://localhost:9", NULL, NULL, false, false, false, 0,
         BOARD_FORBIDDEN},
        {"localhost:9", BEARER, "null", NULL, NULL, false, false, false, 0, BOARD_FORBIDDEN},
        {"localhost:9", BEARER, "", NULL, NULL, false, false, false, 0, BOARD_FORBIDDEN},
        {"localhost:9", BEARER, NULL, "cross-site", NULL, false, false, false, 0, BOARD_FORBIDDEN},
        {"localhost:9", BEARER, NULL, "same-site", NULL, false, false, false, 0, BOARD_FORBIDDEN},
        {"localhost:9", BEARER, NULL, "same-origin", NULL, false, false, false, 0, BOARD_MAY},
        {"localhost:9", BEARER, NULL, "none", NULL, false, false, false, 0, BOARD_MAY},
        {"localhost:9", NULL, NULL, "cross-site", NULL, false, true, false, 0, BOARD_MAY},
        /* O259: a change is JSON, which a form of a page cannot send */
        {"localhost:9", BEARER, NULL, NULL, NULL, false, false, true, 0, BOARD_FORBIDDEN},
        {"localhost:9", BEARER, NULL, NULL, "text/plain", false, false, true, 0, BOARD_FORBIDDEN},
        {"localhost:9", BEARER, NULL, NULL, JSON "x", false, false, true, 0, BOARD_FORBIDDEN},
        {"localhost:9", BEARER, NULL, NULL, JSON, false, false, true, 0, BOARD_MAY},
        {"localhost:9", BEARER, NULL, NULL, JSON " ; charset=utf-8", false, false, true, 0,
         BOARD_MAY},
        {"localhost:9", NULL, NULL, NULL, JSON, false, false, true, 0, BOARD_NO_TOKEN},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        judge(&rows[i], i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_judge),
    };
    return cmocka_run_group_tests_name("board judge", tests, NULL, NULL);
}
