/* syscall(): some programs, libuv for one, make calls by number. Those that concern sockets and descriptors are treated as the functions of these names. */
#define _GNU_SOURCE
#include "syscall.h"
#include "tapwire.h"

#include <stdarg.h>
#include <sys/uio.h>
#include <unistd.h>

EXPORT long syscall(long number, ...)
{
    va_list arguments;
    va_start(arguments, number);
    long a = va_arg(arguments, long), b = va_arg(arguments, long), c = va_arg(arguments, long);
    long d = va_arg(arguments, long), e = va_arg(arguments, long), f = va_arg(arguments, long);
    va_end(arguments);
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
    default:
        return tw_syscall(number, a, b, c, d, e, f);
    }
}
