/* Requests to the driver. */
#define _GNU_SOURCE
#include "control.h"
#include "syscall.h"
#include "tapwire.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#define ANSWER_BIT 0x8000u

uint64_t tw_handle(int fd)
{
    uint64_t cookie = 0;
    socklen_t length = sizeof cookie;
    return RAW(getsockopt, fd, SOL_SOCKET, SO_COOKIE, &cookie, &length) == 0 ? cookie : 0;
}

/* Waits for the first byte of the answer. 0, EINTR or ETIMEDOUT. */
static int await(int fd, int milliseconds)
{
    if (milliseconds < 0) {
        /* After a handler with SA_RESTART recv is restarted, unless it has a time-out; poll never is. */
        uint8_t first;
        tw_limit_waits(fd, 0);
        int error = RAW(recvfrom, fd, &first, 1, MSG_PEEK, NULL, NULL) < 0 && errno == EINTR ? EINTR : 0;
        tw_limit_waits(fd, ANSWER_MS);
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
    if (!tw_receive_all(fd, header, sizeof *header, &answer->descriptor, deadline))
        return errno == EAGAIN && header->length == 0 ? EAGAIN : EPROTO;
    if (header->length < sizeof *header || header->length - sizeof *header > sizeof answer->body)
        return EPROTO;
    answer->length = header->length - (uint32_t)sizeof *header;
    return tw_receive_all(fd, answer->body, answer->length, NULL, deadline) ? 0 : EPROTO;
}

static _Atomic uint32_t last_id;

static void prepare(struct tw_header *request, uint32_t length, enum tw_request type)
{
    request->length = length;
    request->type = (uint16_t)type;
    request->zero = 0;
    request->id = ++last_id;
    request->error = 0;
}

/*
 * Whether the driver takes options without an answer. One that does not refuses them with an answer, which shows before that to the next request: the first option
 * is sent in both ways.
 */
enum { NOT_KNOWN, TAKES_POSTS, REFUSES_POSTS };
static _Atomic int posts;

void tw_meet_driver(void) { posts = NOT_KNOWN; }

/* Receives the answer to a request. Answers before it are to requests whose callers have given up. */
static int receive_answer(int fd, const struct tw_header *request, struct tw_answer *answer, int *error)
{
    struct tw_header header;
    long deadline = tw_now_ms() + ANSWER_MS;
    for (;;) {
        int result = receive_any(fd, &header, answer, deadline);
        bool is_it = result == 0 && header.id == request->id;
        if (is_it && header.type != (request->type | ANSWER_BIT))
            result = EPROTO;
        if ((result != 0 || !is_it) && answer->descriptor >= 0)
            RAW(close, answer->descriptor);
        if (result == 0 && header.type == (TW_POST_OPTION | ANSWER_BIT))
            posts = REFUSES_POSTS;
        *error = header.error;
        if (is_it || result != 0)
            return result;
    }
}

int tw_ask_for_session(struct connection c, int limit)
{
    struct tw_header request;
    struct tw_answer answer;
    int error = 0, before = errno;
    prepare(&request, sizeof request, TW_SESSION);
    bool has_answer = tw_send_all(c.fd, &request, sizeof request, tw_now_ms() + limit) && await(c.fd, limit) == 0
        && receive_answer(c.fd, &request, &answer, &error) == 0;
    errno = before;
    return has_answer && error == 0 ? answer.descriptor : -1;
}

/* 0, and the request's error; EPROTO: the connection cannot be used any more. */
static int send_request(int fd, const struct tw_header *request, uint32_t length, int limit, int *error)
{
    *error = tw_send_all(fd, request, length, tw_now_ms() + limit) ? 0 : errno;

    /* The kernel takes so short a request whole or not at all: where memory is short the driver has got nothing. */
    return *error == 0 || *error == ENOBUFS || *error == ENOMEM ? 0 : EPROTO;
}

/* One request and its answer on a connection. 0, and the request's error; or as receive_answer. */
static int exchange(int fd, const struct tw_header *request, uint32_t length, struct tw_answer *answer, int milliseconds, int limit, int *error)
{
    int result = send_request(fd, request, length, limit, error);
    if (result != 0 || *error != 0)
        return result;
    *error = milliseconds != 0 ? await(fd, milliseconds) : 0;
    return *error != 0 ? 0 : receive_answer(fd, request, answer, error);
}

/* Sends an option, and waits only where it is not known that nobody has to. As exchange. */
static int post(int fd, struct tw_header *request, uint32_t length, struct tw_answer *answer, int limit, int *error)
{
    *error = 0;
    int result = posts != REFUSES_POSTS ? send_request(fd, request, length, limit, error) : 0;
    if (result != 0 || *error != 0 || posts == TAKES_POSTS)
        return result;
    prepare(request, length, TW_SET_OPTION);
    result = exchange(fd, request, length, answer, 0, limit, error);
    prepare(request, length, TW_POST_OPTION);
    atomic_compare_exchange_strong(&posts, &(int){ NOT_KNOWN }, result == 0 ? TAKES_POSTS : NOT_KNOWN);
    return result;
}

/* Sends a request and receives its answer. milliseconds is as in tw_ask_patiently, or 0 for a request that is answered at once; limit is for making a connection. */
static int ask(struct tw_header *request, uint32_t length, enum tw_request type, struct tw_answer *answer, int milliseconds, int limit)
{
    int before = errno, error;
    prepare(request, length, type);
    for (;;) {
        struct connection c;
        error = tw_take(&c, limit);
        if (error != 0)
            break;

        int result = type == TW_POST_OPTION ? post(c.fd, request, length, answer, limit, &error)
            : exchange(c.fd, request, length, answer, milliseconds, limit, &error);

        /* After EAGAIN the answer is still to come: the next user of the connection skips it. The connection is kept, since this process may
           not be able to make another. */
        if (result == 0 || result == EAGAIN) {
            tw_give_back(c);
            error = result == 0 ? error : ENETDOWN;
            break;
        }

        tw_drop(c);
        error = ENETDOWN;
        /* An idle connection may be that of a driver that has ended, while another one runs now: try again. */
        if (c.is_new)
            break;
    }

    errno = before;
    return error;
}

int tw_another_session(int limit)
{
    struct tw_header request;
    struct tw_answer answer;
    return ask(&request, sizeof request, TW_SESSION, &answer, limit, limit) == 0 ? answer.descriptor : -1;
}

int tw_ask_patiently(struct tw_header *request, uint32_t length, enum tw_request type, struct tw_answer *answer, int milliseconds)
{
    return ask(request, length, type, answer, milliseconds, ANSWER_MS);
}

int tw_ask(struct tw_header *request, uint32_t length, enum tw_request type, struct tw_answer *answer)
{
    return tw_ask_patiently(request, length, type, answer, 0);
}

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

/* Whether the driver takes this value of a stream's option for certain, and at any time: then nobody has to wait for its answer. Not so for SO_LINGER and TCP_CORK, which
   concern what is done with the descriptor next. */
static bool is_certain(int level, int name, int value)
{
    if (level != IPPROTO_TCP)
        return level == SOL_SOCKET && name == SO_KEEPALIVE;
    switch (name) {
    case TCP_NODELAY:
    case TCP_QUICKACK:
        return true;
    case TCP_KEEPIDLE:
    case TCP_KEEPINTVL:
        return value >= 1 && value <= 32767;
    case TCP_KEEPCNT:
        return value >= 1 && value <= 127;
    default:
        return name == TCP_USER_TIMEOUT && value >= 0;
    }
}

/* glibc 2.32: false as soon as the program makes a thread. */
extern char __libc_single_threaded __attribute__((weak));

/*
 * Whether requests reach the driver in the order of the program's calls even if nobody waits for the answers: they all go by the same connection. Threads use others, and so does
 * a signal handler that has interrupted a call which uses one.
 */
static bool is_in_order(void) { return &__libc_single_threaded != NULL && __libc_single_threaded && tw_none_is_busy(); }

int tw_set_option(int fd, int level, int name, const void *value, socklen_t length)
{
    struct tw_answer answer;
    struct option_request request = { .handle = tw_handle(fd), .level = level, .name = name };
    if (request.handle == 0)
        return errno;

    /* All options are shorter than the limit, and Linux reads no more than an option's own length. */
    struct iovec vector = { .iov_base = (void *)value, .iov_len = length < sizeof request.value ? length : sizeof request.value };
    int number;
    if (length == sizeof number && tw_can_read(value, sizeof number)) {
        memcpy(request.value, value, sizeof number); /* saves a system call, as a rule */
        request.length = sizeof number;
    } else {
        request.length = (uint32_t)tw_copy_in(request.value, &vector, 1, vector.iov_len);
        if (request.length < vector.iov_len && request.length < sizeof number)
            return EFAULT;
    }

    memcpy(&number, request.value, sizeof number);
    enum tw_kind kind = tw_known(fd);
    bool may_post = (kind == TW_STREAM || kind == TW_STREAM_FRESH) && request.length == sizeof number && is_certain(level, name, number) && is_in_order();
    return tw_ask(&request.header, (uint32_t)offsetof(struct option_request, value) + request.length, may_post ? TW_POST_OPTION : TW_SET_OPTION, &answer);
}

int tw_result(int error)
{
    if (error == 0)
        return 0;
    errno = error;
    return -1;
}
