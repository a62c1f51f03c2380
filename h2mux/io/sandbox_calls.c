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
    SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(getppid), SCMP_SYS(getpgrp), SCMP_SYS(getpgid), SCMP_SYS(getuid), SCMP_SYS(geteuid),
    SCMP_SYS(getgid), SCMP_SYS(getegid), SCMP_SYS(getgroups), SCMP_SYS(getrandom),
    SCMP_SYS(getrlimit), SCMP_SYS(ugetrlimit), SCMP_SYS(getrusage), SCMP_SYS(times),
    SCMP_SYS(sysinfo), SCMP_SYS(uname), SCMP_SYS(capget), SCMP_SYS(capset),
    SCMP_SYS(landlock_restrict_self),
};

/* ioctl: how much waits in a socket, whether it blocks; and of a terminal its size, its modes, which
 * are set and restored, and who is in the foreground. */
static const unsigned long requests[] = {FIONREAD,   TIOCOUTQ, FIONBIO, TCGETS,   TCSETS,
                                         TCSETSW,    TCSETSF,  TIOCGWINSZ, TIOCGPGRP};

static const int deadly[] = {SCMP_SYS(execve), SCMP_SYS(execveat), SCMP_SYS(ptrace)};
/* clang-format on */

static struct scmp_arg_cmp is(unsigned n, uint64_t value)
{
    return (struct scmp_arg_cmp){n, SCMP_CMP_EQ, value, 0};
}

static struct scmp_arg_cmp at_most(unsigned n, uint64_t value)
{
    return (struct scmp_arg_cmp){n, SCMP_CMP_LE, value, 0};
}

static struct scmp_arg_cmp masked(unsigned n, uint64_t mask, uint64_t value)
{
    return (struct scmp_arg_cmp){n, SCMP_CMP_MASKED_EQ, mask, value};
}

/* These allow a call whose arguments are such. */
static int allow_if(scmp_filter_ctx ctx, int call, struct scmp_arg_cmp arg)
{
    return seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, call, 1, &arg);
}

static int allow_if_both(scmp_filter_ctx ctx, int call, struct scmp_arg_cmp a,
                         struct scmp_arg_cmp b)
{
    const struct scmp_arg_cmp args[] = {a, b};
    return seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, call, 2, args);
}

static int add_plain(scmp_filter_ctx ctx)
{
    int err = 0;
    for (size_t i = 0; i < sizeof plain / sizeof *plain && err == 0; i++)
        err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, plain[i], 0);
    for (size_t i = 0; i < sizeof deadly / sizeof *deadly && err == 0; i++)
        err = seccomp_rule_add(ctx, SCMP_ACT_KILL_PROCESS, deadly[i], 0);
    for (size_t i = 0; i < sizeof requests / sizeof *requests && err == 0; i++)
        err = allow_if(ctx, SCMP_SYS(ioctl), masked(1, UINT32_MAX, requests[i]));
    return err;
}

/* Threads, but no processes; clone3 is for load_quiet. Signals go to our own threads alone. */
static int add_threads(scmp_filter_ctx ctx)
{
    int err = allow_if(ctx, SCMP_SYS(clone), masked(0, CLONE_THREAD, CLONE_THREAD));
    if (err == 0)
        err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(clone3), 0);
    if (err == 0)
        err = allow_if(ctx, SCMP_SYS(tgkill), is(0, (uint64_t)getpid()));
    if (err == 0)
        err = allow_if(ctx, SCMP_SYS(kill), is(0, (uint64_t)getpid()));
    if (err == 0)
        err = allow_if(ctx, SCMP_SYS(prctl), is(0, PR_SET_NAME));
    if (err == 0) /* to read a limit */
        err = allow_if(ctx, SCMP_SYS(prlimit64), is(2, 0));
    return err;
}

/* Memory that is executable, never; if @code is set, only while it cannot be written. */
static int add_memory(scmp_filter_ctx ctx, bool code)
{
    static const int calls[] = {SCMP_SYS(mmap), SCMP_SYS(mmap2), SCMP_SYS(mprotect)};
    int err = 0;
    for (size_t i = 0; i < sizeof calls / sizeof *calls && err == 0; i++) {
        err = allow_if(ctx, calls[i], masked(2, PROT_EXEC, 0));
        if (err == 0 && code)
            err = allow_if(ctx, calls[i], masked(2, PROT_EXEC | PROT_WRITE, PROT_EXEC));
    }
    return err;
}

/* Sends without connecting (MSG_FASTOPEN), and protocols other than TCP and UDP, would pass by
 * Landlock's ports. */
static int add_new_sockets(scmp_filter_ctx ctx)
{
    static const int families[] = {AF_INET, AF_INET6};
    int err = allow_if(ctx, SCMP_SYS(socket), is(0, AF_UNIX));
    for (size_t i = 0; i < sizeof families / sizeof *families && err == 0; i++)
        err = allow_if_both(ctx, SCMP_SYS(socket), is(0, (uint64_t)families[i]),
                            at_most(2, IPPROTO_UDP));
    if (err == 0) /* getaddrinfo asks the kernel which addresses the machine has */
        err = allow_if_both(ctx, SCMP_SYS(socket), is(0, AF_NETLINK), is(2, 0));
    if (err == 0)
        err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(connect), 0);
    if (err == 0) /* of netlink; Landlock refuses TCP ports */
        err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(bind), 0);
    if (err == 0)
        err = allow_if(ctx, SCMP_SYS(sendto), masked(3, MSG_FASTOPEN, 0));
    if (err == 0)
        err = allow_if(ctx, SCMP_SYS(sendmsg), masked(2, MSG_FASTOPEN, 0));
    if (err == 0)
        err = allow_if(ctx, SCMP_SYS(sendmmsg), masked(3, MSG_FASTOPEN, 0));
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

/* Loads a filter that refuses clone3 and logs nothing. Its flags are in memory, where no filter
 * looks, and glibc makes threads by clone where there is no clone3. The filter that logs allows it:
 * of two filters the stricter answer counts. */
static int load_quiet(void)
{
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
    if (!ctx)
        return -ENOMEM;
    int err = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1);
    if (err == 0)
        err = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    if (err == 0)
        err = seccomp_load(ctx);
    seccomp_release(ctx);
    return err;
}

int calls_enter(bool sockets, bool code)
{
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    if (!ctx)
        return ENOMEM;
    int err = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1);
    if (err == 0)
        err = load_quiet();
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
