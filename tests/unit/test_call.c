/* SPDX-License-Identifier: MIT */
/* test_call.c - where a request goes and what its ticket is worth: call.h. The route is computed
 * once, a ticket is verified once, and the worker that has the name is found by either. */
#include "src/names/call.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "h2mux/base/clock.h"
#include "src/names/keyring.h"

#define DOMAIN SLICE("example.com")
#define COUNT(rows) (sizeof rows / sizeof *rows)

enum { HOME = 3, OTHER_HOME = 5 };

struct fixture {
    char dir[64];
    struct keyring *keyring;
    struct directory *directory;
    char good[TICKET_MAX], expired[TICKET_MAX];
};

static void sign(struct fixture *x, int64_t exp, char out[static TICKET_MAX])
{
    struct ticket t = {.name = "owned", .since = clock_wall_s() - 100, .exp = exp};
    assert_int_equal(ticket_sign(x->keyring, DOMAIN, &t, out), 0);
}

static int setup(void **state)
{
    char reason[200];
    struct fixture *x = xcalloc(1, sizeof *x);
    *state = x;
    snprintf(x->dir, sizeof x->dir, "/tmp/test_call.XXXXXX");
    if (!mkdtemp(x->dir))
        return -1;
    x->keyring = keyring_open(x->dir, reason, sizeof reason);
    x->directory = directory_new(0, NULL, NULL);
    assert_int_equal(directory_claim(x->directory, SLICE("app"), HOME, NULL), 0);
    assert_int_equal(directory_claim(x->directory, SLICE("owned"), OTHER_HOME, NULL), 0);
    sign(x, clock_wall_s() + 1000, x->good);
    sign(x, clock_wall_s() - 10, x->expired);
    return 0;
}

static int teardown(void **state)
{
    struct fixture *x = *state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", x->dir);
    keyring_free(x->keyring);
    directory_free(x->directory);
    free(x);
    return system(command);
}

/* One request: @ticket goes into Oneport-Ticket, @bearer into Authorization. */
struct ask {
    const char *method, *host, *path, *ticket, *bearer;
};

static void ask(struct message *m, struct call *c, const struct ask *a)
{
    message_init(m);
    m->method = slice_str(a->method ? a->method : "GET");
    m->authority = slice_str(a->host ? a->host : "example.com");
    m->path = slice_str(a->path);
    if (a->ticket)
        fields_add(&m->fields, SLICE("Oneport-Ticket"), slice_str(a->ticket));
    if (a->bearer)
        fields_add(&m->fields, SLICE("Authorization"), slice_str(a->bearer));
    call_init(c, DOMAIN, NULL, m);
}

static void test_route(void **state)
{
    static const struct {
        struct ask ask;
        enum route_kind kind;
        enum builtin_kind builtin;
        const char *name;
    } rows[] = {
        {{.host = "App.example.com:8080", .path = "/tunnel/x"}, ROUTE_TUNNEL, BUILTIN_NONE, "app"},
        {{.host = "a.b.example.com", .path = "/"}, ROUTE_UNKNOWN, BUILTIN_NONE, ""},
        {{.path = "/"}, ROUTE_BASE, BUILTIN_LANDING, ""},
        {{.path = "/register/My-App"}, ROUTE_BASE, BUILTIN_REGISTER, "my-app"},
        {{.path = "/tunnel/APP"}, ROUTE_BASE, BUILTIN_ATTACH, "app"},
        {{.path = "/api/tunnels/App/status"}, ROUTE_BASE, BUILTIN_TUNNEL_STATUS, "app"},
        {{.method = "PUT", .path = "/tunnel/app"}, ROUTE_BASE, BUILTIN_METHOD, "app"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct message m;
        struct call c;
        ask(&m, &c, &rows[i].ask);
        assert_int_equal(c.route.kind, rows[i].kind);
        assert_int_equal(c.route.builtin.kind, rows[i].builtin);
        assert_string_equal(c.route.name, rows[i].name);
        message_deinit(&m);
    }
}

/* A name longer than any can be is kept as it stands in the path, and is nobody's. */
static void test_long_name(void **state)
{
    struct fixture *x = *state;
    struct call_judge judge = {x->keyring, DOMAIN, NULL};
    char path[200] = "/register/";
    struct message m;
    struct call c;
    memset(path + strlen(path), 'a', 100);
    ask(&m, &c, &(struct ask){.path = path});
    assert_int_equal(c.route.builtin.name.len, 100);
    assert_string_equal(c.route.name, "");
    assert_int_equal(call_home(&c, &judge, x->directory), DIRECTORY_NOBODY);
    message_deinit(&m);
}

static enum ticket_verdict verdict_of(struct fixture *x, const struct ask *a)
{
    struct call_judge judge = {x->keyring, DOMAIN, NULL};
    struct message m;
    struct call c;
    ask(&m, &c, a);
    enum ticket_verdict verdict = call_ticket(&c, &judge);
    message_deinit(&m);
    return verdict;
}

static void test_verdicts(void **state)
{
    struct fixture *x = *state;
    char bearer[TICKET_MAX + 16], late[TICKET_MAX + 16];
    snprintf(bearer, sizeof bearer, "bEaReR %s", x->good);
    snprintf(late, sizeof late, "Bearer %s", x->expired);
    const struct {
        struct ask ask;
        enum ticket_verdict want;
    } rows[] = {
        {{.path = "/register"}, TICKET_NONE},
        {{.path = "/register", .ticket = x->good}, TICKET_GOOD},
        {{.path = "/register/owned", .ticket = x->expired}, TICKET_EXPIRED},
        {{.path = "/register", .ticket = "nonsense"}, TICKET_BAD},
        {{.path = "/register", .ticket = ""}, TICKET_BAD},
        {{.path = "/register", .bearer = bearer}, TICKET_NONE}, /* not where a register has it */
        {{.path = "/tunnel/owned", .bearer = bearer}, TICKET_GOOD},
        {{.path = "/tunnel/owned", .bearer = late}, TICKET_EXPIRED},
        {{.path = "/tunnel/owned", .bearer = "Bearer x"}, TICKET_BAD},
        {{.path = "/tunnel/owned", .bearer = "Basic x"}, TICKET_NONE},
        {{.path = "/tunnel/owned", .ticket = x->good}, TICKET_NONE},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_int_equal(verdict_of(x, &rows[i].ask), rows[i].want);
}

static void test_two_tickets(void **state)
{
    struct fixture *x = *state;
    struct call_judge judge = {x->keyring, DOMAIN, NULL};
    struct message m;
    struct call c;
    ask(&m, &c, &(struct ask){.path = "/register", .ticket = x->good});
    fields_add(&m.fields, SLICE("oneport-ticket"), slice_str(x->good));
    assert_int_equal(call_ticket(&c, &judge), TICKET_BAD);
    message_deinit(&m);
}

/* Once judged, the keys are not asked again: there are none the second time. */
static void test_judged_once(void **state)
{
    struct fixture *x = *state;
    struct call_judge judge = {x->keyring, DOMAIN, NULL}, none = {NULL, DOMAIN, NULL};
    struct message m;
    struct call c;
    ask(&m, &c, &(struct ask){.path = "/register", .ticket = x->good});
    assert_int_equal(call_home(&c, &judge, x->directory), OTHER_HOME);
    assert_int_equal(call_ticket(&c, &none), TICKET_GOOD);
    assert_string_equal(c.judged.ticket.name, "owned");
    message_deinit(&m);
}

static void test_home(void **state)
{
    struct fixture *x = *state;
    struct call_judge judge = {x->keyring, DOMAIN, NULL};
    const struct {
        struct ask ask;
        int want;
    } rows[] = {
        {{.host = "APP.example.com", .path = "/register/owned"}, HOME},
        {{.host = "nobody.example.com", .path = "/"}, DIRECTORY_NOBODY},
        {{.host = "other.org", .path = "/tunnel/app"}, DIRECTORY_NOBODY},
        {{.path = "/register/App"}, HOME},
        {{.path = "/App"}, DIRECTORY_NOBODY},                 /* takes no name */
        {{.path = "/register/app", .ticket = x->good}, HOME}, /* the name in the path counts */
        {{.path = "/register", .ticket = x->good}, OTHER_HOME},
        {{.path = "/?new", .ticket = x->good}, DIRECTORY_NOBODY},
        {{.path = "/register", .ticket = x->expired}, OTHER_HOME}, /* it names its owner yet */
        {{.path = "/register", .ticket = "nonsense"}, DIRECTORY_NOBODY},
        {{.path = "/register"}, DIRECTORY_NOBODY},
        {{.path = "/tunnel/app"}, HOME},
        {{.path = "/api/tunnels/app/status"}, HOME},
        {{.path = "/api/status"}, DIRECTORY_NOBODY},
        {{.path = "/"}, DIRECTORY_NOBODY},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct message m;
        struct call c;
        ask(&m, &c, &rows[i].ask);
        assert_int_equal(call_home(&c, &judge, x->directory), rows[i].want);
        message_deinit(&m);
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_route),       TEST(test_long_name),   TEST(test_verdicts),
        TEST(test_two_tickets), TEST(test_judged_once), TEST(test_home),
    };
    return cmocka_run_group_tests_name("call", tests, NULL, NULL);
}
