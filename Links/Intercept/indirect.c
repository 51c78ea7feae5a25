/* syscall(): some programs, libuv for one, make calls by number. Those that concern sockets and descriptors are treated as the functions of these names. */
#define _GNU_SOURCE
#include "control.h"
#include "syscall.h"
#include "tapwire.h"

#include <linux/sched.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

/* Calls that go on to the next library. Those that begin a socket are not among them: they never go by the kernel unseen. */
static bool goes_on(long number)
{
    switch (number) {
    case SYS_sendto:
    case SYS_sendmsg:
    case SYS_sendmmsg:
    case SYS_recvfrom:
    case SYS_recvmsg:
    case SYS_recvmmsg:
    case SYS_read:
    case SYS_write:
    case SYS_readv:
    case SYS_writev:
    case SYS_close:
    case SYS_close_range:
    case SYS_dup:
#ifdef SYS_dup2
    case SYS_dup2:
#endif
    case SYS_dup3:
        return true;
    default:
        return false;
    }
}

static long by_number(long number, long a, long b, long c, long d, long e, long f)
{
    switch (number) {
    case SYS_socket:
        return socket((int)a, (int)b, (int)c);
    case SYS_socketpair:
        return socketpair((int)a, (int)b, (int)c, (int *)d);
    case SYS_connect:
        return connect((int)a, (const struct sockaddr *)b, (socklen_t)c);
    case SYS_bind:
        return bind((int)a, (const struct sockaddr *)b, (socklen_t)c);
    case SYS_listen:
        return listen((int)a, (int)b);
    case SYS_accept:
        return accept((int)a, (struct sockaddr *)b, (socklen_t *)c);
    case SYS_accept4:
        return accept4((int)a, (struct sockaddr *)b, (socklen_t *)c, (int)d);
    case SYS_getsockname:
        return getsockname((int)a, (struct sockaddr *)b, (socklen_t *)c);
    case SYS_getpeername:
        return getpeername((int)a, (struct sockaddr *)b, (socklen_t *)c);
    case SYS_ioctl:
        return ioctl((int)a, (unsigned long)b, (void *)c);
    case SYS_setsockopt:
        return setsockopt((int)a, (int)b, (int)c, (const void *)d, (socklen_t)e);
    case SYS_getsockopt:
        return getsockopt((int)a, (int)b, (int)c, (void *)d, (socklen_t *)e);
    case SYS_shutdown:
        return shutdown((int)a, (int)b);
    case SYS_sendto:
        return sendto((int)a, (const void *)b, (size_t)c, (int)d, (const struct sockaddr *)e, (socklen_t)f);
    case SYS_sendmsg:
        return sendmsg((int)a, (const struct msghdr *)b, (int)c);
    case SYS_sendmmsg:
        return sendmmsg((int)a, (struct mmsghdr *)b, (unsigned)c, (int)d);
    case SYS_recvfrom:
        return recvfrom((int)a, (void *)b, (size_t)c, (int)d, (struct sockaddr *)e, (socklen_t *)f);
    case SYS_recvmsg:
        return recvmsg((int)a, (struct msghdr *)b, (int)c);
    case SYS_recvmmsg:
        return recvmmsg((int)a, (struct mmsghdr *)b, (unsigned)c, (int)d, (struct timespec *)e);
    case SYS_read:
        return read((int)a, (void *)b, (size_t)c);
    case SYS_write:
        return write((int)a, (const void *)b, (size_t)c);
    case SYS_readv:
        return readv((int)a, (const struct iovec *)b, (int)c);
    case SYS_writev:
        return writev((int)a, (const struct iovec *)b, (int)c);
    case SYS_close:
        return close((int)a);
    case SYS_close_range:
        return close_range((unsigned)a, (unsigned)b, (int)c);
    case SYS_dup:
        return dup((int)a);
#ifdef SYS_dup2
    case SYS_dup2:
        return dup2((int)a, (int)b);
#endif
    case SYS_dup3:
        return dup3((int)a, (int)b, (int)c);
#ifdef SYS_fork
    case SYS_fork:
        return tw_fork_by(number, a, b, c, d, e, f);
#endif
    case SYS_clone:
        /* With a stack of its own the child could not return from here, as it could not from libc's function. */
        return (a & (CLONE_VM | CLONE_FILES)) == 0 && b == 0 ? tw_fork_by(number, a, b, c, d, e, f) : tw_syscall(number, a, b, c, d, e, f);
#ifdef SYS_clone3
    case SYS_clone3: {
        const struct clone_args *how = (const struct clone_args *)a;
        bool is_fork = (size_t)b >= offsetof(struct clone_args, tls) && tw_can_read(how, offsetof(struct clone_args, tls))
            && (how->flags & (CLONE_VM | CLONE_FILES)) == 0 && how->stack == 0;
        return is_fork ? tw_fork_by(number, a, b, c, d, e, f) : tw_syscall(number, a, b, c, d, e, f);
    }
#endif
    case SYS_execve:
        return execve((const char *)a, (char *const *)b, (char *const *)c);
    case SYS_execveat:
        return execveat((int)a, (const char *)b, (char *const *)c, (char *const *)d, (int)e);
    default: {
        bool loses = tw_loses_path(number, a);
        if (loses)
            tw_keep_reach();
        long result = tw_syscall(number, a, b, c, d, e, f);
        if (loses)
            tw_is_away = true;
        if (number == SYS_seccomp || (number == SYS_prctl && loses))
            tw_is_confined |= result == 0;
        return result;
    }
    }
}

/* The call of this thread that has gone on to the next library. */
static __thread long going_on __attribute__((tls_model("initial-exec"))) = -1;

EXPORT long syscall(long number, ...)
{
    va_list arguments;
    va_start(arguments, number);
    long a = va_arg(arguments, long), b = va_arg(arguments, long), c = va_arg(arguments, long);
    long d = va_arg(arguments, long), e = va_arg(arguments, long), f = va_arg(arguments, long);
    va_end(arguments);
    if (!goes_on(number))
        return by_number(number, a, b, c, d, e, f);

    /* A library that is preloaded behind this one may have a function of that name which comes back here. */
    if (going_on == number)
        return tw_syscall(number, a, b, c, d, e, f);
    long before = going_on;
    going_on = number;
    long result = by_number(number, a, b, c, d, e, f);
    going_on = before;
    return result;
}
