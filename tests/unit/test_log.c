/* SPDX-License-Identifier: MIT */
/* test_log.c - log lines: their two formats, quoting, levels, files, and dropping instead of
 * blocking. */
#include "h2mux/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cjson/cJSON.h>
#include <cmocka.h>

#include "h2mux/base/err.h"

#define COUNT(rows) (sizeof rows / sizeof((rows)[0]))
#define ELLIPSIS "\xe2\x80\xa6"

static char dir[] = "/tmp/test_log.XXXXXX";
static char path[64], moved[64];
static char content[256 * 1024];

static int make_dir(void **state)
{
    if (!mkdtemp(dir))
        return -1;
    snprintf(path, sizeof path, "%s/log", dir);
    snprintf(moved, sizeof moved, "%s/log.1", dir);
    signal(SIGPIPE, SIG_IGN);
    return 0;
}

static int remove_dir(void **state)
{
    log_close();
    unlink(path);
    unlink(moved);
    return rmdir(dir);
}

static const char *read_file(const char *from)
{
    FILE *f = fopen(from, "r");
    assert_non_null(f);
    content[fread(content, 1, sizeof content - 1, f)] = '\0';
    fclose(f);
    return content;
}

/* The log's content, and an empty log again. */
static const char *take_log(void)
{
    read_file(path);
    assert_int_equal(truncate(path, 0), 0);
    return content;
}

enum { TIME_LEN = sizeof "2026-11-22T10:00:00.123Z" - 1 };

static void assert_time(const char *text)
{
    static const char shape[] = "dddd-dd-ddTdd:dd:dd.dddZ";
    for (size_t i = 0; i < TIME_LEN; i++)
        if (shape[i] == 'd' ? text[i] < '0' || text[i] > '9' : text[i] != shape[i])
            fail_msg("not a time: %.30s", text);
}

static void test_quote(void **state)
{
    static const struct {
        const char *name;
        struct slice in;
        const char *want;
    } rows[] = {
        {"plain", {"demo", 4}, "demo"},
        {"path", {"/a?b=c&d", 8}, "/a?b=c&d"},
        {"empty", {"", 0}, "\"\""},
        {"no pointer", {NULL, 0}, "\"\""},
        {"space", {"a b", 3}, "\"a b\""},
        {"quote", {"a\"b", 3}, "\"a\\\"b\""},
        {"backslash", {"a\\b", 3}, "\"a\\\\b\""},
        {"line feed", {"a\nb", 3}, "\"a\\x0ab\""},
        {"escape sequence", {"\x1b[2J", 4}, "\"\\x1b[2J\""},
        {"zero", {"a\0b", 3}, "\"a\\x00b\""},
        {"delete", {"\x7f", 1}, "\"\\x7f\""},
        {"not ASCII", {"\xc3\xa4", 2}, "\"\\xc3\\xa4\""},
    };
    char out[LOG_QUOTED_MAX];
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_int_equal(log_quote(rows[i].in, out), strlen(rows[i].want));
        assert_string_equal(out, rows[i].want);
    }
}

static void test_quote_cut(void **state)
{
    static const struct {
        const char *name;
        char c;
        size_t len, want_len;
        bool cut;
    } rows[] = {
        {"longest", 'a', 256, 256, false},
        {"plain and cut", 'a', 257, 256 + 3, true},
        {"escaped and cut", '\n', 5000, LOG_QUOTED_MAX - 1, true},
    };
    static char text[5000];
    char out[LOG_QUOTED_MAX];
    for (size_t i = 0; i < COUNT(rows); i++) {
        memset(text, rows[i].c, rows[i].len);
        size_t len = log_quote(slice_make(text, rows[i].len), out);
        if (len != strlen(out) || len != rows[i].want_len || !strstr(out, ELLIPSIS) == rows[i].cut)
            fail_msg("%s: %s", rows[i].name, out);
    }
}

static void test_level_parse(void **state)
{
    static const struct {
        const char *in;
        bool want;
        enum log_level level;
    } rows[] = {
        {"error", true, LOG_ERROR}, {"warn", true, LOG_WARN},     {"info", true, LOG_INFO},
        {"debug", true, LOG_DEBUG}, {"warning", false, LOG_WARN}, {"", false, LOG_WARN},
        {"inf", false, LOG_WARN},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        enum log_level level = LOG_WARN;
        assert_int_equal(log_level_parse(slice_str(rows[i].in), &level), rows[i].want);
        assert_int_equal(level, rows[i].level);
    }
}

static void test_text_line(void **state)
{
    static const struct {
        const char *name;
        enum log_level level;
        struct log_pair pair;
        const char *want;
    } rows[] = {
        {"text", LOG_INFO, {"name", LOG_TEXT, {{"demo", 4}}}, " info  x name=demo\n"},
        {"quoted", LOG_ERROR, {"path", LOG_TEXT, {{"/a b", 4}}}, " error x path=\"/a b\"\n"},
        {"empty", LOG_WARN, {"ua", LOG_TEXT, {{NULL, 0}}}, " warn  x ua=\"\"\n"},
        {"pair in a value", LOG_DEBUG, {"a", LOG_TEXT, {{"b=c", 3}}}, " debug x a=b=c\n"},
        {"forged line",
         LOG_INFO,
         {"a", LOG_TEXT, {{"1\nb\r", 4}}},
         " info  x a=\"1\\x0ab\\x0d\"\n"},
        {"number",
         LOG_INFO,
         {"n", LOG_UNSIGNED, {.u = UINT64_MAX}},
         " info  x n=18446744073709551615\n"},
        {"zero", LOG_INFO, {"n", LOG_UNSIGNED, {.u = 0}}, " info  x n=0\n"},
        {"negative", LOG_INFO, {"n", LOG_SIGNED, {.i = -7}}, " info  x n=-7\n"},
        {"least",
         LOG_INFO,
         {"n", LOG_SIGNED, {.i = INT64_MIN}},
         " info  x n=-9223372036854775808\n"},
        {"true", LOG_INFO, {"b", LOG_BOOL, {.b = true}}, " info  x b=true\n"},
        {"false", LOG_INFO, {"b", LOG_BOOL, {.b = false}}, " info  x b=false\n"},
    };
    assert_int_equal(log_open(path, LOG_DEBUG, false), 0);
    for (size_t i = 0; i < COUNT(rows); i++) {
        log_event(rows[i].level, "x", &rows[i].pair, 1);
        const char *line = take_log();
        assert_time(line);
        assert_string_equal(line + TIME_LEN, rows[i].want);
    }
    LOG(INFO, "ready");
    assert_string_equal(take_log() + TIME_LEN, " info  ready\n");
    LOG(INFO, "link_up", LOG_STR("name", "demo"), LOG_U("slot", 3), LOG_I("status", -1),
        LOG_B("secure", true), LOG_S("host", SLICE("a b")));
    assert_string_equal(take_log() + TIME_LEN,
                        " info  link_up name=demo slot=3 status=-1 secure=true host=\"a b\"\n");
}

static void test_json_line(void **state)
{
    static const struct {
        const char *name;
        struct log_pair pair;
        const char *want; /* behind time, level and event */
    } rows[] = {
        {"text", {"a", LOG_TEXT, {{"demo", 4}}}, "\"demo\""},
        {"digits stay text", {"a", LOG_TEXT, {{"7", 1}}}, "\"7\""},
        {"empty", {"a", LOG_TEXT, {{NULL, 0}}}, "\"\""},
        {"quote and backslash", {"a", LOG_TEXT, {{"x\"y\\z", 5}}}, "\"x\\\"y\\\\z\""},
        {"control", {"a", LOG_TEXT, {{"x\ny\x01", 4}}}, "\"x\\u000ay\\u0001\""},
        {"zero", {"a", LOG_TEXT, {{"x\0y", 3}}}, "\"x?y\""},
        {"UTF-8", {"a", LOG_TEXT, {{"\xc3\xa4", 2}}}, "\"\xc3\xa4\""},
        {"four bytes", {"a", LOG_TEXT, {{"\xf0\x9f\x98\x80", 4}}}, "\"\xf0\x9f\x98\x80\""},
        {"broken UTF-8", {"a", LOG_TEXT, {{"\xc3(", 2}}}, "\"?(\""},
        {"overlong", {"a", LOG_TEXT, {{"\xc0\xaf \xe0\x80\xaf", 6}}}, "\"?? ???\""},
        {"surrogate", {"a", LOG_TEXT, {{"\xed\xa0\x80", 3}}}, "\"???\""},
        {"cut short", {"a", LOG_TEXT, {{"\xe2\x80", 2}}}, "\"??\""},
        {"pair in a value", {"a", LOG_TEXT, {{"b=c d=e", 7}}}, "\"b=c d=e\""},
        {"number", {"a", LOG_UNSIGNED, {.u = UINT64_MAX}}, "18446744073709551615"},
        {"negative", {"a", LOG_SIGNED, {.i = -7}}, "-7"},
        {"true", {"a", LOG_BOOL, {.b = true}}, "true"},
        {"false", {"a", LOG_BOOL, {.b = false}}, "false"},
    };
    assert_int_equal(log_open(path, LOG_DEBUG, true), 0);
    for (size_t i = 0; i < COUNT(rows); i++) {
        char want[256];
        log_event(LOG_WARN, "it_said", &rows[i].pair, 1);
        const char *line = take_log();
        snprintf(want, sizeof want, "\",\"level\":\"warn\",\"event\":\"it_said\",\"a\":%s}\n",
                 rows[i].want);
        assert_memory_equal(line, "{\"time\":\"", 9);
        assert_time(line + 9);
        assert_string_equal(line + 9 + TIME_LEN, want);
    }
    LOG(INFO, "ready");
    assert_string_equal(take_log() + 9 + TIME_LEN, "\",\"level\":\"info\",\"event\":\"ready\"}\n");
}

/* A text value comes out of the JSON as it went in. */
static void test_json_round_trip(void **state)
{
    char in[128];
    for (size_t i = 0; i < 127; i++)
        in[i] = (char)(i + 1);
    in[127] = '\0';
    assert_int_equal(log_open(path, LOG_DEBUG, true), 0);
    LOG(INFO, "x", LOG_STR("first", in), LOG_I("last", 1));
    cJSON *object = cJSON_Parse(take_log());
    assert_non_null(object);
    assert_string_equal(cJSON_GetObjectItem(object, "first")->valuestring, in);
    assert_true(cJSON_IsNumber(cJSON_GetObjectItem(object, "last")));
    cJSON_Delete(object);
}

/* JSON cuts a long value too, between two characters. */
static void test_json_cut(void **state)
{
    static char text[400];
    for (size_t i = 0; i + 3 <= sizeof text; i += 3)
        memcpy(text + i, "\xe2\x82\xac", 3); /* 256 is in the middle of one */
    assert_int_equal(log_open(path, LOG_DEBUG, true), 0);
    LOG(INFO, "x", LOG_S("a", slice_make(text, sizeof text)));
    cJSON *object = cJSON_Parse(take_log());
    const char *cut = cJSON_GetStringValue(cJSON_GetObjectItem(object, "a"));
    assert_int_equal(strlen(cut), 255 + 3);
    assert_memory_equal(cut, text, 255);
    assert_string_equal(cut + 255, ELLIPSIS);
    cJSON_Delete(object);
}

/* Pairs that find no room are left out whole, and counted; later ones that fit are there. */
static void test_long_lines(void **state)
{
    static char big[300];
    memset(big, '\x01', sizeof big); /* four bytes each in text, six in JSON */
    struct slice s = slice_make(big, sizeof big);
    for (int json = 0; json < 2; json++) {
        assert_int_equal(log_open(path, LOG_INFO, json), 0);
        LOG(INFO, "big", LOG_S("a", s), LOG_S("b", s), LOG_S("c", s), LOG_S("d", s), LOG_S("e", s),
            LOG_I("last", 9));
        const char *line = take_log();
        assert_true(strlen(line) <= PIPE_BUF);
        assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
        assert_non_null(
            strstr(line, json ? "\",\"last\":9,\"omitted\":3}\n" : "\" last=9 omitted=2\n"));
        cJSON *object = json ? cJSON_Parse(line) : NULL;
        assert_int_equal(!object, !json);
        cJSON_Delete(object);
    }
}

static int evaluated;

static uint64_t evaluate(void)
{
    return (uint64_t)++evaluated;
}

static void test_threshold(void **state)
{
    assert_int_equal(log_open(path, LOG_WARN, false), 0);
    LOG(INFO, "hidden", LOG_U("a", evaluate()));
    assert_int_equal(evaluated, 0);
    LOG(WARN, "shown", LOG_U("a", evaluate()));
    LOG(ERROR, "shown_too", LOG_U("a", evaluate()));
    const char *text = take_log();
    assert_null(strstr(text, "hidden"));
    assert_non_null(strstr(text, "warn  shown a=1\n"));
    assert_non_null(strstr(text, "error shown_too a=2\n"));
}

static void test_errno_is_kept(void **state)
{
    assert_int_equal(log_open(path, LOG_INFO, false), 0);
    errno = ENOENT;
    LOG(INFO, "x", LOG_STR("error", strerrordesc_np(errno)));
    assert_int_equal(errno, ENOENT);
    assert_non_null(strstr(take_log(), "error=\"No such file or directory\"\n"));
}

static void test_open_fails(void **state)
{
    assert_int_equal(log_open(path, LOG_INFO, false), 0);
    assert_int_equal(log_open("/nonexistent/log", LOG_DEBUG, true), ERR_IO);
    LOG(INFO, "still_here", LOG_I("a", 1)); /* the open one stays, and its level and format */
    assert_non_null(strstr(take_log(), "info  still_here a=1\n"));
    assert_int_equal(log_threshold, LOG_INFO);
    assert_null(log_file_open("/nonexistent/log"));
    assert_int_equal(errno, ENOENT);
}

static void test_file_reopen(void **state)
{
    struct log_file *f = log_file_open(path);
    assert_non_null(f);
    log_file_line(f, SLICE("one"));
    assert_int_equal(rename(path, moved), 0);
    log_file_line(f, SLICE("two"));
    log_file_reopen(f);
    log_file_line(f, SLICE("three"));
    assert_string_equal(read_file(moved), "one\ntwo\n");
    assert_string_equal(take_log(), "three\n");
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07, 0); /* not for everyone */
    log_file_close(f);
    log_file_close(NULL);
    unlink(moved);
}

static void test_file_appends(void **state)
{
    for (int i = 0; i < 2; i++) {
        struct log_file *f = log_file_open(path);
        assert_non_null(f);
        log_file_line(f, SLICE("again"));
        log_file_close(f);
    }
    assert_string_equal(take_log(), "again\nagain\n");
}

/* Standard error is a pipe that nobody reads: lines are dropped, counted, and told of when there is
 * room again. */
static void test_full_pipe_drops(void **state)
{
    int ends[2], saved = dup(STDERR_FILENO);
    uint64_t before = log_dropped(), lost;
    char text[32];
    assert_int_equal(pipe(ends), 0);
    assert_true(fcntl(ends[1], F_SETPIPE_SZ, 4096) >= 0);
    assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
    assert_int_equal(log_open(NULL, LOG_INFO, false), 0);
    for (int i = 0; i < 1000; i++)
        LOG(INFO, "line", LOG_I("i", i));
    lost = log_dropped() - before;
    int flags = fcntl(STDERR_FILENO, F_GETFL);
    while (read(ends[0], content, sizeof content) == 4096 && lost == 0)
        ;
    LOG(INFO, "room", LOG_I("i", 1));
    ssize_t n = read(ends[0], content, sizeof content - 1);
    LOG(INFO, "quiet", LOG_I("i", 2));
    ssize_t m = read(ends[0], content + n, sizeof content - 1 - (size_t)n);
    content[n + m] = '\0';
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(ends[0]);
    close(ends[1]);

    assert_true(lost > 0 && lost < 1000);
    assert_false(flags & O_NONBLOCK); /* not ours to set */
    snprintf(text, sizeof text, "room i=1 dropped=%llu\n", (unsigned long long)lost);
    assert_non_null(strstr(content, text));
    assert_non_null(strstr(content, "quiet i=2\n")); /* told once */
}

static void test_reader_gone(void **state)
{
    int ends[2], saved = dup(STDOUT_FILENO);
    uint64_t before = log_dropped();
    assert_int_equal(pipe(ends), 0);
    fflush(stdout);
    assert_true(dup2(ends[1], STDOUT_FILENO) >= 0);
    close(ends[0]);
    close(ends[1]);
    assert_int_equal(log_open("-", LOG_INFO, false), 0);
    LOG(INFO, "nobody", LOG_I("i", 1));
    dup2(saved, STDOUT_FILENO);
    close(saved);
    assert_int_equal(log_dropped() - before, 1);
    assert_int_equal(log_open(path, LOG_INFO, false), 0);
    LOG(INFO, "elsewhere", LOG_I("i", 2));
    assert_non_null(strstr(take_log(), "elsewhere i=2 dropped=1\n"));
}

/* A line longer than what a pipe takes at once is cut, never split or waited for. */
static void test_pipe_line_cut(void **state)
{
    static char big[3 * PIPE_BUF];
    memset(big, 'b', sizeof big);
    assert_int_equal(mkfifo(moved, 0600), 0);
    assert_null(log_file_open(moved)); /* no reader: refused, not waited for */
    int reader = open(moved, O_RDONLY | O_NONBLOCK);
    struct log_file *f = log_file_open(moved);
    assert_non_null(f);
    log_file_line(f, slice_make(big, sizeof big));
    ssize_t n = read(reader, content, sizeof content);
    assert_int_equal(n, PIPE_BUF);
    assert_int_equal(content[n - 1], '\n');
    log_file_close(f);
    close(reader);
    unlink(moved);

    f = log_file_open(path); /* a file takes it whole */
    log_file_line(f, slice_make(big, sizeof big));
    log_file_close(f);
    assert_int_equal(strlen(take_log()), sizeof big + 1);
}

enum { THREADS = 4, LINES = 200 };

static void *write_lines(void *arg)
{
    for (int i = 0; i < LINES; i++)
        LOG(INFO, "thread", LOG_STR("value", arg));
    return NULL;
}

static void test_threads(void **state)
{
    static char names[THREADS][24] = {"a a", "bb bb", "ccc ccc", "dddd dddd"};
    pthread_t threads[THREADS];
    size_t lines = 0;
    assert_int_equal(log_open(path, LOG_INFO, false), 0);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_lines, names[i]), 0);
    for (int i = 0; i < 20; i++)
        assert_int_equal(log_open(path, LOG_INFO, false), 0); /* reopened under their feet */
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    take_log();
    for (char *rest = content, *line; (line = strsep(&rest, "\n")) && *line; lines++) {
        assert_time(line);
        assert_int_equal(line[strlen(line) - 1], '"');
    }
    assert_int_equal(lines, THREADS * LINES);
}

static void test_limit(void **state)
{
    static const struct {
        const char *name;
        uint64_t at_us;
        bool want;
        uint64_t suppressed;
    } rows[] = {
        {"first", 5000000, true, 0},
        {"at once", 5000000, false, 0},
        {"within the second", 5999999, false, 0},
        {"next second", 6000000, true, 2},
        {"after a pause", 9000000, true, 0},
    };
    struct log_limit limit = {0};
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint64_t suppressed = 0;
        if (log_limit_pass(&limit, rows[i].at_us, &suppressed) != rows[i].want ||
            suppressed != rows[i].suppressed)
            fail_msg("%s", rows[i].name);
    }
}

/* F58: so many lines pass at once, and so many a second; the next line says how many were left
 * out. */
static void test_limit_of_some(void **state)
{
    struct log_limit limit = {0};
    uint64_t suppressed = 7, now = 5000000;
    for (int i = 0; i < 3; i++) {
        assert_true(log_limit_pass_some(&limit, now, 3, 2, &suppressed));
        assert_int_equal(suppressed, 0);
    }
    for (int i = 0; i < 4; i++)
        assert_false(log_limit_pass_some(&limit, now + 499999, 3, 2, &suppressed));
    assert_true(log_limit_pass_some(&limit, now + 500000, 3, 2, &suppressed));
    assert_int_equal(suppressed, 4);
    assert_false(log_limit_pass_some(&limit, now + 500001, 3, 2, &suppressed));
    now += 10 * 1000000; /* however long it is quiet, no more than three pass at once */
    for (int i = 0; i < 3; i++)
        assert_true(log_limit_pass_some(&limit, now, 3, 2, &suppressed));
    assert_false(log_limit_pass_some(&limit, now, 3, 2, &suppressed));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_limit_of_some),   cmocka_unit_test(test_quote),
        cmocka_unit_test(test_quote_cut),       cmocka_unit_test(test_level_parse),
        cmocka_unit_test(test_text_line),       cmocka_unit_test(test_json_line),
        cmocka_unit_test(test_json_round_trip), cmocka_unit_test(test_json_cut),
        cmocka_unit_test(test_long_lines),      cmocka_unit_test(test_threshold),
        cmocka_unit_test(test_errno_is_kept),   cmocka_unit_test(test_open_fails),
        cmocka_unit_test(test_file_reopen),     cmocka_unit_test(test_file_appends),
        cmocka_unit_test(test_full_pipe_drops), cmocka_unit_test(test_reader_gone),
        cmocka_unit_test(test_pipe_line_cut),   cmocka_unit_test(test_threads),
        cmocka_unit_test(test_limit),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
