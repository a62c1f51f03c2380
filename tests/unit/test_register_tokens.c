/* SPDX-License-Identifier: MIT */
/* test_register_tokens.c - tests register calls to a server with tokens: rules T1 to T9, T35 and
 * T36. */
#include "tests/unit/register_world.h"

#define HELLO "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
#define WORLD "486ea46224d1bb4fb680f34f7c9ad96a8f24ec88be73ea8e5a6c65260e9cb8a7"

static int setup_tokens(void **state)
{
    char reason[TOKENS_REASON_MAX];
    int err = setup(state);
    struct fixture *x = *state;
    x->server.tokens =
        tokens_of_text(SLICE("ann sha256:" HELLO " names=demo-* max=2 links=1 streams=7\n"
                             "bob sha256:" WORLD " reserve=team-* links=100 "
                             "domains=a.example.org\n"
                             "old cert until=2020-01-01\n"
                             "leap names=pub-*,team-x\n"),
                       reason);
    return x->server.tokens ? err : -1;
}

/* What a call gets: an error, or the name. A row's call comes after those above it. */
static const struct {
    const char *what;
    struct request request;
    int status;
    const char *want;
} rows[] = {
    {"T1 none", {.name = "demo-1"}, 401, "token_required"},
    {"T1 another scheme", {.name = "demo-1", .bearer = "Basic YTpi"}, 401, "token_required"},
    {"T1 unknown", {.name = "demo-1", .bearer = "Bearer nonsense"}, 403, "bad_token"},
    {"T1 in the clear",
     {.name = "demo-1", .remote = true, .bearer = "Bearer hello"},
     403,
     "tls_required"},
    {"T1 good", {.name = "demo-1", .bearer = "Bearer hello"}, 200, "demo-1"},
    {"T1 any case", {.name = "demo-2", .bearer = "bearer  hello"}, 200, "demo-2"},
    {"T7 one more", {.name = "demo-3", .bearer = "Bearer hello"}, 429, "too_many_names"},
    {"T2 not its name", {.name = "app", .bearer = "Bearer hello"}, 403, "name_not_permitted"},
    {"T2 another's", {.name = "team-1", .bearer = "Bearer hello"}, 403, "name_not_permitted"},
    {"T2 its own", {.name = "team-1", .bearer = "Bearer world"}, 200, "team-1"},
    {"T13 an old client", {.name = "pub-1"}, 200, "pub-1"},
    {"T13 taken", {.name = "pub-1"}, 403, "name_not_permitted"},
    {"T13 kept for a token", {.name = "team-x"}, 401, "token_required"},
    {"T13 any", {.name = ""}, 401, "token_required"},
    {"T13 with a token", {.name = "pub-2", .bearer = "Bearer hello"}, 403, "name_not_permitted"},
    {"T9 a page without",
     {.name = "app-1", .fetch_site = "cross-site", .tls = true},
     403,
     "not_for_pages"},
    {"T9 a page with a wrong one",
     {.name = "app-1", .fetch_site = "cross-site", .tls = true, .bearer = "Bearer x"},
     403,
     "not_for_pages"},
    {"T9 a page with a good one",
     {.name = "app-1", .fetch_site = "cross-site", .tls = true, .bearer = "Bearer world"},
     200,
     "app-1"},
};

static void test_rows(void **state)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct reply r = ask(*state, &rows[i].request);
        const char *got = text_of(&r, rows[i].status == 200 ? "id" : "error");
        if (r.status != rows[i].status || strcmp(got, rows[i].want) != 0)
            fail_msg("%s: %d %s", rows[i].what, r.status, got);
        cJSON_Delete(r.json);
    }
}

/* T2: a random name fits the patterns. T4 T5 T7: what the ticket and the answer say. */
static void test_random(void **state)
{
    struct fixture *x = *state;
    struct request by_ann = {.bearer = "Bearer hello"}, by_bob = {.bearer = "Bearer world"};
    struct reply r = ask(x, &by_ann);
    const cJSON *limits = cJSON_GetObjectItem(r.json, "limits");
    struct ticket t = ticket_of(x, &r);
    assert_int_equal(strncmp(text_of(&r, "id"), "demo-", 5), 0);
    assert_int_equal(number_of(limits, "links"), 1);
    assert_int_equal(number_of(limits, "streams"), 7);
    assert_string_equal(t.tok, "ann");
    assert_in_range(t.rev, clock_wall_s() - 5, clock_wall_s());
    assert_string_equal(find(x, t.name)->token, "ann");
    assert_true(find(x, t.name)->rev == t.rev);
    cJSON_Delete(r.json);
    r = ask(x, &by_bob);
    assert_int_equal(number_of(cJSON_GetObjectItem(r.json, "limits"), "links"), 4);
    cJSON_Delete(r.json);
}

/* T4 T5: a renewal by another token changes the name's token; the time never goes back. */
static void test_renewal(void **state)
{
    struct fixture *x = *state;
    char text[TICKET_MAX];
    struct ticket t = {.name = "demo-9", .since = 1, .exp = INT32_MAX, .rev = 5, .tok = "gone"};
    sign(x, DOMAIN, &t, text);
    struct request q = {.ticket = text, .bearer = "Bearer hello"};
    struct reply r = ask(x, &q);
    assert_string_equal(ticket_of(x, &r).tok, "ann");
    cJSON_Delete(r.json);
    find(x, "demo-9")->rev = clock_wall_s() + 1000; /* the clock was set back */
    q.bearer = "Bearer world";
    r = ask(x, &q);
    assert_string_equal(ticket_of(x, &r).tok, "bob");
    assert_true(ticket_of(x, &r).rev >= clock_wall_s() + 990);
    assert_string_equal(find(x, "demo-9")->token, "bob");
    cJSON_Delete(r.json);
}

/* T5: an older ticket does not attach. */
static void test_older(void **state)
{
    struct fixture *x = *state;
    struct request q = {.name = "demo-1", .bearer = "Bearer hello"};
    struct reply r = ask(x, &q);
    struct ticket t = ticket_of(x, &r);
    struct token_grant g = {.id = "ann"};
    struct tunnel *tunnel;
    unsigned retry;
    struct claim how = {.attaches = true, .returning = true, .token = &g, .rev = t.rev - 1};
    assert_int_equal(
        registry_claim(x->worker.registry, SLICE("demo-1"), t.owner, &how, &tunnel, &retry),
        ERR_EXPIRED);
    how.rev = t.rev;
    assert_int_equal(
        registry_claim(x->worker.registry, SLICE("demo-1"), t.owner, &how, &tunnel, &retry), 0);
    how.rev = t.rev + 7; /* of another server with the same keys */
    assert_int_equal(
        registry_claim(x->worker.registry, SLICE("demo-1"), t.owner, &how, &tunnel, &retry), 0);
    assert_true(tunnel->rev == t.rev + 7);
    cJSON_Delete(r.json);
}

/* T36: a call whose domain is another live name's leaves no name behind, be it a renewal or not; a
 * name that was held before is held still. */
static void test_domain_taken(void **state)
{
    struct fixture *x = *state;
    char text[TICKET_MAX];
    struct ticket t = {.name = "app", .since = 1, .exp = INT32_MAX, .rev = 5};
    struct request q = {.name = "live", .bearer = "Bearer world", .domain = "a.example.org"};
    struct reply r = ask(x, &q);
    assert_int_equal(r.status, 200);
    cJSON_Delete(r.json);
    directory_note(x->server.directory, &(struct held_name){.name = "live", .token = "bob"}, true);
    sign(x, DOMAIN, &t, text);
    for (int i = 0; i < 3; i++) {
        q.name = "app";
        q.ticket = i == 1 ? text : NULL;
        q.domain = "a.example.org";
        r = ask(x, &q);
        assert_int_equal(r.status, 409);
        assert_string_equal(text_of(&r, "error"), "domain_taken");
        cJSON_Delete(r.json);
        assert_null(find(x, "app"));
        assert_int_equal(directory_find(x->server.directory, SLICE("app")), DIRECTORY_NOBODY);
    }
    q.ticket = text;
    for (int i = 0; i < 2; i++) {
        q.domain = i == 0 ? NULL : "a.example.org";
        r = ask(x, &q);
        assert_int_equal(r.status, i == 0 ? 200 : 409);
        cJSON_Delete(r.json);
        assert_non_null(find(x, "app"));
    }
}

/* T35: a ban of a name refuses a call that names it by its ticket alone. */
static void test_banned(void **state)
{
    struct fixture *x = *state;
    char text[TICKET_MAX];
    struct ticket t = {.name = "app", .since = 1, .exp = INT32_MAX, .rev = 5};
    struct ban ban = {.name = "app", .until_us = loop_now_us(x->worker.loop) + 60000000};
    struct request q = {.bearer = "Bearer world", .ticket = text};
    sign(x, DOMAIN, &t, text);
    x->server.bans = bans_new();
    assert_int_equal(bans_add(x->server.bans, &ban, loop_now_us(x->worker.loop)), 0);
    for (int i = 0; i < 2; i++) {
        q.name = i == 0 ? NULL : "app";
        struct reply r = ask(x, &q);
        assert_int_equal(r.status, 403);
        assert_string_equal(text_of(&r, "error"), "banned");
        assert_null(find(x, "app"));
        cJSON_Delete(r.json);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_rows, setup_tokens, teardown),
        cmocka_unit_test_setup_teardown(test_random, setup_tokens, teardown),
        cmocka_unit_test_setup_teardown(test_renewal, setup_tokens, teardown),
        cmocka_unit_test_setup_teardown(test_older, setup_tokens, teardown),
        cmocka_unit_test_setup_teardown(test_domain_taken, setup_tokens, teardown),
        cmocka_unit_test_setup_teardown(test_banned, setup_tokens, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
