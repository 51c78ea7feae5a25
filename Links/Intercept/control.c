/* The control connections of this process: a few, each used by one caller at a time. */
#define _GNU_SOURCE
#include "control.h"
#include "syscall.h"
#include "tapwire.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Programs expect low numbers for their own files, and shells use them up to 255. */
#define LEAST_DESCRIPTOR 500

/* The listener is not to be trusted. No system call that is made here fails with this errno. */
#define STRANGER ENOTRECOVERABLE

/* How long a process that cannot make another connection waits for one that a thread of it is using. */
#define PATIENCE_MS 10000

static const uint8_t hello[16] = { 't', 'a', 'p', 'w', 'i', 'r', 'e', 0, 1 };

_Atomic bool tw_in_use;
_Atomic bool tw_is_away;
_Atomic unsigned tw_driver_user;

/*
 * The connections. No lock guards them, so that signal handlers and children of fork can use them. A slot is one word: descriptor (20 bits), whether somebody is using
 * the connection, whether the driver's hello is still to be read, and the low bits of the socket's cookie (42 bits). A cookie that does not match shows that the
 * program has closed the descriptor and that its number is used again. A child of fork begins without connections; a child of vfork, which shares this memory and
 * has a copy of the descriptors, takes its parent's in turn with its parent, and keeps none of its own.
 */
#define SLOTS 32
#define BUSY (1ull << 43)
#define UNGREETED (1ull << 42)
#define COOKIE (UNGREETED - 1)
static _Atomic uint64_t slots[SLOTS];

/* How many idle connections are kept: more where the process cannot make others by the path. */
#define IDLE 4
#define IDLE_AWAY 16

static uint64_t entry_of(struct connection c) { return (uint64_t)c.fd << 44 | (c.cookie & COOKIE); }

static int descriptor_of(uint64_t entry) { return (int)(entry >> 44); }

static bool is_still_ours(uint64_t entry) { return (tw_handle(descriptor_of(entry)) & COOKIE) == (entry & COOKIE); }

long tw_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000L + now.tv_nsec / 1000000;
}

void tw_limit_waits(int fd, int milliseconds)
{
    struct timeval limit = { .tv_sec = milliseconds / 1000, .tv_usec = milliseconds % 1000 * 1000 };
    RAW(setsockopt, fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    RAW(setsockopt, fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

/* Whether a call that a signal has interrupted is to be repeated. Each repetition begins its time-out anew. */
static bool again(long deadline)
{
    if (errno != EINTR)
        return false;
    if (tw_now_ms() < deadline)
        return true;
    errno = EAGAIN;
    return false;
}

bool tw_send_all(int fd, const void *bytes, size_t length, long deadline)
{
    const uint8_t *at = bytes;
    while (length > 0) {
        long sent = RAW(sendto, fd, at, length, MSG_NOSIGNAL, NULL, 0);
        if (sent < 0 && again(deadline))
            continue;
        if (sent <= 0)
            return false;
        at += sent;
        length -= (size_t)sent;
    }

    return true;
}

/* Receives exactly that many bytes, and the descriptor that comes with the first. A signal does not end it. errno is EAGAIN after the time-out. */
bool tw_receive_all(int fd, void *bytes, size_t length, int *descriptor, long deadline)
{
    uint8_t *at = bytes;
    while (length > 0) {
        union {
            struct cmsghdr header;
            uint8_t bytes[CMSG_SPACE(sizeof(int))];
        } control;
        struct iovec vector = { .iov_base = at, .iov_len = length };
        struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1 };
        if (descriptor != NULL) {
            message.msg_control = &control;
            message.msg_controllen = sizeof control;
        }

        long received = RAW(recvmsg, fd, &message, MSG_CMSG_CLOEXEC);
        if (received < 0 && again(deadline))
            continue;
        if (received <= 0) {
            errno = received == 0 ? ECONNRESET : errno;
            return false;
        }

        struct cmsghdr *first = descriptor != NULL ? CMSG_FIRSTHDR(&message) : NULL;
        if (first != NULL && first->cmsg_level == SOL_SOCKET && first->cmsg_type == SCM_RIGHTS)
            memcpy(descriptor, CMSG_DATA(first), sizeof(int));
        at += received;
        length -= (size_t)received;
    }

    return true;
}

/* Moves a descriptor to a high number, out of the way of the program's own. */
static int move_up(int fd)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur <= 2 * LEAST_DESCRIPTOR)
        return fd;
    int high = (int)RAW(fcntl, fd, F_DUPFD_CLOEXEC, LEAST_DESCRIPTOR);
    if (high < 0)
        return fd;
    RAW(close, fd);
    return high;
}

static struct connection named(int fd) { return (struct connection){ .fd = fd, .cookie = tw_handle(fd), .slot = -1 }; }

static int give_up(int fd, int error)
{
    RAW(close, fd);
    errno = error;
    return -1;
}

static bool receive_hello(int fd, long deadline)
{
    uint8_t theirs[sizeof hello];
    if (!tw_receive_all(fd, theirs, sizeof theirs, NULL, deadline))
        return false;
    errno = EPROTO;
    return memcmp(hello, theirs, sizeof hello) == 0;
}

/* Receives the hello within a limit. Otherwise the connection's time-out is ANSWER_MS. */
static bool receive_hello_within(int fd, int limit)
{
    tw_limit_waits(fd, limit);
    bool received = receive_hello(fd, tw_now_ms() + limit);
    tw_limit_waits(fd, ANSWER_MS);
    return received;
}

int tw_reach(int limit)
{
    struct stat status;
    long deadline = tw_now_ms() + limit, connected;
    int fd = (int)RAW(socket, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    tw_limit_waits(fd, limit);
    do
        connected = RAW(connect, fd, &tw_link_address, sizeof tw_link_address);
    while (connected != 0 && again(deadline));
    if (connected != 0)
        return give_up(fd, errno);
    if (!tw_trusts_driver(fd, tw_link_address.sun_path))
        return give_up(fd, STRANGER);
    if (!tw_in_use) {
        tw_driver_user = stat(tw_link_address.sun_path, &status) == 0 ? status.st_uid : geteuid();
        tw_in_use = true;
    }

    tw_is_away = false;
    tw_meet_driver();
    return fd;
}

/* Puts a connection into a slot. A child of vfork has none. */
static void claim(struct connection *c, uint64_t flags)
{
    for (int i = 0; i < SLOTS && c->fd < 1 << 20 && tw_is_own_memory(); i++) {
        if (slots[i] == 0 && atomic_compare_exchange_strong(&slots[i], &(uint64_t){ 0 }, entry_of(*c) | flags)) {
            c->slot = i;
            return;
        }
    }
}

bool tw_adopt(int fd)
{
    int before = errno;
    tw_limit_waits(fd, ANSWER_MS);
    bool sent = tw_send_all(fd, hello, sizeof hello, tw_now_ms() + BRIEF_MS);
    struct connection c = { .fd = fd, .slot = -1 };
    if (sent) {
        c = named(move_up(fd));
        claim(&c, UNGREETED);
    }

    if (c.slot < 0)
        RAW(close, c.fd);
    errno = before;
    return c.slot >= 0;
}

/* Makes a new connection by the driver's path. 0 or an errno. */
static int open_connection(struct connection *c, int limit)
{
    int fd = tw_reach(limit);
    if (fd < 0)
        return errno;
    long deadline = tw_now_ms() + limit;
    if (!tw_send_all(fd, hello, sizeof hello, deadline) || !receive_hello(fd, deadline)) {
        int error = errno;
        RAW(close, fd);
        return error;
    }

    if (limit != ANSWER_MS)
        tw_limit_waits(fd, ANSWER_MS);
    *c = named(move_up(fd));
    c->is_new = true;
    claim(c, BUSY);
    return 0;
}

/* Takes an idle connection. 0; ENOENT if there is none; EAGAIN if the driver has not even sent its hello. */
static int take_idle(struct connection *c, int limit)
{
    bool is_own = tw_is_own_memory();
    for (int i = 0; i < SLOTS && (is_own || tw_survives_clone()); i++) {
        uint64_t entry = slots[i];
        if (entry == 0 || (entry & BUSY) != 0 || !atomic_compare_exchange_strong(&slots[i], &entry, entry | BUSY))
            continue;
        if (!is_still_ours(entry)) {
            slots[i] = is_own ? 0 : entry;
            continue;
        }

        *c = (struct connection){ .fd = descriptor_of(entry), .cookie = entry & COOKIE, .slot = i };
        if ((entry & UNGREETED) == 0 || receive_hello_within(c->fd, limit))
            return 0;
        if (errno == EAGAIN) {
            slots[i] = entry; /* kept: this process may not be able to make another connection */
            return EAGAIN;
        }

        tw_drop(*c);
    }

    return ENOENT;
}

static int count(uint64_t mask, uint64_t value)
{
    int all = 0;
    for (int i = 0; i < SLOTS; i++) {
        uint64_t entry = slots[i];
        all += entry != 0 && (entry & mask) == value;
    }

    return all;
}

bool tw_none_is_busy(void) { return count(BUSY, BUSY) == 0; }

bool tw_none_is_idle(void) { return count(BUSY, 0) == 0; }

void tw_give_back(struct connection c)
{
    if (c.slot < 0)
        RAW(close, c.fd);
    else if (count(BUSY, 0) < (tw_is_away ? IDLE_AWAY : IDLE))
        slots[c.slot] = entry_of(c);
    else
        tw_drop(c);
}

void tw_drop(struct connection c)
{
    if (c.slot >= 0)
        slots[c.slot] = 0; /* first: the number may be used again at once */
    RAW(close, c.fd);
}

/*
 * A process that may have lost the path makes its connections by those that it has. So it keeps one idle at any time: for other threads, while an answer takes as
 * long as the network does; and for signal handlers, which must not wait for what they have interrupted, and so do not run while there is none.
 */
static int take_and_replace(struct connection *c, int limit)
{
    uint64_t all = ~0ull, before;
    RAW(rt_sigprocmask, SIG_SETMASK, &all, &before, sizeof before);
    int error = take_idle(c, limit);
    int fd = error == 0 && tw_none_is_idle() ? tw_ask_for_session(*c, limit) : -1;
    if (fd >= 0)
        tw_adopt(fd);
    RAW(rt_sigprocmask, SIG_SETMASK, &before, NULL, sizeof before);
    return error;
}

/* Takes an idle connection, or makes a new one by the path. */
int tw_take(struct connection *c, int limit)
{
    long deadline = tw_now_ms() + (limit < PATIENCE_MS ? limit : PATIENCE_MS);
    for (;;) {
        int error = tw_is_away && count(BUSY, 0) <= 1 ? take_and_replace(c, limit) : take_idle(c, limit);
        if (error == 0)
            return 0;
        if (error == EAGAIN)
            return ENETDOWN;
        bool others = count(BUSY, BUSY) > 0 && tw_now_ms() < deadline;
        if (!tw_is_away || !others) {
            error = open_connection(c, limit);
            if (error == 0)
                return 0;
            if (error == EAGAIN || !others)
                return error == STRANGER ? EACCES : error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOBUFS ? error : ENETDOWN;
            tw_is_away = true;
        }

        tw_poll(-1, &(short){ 0 }, 1);
    }
}

void tw_keep_reach(void)
{
    int before = errno;
    bool has_one = false;
    for (int i = 0; i < SLOTS && !has_one; i++) {
        uint64_t entry = slots[i];
        has_one = entry != 0 && is_still_ours(entry);
    }

    int fd = has_one || !tw_is_own_memory() ? -1 : tw_reach(BRIEF_MS);
    if (fd >= 0)
        tw_adopt(fd);
    errno = before;
}

void tw_begin_child(void)
{
    int before = errno;
    tw_begin_process();
    for (int i = 0; i < SLOTS; i++) {
        uint64_t entry = slots[i];
        slots[i] = 0;
        if (entry != 0 && is_still_ours(entry))
            RAW(close, descriptor_of(entry)); /* the parent's */
    }

    errno = before;
}

bool tw_is_control(int fd)
{
    for (int i = 0; i < SLOTS; i++) {
        uint64_t entry = slots[i];
        if (entry != 0 && descriptor_of(entry) == fd)
            return is_still_ours(entry);
    }

    return false;
}

int tw_next_control(int from)
{
    int next = -1;
    for (int i = 0; i < SLOTS; i++) {
        uint64_t entry = slots[i];
        int fd = descriptor_of(entry);
        if (entry != 0 && fd >= from && (next < 0 || fd < next) && is_still_ours(entry))
            next = fd;
    }

    return next;
}

int tw_poll(int fd, short *events, int milliseconds)
{
    struct pollfd entry = { .fd = fd, .events = *events };
    struct timespec timeout = { .tv_sec = milliseconds / 1000, .tv_nsec = milliseconds % 1000 * 1000000L };
    int ready = (int)RAW(ppoll, &entry, 1, &timeout, NULL, 0);
    *events = entry.revents;
    return ready;
}
