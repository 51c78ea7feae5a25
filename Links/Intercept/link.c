/* The way to the driver: a few control connections per process, each used by one caller at a time. */
#define _GNU_SOURCE
#include "syscall.h"
#include "tapwire.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* Programs expect low numbers for their own files, and shells use them up to 255. */
#define LEAST_DESCRIPTOR 500

#define ANSWER_BIT 0x8000u

/* How long a process that may not open another connection waits for one that a thread of it is using. */
#define PATIENCE_MS 10000

static const uint8_t hello[16] = { 't', 'a', 'p', 'w', 'i', 'r', 'e', 0, 1 };

static struct sockaddr_un link_address = { .sun_family = AF_UNIX };

/* Whether this process, or the one that it was forked from, has ever reached the driver, and as whom one can. */
static _Atomic bool in_use;
static _Atomic uid_t owner;

/*
 * Idle connections. No lock guards them, so that they can be used in signal handlers and after fork. An entry is one word: process id (22 bits), descriptor
 * (20 bits), and the end of the socket's cookie (22 bits), by which it is seen that a program has closed the descriptor and something else has its number.
 * A fork copies the entries; those of another process are never used.
 */
#define POOL 4
static _Atomic uint64_t idle[POOL];

struct connection {
    int fd;
    uint32_t cookie;
};

static uint64_t entry_of(struct connection c, pid_t pid)
{
    return (uint64_t)pid << 42 | (uint64_t)c.fd << 22 | c.cookie;
}

static pid_t owner_of(uint64_t entry) { return (pid_t)(entry >> 42); }

static struct connection connection_of(uint64_t entry)
{
    return (struct connection){ .fd = entry >> 22 & 0xfffff, .cookie = entry & 0x3fffff };
}

uint64_t tw_handle(int fd)
{
    uint64_t cookie = 0;
    socklen_t length = sizeof cookie;
    int before = errno;
    if (RAW(getsockopt, fd, SOL_SOCKET, SO_COOKIE, &cookie, &length) != 0)
        cookie = 0;
    errno = before;
    return cookie;
}

static bool is_still_ours(struct connection c) { return (tw_handle(c.fd) & 0x3fffff) == c.cookie; }

void tw_find_link(void)
{
    const char *path = secure_getenv("TAPWIRE_LINK");
    const char *runtime = secure_getenv("XDG_RUNTIME_DIR");
    char *place = link_address.sun_path;
    size_t room = sizeof link_address.sun_path;
    struct stat status;
    int length;
    if (path != NULL && *path != 0)
        length = snprintf(place, room, "%s", path);
    else if (runtime != NULL && *runtime == '/' && stat(runtime, &status) == 0)
        length = snprintf(place, room, "%s/tapwire.sock", runtime);
    else {
        length = snprintf(place, room, "/run/user/%u", (unsigned)geteuid());
        if (stat(place, &status) == 0)
            length += snprintf(place + length, room - length, "/tapwire.sock");
        else
            length = snprintf(place, room, "/tmp/tapwire-%u/link.sock", (unsigned)geteuid());
    }

    if (length < 0 || (size_t)length >= room)
        *place = 0;
}

static bool send_all(int fd, const void *bytes, size_t length)
{
    const uint8_t *at = bytes;
    while (length > 0) {
        long sent = RAW(sendto, fd, at, length, MSG_NOSIGNAL, NULL, 0);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            return false;
        at += sent;
        length -= sent;
    }

    return true;
}

/* Receives exactly so many bytes, and the descriptor that comes with the first. A signal does not end it. */
static bool receive_all(int fd, void *bytes, size_t length, int *descriptor)
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
        if (received < 0 && errno == EINTR)
            continue;
        if (received <= 0)
            return false;
        struct cmsghdr *first = descriptor != NULL ? CMSG_FIRSTHDR(&message) : NULL;
        if (first != NULL && first->cmsg_level == SOL_SOCKET && first->cmsg_type == SCM_RIGHTS)
            memcpy(descriptor, CMSG_DATA(first), sizeof(int));
        at += received;
        length -= received;
    }

    return true;
}

/* Out of the way of the program's own descriptors. */
static int move_up(int fd)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur <= 2 * LEAST_DESCRIPTOR)
        return fd;
    int high = RAW(fcntl, fd, F_DUPFD_CLOEXEC, LEAST_DESCRIPTOR);
    if (high < 0)
        return fd;
    RAW(close, fd);
    return high;
}

/* A connection on a connected descriptor, greeted. fd is -1 and errno set if that fails; then the descriptor is closed. */
static struct connection greet(int fd)
{
    uint8_t theirs[sizeof hello];
    if (send_all(fd, hello, sizeof hello) && receive_all(fd, theirs, sizeof theirs, NULL) && memcmp(hello, theirs, sizeof hello) == 0) {
        fd = move_up(fd);
        return (struct connection){ .fd = fd, .cookie = tw_handle(fd) & 0x3fffff };
    }

    RAW(close, fd);
    errno = EPROTO;
    return (struct connection){ .fd = -1 };
}

/* A new connection by the driver's path. */
static struct connection open_connection(void)
{
    struct stat status;
    int fd = RAW(socket, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return (struct connection){ .fd = -1 };

    long connected;
    do
        connected = RAW(connect, fd, &link_address, sizeof link_address);
    while (connected != 0 && errno == EINTR);
    if (connected != 0) {
        int error = errno;
        RAW(close, fd);
        errno = error;
        return (struct connection){ .fd = -1 };
    }

    if (!in_use) {
        owner = stat(link_address.sun_path, &status) == 0 ? status.st_uid : geteuid();
        in_use = true;
    }

    return greet(fd);
}

static bool take_idle(struct connection *c)
{
    pid_t pid = getpid();
    for (int i = 0; i < POOL; i++) {
        uint64_t entry = idle[i];
        if (entry == 0 || owner_of(entry) != pid || !atomic_compare_exchange_strong(&idle[i], &entry, 0))
            continue;
        *c = connection_of(entry);
        if (is_still_ours(*c))
            return true;
    }

    return false;
}

static void give_back(struct connection c)
{
    pid_t pid = getpid();
    for (int i = 0; i < POOL && c.fd < 1 << 20; i++) {
        uint64_t entry = idle[i];
        if ((entry != 0 && owner_of(entry) == pid)
            || !atomic_compare_exchange_strong(&idle[i], &entry, entry_of(c, pid)))
            continue;
        if (entry != 0 && is_still_ours(connection_of(entry)))
            RAW(close, connection_of(entry).fd); /* the parent's, copied by fork */
        return;
    }

    RAW(close, c.fd);
}

/* An idle connection, or a new one. A process that has changed its user cannot open one; it waits for the one that it has brought along. */
static int take(struct connection *c, bool *is_new)
{
    *is_new = false;
    for (int waited = 0;; waited++) {
        if (take_idle(c))
            return 0;
        *c = open_connection();
        *is_new = true;
        if (c->fd >= 0)
            return 0;
        int error = errno;
        if (error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOBUFS)
            return error;
        if ((error != EACCES && error != EPERM) || !in_use || waited >= PATIENCE_MS)
            return ENETDOWN;
        tw_poll(-1, &(short){ 0 }, 1);
    }
}

int tw_poll(int fd, short *events, int milliseconds)
{
    struct pollfd entry = { .fd = fd, .events = *events };
    struct timespec timeout = { .tv_sec = milliseconds / 1000, .tv_nsec = milliseconds % 1000 * 1000000L };
    int ready = RAW(ppoll, &entry, 1, &timeout, NULL, 0);
    *events = entry.revents;
    return ready;
}

/* Waits until the answer begins. 0, EINTR or ETIMEDOUT. */
static int await(int fd, int milliseconds)
{
    if (milliseconds < 0) {
        /* recv begins anew by itself after handlers that ask for it (SA_RESTART); poll never does. */
        uint8_t first;
        return RAW(recvfrom, fd, &first, 1, MSG_PEEK, NULL, NULL) < 0 && errno == EINTR ? EINTR : 0;
    }

    short events = POLLIN;
    int ready = tw_poll(fd, &events, milliseconds);
    return ready > 0 ? 0 : ready == 0 ? ETIMEDOUT : errno == EINTR ? EINTR : 0;
}

/* Receives the answer. False if the connection is of no use any more. */
static bool receive_answer(int fd, enum tw_request type, struct tw_answer *answer, int *error)
{
    struct tw_header header;
    answer->descriptor = -1;
    if (!receive_all(fd, &header, sizeof header, &answer->descriptor))
        return false;
    answer->length = header.length - sizeof header;
    if (header.length < sizeof header || answer->length > sizeof answer->body || header.type != (type | ANSWER_BIT))
        return false;
    if (!receive_all(fd, answer->body, answer->length, NULL))
        return false;
    *error = header.error;
    return true;
}

int tw_ask_patiently(struct tw_header *request, uint32_t length, enum tw_request type, struct tw_answer *answer, int milliseconds)
{
    int before = errno;
    request->length = length;
    request->type = type;
    request->zero = 0;
    request->id = 1;
    request->error = 0;
    int error = ENETDOWN;
    for (;;) {
        struct connection c;
        bool is_new;
        error = take(&c, &is_new);
        if (error != 0)
            break;

        bool sent = send_all(c.fd, request, length);
        error = sent && milliseconds != 0 ? await(c.fd, milliseconds) : 0;
        if (error == 0 && sent && receive_answer(c.fd, type, answer, &error)) {
            give_back(c);
            break;
        }

        RAW(close, c.fd);
        if (error != 0)
            break;
        error = ENETDOWN;
        /* A connection that was idle when the driver ended says nothing about the driver that may run now. */
        if (is_new)
            break;
    }

    errno = before;
    return error;
}

int tw_ask(struct tw_header *request, uint32_t length, enum tw_request type, struct tw_answer *answer)
{
    return tw_ask_patiently(request, length, type, answer, 0);
}

/*
 * A child of fork has no connection: it must not use its parent's. One that may be about to give up root's rights gets its own at once; one whose user cannot connect
 * any more gets one that the parent has asked for.
 */
static int brought = -1;

static void before_fork(void)
{
    struct tw_header request;
    struct tw_answer answer;
    uid_t user = geteuid();
    if (in_use && user != 0 && user != owner && tw_ask(&request, sizeof request, TW_SESSION, &answer) == 0)
        brought = answer.descriptor;
}

static void in_parent(void)
{
    if (brought >= 0)
        RAW(close, brought);
    brought = -1;
}

static void in_child(void)
{
    int before = errno;
    struct connection c = { .fd = -1 };
    tw_begin_process();
    if (brought >= 0)
        c = greet(brought);
    else if (in_use && geteuid() == 0)
        c = open_connection();
    brought = -1;
    if (c.fd >= 0)
        give_back(c);
    errno = before;
}

void tw_watch_forks(void) { pthread_atfork(before_fork, in_parent, in_child); }

int tw_ask_number(int fd, enum tw_request type, int number, struct tw_answer *answer)
{
    struct {
        struct tw_header header;
        uint64_t handle;
        int32_t number;
        uint32_t zero;
    } request = { .handle = tw_handle(fd), .number = number };
    bool has_number = type == TW_LISTEN || type == TW_SHUTDOWN;
    return tw_ask(&request.header, has_number ? sizeof request : offsetof(__typeof__(request), number), type, answer);
}

struct option_request {
    struct tw_header header;
    uint64_t handle;
    int32_t level;
    int32_t name;
    uint32_t length;
    uint32_t zero;
    uint8_t value[512];
};

int tw_get_option(int fd, int level, int name, void *value, socklen_t *length)
{
    struct tw_answer answer;
    struct option_request request = { .handle = tw_handle(fd), .level = level, .name = name, .length = *length };
    int error = tw_ask(&request.header, offsetof(struct option_request, value), TW_GET_OPTION, &answer);
    if (error != 0)
        return error;
    if (*length > answer.length)
        *length = answer.length;
    memcpy(value, answer.body, *length);
    return 0;
}

int tw_set_option(int fd, int level, int name, const void *value, socklen_t length)
{
    struct tw_answer answer;
    struct option_request request = { .handle = tw_handle(fd), .level = level, .name = name, .length = length };
    if (length > sizeof request.value)
        return EINVAL;
    memcpy(request.value, value, length);
    return tw_ask(&request.header, offsetof(struct option_request, value) + length, TW_SET_OPTION, &answer);
}

int tw_result(int error)
{
    if (error == 0)
        return 0;
    errno = error;
    return -1;
}
