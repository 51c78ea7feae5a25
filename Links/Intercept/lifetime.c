/* Calls that make, copy and close descriptors; the library's constructor. */
#define _GNU_SOURCE
#include "control.h"
#include "tapwire.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

DEFINE_REAL(close)
DEFINE_REAL(close_range)
DEFINE_REAL(closefrom)
DEFINE_REAL(dup)
DEFINE_REAL(dup2)
DEFINE_REAL(dup3)
DEFINE_REAL(socketpair)
DEFINE_REAL(fclose)
DEFINE_REAL(freopen)
DEFINE_REAL(freopen64)

/* <linux/close_range.h> is not available everywhere. */
#define ONLY_CLOEXEC 4

/* The program has not opened the library's connections, and so they are not open for it. A server closes all numbers when it starts, and may then lose the driver's path. */
EXPORT int close(int fd)
{
    if (tw_is_control(fd))
        return tw_result(EBADF);
    tw_note(fd, TW_UNKNOWN); /* first: another thread may get the number at once */
    return REAL(close)(fd);
}

static void forget(unsigned first, unsigned last)
{
    for (unsigned fd = first; fd <= last && fd < 1u << 20; fd++)
        tw_note((int)fd, TW_UNKNOWN);
}

/* Closes a range, apart from the library's own connections. */
static int close_apart(unsigned first, unsigned last, int flags)
{
    for (unsigned from = first;;) {
        int own = from <= INT_MAX ? tw_next_control((int)from) : -1;
        if (own < 0 || (unsigned)own > last)
            return from > last ? 0 : REAL(close_range)(from, last, flags);
        if ((unsigned)own > from && REAL(close_range)(from, (unsigned)own - 1, flags) != 0)
            return -1;
        from = (unsigned)own + 1;
    }
}

EXPORT int close_range(unsigned first, unsigned last, int flags)
{
    if ((flags & ONLY_CLOEXEC) != 0 || first > last)
        return REAL(close_range)(first, last, flags);
    forget(first, last);
    return close_apart(first, last, flags);
}

EXPORT void closefrom(int first)
{
    unsigned from = first < 0 ? 0 : (unsigned)first;
    forget(from, ~0u);
    if (close_apart(from, ~0u, 0) != 0)
        REAL(closefrom)(first);
}

/* The kernel's number of a stream's file is free after these, and libc tells nobody. */
static void forget_stream(FILE *stream)
{
    int before = errno;
    if (stream != NULL)
        tw_note(fileno(stream), TW_UNKNOWN);
    errno = before;
}

EXPORT int fclose(FILE *stream)
{
    forget_stream(stream);
    return REAL(fclose)(stream);
}

EXPORT FILE *freopen(const char *path, const char *mode, FILE *stream)
{
    forget_stream(stream);
    return REAL(freopen)(path, mode, stream);
}

EXPORT FILE *freopen64(const char *path, const char *mode, FILE *stream)
{
    forget_stream(stream);
    return REAL(freopen64)(path, mode, stream);
}

EXPORT int dup(int fd)
{
    int copy = REAL(dup)(fd);
    tw_note_copy(fd, copy);
    return copy;
}

EXPORT int dup2(int fd, int target)
{
    int copy = REAL(dup2)(fd, target);
    tw_note_copy(fd, copy);
    return copy;
}

EXPORT int dup3(int fd, int target, int flags)
{
    int copy = REAL(dup3)(fd, target, flags);
    tw_note_copy(fd, copy);
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
    tw_begin_program();
    look_at_inherited();
    errno = before;
}
