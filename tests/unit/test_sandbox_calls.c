/* SPDX-License-Identifier: MIT */
/* test_sandbox_calls.c - tests which system calls and ports a process has that has entered, and
 * what threads that were there before have: rules O125, O126, O128 */
#include "sandbox_world.h"

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

/* glibc asks for it first, and takes clone then. */
static int clone_by_struct(void)
{
    struct {
        uint64_t flags[11];
    } args = {{0, 0, 0, 0, SIGCHLD}};
    long child = syscall(SYS_clone3, &args, (size_t)64);
    if (child == 0)
        _exit(0);
    return (int)child;
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

static const struct attempt calls[] = {
    {"execve", run_program, -SIGSYS, -SIGSYS},
    {"execveat", run_by_descriptor, -SIGSYS, -SIGSYS},
    {"ptrace", trace, -SIGSYS, -SIGSYS},
    {"fork", make_process, EPERM, EPERM},
    {"clone3", clone_by_struct, ENOSYS, ENOSYS},
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

/* O125, O128 */
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

static const struct attempt ports[] = {
    {"connect to the allowed port", connect_allowed, EPERM, 0},
    {"connect to another port", connect_other, EPERM, EACCES},
    {"MSG_FASTOPEN", send_without_connect, EPERM, EPERM},
    {"another protocol", other_protocol, EPERM, EPERM},
    {"packets", packets, EPERM, EPERM},
    {"bind a port", offer_port, EPERM, EACCES},
    {"a unix socket", unix_socket, EPERM, 0},
    {"getaddrinfo", ask_for_name, ENOENT, 0},
};

/* O126, O128 */
static void test_ports(void **state)
{
    judge(ports, sizeof ports / sizeof *ports);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calls),
        cmocka_unit_test(test_ports),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests_name("sandbox_calls", tests, set_up, tear_down);
}
