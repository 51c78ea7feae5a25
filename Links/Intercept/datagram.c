/* Datagram sockets: each message on the descriptor is an address and the payload. */
#define _GNU_SOURCE
#include "tapwire.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

DEFINE_REAL(sendmsg)
DEFINE_REAL(recvmsg)

#define LARGEST 65507
#define MAX_VECTORS 64

/* Puts the address before the application's own vectors. Those that do not fit the array are given as they are: -1 for too many of them. */
static int put_before(struct iovec *vectors, struct tw_address *address, const struct msghdr *message)
{
    if (message->msg_iovlen >= MAX_VECTORS)
        return -1;
    vectors[0] = (struct iovec){ .iov_base = address, .iov_len = sizeof *address };
    memcpy(vectors + 1, message->msg_iov, message->msg_iovlen * sizeof *vectors);
    return (int)message->msg_iovlen + 1;
}

/* Another process may have connected a socket that this one has inherited. */
static bool has_peer(int fd)
{
    struct tw_answer answer;
    if (tw_known(fd) != TW_DATAGRAM_CONNECTED && tw_ask_number(fd, TW_GET_PEER_NAME, 0, &answer) == 0)
        tw_note(fd, TW_DATAGRAM_CONNECTED);
    return tw_known(fd) == TW_DATAGRAM_CONNECTED;
}

ssize_t tw_datagram_send(int fd, const struct msghdr *message, int flags)
{
    struct tw_address address = { { 0 } };
    struct iovec vectors[MAX_VECTORS];
    size_t bytes = 0;
    for (size_t i = 0; i < message->msg_iovlen; i++)
        bytes += message->msg_iov[i].iov_len;
    if (bytes > LARGEST)
        return tw_result(EMSGSIZE);

    if (message->msg_name != NULL && message->msg_namelen > 0) {
        const struct sockaddr *to = message->msg_name;
        int error = tw_address_in(to, message->msg_namelen, &address);
        if (error != 0)
            return tw_result(error);
        if (to->sa_family != AF_UNSPEC && !tw_goes_by_tapwire(to)) {
            if (tw_known(fd) != TW_DATAGRAM_FRESH)
                return tw_result(ENETUNREACH);
            error = tw_become_host(fd, TW_DATAGRAM_FRESH);
            return error != 0 ? tw_result(error) : REAL(sendmsg)(fd, message, flags);
        }

        if (tw_known(fd) == TW_DATAGRAM_FRESH)
            tw_note(fd, TW_DATAGRAM);
    } else if (!has_peer(fd))
        return tw_result(EDESTADDRREQ);

    int count = put_before(vectors, &address, message);
    if (count < 0)
        return tw_result(EMSGSIZE);
    struct msghdr framed = { .msg_iov = vectors, .msg_iovlen = count };
    ssize_t sent = REAL(sendmsg)(fd, &framed, (flags & MSG_DONTWAIT) | MSG_NOSIGNAL);
    if (sent >= 0)
        return sent - (ssize_t)sizeof address;
    if (errno == EPIPE || errno == ECONNRESET)
        errno = ENETDOWN; /* the driver has ended */
    return -1;
}

/* The end of a pair is the end of the driver, unless the application has shut its own side down. */
static ssize_t end_of_pair(int fd, int flags)
{
    short events = 0;
    if (tw_poll(fd, &events, 0) > 0 && (events & POLLHUP) != 0)
        return tw_result(ENETDOWN);
    return (flags & MSG_DONTWAIT) != 0 || (fcntl(fd, F_GETFL) & O_NONBLOCK) != 0 ? tw_result(EAGAIN) : 0;
}

ssize_t tw_datagram_receive(int fd, struct msghdr *message, int flags)
{
    struct tw_address address;
    struct iovec vectors[MAX_VECTORS];
    if (flags & MSG_ERRQUEUE)
        return tw_result(EAGAIN);
    int count = put_before(vectors, &address, message);
    if (count < 0)
        return tw_result(EMSGSIZE);

    struct msghdr framed = { .msg_iov = vectors, .msg_iovlen = count };
    ssize_t received = REAL(recvmsg)(fd, &framed, flags & (MSG_DONTWAIT | MSG_PEEK | MSG_TRUNC));
    if (received < 0) {
        if (errno == ECONNRESET)
            errno = ENETDOWN;
        return -1;
    }

    if (received == 0)
        return end_of_pair(fd, flags);
    if (received < (ssize_t)sizeof address)
        return tw_result(EPROTO);

    sa_family_t family;
    memcpy(&family, address.bytes, sizeof family);
    if (family == AF_UNSPEC) {
        /* The socket's pending error, which is reported once. */
        int error;
        memcpy(&error, address.bytes + 4, sizeof error);
        if (flags & MSG_PEEK)
            (void)!REAL(recvmsg)(fd, &(struct msghdr){ .msg_iov = vectors, .msg_iovlen = 1 }, MSG_DONTWAIT);
        return tw_result(error);
    }

    message->msg_flags = framed.msg_flags & MSG_TRUNC;
    message->msg_controllen = 0;
    message->msg_namelen = message->msg_name != NULL ? tw_address_out(&address, message->msg_name, message->msg_namelen) : 0;
    return received - (ssize_t)sizeof address;
}

int tw_datagram_waiting(int fd)
{
    struct tw_address address;
    struct iovec vector = { .iov_base = &address, .iov_len = sizeof address };
    struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1 };
    int before = errno;
    ssize_t length = REAL(recvmsg)(fd, &message, MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT);
    errno = before;
    return length > (ssize_t)sizeof address ? (int)(length - (ssize_t)sizeof address) : 0;
}
