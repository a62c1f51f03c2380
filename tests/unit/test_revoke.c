/* SPDX-License-Identifier: MIT */
/* test_revoke.c - tests that links end with their token: rules T6, T7, T14, T34. */
#include "src/tunnels/revoke.h"

#include "src/names/tokens.h"
#include "src/policies/policies.h"
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
    x->token = token;
    return attach(x, name, INSTANCE_A, slot, 100);
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

/* T34: the name of a link has gone before its client is there, so that the link claims it anew. The
 * token counts, with its number of names, and the policy that it has by then. */
static const struct {
    const char *what, *tokens, *policies;
    bool comes_up;
} late[] = {
    {"T34 with its policy", "ann cert policy=none\n", "none {\"allow\":[\"192.0.2.1\"]}\n", true},
    {"T34 whose policy has gone", "ann cert policy=none\n", "some {}\n", false},
    {"T34 of a token that has gone", "bob cert\n", "some {}\n", false},
    {"T34 one too many", "ann cert max=1\n", "some {}\n", false},
};

static bool is_live(const struct fixture *x, const char *name)
{
    const struct tunnel *t = find(x, name);
    return t && t->state == TUNNEL_LIVE;
}

static void test_late(void **state)
{
    struct fixture *x = *state;
    char reason[POLICIES_REASON_MAX];
    x->token = "ann";
    for (size_t i = 0; i < sizeof late / sizeof *late; i++) {
        struct sock *theirs;
        struct tunnel *t, *other;
        unsigned retry;
        struct claim by_ann = {.asked = true, .token = &(struct token_grant){.id = "ann"}};
        x->server.tokens = make("ann cert\n");
        struct link *l = begin(x, "app", INSTANCE_A, 0, &theirs);
        tokens_free(x->server.tokens);
        x->server.tokens = make(late[i].tokens);
        x->server.policies = policies_of_text("policies", slice_str(late[i].policies), reason);
        assert_non_null(x->server.policies);
        assert_int_equal(
            registry_claim(registry_of(x), SLICE("other"), alice, &by_ann, &other, &retry), 0);
        greet(x, theirs, 100);
        for (int j = 0; j < WAIT_MS && !list_empty(&x->worker->links) && !is_live(x, "app"); j++)
            turn(x, 1);
        if (is_live(x, "app") != late[i].comes_up) /* or the link is freed */
            fail_msg("%s", late[i].what);
        if (late[i].comes_up) {
            t = find(x, "app");
            assert_string_equal(t->token, "ann");
            assert_non_null(guard_forced(t->guard));
            link_close(l, 0);
        }
        turn(x, 1);
        if (find(x, "app"))
            registry_drop(registry_of(x), find(x, "app"));
        registry_drop(registry_of(x), other);
        policies_free(x->server.policies);
        tokens_free(x->server.tokens);
        x->server.policies = NULL;
        x->server.tokens = NULL;
    }
}

/* T14: one look puts the policies of all names in force, and leaves nothing to be judged. */
static void test_policies(void **state)
{
    struct fixture *x = *state;
    char reason[POLICIES_REASON_MAX];
    const char *names[] = {"app", "web", "third"};
    x->server.tokens = make("ann cert\nbob cert\n");
    struct revoke *r = revoke_new(x->worker);
    for (size_t i = 0; i < 3; i++) {
        struct link *l = attach_by(x, names[i], i < 2 ? "ann" : "bob", 0);
        assert_string_equal(find(x, l->name)->token, l->token);
    }
    tokens_free(x->server.tokens);
    x->server.tokens = make("ann cert policy=some\nbob cert\n");
    x->server.policies =
        policies_of_text("policies", SLICE("some {\"allow\":[\"192.0.2.1\"]}\n"), reason);
    assert_non_null(x->server.policies);
    revoke_look(r);
    for (size_t i = 0; i < 3; i++) {
        const struct tunnel *t = find(x, names[i]);
        assert_int_equal(t->state, TUNNEL_LIVE);
        assert_int_equal(!!guard_forced(t->guard), i < 2);
        assert_false(t->policies_changed);
    }
    revoke_free(r);
    policies_free(x->server.policies);
    tokens_free(x->server.tokens);
    x->server.policies = NULL;
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
        cmocka_unit_test_setup_teardown(test_late, setup, teardown),
        cmocka_unit_test_setup_teardown(test_policies, setup, teardown),
        cmocka_unit_test_setup_teardown(test_none, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
