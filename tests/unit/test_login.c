/* SPDX-License-Identifier: MIT */
/* test_login.c - tests the gate: what viewers show, the cookie, and pages of other sites: rules P21
 * to P25, P44, P45, P47 and P48. */
#include "src/policies/login.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/evp.h>

#include "h2mux/base/alloc.h"
#include "src/names/keyring.h"
#include "src/names/state.h"

#define COUNT(rows) (sizeof rows / sizeof((rows)[0]))
#define SECOND UINT64_C(1000000)

enum { NOW = 1000000 };

/* Of "secret", made by crypt of Python. */
#define BCRYPT "$2b$04$7S9lZvVfWGbLJ1y9oE8pPuk4moUe/47zv/d4b.ZUYofdL15Nu5mYG"
#define YESCRYPT "$y$j5T$F5Jx5fExrKuPp53xLKQ..1$zm0L8O66rxHYJo0AzQsQPRAQUMf.w3ObDahKT8eLWYD"
#define ANN "Basic YW5uOnNlY3JldA=="
#define WRONG "Basic YW5uOndyb25n"
#define NOBODY "Basic Ym9iOnNlY3JldA=="

static const struct {
    const char *value, *user, *password; /* NULL: refused */
} shown[] = {
    {ANN, "ann", "secret"},
    {"basic  YW5uOnNlY3JldA==", "ann", "secret"},
    {"Basic YW5uOmE6Yg==", "ann", "a:b"},
    {"Basic YW5uOg==", "ann", ""},
    {"Basic OnNlY3JldA==", NULL, NULL},
    {"Basic YW5u", NULL, NULL},
    {"Basic YW5uOnNlY3JldA", NULL, NULL},
    {"Basic YW5uOgBh", NULL, NULL}, /* a NUL */
    {"Basic *", NULL, NULL},
    {"Basic", NULL, NULL},
    {"Basic ", NULL, NULL},
    {"Bearer YW5uOnNlY3JldA==", NULL, NULL},
    {"", NULL, NULL},
};

/* P21 */
static void test_basic(void **state)
{
    struct basic b;
    char *longest = xmalloc(10000);
    for (size_t i = 0; i < COUNT(shown); i++) {
        bool good = basic_parse(slice_str(shown[i].value), &b);
        if (good != !!shown[i].user || (good && (strcmp(b.user, shown[i].user) != 0 ||
                                                 strcmp(b.password, shown[i].password) != 0)))
            fail_msg("%s", shown[i].value);
    }
    memset(longest, 'A', 9999);
    memcpy(longest, "Basic ", 6);
    longest[9999] = '\0';
    assert_false(basic_parse(slice_str(longest), &b));
    longest[6 + 400] = '\0';
    assert_false(basic_parse(slice_str(longest), &b));
    free(longest);
}

static const struct {
    const char *hash;
    bool good;
} hashes[] = {
    {BCRYPT, true},
    {YESCRYPT, true},
    {"$2y$12$7S9lZvVfWGbLJ1y9oE8pPuHtY9GmEJYcB3q6BoeQ0v3LxZ2RAxtWW", true},
    {"$2y$13$7S9lZvVfWGbLJ1y9oE8pPuHtY9GmEJYcB3q6BoeQ0v3LxZ2RAxtWW", false},
    {"$2y$99$7S9lZvVfWGbLJ1y9oE8pPuHtY9GmEJYcB3q6BoeQ0v3LxZ2RAxtWW", false},
    {"$2x$04$7S9lZvVfWGbLJ1y9oE8pPuHtY9GmEJYcB3q6BoeQ0v3LxZ2RAxtWW", false},
    {"$2y$04$short", false},
    {"$y$j9T$F5Jx5fExrKuPp53xLKQ..1$X3DX6M94c7o.9agCG9G317fhZg9SqC.5i5rd.RhAtQ7", true},
    {"$y$jAT$F5Jx5fExrKuPp53xLKQ..1$X3DX6M94c7o.9agCG9G317fhZg9SqC.5i5rd.RhAtQ7", false},
    {"$y$j9U$F5Jx5fExrKuPp53xLKQ..1$X3DX6M94c7o.9agCG9G317fhZg9SqC.5i5rd.RhAtQ7", false},
    {"$6$abc$def", false},
    {"$1$abc$def", false},
    {"secret", false},
    {"", false},
};

/* P24: no hash may cost this server more than it takes on. */
static void test_hashes(void **state)
{
    for (size_t i = 0; i < COUNT(hashes); i++)
        if (password_hash_valid(slice_str(hashes[i].hash)) != hashes[i].good)
            fail_msg("%s", hashes[i].hash);
}

/* P24 */
static void test_passwords(void **state)
{
    static const char *const made[] = {BCRYPT, YESCRYPT};
    for (size_t i = 0; i < COUNT(made); i++) {
        assert_true(password_check("secret", made[i]));
        assert_false(password_check("Secret", made[i]));
        assert_false(password_check("", made[i]));
    }
}

struct world {
    char dir[64];
    struct keyring *keyring;
    struct policy *policy;
    struct login *login;
    uint8_t owner[OWNER_LEN];
};

static struct policy *read_policy(const char *text)
{
    struct policy *p;
    const char *why = "";
    if (policy_parse(slice_str(text), &p, &why) < 0)
        fail_msg("%s %s", text, why);
    return p;
}

#define USERS "\"users\":[[\"ann\",\"" BCRYPT "\"]]"

static void world_open(struct world *w, const char *policy)
{
    char reason[200] = "";
    *w = (struct world){.owner = {7}};
    snprintf(w->dir, sizeof w->dir, "/tmp/test_login.XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    w->keyring = keyring_open(w->dir, reason, sizeof reason);
    assert_non_null(w->keyring);
    w->policy = read_policy(policy);
    w->login = login_new();
}

static void world_close(struct world *w)
{
    char command[128];
    login_free(w->login);
    policy_drop(w->policy);
    keyring_free(w->keyring);
    snprintf(command, sizeof command, "rm -rf %s", w->dir);
    assert_int_equal(system(command), 0);
}

static struct pass_place place(struct world *w, bool https)
{
    return (struct pass_place){w->keyring, "my-app", w->owner,
                               w->policy,  https,    login_memo(w->login)};
}

/* A request, by what a browser or a program says. */
struct ask {
    const char *method, *path, *authorization, *cookie, *origin, *site, *mode;
    bool websocket, preflight, http;
};

static enum login_verdict judge(struct world *w, const struct ask *a, struct login_look *look,
                                struct message *m)
{
    struct viewer v = {.address = "192.0.2.1", .https = !a->http};
    struct pass_place at = place(w, !a->http);
    message_init(m);
    m->method = slice_str(a->method ? a->method : "GET");
    m->path = slice_str(a->path ? a->path : "/");
    m->authority = SLICE("my-app.example.com");
    const struct {
        const char *name, *value;
    } all[] = {{"authorization", a->authorization},
               {"cookie", a->cookie},
               {"origin", a->origin},
               {"sec-fetch-site", a->site},
               {"sec-fetch-mode", a->mode},
               {"access-control-request-method", a->preflight ? "PUT" : NULL}};
    for (size_t i = 0; i < COUNT(all); i++)
        if (all[i].value)
            fields_add_copy(&m->fields, slice_str(all[i].name), slice_str(all[i].value));
    return login_judge(w->login, &at, m, a->websocket, &v, 5 * SECOND, NOW, look);
}

static enum login_verdict verdict(struct world *w, const struct ask *a)
{
    struct login_look look;
    struct message m;
    enum login_verdict v = judge(w, a, &look, &m);
    message_deinit(&m);
    return v;
}

/* Checks what @look says, with this result. */
static void note(struct world *w, const struct login_look *look, const struct viewer *v,
                 enum login_result result)
{
    struct login_check c = {.tag = {0}};
    assert_null(look->same);
    login_begin(w->login, look, &c);
    login_end(w->login, &c, v, result, 5 * SECOND);
}

/* Signs in, and returns the cookie in @cookie. */
static void sign_in(struct world *w, char cookie[static 200])
{
    struct login_look look;
    struct message m;
    char pass[PASS_MAX];
    struct pass_place at = place(w, true);
    struct viewer v = {.address = "192.0.2.1"};
    assert_int_equal(judge(w, &(struct ask){.authorization = ANN}, &look, &m), LOGIN_CHECK);
    assert_true(look.known && look.fresh);
    assert_string_equal(look.shown.password, "secret");
    assert_null(fields_find(&m.fields, SLICE("authorization")));
    message_deinit(&m);
    note(w, &look, &v, LOGIN_GOOD);
    assert_int_equal(pass_make(&at, look.tag, NOW + PASS_LIFE_S, pass), 0);
    snprintf(cookie, 200, "a=1; __Host-oneport=%s; b=2", pass);
}

/* P21, P22: the cookie lets in, and neither it nor what the gate has consumed goes on. */
static void test_cookie(void **state)
{
    struct world w;
    char cookie[200];
    struct login_look look;
    struct message m;
    world_open(&w, "{" USERS "}");
    sign_in(&w, cookie);
    assert_int_equal(
        judge(&w, &(struct ask){.cookie = cookie, .authorization = "Bearer app"}, &look, &m),
        LOGIN_OPEN);
    assert_false(look.fresh);
    assert_true(slice_eq(fields_value(&m.fields, SLICE("cookie")), SLICE("a=1; b=2")));
    assert_true(slice_eq(fields_value(&m.fields, SLICE("authorization")), SLICE("Bearer app")));
    message_deinit(&m);
    assert_int_equal(judge(&w, &(struct ask){.cookie = cookie, .authorization = ANN}, &look, &m),
                     LOGIN_OPEN);
    assert_null(fields_find(&m.fields, SLICE("authorization")));
    message_deinit(&m);
    /* Without the cookie the password is remembered. */
    assert_int_equal(judge(&w, &(struct ask){.authorization = ANN}, &look, &m), LOGIN_OPEN);
    assert_true(look.fresh);
    message_deinit(&m);
    world_close(&w);
}

/* P22: what is remembered of a pass ends with it, and is of this text alone. */
static void test_memo(void **state)
{
    struct world w;
    char pass[PASS_MAX];
    uint8_t tag[PASS_TAG_LEN] = {1}, got[PASS_TAG_LEN];
    world_open(&w, "{" USERS "}");
    struct pass_place at = place(&w, true);
    assert_int_equal(pass_make(&at, tag, NOW + 10, pass), 0);
    for (int i = 0; i < 2; i++) {
        assert_true(pass_verify(&at, slice_str(pass), NOW, got));
        assert_memory_equal(got, tag, sizeof tag);
    }
    assert_true(memo_find(at.memo, 'p', slice_str(pass), NOW + 9, got));
    assert_false(memo_find(at.memo, 'c', slice_str(pass), NOW, got));
    assert_false(memo_find(at.memo, 'p', slice_make(pass, strlen(pass) - 1), NOW, got));
    assert_false(pass_verify(&at, slice_str(pass), NOW + 10, got));
    assert_int_equal(pass_make(&at, tag, NOW + 1000, pass), 0);
    assert_true(pass_verify(&at, slice_str(pass), NOW, got));
    assert_false(memo_find(at.memo, 'p', slice_str(pass), NOW + MEMO_LIFE_S, got));
    assert_true(pass_verify(&at, slice_str(pass), NOW + MEMO_LIFE_S, got));
    world_close(&w);
}

/* P22: each byte counts, and the place and the time. */
static void test_bad_cookies(void **state)
{
    struct world w;
    char cookie[200], pass[PASS_MAX];
    uint8_t tag[PASS_TAG_LEN] = {1}, got[PASS_TAG_LEN];
    world_open(&w, "{" USERS "}");
    struct pass_place at = place(&w, true), other;
    at.memo = NULL;
    assert_int_equal(pass_make(&at, tag, NOW + PASS_LIFE_S, pass), 0);
    struct slice text = slice_str(pass);
    assert_true(pass_verify(&at, text, NOW, got));
    assert_memory_equal(got, tag, sizeof tag);
    assert_true(pass_verify(&at, text, NOW + PASS_LIFE_S - 1, got));
    assert_false(pass_verify(&at, text, NOW + PASS_LIFE_S, got));
    for (size_t i = 0; i < text.len; i++) {
        char was = pass[i];
        pass[i] = was == 'A' ? 'B' : 'A';
        assert_false(pass_verify(&at, text, NOW, got));
        pass[i] = was;
        assert_false(pass_verify(&at, slice_make(pass, i), NOW, got));
    }
    struct policy *p = read_policy("{\"rate\":1," USERS "}");
    uint8_t owner[OWNER_LEN] = {8};
    other = at, other.policy = p;
    assert_false(pass_verify(&other, text, NOW, got));
    other = at, other.owner = owner;
    assert_false(pass_verify(&other, text, NOW, got));
    other = at, other.name = "my-ap";
    assert_false(pass_verify(&other, text, NOW, got));
    policy_drop(p);
    snprintf(cookie, sizeof cookie, "oneport=%s", pass); /* that of plain http */
    assert_int_equal(verdict(&w, &(struct ask){.cookie = cookie}), LOGIN_WANTED);
    assert_int_equal(verdict(&w, &(struct ask){.cookie = cookie, .http = true}), LOGIN_OPEN);
    assert_int_equal(verdict(&w, &(struct ask){.cookie = "__Host-oneport="}), LOGIN_WANTED);
    world_close(&w);
}

#define OWN "https://my-app.example.com"
#define OTHER "https://evil.example.com"

static const struct {
    const char *name;
    struct ask ask; /* the cookie is good */
    enum login_verdict want, cors;
} sites[] = {
    {"a link", {.site = "cross-site", .mode = "navigate"}, LOGIN_OPEN, LOGIN_OPEN},
    {"typed", {.site = "none", .mode = "navigate"}, LOGIN_OPEN, LOGIN_OPEN},
    {"its own fetch", {.site = "same-origin", .mode = "cors"}, LOGIN_OPEN, LOGIN_OPEN},
    {"a picture of a tenant", {.site = "same-site", .mode = "no-cors"}, LOGIN_FOREIGN, LOGIN_OPEN},
    {"a fetch of a tenant",
     {.site = "same-site", .mode = "cors", .origin = OTHER},
     LOGIN_FOREIGN,
     LOGIN_OPEN},
    {"an old browser's fetch", {.origin = OTHER}, LOGIN_FOREIGN, LOGIN_OPEN},
    {"a form", {.method = "POST", .origin = OWN}, LOGIN_OPEN, LOGIN_OPEN},
    {"a tenant's form", {.method = "POST", .origin = OTHER}, LOGIN_FOREIGN, LOGIN_OPEN},
    {"a form of nobody", {.method = "POST", .origin = "null"}, LOGIN_FOREIGN, LOGIN_OPEN},
    {"a form of its own with no-referrer",
     {.method = "POST", .origin = "null", .site = "same-origin", .mode = "navigate"},
     LOGIN_OPEN,
     LOGIN_OPEN},
    {"a sandboxed form of a tenant",
     {.method = "POST", .origin = "null", .site = "cross-site", .mode = "navigate"},
     LOGIN_FOREIGN,
     LOGIN_OPEN},
    {"a form that nobody sent",
     {.method = "POST", .origin = "null", .site = "none"},
     LOGIN_FOREIGN,
     LOGIN_OPEN},
    {"what two fields say",
     {.method = "POST", .origin = OTHER, .site = "same-origin"},
     LOGIN_FOREIGN,
     LOGIN_OPEN},
    {"another port", {.method = "POST", .origin = OWN ":8443"}, LOGIN_FOREIGN, LOGIN_OPEN},
    {"a longer name", {.method = "POST", .origin = OWN ".evil"}, LOGIN_FOREIGN, LOGIN_OPEN},
    {"a tenant's navigation by POST",
     {.method = "POST", .site = "same-site", .mode = "navigate"},
     LOGIN_FOREIGN,
     LOGIN_OPEN},
    {"curl", {.method = "DELETE"}, LOGIN_OPEN, LOGIN_OPEN},
    {"a WebSocket", {.websocket = true, .origin = OWN}, LOGIN_OPEN, LOGIN_OPEN},
    {"a tenant's WebSocket", {.websocket = true, .origin = OTHER}, LOGIN_FOREIGN, LOGIN_OPEN},
    {"a program's WebSocket", {.websocket = true}, LOGIN_OPEN, LOGIN_OPEN},
};

/* P23, P47 */
static void test_sites(void **state)
{
    struct world plain, cors;
    char cookie[200], of_cors[200];
    world_open(&plain, "{" USERS "}");
    world_open(&cors, "{\"cors\":true," USERS "}");
    sign_in(&plain, cookie);
    sign_in(&cors, of_cors);
    for (size_t i = 0; i < COUNT(sites); i++) {
        struct ask a = sites[i].ask;
        a.cookie = cookie;
        if (verdict(&plain, &a) != sites[i].want)
            fail_msg("%s", sites[i].name);
        a.cookie = of_cors;
        if (verdict(&cors, &a) != sites[i].cors)
            fail_msg("%s with cors", sites[i].name);
        a.cookie = NULL;
        a.authorization = ANN; /* remembered: the same holds */
        if (verdict(&plain, &a) != sites[i].want)
            fail_msg("%s by Basic", sites[i].name);
    }
    struct ask preflight = {.method = "OPTIONS", .origin = OTHER, .preflight = true};
    assert_int_equal(verdict(&plain, &preflight), LOGIN_WANTED);
    assert_int_equal(verdict(&cors, &preflight), LOGIN_OPEN);
    world_close(&plain);
    world_close(&cors);
}

static const struct {
    const char *path;
    bool open;
} paths[] = {
    {"/healthz", true},
    {"/healthz?x=/../y", true},
    {"/healthz/", false},
    {"/healthzz", false},
    {"/assets/a.css", true},
    {"/assets/", true},
    {"/assets", false},
    {"/assets/../admin", false},
    {"/assets/%2e%2e/admin", false},
    {"/assets//admin", false},
    {"/assets/.git", false},
    {"/assets/a\\..\\b", false},
    {"/assets/a;b", false},
    {"*", false},
    {"/", false},
};

/* P25 */
static void test_paths(void **state)
{
    struct world w;
    world_open(&w, "{\"public\":[\"/healthz\",\"/assets/\"]," USERS "}");
    for (size_t i = 0; i < COUNT(paths); i++)
        if ((verdict(&w, &(struct ask){.path = paths[i].path}) == LOGIN_OPEN) != paths[i].open)
            fail_msg("%s", paths[i].path);
    world_close(&w);
}

/* P24: 20 wrong ones at once, then one a minute; for a user who does not exist, too. */
static void test_tries(void **state)
{
    struct world w;
    struct login_look look;
    struct message m;
    struct viewer ann = {.address = "192.0.2.1"}, bob = {.address = "192.0.2.2"};
    world_open(&w, "{" USERS "}");
    for (int i = 0; i < 20; i++) {
        const struct ask a = {.authorization = i % 2 ? WRONG : NOBODY};
        assert_int_equal(judge(&w, &a, &look, &m), LOGIN_CHECK);
        assert_int_equal(look.known, i % 2);
        assert_string_equal(look.hash, BCRYPT);
        message_deinit(&m);
        note(&w, &look, &ann, LOGIN_WRONG);
    }
    assert_int_equal(verdict(&w, &(struct ask){.authorization = ANN}), LOGIN_TOO_OFTEN);
    note(&w, &look, &bob, LOGIN_WRONG);
    assert_int_equal(verdict(&w, &(struct ask){.authorization = ANN}), LOGIN_TOO_OFTEN);
    world_close(&w);
}

/* P44: a try is paid before the check, and comes back if the password was good or was not checked.
 * The same credential is checked once at a time. */
static void test_tries_at_once(void **state)
{
    struct world w;
    struct login_look look, other;
    struct login_check checks[20] = {{.tag = {0}}};
    struct message m;
    struct viewer ann = {.address = "192.0.2.1"};
    char text[64], said[100];
    world_open(&w, "{" USERS "}");
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 20; i++) {
            int len = snprintf(text, sizeof text, "ann:%d", i);
            int at = snprintf(said, sizeof said, "Basic ");
            EVP_EncodeBlock((unsigned char *)said + at, (unsigned char *)text, len);
            const struct ask a = {.authorization = said};
            assert_int_equal(judge(&w, &a, &look, &m), LOGIN_CHECK);
            message_deinit(&m);
            assert_null(look.same);
            login_begin(w.login, &look, &checks[i]);
            assert_int_equal(judge(&w, &a, &other, &m), LOGIN_CHECK);
            message_deinit(&m);
            assert_ptr_equal(other.same, &checks[i]);
        }
        assert_int_equal(verdict(&w, &(struct ask){.authorization = WRONG}), LOGIN_TOO_OFTEN);
        /* A page of another site costs its victim no try. */
        assert_int_equal(verdict(&w, &(struct ask){.authorization = WRONG,
                                                   .method = "POST",
                                                   .origin = "https://evil.example.com"}),
                         LOGIN_FOREIGN);
        for (int i = 0; i < 20; i++)
            login_end(w.login, &checks[i], &ann, LOGIN_UNCHECKED, 5 * SECOND);
    }
    assert_int_equal(judge(&w, &(struct ask){.authorization = ANN}, &look, &m), LOGIN_CHECK);
    message_deinit(&m);
    note(&w, &look, &ann, LOGIN_GOOD);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(judge(&w, &(struct ask){.authorization = WRONG}, &look, &m), LOGIN_CHECK);
        message_deinit(&m);
        note(&w, &look, &ann, LOGIN_WRONG);
    }
    assert_int_equal(verdict(&w, &(struct ask){.authorization = WRONG}), LOGIN_TOO_OFTEN);
    world_close(&w);
}

/* P48: tries and passes take no memory when they are old. */
static void test_memory(void **state)
{
    struct world w;
    char cookie[200];
    world_open(&w, "{" USERS "}");
    assert_int_equal(login_bytes(w.login), 0);
    sign_in(&w, cookie);
    assert_int_equal(verdict(&w, &(struct ask){.cookie = cookie}), LOGIN_OPEN);
    assert_in_range(login_bytes(w.login), 1, 20 * 1024);
    login_tidy(w.login, 5 * SECOND, NOW + MEMO_LIFE_S - 1);
    assert_in_range(login_bytes(w.login), 1, 20 * 1024);
    login_tidy(w.login, 5000 * SECOND, NOW + MEMO_LIFE_S);
    assert_int_equal(login_bytes(w.login), 0);
    assert_int_equal(verdict(&w, &(struct ask){.cookie = cookie}), LOGIN_OPEN);
    world_close(&w);
}

/* P45: what is remembered is the name and the password, not the text. */
static void test_spellings(void **state)
{
    static const char low[] = "basic YW5uOnNlY3JldA==", wide[] = "Basic   YW5uOnNlY3JldA== ";
    static const char *const same[] = {ANN, low, wide};
    struct world w;
    char cookie[200];
    world_open(&w, "{" USERS "}");
    sign_in(&w, cookie);
    for (size_t i = 0; i < COUNT(same); i++) {
        struct login_look look;
        struct message m;
        struct ask a = {.authorization = same[i]};
        assert_int_equal(verdict(&w, &a), LOGIN_OPEN);
        a.cookie = cookie;
        assert_int_equal(judge(&w, &a, &look, &m), LOGIN_OPEN);
        assert_null(fields_find(&m.fields, SLICE("authorization")));
        message_deinit(&m);
    }
    world_close(&w);
}

/* P22: an origin does not set the gate's cookie. */
static void test_response(void **state)
{
    struct fields f;
    fields_init(&f);
    fields_add(&f, SLICE("Set-Cookie"), SLICE("__Host-oneport=x; Path=/"));
    fields_add(&f, SLICE("set-cookie"), SLICE(" oneport = x"));
    fields_add(&f, SLICE("set-cookie"), SLICE("__host-ONEPORT=x"));
    fields_add(&f, SLICE("set-cookie"), SLICE("app=oneport"));
    pass_guard_response(&f);
    assert_int_equal(f.count, 1);
    pass_set(&f, true, "1.a.b");
    assert_true(slice_eq(f.v[1].value, SLICE("__Host-oneport=1.a.b; Path=/; Max-Age=43200; Secure; "
                                             "HttpOnly; SameSite=Lax")));
    fields_deinit(&f);
}

/* P27: no cache in front keeps what is behind the gate. */
static void test_caches(void **state)
{
    static const struct {
        const char *said;
        size_t fields;
    } table[] = {{NULL, 1},
                 {"public, max-age=60", 2},
                 {"max-age=60, private", 1},
                 {"no-store", 1},
                 {"no-cache", 2}};
    for (size_t i = 0; i < COUNT(table); i++) {
        struct fields f;
        fields_init(&f);
        if (table[i].said)
            fields_add(&f, SLICE("Cache-Control"), slice_str(table[i].said));
        pass_keep_private(&f);
        assert_int_equal(f.count, table[i].fields);
        fields_deinit(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_basic),         cmocka_unit_test(test_hashes),
        cmocka_unit_test(test_passwords),     cmocka_unit_test(test_cookie),
        cmocka_unit_test(test_bad_cookies),   cmocka_unit_test(test_sites),
        cmocka_unit_test(test_paths),         cmocka_unit_test(test_tries),
        cmocka_unit_test(test_memo),          cmocka_unit_test(test_caches),
        cmocka_unit_test(test_tries_at_once), cmocka_unit_test(test_spellings),
        cmocka_unit_test(test_memory),        cmocka_unit_test(test_response),
    };
    return cmocka_run_group_tests_name("login", tests, NULL, NULL);
}
