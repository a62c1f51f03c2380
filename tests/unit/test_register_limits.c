/* SPDX-License-Identifier: MIT */
/* test_register_limits.c - tests that an address that has made too many calls gets 429. Rules O22,
 * O23, O24. */
#include "register_world.h"

static const struct viewer far = {
    .address = "198.51.100.7", .trusted = true, .proxied = true, .https = true};
static const struct viewer elsewhere = {
    .address = "198.51.100.8", .trusted = true, .proxied = true, .https = true};

static void limit(struct fixture *x, uint64_t names, uint64_t registers)
{
    registry_free(x->worker.registry);
    directory_free(x->server.directory);
    quota_free(x->server.quota);
    x->server.directory = directory_new(names, NULL, NULL);
    x->server.quota = quota_new(1, registers);
    x->worker.registry = registry_new(&x->worker);
}

static void expect(struct fixture *x, const char *what, const struct request *r, int status,
                   const char *error)
{
    struct reply got = ask(x, r);
    if (got.status != status || (error && strcmp(text_of(&got, "error"), error) != 0))
        fail_msg("%s: %d %s", what, got.status, text_of(&got, "error"));
    if (status == 429) {
        assert_true(number_of(got.json, "retry_after") > 0);
        assert_true(strlen(text_of(&got, "message")) > 10);
    }
    cJSON_Delete(got.json);
}

/* O23: a call that makes a new owner costs a register, and no other call does. */
static void test_registers_of_an_address(void **state)
{
    struct fixture *x = *state;
    limit(x, 0, 1); /* two at once */
    struct reply mine = ask(x, &(struct request){.name = "app", .viewer = far});
    struct request renewal = {
        .name = "app", .exact = "?1", .ticket = text_of(&mine, "ticket"), .viewer = far};
    for (int i = 0; i < 10; i++) {
        expect(x, "a renewal is free", &renewal, 200, NULL);
        expect(x, "a name that is none", &(struct request){.name = "a_b", .viewer = far}, 403,
               "invalid_name");
    }
    expect(x, "the second, though it is taken",
           &(struct request){.name = "app", .exact = "?1", .viewer = far}, 409, "name_taken");
    expect(x, "the third", &(struct request){.name = "app2", .viewer = far}, 429,
           "too_many_registers");
    expect(x, "random", &(struct request){.viewer = far}, 429, "too_many_registers");
    assert_int_equal(directory_counts(x->server.directory).names, 1);
    expect(x, "still free", &renewal, 200, NULL);
    expect(x, "another address", &(struct request){.name = "app3", .viewer = elsewhere}, 200, NULL);
    for (int i = 0; i < 10; i++)
        expect(x, "loopback", &(struct request){.viewer = {.trusted = true}}, 200, NULL);
    cJSON_Delete(mine.json);
}

/* O23: a ticket cannot be used to get one random name after the other. */
static void test_a_ticket_for_what_another_holds_costs_a_register(void **state)
{
    struct fixture *x = *state;
    struct ticket t = {
        .name = "app", .owner = "somebody-else..", .since = 5, .exp = clock_wall_s() + 100};
    char text[TICKET_MAX];
    limit(x, 0, 1);
    sign(x, DOMAIN, &t, text);
    expect(x, "taken meanwhile", &(struct request){.name = "app", .viewer = elsewhere}, 200, NULL);
    for (int i = 0; i < 2; i++)
        expect(x, "random instead", &(struct request){.ticket = text, .viewer = far}, 200, NULL);
    expect(x, "no more", &(struct request){.ticket = text, .viewer = far}, 429,
           "too_many_registers");
    expect(x, "exact", &(struct request){.exact = "?1", .ticket = text, .viewer = far}, 409,
           "name_taken");
}

/* O22 */
static void test_names_of_an_address(void **state)
{
    struct fixture *x = *state;
    limit(x, 2, 0);
    struct reply mine = ask(x, &(struct request){.name = "app", .viewer = far});
    struct request renewal = {
        .name = "app", .exact = "?1", .ticket = text_of(&mine, "ticket"), .viewer = far};
    expect(x, "the second", &(struct request){.viewer = far}, 200, NULL);
    expect(x, "one too many", &(struct request){.name = "app2", .viewer = far}, 429,
           "too_many_names");
    expect(x, "random", &(struct request){.viewer = far}, 429, "too_many_names");
    expect(x, "its own", &renewal, 200, NULL);
    expect(x, "another address", &(struct request){.name = "app2", .viewer = elsewhere}, 200, NULL);
    expect(x, "loopback", &(struct request){.name = "app3", .viewer = {.trusted = true}}, 200,
           NULL);
    registry_drop(x->worker.registry, find(x, "app"));
    expect(x, "room again", &(struct request){.name = "app4", .viewer = far}, 200, NULL);
    expect(x, "a name that nobody holds any more", &renewal, 429, "too_many_names");
    cJSON_Delete(mine.json);
}

/* O24: the first five bad tickets get 403, more get 429. A good ticket is let in all the same. */
static void test_bad_tickets_of_an_address(void **state)
{
    struct fixture *x = *state;
    struct ticket old = {.name = "gone", .owner = "the-owner.....", .since = 5, .exp = 10};
    char expired[TICKET_MAX];
    sign(x, DOMAIN, &old, expired);
    struct reply mine = ask(x, &(struct request){.name = "app", .viewer = far});
    const char *good = text_of(&mine, "ticket"), *bad[] = {"x.y", "", good};
    for (int i = 0; i < 10; i++)
        expect(x, "only old", &(struct request){.name = "gone", .ticket = expired, .viewer = far},
               403, "bad_ticket");
    for (int i = 0; i < 5; i++) {
        struct request r = {.name = "app2", .ticket = bad[i % 3], .viewer = far};
        expect(x, "bad", &r, 403, "bad_ticket");
    }
    for (int i = 0; i < 3; i++) {
        struct request r = {.name = "app2", .ticket = bad[i], .viewer = far};
        expect(x, "too many", &r, 429, "too_many_bad_tickets");
        r.viewer = elsewhere;
        expect(x, "another address", &r, 403, "bad_ticket");
    }
    expect(x, "the owner", &(struct request){.name = "app", .ticket = good, .viewer = far}, 200,
           NULL);
    expect(x, "without one", &(struct request){.name = "app2", .viewer = far}, 200, NULL);
    for (int i = 0; i < 10; i++)
        expect(x, "loopback",
               &(struct request){.name = "app", .ticket = "x.y", .viewer = {.trusted = true}}, 403,
               "bad_ticket");
    cJSON_Delete(mine.json);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_registers_of_an_address),
        TEST(test_a_ticket_for_what_another_holds_costs_a_register),
        TEST(test_names_of_an_address),
        TEST(test_bad_tickets_of_an_address),
    };
    return cmocka_run_group_tests_name("register limits", tests, NULL, NULL);
}
