/* SPDX-License-Identifier: MIT */
/* test_register.c - tests the register call: names, tickets, URLs, refusals. protocol.md#register
 */
#include "register_world.h"

/* ---- the answer */

/* O13 */
static void test_secure_answer(void **state)
{
    struct fixture *x = *state;
    struct reply r = ask(x, &(struct request){.name = "My-App", .tls = true, .remote = true});
    assert_int_equal(r.status, 200);
    assert_string_equal(text_of(&r, "id"), "my-app");
    assert_string_equal(text_of(&r, "url"), "https://my-app.example.com");
    assert_string_equal(text_of(&r, "attach"), "https://example.com/tunnel/my-app");
    assert_int_equal(number_of(r.json, "port"), 443);
    assert_int_equal(number_of(r.json, "max_conn_count"), 32);
    const cJSON *limits = cJSON_GetObjectItem(r.json, "limits");
    assert_int_equal(number_of(limits, "streams"), 20000);
    assert_int_equal(number_of(limits, "links"), 4);
    assert_int_equal(number_of(limits, "hold_ms"), 4000);
    struct ticket t = ticket_of(x, &r);
    assert_string_equal(t.name, "my-app");
    assert_in_range(t.exp - clock_wall_s(), 3598, 3600);
    assert_in_range(clock_wall_s() - t.since, 0, 2);
    assert_int_equal(strlen(text_of(&r, "expires")), sizeof "2026-12-22T10:00:00Z" - 1);
    struct tunnel *held = find(x, "my-app");
    assert_non_null(held);
    assert_memory_equal(held->owner_id, t.owner, OWNER_LEN);
    assert_true(held->asked);
    assert_int_equal(stat_get(&x->worker.stats.register_calls), 1);
    cJSON_Delete(r.json);
}

/* O13: old clients over plain HTTP from another machine get the fields that they know, and no
 * ticket. */
static void test_insecure_answer(void **state)
{
    struct fixture *x = *state;
    struct reply r = ask(x, &(struct request){.name = "my-app", .remote = true});
    assert_int_equal(r.status, 200);
    assert_int_equal(cJSON_GetArraySize(r.json), 4);
    assert_string_equal(text_of(&r, "id"), "my-app");
    assert_string_equal(text_of(&r, "url"), "http://my-app.example.com");
    assert_int_equal(number_of(r.json, "max_conn_count"), 32);
    assert_int_equal(number_of(r.json, "port"), 443);
    cJSON_Delete(r.json);
}

static void test_random(void **state)
{
    struct fixture *x = *state;
    struct reply r = ask(x, &(struct request){.name = ""});
    struct reply other = ask(x, &(struct request){.name = ""});
    assert_int_equal(r.status, 200);
    assert_non_null(find(x, text_of(&r, "id")));
    assert_false(find(x, text_of(&r, "id"))->asked);
    assert_string_not_equal(text_of(&r, "id"), text_of(&other, "id"));
    cJSON_Delete(r.json);
    cJSON_Delete(other.json);
}

/* clang-format off */
static const struct {
    const char *what;
    struct request request;
    const char *public_url, *attach_url;
    bool secure;
    const char *url, *attach;
    int port;
} urls[] = {
    {"loopback, default port", {.name = "app"}, NULL, NULL, false,
     "http://app.example.com", "https://example.com/tunnel/app", 443},
    {"the port in Host", {.name = "app", .host = "example.com:3000"}, NULL, NULL, false,
     "http://app.example.com:3000", "https://example.com:3000/tunnel/app", 3000},
    {"called by address", {.name = "app", .host = "[::1]:3000"}, NULL, NULL, false,
     "http://app.example.com:3000", "https://example.com:3000/tunnel/app", 3000},
    {"called by address without port", {.name = "app", .host = "[::1]"}, NULL, NULL, false,
     "http://app.example.com", "https://example.com/tunnel/app", 443},
    {"own TLS", {.name = "app", .tls = true, .remote = true, .host = "example.com:8443"}, NULL, NULL,
     false, "https://app.example.com:8443", "https://example.com:8443/tunnel/app", 8443},
    {"own TLS, default port", {.name = "app", .tls = true, .remote = true, .host = "example.com:443"},
     NULL, NULL, false, "https://app.example.com", "https://example.com/tunnel/app", 443},
    {"through a proxy",
     {.name = "app", .viewer = {.trusted = true, .proxied = true, .https = true}}, NULL, NULL, false,
     "https://app.example.com", "https://example.com/tunnel/app", 443},
    {"through a proxy that tells its port",
     {.name = "app",
      .viewer = {.trusted = true, .proxied = true, .https = true, .forwarded_port = 8443}},
     NULL, NULL, false, "https://app.example.com:8443", "https://example.com:8443/tunnel/app", 8443},
    {"Host before X-Forwarded-Port",
     {.name = "app", .host = "example.com:9000",
      .viewer = {.trusted = true, .proxied = true, .https = true, .forwarded_port = 8443}},
     NULL, NULL, false, "https://app.example.com:9000", "https://example.com:9000/tunnel/app", 9000},
    {"--public-url", {.name = "app", .tls = true, .host = "localhost:8443"},
     "http://example.com:8080", NULL, false,
     "http://app.example.com:8080", "https://example.com:8443/tunnel/app", 8443},
    {"--public-url with its default port", {.name = "app", .host = "example.com:3000"},
     "https://example.com", NULL, false,
     "https://app.example.com", "https://example.com:3000/tunnel/app", 3000},
    {"--attach-url", {.name = "app", .host = "example.com:3000"}, NULL,
     "https://tunnel.example.net:7000", false,
     "http://app.example.com:3000", "https://tunnel.example.net:7000/tunnel/app", 7000},
    {"--attach-url without port", {.name = "app", .host = "example.com:3000"}, NULL,
     "https://tunnel.example.net", false,
     "http://app.example.com:3000", "https://tunnel.example.net/tunnel/app", 443},
    {"--secure", {.name = "app"}, NULL, NULL, true,
     "https://app.example.com", "https://example.com/tunnel/app", 443},
};

/* clang-format on */

static void test_urls(void **state)
{
    struct fixture *x = *state;
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        x->config.urls.public = urls[i].public_url;
        x->config.urls.attach = urls[i].attach_url;
        x->config.localtunnel.secure = urls[i].secure;
        struct reply r = ask(x, &urls[i].request);
        if (r.status != 200 || strcmp(text_of(&r, "url"), urls[i].url) != 0 ||
            strcmp(text_of(&r, "attach"), urls[i].attach) != 0 ||
            number_of(r.json, "port") != urls[i].port)
            fail_msg("%s: %d %s %s", urls[i].what, r.status, text_of(&r, "url"),
                     text_of(&r, "attach"));
        cJSON_Delete(r.json);
        registry_drop(x->worker.registry, find(x, "app"));
    }
}

/* ---- secure calls */

static const struct {
    const char *what;
    struct viewer viewer;
    bool tls, local, want;
} calls[] = {
    {"plain from far", {.trusted = false}, false, false, false},
    {"our TLS", {.https = true}, true, false, true},
    {"loopback", {.trusted = true}, false, true, true},
    {"loopback proxy, plain viewer", {.trusted = true, .proxied = true}, false, true, false},
    {"loopback proxy, https viewer",
     {.trusted = true, .proxied = true, .https = true},
     false,
     true,
     true},
    {"far proxy, https viewer",
     {.trusted = true, .proxied = true, .https = true},
     false,
     false,
     true},
    {"far proxy that says https only", {.trusted = true, .https = true}, false, false, true},
    {"far proxy that says nothing", {.trusted = true}, false, false, false},
    {"proxy over TLS, plain viewer", {.trusted = true, .proxied = true}, true, false, false},
};

/* O13 */
static void test_secure(void **state)
{
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        struct call c = {0};
        call_set_viewer(&c, &calls[i].viewer, calls[i].tls, calls[i].local);
        if (c.secure != calls[i].want)
            fail_msg("%s", calls[i].what);
    }
}

/* ---- refusals that need no other owner */

static const struct {
    const char *what;
    struct request request;
    int status;
    const char *error;
} refusals[] = {
    {"bad name", {.name = "a_b"}, 403, "invalid_name"},
    {"short name", {.name = "ab"}, 403, "invalid_name"},
    {"reserved name", {.name = "WWW"}, 403, "invalid_name"},
    {"long name",
     {.name = "a234567890123456789012345678901234567890123456789012345678901234"},
     403,
     "invalid_name"},
    {"percent", {.name = "my%2dapp"}, 403, "invalid_name"},
    {"insecure token", {.name = "app", .remote = true, .bearer = "Bearer x"}, 403, "tls_required"},
    {"insecure token, small letters", {.remote = true, .bearer = "bearer x"}, 403, "tls_required"},
    {"insecure ticket", {.name = "app", .remote = true, .ticket = "x.y"}, 403, "tls_required"},
    {"bad ticket", {.name = "app", .ticket = "x.y"}, 403, "bad_ticket"},
    {"empty ticket", {.name = "app", .ticket = ""}, 403, "bad_ticket"},
    {"bad ticket, random name", {.ticket = "x.y"}, 403, "bad_ticket"},
};

/* O13, O15 */
static void test_refusals(void **state)
{
    struct fixture *x = *state;
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        struct reply r = ask(x, &refusals[i].request);
        if (r.status != refusals[i].status || strcmp(text_of(&r, "error"), refusals[i].error) != 0)
            fail_msg("%s: %d %s", refusals[i].what, r.status, text_of(&r, "error"));
        assert_true(strlen(text_of(&r, "message")) > 10);
        cJSON_Delete(r.json);
    }
    assert_int_equal(directory_counts(x->server.directory).names, 0);
}

/* There are no access tokens yet: a secure call may carry one, which is ignored. */
static void test_token_ignored(void **state)
{
    struct fixture *x = *state;
    struct reply r = ask(x, &(struct request){.name = "app", .bearer = "Bearer x"});
    assert_int_equal(r.status, 200);
    cJSON_Delete(r.json);
    r = ask(x, &(struct request){.name = "app2", .remote = true, .bearer = "Basic eDp5"});
    assert_int_equal(r.status, 200);
    cJSON_Delete(r.json);
}

static void test_draining(void **state)
{
    struct fixture *x = *state;
    x->server.draining = true;
    struct reply r = ask(x, &(struct request){.name = "app"});
    assert_int_equal(r.status, 503);
    assert_string_equal(text_of(&r, "error"), "draining");
    cJSON_Delete(r.json);
}

/* ---- names that others hold */

/* O1, O16 */
static void test_taken(void **state)
{
    struct fixture *x = *state;
    struct reply first = ask(x, &(struct request){.name = "app"});
    struct reply exact = ask(x, &(struct request){.name = "app", .exact = " ?1 "});
    assert_int_equal(exact.status, 409);
    assert_string_equal(text_of(&exact, "error"), "name_taken");
    assert_in_range(number_of(exact.json, "retry_after"), 58, 61);
    find(x, "app")->state = TUNNEL_LIVE;
    struct reply live = ask(x, &(struct request){.name = "app", .exact = "?1"});
    assert_int_equal(live.status, 409);
    assert_in_range(number_of(live.json, "retry_after"), 600, 601);
    find(x, "app")->state = TUNNEL_PENDING;
    struct reply other = ask(x, &(struct request){.name = "app", .exact = "?0"});
    assert_int_equal(other.status, 200);
    assert_string_not_equal(text_of(&other, "id"), "app");
    assert_false(find(x, text_of(&other, "id"))->asked);
    struct ticket mine = ticket_of(x, &first), theirs = ticket_of(x, &other);
    assert_memory_not_equal(mine.owner, theirs.owner, OWNER_LEN);
    cJSON_Delete(first.json);
    cJSON_Delete(exact.json);
    cJSON_Delete(live.json);
    cJSON_Delete(other.json);
}

/* ---- tickets */

/* O18 */
static void test_renewal(void **state)
{
    struct fixture *x = *state;
    struct reply first = ask(x, &(struct request){.name = "app", .exact = "?1"});
    struct ticket old = ticket_of(x, &first), renewed;
    char text[TICKET_MAX];
    old.since -= 1000;
    old.exp -= 1000;
    sign(x, DOMAIN, &old, text);
    struct reply again = ask(x, &(struct request){.name = "APP", .exact = "?1", .ticket = text});
    assert_int_equal(again.status, 200);
    renewed = ticket_of(x, &again);
    assert_memory_equal(renewed.owner, old.owner, OWNER_LEN);
    assert_int_equal(renewed.since, old.since);
    assert_true(renewed.exp > old.exp + 900);
    cJSON_Delete(first.json);
    cJSON_Delete(again.json);
}

/* O18: a random name stays random when it is renewed, by its name or by the ticket alone. */
static void test_renewal_of_random(void **state)
{
    struct fixture *x = *state;
    struct reply first = ask(x, &(struct request){.name = ""});
    const char *name = text_of(&first, "id"), *ticket = text_of(&first, "ticket");
    struct reply by_name = ask(x, &(struct request){.name = name, .ticket = ticket});
    struct reply alone = ask(x, &(struct request){.name = "", .ticket = ticket});
    assert_string_equal(text_of(&by_name, "id"), name);
    assert_string_equal(text_of(&alone, "id"), name);
    assert_false(find(x, name)->asked);
    cJSON_Delete(first.json);
    cJSON_Delete(by_name.json);
    cJSON_Delete(alone.json);
}

/* O15 */
static void test_ticket_of_another(void **state)
{
    struct fixture *x = *state;
    struct reply first = ask(x, &(struct request){.name = "app"});
    struct ticket t = ticket_of(x, &first);
    char elsewhere[TICKET_MAX];
    struct reply r = ask(x, &(struct request){.name = "app2", .ticket = text_of(&first, "ticket")});
    assert_int_equal(r.status, 403);
    assert_string_equal(text_of(&r, "error"), "bad_ticket");
    cJSON_Delete(r.json);
    sign(x, "example.org", &t, elsewhere);
    r = ask(x, &(struct request){.name = "app", .ticket = elsewhere});
    assert_int_equal(r.status, 403);
    cJSON_Delete(r.json);
    cJSON_Delete(first.json);
}

/* O2, O6: a ticket gives no right to a name that another owner holds. When nobody holds the name
 * (after a restart, or on a second node) the ticket is enough to get it. */
static void test_ticket_without_hold(void **state)
{
    struct fixture *x = *state;
    struct ticket t = {
        .name = "app", .owner = "somebody-else..", .since = 5, .exp = clock_wall_s() + 100};
    char text[TICKET_MAX];
    sign(x, DOMAIN, &t, text);
    struct reply r = ask(x, &(struct request){.name = "app", .exact = "?1", .ticket = text});
    assert_int_equal(r.status, 200);
    assert_memory_equal(find(x, "app")->owner_id, t.owner, OWNER_LEN);
    assert_int_equal(ticket_of(x, &r).since, 5);
    cJSON_Delete(r.json);
    memcpy(t.owner, "and-another-one", 16);
    sign(x, DOMAIN, &t, text);
    r = ask(x, &(struct request){.name = "app", .exact = "?1", .ticket = text});
    assert_int_equal(r.status, 409);
    cJSON_Delete(r.json);
    r = ask(x, &(struct request){.name = "app", .ticket = text});
    assert_int_equal(r.status, 200);
    assert_string_not_equal(text_of(&r, "id"), "app");
    cJSON_Delete(r.json);
}

/* O14 */
static void test_expired_ticket(void **state)
{
    struct fixture *x = *state;
    struct ticket t = {.name = "app", .owner = "the-owner.....", .since = 5, .exp = 10};
    struct tunnel *held;
    unsigned retry;
    char text[TICKET_MAX];
    sign(x, DOMAIN, &t, text);
    struct reply r = ask(x, &(struct request){.name = "app", .ticket = text});
    assert_int_equal(r.status, 403); /* nobody holds the name, so an expired ticket is bad */
    assert_string_equal(text_of(&r, "error"), "bad_ticket");
    cJSON_Delete(r.json);
    assert_int_equal(registry_claim(x->worker.registry, SLICE("app"), t.owner,
                                    &(struct claim){.asked = true}, &held, &retry),
                     0);
    r = ask(x, &(struct request){.name = "app", .ticket = text});
    assert_int_equal(r.status, 200);
    assert_memory_equal(ticket_of(x, &r).owner, t.owner, OWNER_LEN);
    assert_int_equal(ticket_of(x, &r).since, 5);
    cJSON_Delete(r.json);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_secure_answer),
        TEST(test_insecure_answer),
        TEST(test_random),
        TEST(test_urls),
        TEST(test_secure),
        TEST(test_refusals),
        TEST(test_token_ignored),
        TEST(test_draining),
        TEST(test_taken),
        TEST(test_renewal),
        TEST(test_renewal_of_random),
        TEST(test_ticket_of_another),
        TEST(test_ticket_without_hold),
        TEST(test_expired_ticket),
    };
    return cmocka_run_group_tests_name("register", tests, NULL, NULL);
}
