/* SPDX-License-Identifier: MIT */
/* test_keyring.c - tests the secret file, its keys, and the base64 of tickets: protocol.md#tickets
 */
#include "src/names/keyring.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cmocka.h>

#include <unistd.h>

#include "h2mux/base/err.h"
#include "src/names/base64url.h"
#include "src/names/state.h"

static char dir[64];
static const char *why;

static int make_dir(void **state)
{
    snprintf(dir, sizeof dir, "/tmp/test_keyring.XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command);
}

/* A second keyring_open reads the key that the first one created. */
static void test_secret_created(void **state)
{
    uint8_t mac[2][KEYRING_MAC_LEN];
    char fresh[128], path[160], reason[200];
    struct stat st;
    snprintf(fresh, sizeof fresh, "%s/a/b", dir);
    snprintf(path, sizeof path, "%s/secret", fresh);
    struct keyring *first = keyring_open(fresh, reason, sizeof reason);
    assert_non_null(first);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(stat(fresh, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    struct keyring *second = keyring_open(fresh, reason, sizeof reason);
    assert_non_null(second);
    assert_int_equal(keyring_count(first), 1);
    assert_int_equal(keyring_count(second), 1);
    assert_string_equal(keyring_id(first, 0), keyring_id(second, 0));
    assert_int_equal(keyring_sign(first, 0, SLICE("text"), mac[0]), 0);
    assert_int_equal(keyring_sign(second, 0, SLICE("text"), mac[1]), 0);
    assert_memory_equal(mac[0], mac[1], KEYRING_MAC_LEN);
    keyring_free(first);
    keyring_free(second);
}

static const struct {
    const char *what, *text, *reason;
} broken[] = {
    {"empty", "", "holds no key"},
    {"comments only", "# nothing\n\n", "holds no key"},
    {"one word", "ka\n", "line 1"},
    {"short key", "ka MDEyMw==\n", "line 1"},
    {"not base64", "# x\nka !!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!\n", "line 2"},
    {"long id", "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3\n",
     "line 1"},
};

static void test_secret_broken(void **state)
{
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        char reason[200] = "";
        assert_int_equal(state_write(dir, STATE_SECRET, slice_str(broken[i].text), &why), 0);
        assert_null(keyring_open(dir, reason, sizeof reason));
        if (!strstr(reason, broken[i].reason))
            fail_msg("%s: %s", broken[i].what, reason);
    }
    char reason[200] = "";
    assert_null(keyring_open("/dev/null/x", reason, sizeof reason));
    assert_non_null(strstr(reason, "/dev/null/x: "));
}

/* Key kb has the bytes 00 01 … 1f. Key ka has ff fe … f0, in the other alphabet and without
 * padding. */
static const char two_keys[] = "# a comment\n\n"
                               "kb AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\r\n"
                               "ka  __79_Pv6-fj39vX08_Lx8A";

/* The keys have the order of the file. The MACs of "abc" were computed by another program. */
static void test_keys(void **state)
{
    static const struct {
        const char *id;
        uint8_t mac[4]; /* its first bytes */
    } want[] = {{"kb", {0xf0, 0x13, 0x37, 0x29}}, {"ka", {0xbd, 0x0f, 0xbc, 0x08}}};
    uint8_t mac[KEYRING_MAC_LEN];
    char reason[200] = "";
    assert_int_equal(state_write(dir, STATE_SECRET, slice_str(two_keys), &why), 0);
    struct keyring *k = keyring_open(dir, reason, sizeof reason);
    if (!k)
        fail_msg("%s", reason);
    assert_int_equal(keyring_count(k), sizeof want / sizeof want[0]);
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
        assert_string_equal(keyring_id(k, i), want[i].id);
        assert_int_equal(keyring_sign(k, i, SLICE("abc"), mac), 0);
        assert_memory_equal(mac, want[i].mac, sizeof want[i].mac);
    }
    keyring_free(k);
}

/* O63: the keys of the file count from a reload on. A file that cannot be used changes nothing. */
static void test_reload(void **state)
{
    static const char *const bad[] = {"", "# none\n", "kc short\n"};
    char reason[200] = "", path[96];
    assert_int_equal(state_write(dir, STATE_SECRET, slice_str(two_keys), &why), 0);
    struct keyring *k = keyring_open(dir, reason, sizeof reason);
    assert_non_null(k);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(state_write(dir, STATE_SECRET, slice_str(bad[i]), &why), 0);
        assert_int_equal(keyring_reload(k, dir, reason, sizeof reason), ERR_SYNTAX);
        assert_non_null(strstr(reason, "/secret: "));
        assert_int_equal(keyring_count(k), 2);
    }
    snprintf(path, sizeof path, "%s/secret", dir);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(keyring_reload(k, dir, reason, sizeof reason), ERR_NOT_FOUND);
    assert_int_equal(symlink("/dev/null", path), 0);
    assert_int_equal(keyring_reload(k, dir, reason, sizeof reason), ERR_DENIED);
    assert_non_null(strstr(reason, "symbolic link"));
    assert_int_equal(keyring_count(k), 2);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(state_write(dir, STATE_SECRET, SLICE("kd AAECAwQFBgcICQoLDA0ODw==\n"), &why),
                     0);
    assert_int_equal(keyring_reload(k, dir, reason, sizeof reason), 0);
    keyring_hold(k);
    assert_int_equal(keyring_count(k), 1);
    assert_string_equal(keyring_id(k, 0), "kd");
    keyring_release(k);
    keyring_free(k);
}

static void test_base64url(void **state)
{
    static const char *const refused[] = {"", "A", "AA==", "AB", "A+8", "A/8", "AAA A", "AAA\n"};
    for (size_t len = 1; len <= 64; len++) {
        uint8_t in[64], out[64];
        char text[96];
        for (size_t i = 0; i < len; i++)
            in[i] = (uint8_t)(255 - i * 7);
        size_t text_len = base64url_encode(in, len, text);
        assert_int_equal(strlen(text), text_len);
        assert_int_equal(text_len, (len * 4 + 2) / 3);
        assert_int_equal(base64url_decode(slice_str(text), out, len), len);
        assert_memory_equal(in, out, len);
        assert_int_equal(base64url_decode(slice_str(text), out, len - 1), ERR_SYNTAX);
    }
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        uint8_t out[8];
        if (base64url_decode(slice_str(refused[i]), out, sizeof out) != ERR_SYNTAX)
            fail_msg("'%s'", refused[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_secret_created), cmocka_unit_test(test_secret_broken),
        cmocka_unit_test(test_keys),           cmocka_unit_test(test_reload),
        cmocka_unit_test(test_base64url),
    };
    return cmocka_run_group_tests_name("keyring", tests, make_dir, remove_dir);
}
