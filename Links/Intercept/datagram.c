/* Datagram sockets: each message on the descriptor is an address and the payload. */
#define _GNU_SOURCE
#include "syscall.h"
#include "tapwire.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/udp.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

DEFINE_REAL(sendmsg)
DEFINE_REAL(recvmsg)

/* The most that an IPv6 packet holds, an ICMPv6 message; the driver says what a datagram of another kind may have. */
#define LARGEST 65535
#define LARGEST_ANYWHERE 65507 /* of UDP over IPv4 */
#define FEW_VECTORS 64
#define MOST_SEGMENTS 128 /* UDP_MAX_SEGMENTS */

/* The address of a message on the pair, and what may stand behind it. */
struct head {
    struct tw_address address;
    struct tw_extension extension;
} __attribute__((packed));

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
    struct head head;
    struct msghdr message;
    struct iovec vectors[FEW_VECTORS + 1];
    uint8_t *buffer; /* NULL, or with room for the longest datagram and an extension */
    size_t bytes;    /* of the application's vectors */

    /* Behind the application's vectors: an extension takes as much room of them as there is here. */
    uint8_t spare[sizeof(struct tw_extension)];
};

#define BUFFER (LARGEST + sizeof(struct tw_extension))

/* 0, or ENOBUFS. */
static int frame(struct framed *framed, const struct msghdr *message, size_t bytes, size_t head)
{
    framed->buffer = NULL;
    framed->bytes = bytes;
    framed->vectors[0] = (struct iovec){ .iov_base = &framed->head, .iov_len = head };
    framed->message = (struct msghdr){
        .msg_name = (void *)&too_short, .msg_namelen = sizeof too_short, .msg_iov = framed->vectors, .msg_iovlen = 1 + message->msg_iovlen };
    if (message->msg_iovlen < FEW_VECTORS) {
        if (message->msg_iovlen > 0)
            memcpy(framed->vectors + 1, message->msg_iov, message->msg_iovlen * sizeof *framed->vectors);
        return 0;
    }

    long buffer = RAW(mmap, NULL, BUFFER, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
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
        RAW(munmap, framed->buffer, BUFFER);
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
    if (error != ENOTCONN && error != EINVAL)
        return error;

    /* Another descriptor of the socket may have begun a datagram that waits for more. */
    int corks = 0;
    socklen_t length = sizeof corks;
    return tw_get_option(fd, IPPROTO_UDP, UDP_CORK, &corks, &length) == 0 && corks ? 0 : EDESTADDRREQ;
}

/* Peers of this socket have no port: it is for ICMP echo messages. */
static bool needs_no_port(int fd)
{
    int protocol = IPPROTO_UDP;
    socklen_t length = sizeof protocol;
    if (!tw_is_told(fd, TW_ECHOES) && tw_get_option(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &length) == 0)
        tw_tell(fd, TW_ECHOES, protocol != IPPROTO_UDP);
    return tw_is_told(fd, TW_ECHOES) || protocol != IPPROTO_UDP;
}

/* Decides where the message goes. -1 and errno; 0: by Tapwire; 1: by the host's socket that this one has become. */
static int choose_way(int fd, const struct msghdr *message, struct tw_address *address)
{
    const struct sockaddr *to = message->msg_name;
    socklen_t length = message->msg_namelen;
    if ((to == NULL || length == 0) && tw_is_told(fd, TW_WAITS_FOR_MORE))
        return 0;
    if (to == NULL || length == 0)
        return tw_result(check_peer(fd));
    if (length > sizeof(struct sockaddr_storage))
        length = sizeof(struct sockaddr_storage);
    int error = tw_address_in(to, length, address);
    if (error != 0)
        return tw_result(error);
    if (to->sa_family != AF_UNSPEC) {
        if (((const struct sockaddr_in *)to)->sin_port == 0 && !needs_no_port(fd)) /* at the same place in sockaddr_in6 */
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

/*
 * How long datagrams may be. A short one goes everywhere. A longer one is looked up, and asked about if that was not done lately: what has been learnt is true for a
 * second or two, and if it is not, the driver refuses the datagram and the next call fails. An entry is one word, since no lock is held here: the destination and the
 * descriptor, mixed (32 bits), the payload (16 bits), and the second (16 bits).
 */
#define SHORT (576 - HEADERS)
#define HEADERS 28
#define PATHS 64
static _Atomic uint64_t paths[PATHS], least;

static uint64_t path_entry(uint32_t key, uint32_t mtu, uint16_t second)
{
    uint32_t payload = mtu < HEADERS ? 0 : mtu - HEADERS > 0xffff ? 0xffff : mtu - HEADERS;
    return (uint64_t)key << 32 | (uint64_t)payload << 16 | second;
}

void tw_forget_paths(void)
{
    least = 0;
    for (int i = 0; i < PATHS; i++)
        paths[i] = 0;
}

static bool allows(uint64_t entry, uint32_t key, size_t bytes, uint16_t second)
{
    return entry != 0 && entry >> 32 == key && bytes <= (entry >> 16 & 0xffff) && (uint16_t)(second - (uint16_t)entry) < 2;
}

/* The driver's answer to TW_PATH. */
struct path {
    uint32_t mtu;
    uint32_t least;
    uint32_t flags;
    uint16_t segment;     /* UDP_SEGMENT, or 0 */
    uint16_t segment_mtu; /* what a segment has to fit; 0 from older drivers where payloads are not cut */
};

#define REPORTS_ERRORS 1u
#define IS_V6 2u /* the MTU is what is left of it after the part of an IPv6 header that is longer than an IPv4 header */
#define LONGER_HEADER 20
#define IS_ECHO 4u /* the MTU is more by a UDP header */
#define UDP_HEADER 8

/* IP_RECVERR: what the application can ask for after EMSGSIZE. */
static void keep_too_long(int fd, const struct tw_address *to, const struct path *path)
{
    uint32_t told = path->segment_mtu != 0 ? path->segment_mtu : path->mtu;
    uint32_t mtu = told + ((path->flags & IS_V6) != 0 ? LONGER_HEADER : 0) - ((path->flags & IS_ECHO) != 0 ? UDP_HEADER : 0);
    struct tw_extension report = { .segment = 1 /* SO_EE_ORIGIN_LOCAL */, .mtu = mtu, .local = { [10] = 0xff, [11] = 0xff } };
    memcpy(&report.family, to->bytes, sizeof report.family);
    memcpy(&report.port, to->bytes + 2, sizeof report.port);
    if (report.family == AF_INET6)
        memcpy(report.local, to->bytes + 8, sizeof report.local);
    else
        memcpy(report.local + 12, to->bytes + 4, 4);
    tw_keep_report(fd, EMSGSIZE, &report, NULL, 0);
}

/* Asks the driver about a path. False: it is an older driver, or the datagram will tell what is wrong. */
static bool ask_path(int fd, const struct tw_address *to, struct path *path)
{
    struct {
        struct tw_header header;
        uint64_t handle;
        struct tw_address to;
        uint32_t zero;
    } request = { .handle = tw_handle(fd), .to = *to };
    struct tw_answer answer;
    if (request.handle == 0 || tw_ask(&request.header, sizeof request, TW_PATH, &answer) != 0 || answer.length < sizeof *path)
        return false;
    memcpy(path, answer.body, sizeof *path);
    return true;
}

/* The longest payload of UDP, cut or not. */
static uint32_t longest_on(const struct path *path)
{
    return (path->flags & IS_V6) != 0 ? LARGEST - UDP_HEADER : LARGEST_ANYWHERE;
}

/* A payload that is cut is as a whole no longer than one that is not (ip_append_data). 0 or EMSGSIZE. */
static int check_whole(int fd, const struct tw_address *to, size_t bytes)
{
    struct path path;
    return bytes > LARGEST_ANYWHERE && ask_path(fd, to, &path) && bytes > longest_on(&path) ? EMSGSIZE : 0;
}

/* A payload that the socket's UDP_SEGMENT cuts. The limit is remembered that is safe: beyond it the answer is an error, or the driver is asked again. 0 or an errno. */
static int check_segments(const struct path *path, size_t bytes, uint32_t *limit)
{
    uint32_t packet = path->segment + HEADERS, most = path->segment * MOST_SEGMENTS, longest = longest_on(path);
    most = most < longest ? most : longest;
    *limit = packet <= path->segment_mtu ? most + HEADERS : path->segment_mtu;
    if ((bytes < path->segment ? bytes : path->segment) + HEADERS > path->segment_mtu)
        return EMSGSIZE;
    return bytes > longest ? EMSGSIZE : bytes > most ? EINVAL : 0;
}

/* A segment, of a payload that a control message cuts, is never fragmented. 0, EMSGSIZE, or EINVAL: too many segments. */
static int check_length(int fd, const struct tw_address *to, size_t bytes, bool is_segment)
{
    struct timespec now;
    uint32_t words[7], key = (uint32_t)fd * 0x9e3779b1u + is_segment;
    bool is_cut = tw_is_told(fd, TW_CUTS_PAYLOADS);
    if (bytes <= SHORT && !is_cut)
        return 0;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now); /* no system call */
    uint16_t second = (uint16_t)now.tv_sec;
    if (!is_cut && allows(least, 0, bytes, second))
        return 0;
    memcpy(words, to->bytes, sizeof words);
    key ^= words[1] ^ words[2] ^ words[3] ^ words[4] ^ words[5];
    _Atomic uint64_t *entry = &paths[(key ^ key >> 16) % PATHS];
    if (allows(*entry, key, bytes, second))
        return 0;

    struct path path;
    if (!ask_path(fd, to, &path))
        return 0;
    if (path.segment != 0) {
        uint32_t limit;
        int error = check_segments(&path, bytes, &limit);
        *entry = path_entry(key, limit, second);
        return error;
    }

    if (is_segment && path.segment_mtu != 0)
        path.mtu = path.segment_mtu;
    *entry = path_entry(key, path.mtu, second);
    least = path_entry(0, path.least, second);
    if (bytes + HEADERS <= path.mtu)
        return 0;
    if ((path.flags & REPORTS_ERRORS) != 0)
        keep_too_long(fd, to, &path);
    return EMSGSIZE;
}

/* An ICMP socket sends echo requests only: the driver would find out too late for this call (ping_supported). */
static bool is_request(int fd, const struct msghdr *message)
{
    struct tw_address local;
    sa_family_t family;
    uint8_t header[8];
    tw_told_local(fd, &local);
    memcpy(&family, local.bytes, sizeof family);
    return tw_copy_in(header, message->msg_iov, message->msg_iovlen, sizeof header) == sizeof header && header[0] == (family == AF_INET ? 8 : 128) && header[1] == 0;
}

/* What is sent over IPv4, or on an ICMP socket, cannot be urgent; of UDP over IPv6 that is ignored (udp_sendmsg, udpv6_sendmsg). */
static bool may_be_urgent(int fd, const struct tw_address *to)
{
    struct tw_address local;
    sa_family_t family;
    memcpy(&family, to->bytes, sizeof family);
    tw_told_local(fd, &local);
    const struct tw_address *known = family == AF_UNSPEC ? &local : to;
    memcpy(&family, known->bytes, sizeof family);
    return family == AF_INET6 && !IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)(known->bytes + 8)) && !tw_is_told(fd, TW_ECHOES);
}

/* A payload that no datagram holds. Of IPv6, whoever has asked for reports is told how much the path takes (ip6_append_data); programs find it out so. */
static void report_oversize(int fd, const struct msghdr *message)
{
    struct tw_address to;
    sa_family_t family;
    memset(&to, 0, sizeof to);
    if (!tw_is_told(fd, TW_REPORTS_ERRORS) || choose_way(fd, message, &to) != 0)
        return;
    memcpy(&family, to.bytes, sizeof family);
    if (family == AF_INET6 && !IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)(to.bytes + 8)))
        check_length(fd, &to, LARGEST, false);
}

ssize_t tw_datagram_send(int fd, const struct msghdr *message, size_t bytes, int flags)
{
    struct framed framed;
    int error = tw_check_control(message);
    if (error == 0)
        error = bytes > LARGEST ? EMSGSIZE : 0;
    if (error == EMSGSIZE)
        report_oversize(fd, message);
    if (error == 0 && tw_is_told(fd, TW_ECHOES) && !is_request(fd, message))
        error = EINVAL;
    framed.head.extension.parts = 0;
    if (error == 0 && message->msg_controllen > 0) {
        struct tw_extension extension;
        error = tw_control_in(message, &extension);
        framed.head.extension = extension;
    }

    if ((flags & MSG_MORE) != 0) {
        if (framed.head.extension.parts == 0)
            framed.head.extension = (struct tw_extension){ .parts = 0 };
        framed.head.extension.parts |= TW_PART_MORE;
    }

    bool is_extended = error == 0 && framed.head.extension.parts != 0;
    size_t head = is_extended ? sizeof framed.head : sizeof framed.head.address;
    memset(&framed.head.address, 0, sizeof framed.head.address);
    if (error == 0)
        error = frame(&framed, message, bytes, head);
    if (error != 0)
        return tw_result(error), failed(fd);

    struct tw_address to = framed.head.address;
    ssize_t sent = choose_way(fd, message, &to);
    if (sent == 0 && (flags & MSG_OOB) != 0 && !may_be_urgent(fd, &to))
        sent = tw_result(EOPNOTSUPP);
    if (sent == 0) {
        size_t segment = is_extended && (framed.head.extension.parts & TW_PART_SEGMENT) != 0 ? framed.head.extension.segment : 0;
        bool is_cut = segment != 0 && segment < bytes;
        error = is_cut ? check_whole(fd, &to, bytes) : 0;
        if (error == 0)
            error = segment != 0 && bytes > segment * MOST_SEGMENTS ? EINVAL : check_length(fd, &to, is_cut ? segment : bytes, is_cut);
        sent = tw_result(error);
    }

    if (sent == 0) {
        framed.head.address = to;
        if (is_extended)
            framed.head.address.bytes[1] |= TW_EXTENDED >> 8;
        if (framed.buffer != NULL && tw_copy_in(framed.buffer, message->msg_iov, message->msg_iovlen, bytes) != bytes)
            sent = tw_result(EFAULT);
        else
            sent = REAL(sendmsg)(fd, &framed.message, (flags & MSG_DONTWAIT) | MSG_NOSIGNAL | MSG_FASTOPEN);
        if (sent >= 0) {
            sent -= (ssize_t)head;
            tw_tell(fd, TW_WAITS_FOR_MORE, (flags & MSG_MORE) != 0 || tw_is_told(fd, TW_CORKS));
        } else if (errno == EPIPE || errno == ECONNRESET)
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
    const uint8_t *address = framed->head.address.bytes;
    sa_family_t family;
    memcpy(&family, address, sizeof family);
    bool is_extended = (family & TW_EXTENDED) != 0;
    family &= (sa_family_t)~TW_EXTENDED;
    if (length < (is_extended ? sizeof framed->head : sizeof framed->head.address))
        return false;
    if (family == AF_INET6)
        return memcmp(address + 4, zeros, 4) == 0 && memcmp(address + 24, zeros, 4) == 0;
    bool is_error = family == AF_UNSPEC && (is_extended || length == sizeof framed->head.address);
    return (family == AF_INET || is_error) && memcmp(address + 8, zeros, 20) == 0;
}

/* Moves the message of a socket that is not Tapwire's to where it belongs: its first bytes have gone where the address would be. */
static ssize_t give_foreign(const struct framed *framed, struct msghdr *message, size_t length)
{
    size_t head = length < sizeof framed->head.address ? length : sizeof framed->head.address, bytes = framed->bytes;
    size_t given = length < bytes ? length : bytes, tail = given > head ? given - head : 0;
    long mapped = RAW(mmap, NULL, head + tail + 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == -1)
        return tw_result(ENOBUFS);
    uint8_t *whole = (uint8_t *)mapped;
    memcpy(whole, framed->head.address.bytes, head);
    if (framed->buffer != NULL)
        memcpy(whole + head, framed->buffer, tail);
    else
        tw_copy_in(whole + head, message->msg_iov, message->msg_iovlen, tail);
    bool all = tw_copy_out(message->msg_iov, message->msg_iovlen, whole, given) == given;
    RAW(munmap, mapped, head + tail + 1);
    message->msg_flags = (framed->message.msg_flags & (MSG_TRUNC | MSG_EOR)) | (length > bytes ? MSG_TRUNC : 0);
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

/* A place in vectors. It is at the end of one rather than at the beginning of the next, of which there may be none. */
struct cursor {
    const struct iovec *vector;
    size_t offset;
};

static struct cursor past(struct cursor at, size_t bytes)
{
    at.offset += bytes;
    while (at.offset > at.vector->iov_len) {
        at.offset -= at.vector->iov_len;
        at.vector++;
    }

    return at;
}

static void copy(struct cursor to, struct cursor from, size_t bytes)
{
    while (bytes > 0) {
        size_t room = to.vector->iov_len - to.offset, there = from.vector->iov_len - from.offset;
        size_t some = bytes < room ? bytes : room;
        some = some < there ? some : there;
        if (room == 0)
            to = (struct cursor){ .vector = to.vector + 1 };
        else if (there == 0)
            from = (struct cursor){ .vector = from.vector + 1 };
        else {
            memmove((uint8_t *)to.vector->iov_base + to.offset, (const uint8_t *)from.vector->iov_base + from.offset, some);
            to = past(to, some);
            from = past(from, some);
            bytes -= some;
        }
    }
}

/* An extension came at the front of the application's vectors: takes it out, and moves the payload, so many bytes of which are there, to its place. */
static void take_extension(struct framed *framed, struct tw_extension *extension, size_t payload)
{
    if (framed->buffer != NULL) {
        memcpy(extension, framed->buffer, sizeof *extension);
        memmove(framed->buffer, framed->buffer + sizeof *extension, payload);
        return;
    }

    struct iovec own = { .iov_base = extension, .iov_len = sizeof *extension };
    struct cursor start = { .vector = framed->vectors + 1 };
    copy((struct cursor){ .vector = &own }, start, sizeof *extension);
    copy(start, past(start, sizeof *extension), payload);
}

/* Gives the application the sender and the payload. 0 or an errno. */
static int give(const struct framed *framed, struct msghdr *message, const struct tw_extension *extension, size_t payload)
{
    if (framed->buffer != NULL && tw_copy_out(message->msg_iov, message->msg_iovlen, framed->buffer, payload) != payload)
        return EFAULT;
    tw_control_out(message, extension);
    if (message->msg_name == NULL)
        message->msg_namelen = 0;
    else if ((int)message->msg_namelen < 0)
        return EINVAL;
    else if (!tw_can_read(message->msg_name, message->msg_namelen < sizeof framed->head.address ? message->msg_namelen : sizeof framed->head.address))
        return EFAULT;
    else {
        struct tw_address from = framed->head.address;
        message->msg_namelen = tw_address_out(&from, message->msg_name, message->msg_namelen);
    }

    return 0;
}

/* A pending error of the socket, which is reported once. Its payload has been received where the application's would be. */
static ssize_t receive_error(int fd, struct framed *framed, bool is_extended, const struct tw_extension *extension, size_t payload, int flags)
{
    int error;
    memcpy(&error, framed->head.address.bytes + 4, sizeof error);
    if ((flags & MSG_PEEK) != 0)
        (void)!REAL(recvmsg)(fd, &(struct msghdr){ .msg_iov = framed->vectors, .msg_iovlen = 1 }, MSG_DONTWAIT);
    if (error == EMSGSIZE)
        least = 0; /* what was thought to fit does not */
    if (is_extended)
        tw_keep_report(fd, error, extension, framed->buffer != NULL ? framed->buffer : framed->vectors[1].iov_base,
            framed->buffer != NULL || framed->vectors[1].iov_len >= payload ? payload : framed->vectors[1].iov_len);
    return tw_result(error);
}

static ssize_t receive_framed(int fd, struct framed *framed, struct msghdr *message, int flags)
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
        return give_foreign(framed, message, (size_t)received);
    if ((size_t)received < sizeof framed->head.address)
        return tw_result(EPROTO);

    sa_family_t family;
    struct tw_extension extension = { .parts = 0 };
    size_t whole = (size_t)received - sizeof framed->head.address, payload;
    memcpy(&family, framed->head.address.bytes, sizeof family);
    bool is_extended = (family & TW_EXTENDED) != 0;
    if (is_extended) {
        if (whole < sizeof extension)
            return tw_result(EPROTO);
        whole -= sizeof extension;
        family &= (sa_family_t)~TW_EXTENDED;
        memcpy(framed->head.address.bytes, &family, sizeof family);
    }

    payload = whole < framed->bytes ? whole : framed->bytes;
    if (is_extended)
        take_extension(framed, &extension, payload);
    if (family == AF_UNSPEC)
        return receive_error(fd, framed, is_extended, &extension, payload, flags);
    message->msg_flags = (framed->message.msg_flags & MSG_TRUNC) | (whole > framed->bytes ? MSG_TRUNC : 0);
    int error = give(framed, message, &extension, payload);
    return error != 0 ? tw_result(error) : (ssize_t)((flags & MSG_TRUNC) != 0 ? whole : payload);
}

/* recvmsg(MSG_ERRQUEUE): an error whose errno was returned before, or the one that would be next. */
static ssize_t receive_report(int fd, struct msghdr *message, size_t bytes)
{
    struct head head;
    uint8_t payload[576];
    struct tw_extension extension;
    size_t length = sizeof payload;
    int error;
    if (!tw_take_report(fd, &error, &extension, payload, &length)) {
        struct iovec vectors[] = { { .iov_base = &head, .iov_len = sizeof head }, { .iov_base = payload, .iov_len = sizeof payload } };
        struct msghdr framed = { .msg_iov = vectors, .msg_iovlen = 2 };
        uint16_t family;
        ssize_t received = REAL(recvmsg)(fd, &framed, MSG_DONTWAIT | MSG_PEEK);
        if (received < (ssize_t)sizeof head || (memcpy(&family, head.address.bytes, sizeof family), family != (AF_UNSPEC | TW_EXTENDED)))
            return received < 0 ? -1 : tw_result(EAGAIN);
        received = REAL(recvmsg)(fd, &framed, MSG_DONTWAIT);
        if (received < (ssize_t)sizeof head)
            return received < 0 ? -1 : tw_result(EAGAIN);
        memcpy(&error, head.address.bytes + 4, sizeof error);
        extension = head.extension;
        length = (size_t)received - sizeof head;
    }

    size_t given = length < bytes ? length : bytes;
    if (tw_copy_out(message->msg_iov, message->msg_iovlen, payload, given) != given)
        return tw_result(EFAULT);
    message->msg_flags = length > bytes ? MSG_TRUNC : 0;
    error = tw_report_out(message, error, &extension);
    return error != 0 ? tw_result(error) : (ssize_t)given;
}

ssize_t tw_datagram_receive(int fd, struct msghdr *message, size_t bytes, int flags)
{
    struct framed framed;
    if ((flags & MSG_ERRQUEUE) != 0)
        return tw_is_datagram(tw_kind(fd)) ? receive_report(fd, message, bytes) : tw_result(ENOTSOCK);
    int error = frame(&framed, message, bytes, sizeof framed.head.address);
    if (error != 0)
        return tw_result(error);
    if (framed.buffer == NULL)
        framed.vectors[framed.message.msg_iovlen++] = (struct iovec){ .iov_base = framed.spare, .iov_len = sizeof framed.spare };
    else
        framed.vectors[1].iov_len += sizeof framed.spare;
    ssize_t received = receive_framed(fd, &framed, message, flags);
    end_frame(&framed);
    return received;
}

bool tw_datagram_has_error(int fd)
{
    uint16_t family = AF_INET;
    struct iovec vector = { .iov_base = &family, .iov_len = sizeof family };
    int before = errno;
    ssize_t length = REAL(recvmsg)(fd, &(struct msghdr){ .msg_iov = &vector, .msg_iovlen = 1 }, MSG_PEEK | MSG_DONTWAIT);
    errno = before;
    return length == sizeof family && (family & ~TW_EXTENDED) == AF_UNSPEC;
}

int tw_datagram_waiting(int fd)
{
    struct tw_address address;
    struct iovec vector = { .iov_base = &address, .iov_len = sizeof address };
    struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1 };
    uint16_t family = AF_UNSPEC;
    int before = errno;
    ssize_t length = REAL(recvmsg)(fd, &message, MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT);
    if ((length < (ssize_t)sizeof address && (length >= 0 || errno != EAGAIN)) || length == 0) {
        if (!tw_is_datagram(tw_kind(fd)))
            return tw_result(ENOTSOCK);
    }

    errno = before;
    if (length >= (ssize_t)sizeof address)
        memcpy(&family, address.bytes, sizeof family);
    ssize_t head = (ssize_t)((family & TW_EXTENDED) != 0 ? sizeof(struct head) : sizeof address);
    return (family & ~TW_EXTENDED) != AF_UNSPEC && length > head ? (int)(length - head) : 0;
}
