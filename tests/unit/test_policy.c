/* SPDX-License-Identifier: MIT */
/* test_policy.c - tests what is a policy, its one spelling, and what it says: rules P1, P10 to P13.
 */
#include "src/policies/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "src/policies/policies.h"

#define COUNT(rows) (sizeof rows / sizeof((rows)[0]))

#define HASH "lCE9LFRx5eMNf0I5WrW7UsU4cZsOcl-O4EZvoFmITEw"
#define BCRYPT "$2b$04$7S9lZvVfWGbLJ1y9oE8pPuk4moUe/47zv/d4b.ZUYofdL15Nu5mYG"

static struct policy *read_policy(const char *text)
{
    struct policy *p;
    const char *why = "";
    if (policy_parse(slice_str(text), &p, &why) < 0)
        fail_msg("%s %s", text, why);
    return p;
}

static const struct {
    const char *name, *in, *out; /* NULL: refused */
} spellings[] = {
    {"P1 nothing", "{}", ""},
    {"P1 blanks", " { } ", NULL},
    {"P1 one member", "{\"rate\":5}", "{\"rate\":5}"},
    {"P1 blanks inside", "{ \"rate\" :  5.0 }", "{\"rate\":5}"},
    {"P1 in order of names",
     "{\"viewers\":2,\"until\":9,\"rate\":1,\"deny\":[\"::1\"],\"allow\":[\"10.0.0.0/8\"]}",
     "{\"allow\":[\"10.0.0.0/8\"],\"deny\":[\"::1\"],\"rate\":1,\"until\":9,\"viewers\":2}"},
    {"P1 networks sorted, masked, once",
     "{\"allow\":[\"192.0.2.9/24\",\"2001:DB8::0:1/32\",\"10.1.2.3/32\",\"192.0.2.0/24\"]}",
     "{\"allow\":[\"10.1.2.3\",\"192.0.2.0/24\",\"2001:db8::/32\"]}"},
    {"P1 fields in lower case", "{\"request_add\":[[\"X-A\",\"b \\\\ \\\"\"]]}",
     "{\"request_add\":[[\"x-a\",\"b\\u0020\\\\\\u0020\\\"\"]]}"},
    {"P1 removed", "{\"response_remove\":[\"Server\",\"X-B\"]}",
     "{\"response_remove\":[\"server\",\"x-b\"]}"},
    {"P1 unknown member", "{\"rate\":5,\"gate\":1}", NULL},
    {"P1 member twice", "{\"rate\":5,\"rate\":5}", NULL},
    {"P1 other case", "{\"Rate\":5}", NULL},
    {"P1 no object", "[]", NULL},
    {"P1 no JSON", "{\"rate\":5", NULL},
    {"P1 something behind", "{\"rate\":5}x", NULL},
    {"P1 empty", "", NULL},
    {"P1 no networks", "{\"allow\":[]}", NULL},
    {"P1 a network as text", "{\"allow\":\"10.0.0.0/8\"}", NULL},
    {"P1 no network", "{\"allow\":[\"10.0.0.0/33\"]}", NULL},
    {"P1 a name", "{\"deny\":[\"example.com\"]}", NULL},
    {"P1 a number as network", "{\"deny\":[10]}", NULL},
    {"P1 a mapped address", "{\"deny\":[\"::ffff:10.0.0.1\"]}", NULL},
    {"P26 a key", "{\"keys\":[[\"ann\",\"" HASH "\",8200,1]]}",
     "{\"keys\":[[\"ann\",\"" HASH "\",8200,1]]}"},
    {"P26 a short hash", "{\"keys\":[[\"ann\",\"AQ\",8200,1]]}", NULL},
    {"P26 no number of uses", "{\"keys\":[[\"ann\",\"" HASH "\",8200]]}", NULL},
    {"P26 a negative number", "{\"keys\":[[\"ann\",\"" HASH "\",8200,-1]]}", NULL},
    {"P26 no name", "{\"keys\":[[\"\",\"" HASH "\",8200,1]]}", NULL},
    {"P21 a user", "{\"users\":[[\"ann\",\"" BCRYPT "\"]],\"cors\":true,\"public\":[\"/a\"]}",
     "{\"cors\":true,\"public\":[\"/a\"],\"users\":[[\"ann\",\"" BCRYPT "\"]]}"},
    {"P21 a user twice", "{\"users\":[[\"ann\",\"" BCRYPT "\"],[\"ann\",\"" BCRYPT "\"]]}", NULL},
    {"P21 a colon", "{\"users\":[[\"a:b\",\"" BCRYPT "\"]]}", NULL},
    {"P24 a password", "{\"users\":[[\"ann\",\"secret\"]]}", NULL},
    {"P24 too much work",
     "{\"users\":[[\"ann\",\"$2b$20$7S9lZvVfWGbLJ1y9oE8pPuk4moUe/47zv/d4b.ZUYofdL15Nu5mYG\"]]}",
     NULL},
    {"P25 a path that is not plain",
     "{\"users\":[[\"ann\",\"" BCRYPT "\"]],\"public\":[\"/a/../b\"]}", NULL},
    {"P25 public without a gate", "{\"public\":[\"/a\"]}", NULL},
    {"P23 cors without a gate", "{\"cors\":true}", NULL},
    {"P23 cors that is false", "{\"users\":[[\"ann\",\"" BCRYPT "\"]],\"cors\":false}", NULL},
    {"P1 rate 0", "{\"rate\":0}", NULL},
    {"P1 negative rate", "{\"rate\":-1}", NULL},
    {"P1 part of a rate", "{\"rate\":1.5}", NULL},
    {"P1 rate as text", "{\"rate\":\"5\"}", NULL},
    {"P1 large rate", "{\"rate\":1e300}", NULL},
    {"P1 no time", "{\"until\":0}", NULL},
    {"P1 too many viewers", "{\"viewers\":1001}", NULL},
    {"P13 a field of ours", "{\"request_add\":[[\"X-Forwarded-For\",\"1\"]]}", NULL},
    {"P13 in another spelling", "{\"request_add\":[[\"X_Forwarded_For\",\"1\"]]}", NULL},
    {"P13 framing", "{\"response_remove\":[\"Content-Length\"]}", NULL},
    {"P13 Host", "{\"request_add\":[[\"host\",\"a\"]]}", NULL},
    {"P13 Connection", "{\"response_add\":[[\"connection\",\"x\"]]}", NULL},
    {"P13 a cookie", "{\"response_add\":[[\"set-cookie\",\"a=b\"]]}", NULL},
    {"P13 ours alone", "{\"response_add\":[[\"Oneport-Error\",\"tls_error\"]]}", NULL},
    {"P13 of WebSockets", "{\"request_remove\":[\"sec-websocket-key\"]}", NULL},
    {"P13 HSTS", "{\"response_remove\":[\"Strict-Transport-Security\"]}", NULL},
    {"P13 no name", "{\"request_add\":[[\"\",\"1\"]]}", NULL},
    {"P13 a line feed", "{\"request_add\":[[\"x-a\",\"1\\r\\nx-b: 2\"]]}", NULL},
    {"P13 three texts", "{\"request_add\":[[\"x-a\",\"1\",\"2\"]]}", NULL},
    {"P13 a value alone", "{\"request_add\":[\"x-a\"]}", NULL},
};

static void test_spelling(void **state)
{
    for (size_t i = 0; i < COUNT(spellings); i++) {
        struct policy *p = NULL, *again = NULL;
        const char *why = NULL;
        int err = policy_parse(slice_str(spellings[i].in), &p, &why);
        if ((err == 0) != !!spellings[i].out || (err == 0) == !!why)
            fail_msg("%s: %d %s", spellings[i].name, err, why ? why : "");
        if (err < 0)
            continue;
        struct slice text = policy_text(p);
        if (!slice_eq(text, slice_str(spellings[i].out)))
            fail_msg("%s: %.*s", spellings[i].name, SLICE_FMT(text));
        if (p) { /* the one spelling reads as itself */
            assert_int_equal(policy_parse(text, &again, &why), 0);
            assert_true(policy_is(again, policy_hash(p)));
            assert_true(!policy_is(NULL, policy_hash(p)));
        }
        policy_drop(p);
        policy_drop(again);
    }
}

static void test_length(void **state)
{
    char text[POLICY_MAX + 2];
    struct policy *p;
    const char *why;
    memset(text, ' ', sizeof text);
    memcpy(text, "{\"rate\":5", 9);
    text[POLICY_MAX - 1] = '}';
    assert_int_equal(policy_parse(slice_make(text, POLICY_MAX), &p, &why), 0);
    policy_drop(p);
    text[POLICY_MAX] = ' ';
    assert_int_equal(policy_parse(slice_make(text, POLICY_MAX + 1), &p, &why), ERR_LIMIT);
}

static void test_hash(void **state)
{
    char text[POLICY_HASH_TEXT];
    struct policy *p = read_policy("{\"rate\": 5}");
    policy_hash_text(p, text);
    /* printf '{"rate":5}' | sha256sum | xxd -r -p | base64 | tr +/ -_ */
    assert_string_equal(text, "lCE9LFRx5eMNf0I5WrW7UsU4cZsOcl-O4EZvoFmITEw");
    policy_hash_text(NULL, text);
    assert_string_equal(text, "");
    policy_drop(p);
}

static const struct {
    const char *name, *policy, *address;
    enum policy_verdict want;
} looks[] = {
    {"P10 allowed", "{\"allow\":[\"192.0.2.0/24\"]}", "192.0.2.7", POLICY_OK},
    {"P10 elsewhere", "{\"allow\":[\"192.0.2.0/24\"]}", "192.0.3.7", POLICY_DENIED},
    {"P10 another family", "{\"allow\":[\"192.0.2.0/24\"]}", "2001:db8::1", POLICY_DENIED},
    {"P10 one of several", "{\"allow\":[\"192.0.2.0/24\",\"2001:db8::/64\"]}", "2001:db8::1",
     POLICY_OK},
    {"P10 one address", "{\"allow\":[\"2001:db8::1\"]}", "2001:db8::2", POLICY_DENIED},
    {"P10 no address", "{\"allow\":[\"0.0.0.0/0\",\"::/0\"]}", "unix", POLICY_DENIED},
    {"P10 denied", "{\"deny\":[\"192.0.2.0/24\"]}", "192.0.2.7", POLICY_DENIED},
    {"P10 not denied", "{\"deny\":[\"192.0.2.0/24\"]}", "192.0.3.7", POLICY_OK},
    {"P10 deny beats allow", "{\"allow\":[\"192.0.2.0/24\"],\"deny\":[\"192.0.2.7\"]}", "192.0.2.7",
     POLICY_DENIED},
    {"P11 before", "{\"until\":1001}", "192.0.2.7", POLICY_OK},
    {"P11 then", "{\"until\":1000}", "192.0.2.7", POLICY_OVER},
    {"P11 over beats denied", "{\"until\":1,\"deny\":[\"192.0.2.7\"]}", "192.0.2.7", POLICY_OVER},
    {"P12 a rate denies nobody", "{\"rate\":1,\"viewers\":1}", "192.0.2.7", POLICY_OK},
};

static void test_looks(void **state)
{
    for (size_t i = 0; i < COUNT(looks); i++) {
        struct policy *p = read_policy(looks[i].policy);
        if (policy_judge(p, looks[i].address, 1000) != looks[i].want)
            fail_msg("%s", looks[i].name);
        policy_drop(p);
    }
}

/* P13 */
static void test_edits(void **state)
{
    struct fields f;
    struct policy *p =
        read_policy("{\"request_add\":[[\"x-a\",\"new\"],[\"x-a\",\"newer\"]],"
                    "\"request_remove\":[\"x-b\"],\"response_add\":[[\"x-c\",\"1\"]],"
                    "\"response_remove\":[\"server\"]}");
    fields_init(&f);
    fields_add(&f, SLICE("X-A"), SLICE("old"));
    fields_add(&f, SLICE("X_A"), SLICE("another spelling"));
    fields_add(&f, SLICE("X-B"), SLICE("1"));
    fields_add(&f, SLICE("Server"), SLICE("nginx"));
    policy_edit(p, POLICY_REQUEST, &f);
    assert_int_equal(f.count, 3);
    assert_int_equal(fields_count(&f, SLICE("x-a")), 2);
    assert_true(slice_eq(fields_value(&f, SLICE("x-a")), SLICE("new")));
    policy_edit(p, POLICY_INTERIM, &f);
    assert_null(fields_find(&f, SLICE("server")));
    assert_null(fields_find(&f, SLICE("x-c")));
    policy_edit(p, POLICY_RESPONSE, &f);
    assert_true(slice_eq(fields_value(&f, SLICE("x-c")), SLICE("1")));
    fields_deinit(&f);
    policy_drop(p);
}

static const struct {
    const char *name, *text, *want; /* what the reason has; NULL: read */
} files[] = {
    {"T14 two", "# ours\n\nteam {\"rate\":5}\nopen {}\r\n", NULL},
    {"T14 no name", "{\"rate\":5}\n", ":1: the policy does not begin with a name"},
    {"T14 twice", "a {}\na {}\n", ":2: the policy has a name that stands there twice"},
    {"T14 no policy", "a\n", ":1: the policy is no JSON object"},
    {"T14 users", "a {\"users\":[[\"ann\",\"" BCRYPT "\"]]}\n", ":1: the policy has users or keys"},
    {"T14 unknown member", "\na {\"gate\":1}\n", ":2: the policy has a member that this server"},
};

static void test_file(void **state)
{
    char reason[POLICIES_REASON_MAX];
    struct policy *p;
    for (size_t i = 0; i < COUNT(files); i++) {
        struct policies *all = policies_of_text("policies", slice_str(files[i].text), reason);
        if (!all != !!files[i].want || (!all && !strstr(reason, files[i].want)))
            fail_msg("%s: %s", files[i].name, all ? "" : reason);
        if (all) {
            assert_true(policies_find(all, SLICE("team"), &p) && policy_rate(p) == 5);
            policy_drop(p);
            assert_true(policies_find(all, SLICE("open"), &p) && !p);
            assert_false(policies_find(all, SLICE("other"), &p));
        }
        policies_free(all);
    }
    assert_false(policies_find(NULL, SLICE("team"), &p));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spelling), cmocka_unit_test(test_length), cmocka_unit_test(test_hash),
        cmocka_unit_test(test_looks),    cmocka_unit_test(test_edits),  cmocka_unit_test(test_file),
    };
    return cmocka_run_group_tests_name("policy", tests, NULL, NULL);
}
