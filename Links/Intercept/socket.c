/* socket, bind, connect, listen, accept and their like for Tapwire's sockets. */
#define _GNU_SOURCE
#include "syscall.h"
#include "tapwire.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

DEFINE_REAL(socket)
DEFINE_REAL(connect)
DEFINE_REAL(bind)
DEFINE_REAL(listen)
DEFINE_REAL(accept)
DEFINE_REAL(accept4)
DEFINE_REAL(getsockname)
DEFINE_REAL(getpeername)
DEFINE_REAL(shutdown)
DEFINE_REAL(recvmsg)
DEFINE_REAL(send)

/* A request with a socket and an address. Connect has more fields than Bind. */
struct address_request {
    struct tw_header header;
    uint64_t handle;
    struct tw_address address;
    uint32_t discard;
    uint32_t flags;
    uint32_t zero;
};

/* IPPROTO_MPTCP, which older headers have not. */
#define MULTIPATH_TCP 262

#define NO_WAIT 1u
#define AWAIT_HANDSHAKE 2u

EXPORT int socket(int domain, int type, int protocol)
{
    int kind = type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (kind == SOCK_STREAM && protocol == MULTIPATH_TCP)
        protocol = IPPROTO_TCP; /* what it becomes with a peer that has it not (RFC 8684, 3.7) */
    bool is_stream = kind == SOCK_STREAM && (protocol == 0 || protocol == IPPROTO_TCP);
    bool is_echo = kind == SOCK_DGRAM && protocol == (domain == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6);
    bool is_datagram = kind == SOCK_DGRAM && (protocol == 0 || protocol == IPPROTO_UDP || is_echo);

    /* ping and traceroute use the other kind where they must. With a raw socket their packets would go round Tapwire. */
    if (kind == SOCK_RAW && ((domain == AF_INET && protocol == IPPROTO_ICMP) || (domain == AF_INET6 && protocol == IPPROTO_ICMPV6)))
        return tw_result(EPERM);
    if ((domain != AF_INET && domain != AF_INET6) || !(is_stream || is_datagram)) {
        int fd = REAL(socket)(domain, type, protocol);
        tw_note(fd, TW_FOREIGN);
        return fd;
    }

    struct {
        struct tw_header header;
        uint16_t family;
        uint16_t type;
        int32_t protocol;
    } request = { .family = (uint16_t)domain, .type = (uint16_t)kind, .protocol = protocol };
    struct tw_answer answer;
    int error = tw_ask(&request.header, sizeof request, TW_SOCKET, &answer);
    if (error != 0)
        return tw_result(error);
    if (answer.descriptor < 0)
        return tw_result(EMFILE);
    if ((type & SOCK_CLOEXEC) == 0)
        fcntl(answer.descriptor, F_SETFD, 0);
    if ((type & SOCK_NONBLOCK) != 0)
        fcntl(answer.descriptor, F_SETFL, O_RDWR | O_NONBLOCK);
    uint64_t handle;
    memcpy(&handle, answer.body, sizeof handle);
    tw_begin_told(answer.descriptor, domain);
    tw_tell(answer.descriptor, TW_ECHOES, is_echo);
    tw_note_socket(answer.descriptor, is_stream ? TW_STREAM_FRESH : TW_DATAGRAM_FRESH, handle);
    return answer.descriptor;
}

/* Fills the pair, so that the descriptor is not writable until the driver has discarded these bytes. */
static uint32_t fill(int fd)
{
    static const uint8_t filler[32768];
    uint32_t filled = 0;
    ssize_t sent;
    while ((sent = REAL(send)(fd, filler, sizeof filler, MSG_DONTWAIT | MSG_NOSIGNAL)) > 0 || (sent < 0 && errno == EINTR))
        filled += sent > 0 ? (uint32_t)sent : 0;
    return filled;
}

/* A connect that did not wait has succeeded since: connect() says so once. */
#define HAS_CONNECTED (-1)

/* connect() on a stream that is connecting, or that this process knows nothing of: finds out how it stands. */
static int state_of(int fd)
{
    struct tw_answer answer;
    struct address_request request = { .handle = tw_handle(fd) }; /* no address: only asks */
    if (request.handle == 0)
        return errno;
    int error = tw_ask(&request.header, sizeof request, TW_CONNECT, &answer);
    if (error == 0 || error == EALREADY || error == EISCONN || tw_has_ended(fd, error)) {
        bool has_connected = error == EISCONN && tw_is_told(fd, TW_CONNECTING);
        tw_tell(fd, TW_CONNECTING, error == EALREADY && tw_is_told(fd, TW_CONNECTING));
        return has_connected ? HAS_CONNECTED : error == EBADF || error == ENETDOWN ? EISCONN : error;
    }

    /* Linux gives the reason once, and then this. */
    error = tw_take_error(fd);
    return error != 0 ? error : ECONNABORTED;
}

static int send_timeout(int fd)
{
    struct timeval timeout = { 0 };
    socklen_t length = sizeof timeout;
    if (RAW(getsockopt, fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, &length) != 0 || (timeout.tv_sec == 0 && timeout.tv_usec == 0))
        return -1;
    return timeout.tv_sec > 2000000 ? -1 : (int)(timeout.tv_sec * 1000 + timeout.tv_usec / 1000 + 1);
}

static void tell_local(int fd, const struct tw_answer *answer)
{
    struct tw_address local;
    memcpy(&local, answer->body, sizeof local);
    tw_tell_local(fd, &local);
}

/* Waits for the outcome of a handshake, but no longer than the socket's own time-out. The driver's answer: EISCONN if it is done, or why it is not. */
static int ask_outcome(int fd, uint64_t handle, bool *is_over_time)
{
    struct tw_answer answer;
    struct address_request request = { .handle = handle, .flags = AWAIT_HANDSHAKE };
    int timeout = send_timeout(fd);
    int error = tw_ask_patiently(&request.header, sizeof request, TW_CONNECT, &answer, timeout);
    *is_over_time = error == ETIMEDOUT && timeout > 0;
    return error;
}

/* connect() on a stream that is connecting: as under Linux, a blocking call waits for the outcome, whatever address it names. */
static int await_connected(int fd)
{
    bool is_over_time;
    uint64_t handle = tw_handle(fd);
    if (handle == 0)
        return errno;
    int error = ask_outcome(fd, handle, &is_over_time);
    if (is_over_time)
        return EALREADY;
    if (error == EINTR || error == EALREADY)
        return error;
    tw_tell(fd, TW_CONNECTING, false);
    if (error == EISCONN)
        return 0;
    if (tw_is_hung_up(fd))
        (void)tw_take_error(fd); /* it is told here */
    else
        tw_note(fd, TW_STREAM_FRESH);
    return error;
}

static bool waits(int fd, bool no_wait)
{
    int flags = no_wait ? O_NONBLOCK : fcntl(fd, F_GETFL);
    return flags < 0 || (flags & O_NONBLOCK) == 0;
}

static int connect_stream(int fd, enum tw_kind kind, const struct tw_address *address, bool no_wait)
{
    struct tw_answer answer;
    struct address_request request = { .handle = tw_handle(fd), .address = *address };
    if (kind == TW_LISTENER)
        return EISCONN;
    if (kind == TW_STREAM) {
        int error = state_of(fd);
        if (error == EALREADY && waits(fd, no_wait))
            return await_connected(fd);
        if (error != 0)
            return error == HAS_CONNECTED ? 0 : error;
    }

    if (request.handle == 0)
        return errno;
    tw_note(fd, TW_STREAM);
    int error;
    if (!waits(fd, no_wait)) {
        request.flags = NO_WAIT;
        request.discard = fill(fd);
        error = tw_ask(&request.header, sizeof request, TW_CONNECT, &answer);
    } else {
        int timeout = send_timeout(fd);
        error = tw_ask_patiently(&request.header, sizeof request, TW_CONNECT, &answer, timeout);
        /* The connect goes on, and the next one asks how it went. */
        tw_tell(fd, TW_CONNECTING, true);
        if (error == EINTR)
            return EINTR;
        if (error == ETIMEDOUT && timeout > 0)
            return EINPROGRESS;
    }

    if (error == 0)
        tell_local(fd, &answer);
    tw_tell(fd, TW_CONNECTING, error == EINPROGRESS);
    if (error != 0 && error != EINPROGRESS)
        tw_note(fd, TW_STREAM_FRESH);
    return error;
}

int tw_await_handshake(int fd)
{
    bool is_over_time;
    uint64_t handle = tw_handle(fd);
    if (handle == 0)
        return errno;
    int error = ask_outcome(fd, handle, &is_over_time);
    return error == EISCONN || error == EINTR || is_over_time ? 0 : error;
}

EXPORT int connect(int fd, const struct sockaddr *to, socklen_t length)
{
    return tw_connect(fd, to, length, false);
}

int tw_connect(int fd, const struct sockaddr *to, socklen_t length, bool no_wait)
{
    struct tw_address address;
    enum tw_kind kind = tw_kind(fd);
    if (!tw_is_ours(kind))
        return REAL(connect)(fd, to, length);

    int error = tw_address_in(to, length, &address);
    if (error != 0)
        return tw_result(error);
    if (to->sa_family != AF_UNSPEC && !tw_goes_by_tapwire(to)) {
        if (kind != TW_STREAM_FRESH && kind != TW_DATAGRAM_FRESH)
            return tw_result(ENETUNREACH);
        error = tw_become_host(fd, kind);
        return error != 0 ? tw_result(error) : REAL(connect)(fd, to, length);
    }

    tw_name_loopback(&address);
    if (tw_is_stream(kind))
        return tw_result(connect_stream(fd, kind, &address, no_wait));
    struct tw_answer answer;
    struct address_request request = { .handle = tw_handle(fd), .address = address };
    error = request.handle == 0 ? errno : tw_ask(&request.header, sizeof request, TW_CONNECT, &answer);
    if (error == 0)
        tw_note(fd, to->sa_family == AF_UNSPEC ? TW_DATAGRAM : TW_DATAGRAM_CONNECTED);
    return tw_result(error);
}

EXPORT int bind(int fd, const struct sockaddr *local, socklen_t length)
{
    enum tw_kind kind = tw_kind(fd);
    struct tw_answer answer;
    struct address_request request = { .handle = 0 };
    if (!tw_is_ours(kind))
        return REAL(bind)(fd, local, length);

    int error = tw_address_in(local, length, &request.address);
    if (error != 0)
        return tw_result(error);
    if (!tw_binds_tapwire(local)) {
        error = kind == TW_STREAM_FRESH || kind == TW_DATAGRAM_FRESH ? tw_become_host(fd, kind) : EINVAL;
        return error != 0 ? tw_result(error) : REAL(bind)(fd, local, length);
    }

    request.handle = tw_handle(fd);
    error = request.handle == 0 ? errno : tw_ask(&request.header, offsetof(struct address_request, flags), TW_BIND, &answer);
    if (error == 0)
        tell_local(fd, &answer);
    return tw_result(tw_has_ended(fd, error) ? EINVAL : error);
}

EXPORT int listen(int fd, int backlog)
{
    enum tw_kind kind = tw_kind(fd);
    struct tw_answer answer;
    if (!tw_is_ours(kind))
        return REAL(listen)(fd, backlog);
    if (tw_is_datagram(kind))
        return tw_result(EOPNOTSUPP);
    int error = tw_ask_number(fd, TW_LISTEN, backlog, &answer);
    if (error == 0) {
        tell_local(fd, &answer);
        tw_note(fd, TW_LISTENER);
    }

    return tw_result(tw_has_ended(fd, error) ? EINVAL : error);
}

/* Whether the descriptor is a listener. One that this process has inherited is looked up once. */
static bool listens(int fd, enum tw_kind kind)
{
    int value = 0;
    socklen_t length = sizeof value;
    if (kind == TW_STREAM && tw_get_option(fd, SOL_SOCKET, SO_ACCEPTCONN, &value, &length) == 0 && value) {
        tw_note(fd, TW_LISTENER);
        kind = TW_LISTENER;
    }

    return kind == TW_LISTENER;
}

/* Gives the caller an address, cut to the room there is. 0, EFAULT or EINVAL. */
static int give_name(const struct tw_address *name, struct sockaddr *to, socklen_t *length)
{
    struct sockaddr_storage whole = { .ss_family = AF_UNSPEC };
    socklen_t room, bytes = tw_address_out(name, (struct sockaddr *)&whole, sizeof whole);
    int error = tw_read_length(length, &room);
    return error != 0 ? error : tw_write_value(to, room, length, &whole, bytes, bytes);
}

/* Each record carries one descriptor, an accepted connection. */
static int accept_record(int fd, struct sockaddr *peer, socklen_t *length, int flags)
{
    struct {
        struct tw_address peer;
        uint32_t mark; /* the low bits of the connection's cookie; 0: not told */
        struct tw_address local;
        uint32_t zero;
    } record;
    union {
        struct cmsghdr header;
        uint8_t bytes[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec vector = { .iov_base = &record, .iov_len = sizeof record };
    struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control };

    ssize_t received = REAL(recvmsg)(fd, &message, (flags & SOCK_CLOEXEC) != 0 ? MSG_CMSG_CLOEXEC : 0);
    if (received < 0)
        return tw_result(errno == ECONNRESET ? EINVAL : errno);
    struct cmsghdr *first = CMSG_FIRSTHDR(&message);
    if (received != sizeof record || first == NULL || first->cmsg_type != SCM_RIGHTS)
        return tw_result(received == 0 ? EINVAL : EMFILE); /* the listener has ended; or no descriptor was left */

    int connection;
    memcpy(&connection, CMSG_DATA(first), sizeof connection);
    int error = peer == NULL ? 0 : give_name(&record.peer, peer, length);
    if (error != 0) {
        RAW(close, connection); /* the caller loses the connection, as under Linux */
        return tw_result(error);
    }

    tw_begin_told(connection, AF_INET);
    tw_tell_local(connection, &record.local);
    tw_note_socket(connection, TW_STREAM, record.mark != 0 ? record.mark : tw_handle(connection));
    if ((flags & SOCK_NONBLOCK) != 0)
        fcntl(connection, F_SETFL, O_RDWR | O_NONBLOCK);
    return connection;
}

/* What the number is if it is not the listener that it was noted as: then the record that did not come is no answer to the application. */
static bool is_no_listener(int fd, int result)
{
    return result < 0 && errno != EAGAIN && errno != EINTR && !tw_is_ours(tw_kind(fd));
}

EXPORT int accept4(int fd, struct sockaddr *peer, socklen_t *length, int flags)
{
    enum tw_kind kind = tw_known(fd) == TW_LISTENER ? TW_LISTENER : tw_kind(fd);
    if (tw_is_datagram(kind))
        return tw_result(EOPNOTSUPP);
    if (tw_is_ours(kind)) {
        bool is_good = (flags & ~(SOCK_NONBLOCK | SOCK_CLOEXEC)) == 0 && listens(fd, kind);
        int accepted = is_good ? accept_record(fd, peer, length, flags) : tw_result(EINVAL);
        if (!is_no_listener(fd, accepted))
            return accepted;
    }

    int accepted = REAL(accept4)(fd, peer, length, flags);
    tw_note(accepted, TW_FOREIGN);
    return accepted;
}

EXPORT int accept(int fd, struct sockaddr *peer, socklen_t *length)
{
    if (tw_known(fd) == TW_LISTENER || tw_is_ours(tw_kind(fd)))
        return accept4(fd, peer, length, 0);
    int accepted = REAL(accept)(fd, peer, length);
    tw_note(accepted, TW_FOREIGN);
    return accepted;
}

static int name_of(int fd, enum tw_request which, struct sockaddr *name, socklen_t *length)
{
    struct tw_answer answer;
    int error = tw_ask_number(fd, which, 0, &answer);
    struct tw_address address;
    if (error == 0) {
        memcpy(&address, answer.body, sizeof address);
        if (which == TW_GET_SOCK_NAME)
            tw_tell_local(fd, &address);
        error = give_name(&address, name, length);
    } else if (tw_has_ended(fd, error)) {
        tw_told_local(fd, &address);
        error = which == TW_GET_PEER_NAME ? ENOTCONN : give_name(&address, name, length);
    }

    return tw_result(error);
}

EXPORT int getsockname(int fd, struct sockaddr *name, socklen_t *length)
{
    return tw_is_ours(tw_kind(fd)) ? name_of(fd, TW_GET_SOCK_NAME, name, length) : REAL(getsockname)(fd, name, length);
}

EXPORT int getpeername(int fd, struct sockaddr *name, socklen_t *length)
{
    return tw_is_ours(tw_kind(fd)) ? name_of(fd, TW_GET_PEER_NAME, name, length) : REAL(getpeername)(fd, name, length);
}

EXPORT int shutdown(int fd, int how)
{
    struct tw_answer answer;
    enum tw_kind kind = tw_kind(fd);
    if (how < SHUT_RD || how > SHUT_RDWR || !tw_is_ours(kind))
        return REAL(shutdown)(fd, how);
    if (kind == TW_STREAM || kind == TW_STREAM_FRESH) {
        /* The kernel's shutdown of the pair is enough, unless there is no connection, or none any more. */
        if (kind == TW_STREAM_FRESH ? tw_is_unconnected(fd, kind) : tw_is_hung_up(fd) && tw_ask_number(fd, TW_GET_PEER_NAME, 0, &answer) != 0)
            return tw_result(ENOTCONN);
        return REAL(shutdown)(fd, how);
    }

    /* The driver carries it out. The native call wakes threads that wait in recv or accept. */
    int error = tw_ask_number(fd, TW_SHUTDOWN, how, &answer);
    if (error == 0 && how != SHUT_WR)
        REAL(shutdown)(fd, SHUT_RD);
    return tw_result(error);
}
