/* Calls that make, copy and close descriptors; the library's constructor. */
#define _GNU_SOURCE
#include "tapwire.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

DEFINE_REAL(close)
DEFINE_REAL(close_range)
DEFINE_REAL(closefrom)
DEFINE_REAL(dup)
DEFINE_REAL(dup2)
DEFINE_REAL(dup3)
DEFINE_REAL(socketpair)

/* <linux/close_range.h> is not available everywhere. */
#define ONLY_CLOEXEC 4

EXPORT int close(int fd)
{
    tw_note(fd, TW_UNKNOWN); /* first: another thread may get the number at once */
    return REAL(close)(fd);
}

static void forget(unsigned first, unsigned last)
{
    for (unsigned fd = first; fd <= last && fd < 1u << 20; fd++)
        tw_note((int)fd, TW_UNKNOWN);
}

EXPORT int close_range(unsigned first, unsigned last, int flags)
{
    if ((flags & ONLY_CLOEXEC) == 0)
        forget(first, last);
    return REAL(close_range)(first, last, flags);
}

EXPORT void closefrom(int first)
{
    forget(first < 0 ? 0 : (unsigned)first, ~0u);
    REAL(closefrom)(first);
}

EXPORT int dup(int fd)
{
    int copy = REAL(dup)(fd);
    tw_note(copy, tw_known(fd));
    return copy;
}

EXPORT int dup2(int fd, int target)
{
    int copy = REAL(dup2)(fd, target);
    tw_note(copy, tw_known(fd));
    return copy;
}

EXPORT int dup3(int fd, int target, int flags)
{
    int copy = REAL(dup3)(fd, target, flags);
    tw_note(copy, tw_known(fd));
    return copy;
}

EXPORT int socketpair(int domain, int type, int protocol, int pair[2])
{
    int result = REAL(socketpair)(domain, type, protocol, pair);
    if (result == 0) {
        tw_note(pair[0], TW_FOREIGN);
        tw_note(pair[1], TW_FOREIGN);
    }

    return result;
}

/* Descriptors that the program has inherited. Datagram sockets must be known before data moves; streams are found when a call needs to know. */
static void look_at_inherited(void)
{
    struct dirent *entry;
    DIR *directory = opendir("/proc/self/fd");
    while (directory != NULL && (entry = readdir(directory)) != NULL)
        if (entry->d_name[0] != '.')
            tw_look(atoi(entry->d_name));
    if (directory != NULL)
        closedir(directory);
}

__attribute__((constructor)) static void start(void)
{
    int before = errno;
    tw_begin_process();
    tw_find_link();
    tw_read_routes();
    tw_watch_forks();
    look_at_inherited();
    errno = before;
}
