/* SPDX-License-Identifier: MIT */
/* test_revoke.c - tests that links end with their token: rules T6, T7. */
#include "src/tunnels/revoke.h"

#include "src/names/tokens.h"
#include "tests/unit/registry_world.h"

static struct tokens *make(const char *text)
{
    char reason[TOKENS_REASON_MAX];
    struct tokens *t = tokens_of_text(slice_str(text), reason);
    assert_non_null(t);
    return t;
}

static struct link *attach_by(struct fixture *x, const char *name, const char *token, unsigned slot)
{
    struct link *l = attach(x, name, INSTANCE_A, slot, 100);
    snprintf(l->token, sizeof l->token, "%s", token);
    return l;
}

static const struct {
    const char *what, *file;
    bool ends;
} rows[] = {
    {"the same", "ann cert\n", false},
    {"permitted", "ann cert names=a*\n", false},
    {"T6 gone", "bob cert\n", true},
    {"T6 narrowed", "ann cert names=b*\n", true},
    {"T6 reserved for another", "ann cert\nbob cert reserve=app\n", true},
    {"T6 over", "ann cert until=2020-01-01\n", true},
};

static void test_rows(void **state)
{
    struct fixture *x = *state;
    x->server.tokens = make("ann cert\n");
    struct revoke *r = revoke_new(x->worker);
    assert_non_null(r);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        tokens_free(x->server.tokens);
        x->server.tokens = make("ann cert\n");
        struct link *l = attach_by(x, "app", "ann", 0);
        tokens_free(x->server.tokens);
        x->server.tokens = make(rows[i].file);
        revoke_look(r);
        if ((l->state == LINK_DEAD) != rows[i].ends)
            fail_msg("%s", rows[i].what);
        if (l->state != LINK_DEAD)
            link_close(l, 0);
        turn(x, 1);
    }
    revoke_free(r);
    tokens_free(x->server.tokens);
    x->server.tokens = NULL;
}

/* T7: fewer streams hold at once; a link too many is let go, and the others stay. */
static void test_limits(void **state)
{
    struct fixture *x = *state;
    x->server.tokens = make("ann cert\n");
    struct revoke *r = revoke_new(x->worker);
    struct link *first = attach_by(x, "app", "ann", 0), *second = attach_by(x, "app", "ann", 1);
    tokens_free(x->server.tokens);
    x->server.tokens = make("ann cert links=1 streams=2\n");
    revoke_look(r);
    assert_int_equal(first->state, LINK_UP);
    assert_int_equal(first->streams_max, 2);
    assert_int_not_equal(second->state, LINK_UP);
    revoke_free(r);
    tokens_free(x->server.tokens);
    x->server.tokens = NULL;
}

/* T6 T10: without tokens nothing is looked at. */
static void test_none(void **state)
{
    struct fixture *x = *state;
    assert_null(revoke_new(x->worker));
    revoke_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_rows, setup, teardown),
        cmocka_unit_test_setup_teardown(test_limits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_none, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
