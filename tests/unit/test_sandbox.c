/* SPDX-License-Identifier: MIT */
/* test_sandbox.c - tests which files a process has that has entered, also after a renewal, and the
 * modes: rules O124, O127 */
#include "sandbox_world.h"

/* ---- files */

static int read_passwd(void)
{
    return opens("/etc/passwd", O_RDONLY);
}

static int read_other(void)
{
    return opens(at("out/other"), O_RDONLY);
}

static int read_home(void)
{
    return opens("/root", O_RDONLY | O_DIRECTORY);
}

static int make_outside(void)
{
    return opens(at("new"), O_WRONLY | O_CREAT);
}

static int write_certificate(void)
{
    return opens(at("archive/cert1.pem"), O_WRONLY);
}

static int remove_certificate(void)
{
    return unlink(at("archive/cert1.pem"));
}

static int move_out(void)
{
    char from[128];
    snprintf(from, sizeof from, "%s", at("state/names"));
    return rename(from, at("out/names"));
}

static int read_log(void)
{
    return opens(at("log/access.log"), O_RDONLY);
}

static int read_memory_of_parent(void)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/environ", (int)getppid());
    return opens(path, O_RDONLY);
}

static int write_state(void)
{
    char from[128];
    snprintf(from, sizeof from, "%s", at("state/.names.1"));
    if (opens(from, O_WRONLY | O_CREAT | O_EXCL | O_TRUNC) < 0 ||
        rename(from, at("state/names")) < 0)
        return -1;
    if (opens(from, O_WRONLY | O_CREAT | O_EXCL) < 0 || link(from, at("state/copy")) < 0)
        return -1;
    return unlink(from) < 0 || unlink(at("state/copy")) < 0 ? -1
                                                            : opens(at("state/names"), O_RDONLY);
}

/* The log is renamed by somebody else, and opened again. */
static int append_log(void)
{
    return opens(at("log/access.log"), O_WRONLY | O_APPEND | O_CREAT);
}

static int read_certificate(void)
{
    return opens(at("live/cert.pem"), O_RDONLY);
}

static int read_own(void)
{
    static const char *const paths[] = {"/proc/self/statm", "/proc/self/cgroup", "/dev/urandom",
                                        "/dev/null", "/sys/devices/system/cpu/online"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        if (opens(paths[i], O_RDONLY) < 0 && errno != ENOENT)
            return -1;
    return opens("/dev/null", O_WRONLY);
}

static const struct attempt files[] = {
    {"read /etc/passwd", read_passwd, EACCES, 0},
    {"read another folder", read_other, EACCES, EACCES},
    {"list /root", read_home, EACCES, EACCES},
    {"make a file outside", make_outside, EACCES, EACCES},
    {"write to the certificate", write_certificate, EACCES, EACCES},
    {"remove the certificate", remove_certificate, EACCES, EACCES},
    {"move a file out", move_out, EACCES, EACCES},
    {"append to the log", append_log, 0, 0},
    {"read the log", read_log, EACCES, EACCES},
    {"read another process", read_memory_of_parent, EACCES, EACCES},
    {"write the state", write_state, 0, 0},
    {"read the certificate", read_certificate, 0, 0},
    {"read what libc reads", read_own, 0, 0},
};

/* O124 */
static void test_files(void **state)
{
    judge(files, sizeof files / sizeof *files);
}

/* O124: a renewal that comes after the process has entered. */
static void renew(const char *from, bool relink)
{
    char path[128];
    if (relink) {
        assert_int_equal(unlink(at("live/cert.pem")), 0);
        assert_int_equal(symlink(from, at("live/cert.pem")), 0);
        return;
    }
    put("live/cert.new");
    snprintf(path, sizeof path, "%s", at("live/cert.new"));
    assert_int_equal(rename(path, at("live/cert.pem")), 0);
}

/* Returns what a process that has entered gets when the certificate is renewed meanwhile. */
static int after_renewal(const char *from, bool relink)
{
    int status = 0, entered[2], renewed[2];
    char byte = 0;
    assert_int_equal(pipe(entered) + pipe(renewed), 0);
    pid_t child = fork();
    if (child == 0) {
        enter(false);
        (void)!write(entered[1], &byte, 1);
        (void)!read(renewed[0], &byte, 1);
        _exit(read_certificate() < 0 ? errno : 0);
    }
    assert_int_equal(read(entered[0], &byte, 1), 1);
    renew(from, relink);
    assert_int_equal(write(renewed[1], &byte, 1), 1);
    assert_int_equal(waitpid(child, &status, 0), child);
    for (size_t i = 0; i < 2; i++) {
        close(entered[i]);
        close(renewed[i]);
    }
    return WEXITSTATUS(status);
}

/* O124 */
static void test_renewal(void **state)
{
    if (!can_enter())
        skip();
    assert_int_equal(after_renewal("../archive/cert2.pem", true), 0);
    assert_int_equal(after_renewal("../out/other", true), EACCES);
    assert_int_equal(after_renewal(NULL, false), 0);
}

/* O127 */
static void test_modes(void **state)
{
    static const char *const wrong[] = {"", "On", "yes", "auto ", "offf"};
    enum sandbox_mode mode;
    char reason[SANDBOX_REASON_MAX];
    assert_int_equal(sandbox_mode_parse("auto", &mode), 0);
    assert_int_equal(mode, SANDBOX_AUTO);
    assert_int_equal(sandbox_mode_parse("on", &mode), 0);
    assert_int_equal(mode, SANDBOX_ON);
    assert_int_equal(sandbox_mode_parse("off", &mode), 0);
    assert_int_equal(mode, SANDBOX_OFF);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(sandbox_mode_check(wrong[i]), ERR_SYNTAX);
    struct sandbox *s = sandbox_new();
    assert_int_equal(sandbox_possible(s, SANDBOX_AUTO, reason), 0);
    assert_int_equal(sandbox_enter(s, SANDBOX_OFF, reason), 0);
    assert_true(access("/etc/passwd", R_OK) == 0);
    sandbox_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_modes),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_renewal),
    };
    return cmocka_run_group_tests_name("sandbox", tests, set_up, tear_down);
}
