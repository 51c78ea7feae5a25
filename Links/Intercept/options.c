/* Socket options, fcntl and ioctl of Tapwire's sockets. */
#define _GNU_SOURCE
#include "tapwire.h"

#include <asm/socket.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>

DEFINE_REAL(setsockopt)
DEFINE_REAL(getsockopt)
DEFINE_REAL(ioctl)
DEFINE_REAL(fcntl)

/* Options of the pair itself: read and write are the kernel's own, and so are their time-outs. A message on the pair of a datagram socket is more than the datagram, so that an
   offset means something else there. */
static bool is_native(int fd, int level, int name)
{
    return level == SOL_SOCKET
        && (name == SO_PEEK_OFF ? tw_is_stream(tw_known(fd))
            : name == SO_RCVTIMEO_OLD || name == SO_RCVTIMEO_NEW || name == SO_SNDTIMEO_OLD || name == SO_SNDTIMEO_NEW || name == SO_RCVLOWAT
            || name == SO_COOKIE);
}

/* Options that take a privilege, which the kernel checks best: CAP_NET_ADMIN, or another in the namespace that the socket belongs to. */
static bool needs_privilege(int level, int name)
{
    if ((level == IPPROTO_IP && name == IP_TRANSPARENT) || (level == IPPROTO_IPV6 && name == IPV6_TRANSPARENT))
        return true;
    return level == SOL_SOCKET
        && (name == SO_DEBUG || name == SO_PRIORITY || name == SO_MARK || name == SO_SNDBUFFORCE || name == SO_RCVBUFFORCE || name == SO_BUSY_POLL
            || name == SO_PREFER_BUSY_POLL || name == SO_BUSY_POLL_BUDGET);
}

/* These options of a listener hold for the connections that it accepts, whose descriptors the driver makes. */
static void tell_listener(int fd, int name, const void *value, socklen_t length)
{
    enum tw_kind kind = tw_known(fd);
    if (name != SO_COOKIE && (kind == TW_STREAM_FRESH || kind == TW_LISTENER))
        tw_set_option(fd, SOL_SOCKET, name, value, length);
}

/* MCAST_MSFILTER as the driver takes it: without the holes of sockets' addresses, for which its requests have no room. */
struct compact_filter {
    uint32_t interface, mode, count, family;
    uint8_t group[16], sources[30][16];
};

/* A value in another form than the program gave it. */
union converted {
    struct ip_mreqn group;
    struct compact_filter filter;
};

static bool put_address(uint8_t *to, const struct sockaddr_storage *from, sa_family_t family)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    memcpy(&v4, from, sizeof v4);
    memcpy(&v6, from, sizeof v6);
    memset(to, 0, sizeof v6.sin6_addr);
    if (family == AF_INET)
        memcpy(to, &v4.sin_addr, sizeof v4.sin_addr);
    else
        memcpy(to, &v6.sin6_addr, sizeof v6.sin6_addr);
    return from->ss_family == family;
}

/* 0 or an errno, in the order of Linux's checks (ip_set_mcast_msfilter, ipv6_set_mcast_msfilter). */
static int convert_filter(int level, const void *value, socklen_t length, struct compact_filter *filter)
{
    struct group_filter head;
    struct iovec vector = { .iov_base = (void *)value, .iov_len = length };
    size_t head_size = offsetof(struct group_filter, gf_slist);
    sa_family_t family = level == IPPROTO_IP ? AF_INET : AF_INET6;
    if (length < head_size)
        return EINVAL;
    if (tw_copy_in(&head, &vector, 1, head_size) != head_size)
        return EFAULT;
    if (head.gf_numsrc > sizeof filter->sources / sizeof *filter->sources)
        return ENOBUFS;
    if (length < GROUP_FILTER_SIZE(head.gf_numsrc))
        return EINVAL;
    *filter = (struct compact_filter){ .interface = head.gf_interface, .mode = head.gf_fmode, .count = head.gf_numsrc, .family = family };
    if (!put_address(filter->group, &head.gf_group, family))
        return EINVAL;
    for (uint32_t i = 0; i < head.gf_numsrc; i++) {
        struct sockaddr_storage source;
        struct iovec at = { .iov_base = (uint8_t *)value + head_size + i * sizeof source, .iov_len = sizeof source };
        if (tw_copy_in(&source, &at, 1, sizeof source) != sizeof source)
            return EFAULT;
        if (!put_address(filter->sources[i], &source, family))
            return family == AF_INET ? EADDRNOTAVAIL : EINVAL;
    }

    return 0;
}

/* Options whose value names an interface, by number or by address, and what they fail with if there is none. IP_MULTICAST_IF comes in three forms, of which the driver is told the
   longest. 0 or an errno. */
static int check_interface(int fd, int level, int name, const void **value, socklen_t *length, struct ip_mreqn *told)
{
    struct in_addr *address = &told->imr_address;
    struct tw_address local;
    sa_family_t family;
    tw_told_local(fd, &local);
    memcpy(&family, local.bytes, sizeof family);
    bool is_datagram = tw_is_datagram(tw_known(fd)), is_v4 = level == IPPROTO_IP, is_v6 = level == IPPROTO_IPV6 && family == AF_INET6;
    struct iovec vector = { .iov_base = (void *)*value, .iov_len = *length };
    struct ip_mreqn group = { .imr_ifindex = 0 };
    uint32_t index = 0;
    *told = group;
    if (is_v4 && name == IP_MULTICAST_IF && is_datagram && *length >= sizeof *address) {
        bool is_group = *length >= sizeof(struct ip_mreq);
        size_t bytes = *length >= sizeof group ? sizeof group : is_group ? sizeof(struct ip_mreq) : sizeof *address;
        if (tw_copy_in(is_group ? (void *)&group : (void *)&group.imr_address, &vector, 1, bytes) != bytes)
            return EFAULT;
        *told = group;
        *value = told;
        *length = sizeof *told;
        return (group.imr_ifindex == 0 && address->s_addr == INADDR_ANY) || tw_has_interface((uint32_t)group.imr_ifindex, address) ? 0 : EADDRNOTAVAIL;
    }

    bool is_unicast = (is_v4 && name == IP_UNICAST_IF) || (is_v6 && name == IPV6_UNICAST_IF);
    if ((!is_unicast && !(is_v6 && name == IPV6_MULTICAST_IF && is_datagram)) || *length < sizeof index || (is_unicast && *length != sizeof index))
        return 0;
    if (tw_copy_in(&index, &vector, 1, sizeof index) != sizeof index)
        return EFAULT;
    index = is_unicast ? ntohl(index) : index;
    return index == 0 || tw_has_interface(index, address) ? 0 : is_unicast ? EADDRNOTAVAIL : ENODEV;
}

/* Options of datagram sockets that this library has a part in. */
static void note_of_datagrams(int fd, int level, int name, const void *value, socklen_t length)
{
    int number = 0;
    memcpy(&number, value, length < sizeof number ? length : sizeof number);
    if (level == IPPROTO_UDP && name == UDP_SEGMENT) {
        tw_tell(fd, TW_CUTS_PAYLOADS, number != 0);
        tw_forget_paths();
    } else if ((level == IPPROTO_IP && name == IP_MTU_DISCOVER) || (level == IPPROTO_IPV6 && (name == IPV6_MTU_DISCOVER || name == IPV6_MTU || name == IPV6_DONTFRAG))) {
        tw_forget_paths();
    } else if (level == IPPROTO_UDP && name == UDP_CORK) {
        tw_tell(fd, TW_CORKS, number != 0);
        if (number == 0)
            tw_tell(fd, TW_WAITS_FOR_MORE, false);
    } else if ((level == IPPROTO_IP && name == IP_RECVERR) || (level == IPPROTO_IPV6 && name == IPV6_RECVERR))
        tw_tell_reports(fd, number != 0);
}

EXPORT int setsockopt(int fd, int level, int name, const void *value, socklen_t length)
{
    if (!tw_is_ours(tw_kind(fd)))
        return REAL(setsockopt)(fd, level, name, value, length);
    if (is_native(fd, level, name)) {
        int result = REAL(setsockopt)(fd, level, name, value, length);
        if (result == 0) {
            tell_listener(fd, name, value, length);
            tw_remember_option(fd, level, name, value, length);
        }

        return result;
    }

    const void *given = value;
    socklen_t given_length = length;
    union converted converted;
    bool is_filter = name == MCAST_MSFILTER && (level == IPPROTO_IP || level == IPPROTO_IPV6) && tw_is_datagram(tw_known(fd));
    int error = (int)length < 0 ? EINVAL
        : is_filter ? convert_filter(level, value, length, &converted.filter)
        : needs_privilege(level, name) ? tw_stand_in_set(fd, level, name, value, length)
                                       : check_interface(fd, level, name, &value, &length, &converted.group);
    if (error == 0 && is_filter)
        error = tw_set_option(fd, TW_LEVEL, TW_GROUP_FILTER, &converted.filter,
            (socklen_t)(offsetof(struct compact_filter, sources) + converted.filter.count * sizeof *converted.filter.sources));
    else if (error == 0)
        error = tw_set_option(fd, level, name, value, length);
    if (tw_has_ended(fd, error))
        error = tw_stand_in_set(fd, level, name, value, length);
    if (error == 0 && level == IPPROTO_TCP && name == TCP_INQ)
        tw_tell(fd, TW_TELLS_INQ, *(const int *)value != 0);
    if (error == 0 && tw_is_datagram(tw_known(fd)))
        note_of_datagrams(fd, level, name, given, given_length);
    if (error == 0)
        tw_remember_option(fd, level, name, given, given_length);
    return tw_result(error);
}

EXPORT int getsockopt(int fd, int level, int name, void *value, socklen_t *length)
{
    bool no_device = level == SOL_SOCKET && name == SO_BINDTODEVICE; /* empty, as the pair answers */
    if (!tw_is_ours(tw_kind(fd)) || is_native(fd, level, name) || no_device)
        return REAL(getsockopt)(fd, level, name, value, length);
    socklen_t room, whole = sizeof(int);
    uint8_t result[TW_LONGEST_OPTION];
    int error = tw_read_length(length, &room);
    if (error != 0)
        return tw_result(error);
    if (level == SOL_SOCKET && name == SO_ERROR && tw_handle(fd) == 0)
        return -1;
    if (level == SOL_SOCKET && name == SO_ERROR)
        memcpy(result, &(int){ tw_take_error(fd) }, sizeof(int));
    else {
        whole = room < sizeof result ? room : sizeof result;
        error = tw_get_option(fd, level, name, result, &whole);
        if (tw_has_ended(fd, error)) {
            whole = room < sizeof result ? room : sizeof result;
            error = tw_stand_in_get(fd, level, name, result, &whole);
        }

        if (error != 0)
            return tw_result(error);
    }

    return tw_result(tw_write_value(value, room, length, result, whole, room < whole ? room : whole));
}

/* What a socket has written and the peer has not acknowledged, or what was never sent: part of it waits in the pair, part with the driver. */
static int bytes_out(int fd, enum tw_kind kind, int name, int *bytes)
{
    socklen_t length = sizeof *bytes;
    *bytes = 0;
    if (kind == TW_LISTENER)
        return EINVAL;
    if (tw_is_datagram(kind))
        return 0; /* a datagram is the driver's once it is written */
    int error = tw_get_option(fd, TW_LEVEL, name, bytes, &length);
    if (error != 0)
        *bytes = 0;
    return error == EBADF || error == ENOTCONN || error == ENOPROTOOPT || tw_has_ended(fd, error) ? 0 : error;
}

/* Requests about a socket whose answer is a number. False: the request is not one of them, or the pair answers it. */
static bool ask_number(int fd, unsigned long request, int *number, int *error)
{
    enum tw_kind kind = request == FIONREAD || request == TIOCOUTQ ? tw_known(fd) : tw_kind(fd);
    *error = 0;
    switch (request) {
    case FIONREAD:
        if (tw_is_datagram(kind))
            return (*number = tw_datagram_waiting(fd)) >= 0;
        *error = EINVAL;
        return kind == TW_LISTENER;
    case TIOCOUTQ: /* SIOCOUTQ */
        if (tw_is_ours(kind))
            *error = bytes_out(fd, kind, TW_OUTPUT_QUEUE, number);
        return tw_is_ours(kind);
    case SIOCOUTQNSD:
        if (tw_is_ours(kind))
            *error = bytes_out(fd, kind, TW_UNSENT_QUEUE, number);
        return tw_is_ours(kind);
    default:
        return false;
    }
}

EXPORT int ioctl(int fd, unsigned long request, ...)
{
    va_list arguments;
    va_start(arguments, request);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    int number, error, result;
    if ((request == FIONREAD || request == TIOCOUTQ || request == SIOCOUTQNSD) && ask_number(fd, request, &number, &error)) {
        struct iovec vector = { .iov_base = argument, .iov_len = sizeof number };
        if (error == 0 && tw_copy_out(&vector, 1, &number, sizeof number) != sizeof number)
            error = EFAULT;
        return tw_result(error);
    }

    if (request >> 8 == SIOCGIFNAME >> 8 && tw_is_ours(tw_kind(fd)) && tw_interface_ioctl(request, argument, &result))
        return result;
    return REAL(ioctl)(fd, request, argument);
}

EXPORT int fcntl(int fd, int command, ...)
{
    va_list arguments;
    va_start(arguments, command);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    int result = REAL(fcntl)(fd, command, argument);
    if (command == F_DUPFD || command == F_DUPFD_CLOEXEC)
        tw_note_copy(fd, result);
    return result;
}

EXPORT int fcntl64(int fd, int command, ...) __attribute__((alias("fcntl")));
