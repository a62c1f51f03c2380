/* SPDX-License-Identifier: MIT */
/* sandbox_calls.c - makes the list of system calls by libseccomp. Calls whose arguments need no
 * look cost the kernel one bit to look up (Linux 5.11), so those of a request's way are among them.
 */
#include <errno.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "h2mux/io/sandbox_int.h"

/* clang-format off */
static const int plain[] = {
    /* descriptors */
    SCMP_SYS(read), SCMP_SYS(readv), SCMP_SYS(pread64), SCMP_SYS(preadv),
    SCMP_SYS(write), SCMP_SYS(writev), SCMP_SYS(pwrite64), SCMP_SYS(pwritev),
    SCMP_SYS(close), SCMP_SYS(close_range), SCMP_SYS(dup), SCMP_SYS(dup2), SCMP_SYS(dup3),
    SCMP_SYS(fcntl), SCMP_SYS(fcntl64), SCMP_SYS(lseek), SCMP_SYS(_llseek),
    SCMP_SYS(pipe), SCMP_SYS(pipe2), SCMP_SYS(eventfd2), SCMP_SYS(socketpair),
    SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(select), SCMP_SYS(_newselect), SCMP_SYS(pselect6),
    SCMP_SYS(epoll_create1), SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait),
    SCMP_SYS(epoll_pwait2), SCMP_SYS(timerfd_create), SCMP_SYS(timerfd_settime),
    /* sockets that are there */
    SCMP_SYS(accept), SCMP_SYS(accept4), SCMP_SYS(shutdown), SCMP_SYS(recvfrom),
    SCMP_SYS(recvmsg), SCMP_SYS(recvmmsg), SCMP_SYS(getsockopt), SCMP_SYS(setsockopt),
    SCMP_SYS(getsockname), SCMP_SYS(getpeername),
    /* files, as far as Landlock allows them */
    SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(stat), SCMP_SYS(stat64), SCMP_SYS(lstat),
    SCMP_SYS(lstat64), SCMP_SYS(fstat), SCMP_SYS(fstat64), SCMP_SYS(newfstatat),
    SCMP_SYS(fstatat64), SCMP_SYS(statx), SCMP_SYS(access), SCMP_SYS(faccessat),
    SCMP_SYS(faccessat2), SCMP_SYS(readlink), SCMP_SYS(readlinkat), SCMP_SYS(getdents64),
    SCMP_SYS(getcwd), SCMP_SYS(rename), SCMP_SYS(renameat), SCMP_SYS(renameat2), SCMP_SYS(link),
    SCMP_SYS(linkat), SCMP_SYS(unlink), SCMP_SYS(unlinkat), SCMP_SYS(mkdir), SCMP_SYS(mkdirat),
    SCMP_SYS(ftruncate), SCMP_SYS(ftruncate64), SCMP_SYS(fchmod), SCMP_SYS(fsync),
    SCMP_SYS(fdatasync), SCMP_SYS(flock), SCMP_SYS(umask),
    /* memory and threads */
    SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(futex),
    SCMP_SYS(futex_time64), SCMP_SYS(set_robust_list), SCMP_SYS(get_robust_list), SCMP_SYS(rseq),
    SCMP_SYS(set_tid_address), SCMP_SYS(arch_prctl), SCMP_SYS(membarrier), SCMP_SYS(sched_yield),
    SCMP_SYS(sched_getaffinity), SCMP_SYS(getcpu), SCMP_SYS(exit), SCMP_SYS(exit_group),
    /* signals and time */
    SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn),
    SCMP_SYS(rt_sigsuspend), SCMP_SYS(rt_sigtimedwait), SCMP_SYS(sigaltstack),
    SCMP_SYS(sigreturn), SCMP_SYS(restart_syscall), SCMP_SYS(pause), SCMP_SYS(nanosleep),
    SCMP_SYS(clock_nanosleep), SCMP_SYS(clock_gettime), SCMP_SYS(clock_gettime64),
    SCMP_SYS(clock_getres), SCMP_SYS(gettimeofday), SCMP_SYS(time),
    /* what the process asks about itself; and to lose more */
    SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(getppid), SCMP_SYS(getuid), SCMP_SYS(geteuid),
    SCMP_SYS(getgid), SCMP_SYS(getegid), SCMP_SYS(getgroups), SCMP_SYS(getrandom),
    SCMP_SYS(getrlimit), SCMP_SYS(ugetrlimit), SCMP_SYS(getrusage), SCMP_SYS(times),
    SCMP_SYS(sysinfo), SCMP_SYS(uname), SCMP_SYS(capget), SCMP_SYS(capset),
    SCMP_SYS(landlock_restrict_self),
};

/* ioctl: how much waits in a socket, whether it blocks, whether it is a terminal and how large. */
static const unsigned long requests[] = {FIONREAD, TIOCOUTQ, FIONBIO, TCGETS, TIOCGWINSZ};

static const int deadly[] = {SCMP_SYS(execve), SCMP_SYS(execveat), SCMP_SYS(ptrace)};
/* clang-format on */

#define ALLOW(ctx, call, ...)                                                                      \
    seccomp_rule_add_array((ctx), SCMP_ACT_ALLOW, SCMP_SYS(call),                                  \
                           sizeof((struct scmp_arg_cmp[]){__VA_ARGS__}) /                          \
                               sizeof(struct scmp_arg_cmp),                                        \
                           (struct scmp_arg_cmp[]){__VA_ARGS__})

static int add_plain(scmp_filter_ctx ctx)
{
    int err = 0;
    for (size_t i = 0; i < sizeof plain / sizeof *plain && err == 0; i++)
        err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, plain[i], 0);
    for (size_t i = 0; i < sizeof deadly / sizeof *deadly && err == 0; i++)
        err = seccomp_rule_add(ctx, SCMP_ACT_KILL_PROCESS, deadly[i], 0);
    for (size_t i = 0; i < sizeof requests / sizeof *requests && err == 0; i++)
        err = ALLOW(ctx, ioctl, SCMP_A1(SCMP_CMP_MASKED_EQ, UINT32_MAX, requests[i]));
    return err;
}

/* Threads, but no processes. glibc makes them by clone when there is no clone3, whose flags are in
 * memory, where no filter looks. Signals go to our own threads alone. */
static int add_threads(scmp_filter_ctx ctx)
{
    int err = ALLOW(ctx, clone, SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD));
    if (err == 0)
        err = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    if (err == 0)
        err = ALLOW(ctx, tgkill, SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid()));
    if (err == 0)
        err = ALLOW(ctx, prctl, SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME));
    if (err == 0) /* to read a limit */
        err = ALLOW(ctx, prlimit64, SCMP_A2(SCMP_CMP_EQ, 0));
    return err;
}

/* Memory that is executable, never; if @code is set, only while it cannot be written. */
static int add_memory(scmp_filter_ctx ctx, bool code)
{
    static const int calls[] = {SCMP_SYS(mmap), SCMP_SYS(mmap2), SCMP_SYS(mprotect)};
    int err = 0;
    for (size_t i = 0; i < sizeof calls / sizeof *calls && err == 0; i++) {
        err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, calls[i], 1,
                               SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
        if (err == 0 && code)
            err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, calls[i], 1,
                                   SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC | PROT_WRITE, PROT_EXEC));
    }
    return err;
}

/* Sends without connecting (MSG_FASTOPEN), and protocols other than TCP and UDP, would pass by
 * Landlock's ports. */
static int add_new_sockets(scmp_filter_ctx ctx)
{
    static const int families[] = {AF_INET, AF_INET6};
    int err = ALLOW(ctx, socket, SCMP_A0(SCMP_CMP_EQ, AF_UNIX));
    for (size_t i = 0; i < sizeof families / sizeof *families && err == 0; i++)
        err = ALLOW(ctx, socket, SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)families[i]),
                    SCMP_A2(SCMP_CMP_LE, IPPROTO_UDP));
    if (err == 0) /* getaddrinfo asks the kernel which addresses the machine has */
        err = ALLOW(ctx, socket, SCMP_A0(SCMP_CMP_EQ, AF_NETLINK), SCMP_A2(SCMP_CMP_EQ, 0));
    if (err == 0)
        err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(connect), 0);
    if (err == 0) /* of netlink; Landlock refuses TCP ports */
        err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(bind), 0);
    if (err == 0)
        err = ALLOW(ctx, sendto, SCMP_A3(SCMP_CMP_MASKED_EQ, MSG_FASTOPEN, 0));
    if (err == 0)
        err = ALLOW(ctx, sendmsg, SCMP_A2(SCMP_CMP_MASKED_EQ, MSG_FASTOPEN, 0));
    if (err == 0)
        err = ALLOW(ctx, sendmmsg, SCMP_A3(SCMP_CMP_MASKED_EQ, MSG_FASTOPEN, 0));
    return err;
}

static int add_old_sockets(scmp_filter_ctx ctx)
{
    static const int calls[] = {SCMP_SYS(sendto), SCMP_SYS(sendmsg), SCMP_SYS(sendmmsg)};
    int err = 0;
    for (size_t i = 0; i < sizeof calls / sizeof *calls && err == 0; i++)
        err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, calls[i], 0);
    return err;
}

bool calls_possible(void)
{
    const uint32_t action = SECCOMP_RET_KILL_PROCESS;
    return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

int calls_enter(bool sockets, bool code)
{
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    if (!ctx)
        return ENOMEM;
    int err = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1);
    if (err == 0)
        err = add_plain(ctx);
    if (err == 0)
        err = add_threads(ctx);
    if (err == 0)
        err = add_memory(ctx, code);
    if (err == 0)
        err = sockets ? add_new_sockets(ctx) : add_old_sockets(ctx);
    if (err == 0) {
        (void)!seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a search by halves */
        (void)!seccomp_attr_set(ctx, SCMP_FLTATR_CTL_LOG, 1);      /* Linux 4.14 */
        err = seccomp_load(ctx);
    }
    seccomp_release(ctx);
    return -err;
}
