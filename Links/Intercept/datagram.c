/* Datagram sockets: each message on the descriptor is an address and the payload. */
#define _GNU_SOURCE
#include "syscall.h"
#include "tapwire.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

DEFINE_REAL(sendmsg)
DEFINE_REAL(recvmsg)

#define LARGEST 65507
#define FEW_VECTORS 64

/*
 * A number may have been closed unseen, by the kernel for io_uring or by a call that a program makes without libc, and may be something else now. A message must
 * not reach that. No call has to be made to find out: a connected pair of this type ignores the name of a message and the flag MSG_FASTOPEN
 * (unix_seqpacket_sendmsg), and every other kind of socket fails for a name that is too short, or because it is connected already. A file fails with ENOTSOCK.
 */
static const sa_family_t too_short = AF_UNIX;

/*
 * A message on the pair: the address, and behind it the application's own vectors. Where there are so many that one more may exceed the limit, the payload is copied
 * through a buffer.
 */
struct framed {
    struct tw_address address;
    struct msghdr message;
    struct iovec vectors[FEW_VECTORS];
    uint8_t *buffer; /* NULL, or with room for the longest datagram */
};

/* 0, or ENOBUFS. */
static int frame(struct framed *framed, const struct msghdr *message, size_t bytes)
{
    memset(&framed->address, 0, sizeof framed->address);
    framed->buffer = NULL;
    framed->vectors[0] = (struct iovec){ .iov_base = &framed->address, .iov_len = sizeof framed->address };
    framed->message = (struct msghdr){
        .msg_name = (void *)&too_short, .msg_namelen = sizeof too_short, .msg_iov = framed->vectors, .msg_iovlen = 1 + message->msg_iovlen };
    if (message->msg_iovlen < FEW_VECTORS) {
        if (message->msg_iovlen > 0)
            memcpy(framed->vectors + 1, message->msg_iov, message->msg_iovlen * sizeof *framed->vectors);
        return 0;
    }

    long buffer = RAW(mmap, NULL, LARGEST, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (buffer == -1)
        return ENOBUFS;
    framed->buffer = (uint8_t *)buffer;
    framed->vectors[1] = (struct iovec){ .iov_base = framed->buffer, .iov_len = bytes < LARGEST ? bytes : LARGEST };
    framed->message.msg_iovlen = 2;
    return 0;
}

static void end_frame(struct framed *framed)
{
    int before = errno;
    if (framed->buffer != NULL)
        RAW(munmap, framed->buffer, LARGEST);
    errno = before;
}

/* A failed call: if the number is not Tapwire's any more, what has failed is no answer to the application, and ENOTSOCK says so. */
static ssize_t failed(int fd)
{
    int error = errno;
    bool is_ours = error == EAGAIN || error == EINTR || (error != ENOTSOCK && tw_is_datagram(tw_kind(fd)));
    return tw_result(is_ours ? error : ENOTSOCK);
}

/* A message without an address. Another process may have connected a socket that this one has inherited, so the driver is asked.
   0, or the errno of sending without a peer. */
static int check_peer(int fd)
{
    struct tw_answer answer;
    int error = tw_known(fd) == TW_DATAGRAM_CONNECTED ? 0 : tw_ask_number(fd, TW_GET_PEER_NAME, 0, &answer);
    if (error == 0)
        tw_note(fd, TW_DATAGRAM_CONNECTED);
    return error == ENOTCONN || error == EINVAL ? EDESTADDRREQ : error;
}

/* Decides where the message goes. -1 and errno; 0: by Tapwire; 1: by the host's socket that this one has become. */
static int choose_way(int fd, const struct msghdr *message, struct tw_address *address)
{
    const struct sockaddr *to = message->msg_name;
    socklen_t length = message->msg_namelen;
    if (to == NULL || length == 0)
        return tw_result(check_peer(fd));
    if (length > sizeof(struct sockaddr_storage))
        length = sizeof(struct sockaddr_storage);
    int error = tw_address_in(to, length, address);
    if (error != 0)
        return tw_result(error);
    if (to->sa_family != AF_UNSPEC) {
        if (((const struct sockaddr_in *)to)->sin_port == 0) /* at the same place in sockaddr_in6 */
            return tw_result(EINVAL);
        if (!tw_goes_by_tapwire(to)) {
            enum tw_kind kind = tw_kind(fd);
            error = !tw_is_datagram(kind) ? ENOTSOCK : kind != TW_DATAGRAM_FRESH ? ENETUNREACH : tw_become_host(fd, kind);
            return error != 0 ? tw_result(error) : 1;
        }
    }

    tw_name_loopback(address);
    if (tw_known(fd) == TW_DATAGRAM_FRESH)
        tw_note(fd, TW_DATAGRAM);
    return 0;
}

ssize_t tw_datagram_send(int fd, const struct msghdr *message, size_t bytes, int flags)
{
    struct framed framed;
    int error = tw_check_control(message);
    if (error == 0)
        error = bytes > LARGEST ? EMSGSIZE : (flags & MSG_OOB) != 0 ? EOPNOTSUPP : frame(&framed, message, bytes);
    if (error != 0)
        return tw_result(error), failed(fd);

    ssize_t sent = choose_way(fd, message, &framed.address);
    if (sent == 0) {
        if (framed.buffer != NULL && tw_copy_in(framed.buffer, message->msg_iov, message->msg_iovlen, bytes) != bytes)
            sent = tw_result(EFAULT);
        else
            sent = REAL(sendmsg)(fd, &framed.message, (flags & MSG_DONTWAIT) | MSG_NOSIGNAL | MSG_FASTOPEN);
        if (sent >= 0)
            sent -= (ssize_t)sizeof framed.address;
        else if (errno == EPIPE || errno == ECONNRESET)
            errno = ENETDOWN; /* the driver has ended */
    } else if (sent > 0) {
        sent = REAL(sendmsg)(fd, message, flags);
        end_frame(&framed);
        return sent;
    }

    end_frame(&framed);
    return sent < 0 ? failed(fd) : sent;
}

/* What the pair never carries, and so a message of a socket that has the number now: a frame has a family, and zeros where its family has nothing. */
static bool is_frame(const struct framed *framed, size_t length)
{
    static const uint8_t zeros[20];
    sa_family_t family;
    memcpy(&family, framed->address.bytes, sizeof family);
    if (length < sizeof framed->address)
        return false;
    if (family == AF_INET6)
        return memcmp(framed->address.bytes + 4, zeros, 4) == 0 && memcmp(framed->address.bytes + 24, zeros, 4) == 0;
    return (family == AF_INET || (family == AF_UNSPEC && length == sizeof framed->address)) && memcmp(framed->address.bytes + 8, zeros, 20) == 0;
}

/* Moves the message of a socket that is not Tapwire's to where it belongs: its first bytes have gone where the address would be. */
static ssize_t give_foreign(const struct framed *framed, struct msghdr *message, size_t bytes, size_t length)
{
    size_t head = length < sizeof framed->address ? length : sizeof framed->address;
    size_t given = length < bytes ? length : bytes, tail = given > head ? given - head : 0;
    long mapped = RAW(mmap, NULL, head + tail + 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == -1)
        return tw_result(ENOBUFS);
    uint8_t *whole = (uint8_t *)mapped;
    memcpy(whole, framed->address.bytes, head);
    if (framed->buffer != NULL)
        memcpy(whole + head, framed->buffer, tail);
    else
        tw_copy_in(whole + head, message->msg_iov, message->msg_iovlen, tail);
    bool all = tw_copy_out(message->msg_iov, message->msg_iovlen, whole, given) == given;
    RAW(munmap, mapped, head + tail + 1);
    message->msg_flags = framed->message.msg_flags & (MSG_TRUNC | MSG_EOR);
    message->msg_controllen = 0;
    message->msg_namelen = 0;
    return all ? (ssize_t)given : tw_result(EFAULT);
}

/* End of file on the pair means that the driver has ended, unless the application has shut down its own side. */
static ssize_t end_of_pair(int fd, int flags)
{
    short events = 0;
    if (tw_poll(fd, &events, 0) > 0 && (events & POLLHUP) != 0)
        return tw_result(ENETDOWN);
    return (flags & MSG_DONTWAIT) != 0 || (fcntl(fd, F_GETFL) & O_NONBLOCK) != 0 ? tw_result(EAGAIN) : 0;
}

/* Gives the application the sender and the payload. 0 or an errno. */
static int give(const struct framed *framed, struct msghdr *message, size_t payload)
{
    if (framed->buffer != NULL) {
        size_t room = framed->vectors[1].iov_len, bytes = payload < room ? payload : room;
        if (tw_copy_out(message->msg_iov, message->msg_iovlen, framed->buffer, bytes) != bytes)
            return EFAULT;
    }

    message->msg_flags = framed->message.msg_flags & MSG_TRUNC;
    message->msg_controllen = 0;
    if (message->msg_name == NULL)
        message->msg_namelen = 0;
    else if ((int)message->msg_namelen < 0)
        return EINVAL;
    else if (!tw_can_read(message->msg_name, message->msg_namelen < sizeof framed->address ? message->msg_namelen : sizeof framed->address))
        return EFAULT;
    else
        message->msg_namelen = tw_address_out(&framed->address, message->msg_name, message->msg_namelen);
    return 0;
}

static ssize_t receive_framed(int fd, struct framed *framed, struct msghdr *message, size_t bytes, int flags)
{
    framed->message.msg_name = NULL;
    ssize_t received = REAL(recvmsg)(fd, &framed->message, flags & (MSG_DONTWAIT | MSG_PEEK | MSG_TRUNC));
    if (received < 0) {
        if (errno == ECONNRESET)
            errno = ENETDOWN;
        return failed(fd);
    }

    if (received == 0)
        return tw_is_datagram(tw_kind(fd)) ? end_of_pair(fd, flags) : 0;
    if (!is_frame(framed, (size_t)received) && !tw_is_datagram(tw_kind(fd)))
        return give_foreign(framed, message, bytes, (size_t)received);
    size_t payload = (size_t)received - sizeof framed->address;
    if ((size_t)received < sizeof framed->address)
        return tw_result(EPROTO);

    sa_family_t family;
    memcpy(&family, framed->address.bytes, sizeof family);
    if (family == AF_UNSPEC) {
        /* A pending error of the socket, which is reported once. */
        int error;
        memcpy(&error, framed->address.bytes + 4, sizeof error);
        if ((flags & MSG_PEEK) != 0)
            (void)!REAL(recvmsg)(fd, &(struct msghdr){ .msg_iov = framed->vectors, .msg_iovlen = 1 }, MSG_DONTWAIT);
        return tw_result(error);
    }

    int error = give(framed, message, payload);
    return error != 0 ? tw_result(error) : (ssize_t)payload;
}

ssize_t tw_datagram_receive(int fd, struct msghdr *message, size_t bytes, int flags)
{
    struct framed framed;
    if ((flags & MSG_ERRQUEUE) != 0)
        return tw_result(tw_is_datagram(tw_kind(fd)) ? EAGAIN : ENOTSOCK);
    int error = frame(&framed, message, bytes);
    if (error != 0)
        return tw_result(error);
    ssize_t received = receive_framed(fd, &framed, message, bytes, flags);
    end_frame(&framed);
    return received;
}

int tw_datagram_waiting(int fd)
{
    struct tw_address address;
    struct iovec vector = { .iov_base = &address, .iov_len = sizeof address };
    struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1 };
    int before = errno;
    ssize_t length = REAL(recvmsg)(fd, &message, MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT);
    if ((length < (ssize_t)sizeof address && (length >= 0 || errno != EAGAIN)) || length == 0) {
        if (!tw_is_datagram(tw_kind(fd)))
            return tw_result(ENOTSOCK);
    }

    errno = before;
    return length > (ssize_t)sizeof address ? (int)(length - (ssize_t)sizeof address) : 0;
}
