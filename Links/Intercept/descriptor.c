/* Remembers which descriptors are Tapwire's. */
#define _GNU_SOURCE
#include "syscall.h"
#include "tapwire.h"

#include <errno.h>
#include <unistd.h>

/*
 * The kind of each descriptor, so that calls that move data need not ask anybody. The table is a cache: a stream that is missing is found by its cookie when a call
 * needs to know. Pages that are never touched take no memory.
 */
#define NOTED (1 << 20)
static _Atomic uint8_t notes[NOTED];

enum tw_kind tw_known(int fd) { return fd >= 0 && fd < NOTED ? (enum tw_kind)notes[fd] : TW_UNKNOWN; }

/* A child of vfork shares this memory but has descriptors of its own: a descriptor that it closes stays open here. */
static pid_t process;

void tw_begin_process(void) { process = getpid(); }

void tw_note(int fd, enum tw_kind kind)
{
    /* Compared first: where nothing changes, the page stays untouched and the call is saved. */
    if (fd >= 0 && fd < NOTED && notes[fd] != kind && getpid() == process)
        notes[fd] = kind;
}

static bool host_option(int fd, int name, int *value)
{
    socklen_t length = sizeof *value;
    int before = errno;
    bool is_socket = RAW(getsockopt, fd, SOL_SOCKET, name, value, &length) == 0;
    errno = before;
    return is_socket;
}

enum tw_kind tw_kind(int fd)
{
    enum tw_kind kind = tw_known(fd);
    int domain, type, listens, value;
    socklen_t length = sizeof value;
    if (kind != TW_UNKNOWN)
        return kind;
    if (!host_option(fd, SO_DOMAIN, &domain))
        return TW_UNKNOWN;

    kind = TW_FOREIGN;
    if (domain == AF_UNIX && host_option(fd, SO_TYPE, &type) && (type == SOCK_STREAM || type == SOCK_SEQPACKET)
        && host_option(fd, SO_ACCEPTCONN, &listens) && !listens) {
        int error = tw_get_option(fd, SOL_SOCKET, SO_TYPE, &value, &length);
        if (error == 0)
            kind = type == SOCK_STREAM ? TW_STREAM : TW_DATAGRAM;
        else if (error != EBADF)
            return TW_UNKNOWN; /* the driver cannot be asked */
    }

    tw_note(fd, kind);
    return kind;
}

void tw_look(int fd)
{
    int domain, type;
    tw_note(fd, TW_UNKNOWN);
    if (host_option(fd, SO_DOMAIN, &domain) && domain == AF_UNIX && host_option(fd, SO_TYPE, &type) && type == SOCK_SEQPACKET)
        tw_kind(fd);
}
