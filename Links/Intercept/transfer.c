/* The calls that move data. Those on streams, files and other people's sockets go straight on: what is known of a descriptor costs one look into memory. */
#define _GNU_SOURCE
#include "tapwire.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
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

static ssize_t send_one(int fd, const void *bytes, size_t length, int flags, const struct sockaddr *to, socklen_t to_length)
{
    struct iovec vector = { .iov_base = (void *)bytes, .iov_len = length };
    struct msghdr message = { .msg_name = (void *)to, .msg_namelen = to_length, .msg_iov = &vector, .msg_iovlen = 1 };
    return tw_datagram_send(fd, &message, flags);
}

static ssize_t receive_one(int fd, void *bytes, size_t length, int flags, struct sockaddr *from, socklen_t *from_length)
{
    struct iovec vector = { .iov_base = bytes, .iov_len = length };
    struct msghdr message = { .msg_name = from_length != NULL ? from : NULL, .msg_namelen = from_length != NULL ? *from_length : 0, .msg_iov = &vector, .msg_iovlen = 1 };
    ssize_t received = tw_datagram_receive(fd, &message, flags);
    if (received >= 0 && from_length != NULL)
        *from_length = message.msg_namelen;
    return received;
}

/* MSG_FASTOPEN connects with the first bytes. */
static int open_fast(int fd, const struct sockaddr *to, socklen_t length)
{
    int on = 1;
    return tw_known(fd) != TW_STREAM_FRESH ? 0
        : setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &on, sizeof on) != 0 ? -1 : connect(fd, to, length);
}

EXPORT ssize_t send(int fd, const void *bytes, size_t length, int flags)
{
    return tw_is_datagram(tw_known(fd)) ? send_one(fd, bytes, length, flags, NULL, 0) : REAL(send)(fd, bytes, length, flags);
}

EXPORT ssize_t sendto(int fd, const void *bytes, size_t length, int flags, const struct sockaddr *to, socklen_t to_length)
{
    enum tw_kind kind = tw_known(fd);
    if (tw_is_datagram(kind))
        return send_one(fd, bytes, length, flags, to, to_length);
    if (tw_is_stream(kind)) {
        if ((flags & MSG_FASTOPEN) != 0 && open_fast(fd, to, to_length) != 0)
            return -1;
        return REAL(send)(fd, bytes, length, flags & ~MSG_FASTOPEN); /* TCP does not look at the address */
    }

    return REAL(sendto)(fd, bytes, length, flags, to, to_length);
}

EXPORT ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    enum tw_kind kind = tw_known(fd);
    if (tw_is_datagram(kind))
        return tw_datagram_send(fd, message, flags);
    if (tw_is_stream(kind) && (message->msg_name != NULL || message->msg_controllen > 0 || (flags & MSG_FASTOPEN) != 0)) {
        if ((flags & MSG_FASTOPEN) != 0 && open_fast(fd, message->msg_name, message->msg_namelen) != 0)
            return -1;
        /* Neither address nor control messages mean to TCP what they would mean to the pair. */
        struct msghdr plain = { .msg_iov = message->msg_iov, .msg_iovlen = message->msg_iovlen };
        return REAL(sendmsg)(fd, &plain, flags & ~MSG_FASTOPEN);
    }

    return REAL(sendmsg)(fd, message, flags);
}

EXPORT int sendmmsg(int fd, struct mmsghdr *messages, unsigned count, int flags)
{
    if (!tw_is_ours(tw_known(fd)))
        return REAL(sendmmsg)(fd, messages, count, flags);
    unsigned sent = 0;
    for (; sent < count; sent++) {
        ssize_t length = sendmsg(fd, &messages[sent].msg_hdr, flags);
        if (length < 0)
            break;
        messages[sent].msg_len = length;
    }

    return sent > 0 || count == 0 ? (int)sent : -1;
}

EXPORT ssize_t recv(int fd, void *bytes, size_t length, int flags)
{
    return tw_is_datagram(tw_known(fd)) ? receive_one(fd, bytes, length, flags, NULL, NULL) : REAL(recv)(fd, bytes, length, flags);
}

EXPORT ssize_t recvfrom(int fd, void *bytes, size_t length, int flags, struct sockaddr *from, socklen_t *from_length)
{
    return tw_is_datagram(tw_known(fd)) ? receive_one(fd, bytes, length, flags, from, from_length)
                                        : REAL(recvfrom)(fd, bytes, length, flags, from, from_length);
}

/* Descriptors that have come with a message are not what these numbers were before. */
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

EXPORT ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
    enum tw_kind kind = tw_known(fd);
    if (tw_is_datagram(kind))
        return tw_datagram_receive(fd, message, flags);
    if (tw_is_stream(kind) && (flags & MSG_ERRQUEUE) != 0)
        return tw_result(EAGAIN); /* the pair would give data */
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
        clock_gettime(CLOCK_MONOTONIC, &end);
        end.tv_nsec += timeout->tv_nsec;
        end.tv_sec += timeout->tv_sec + end.tv_nsec / 1000000000;
        end.tv_nsec %= 1000000000;
    }

    unsigned received = 0;
    while (received < count) {
        int how = (flags & ~MSG_WAITFORONE) | (received > 0 && (flags & MSG_WAITFORONE) != 0 ? MSG_DONTWAIT : 0);
        ssize_t length = tw_datagram_receive(fd, &messages[received].msg_hdr, how);
        if (length < 0)
            break;
        messages[received++].msg_len = length;
        if (timeout != NULL && has_passed(&end)) /* as the kernel does: after each datagram */
            break;
    }

    return received > 0 || count == 0 ? (int)received : -1;
}

EXPORT ssize_t read(int fd, void *bytes, size_t length)
{
    return tw_is_datagram(tw_known(fd)) ? receive_one(fd, bytes, length, 0, NULL, NULL) : REAL(read)(fd, bytes, length);
}

EXPORT ssize_t write(int fd, const void *bytes, size_t length)
{
    return tw_is_datagram(tw_known(fd)) ? send_one(fd, bytes, length, 0, NULL, 0) : REAL(write)(fd, bytes, length);
}

EXPORT ssize_t readv(int fd, const struct iovec *vectors, int count)
{
    if (!tw_is_datagram(tw_known(fd)))
        return REAL(readv)(fd, vectors, count);
    struct msghdr message = { .msg_iov = (struct iovec *)vectors, .msg_iovlen = count };
    return tw_datagram_receive(fd, &message, 0);
}

EXPORT ssize_t writev(int fd, const struct iovec *vectors, int count)
{
    if (!tw_is_datagram(tw_known(fd)))
        return REAL(writev)(fd, vectors, count);
    struct msghdr message = { .msg_iov = (struct iovec *)vectors, .msg_iovlen = count };
    return tw_datagram_send(fd, &message, 0);
}

/* What programs built with _FORTIFY_SOURCE call. */
#define CHECKED(length, room) ((length) > (room) ? (__builtin_trap(), (ssize_t)0) : 0)

EXPORT ssize_t __read_chk(int fd, void *bytes, size_t length, size_t room) { return CHECKED(length, room), read(fd, bytes, length); }

EXPORT ssize_t __recv_chk(int fd, void *bytes, size_t length, size_t room, int flags) { return CHECKED(length, room), recv(fd, bytes, length, flags); }

EXPORT ssize_t __recvfrom_chk(int fd, void *bytes, size_t length, size_t room, int flags, struct sockaddr *from, socklen_t *from_length)
{
    return CHECKED(length, room), recvfrom(fd, bytes, length, flags, from, from_length);
}
