/* Requests to the driver: a few control connections per process, each used by one caller at a time. */
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
#include <time.h>
#include <unistd.h>

/* Programs expect low numbers for their own files, and shells use them up to 255. */
#define LEAST_DESCRIPTOR 500

#define ANSWER_BIT 0x8000u

/* The listener is not to be trusted. No system call that is made here fails with this errno. */
#define STRANGER ENOTRECOVERABLE

/* The link path of a driver that runs as the system's service. */
#define SYSTEM_LINK "/run/tapwire/link.sock"

/* PROC_USER_INIT_INO */
#define INITIAL_NAMESPACE 0xEFFFFFFDul

/* How long a process that may not open another connection waits for one that a thread of it is using. */
#define PATIENCE_MS 10000

/* How long the driver may take to answer a request that it normally answers at once. The kernel's own calls would not wait at all. */
#define ANSWER_MS 10000

/* The same within fork, which must be quick even when the driver hangs. */
#define FORK_MS 1000

static const uint8_t hello[16] = { 't', 'a', 'p', 'w', 'i', 'r', 'e', 0, 1 };

static struct sockaddr_un link_address = { .sun_family = AF_UNIX };

/* Whether this process, or the one that it was forked from, has ever reached the driver; and the driver's user, who can always connect. */
static _Atomic bool in_use;
static _Atomic uid_t owner;

/*
 * Idle connections. No lock guards them, so that signal handlers and children of fork can use them. An entry is one word: process id (22 bits), descriptor (20 bits),
 * and the low bits of the socket's cookie (22 bits). A cookie that does not match shows that the program has closed the descriptor and that its number is used again.
 * fork copies the entries; those of another process are never used.
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
    return RAW(getsockopt, fd, SOL_SOCKET, SO_COOKIE, &cookie, &length) == 0 ? cookie : 0;
}

static bool is_still_ours(struct connection c) { return (tw_handle(c.fd) & 0x3fffff) == c.cookie; }

static long now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000L + now.tv_nsec / 1000000;
}

/* Sets the time-out of sending, receiving and connecting, which then fail with EAGAIN. 0: none. */
static void limit_waits(int fd, int milliseconds)
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
    if (now_ms() < deadline)
        return true;
    errno = EAGAIN;
    return false;
}

/* Reads a file below /proc as text. Empty if it cannot be read. */
static void read_text(const char *file, char *text, size_t room)
{
    int fd = (int)RAW(openat, AT_FDCWD, file, O_RDONLY | O_CLOEXEC, 0);
    ssize_t length = fd < 0 ? 0 : RAW(read, fd, text, room - 1);
    text[length < 0 ? 0 : length] = 0;
    if (fd >= 0)
        RAW(close, fd);
}

/* The user's id outside this user namespace, since inside everybody may be 0. A line of the map has the first id inside, the first id outside, and the count. */
static unsigned real_user(unsigned user)
{
    char map[4096];
    unsigned inside, outside, count;
    int length;
    read_text("/proc/self/uid_map", map, sizeof map);
    for (const char *line = map; sscanf(line, "%u %u %u%n", &inside, &outside, &count, &length) == 3; line += length) {
        if (user >= inside && user - inside < count)
            return outside + (user - inside);
    }

    return user;
}

unsigned long tw_user_namespace(void)
{
    char name[64];
    unsigned long inode;
    long length = RAW(readlinkat, AT_FDCWD, "/proc/self/ns/user", name, sizeof name - 1);
    name[length < 0 ? 0 : length] = 0;
    return sscanf(name, "user:[%lu]", &inode) == 1 && inode != INITIAL_NAMESPACE ? inode : 0;
}

static bool is_directory_of(const char *path, uid_t user)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode) && status.st_uid == user;
}

/* A path that may not be looked at counts as a socket: connecting will tell. */
static bool may_be_there(const char *path)
{
    struct stat status;
    return lstat(path, &status) == 0 || errno == EACCES;
}

/* The directory belongs neither to this user nor to root, so that no driver of theirs listens in it. */
static bool is_in_strange_directory(const char *path, uid_t user)
{
    struct stat status;
    char directory[sizeof link_address.sun_path];
    const char *slash = strrchr(path, '/');
    size_t length = slash == NULL ? 0 : (size_t)(slash - path);
    if (length >= sizeof directory)
        return false;
    memcpy(directory, path, length);
    directory[length] = 0;
    return lstat(directory, &status) == 0 && status.st_uid != user && status.st_uid != 0;
}

/* LinkEndpointPath.cs has the same rules, with the reasons. */
static int find_default(char *place, size_t room)
{
    const char *runtime = secure_getenv("XDG_RUNTIME_DIR");
    uid_t user = geteuid();
    unsigned real = real_user(user);
    unsigned long space = tw_user_namespace();
    if (user == 0 && is_directory_of("/run", 0) && (space == 0 || real != 0))
        return snprintf(place, room, SYSTEM_LINK);
    int length = snprintf(place, room, "/run/user/%u", real);
    if (runtime != NULL && *runtime == '/' && is_directory_of(runtime, user))
        length = snprintf(place, room, "%s/tapwire.sock", runtime);
    else if (is_directory_of(place, user))
        length += snprintf(place + length, room - (size_t)length, "/tapwire.sock");
    else if (space == 0)
        length = snprintf(place, room, "/tmp/tapwire-%u/link.sock", real);
    else
        length = snprintf(place, room, "/tmp/tapwire-%u-%lu/link.sock", real, space);
    if (length > 0 && (size_t)length < room && (!may_be_there(place) || is_in_strange_directory(place, user)) && may_be_there(SYSTEM_LINK))
        length = snprintf(place, room, SYSTEM_LINK);
    return length;
}

void tw_find_link(void)
{
    const char *path = secure_getenv("TAPWIRE_LINK");
    char *place = link_address.sun_path;
    size_t room = sizeof link_address.sun_path;
    int before = errno;
    int length = path != NULL && *path != 0 ? snprintf(place, room, "%s", path) : find_default(place, room);
    if (length < 0 || (size_t)length >= room)
        *place = 0;
    errno = before;
}

static bool send_all(int fd, const void *bytes, size_t length, long deadline)
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
static bool receive_all(int fd, void *bytes, size_t length, int *descriptor, long deadline)
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

/* A connection that was made for a child of fork, and whose hello nobody has read yet: fork does not wait for the driver. */
static _Atomic int ungreeted = -1;

static struct connection named(int fd) { return (struct connection){ .fd = fd, .cookie = tw_handle(fd) & 0x3fffff }; }

static struct connection give_up(int fd, int error)
{
    RAW(close, fd);
    errno = error;
    return (struct connection){ .fd = -1 };
}

static bool receive_hello(int fd, long deadline)
{
    uint8_t theirs[sizeof hello];
    if (!receive_all(fd, theirs, sizeof theirs, NULL, deadline))
        return false;
    errno = EPROTO;
    return memcmp(hello, theirs, sizeof hello) == 0;
}

/* Receives the hello within a limit. Otherwise the connection's time-out is ANSWER_MS. */
static bool receive_hello_within(int fd, int limit)
{
    limit_waits(fd, limit);
    bool received = receive_hello(fd, now_ms() + limit);
    limit_waits(fd, ANSWER_MS);
    return received;
}

/* Exchanges the hello on a connected descriptor. If that fails, the descriptor is closed, fd is -1 and errno set. */
static struct connection greet(int fd, long deadline)
{
    if (!send_all(fd, hello, sizeof hello, deadline) || !receive_hello(fd, deadline))
        return give_up(fd, errno);
    return named(move_up(fd));
}

/* Likewise, without waiting for the driver's hello, which the first user of the connection reads. */
static struct connection greet_later(int fd)
{
    limit_waits(fd, ANSWER_MS);
    if (!send_all(fd, hello, sizeof hello, now_ms() + FORK_MS))
        return give_up(fd, errno);
    fd = move_up(fd);
    ungreeted = fd;
    return named(fd);
}

/* Connects to the driver's path, and sends nothing yet. -1 and errno. */
static int reach(int limit)
{
    struct stat status;
    long deadline = now_ms() + limit, connected;
    int fd = (int)RAW(socket, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    limit_waits(fd, limit);
    do
        connected = RAW(connect, fd, &link_address, sizeof link_address);
    while (connected != 0 && again(deadline));
    if (connected != 0)
        return give_up(fd, errno).fd;
    if (!tw_trusts_driver(fd, link_address.sun_path))
        return give_up(fd, STRANGER).fd;
    if (!in_use) {
        owner = stat(link_address.sun_path, &status) == 0 ? status.st_uid : geteuid();
        in_use = true;
    }

    return fd;
}

/* Makes a new connection by the driver's path. */
static struct connection open_connection(int limit)
{
    int fd = reach(limit);
    if (fd < 0)
        return (struct connection){ .fd = -1 };
    struct connection c = greet(fd, now_ms() + limit);
    if (c.fd >= 0 && limit != ANSWER_MS)
        limit_waits(c.fd, ANSWER_MS);
    return c;
}

static void give_back(struct connection c);

/* Takes an idle connection. 0; ENOENT if there is none; EAGAIN if the driver has not even sent its hello. */
static int take_idle(struct connection *c, int limit)
{
    pid_t pid = getpid();
    for (int i = 0; i < POOL; i++) {
        uint64_t entry = idle[i];
        if (entry == 0 || owner_of(entry) != pid || !atomic_compare_exchange_strong(&idle[i], &entry, 0))
            continue;
        *c = connection_of(entry);
        if (!is_still_ours(*c))
            continue;
        if (c->fd != ungreeted)
            return 0;
        ungreeted = -1;
        if (receive_hello_within(c->fd, limit))
            return 0;
        if (errno == EAGAIN) {
            ungreeted = c->fd; /* kept: this process may not be able to make another connection */
            give_back(*c);
            return EAGAIN;
        }

        RAW(close, c->fd);
    }

    return ENOENT;
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
            RAW(close, connection_of(entry).fd); /* the parent's, inherited by fork */
        return;
    }

    RAW(close, c.fd);
}

/* Takes an idle connection, or makes a new one. A process that has changed its user may not be able to; it waits until one that it has is idle. */
static int take(struct connection *c, bool *is_new, int limit)
{
    long deadline = now_ms() + (limit < PATIENCE_MS ? limit : PATIENCE_MS);
    for (;;) {
        int error = take_idle(c, limit);
        *is_new = error == ENOENT;
        if (error == 0)
            return 0;
        if (error == EAGAIN)
            return ENETDOWN;
        *c = open_connection(limit);
        if (c->fd >= 0)
            return 0;
        error = errno;
        if (error == STRANGER)
            return EACCES;
        if (error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOBUFS)
            return error;
        if ((error != EACCES && error != EPERM) || !in_use || now_ms() >= deadline)
            return ENETDOWN;
        tw_poll(-1, &(short){ 0 }, 1);
    }
}

int tw_poll(int fd, short *events, int milliseconds)
{
    struct pollfd entry = { .fd = fd, .events = *events };
    struct timespec timeout = { .tv_sec = milliseconds / 1000, .tv_nsec = milliseconds % 1000 * 1000000L };
    int ready = (int)RAW(ppoll, &entry, 1, &timeout, NULL, 0);
    *events = entry.revents;
    return ready;
}

/* Waits for the first byte of the answer. 0, EINTR or ETIMEDOUT. */
static int await(int fd, int milliseconds)
{
    if (milliseconds < 0) {
        /* After a handler with SA_RESTART recv is restarted, unless it has a time-out; poll never is. */
        uint8_t first;
        limit_waits(fd, 0);
        int error = RAW(recvfrom, fd, &first, 1, MSG_PEEK, NULL, NULL) < 0 && errno == EINTR ? EINTR : 0;
        limit_waits(fd, ANSWER_MS);
        return error;
    }

    short events = POLLIN;
    int ready = tw_poll(fd, &events, milliseconds);
    return ready > 0 ? 0 : ready == 0 ? ETIMEDOUT : errno == EINTR ? EINTR : 0;
}

/* Receives one answer, to whichever request. 0; EAGAIN if none has begun to arrive; EPROTO: the connection cannot be used any more. */
static int receive_any(int fd, struct tw_header *header, struct tw_answer *answer, long deadline)
{
    *header = (struct tw_header){ .length = 0 };
    answer->descriptor = -1;
    if (!receive_all(fd, header, sizeof *header, &answer->descriptor, deadline))
        return errno == EAGAIN && header->length == 0 ? EAGAIN : EPROTO;
    if (header->length < sizeof *header || header->length - sizeof *header > sizeof answer->body)
        return EPROTO;
    answer->length = header->length - (uint32_t)sizeof *header;
    return receive_all(fd, answer->body, answer->length, NULL, deadline) ? 0 : EPROTO;
}

/* Receives the answer to a request. Answers before it are to requests whose callers have given up. */
static int receive_answer(int fd, const struct tw_header *request, struct tw_answer *answer, int *error)
{
    struct tw_header header;
    long deadline = now_ms() + ANSWER_MS;
    for (;;) {
        int result = receive_any(fd, &header, answer, deadline);
        bool is_it = result == 0 && header.id == request->id;
        if (is_it && header.type != (request->type | ANSWER_BIT))
            result = EPROTO;
        if ((result != 0 || !is_it) && answer->descriptor >= 0)
            RAW(close, answer->descriptor);
        *error = header.error;
        if (is_it || result != 0)
            return result;
    }
}

static _Atomic uint32_t last_id;

/* Sends a request and receives its answer. milliseconds is as in tw_ask_patiently, or 0 for a request that is answered at once; limit is for making a connection. */
static int ask(struct tw_header *request, uint32_t length, enum tw_request type, struct tw_answer *answer, int milliseconds, int limit)
{
    int before = errno;
    request->length = length;
    request->type = (uint16_t)type;
    request->zero = 0;
    request->id = ++last_id;
    request->error = 0;
    int error = ENETDOWN;
    for (;;) {
        struct connection c;
        bool is_new;
        error = take(&c, &is_new, limit);
        if (error != 0)
            break;

        int result = EPROTO;
        if (send_all(c.fd, request, length, now_ms() + limit)) {
            error = milliseconds != 0 ? await(c.fd, milliseconds) : 0;
            result = error != 0 ? 0 : receive_answer(c.fd, request, answer, &error);
        } else if (errno == ENOBUFS || errno == ENOMEM) {
            /* The kernel takes so short a request whole or not at all: the driver has got nothing. */
            error = errno;
            result = 0;
        }

        /* After EAGAIN the answer is still to come: the next user of the connection skips it. The connection is kept, since this process may
           not be able to make another. */
        if (result == 0 || result == EAGAIN) {
            give_back(c);
            error = result == 0 ? error : ENETDOWN;
            break;
        }

        RAW(close, c.fd);
        error = ENETDOWN;
        /* An idle connection may be that of a driver that has ended, while another one runs now: try again. */
        if (is_new)
            break;
    }

    errno = before;
    return error;
}

int tw_ask_patiently(struct tw_header *request, uint32_t length, enum tw_request type, struct tw_answer *answer, int milliseconds)
{
    return ask(request, length, type, answer, milliseconds, ANSWER_MS);
}

int tw_ask(struct tw_header *request, uint32_t length, enum tw_request type, struct tw_answer *answer)
{
    return tw_ask_patiently(request, length, type, answer, 0);
}

/*
 * A child of fork needs a connection of its own: it must not use its parent's. A child of root connects at once, since it may be about to give up root's rights.
 * A child whose user cannot connect gets a connection that the parent has asked the driver for before the fork. Several threads may fork at the same time: each
 * parent has a place for the connection that it has asked for, an entry as above, and a child closes those of other threads. When all places are taken, a child
 * gets none.
 */
#define FORKS 16
#define TAKEN 1u
static _Atomic uint64_t brought[FORKS];
static __thread int place = -1;

static void before_fork(void)
{
    struct tw_header request;
    struct tw_answer answer;
    uid_t user = geteuid();
    place = -1;
    if (!in_use || user == 0 || user == owner)
        return;
    for (int i = 0; i < FORKS && place < 0; i++)
        if (atomic_compare_exchange_strong(&brought[i], &(uint64_t){ 0 }, TAKEN))
            place = i;
    if (place < 0)
        return;
    uint64_t entry = 0;
    if (ask(&request, sizeof request, TW_SESSION, &answer, FORK_MS, FORK_MS) == 0 && answer.descriptor >= 0) {
        if (answer.descriptor < 1 << 20)
            entry = entry_of(named(answer.descriptor), getpid());
        else
            RAW(close, answer.descriptor);
    }

    brought[place] = entry;
    place = entry != 0 ? place : -1;
}

static void in_parent(void)
{
    int before = errno;
    if (place >= 0) {
        struct connection c = connection_of(brought[place]);
        brought[place] = 0; /* first: a child that another thread forks now must not find a number that is used again */
        RAW(close, c.fd);
    }

    place = -1;
    errno = before;
}

static void in_child(void)
{
    int before = errno, fd = -1;
    struct connection c = { .fd = -1 };
    tw_begin_process();
    ungreeted = -1;
    for (int i = 0; i < FORKS; i++) {
        uint64_t entry = brought[i];
        brought[i] = 0;
        if (entry <= TAKEN || !is_still_ours(connection_of(entry)))
            continue;
        if (i == place)
            fd = connection_of(entry).fd;
        else
            RAW(close, connection_of(entry).fd);
    }

    place = -1;
    if (fd < 0 && in_use && geteuid() == 0)
        fd = reach(FORK_MS);
    if (fd >= 0)
        c = greet_later(fd);
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
    return request.handle == 0 ? errno : tw_ask(&request.header, has_number ? sizeof request : offsetof(__typeof__(request), number), type, answer);
}

struct option_request {
    struct tw_header header;
    uint64_t handle;
    int32_t level;
    int32_t name;
    uint32_t length;
    uint32_t zero;
    uint8_t value[TW_LONGEST_OPTION];
};

int tw_get_option(int fd, int level, int name, void *value, socklen_t *length)
{
    struct tw_answer answer;
    struct option_request request = { .handle = tw_handle(fd), .level = level, .name = name, .length = *length };
    int error = request.handle == 0 ? errno : tw_ask(&request.header, offsetof(struct option_request, value), TW_GET_OPTION, &answer);
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
    struct option_request request = { .handle = tw_handle(fd), .level = level, .name = name };
    if (request.handle == 0)
        return errno;

    /* All options are shorter than the limit, and Linux reads no more than an option's own length. */
    struct iovec vector = { .iov_base = (void *)value, .iov_len = length < sizeof request.value ? length : sizeof request.value };
    request.length = (uint32_t)tw_copy_in(request.value, &vector, 1, vector.iov_len);
    if (request.length < vector.iov_len && request.length < sizeof(int))
        return EFAULT;
    return tw_ask(&request.header, (uint32_t)offsetof(struct option_request, value) + request.length, TW_SET_OPTION, &answer);
}

int tw_result(int error)
{
    if (error == 0)
        return 0;
    errno = error;
    return -1;
}
