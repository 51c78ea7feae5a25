/* Socket options, fcntl and ioctl of Tapwire's sockets. */
#define _GNU_SOURCE
#include "tapwire.h"

#include <asm/socket.h>
#include <errno.h>
#include <fcntl.h>
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

EXPORT int setsockopt(int fd, int level, int name, const void *value, socklen_t length)
{
    if (!tw_is_ours(tw_kind(fd)))
        return REAL(setsockopt)(fd, level, name, value, length);
    int result = is_native(level, name) ? REAL(setsockopt)(fd, level, name, value, length)
                                        : tw_result((int)length < 0 ? EINVAL : tw_set_option(fd, level, name, value, length));
    if (result == 0)
        tw_remember_option(fd, level, name, value, length);
    return result;
}

/* The driver knows why a connection failed. If it has forgotten the socket, or is gone, the descriptor still shows that it failed. */
static int pending_error(int fd)
{
    int known = 0, native = 0;
    socklen_t size = sizeof known;
    if (tw_get_option(fd, SOL_SOCKET, SO_ERROR, &known, &size) != 0)
        known = 0;
    size = sizeof native;
    REAL(getsockopt)(fd, SOL_SOCKET, SO_ERROR, &native, &size);
    return known == 0 ? native : known;
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
        memcpy(result, &(int){ pending_error(fd) }, sizeof(int));
    else {
        whole = room < sizeof result ? room : sizeof result;
        error = tw_get_option(fd, level, name, result, &whole);
        if (error != 0)
            return tw_result(error);
    }

    return tw_result(tw_write_value(value, room, length, result, whole, room < whole ? room : whole));
}

EXPORT int ioctl(int fd, unsigned long request, ...)
{
    va_list arguments;
    va_start(arguments, request);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    if (request != FIONREAD || !tw_is_datagram(tw_known(fd)))
        return REAL(ioctl)(fd, request, argument);
    int waiting = tw_datagram_waiting(fd);
    if (waiting < 0)
        return REAL(ioctl)(fd, request, argument);
    struct iovec vector = { .iov_base = argument, .iov_len = sizeof waiting };
    return tw_result(tw_copy_out(&vector, 1, &waiting, sizeof waiting) == sizeof waiting ? 0 : EFAULT);
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
