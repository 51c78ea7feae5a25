/* The control messages of datagrams (ip(7), ipv6(7), udp(7), socket(7)), and the errors that recvmsg(MSG_ERRQUEUE) returns. */
#define _GNU_SOURCE
#include "tapwire.h"

#include <errno.h>
#include <linux/errqueue.h>
#include <linux/net_tstamp.h>
#include <netinet/udp.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

/* Not in every libc's headers. */
#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif
#define SCM_TIMESTAMP_NEW_ 63
#define SCM_TIMESTAMPNS_NEW_ 64
#define SCM_TIMESTAMPING_NEW_ 65

static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

static bool is_mapped(const uint8_t *address) { return memcmp(address, mapped, sizeof mapped) == 0; }

static void map(uint8_t *to, const void *v4)
{
    memcpy(to, mapped, sizeof mapped);
    memcpy(to + sizeof mapped, v4, 4);
}

/* ---- sending ---- */

static size_t length_of(const struct cmsghdr *control) { return control->cmsg_len - CMSG_LEN(0); }

/* Linux: __udp_cmsg_send. */
static int udp_in(const struct cmsghdr *control, struct tw_extension *extension)
{
    if (control->cmsg_type != UDP_SEGMENT || length_of(control) != sizeof extension->segment)
        return EINVAL;
    memcpy(&extension->segment, CMSG_DATA(control), sizeof extension->segment);
    extension->parts |= TW_PART_SEGMENT;
    return 0;
}

/* Linux: __sock_cmsg_send. Nothing of it changes anything here. */
static int socket_in(const struct cmsghdr *control)
{
    switch (control->cmsg_type) {
    case SO_MARK:
        return geteuid() != 0 ? EPERM : length_of(control) != sizeof(uint32_t) ? EINVAL : 0;
    case SO_TIMESTAMPING:
    case SCM_TIMESTAMPING_NEW_:
        return length_of(control) != sizeof(uint32_t) ? EINVAL : 0;
    case SO_PRIORITY:
        return length_of(control) != sizeof(uint32_t) ? EINVAL : 0;
    case SCM_RIGHTS:
    case SCM_CREDENTIALS:
        return 0;
    default:
        return EINVAL;
    }
}

static int number_in(const struct cmsghdr *control, bool takes_byte, int least, int *value)
{
    if (length_of(control) == sizeof *value)
        memcpy(value, CMSG_DATA(control), sizeof *value);
    else if (takes_byte && length_of(control) == 1)
        *value = *CMSG_DATA(control);
    else
        return EINVAL;
    return *value < least || *value > 255 ? EINVAL : 0;
}

/* Linux: ip_cmsg_send. */
static int ip_in(const struct cmsghdr *control, struct tw_extension *extension)
{
    int value = 0, error;
    switch (control->cmsg_type) {
    case IP_PKTINFO: {
        struct in_pktinfo info;
        if (length_of(control) != sizeof info)
            return EINVAL;
        memcpy(&info, CMSG_DATA(control), sizeof info);
        memset(extension->local, 0, sizeof extension->local);
        if (info.ipi_spec_dst.s_addr != INADDR_ANY)
            map(extension->local, &info.ipi_spec_dst);
        if (!tw_is_source(extension->local))
            return ENETUNREACH; /* as Linux's look-up of a route from there */
        extension->interface = info.ipi_ifindex;
        extension->parts |= TW_PART_PKTINFO;
        return 0;
    }
    case IP_TTL:
        error = number_in(control, false, 1, &value);
        extension->ttl = (uint8_t)value;
        extension->parts |= TW_PART_TTL;
        return error;
    case IP_TOS:
        error = number_in(control, true, 0, &value);
        extension->tos = (uint8_t)value;
        extension->parts |= TW_PART_TOS;
        return error;
    case IP_RETOPTS: /* options do not leave */
        return length_of(control) > 40 ? EINVAL : 0;
    case 52 /* IP_PROTOCOL */:
        return number_in(control, false, 1, &value);
    default:
        return EINVAL;
    }
}

/* Linux: ip6_datagram_send_ctl; an IPv4 destination takes an IPv6 message with a mapped address, and ignores the others (ip_cmsg_send). */
static int ipv6_in(const struct msghdr *message, const struct cmsghdr *control, struct tw_extension *extension)
{
    const struct sockaddr_in6 *to = message->msg_name;
    bool is_to_v4 = to != NULL && message->msg_namelen >= sizeof *to && to->sin6_family == AF_INET6 && is_mapped((const uint8_t *)&to->sin6_addr);
    int value = 0, error;
    switch (control->cmsg_type) {
    case IPV6_PKTINFO:
        break;
    case IPV6_HOPLIMIT:
    case IPV6_2292HOPLIMIT:
    case IPV6_TCLASS:
        if (is_to_v4)
            return 0;
        error = number_in(control, false, -1, &value);
        if (error != 0 || value == -1) /* the socket's own */
            return error;
        if (control->cmsg_type == IPV6_TCLASS) {
            extension->tos = (uint8_t)value;
            extension->parts |= TW_PART_TOS;
        } else {
            extension->ttl = (uint8_t)value;
            extension->parts |= value == 0 ? 0 : TW_PART_TTL;
        }

        return 0;
    default:
        return 0;
    }

    struct in6_pktinfo info;
    if (length_of(control) < sizeof info)
        return EINVAL;
    memcpy(&info, CMSG_DATA(control), sizeof info);
    bool is_v4 = is_mapped((const uint8_t *)&info.ipi6_addr), is_any = memcmp(&info.ipi6_addr, &in6addr_any, sizeof in6addr_any) == 0;
    if (to != NULL && (is_to_v4 ? !is_v4 : is_v4))
        return EINVAL;
    memset(extension->local, 0, sizeof extension->local);
    if (is_v4 ? memcmp((const uint8_t *)&info.ipi6_addr + sizeof mapped, "\0\0\0\0", 4) != 0 : !is_any)
        memcpy(extension->local, &info.ipi6_addr, sizeof extension->local);
    if (!tw_is_source(extension->local))
        return is_v4 ? ENETUNREACH : EINVAL;
    extension->interface = (int32_t)info.ipi6_ifindex;
    extension->parts |= TW_PART_PKTINFO;
    return 0;
}

int tw_control_in(const struct msghdr *message, struct tw_extension *extension)
{
    extension->parts = 0;
    if (message->msg_control == NULL || message->msg_controllen == 0)
        return 0;
    memset(extension, 0, sizeof *extension);
    int error = 0;
    for (struct cmsghdr *control = CMSG_FIRSTHDR(message); control != NULL && error == 0; control = CMSG_NXTHDR((struct msghdr *)message, control))
        if (control->cmsg_level == SOL_UDP)
            error = udp_in(control, extension);
    for (struct cmsghdr *control = CMSG_FIRSTHDR(message); control != NULL && error == 0; control = CMSG_NXTHDR((struct msghdr *)message, control)) {
        if (control->cmsg_level == SOL_SOCKET)
            error = socket_in(control);
        else if (control->cmsg_level == SOL_IP)
            error = ip_in(control, extension);
        else if (control->cmsg_level == SOL_IPV6)
            error = ipv6_in(message, control, extension);
    }

    return error;
}

/* ---- receiving ---- */

/* Linux: put_cmsg. A message for which there is too little room is cut. */
static void put(struct msghdr *message, size_t *used, int level, int type, const void *data, size_t length)
{
    size_t room = message->msg_control == NULL ? 0 : message->msg_controllen - *used;
    if (room < sizeof(struct cmsghdr) || !tw_can_read((uint8_t *)message->msg_control + *used, room < CMSG_SPACE(length) ? room : CMSG_SPACE(length))) {
        message->msg_flags |= MSG_CTRUNC;
        return;
    }

    struct cmsghdr header = { .cmsg_len = CMSG_LEN(length), .cmsg_level = level, .cmsg_type = type };
    if (room < header.cmsg_len) {
        message->msg_flags |= MSG_CTRUNC;
        header.cmsg_len = room;
    }

    uint8_t *at = (uint8_t *)message->msg_control + *used;
    memcpy(at, &header, sizeof header);
    memcpy(at + CMSG_LEN(0), data, header.cmsg_len - CMSG_LEN(0));
    *used += room < CMSG_SPACE(length) ? room : CMSG_SPACE(length);
}

static void put_stamps(struct msghdr *message, size_t *used, const struct tw_extension *extension)
{
    struct timespec stamps[3] = { { .tv_sec = extension->stamp / 1000000000, .tv_nsec = extension->stamp % 1000000000 } };
    struct timeval micro = { .tv_sec = stamps[0].tv_sec, .tv_usec = stamps[0].tv_nsec / 1000 };
    uint32_t parts = extension->parts;
    if ((parts & (TW_PART_STAMP | TW_PART_STAMP_NEW)) != 0)
        put(message, used, SOL_SOCKET, (parts & TW_PART_STAMP) != 0 ? SCM_TIMESTAMP : SCM_TIMESTAMP_NEW_, &micro, sizeof micro);
    if ((parts & (TW_PART_STAMP_NS | TW_PART_STAMP_NS_NEW)) != 0)
        put(message, used, SOL_SOCKET, (parts & TW_PART_STAMP_NS) != 0 ? SCM_TIMESTAMPNS : SCM_TIMESTAMPNS_NEW_, &stamps[0], sizeof stamps[0]);
    if ((parts & (TW_PART_STAMPING | TW_PART_STAMPING_NEW)) != 0)
        put(message, used, SOL_SOCKET, (parts & TW_PART_STAMPING) != 0 ? SCM_TIMESTAMPING : SCM_TIMESTAMPING_NEW_, stamps, sizeof stamps);
}

void tw_control_out(struct msghdr *message, const struct tw_extension *extension)
{
    size_t used = 0;
    uint32_t parts = extension->parts;
    if (parts != 0)
        put_stamps(message, &used, extension);
    if ((parts & TW_PART_DROPS) != 0)
        put(message, &used, SOL_SOCKET, SO_RXQ_OVFL, &extension->drops, sizeof extension->drops);
    if ((parts & TW_PART_SEGMENT) != 0)
        put(message, &used, SOL_UDP, UDP_GRO, &(int){ extension->segment }, sizeof(int));
    if ((parts & TW_PART_PKTINFO_V6) != 0) {
        struct in6_pktinfo info = { .ipi6_ifindex = (unsigned)extension->interface };
        memcpy(&info.ipi6_addr, extension->destination, sizeof info.ipi6_addr);
        put(message, &used, SOL_IPV6, IPV6_PKTINFO, &info, sizeof info);
    }

    if ((parts & TW_PART_PKTINFO) != 0) {
        struct in_pktinfo info = { .ipi_ifindex = extension->interface };
        memcpy(&info.ipi_spec_dst, extension->local + sizeof mapped, sizeof info.ipi_spec_dst);
        memcpy(&info.ipi_addr, extension->destination + sizeof mapped, sizeof info.ipi_addr);
        put(message, &used, SOL_IP, IP_PKTINFO, &info, sizeof info);
    }

    if ((parts & TW_PART_TTL) != 0)
        put(message, &used, SOL_IP, IP_TTL, &(int){ extension->ttl }, sizeof(int));
    if ((parts & TW_PART_TOS) != 0)
        put(message, &used, SOL_IP, IP_TOS, &extension->tos, sizeof extension->tos);
    if ((parts & TW_PART_ORIGDST) != 0) {
        struct sockaddr_in original = { .sin_family = AF_INET, .sin_port = extension->port };
        memcpy(&original.sin_addr, extension->destination + sizeof mapped, sizeof original.sin_addr);
        put(message, &used, SOL_IP, IP_ORIGDSTADDR, &original, sizeof original);
    }

    if ((parts & TW_PART_HOPLIMIT_V6) != 0)
        put(message, &used, SOL_IPV6, IPV6_HOPLIMIT, &(int){ extension->ttl }, sizeof(int));
    if ((parts & TW_PART_TCLASS_V6) != 0)
        put(message, &used, SOL_IPV6, IPV6_TCLASS, &(int){ extension->tos }, sizeof(int));
    if ((parts & TW_PART_ORIGDST_V6) != 0) {
        struct sockaddr_in6 original = { .sin6_family = AF_INET6, .sin6_port = extension->port };
        memcpy(&original.sin6_addr, extension->destination, sizeof original.sin6_addr);
        put(message, &used, SOL_IPV6, 74 /* IPV6_ORIGDSTADDR */, &original, sizeof original);
    }

    message->msg_controllen = used;
}

/* ---- errors ---- */

static socklen_t name_out(void *to, socklen_t room, const uint8_t *address, uint16_t port, uint16_t family)
{
    struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = port };
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = port };
    memcpy(&v4.sin_addr, address + sizeof mapped, sizeof v4.sin_addr);
    memcpy(&v6.sin6_addr, address, sizeof v6.sin6_addr);
    socklen_t length = family == AF_INET6 ? sizeof v6 : sizeof v4;
    memcpy(to, family == AF_INET6 ? (const void *)&v6 : (const void *)&v4, room < length ? room : length);
    return length;
}

int tw_report_out(struct msghdr *message, int error, const struct tw_extension *extension)
{
    struct {
        struct sock_extended_err error;
        union {
            struct sockaddr_in v4;
            struct sockaddr_in6 v6;
        } offender;
    } report = { .error = { .ee_errno = (uint32_t)error, .ee_origin = (uint8_t)extension->segment, .ee_type = extension->ttl, .ee_code = extension->tos, .ee_info = extension->mtu } };
    bool is_v6 = extension->family == AF_INET6;
    size_t used = 0;
    socklen_t length = is_v6 ? sizeof report.offender.v6 : sizeof report.offender.v4;
    if (extension->segment == SO_EE_ORIGIN_ICMP || extension->segment == SO_EE_ORIGIN_ICMP6)
        name_out(&report.offender, length, extension->destination, 0, extension->family);
    if (message->msg_name != NULL) {
        if (!tw_can_read(message->msg_name, message->msg_namelen < sizeof(struct sockaddr_in6) ? message->msg_namelen : sizeof(struct sockaddr_in6)))
            return EFAULT;
        message->msg_namelen = name_out(message->msg_name, message->msg_namelen, extension->local, extension->port, extension->family);
    }

    uint8_t tos = (uint8_t)(extension->drops >> 8); /* of the ICMP message, and its TTL in the first byte */
    if ((extension->parts & TW_PART_TTL) != 0)
        put(message, &used, SOL_IP, IP_TTL, &(int){ extension->drops & 0xff }, sizeof(int));
    if ((extension->parts & TW_PART_TOS) != 0)
        put(message, &used, SOL_IP, IP_TOS, &tos, sizeof tos);
    if ((extension->parts & TW_PART_HOPLIMIT_V6) != 0)
        put(message, &used, SOL_IPV6, IPV6_HOPLIMIT, &(int){ extension->drops & 0xff }, sizeof(int));
    if ((extension->parts & TW_PART_TCLASS_V6) != 0)
        put(message, &used, SOL_IPV6, IPV6_TCLASS, &(int){ tos }, sizeof(int));
    put(message, &used, is_v6 ? SOL_IPV6 : SOL_IP, is_v6 ? IPV6_RECVERR : IP_RECVERR, &report, sizeof report.error + length);
    message->msg_controllen = used;
    message->msg_flags |= MSG_ERRQUEUE;
    return 0;
}

/*
 * Errors whose errno has been returned by another call than the one that asks for them. They are this process's alone. A place that another thread is using is passed
 * over, so that a signal handler never waits.
 */
#define KEPT 16
#define KEPT_PAYLOAD 576

static struct kept {
    atomic_flag busy;
    uint64_t handle; /* 0: free */
    uint64_t order;
    int error;
    struct tw_extension extension;
    size_t length;
    uint8_t payload[KEPT_PAYLOAD];
} kept[KEPT];

static _Atomic uint64_t last_order;

/* Sockets have errors kept: otherwise nobody has to look. */
static _Atomic bool any_kept;

void tw_keep_report(int fd, int error, const struct tw_extension *extension, const void *payload, size_t length)
{
    uint64_t handle = tw_handle(fd), order = ++last_order;
    struct kept *place = NULL;
    for (int i = 0; i < KEPT; i++) {
        struct kept *each = &kept[(order + (uint64_t)i) % KEPT]; /* the first one is the oldest */
        if (atomic_flag_test_and_set(&each->busy))
            continue;
        if (place == NULL || (place->handle != 0 && each->handle == 0)) {
            if (place != NULL)
                atomic_flag_clear(&place->busy);
            place = each;
        } else
            atomic_flag_clear(&each->busy);
    }

    if (place == NULL)
        return;
    place->handle = handle;
    place->order = order;
    place->error = error;
    place->extension = *extension;
    place->length = length < KEPT_PAYLOAD ? length : KEPT_PAYLOAD;
    if (place->length > 0)
        memcpy(place->payload, payload, place->length);
    any_kept = true;
    atomic_flag_clear(&place->busy);
}

bool tw_has_reports(void) { return any_kept; }

bool tw_has_report(int fd)
{
    uint64_t handle = any_kept ? tw_handle(fd) : 0;
    bool has_one = false;
    for (int i = 0; i < KEPT && handle != 0 && !has_one; i++) {
        if (atomic_flag_test_and_set(&kept[i].busy))
            continue;
        has_one = kept[i].handle == handle;
        atomic_flag_clear(&kept[i].busy);
    }

    return has_one;
}

bool tw_take_report(int fd, int *error, struct tw_extension *extension, void *payload, size_t *length)
{
    if (!any_kept)
        return false;
    uint64_t handle = tw_handle(fd);
    struct kept *oldest = NULL;
    for (int i = 0; i < KEPT; i++) {
        struct kept *each = &kept[i];
        if (atomic_flag_test_and_set(&each->busy))
            continue;
        if (each->handle == handle && (oldest == NULL || each->order < oldest->order)) {
            if (oldest != NULL)
                atomic_flag_clear(&oldest->busy);
            oldest = each;
        } else
            atomic_flag_clear(&each->busy);
    }

    if (oldest == NULL)
        return false;
    *error = oldest->error;
    *extension = oldest->extension;
    *length = *length < oldest->length ? *length : oldest->length;
    memcpy(payload, oldest->payload, *length);
    oldest->handle = 0;
    atomic_flag_clear(&oldest->busy);
    return true;
}
