/*
 * The calls that move data. On files and foreign sockets they go straight to libc: the check of a descriptor costs one look into memory. On streams it is one call, too; it
 * sends without SIGPIPE, which is raised here where TCP raises it.
 */
#define _GNU_SOURCE
#include "tapwire.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

DEFINE_REAL(send)
DEFINE_REAL(sendto)
DEFINE_REAL(sendmsg)
DEFINE_REAL(sendmmsg)
DEFINE_REAL(recv)
DEFINE_REAL(recvfrom)
DEFINE_REAL(recvmsg)
DEFINE_REAL(recvmmsg)
DEFINE_REAL(read)
DEFINE_REAL(readv)
DEFINE_REAL(write)
DEFINE_REAL(writev)

/* The number is cached as a datagram socket's, which was closed unnoticed (by io_uring, say): treats it as what it is now. */
static bool is_stale(int fd, ssize_t result)
{
    if (result >= 0 || errno != ENOTSOCK)
        return false;
    tw_note(fd, TW_UNKNOWN);
    return true;
}

static ssize_t send_one(int fd, const void *bytes, size_t length, int flags, const struct sockaddr *to, socklen_t to_length)
{
    struct iovec vector = { .iov_base = (void *)bytes, .iov_len = length };
    struct msghdr message = { .msg_name = (void *)to, .msg_namelen = to_length, .msg_iov = &vector, .msg_iovlen = 1 };
    if (to != NULL && (to_length == 0 || to_length > sizeof(struct sockaddr_storage))) /* a negative length is a large one here */
        return tw_result(EINVAL);
    return tw_datagram_send(fd, &message, length, flags);
}

static ssize_t receive_one(int fd, void *bytes, size_t length, int flags, struct sockaddr *from, socklen_t *from_length)
{
    struct iovec vector = { .iov_base = bytes, .iov_len = length < TW_MOST_BYTES ? length : TW_MOST_BYTES };
    struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1 };
    struct sockaddr_storage sender;
    if (from != NULL)
        message.msg_name = &sender, message.msg_namelen = sizeof sender;
    ssize_t received = tw_datagram_receive(fd, &message, length, flags);
    if (received < 0 || from == NULL)
        return received;

    /* As under Linux, a bad buffer is noticed after the datagram has been taken. */
    if (!tw_can_read(from_length, sizeof *from_length))
        return tw_result(EFAULT);
    socklen_t room = *from_length < message.msg_namelen ? *from_length : message.msg_namelen;
    if ((int)*from_length < 0)
        return tw_result(EINVAL);
    if (!tw_can_read(from, room))
        return tw_result(EFAULT);
    memcpy(from, &sender, room);
    *from_length = message.msg_namelen;
    return received;
}

/* MSG_FASTOPEN: connects, so that the first bytes go with the SYN if a cookie is known; without a cookie, as connect() does. 0, or -1 with errno. */
static int open_fast(int fd, const struct sockaddr *to, socklen_t length, size_t bytes, int flags)
{
    int on = 1;
    if (bytes > 0 && setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &on, sizeof on) != 0)
        return -1;
    return tw_connect(fd, to, length, (flags & MSG_DONTWAIT) != 0);
}

/* As under Linux, a blocking call waits until the peer has accepted or refused the connection. */
static ssize_t opened_fast(int fd, ssize_t sent, int flags)
{
    int status = fcntl(fd, F_GETFL);
    if (sent <= 0 || (flags & MSG_DONTWAIT) != 0 || status < 0 || (status & O_NONBLOCK) != 0 || !tw_is_stream(tw_known(fd)))
        return sent;
    int error = tw_await_handshake(fd);
    return error != 0 ? tw_result(error) : sent;
}

/* Sending before there is a connection, or after it was shut down. */
static ssize_t not_connected(int fd, int flags)
{
    errno = EPIPE;
    return tw_send_failed(fd, flags);
}

static ssize_t send_stream(int fd, enum tw_kind kind, const void *bytes, size_t length, int flags)
{
    if (tw_is_confined)
        return REAL(send)(fd, bytes, length, flags);
    if (tw_is_unconnected(fd, kind))
        return not_connected(fd, flags);
    ssize_t sent = REAL(send)(fd, bytes, length, flags | MSG_NOSIGNAL);
    return sent >= 0 ? sent : tw_send_failed(fd, flags);
}

static ssize_t send_stream_message(int fd, enum tw_kind kind, const struct msghdr *message, int flags)
{
    if (tw_is_confined)
        return REAL(sendmsg)(fd, message, flags);
    if (tw_is_unconnected(fd, kind))
        return not_connected(fd, flags);
    ssize_t sent = REAL(sendmsg)(fd, message, flags | MSG_NOSIGNAL);
    return sent >= 0 ? sent : tw_send_failed(fd, flags);
}

EXPORT ssize_t send(int fd, const void *bytes, size_t length, int flags)
{
    enum tw_kind kind = tw_known(fd);
    if (!tw_is_ours(kind))
        return REAL(send)(fd, bytes, length, flags);
    ssize_t sent = tw_is_stream(kind) ? send_stream(fd, kind, bytes, length, flags) : send_one(fd, bytes, length, flags, NULL, 0);
    return is_stale(fd, sent) ? REAL(send)(fd, bytes, length, flags) : sent;
}

EXPORT ssize_t sendto(int fd, const void *bytes, size_t length, int flags, const struct sockaddr *to, socklen_t to_length)
{
    enum tw_kind kind = tw_known(fd);
    if (tw_is_datagram(kind)) {
        ssize_t sent = send_one(fd, bytes, length, flags, to, to_length);
        return is_stale(fd, sent) ? REAL(sendto)(fd, bytes, length, flags, to, to_length) : sent;
    }

    if (tw_is_stream(kind) && to == NULL && (flags & MSG_FASTOPEN) == 0)
        return send_stream(fd, kind, bytes, length, flags);
    if (tw_is_stream(kind) && tw_is_stream(kind = tw_kind(fd))) {
        bool opens = (flags & MSG_FASTOPEN) != 0 && kind == TW_STREAM_FRESH;
        if (opens && open_fast(fd, to, to_length, length, flags) != 0)
            return -1;
        ssize_t sent = send_stream(fd, tw_known(fd), bytes, length, flags & ~MSG_FASTOPEN); /* TCP ignores the address */
        return opens ? opened_fast(fd, sent, flags) : sent;
    }

    return REAL(sendto)(fd, bytes, length, flags, to, to_length);
}

EXPORT ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    enum tw_kind kind = tw_known(fd);
    size_t bytes;
    if (tw_is_datagram(kind)) {
        int error = tw_check_message(message, &bytes);
        ssize_t sent = error != 0 ? tw_result(error) : tw_datagram_send(fd, message, bytes, flags);
        return is_stale(fd, sent) ? REAL(sendmsg)(fd, message, flags) : sent;
    }

    if (tw_is_stream(kind) && tw_can_read(message, sizeof *message)
        && (message->msg_name != NULL || message->msg_controllen > 0 || (flags & MSG_FASTOPEN) != 0) && tw_is_stream(kind = tw_kind(fd))) {
        int error = tw_check_control(message);
        if (error == 0 && message->msg_name != NULL && (int)message->msg_namelen < 0)
            error = EINVAL;
        if (error != 0)
            return tw_result(error);
        bool opens = (flags & MSG_FASTOPEN) != 0 && kind == TW_STREAM_FRESH;
        if (opens && ((error = tw_check_message(message, &bytes)) != 0))
            return tw_result(error);
        if (opens && open_fast(fd, message->msg_name, message->msg_namelen, bytes, flags) != 0)
            return -1;
        /* Address and control messages would mean something else to the pair than to TCP. */
        struct msghdr plain = { .msg_iov = message->msg_iov, .msg_iovlen = message->msg_iovlen };
        ssize_t sent = send_stream_message(fd, tw_known(fd), &plain, flags & ~MSG_FASTOPEN);
        return opens ? opened_fast(fd, sent, flags) : sent;
    }

    return tw_is_stream(kind) ? send_stream_message(fd, kind, message, flags) : REAL(sendmsg)(fd, message, flags);
}

EXPORT int sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags)
{
    enum tw_kind kind = tw_known(fd);
    if (!tw_is_ours(kind) || (tw_is_stream(kind) && !tw_is_ours(tw_kind(fd))))
        return REAL(sendmmsg)(fd, messages, count, flags);
    unsigned sent = 0;
    if (count > TW_MOST_VECTORS)
        count = TW_MOST_VECTORS;
    for (; sent < count; sent++) {
        ssize_t length = tw_can_read(&messages[sent], sizeof *messages) ? sendmsg(fd, &messages[sent].msg_hdr, flags) : tw_result(EFAULT);
        if (length < 0)
            break;
        messages[sent].msg_len = (unsigned)length;
    }

    return sent > 0 || count == 0 ? (int)sent : -1;
}

/* MSG_TRUNC on TCP: the bytes are thrown away, or only counted with MSG_PEEK, and the buffer is not touched. */
static ssize_t discard(int fd, size_t length, int flags)
{
    static uint8_t scratch[65536];
    size_t taken = 0;
    int waiting = 0;
    for (;;) {
        size_t piece = length - taken < sizeof scratch ? length - taken : sizeof scratch;
        ssize_t received = REAL(recv)(fd, scratch, piece, (flags & ~MSG_TRUNC) | (taken > 0 ? MSG_DONTWAIT : 0));
        if (received < 0)
            return taken > 0 ? (ssize_t)taken : tw_receive_failed(fd);
        if ((flags & MSG_PEEK) != 0 && (size_t)received == piece && ioctl(fd, FIONREAD, &waiting) == 0 && waiting > received)
            return (size_t)waiting < length ? waiting : (ssize_t)length;
        taken += (size_t)received;
        if ((size_t)received < piece || taken == length || (flags & MSG_PEEK) != 0)
            return (ssize_t)taken;
    }
}

/* What TCP answers otherwise than the pair would. False: the pair is to be read. */
static bool answers_receive(int fd, enum tw_kind kind, size_t length, int flags, ssize_t *result)
{
    if ((flags & (MSG_ERRQUEUE | MSG_TRUNC)) == 0 && kind != TW_LISTENER && kind != TW_STREAM_FRESH)
        return false;
    kind = tw_kind(fd); /* the number may be another file's by now */
    if (!tw_is_stream(kind))
        return false;
    if ((flags & MSG_ERRQUEUE) != 0)
        *result = tw_result(EAGAIN); /* nothing is ever in it */
    else if (kind == TW_LISTENER || tw_is_unconnected(fd, kind))
        *result = tw_result(ENOTCONN);
    else if ((flags & MSG_TRUNC) != 0)
        *result = discard(fd, length, flags);
    else
        return false;
    return true;
}

EXPORT ssize_t recv(int fd, void *bytes, size_t length, int flags)
{
    enum tw_kind kind = tw_known(fd);
    if (tw_is_datagram(kind)) {
        ssize_t received = receive_one(fd, bytes, length, flags, NULL, NULL);
        return is_stale(fd, received) ? REAL(recv)(fd, bytes, length, flags) : received;
    }

    ssize_t result;
    if (tw_is_stream(kind) && answers_receive(fd, kind, length, flags, &result))
        return result;
    ssize_t received = REAL(recv)(fd, bytes, length, flags);
    return received >= 0 ? received : tw_receive_failed(fd);
}

EXPORT ssize_t recvfrom(int fd, void *bytes, size_t length, int flags, struct sockaddr *from, socklen_t *from_length)
{
    enum tw_kind kind = tw_known(fd);
    if (tw_is_datagram(kind)) {
        ssize_t received = receive_one(fd, bytes, length, flags, from, from_length);
        return is_stale(fd, received) ? REAL(recvfrom)(fd, bytes, length, flags, from, from_length) : received;
    }

    ssize_t result;
    if (tw_is_stream(kind) && answers_receive(fd, kind, length, flags, &result))
        return result;
    ssize_t received = REAL(recvfrom)(fd, bytes, length, flags, from, from_length);
    return received >= 0 ? received : tw_receive_failed(fd);
}

/* Descriptors that have come with a message: the cached kinds of these numbers are outdated. */
static void look_at_descriptors(struct msghdr *message)
{
    for (struct cmsghdr *control = CMSG_FIRSTHDR(message); control != NULL; control = CMSG_NXTHDR(message, control)) {
        if (control->cmsg_level != SOL_SOCKET || control->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (control->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(control) + i * sizeof fd, sizeof fd);
            tw_look(fd);
        }
    }
}

static ssize_t receive_message(int fd, struct msghdr *message, int flags)
{
    size_t bytes;
    int error = tw_check_message(message, &bytes);
    return error != 0 ? tw_result(error) : tw_datagram_receive(fd, message, bytes, flags);
}

/* TCP_INQ: the number of bytes that are left, as a control message. 1 beyond the last byte, as Linux has it. */
static void put_left(int fd, struct msghdr *message, size_t room)
{
    int left = 0;
    struct cmsghdr *control = message->msg_control;
    message->msg_controllen = 0;
    if (room < CMSG_LEN(sizeof left)) {
        message->msg_flags |= MSG_CTRUNC;
        return;
    }

    ioctl(fd, FIONREAD, &left);
    if (left == 0 && tw_is_hung_up(fd))
        left = 1;
    *control = (struct cmsghdr){ .cmsg_level = IPPROTO_TCP, .cmsg_type = TCP_CM_INQ, .cmsg_len = CMSG_LEN(sizeof left) };
    memcpy(CMSG_DATA(control), &left, sizeof left);
    message->msg_controllen = room < CMSG_SPACE(sizeof left) ? room : CMSG_SPACE(sizeof left);
}

static ssize_t receive_stream_message(int fd, enum tw_kind kind, struct msghdr *message, int flags)
{
    ssize_t result;
    size_t bytes = 0, room = 0;
    if ((flags & (MSG_ERRQUEUE | MSG_TRUNC)) != 0 || kind == TW_STREAM_FRESH || kind == TW_LISTENER) {
        int error = tw_check_message(message, &bytes);
        if (error != 0)
            return tw_result(error);
        if (answers_receive(fd, kind, bytes, flags, &result)) {
            if (result >= 0)
                message->msg_namelen = 0, message->msg_controllen = 0, message->msg_flags = 0;
            return result;
        }
    }

    bool tells_left = tw_is_told(fd, TW_TELLS_INQ) && tw_can_read(message, sizeof *message);
    if (tells_left)
        room = message->msg_controllen;
    ssize_t received = REAL(recvmsg)(fd, message, flags);
    if (received < 0)
        return tw_receive_failed(fd);
    if (tells_left && room > 0)
        put_left(fd, message, room);
    else if (message->msg_controllen > 0)
        look_at_descriptors(message); /* only another socket, which has the number by now, passes any */
    return received;
}

EXPORT ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
    enum tw_kind kind = tw_known(fd);
    if (tw_is_datagram(kind)) {
        ssize_t received = receive_message(fd, message, flags);
        return is_stale(fd, received) ? REAL(recvmsg)(fd, message, flags) : received;
    }

    if (tw_is_stream(kind))
        return receive_stream_message(fd, kind, message, flags);
    ssize_t received = REAL(recvmsg)(fd, message, flags);
    if (received >= 0 && message->msg_controllen > 0)
        look_at_descriptors(message);
    return received;
}

static bool has_passed(const struct timespec *end)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec > end->tv_sec || (now.tv_sec == end->tv_sec && now.tv_nsec >= end->tv_nsec);
}

EXPORT int recvmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags, struct timespec *timeout)
{
    struct timespec end = { 0 };
    if (!tw_is_datagram(tw_known(fd)))
        return REAL(recvmmsg)(fd, messages, count, flags, timeout);
    if (timeout != NULL) {
        if (!tw_can_read(timeout, sizeof *timeout))
            return tw_result(EFAULT);
        if (timeout->tv_sec < 0 || timeout->tv_nsec < 0 || timeout->tv_nsec >= 1000000000)
            return tw_result(EINVAL);
        clock_gettime(CLOCK_MONOTONIC, &end);
        end.tv_nsec += timeout->tv_nsec;
        end.tv_sec += timeout->tv_sec + end.tv_nsec / 1000000000;
        end.tv_nsec %= 1000000000;
    }

    unsigned received = 0;
    while (received < count) {
        int how = (flags & ~MSG_WAITFORONE) | (received > 0 && (flags & MSG_WAITFORONE) != 0 ? MSG_DONTWAIT : 0);
        ssize_t length = tw_can_read(&messages[received], sizeof *messages) ? receive_message(fd, &messages[received].msg_hdr, how) : tw_result(EFAULT);
        if (received == 0 && is_stale(fd, length))
            return REAL(recvmmsg)(fd, messages, count, flags, timeout);
        if (length < 0)
            break;
        messages[received++].msg_len = (unsigned)length;
        if (timeout != NULL && has_passed(&end)) /* checked after each datagram, as in the kernel */
            break;
    }

    return received > 0 || count == 0 ? (int)received : -1;
}

EXPORT ssize_t read(int fd, void *bytes, size_t length)
{
    enum tw_kind kind = tw_known(fd);
    if (!tw_is_datagram(kind) || length == 0) { /* a read of no bytes takes no datagram; a recv does */
        if (tw_is_unconnected(fd, kind))
            return tw_result(ENOTCONN);
        ssize_t result = REAL(read)(fd, bytes, length);
        return result >= 0 ? result : tw_receive_failed(fd);
    }

    ssize_t received = receive_one(fd, bytes, length, 0, NULL, NULL);
    return is_stale(fd, received) ? REAL(read)(fd, bytes, length) : received;
}

EXPORT ssize_t write(int fd, const void *bytes, size_t length)
{
    enum tw_kind kind = tw_known(fd);
    if (!tw_is_ours(kind) || (tw_is_confined && tw_is_stream(kind)))
        return REAL(write)(fd, bytes, length);
    ssize_t sent = tw_is_stream(kind) ? send_stream(fd, kind, bytes, length, 0) : send_one(fd, bytes, length, 0, NULL, 0);
    return is_stale(fd, sent) ? REAL(write)(fd, bytes, length) : sent;
}

/* Checks the vectors of readv or writev. 0 or an errno: too many are EINVAL, where a message gets EMSGSIZE. */
static int check_vectors(const struct iovec *vectors, int count, size_t *bytes)
{
    *bytes = 0;
    return count < 0 || (unsigned)count > TW_MOST_VECTORS ? EINVAL : tw_check_vectors(vectors, (size_t)count, bytes);
}

EXPORT ssize_t readv(int fd, const struct iovec *vectors, int count)
{
    size_t bytes;
    int error = tw_is_datagram(tw_known(fd)) ? check_vectors(vectors, count, &bytes) : 0;
    if (error != 0)
        return tw_result(error);
    enum tw_kind kind = tw_known(fd);
    if (!tw_is_datagram(kind) || bytes == 0) {
        if (tw_is_unconnected(fd, kind))
            return tw_result(ENOTCONN);
        ssize_t result = REAL(readv)(fd, vectors, count);
        return result >= 0 ? result : tw_receive_failed(fd);
    }

    struct msghdr message = { .msg_iov = (struct iovec *)vectors, .msg_iovlen = (size_t)count };
    ssize_t received = tw_datagram_receive(fd, &message, bytes, 0);
    return is_stale(fd, received) ? REAL(readv)(fd, vectors, count) : received;
}

EXPORT ssize_t writev(int fd, const struct iovec *vectors, int count)
{
    size_t bytes;
    int error = tw_is_datagram(tw_known(fd)) ? check_vectors(vectors, count, &bytes) : 0;
    if (error != 0)
        return tw_result(error);
    enum tw_kind kind = tw_known(fd);
    bool is_stream = tw_is_stream(kind) && !tw_is_confined && count > 0 && (unsigned)count <= TW_MOST_VECTORS;
    if (!is_stream && (!tw_is_datagram(kind) || bytes == 0)) /* a writev of no bytes sends no datagram; send and write do */
        return REAL(writev)(fd, vectors, count);
    struct msghdr message = { .msg_iov = (struct iovec *)vectors, .msg_iovlen = (size_t)count };
    ssize_t sent = is_stream ? send_stream_message(fd, kind, &message, 0) : tw_datagram_send(fd, &message, bytes, 0);
    return is_stale(fd, sent) ? REAL(writev)(fd, vectors, count) : sent;
}

/* Called by programs built with _FORTIFY_SOURCE. */
#define CHECKED(length, room) ((length) > (room) ? (__builtin_trap(), (ssize_t)0) : 0)

EXPORT ssize_t __read_chk(int fd, void *bytes, size_t length, size_t room) { return CHECKED(length, room), read(fd, bytes, length); }

EXPORT ssize_t __recv_chk(int fd, void *bytes, size_t length, size_t room, int flags) { return CHECKED(length, room), recv(fd, bytes, length, flags); }

EXPORT ssize_t __recvfrom_chk(int fd, void *bytes, size_t length, size_t room, int flags, struct sockaddr *from, socklen_t *from_length)
{
    return CHECKED(length, room), recvfrom(fd, bytes, length, flags, from, from_length);
}
