/* Sockets that have ended: the application still holds their descriptors, and what it asks about them is answered although the driver cannot. */
#define _GNU_SOURCE
#include "syscall.h"
#include "tapwire.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

/*
 * What this process was told of its sockets by the driver's answers, for the lowest descriptor numbers: the driver forgets the oldest of many sockets that have ended, and all
 * of them when it ends itself. Unused pages take no memory.
 */
#define TOLD 8192
static struct {
    struct tw_address local;
    _Atomic uint8_t facts;
} told[TOLD];

void tw_begin_told(int fd, int domain)
{
    if (fd < 0 || fd >= TOLD)
        return;
    sa_family_t family = (sa_family_t)domain;
    memset(&told[fd].local, 0, sizeof told[fd].local);
    memcpy(told[fd].local.bytes, &family, sizeof family);
    told[fd].facts = 0;
}

void tw_copy_told(int fd, int copy)
{
    if (copy < 0 || copy >= TOLD)
        return;
    tw_told_local(fd, &told[copy].local);
    told[copy].facts = fd >= 0 && fd < TOLD ? told[fd].facts : 0;
}

void tw_tell_local(int fd, const struct tw_address *local)
{
    if (fd >= 0 && fd < TOLD)
        told[fd].local = *local;
}

void tw_told_local(int fd, struct tw_address *local)
{
    sa_family_t family = AF_UNSPEC;
    memset(local, 0, sizeof *local);
    if (fd >= 0 && fd < TOLD)
        *local = told[fd].local;
    memcpy(&family, local->bytes, sizeof family);
    if (family == AF_UNSPEC)
        memcpy(local->bytes, &(sa_family_t){ AF_INET }, sizeof family);
}

void tw_tell(int fd, enum tw_fact fact, bool holds)
{
    if (fd < 0 || fd >= TOLD)
        return;
    if (holds)
        told[fd].facts |= (uint8_t)fact;
    else if ((told[fd].facts & fact) != 0)
        told[fd].facts &= (uint8_t)~fact;
}

bool tw_is_told(int fd, enum tw_fact fact) { return fd >= 0 && fd < TOLD && (told[fd].facts & fact) != 0; }

bool tw_is_hung_up(int fd)
{
    short events = 0;
    return tw_poll(fd, &events, 0) > 0 && (events & POLLHUP) != 0;
}

bool tw_has_ended(int fd, int error) { return (error == EBADF || error == ENETDOWN) && tw_handle(fd) != 0 && tw_is_hung_up(fd); }

/* A new socket of the kernel, of the same family and type, which never sends anything: it answers as one that has ended would. -1 and errno. */
static int stand_in(int fd)
{
    struct tw_address local;
    sa_family_t family;
    int type = SOCK_STREAM;
    socklen_t length = sizeof type;
    tw_told_local(fd, &local);
    memcpy(&family, local.bytes, sizeof family);
    RAW(getsockopt, fd, SOL_SOCKET, SO_TYPE, &type, &length);
    return (int)RAW(socket, family, (type == SOCK_STREAM ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0);
}

int tw_stand_in_set(int fd, int level, int name, const void *value, socklen_t length)
{
    int kernel = stand_in(fd);
    if (kernel < 0)
        return errno;
    int error = RAW(setsockopt, kernel, level, name, value, length) == 0 ? 0 : errno;
    RAW(close, kernel);
    return error;
}

int tw_stand_in_get(int fd, int level, int name, void *value, socklen_t *length)
{
    int kernel = stand_in(fd);
    if (kernel < 0)
        return errno;
    int error = RAW(getsockopt, kernel, level, name, value, length) == 0 ? 0 : errno;
    RAW(close, kernel);
    return error;
}

/* The driver knows why a connection failed. If it has forgotten the socket, or is gone, the descriptor still shows that it failed. Both are cleared. */
int tw_take_error(int fd)
{
    int known = 0, native = 0;
    socklen_t size = sizeof known;
    if (tw_get_option(fd, SOL_SOCKET, SO_ERROR, &known, &size) != 0)
        known = 0;
    size = sizeof native;
    RAW(getsockopt, fd, SOL_SOCKET, SO_ERROR, &native, &size);
    return known == 0 ? native : known;
}

bool tw_is_unconnected(int fd, enum tw_kind kind)
{
    struct tw_answer answer;
    if (kind != TW_STREAM_FRESH || tw_is_confined)
        return false;
    int error = tw_ask_number(fd, TW_GET_PEER_NAME, 0, &answer);
    if (error == 0)
        tw_note(fd, TW_STREAM); /* another process has connected it */
    return error == ENOTCONN;
}

ssize_t tw_send_failed(int fd, int flags)
{
    if (errno != EPIPE)
        return -1;
    int error = tw_is_stream(tw_known(fd)) ? tw_take_error(fd) : 0;
    if (error == 0 || error == EPIPE) {
        error = EPIPE;
        if ((flags & MSG_NOSIGNAL) == 0)
            RAW(tgkill, getpid(), RAW(gettid, 0), SIGPIPE);
    }

    return tw_result(error);
}

ssize_t tw_receive_failed(int fd)
{
    if (errno != ECONNRESET || tw_is_confined || !tw_is_stream(tw_known(fd)))
        return -1;
    int error = tw_take_error(fd);
    return error == EPIPE ? 0 : tw_result(error != 0 ? error : ECONNRESET);
}
