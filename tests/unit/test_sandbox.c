/* SPDX-License-Identifier: MIT */
/* test_sandbox.c - enters the sandbox in a child process for each thing that is forbidden or
 * allowed there, and tries that thing: rules O124 to O126 */
#include "h2mux/io/sandbox.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "h2mux/base/alloc.h"
#include "h2mux/base/err.h"
#include "h2mux/base/log.h"

enum { OTHER_PROTOCOL = 132 /* SCTP */, WRONG = 99 };

static char dir[64];
static int listening = -1; /* a TCP socket that listens */
static uint16_t port, other_port;

static const char *at(const char *file)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", dir, file);
    return path;
}

static void put(const char *file)
{
    int fd = open(at(file), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    close(fd);
}

static int listen_on(uint16_t *out)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    *out = ntohs(a.sin_port);
    return fd;
}

static int set_up(void **state)
{
    snprintf(dir, sizeof dir, "/tmp/test_sandbox.XXXXXX");
    if (log_open(NULL, LOG_WARN, false) < 0 || !mkdtemp(dir))
        return -1;
    const char *const folders[] = {"state", "live", "live2", "archive", "log", "out"};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        assert_int_equal(mkdir(at(folders[i]), 0700), 0);
    put("state/names");
    put("archive/cert1.pem");
    put("archive/cert2.pem");
    put("out/other");
    put("live2/now.pem");
    char real[128];
    snprintf(real, sizeof real, "%s", at("live/cert.pem"));
    assert_int_equal(symlink("../archive/cert1.pem", real), 0);
    listening = listen_on(&port);
    listen_on(&other_port);
    return 0;
}

static int tear_down(void **state)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command);
}

static bool can_enter(void)
{
    char reason[SANDBOX_REASON_MAX];
    struct sandbox *s = sandbox_new();
    sandbox_allow_port(s, 1);
    bool can = sandbox_possible(s, SANDBOX_ON, reason) == 0;
    sandbox_free(s);
    return can;
}

/* Enters as a server does, or as a client does, which makes sockets and loads code. */
static void enter(bool client)
{
    char reason[SANDBOX_REASON_MAX], path[128];
    struct sandbox *s = sandbox_new();
    sandbox_allow_write(s, at("state"));
    sandbox_allow_renewed(s, at("live/cert.pem"));
    snprintf(path, sizeof path, "%s", at("log/access.log"));
    sandbox_allow_append(s, path);
    if (client) {
        sandbox_allow_port(s, port);
        sandbox_allow_names(s);
    }
    if (sandbox_enter(s, SANDBOX_ON, reason) < 0) {
        fprintf(stderr, "%s\n", reason);
        _exit(WRONG);
    }
    sandbox_free(s);
}

/* Enters in a child process and calls @act there. Returns the errno of @act, 0 when it succeeded,
 * or minus the signal that ended the child. */
static int tried(bool client, int (*act)(void))
{
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        enter(client);
        errno = 0;
        _exit(act() < 0 ? errno : 0);
    }
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static int opens(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC, 0600);
    if (fd >= 0)
        close(fd);
    return fd;
}

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

static const struct
try {
    const char *what;
    int (*act)(void);
    int server, client; /* errno, or minus a signal */
}
files[] = {
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

static void judge(const struct try *t, size_t n)
{
    if (!can_enter())
        skip();
    for (size_t i = 0; i < n; i++) {
        print_message("%s\n", t[i].what);
        assert_int_equal(tried(false, t[i].act), t[i].server);
        assert_int_equal(tried(true, t[i].act), t[i].client);
    }
}

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

/* ---- calls */

static int run_program(void)
{
    char name[] = "true";
    char *const argv[] = {name, NULL};
    return execv("/bin/true", argv);
}

static int run_by_descriptor(void)
{
    return (int)syscall(SYS_execveat, listening, "", NULL, NULL, AT_EMPTY_PATH);
}

static int trace(void)
{
    return (int)ptrace(PTRACE_ATTACH, getppid(), NULL, NULL);
}

static int make_process(void)
{
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    return child;
}

static int kill_parent(void)
{
    return kill(getppid(), SIGURG);
}

static int signal_thread_of_parent(void)
{
    return (int)syscall(SYS_tgkill, getppid(), getppid(), SIGURG);
}

static int become_root(void)
{
    return (int)syscall(SYS_setuid, 0);
}

static int change_mode(void)
{
    return chmod(at("state/names"), 0666);
}

static int map_code(void)
{
    return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED
               ? -1
               : 0;
}

static int map_writable_code(void)
{
    void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return mprotect(p, 4096, PROT_READ | PROT_WRITE | PROT_EXEC);
}

static int type_into_terminal(void)
{
    return ioctl(0, TIOCSTI, "x");
}

static int make_namespace(void)
{
    return unshare(CLONE_NEWUSER);
}

static int make_ring(void)
{
    return (int)syscall(425 /* io_uring_setup */, 1, NULL);
}

static int load_filter(void)
{
    return (int)syscall(SYS_bpf, 0, NULL, 0);
}

static int be_dumpable(void)
{
    return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

static int raise_limit(void)
{
    const struct rlimit r = {64, 64};
    return setrlimit(RLIMIT_NOFILE, &r);
}

static void *nothing(void *arg)
{
    return arg;
}

static int start_thread(void)
{
    pthread_t t;
    int err = pthread_create(&t, NULL, nothing, NULL);
    if (err == 0)
        pthread_join(t, NULL);
    errno = err;
    return err == 0 ? 0 : -1;
}

static int use_memory(void)
{
    void *p = xcalloc(1, (size_t)64 << 20);
    free(p);
    return 0;
}

static const struct try calls[] = {
    {"execve", run_program, -SIGSYS, -SIGSYS},
    {"execveat", run_by_descriptor, -SIGSYS, -SIGSYS},
    {"ptrace", trace, -SIGSYS, -SIGSYS},
    {"fork", make_process, EPERM, EPERM},
    {"kill", kill_parent, EPERM, EPERM},
    {"tgkill of another process", signal_thread_of_parent, EPERM, EPERM},
    {"setuid", become_root, EPERM, EPERM},
    {"chmod", change_mode, EPERM, EPERM},
    {"map code", map_code, EPERM, 0},
    {"make memory writable and executable", map_writable_code, EPERM, EPERM},
    {"TIOCSTI", type_into_terminal, EPERM, EPERM},
    {"unshare", make_namespace, EPERM, EPERM},
    {"io_uring_setup", make_ring, EPERM, EPERM},
    {"bpf", load_filter, EPERM, EPERM},
    {"be dumpable", be_dumpable, EPERM, EPERM},
    {"set a limit", raise_limit, EPERM, EPERM},
    {"start a thread", start_thread, 0, 0},
    {"use memory", use_memory, 0, 0},
};

/* O125 */
static void test_calls(void **state)
{
    judge(calls, sizeof calls / sizeof *calls);
}

/* ---- ports */

static int connect_to(uint16_t number)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons(number),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return fd < 0 ? -1 : connect(fd, (struct sockaddr *)&a, sizeof a);
}

static int connect_allowed(void)
{
    return connect_to(port);
}

static int connect_other(void)
{
    return connect_to(other_port);
}

static int send_without_connect(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons(other_port),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    return (int)sendto(fd, "x", 1, MSG_FASTOPEN, (struct sockaddr *)&a, sizeof a);
}

static int other_protocol(void)
{
    return socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, OTHER_PROTOCOL);
}

static int packets(void)
{
    return socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
}

static int offer_port(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return fd < 0 ? -1 : bind(fd, (struct sockaddr *)&a, sizeof a);
}

static int unix_socket(void)
{
    return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static int ask_for_name(void)
{
    struct addrinfo *list = NULL;
    int err = getaddrinfo("localhost", "80", &(struct addrinfo){.ai_flags = AI_ADDRCONFIG}, &list);
    if (list)
        freeaddrinfo(list);
    errno = ENOENT;
    return err == 0 ? 0 : -1;
}

static const struct try ports[] = {
    {"connect to the allowed port", connect_allowed, EPERM, 0},
    {"connect to another port", connect_other, EPERM, EACCES},
    {"MSG_FASTOPEN", send_without_connect, EPERM, EPERM},
    {"another protocol", other_protocol, EPERM, EPERM},
    {"packets", packets, EPERM, EPERM},
    {"bind a port", offer_port, EPERM, EACCES},
    {"a unix socket", unix_socket, EPERM, 0},
    {"getaddrinfo", ask_for_name, ENOENT, 0},
};

/* O126 */
static void test_ports(void **state)
{
    judge(ports, sizeof ports / sizeof *ports);
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

/* O126: a thread that was there before loses its calls with the others, and files when it asks. */
static struct sandbox *shared;
static int step[2], report[2];

static void *old_thread(void *arg)
{
    char byte;
    int seen[3];
    (void)!read(step[0], &byte, 1);
    seen[0] = chmod(at("out/other"), 0600) == 0 ? 0 : errno;
    sandbox_enter_thread(shared);
    seen[1] = opens(at("out/other"), O_RDONLY) >= 0 ? 0 : errno;
    seen[2] = connect_other() == 0 ? 0 : errno;
    (void)!write(report[1], seen, sizeof seen);
    return NULL;
}

static void test_threads(void **state)
{
    int seen[3] = {0}, status;
    if (!can_enter())
        skip();
    assert_int_equal(pipe(step), 0);
    assert_int_equal(pipe(report), 0);
    pid_t child = fork();
    if (child == 0) {
        char reason[SANDBOX_REASON_MAX];
        pthread_t t;
        if (pthread_create(&t, NULL, old_thread, NULL) != 0)
            _exit(WRONG);
        shared = sandbox_new();
        sandbox_allow_port(shared, port);
        if (sandbox_enter(shared, SANDBOX_ON, reason) < 0)
            _exit(WRONG);
        (void)!write(step[1], "x", 1);
        pthread_join(t, NULL);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(read(report[0], seen, sizeof seen), sizeof seen);
    assert_int_equal(seen[0], EPERM);
    assert_int_equal(seen[1], EACCES);
    assert_int_equal(seen[2], EACCES);
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
        cmocka_unit_test(test_modes),   cmocka_unit_test(test_files),
        cmocka_unit_test(test_calls),   cmocka_unit_test(test_ports),
        cmocka_unit_test(test_renewal), cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests_name("sandbox", tests, set_up, tear_down);
}
