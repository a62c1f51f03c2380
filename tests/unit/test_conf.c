/* SPDX-License-Identifier: MIT */
/* test_conf.c - configuration files: which lines are read, which are refused, and whose files. */
#include "h2mux/base/conf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "h2mux/base/err.h"

#define COUNT(rows) (sizeof rows / sizeof((rows)[0]))

static const struct {
    const char *label, *text;
    const char *want; /* "SECTION/KEY=VALUE@LINE " of each entry */
} good[] = {
    {"O100 nothing", "", ""},
    {"O100 an option", "host = example.com\n", "/host=example.com@1 "},
    {"O100 no line feed at the end", "host=example.com", "/host=example.com@1 "},
    {"O100 blanks around it", "host  =\t example.com \t\n", "/host=example.com@1 "},
    {"O100 a colon", "listen: [::]:443\n", "/listen=[::]:443@1 "},
    {"O100 an address", "listen = :443\n", "/listen=:443@1 "},
    {"O100 no value", "host =\n", "/host=@1 "},
    {"O100 comments", "# a\n; b\n  # c\n\nhost = x # y\n", "/host=x # y@5 "},
    {"O100 a comment behind", "host = x ; y\nhost = a;b\n", "/host=x@1 /host=a;b@2 "},
    {"O100 sections", "a = 1\n[tunnel web]\nb = 2\n[tunnel api]\n[]\nc = 3\n",
     "/a=1@1 tunnel web/b=2@3 /c=3@6 "},
    {"O100 CR LF", "a = 1\r\n\r\nb = 2\r\n", "/a=1@1 /b=2@3 "},
    {"O100 a byte-order mark",
     "\xef\xbb\xbf"
     "a = 1\n",
     "/a=1@1 "},
    {"O100 bytes from 0x80", "a = \xc3\xa4\xff\n", "/a=\xc3\xa4\xff@1 "},
};

static void test_good(void **state)
{
    for (size_t i = 0; i < COUNT(good); i++) {
        char why[CONF_WHY_MAX] = "", got[256] = "";
        struct conf *c = NULL;
        print_message("%s\n", good[i].label);
        assert_int_equal(conf_parse("f", slice_str(good[i].text), &c, why), 0);
        assert_string_equal(c->path, "f");
        for (size_t n = 0; n < c->count; n++)
            snprintf(got + strlen(got), sizeof got - strlen(got), "%s/%s=%s@%u ",
                     c->entries[n].section, c->entries[n].key, c->entries[n].value,
                     c->entries[n].line);
        assert_string_equal(got, good[i].want);
        conf_free(c);
    }
}

#define TEN "0123456789"
#define FIFTY TEN TEN TEN TEN TEN

static const struct {
    const char *label, *text, *want;
} bad[] = {
    {"O101 a word", "a = 1\nhost\n", "f:2: the line is neither OPTION = VALUE nor [SECTION]"},
    {"O101 an open section", "[tunnel web\na = 1\n",
     "f:1: the line is neither OPTION = VALUE nor [SECTION]"},
    {"O101 no key", "\n= 1\n", "f:2: the line has no option before the '='"},
    {"O101 an indented line", "a = 1\n  b = 2\n", "f:2: the line begins with a blank"},
    {"O101 a tab", "\tb = 2\n", "f:1: the line begins with a blank"},
    {"O101 another blank", "a = 1\n\vb = 2\n", "f:2: the line begins with a blank"},
    {"O101 a long line", "a = 1\n\nb = " FIFTY FIFTY FIFTY FIFTY "\n",
     "f:3: the line is longer than 198 bytes"},
    {"O101 a long section", "[" FIFTY "]\n",
     "f:1: the line has a section's name of more than 49 bytes"},
    {"O101 the first fault counts", "x\n y\n",
     "f:1: the line is neither OPTION = VALUE nor [SECTION]"},
    {"O101 the first fault counts, too", " y\nx\n", "f:1: the line begins with a blank"},
};

static void test_bad(void **state)
{
    for (size_t i = 0; i < COUNT(bad); i++) {
        char why[CONF_WHY_MAX] = "";
        struct conf *c = NULL;
        print_message("%s\n", bad[i].label);
        assert_int_equal(conf_parse("f", slice_str(bad[i].text), &c, why), ERR_SYNTAX);
        assert_null(c);
        assert_string_equal(why, bad[i].want);
    }
}

/* O101: a byte 0 would end a value for us, and not for who wrote it. */
static void test_zero_byte(void **state)
{
    char why[CONF_WHY_MAX];
    struct conf *c;
    assert_int_equal(conf_parse("f", slice_make("a = 1\0 2\n", 9), &c, why), ERR_SYNTAX);
    assert_string_equal(why, "f:1: the line has a byte 0");
}

/* O101: the longest line is read whole, at each length near the limit. */
static void test_longest_line(void **state)
{
    char text[CONF_LINE_MAX + 8], why[CONF_WHY_MAX];
    for (size_t len = CONF_LINE_MAX - 2; len <= CONF_LINE_MAX + 2; len++) {
        struct conf *c = NULL;
        memset(text, 'x', sizeof text);
        memcpy(text, "a=", 2);
        memcpy(text + len, "\nb=1", 5);
        int want = len <= CONF_LINE_MAX ? 0 : ERR_SYNTAX;
        assert_int_equal(conf_parse("f", slice_str(text), &c, why), want);
        if (want < 0)
            continue;
        assert_int_equal(c->count, 2);
        assert_int_equal(strlen(c->entries[0].value), len - 2);
        assert_int_equal(c->entries[1].line, 2);
        conf_free(c);
    }
}

static void test_find(void **state)
{
    char why[CONF_WHY_MAX];
    struct conf *c;
    const char *text = "a = 1\nb = 2\na = 3\n[s]\na = 4\n";
    assert_int_equal(conf_parse("f", slice_str(text), &c, why), 0);
    const struct conf_entry *e = conf_find(c, "", "a", NULL);
    assert_string_equal(e->value, "1");
    e = conf_find(c, "", "a", e);
    assert_string_equal(e->value, "3");
    assert_null(conf_find(c, "", "a", e));
    assert_string_equal(conf_find(c, "s", "a", NULL)->value, "4");
    assert_null(conf_find(c, "s", "b", NULL));
    conf_free(c);
}

static const struct {
    const char *label, *text, *want;
} put_rows[] = {
    {"O104 into nothing", "", "host = h\n"},
    {"O104 below the options", "a = 1\n", "a = 1\nhost = h\n"},
    {"O104 behind a line without an end", "a = 1", "a = 1\nhost = h\n"},
    {"O104 in place of a value", "# x\nhost=old\nb = 2\n", "# x\nhost = h\nb = 2\n"},
    {"O104 the last line without an end", "host: old", "host = h"},
    {"O104 a comment behind", "host = old \t; why\r\nb=1\r\n", "host = h \t; why\r\nb=1\r\n"},
    {"O104 a comment is no option", "# host = x\n;host = y\n", "# host = x\n;host = y\nhost = h\n"},
    {"O104 above the sections", "a = 1\n[tunnel web]\nhost = x\n",
     "a = 1\nhost = h\n\n[tunnel web]\nhost = x\n"},
    {"O104 sections alone", "[tunnel web]\nport = 1\n", "host = h\n\n[tunnel web]\nport = 1\n"},
    {"O104 another key", "hostess = x\n", "hostess = x\nhost = h\n"},
    {"O104 a byte-order mark", "\xef\xbb\xbfhost = x\n", "\xef\xbb\xbfhost = h\n"},
};

/* Checks that the file says what was put into it, too. */
static void test_put(void **state)
{
    for (size_t i = 0; i < COUNT(put_rows); i++) {
        char why[CONF_WHY_MAX] = "";
        struct conf *c = NULL;
        struct buf out;
        buf_init(&out, 1024);
        print_message("%s\n", put_rows[i].label);
        assert_int_equal(conf_put(slice_str(put_rows[i].text), "host", "h", &out), 0);
        assert_int_equal(buf_len(&out), strlen(put_rows[i].want));
        assert_memory_equal(buf_slice(&out).ptr, put_rows[i].want, buf_len(&out));
        assert_int_equal(conf_parse("f", buf_slice(&out), &c, why), 0);
        assert_string_equal(conf_find(c, "", "host", NULL)->value, "h");
        conf_free(c);
        buf_release(&out);
    }
}

/* O104: what would not fit into a line, or into the file, is not written. */
static void test_put_too_long(void **state)
{
    struct buf out;
    buf_init(&out, 1024);
    assert_int_equal(conf_put(SLICE(""), "host", FIFTY FIFTY FIFTY FIFTY, &out), ERR_LIMIT);
    buf_release(&out);
    buf_init(&out, 16);
    assert_int_equal(conf_put(SLICE("a = 1\nb = 2\nc = 3\n"), "host", "h", &out), ERR_LIMIT);
    buf_release(&out);
}

static char dir[64], file[80];

static void put(const char *content, mode_t mode)
{
    FILE *f = fopen(file, "w");
    assert_non_null(f);
    fputs(content, f);
    fclose(f);
    assert_int_equal(chmod(file, mode), 0);
}

/* O103: a file that others may have written is refused; a link to one of ours is followed. */
static void test_whose_file(void **state)
{
    char why[CONF_WHY_MAX], link[96], want[CONF_WHY_MAX];
    struct conf *c;
    put("a = 1\n", 0600);
    assert_int_equal(conf_read(file, &c, why), 0);
    assert_int_equal(c->count, 1);
    conf_free(c);
    put("a = 1\n", 0644);
    assert_int_equal(conf_read(file, &c, why), 0);
    conf_free(c);

    snprintf(link, sizeof link, "%s/link", dir);
    assert_int_equal(symlink(file, link), 0);
    assert_int_equal(conf_read(link, &c, why), 0);
    conf_free(c);
    unlink(link);

    put("a = 1\n", 0602);
    assert_int_equal(conf_read(file, &c, why), ERR_DENIED);
    assert_null(c);
    assert_non_null(strstr(why, "may be written by other users"));
    if (geteuid() == 0) {
        put("a = 1\n", 0600);
        assert_int_equal(chown(file, 12345, 0), 0);
        assert_int_equal(conf_read(file, &c, why), ERR_DENIED);
        assert_non_null(strstr(why, "belongs to another user"));
    }
    unlink(file);
    assert_int_equal(conf_read(file, &c, why), ERR_NOT_FOUND);
    snprintf(want, sizeof want, "%s: No such file or directory", file);
    assert_string_equal(why, want);
    assert_int_equal(conf_read(dir, &c, why), ERR_DENIED);
}

/* O101: a file that is too large, and a fault with its place. */
static void test_read_faults(void **state)
{
    char why[CONF_WHY_MAX], want[CONF_WHY_MAX];
    struct conf *c;
    put("a = 1\nb\n", 0600);
    assert_int_equal(conf_read(file, &c, why), ERR_SYNTAX);
    snprintf(want, sizeof want, "%s:2: the line is neither OPTION = VALUE nor [SECTION]", file);
    assert_string_equal(why, want);
    FILE *f = fopen(file, "w");
    for (int i = 0; i <= CONF_FILE_MAX; i += 8)
        fputs("# line \n", f);
    fclose(f);
    assert_int_equal(conf_read(file, &c, why), ERR_LIMIT);
    assert_non_null(strstr(why, "has more than 256 KiB"));
    unlink(file);
}

static int make_dir(void **state)
{
    snprintf(dir, sizeof dir, "/tmp/test_conf.XXXXXX");
    if (!mkdtemp(dir))
        return -1;
    snprintf(file, sizeof file, "%s/config", dir);
    return 0;
}

static int remove_dir(void **state)
{
    return rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),         cmocka_unit_test(test_bad),
        cmocka_unit_test(test_zero_byte),    cmocka_unit_test(test_longest_line),
        cmocka_unit_test(test_find),         cmocka_unit_test(test_put),
        cmocka_unit_test(test_put_too_long), cmocka_unit_test(test_whose_file),
        cmocka_unit_test(test_read_faults),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
