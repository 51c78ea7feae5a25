/* Calls after which a process is another one, or may not find the driver's path any more: they must not cut it off from the driver. */
#define _GNU_SOURCE
#include "control.h"
#include "syscall.h"
#include "tapwire.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/fsuid.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <unistd.h>

/*
 * A child of fork needs a connection of its own: it must not use its parent's. A child of root connects at once, since it may be about to give up root's rights.
 * A child that may not find the path gets a connection that the parent has asked the driver for before the fork. Several threads may fork at the same time: each
 * parent has a place for the connection that it has asked for, a descriptor (20 bits) and the low bits of its cookie, and a child closes those of other threads. When
 * all places are taken, a child gets none.
 */
#define FORKS 16
#define TAKEN 1u
static _Atomic uint64_t brought[FORKS];
static __thread int place = -1;

#define COOKIE ((1ull << 44) - 1)

static bool is_still_it(uint64_t entry) { return (tw_handle((int)(entry >> 44)) & COOKIE) == (entry & COOKIE); }

static void before_fork(void)
{
    uid_t user = geteuid();
    place = -1;
    if (!tw_in_use || (!tw_is_away && (user == 0 || user == tw_driver_user)))
        return;
    for (int i = 0; i < FORKS && place < 0; i++)
        if (atomic_compare_exchange_strong(&brought[i], &(uint64_t){ 0 }, TAKEN))
            place = i;
    if (place < 0)
        return;
    int fd = tw_another_session(BRIEF_MS);
    if (fd >= 1 << 20) {
        RAW(close, fd);
        fd = -1;
    }

    brought[place] = fd < 0 ? 0 : (uint64_t)fd << 44 | (tw_handle(fd) & COOKIE);
    place = fd < 0 ? -1 : place;
}

static void in_parent(void)
{
    int before = errno;
    if (place >= 0) {
        int fd = (int)(brought[place] >> 44);
        brought[place] = 0; /* first: a child that another thread forks now must not find a number that is used again */
        RAW(close, fd);
    }

    place = -1;
    errno = before;
}

static void in_child(void)
{
    int before = errno, fd = -1;
    tw_begin_child();
    for (int i = 0; i < FORKS; i++) {
        uint64_t entry = brought[i];
        brought[i] = 0;
        if (entry <= TAKEN || !is_still_it(entry))
            continue;
        if (i == place)
            fd = (int)(entry >> 44);
        else
            RAW(close, entry >> 44);
    }

    place = -1;
    if (fd < 0 && tw_in_use && geteuid() == 0)
        fd = tw_reach(BRIEF_MS);
    if (fd >= 0)
        tw_adopt(fd);
    errno = before;
}

void tw_watch_forks(void) { pthread_atfork(before_fork, in_parent, in_child); }

static pid_t forked(pid_t child)
{
    if (child == 0)
        in_child();
    else
        in_parent();
    return child;
}

/* A child with memory and descriptors of its own, on the stack of its parent. */
long tw_fork_by(long number, long a, long b, long c, long d, long e, long f)
{
    before_fork();
    return forked((pid_t)tw_syscall(number, a, b, c, d, e, f));
}

#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 34)
DEFINE_REAL(_Fork)

EXPORT pid_t _Fork(void)
{
    before_fork();
    return forked(REAL(_Fork)());
}
#endif

DEFINE_REAL(clone)

struct beginning {
    int (*function)(void *);
    void *argument;
};

static int begin(void *argument)
{
    struct beginning beginning = *(struct beginning *)argument;
    in_child();
    return beginning.function(beginning.argument);
}

EXPORT int clone(int (*function)(void *), void *stack, int flags, void *argument, ...)
{
    va_list arguments;
    va_start(arguments, argument);
    void *parent = va_arg(arguments, void *), *tls = va_arg(arguments, void *), *child = va_arg(arguments, void *);
    va_end(arguments);
    if ((flags & (CLONE_VM | CLONE_FILES)) != 0 || function == NULL)
        return REAL(clone)(function, stack, flags, argument, parent, tls, child);
    struct beginning beginning = { .function = function, .argument = argument };
    before_fork();
    int result = REAL(clone)(begin, stack, flags, &beginning, parent, tls, child);
    in_parent();
    return result;
}

/*
 * After these calls the driver's path may lead nowhere: it is out of sight, or belongs to somebody else. The process connects before, if it has not yet, and from
 * then on makes its connections by the ones that it has. They are so rare that it does not matter which of them really change something.
 */
#define LOSING(type, name, parameters, arguments)      \
    DEFINE_REAL(name)                                  \
    EXPORT type name parameters                        \
    {                                                  \
        tw_keep_reach();                               \
        type result = REAL(name) arguments;            \
        tw_is_away = true;                             \
        return result;                                 \
    }

LOSING(int, setuid, (uid_t user), (user))
LOSING(int, seteuid, (uid_t user), (user))
LOSING(int, setreuid, (uid_t real, uid_t effective), (real, effective))
LOSING(int, setresuid, (uid_t real, uid_t effective, uid_t saved), (real, effective, saved))
LOSING(int, setfsuid, (uid_t user), (user))
LOSING(int, setgid, (gid_t group), (group))
LOSING(int, setegid, (gid_t group), (group))
LOSING(int, setregid, (gid_t real, gid_t effective), (real, effective))
LOSING(int, setresgid, (gid_t real, gid_t effective, gid_t saved), (real, effective, saved))
LOSING(int, setfsgid, (gid_t group), (group))
LOSING(int, setgroups, (size_t count, const gid_t *groups), (count, groups))
LOSING(int, initgroups, (const char *user, gid_t group), (user, group))
LOSING(int, chroot, (const char *path), (path))
LOSING(int, unshare, (int flags), (flags))
LOSING(int, setns, (int fd, int type), (fd, type))
LOSING(int, mount, (const char *source, const char *target, const char *type, unsigned long flags, const void *data), (source, target, type, flags, data))
LOSING(int, umount, (const char *target), (target))
LOSING(int, umount2, (const char *target, int flags), (target, flags))

/* Of libcap and of libc, without a declaration in its headers. */
struct __user_cap_header_struct;
struct __user_cap_data_struct;
int capset(struct __user_cap_header_struct *header, const struct __user_cap_data_struct *data);
int pivot_root(const char *root, const char *old);
LOSING(int, capset, (struct __user_cap_header_struct *header, const struct __user_cap_data_struct *data), (header, data))
LOSING(int, pivot_root, (const char *root, const char *old), (root, old))

_Atomic bool tw_is_confined;

DEFINE_REAL(prctl)

EXPORT int prctl(int option, ...)
{
    va_list arguments;
    va_start(arguments, option);
    unsigned long a = va_arg(arguments, unsigned long), b = va_arg(arguments, unsigned long);
    unsigned long c = va_arg(arguments, unsigned long), d = va_arg(arguments, unsigned long);
    va_end(arguments);
    if (option != PR_SET_SECCOMP)
        return REAL(prctl)(option, a, b, c, d);
    tw_keep_reach();
    int result = REAL(prctl)(option, a, b, c, d);
    tw_is_away = true;
    tw_is_confined |= result == 0;
    return result;
}

/* The same calls by number. */
bool tw_loses_path(long number, long first)
{
    switch (number) {
    case SYS_setuid:
    case SYS_setreuid:
    case SYS_setresuid:
    case SYS_setfsuid:
    case SYS_setgid:
    case SYS_setregid:
    case SYS_setresgid:
    case SYS_setfsgid:
    case SYS_setgroups:
    case SYS_chroot:
    case SYS_pivot_root:
    case SYS_unshare:
    case SYS_setns:
    case SYS_mount:
    case SYS_umount2:
    case SYS_capset:
    case SYS_seccomp:
#ifdef SYS_move_mount
    case SYS_move_mount:
#endif
#ifdef SYS_mount_setattr
    case SYS_mount_setattr:
#endif
#ifdef SYS_landlock_restrict_self
    case SYS_landlock_restrict_self:
#endif
        return true;
    case SYS_prctl:
        return first == PR_SET_SECCOMP;
    default:
        return false;
    }
}
