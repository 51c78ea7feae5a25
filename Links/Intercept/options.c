/* Socket options, fcntl and ioctl of Tapwire's sockets. */
#define _GNU_SOURCE
#include "tapwire.h"

#include <asm/socket.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>

DEFINE_REAL(setsockopt)
DEFINE_REAL(getsockopt)
DEFINE_REAL(ioctl)
DEFINE_REAL(fcntl)

/* Options of the pair itself: read and write are the kernel's own, and so are their time-outs. */
static bool is_native(int level, int name)
{
    return level == SOL_SOCKET
        && (name == SO_RCVTIMEO_OLD || name == SO_RCVTIMEO_NEW || name == SO_SNDTIMEO_OLD || name == SO_SNDTIMEO_NEW || name == SO_RCVLOWAT
            || name == SO_COOKIE);
}

/* Options that take a privilege, which the kernel checks best: CAP_NET_ADMIN, or another in the namespace that the socket belongs to. */
static bool needs_privilege(int level, int name)
{
    return level == SOL_SOCKET
        && (name == SO_DEBUG || name == SO_PRIORITY || name == SO_MARK || name == SO_SNDBUFFORCE || name == SO_RCVBUFFORCE || name == SO_BUSY_POLL
            || name == SO_PREFER_BUSY_POLL || name == SO_BUSY_POLL_BUDGET);
}

/* The time-outs of a listener hold for the connections that it accepts, whose descriptors the driver makes. */
static void tell_listener(int fd, int name, const void *value, socklen_t length)
{
    enum tw_kind kind = tw_known(fd);
    if (name != SO_COOKIE && (kind == TW_STREAM_FRESH || kind == TW_LISTENER))
        tw_set_option(fd, SOL_SOCKET, name, value, length);
}

EXPORT int setsockopt(int fd, int level, int name, const void *value, socklen_t length)
{
    if (!tw_is_ours(tw_kind(fd)))
        return REAL(setsockopt)(fd, level, name, value, length);
    if (is_native(level, name)) {
        int result = REAL(setsockopt)(fd, level, name, value, length);
        if (result == 0) {
            tell_listener(fd, name, value, length);
            tw_remember_option(fd, level, name, value, length);
        }

        return result;
    }

    int error = (int)length < 0 ? EINVAL : needs_privilege(level, name) ? tw_stand_in_set(fd, level, name, value, length) : 0;
    if (error == 0)
        error = tw_set_option(fd, level, name, value, length);
    if (tw_has_ended(fd, error))
        error = tw_stand_in_set(fd, level, name, value, length);
    if (error == 0 && level == IPPROTO_TCP && name == TCP_INQ)
        tw_tell(fd, TW_TELLS_INQ, *(const int *)value != 0);
    if (error == 0)
        tw_remember_option(fd, level, name, value, length);
    return tw_result(error);
}

EXPORT int getsockopt(int fd, int level, int name, void *value, socklen_t *length)
{
    bool no_device = level == SOL_SOCKET && name == SO_BINDTODEVICE; /* empty, as the pair answers */
    if (!tw_is_ours(tw_kind(fd)) || is_native(level, name) || no_device)
        return REAL(getsockopt)(fd, level, name, value, length);
    socklen_t room, whole = sizeof(int);
    uint8_t result[TW_LONGEST_OPTION];
    int error = tw_read_length(length, &room);
    if (error != 0)
        return tw_result(error);
    if (level == SOL_SOCKET && name == SO_ERROR && tw_handle(fd) == 0)
        return -1;
    if (level == SOL_SOCKET && name == SO_ERROR)
        memcpy(result, &(int){ tw_take_error(fd) }, sizeof(int));
    else {
        whole = room < sizeof result ? room : sizeof result;
        error = tw_get_option(fd, level, name, result, &whole);
        if (tw_has_ended(fd, error)) {
            whole = room < sizeof result ? room : sizeof result;
            error = tw_stand_in_get(fd, level, name, result, &whole);
        }

        if (error != 0)
            return tw_result(error);
    }

    return tw_result(tw_write_value(value, room, length, result, whole, room < whole ? room : whole));
}

/* What a socket has written and the peer has not acknowledged, or what was never sent: part of it waits in the pair, part with the driver. */
static int bytes_out(int fd, enum tw_kind kind, int name, int *bytes)
{
    socklen_t length = sizeof *bytes;
    *bytes = 0;
    if (kind == TW_LISTENER)
        return EINVAL;
    if (tw_is_datagram(kind))
        return 0; /* a datagram is the driver's once it is written */
    int error = tw_get_option(fd, TW_LEVEL, name, bytes, &length);
    if (error != 0)
        *bytes = 0;
    return error == EBADF || error == ENOTCONN || error == ENOPROTOOPT || tw_has_ended(fd, error) ? 0 : error;
}

/* Requests about a socket whose answer is a number. False: the request is not one of them, or the pair answers it. */
static bool ask_number(int fd, unsigned long request, int *number, int *error)
{
    enum tw_kind kind = request == FIONREAD || request == TIOCOUTQ ? tw_known(fd) : tw_kind(fd);
    *error = 0;
    switch (request) {
    case FIONREAD:
        if (tw_is_datagram(kind))
            return (*number = tw_datagram_waiting(fd)) >= 0;
        *error = EINVAL;
        return kind == TW_LISTENER;
    case TIOCOUTQ: /* SIOCOUTQ */
        if (tw_is_ours(kind))
            *error = bytes_out(fd, kind, TW_OUTPUT_QUEUE, number);
        return tw_is_ours(kind);
    case SIOCOUTQNSD:
        if (tw_is_ours(kind))
            *error = bytes_out(fd, kind, TW_UNSENT_QUEUE, number);
        return tw_is_ours(kind);
    default:
        return false;
    }
}

EXPORT int ioctl(int fd, unsigned long request, ...)
{
    va_list arguments;
    va_start(arguments, request);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    int number, error, result;
    if ((request == FIONREAD || request == TIOCOUTQ || request == SIOCOUTQNSD) && ask_number(fd, request, &number, &error)) {
        struct iovec vector = { .iov_base = argument, .iov_len = sizeof number };
        if (error == 0 && tw_copy_out(&vector, 1, &number, sizeof number) != sizeof number)
            error = EFAULT;
        return tw_result(error);
    }

    if (request >> 8 == SIOCGIFNAME >> 8 && tw_is_ours(tw_kind(fd)) && tw_interface_ioctl(request, argument, &result))
        return result;
    return REAL(ioctl)(fd, request, argument);
}

EXPORT int fcntl(int fd, int command, ...)
{
    va_list arguments;
    va_start(arguments, command);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    int result = REAL(fcntl)(fd, command, argument);
    if (command == F_DUPFD || command == F_DUPFD_CLOEXEC)
        tw_note_copy(fd, result);
    return result;
}

EXPORT int fcntl64(int fd, int command, ...) __attribute__((alias("fcntl")));
