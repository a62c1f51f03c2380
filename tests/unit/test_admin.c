/* SPDX-License-Identifier: MIT */
/* test_admin.c - tests that status, landing page and health show the state of the server. admin.h
 */
#include "register_world.h"

static cJSON *admin_json(const struct answer *a)
{
    cJSON *json = cJSON_ParseWithLength(buf_slice(&a->body).ptr, buf_len(&a->body));
    assert_non_null(json);
    return json;
}

static void test_status(void **state)
{
    struct fixture *x = *state;
    struct answer a;
    struct reply r = ask(x, &(struct request){.name = "app"});
    cJSON_Delete(r.json);
    stat_add(&x->worker.stats.requests, 7);
    x->server.workers = (struct worker *[]){&x->worker};
    x->server.n_workers = 1;
    x->server.started_us = clock_now_us() - 5000000;
    admin_status(&x->worker, &a);
    cJSON *json = admin_json(&a);
    assert_int_equal(a.head.status, 200);
    assert_int_equal(number_of(json, "tunnels"), 1);
    assert_int_equal(number_of(json, "live"), 0);
    assert_int_equal(number_of(json, "links"), 0);
    assert_int_equal(number_of(json, "requests"), 7);
    assert_int_equal(number_of(json, "uptime_s"), 5);
    cJSON_Delete(json);
    answer_deinit(&a);
}

static void test_tunnel_status(void **state)
{
    struct fixture *x = *state;
    struct answer a;
    struct reply r = ask(x, &(struct request){.name = "app"});
    cJSON_Delete(r.json);
    admin_tunnel_status(&x->worker, SLICE("APP"), &a);
    cJSON *json = admin_json(&a);
    assert_int_equal(a.head.status, 200);
    assert_int_equal(number_of(json, "connected_sockets"), 0);
    assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(json, "state")), "pending");
    cJSON_Delete(json);
    answer_deinit(&a);
    admin_tunnel_status(&x->worker, SLICE("nobody"), &a);
    assert_int_equal(a.head.status, 404);
    answer_deinit(&a);
}

static void test_landing(void **state)
{
    static const struct {
        const char *name, *authority, *public, *want;
        bool https;
    } rows[] = {
        {"O144 TLS at its port", DOMAIN, NULL, "--host " DOMAIN " 3000", true},
        {"another port", DOMAIN ":8443", NULL, "--host " DOMAIN ":8443 3000", true},
        {"a front end has TLS", DOMAIN ":8080", NULL, "--host " DOMAIN " 3000", false},
        {"--public-url", DOMAIN, "https://" DOMAIN ":444", "--host " DOMAIN ":444 3000", false},
        {"the name is the domain", "127.0.0.1:8443", NULL, "--host " DOMAIN ":8443 3000", true},
    };
    struct fixture *x = *state;
    struct answer a;
    struct message m;
    struct viewer viewer = {.https = false};
    struct call c = {.m = &m, .viewer = &viewer};
    message_init(&m);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        m.authority = slice_str(rows[i].authority);
        viewer.https = rows[i].https;
        x->config.urls.public = rows[i].public;
        admin_landing(&x->worker, &c, &a);
        assert_int_equal(a.head.status, 200);
        if (!memmem(a.body.ptr, buf_len(&a.body), rows[i].want, strlen(rows[i].want)))
            fail_msg("%s: %.*s", rows[i].name, SLICE_FMT(buf_slice(&a.body)));
        answer_deinit(&a);
    }
    message_deinit(&m);
    x->config.urls.landing = "https://about.example.com/";
    admin_landing(&x->worker, &c, &a);
    assert_int_equal(a.head.status, 302);
    assert_true(slice_eq(fields_value(&a.head.fields, SLICE("location")),
                         SLICE("https://about.example.com/")));
    answer_deinit(&a);
}

static void test_health(void **state)
{
    struct fixture *x = *state;
    struct answer a;
    admin_health(&x->worker, &a);
    assert_int_equal(a.head.status, 200);
    assert_true(slice_eq(buf_slice(&a.body), SLICE("{\"status\":\"ok\"}")));
    answer_deinit(&a);
    x->server.draining = true;
    admin_health(&x->worker, &a);
    assert_int_equal(a.head.status, 503);
    answer_deinit(&a);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_status),
        TEST(test_tunnel_status),
        TEST(test_landing),
        TEST(test_health),
    };
    return cmocka_run_group_tests_name("admin", tests, NULL, NULL);
}
