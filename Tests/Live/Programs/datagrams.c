/*
 * What comes with datagrams and what may be asked for them, as text: run on the kernel's sockets and on Tapwire's, it has to print the same.
 * Arguments: an address of the sockets' own, the address of a host with an echo service on port 7007, an address that nobody has, the part.
 */
#define _GNU_SOURCE
#include "tools.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/errqueue.h>
#include <linux/net_tstamp.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif

#define ECHO_PORT 7007

static const char *own, *far, *nowhere;

static int set(int fd, int level, int name, int value) { return setsockopt(fd, level, name, &value, sizeof value); }

static int option(int fd, int level, int name)
{
    int value = -1;
    socklen_t length = sizeof value;
    return getsockopt(fd, level, name, &value, &length) == 0 ? value : -1;
}

/* A socket on an own port. */
static int bound(const char *address, int port)
{
    struct sockaddr_ip to = at(address, port);
    int fd = socket(FAMILY, SOCK_DGRAM, 0);
    if (bind(fd, (struct sockaddr *)&to, sizeof to) != 0)
        printf("bind: %s\n", said(-1));
    return fd;
}

static const char *name_of(const void *address)
{
    static char texts[4][INET6_ADDRSTRLEN];
    static unsigned next;
    char *text = texts[next++ % 4];
    inet_ntop(FAMILY, address, text, sizeof *texts);
    return strcmp(text, own) == 0 ? "own" : strcmp(text, far) == 0 ? "far" : text;
}

static bool is_now(time_t seconds)
{
    time_t now = time(NULL);
    return seconds >= now - 2 && seconds <= now + 1;
}

static void print_control(struct msghdr *message)
{
    printf(" flags %x:", message->msg_flags);
    for (struct cmsghdr *control = CMSG_FIRSTHDR(message); control != NULL; control = CMSG_NXTHDR(message, control)) {
        int level = control->cmsg_level, type = control->cmsg_type;
        size_t length = control->cmsg_len - CMSG_LEN(0);
        unsigned char *data = CMSG_DATA(control);
        printf(" [%d %d %zu", level, type, length);
        if (level == SOL_IP && type == IP_PKTINFO && length == sizeof(struct in_pktinfo)) {
            struct in_pktinfo info;
            memcpy(&info, data, sizeof info);
            printf(" if %d %s %s", info.ipi_ifindex > 0, name_of(&info.ipi_spec_dst), name_of(&info.ipi_addr));
        } else if (level == SOL_IPV6 && type == IPV6_PKTINFO && length == sizeof(struct in6_pktinfo)) {
            struct in6_pktinfo info;
            memcpy(&info, data, sizeof info);
            printf(" if %d %s", info.ipi6_ifindex > 0, name_of((char *)&info.ipi6_addr + (FAMILY == AF_INET ? 12 : 0)));
        } else if (level == SOL_IP && type == IP_ORIGDSTADDR && length == sizeof(struct sockaddr_ip)) {
            struct sockaddr_ip original;
            memcpy(&original, data, sizeof original);
            printf(" %d %s %d", original.ip_family, name_of(&original.ip_address), original.ip_port != 0);
        } else if (level == SOL_SOCKET && (type == SCM_TIMESTAMP || type == SCM_TIMESTAMPNS || type == SCM_TIMESTAMPING)) {
            struct timespec stamp;
            memcpy(&stamp, data, sizeof stamp);
            printf(" now %d", is_now(stamp.tv_sec) && stamp.tv_nsec >= 0 && stamp.tv_nsec < 1000000000);
        } else if ((level == SOL_IP || level == SOL_IPV6) && (type == IP_RECVERR || type == IPV6_RECVERR) && length >= sizeof(struct sock_extended_err)) {
            struct sock_extended_err error;
            memcpy(&error, data, sizeof error);
            printf(" %s origin %d type %d code %d info %u", strerrorname_np((int)error.ee_errno), error.ee_origin, error.ee_type, error.ee_code, error.ee_info);
            struct sockaddr_ip offender;
            memcpy(&offender, data + sizeof error, sizeof offender);
            if (offender.ip_family == FAMILY)
                printf(" by %s", name_of(&offender.ip_address));
            else
                printf(" by family %d", offender.ip_family);
        } else if (level == SOL_IP && type == IP_PKTINFO)
            printf(" cut");
        else if (length == 1)
            printf(" %d", *data);
        else if (length == 4)
            printf(" %d", *(int *)data);
        printf("]");
    }

    printf("\n");
}

/* Receives a datagram with all that comes with it. */
static ssize_t receive(int fd, size_t room, size_t control_room, int flags)
{
    static char text[70000], control[1024];
    struct sockaddr_storage from = { 0 };
    struct iovec vectors[2] = { { .iov_base = text, .iov_len = room < 5 ? room : 5 }, { .iov_base = text + 100, .iov_len = room < 5 ? 0 : room - 5 } };
    struct msghdr message = { .msg_name = &from, .msg_namelen = sizeof from, .msg_iov = vectors, .msg_iovlen = 2, .msg_control = control, .msg_controllen = control_room };
    if (poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, 2000) <= 0)
        flags |= MSG_DONTWAIT;
    ssize_t received = recvmsg(fd, &message, flags);
    printf("  received %s", said(received));
    if (received >= 0) {
        size_t there = (size_t)received < room ? (size_t)received : room, first = there < 5 ? there : 5;
        printf(" '%.*s%.*s' name %u used %zu", (int)first, text, (int)(there - first < 20 ? there - first : 20), text + 100, message.msg_namelen, message.msg_controllen);
        print_control(&message);
    } else
        printf("\n");
    return received;
}

static ssize_t send_control(int fd, const void *bytes, size_t length, const struct sockaddr_ip *to, void *control, size_t control_length)
{
    struct iovec vector = { .iov_base = (void *)bytes, .iov_len = length };
    struct msghdr message = {
        .msg_name = (void *)to, .msg_namelen = to == NULL ? 0 : sizeof *to, .msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = control_length,
    };
    return sendmsg(fd, &message, 0);
}

static size_t put(void *control, size_t used, int level, int type, const void *data, size_t length)
{
    struct cmsghdr header = { .cmsg_len = CMSG_LEN(length), .cmsg_level = level, .cmsg_type = type };
    memcpy((char *)control + used, &header, sizeof header);
    memcpy((char *)control + used + CMSG_LEN(0), data, length);
    return used + CMSG_SPACE(length);
}

/* A datagram from the echo service, to whatever address this socket has. */
static void have_echoed(int fd, const char *text)
{
    struct sockaddr_ip echo = at(far, ECHO_PORT);
    sendto(fd, text, strlen(text), 0, (struct sockaddr *)&echo, sizeof echo);
}

static void received(void)
{
    static const int ip[] = { IP_PKTINFO, IP_RECVTTL, IP_RECVTOS, IP_RECVORIGDSTADDR };
    int fd = bound(ANY, 0);
    printf("nothing asked\n");
    have_echoed(fd, "plain");
    receive(fd, 100, 512, 0);
    for (size_t i = 0; i < sizeof ip / sizeof *ip; i++) {
        printf("option %d: %s", ip[i], said(option(fd, SOL_IP, ip[i])));
        printf(" %s", said(set(fd, SOL_IP, ip[i], 7)));
        printf(" %s\n", said(option(fd, SOL_IP, ip[i])));
        have_echoed(fd, "one at a time");
        receive(fd, 100, 512, 0);
    }

    printf("room for %d, and cut\n", 5);
    have_echoed(fd, "0123456789");
    receive(fd, 5, 512, 0);
    have_echoed(fd, "0123456789");
    receive(fd, 0, 512, 0);
    have_echoed(fd, "0123456789");
    receive(fd, 7, 512, MSG_TRUNC);
    have_echoed(fd, "0123456789");
    receive(fd, 100, 512, MSG_PEEK);
    receive(fd, 100, 512, 0);
    printf("little room for control messages\n");
    static const size_t rooms[] = { 0, 8, 16, 20, 27, 28, 32, 40, 52, 56, 70 };
    for (size_t i = 0; i < sizeof rooms / sizeof *rooms; i++) {
        have_echoed(fd, "control");
        receive(fd, 100, rooms[i], 0);
    }

    char text[32] = "";
    int waiting = -1;
    have_echoed(fd, "by recvfrom");
    poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, 1000);
    ioctl(fd, FIONREAD, &waiting);
    printf("recv: %d %s", waiting, said(recv(fd, text, sizeof text, 0)));
    printf(" %s\n", text);
    have_echoed(fd, "by read");
    printf("read: %s", said(read(fd, text, sizeof text)));
    printf(" %.7s\n", text);
    have_echoed(fd, "one");
    have_echoed(fd, "second");
    usleep(100000);
    char controls[2][256], texts[2][16] = { "", "" };
    struct iovec each[2] = { { .iov_base = texts[0], .iov_len = 16 }, { .iov_base = texts[1], .iov_len = 4 } };
    struct mmsghdr batch[2] = { 0 };
    for (int i = 0; i < 2; i++)
        batch[i].msg_hdr = (struct msghdr){ .msg_iov = &each[i], .msg_iovlen = 1, .msg_control = controls[i], .msg_controllen = sizeof controls[i] };
    printf("recvmmsg: %s\n", said(recvmmsg(fd, batch, 2, MSG_DONTWAIT, NULL)));
    for (int i = 0; i < 2; i++) {
        printf(" %u %.4s", batch[i].msg_len, texts[i]);
        print_control(&batch[i].msg_hdr);
    }

    printf("another process\n");
    fflush(stdout);
    have_echoed(fd, "to a child");
    if (fork() == 0) {
        receive(fd, 100, 512, 0);
        fflush(stdout);
        _exit(0);
    }

    wait(NULL);
    for (size_t i = 0; i < sizeof ip / sizeof *ip; i++)
        set(fd, SOL_IP, ip[i], 0);
    have_echoed(fd, "all off");
    receive(fd, 100, 512, 0);
}

static void stamps(void)
{
    static const int names[] = { SO_TIMESTAMP, SO_TIMESTAMPNS, SO_TIMESTAMPING, 63, 64, 65 };

    /* The kernel stamps nothing for a moment after the first socket has asked (net_enable_timestamp): this one asks all the time. */
    int keeper = bound(ANY, 0);
    set(keeper, SOL_SOCKET, SO_TIMESTAMP, 1);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        int fd = bound(ANY, 0);
        int value = names[i] == SO_TIMESTAMPING || names[i] == 65 ? SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE : 1;
        printf("option %d: %s", names[i], said(set(fd, SOL_SOCKET, names[i], value)));
        for (size_t j = 0; j < sizeof names / sizeof *names; j++)
            printf(" %s", said(option(fd, SOL_SOCKET, names[j])));
        printf("\n");
        have_echoed(fd, "stamped");
        receive(fd, 100, 512, 0);
        close(fd);
    }

    int fd = bound(ANY, 0);
    printf("bad flags: %s\n", said(set(fd, SOL_SOCKET, SO_TIMESTAMPING, 1 << 30)));
    printf("both: %s", said(set(fd, SOL_SOCKET, SO_TIMESTAMP, 1)));
    printf(" %s", said(set(fd, SOL_SOCKET, SO_TIMESTAMPNS, 1)));
    printf(" %s\n", said(set(fd, SOL_IP, IP_PKTINFO, 1)));
    have_echoed(fd, "stamped");
    receive(fd, 100, 512, 0);
    close(keeper);
}

static void v6(void)
{
    struct sockaddr_in6 any = { .sin6_family = AF_INET6 }, echo = { .sin6_family = AF_INET6, .sin6_port = htons(ECHO_PORT) };
    char text[64], control[256] = "";
    int fd = socket(AF_INET6, SOCK_DGRAM, 0);
    set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
    printf("bind: %s\n", said(bind(fd, (struct sockaddr *)&any, sizeof any)));
    snprintf(text, sizeof text, "::ffff:%s", far);
    inet_pton(AF_INET6, text, &echo.sin6_addr);
    static const int names[] = { IPV6_RECVPKTINFO, IPV6_RECVHOPLIMIT, IPV6_RECVTCLASS };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        printf("option %d: %s\n", names[i], said(set(fd, IPPROTO_IPV6, names[i], 1)));
    printf("sendto: %s\n", said(sendto(fd, "mapped", 6, 0, (struct sockaddr *)&echo, sizeof echo)));
    receive(fd, 100, 512, 0);
    set(fd, SOL_IP, IP_RECVTTL, 1);
    sendto(fd, "mapped", 6, 0, (struct sockaddr *)&echo, sizeof echo);
    receive(fd, 100, 512, 0);
    struct in6_pktinfo info = { .ipi6_ifindex = 0 };
    snprintf(text, sizeof text, "::ffff:%s", own);
    inet_pton(AF_INET6, text, &info.ipi6_addr);
    size_t used = put(control, 0, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof info);
    struct iovec vector = { .iov_base = "from", .iov_len = 4 };
    struct msghdr message = { .msg_name = &echo, .msg_namelen = sizeof echo, .msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = used };
    printf("sendmsg: %s\n", said(sendmsg(fd, &message, 0)));
    receive(fd, 100, 512, 0);
    printf("on an IPv4 socket: %s\n", said(set(bound("0.0.0.0", 0), IPPROTO_IPV6, IPV6_RECVPKTINFO, 1)));
}

static void try_control(int fd, const struct sockaddr_ip *to, const char *what, int level, int type, const void *data, size_t length)
{
    char control[256] = "";
    printf("%s: %s\n", what, said(send_control(fd, "asked", 5, to, control, put(control, 0, level, type, data, length))));
}

static void sent(void)
{
    int a = bound(ANY, 0), b = bound(own, 0), value;
    struct sockaddr_ip to = at(own, port_of(b));
    struct in_pktinfo info = { 0 };
    char control[256] = "";
    set(b, SOL_IP, IP_RECVTTL, 1);
    set(b, SOL_IP, IP_RECVTOS, 1);
    inet_pton(AF_INET, nowhere, &info.ipi_spec_dst);
    try_control(a, &to, "foreign source", SOL_IP, IP_PKTINFO, &info, sizeof info);
    inet_pton(AF_INET, own, &info.ipi_spec_dst);
    try_control(a, &to, "source", SOL_IP, IP_PKTINFO, &info, sizeof info);
    receive(b, 100, 512, 0);
    value = 9;
    try_control(a, &to, "ttl", SOL_IP, IP_TTL, &value, sizeof value);
    receive(b, 100, 512, 0);
    value = 0x28;
    try_control(a, &to, "tos", SOL_IP, IP_TOS, &value, sizeof value);
    receive(b, 100, 512, 0);
    try_control(a, &to, "tos of a byte", SOL_IP, IP_TOS, &value, 1);
    receive(b, 100, 512, 0);
    size_t used = put(control, 0, SOL_IP, IP_TTL, &(int){ 33 }, sizeof(int));
    used = put(control, used, SOL_IP, IP_TOS, &(int){ 0x10 }, sizeof(int));
    used = put(control, used, SOL_IP, IP_PKTINFO, &info, sizeof info);
    printf("together: %s\n", said(send_control(a, "asked", 5, &to, control, used)));
    receive(b, 100, 512, 0);
    printf("afterwards: %s\n", said(sendto(a, "plain", 5, 0, (struct sockaddr *)&to, sizeof to)));
    receive(b, 100, 512, 0);
    try_control(a, &to, "ttl of 0", SOL_IP, IP_TTL, &(int){ 0 }, sizeof(int));
    try_control(a, &to, "ttl of 256", SOL_IP, IP_TTL, &(int){ 256 }, sizeof(int));
    try_control(a, &to, "ttl of a byte", SOL_IP, IP_TTL, &value, 1);
    try_control(a, &to, "tos of 256", SOL_IP, IP_TOS, &(int){ 256 }, sizeof(int));
    try_control(a, &to, "short pktinfo", SOL_IP, IP_PKTINFO, &info, 8);
    try_control(a, &to, "unknown of IP", SOL_IP, 99, &value, sizeof value);
    try_control(a, &to, "unknown of UDP", SOL_UDP, 99, &value, sizeof value);
    try_control(a, &to, "unknown of the socket", SOL_SOCKET, 99, &value, sizeof value);
    try_control(a, &to, "unknown level", 99, 99, &value, sizeof value);
    receive(b, 100, 512, 0);
    try_control(a, &to, "long segment size", SOL_UDP, UDP_SEGMENT, &value, sizeof value);
    try_control(a, &to, "timestamping", SOL_SOCKET, SO_TIMESTAMPING, &(int){ SOF_TIMESTAMPING_TX_SOFTWARE }, sizeof(int));
    receive(b, 100, 512, 0);
}

static void segments(void)
{
    static char bytes[70000];
    int a = bound(own, 0), b = bound(own, 0);
    struct sockaddr_ip to = at(own, port_of(b)), echo = at(far, ECHO_PORT);
    char control[64] = "";
    uint16_t size = 1000;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)('a' + i / 1000 % 26);
    set(b, SOL_SOCKET, SO_RCVBUF, 400000);
    printf("option: %s", said(option(a, SOL_UDP, UDP_SEGMENT)));
    printf(" %s", said(set(a, SOL_UDP, UDP_SEGMENT, 70000)));
    printf(" %s", said(set(a, SOL_UDP, UDP_SEGMENT, -1)));
    printf(" %s", said(set(a, SOL_UDP, UDP_SEGMENT, 700)));
    printf(" %s\n", said(option(a, SOL_UDP, UDP_SEGMENT)));
    printf("by option: %s\n", said(sendto(a, bytes, 1500, 0, (struct sockaddr *)&to, sizeof to)));
    for (int i = 0; i < 3; i++)
        receive(b, 5000, 64, 0);
    printf("by control message: %s\n", said(send_control(a, bytes, 3500, &to, control, put(control, 0, SOL_UDP, UDP_SEGMENT, &size, sizeof size))));
    for (int i = 0; i < 4; i++)
        receive(b, 5000, 64, 0);
    printf("none: %s", said(set(a, SOL_UDP, UDP_SEGMENT, 0)));
    printf(" %s\n", said(sendto(a, bytes, 1200, 0, (struct sockaddr *)&to, sizeof to)));
    receive(b, 5000, 64, 0);
    size = 1;
    printf("too many: %s\n", said(send_control(a, bytes, 1300, &to, control, put(control, 0, SOL_UDP, UDP_SEGMENT, &size, sizeof size))));
    int c = bound(ANY, 0);
    size = 1473;
    printf("too long for the wire: %d\n", send_control(c, bytes, 3000, &echo, control, put(control, 0, SOL_UDP, UDP_SEGMENT, &size, sizeof size)) < 0);
    size = 1472;
    printf("over the wire: %s\n", said(send_control(c, bytes, 2944, &echo, control, put(control, 0, SOL_UDP, UDP_SEGMENT, &size, sizeof size))));
    ssize_t first = receive(c, 5000, 64, 0), second = receive(c, 5000, 64, 0);
    printf("both: %zd\n", first + second);
    struct mmsghdr batch[2] = { 0 };
    struct iovec each[2] = { { .iov_base = bytes, .iov_len = 2000 }, { .iov_base = bytes + 2000, .iov_len = 500 } };
    size = 1000;
    for (int i = 0; i < 2; i++)
        batch[i].msg_hdr = (struct msghdr){ .msg_name = &to, .msg_namelen = sizeof to, .msg_iov = &each[i], .msg_iovlen = 1, .msg_control = i == 0 ? control : NULL,
            .msg_controllen = i == 0 ? put(control, 0, SOL_UDP, UDP_SEGMENT, &size, sizeof size) : 0 };
    printf("at the call:");
    connect(c, (struct sockaddr *)&echo, sizeof echo);
    static const int sizes[] = { 1473, 9000, 10, 1, 1472 };
    static const size_t lengths[] = { 100, 1400, 1472, 1473, 3000, 128, 129, 1280, 1281 };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        printf("\n%d:", sizes[i]);
        set(c, SOL_UDP, UDP_SEGMENT, sizes[i]);
        for (size_t j = 0; j < sizeof lengths / sizeof *lengths; j++)
            printf(" %s", said(send(c, bytes, lengths[j], MSG_DONTWAIT)));
    }

    printf("\nsendmmsg: %s", said(sendmmsg(a, batch, 2, 0)));
    printf(" %u %u\n", batch[0].msg_len, batch[1].msg_len);
    for (int i = 0; i < 3; i++)
        receive(b, 5000, 64, 0);
}

/* What waits may come merged or not, by the whim of either: so only what arrives as a whole is compared. */
static void merged(void)
{
    static char bytes[70000], got[70000], text[70000];
    int a = bound(own, 0), b = bound(own, 0);
    struct sockaddr_ip to = at(own, port_of(b));
    uint16_t size = 1000;
    char control[64] = "";
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)('a' + i % 23);
    set(b, SOL_SOCKET, SO_RCVBUF, 400000);
    printf("option: %s", said(option(b, SOL_UDP, UDP_GRO)));
    printf(" %s", said(set(b, SOL_UDP, UDP_GRO, 1)));
    printf(" %s\n", said(option(b, SOL_UDP, UDP_GRO)));
    printf("sent: %s\n", said(send_control(a, bytes, 20500, &to, control, put(control, 0, SOL_UDP, UDP_SEGMENT, &size, sizeof size))));
    size_t total = 0;
    bool is_right = true;
    int messages = 0;
    while (total < 20500) {
        struct iovec vector = { .iov_base = text, .iov_len = sizeof text };
        char in[128];
        struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1, .msg_control = in, .msg_controllen = sizeof in };
        if (poll(&(struct pollfd){ .fd = b, .events = POLLIN }, 1, 1000) <= 0)
            break;
        ssize_t length = recvmsg(b, &message, 0);
        if (length < 0)
            break;
        struct cmsghdr *first = CMSG_FIRSTHDR(&message);
        int segment = 0;
        if (first != NULL && first->cmsg_level == SOL_UDP && first->cmsg_type == UDP_GRO && first->cmsg_len == CMSG_LEN(sizeof segment))
            memcpy(&segment, CMSG_DATA(first), sizeof segment);
        is_right &= length > 1000 ? segment == 1000 : first == NULL;
        memcpy(got + total, text, (size_t)length);
        total += (size_t)length;
        messages++;
    }

    printf("got: %zu, right sizes %d, same %d, merged %d\n", total, is_right, memcmp(got, bytes, 20500) == 0, messages < 21);
}

static void errors(void)
{
    char control[256] = "", text[64] = "";
    (void)control, (void)text;
    int fd = bound(ANY, 0), plain = bound(ANY, 0);
    struct sockaddr_ip closed = at(far, 9999);
    printf("none asked: %s", said(sendto(plain, "lost", 4, 0, (struct sockaddr *)&closed, sizeof closed)));
    usleep(100000);
    printf(" %s\n", said(recv(plain, text, sizeof text, MSG_DONTWAIT)));
    printf("option: %s", said(set(fd, SOL_FAMILY, FAMILY_RECVERR, 1)));
    printf(" %s\n", said(option(fd, SOL_FAMILY, FAMILY_RECVERR)));
    printf("queue: %s\n", said(recvmsg(fd, &(struct msghdr){ 0 }, MSG_ERRQUEUE)));
    printf("sent: %s\n", said(sendto(fd, "lost one", 8, 0, (struct sockaddr *)&closed, sizeof closed)));
    usleep(200000);
    receive(fd, 100, 512, MSG_ERRQUEUE);
    printf("after it: %s\n", said(recv(fd, text, sizeof text, MSG_DONTWAIT)));
    printf("sent: %s\n", said(sendto(fd, "lost two", 8, 0, (struct sockaddr *)&closed, sizeof closed)));
    usleep(200000);
    printf("received: %s", said(recv(fd, text, sizeof text, MSG_DONTWAIT)));
    printf(" %s\n", said(recv(fd, text, sizeof text, MSG_DONTWAIT)));
    receive(fd, 100, 512, MSG_ERRQUEUE);
    printf("empty: %s\n", said(recvmsg(fd, &(struct msghdr){ 0 }, MSG_ERRQUEUE)));
    printf("connect: %s\n", said(connect(fd, (struct sockaddr *)&closed, sizeof closed)));
    printf("sent: %s\n", said(send(fd, "lost three", 10, 0)));
    usleep(200000);
    receive(fd, 4, 512, MSG_ERRQUEUE);
    set(fd, SOL_IP, IP_RECVTTL, 1);
    printf("sent: %s\n", said(send(fd, "lost four", 9, 0)));
    usleep(200000);
    receive(fd, 100, 512, MSG_ERRQUEUE);
    struct sockaddr_ip echo = at(far, ECHO_PORT);
    printf("connect: %s\n", said(connect(fd, (struct sockaddr *)&echo, sizeof echo)));
    send(fd, "works", 5, 0);
    receive(fd, 100, 512, 0);
}

/* The echo of what was sent: its length and first bytes, or why there is none. */
static const char *echoed(int fd)
{
    static char texts[4][96];
    static unsigned next;
    static char bytes[70000];
    char *text = texts[next++ % 4];
    poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, 300);
    ssize_t length = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
    snprintf(text, sizeof *texts, "%s %.*s", said(length), length < 0 ? 0 : length < 30 ? (int)length : 30, bytes);
    return text;
}

static void corked(void)
{
    static char bytes[70000];
    struct sockaddr_ip echo = at(far, ECHO_PORT), other = at(nowhere, 9);
    int fd = bound(ANY, 0), cloned = dup(fd);
    printf("no peer: %s", said(send(fd, "x", 1, MSG_MORE)));
    printf(", more: %s", said(sendto(fd, "one ", 4, MSG_MORE, (struct sockaddr *)&echo, sizeof echo)));
    printf(" %s", said(sendto(fd, "two ", 4, MSG_MORE, (struct sockaddr *)&other, sizeof other)));
    printf(" %s", said(send(fd, "three ", 6, MSG_MORE)));
    printf(", waits: %s", echoed(fd));
    printf(", last: %s", said(send(fd, "four", 4, 0)));
    printf(", %s", echoed(fd));
    printf(", after it: %s", said(send(fd, "x", 1, 0)));
    printf(", empty last: %s", said(sendto(fd, "five", 4, MSG_MORE, (struct sockaddr *)&echo, sizeof echo)));
    printf(" %s", said(send(fd, "", 0, 0)));
    printf(", %s\n", echoed(fd));

    struct iovec vector = { .iov_base = "vector", .iov_len = 6 };
    struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1, .msg_name = &echo, .msg_namelen = sizeof echo };
    printf("before: %s", said(sendto(fd, "before", 6, 0, (struct sockaddr *)&echo, sizeof echo)));
    printf(", cork: %s", said(set(fd, SOL_UDP, UDP_CORK, 7)));
    printf(" %d", option(cloned, SOL_UDP, UDP_CORK));
    printf(", %s", echoed(fd));
    printf(", sent: %s", said(sendmsg(fd, &message, 0)));
    printf(" %s", said(write(fd, " written", 8)));
    printf(" %s", said(write(cloned, " by another", 11)));
    printf(", waits: %s", echoed(fd));
    printf(", uncork: %s", said(set(fd, SOL_UDP, UDP_CORK, 0)));
    printf(" %d", option(fd, SOL_UDP, UDP_CORK));
    printf(", %s", echoed(fd));
    printf(", no peer: %s\n", said(send(fd, "x", 1, 0)));

    printf("connect: %s", said(connect(fd, (struct sockaddr *)&echo, sizeof echo)));
    for (int i = 0; i < 5; i++)
        printf(" %s", said(send(fd, bytes, 250, i < 4 ? MSG_MORE : 0)));
    printf(", %s", echoed(fd));
    set(fd, SOL_UDP, UDP_CORK, 1);
    for (int i = 0; i < 200; i++)
        send(fd, "many", 4, 0);
    set(fd, SOL_UDP, UDP_CORK, 0);
    printf(", %s", echoed(fd));
    set(fd, SOL_UDP, UDP_SEGMENT, 100);
    printf(", in segments: %s", said(send(fd, bytes, 80, MSG_MORE)));
    printf(" %s:", said(send(fd, bytes, 150, 0)));
    for (int i = 0; i < 3; i++)
        printf(" %s", echoed(fd));
    printf("\n");

    fd = socket(FAMILY, SOCK_DGRAM, 0);
    printf("fresh: %s", said(set(fd, SOL_UDP, UDP_CORK, 1)));
    printf(" %s", said(sendto(fd, "fresh ", 6, 0, (struct sockaddr *)&echo, sizeof echo)));
    printf(" %s", said(sendto(fd, "socket", 6, 0, (struct sockaddr *)&echo, sizeof echo)));
    printf(" %s", said(set(fd, SOL_UDP, UDP_CORK, 0)));
    printf(", %s", echoed(fd));
    printf(", dropped: %s", said(sendto(fd, "never", 5, MSG_MORE, (struct sockaddr *)&echo, sizeof echo)));
    printf(" %d\n", close(fd));
}

/* Sockets that share their address, and are connected to the same peer. */
static void same_ends(void)
{
    static const int how[] = { SO_REUSEADDR, SO_REUSEPORT };
    struct sockaddr_ip echo = at(far, ECHO_PORT), name;
    /* All with one option or the other, bound to one address or to all, and connected one by one, or together in this order or the other. */
    for (int i = 0; i < 12; i++) {
        const char *address = i / 2 % 2 == 0 ? own : ANY;
        int fds[3], order = i / 4;
        for (int j = 0; j < 3; j++) {
            fds[j] = socket(FAMILY, SOCK_DGRAM, 0);
            set(fds[j], SOL_SOCKET, how[i % 2], 1);
            name = at(address, j == 0 ? 0 : port_of(fds[0]));
            printf("bind %s, ", said(bind(fds[j], (struct sockaddr *)&name, sizeof name)));
            if (order == 0)
                printf("connect %s, ", said(connect(fds[j], (struct sockaddr *)&echo, sizeof echo)));
        }

        for (int j = 0; order > 0 && j < 3; j++)
            printf("connect %s, ", said(connect(fds[order == 1 ? j : 2 - j], (struct sockaddr *)&echo, sizeof echo)));
        for (int left = 3; left > 0; left--) {
            struct pollfd entries[3];
            int has = -1;
            for (int j = 0; j < 3; j++) {
                entries[j] = (struct pollfd){ .fd = fds[j], .events = POLLIN };
                if (fds[j] >= 0)
                    has = j;
            }

            send(fds[has], "to one of them", 14, 0);
            poll(entries, 3, 1000);
            has = -1;
            for (int j = 0; j < 3; j++)
                has = fds[j] >= 0 && recv(fds[j], &(char){ 0 }, 1, MSG_DONTWAIT) == 1 ? has * 10 + j : has;
            printf(" to %d", has); /* -10, -9, -8 */
            has += 10;
            if (has < 0 || has > 2)
                break;
            close(fds[has]);
            fds[has] = -1;
        }

        printf("\n");
        for (int j = 0; j < 3; j++)
            if (fds[j] >= 0)
                close(fds[j]);
    }
}

/* What poll tells of errors. */
static void polled(void)
{
    char control[256], text[64];
    int fd = bound(ANY, 0);
    struct sockaddr_ip closed = at(far, 9999), echo = at(far, ECHO_PORT);
    struct iovec vector = { .iov_base = text, .iov_len = sizeof text };
    struct pollfd entries[] = { { .fd = -1 }, { .fd = fd, .events = POLLIN | POLLOUT } };
    struct timespec second = { .tv_sec = 1 };
    set(fd, SOL_FAMILY, FAMILY_RECVERR, 1);
    sendto(fd, "lost", 4, 0, (struct sockaddr *)&closed, sizeof closed);
    usleep(200000);
    printf("error: %s", said(poll(entries, 2, 1000)));
    printf(" %x", entries[1].revents);
    entries[1].events = POLLIN;
    printf(", %s", said(ppoll(entries, 2, &second, NULL)));
    printf(" %x", entries[1].revents);
    entries[1].events = 0;
    printf(", %s", said(poll(entries, 2, 0)));
    printf(" %x", entries[1].revents);
    printf(", received: %s", said(recv(fd, text, sizeof text, MSG_DONTWAIT)));
    entries[1].events = POLLIN;
    printf(", %s", said(poll(entries, 2, -1)));
    printf(" %x", entries[1].revents);
    struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control };
    printf(", fetched: %s", said(recvmsg(fd, &message, MSG_ERRQUEUE)));
    printf(", %s", said(poll(entries, 2, 0)));
    printf(" %x\n", entries[1].revents);
    sendto(fd, "data", 4, 0, (struct sockaddr *)&echo, sizeof echo);
    printf("data: %s", said(poll(entries, 2, 1000)));
    printf(" %x\n", entries[1].revents);
}

static void sizes(void)
{
    static char bytes[70000];
    int fd = bound(ANY, 0), own_fd = bound(own, 0);
    struct sockaddr_ip echo = at(far, ECHO_PORT), to = at(own, port_of(own_fd));
    uint8_t byte = IP_PMTUDISC_DO;
    printf("discover: %s", said(option(fd, SOL_FAMILY, FAMILY_MTU_DISCOVER)));
    printf(" %s", said(setsockopt(fd, SOL_FAMILY, FAMILY_MTU_DISCOVER, &byte, 0)));
    printf(" %s", said(option(fd, SOL_FAMILY, FAMILY_MTU_DISCOVER)));
    printf(" %s", said(setsockopt(fd, SOL_FAMILY, FAMILY_MTU_DISCOVER, &byte, 1)));
    printf(" %s", said(option(fd, SOL_FAMILY, FAMILY_MTU_DISCOVER)));
    printf(" %s\n", said(set(fd, SOL_FAMILY, FAMILY_MTU_DISCOVER, 6)));
    printf("mtu: %s\n", said(option(fd, SOL_FAMILY, FAMILY_MTU)));
    static const size_t lengths[] = { 0, 548, 549, 1232, 1233, 1451, 1452, 1453, 1471, 1472, 1473, 4000, 65507, 65508, 65527, 65528, 65535, 65536 };
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        ssize_t result = sendto(fd, bytes, lengths[i], 0, (struct sockaddr *)&echo, sizeof echo);
        printf("%zu: %s", lengths[i], said(result));
        if (result >= 0) {
            poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, 1000);
            printf(" back %s", said(recv(fd, bytes, sizeof bytes, MSG_DONTWAIT)));
        }

        printf("\n");
    }

    printf("connect: %s", said(connect(fd, (struct sockaddr *)&echo, sizeof echo)));
    printf(" mtu %s\n", said(option(fd, SOL_FAMILY, FAMILY_MTU)));
    printf("send: %s", said(send(fd, bytes, 1473, 0)));
    printf(" %s\n", said(send(fd, bytes, 1472, 0)));
    poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, 1000);
    printf("back: %s\n", said(recv(fd, bytes, sizeof bytes, MSG_DONTWAIT)));
    set(fd, SOL_FAMILY, FAMILY_RECVERR, 1);
    printf("with reports: %s\n", said(send(fd, bytes, 2000, 0)));
    receive(fd, 100, 512, MSG_ERRQUEUE);
    set(own_fd, SOL_SOCKET, SO_RCVBUF, 200000);
    printf("to itself: %s", said(sendto(own_fd, bytes, 60000, 0, (struct sockaddr *)&to, sizeof to)));
    poll(&(struct pollfd){ .fd = own_fd, .events = POLLIN }, 1, 1000);
    printf(" %s\n", said(recv(own_fd, bytes, sizeof bytes, MSG_DONTWAIT)));
}

/* Every value of IP_MTU_DISCOVER, and datagrams about and above the MTU: which of them leave, and come back whole. */
static void discovered(void)
{
    static char bytes[70000], back[70000];
    static const size_t lengths[] = { 1451, 1452, 1453, 1471, 1472, 1473, 2952, 2953, 9000, 40000, 65507, 65508, 65527, 65528, 65535, 65536 };
    struct sockaddr_ip echo = at(far, ECHO_PORT);
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(i * 7 + i / 251);
    for (int connected = 0; connected < 2; connected++) {
        for (int discover = -1; discover <= IP_PMTUDISC_OMIT; discover++) {
            int fd = bound(ANY, 0);
            set(fd, SOL_SOCKET, SO_RCVBUF, 400000);
            if (connected)
                connect(fd, (struct sockaddr *)&echo, sizeof echo);
            printf("discover %d:", discover);
            if (discover >= 0)
                printf(" %s", said(set(fd, SOL_FAMILY, FAMILY_MTU_DISCOVER, discover)));
            for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
                ssize_t sent = connected ? send(fd, bytes, lengths[i], 0) : sendto(fd, bytes, lengths[i], 0, (struct sockaddr *)&echo, sizeof echo);
                printf(" %zu %s", lengths[i], said(sent));
                if (sent < 0 || poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, 5000) <= 0)
                    continue;
                ssize_t received = recv(fd, back, sizeof back, MSG_DONTWAIT);
                printf("=%s%s", said(received), received == sent && memcmp(bytes, back, (size_t)received) == 0 ? "" : " changed");
            }

            printf("\n");
            close(fd);
        }
    }
}

static void shared(void)
{
    static const int types[] = { SOCK_STREAM, SOCK_DGRAM };
    for (size_t t = 0; t < 2; t++) {
        int type = types[t], fds[5];
        for (int i = 0; i < 5; i++)
            fds[i] = socket(FAMILY, type, 0);
        printf("type %d, reuse port: %s", type, said(option(fds[0], SOL_SOCKET, SO_REUSEPORT)));
        for (int i = 0; i < 3; i++)
            set(fds[i], SOL_SOCKET, SO_REUSEPORT, 5);
        printf(" %s\n", said(option(fds[0], SOL_SOCKET, SO_REUSEPORT)));
        struct sockaddr_ip to = at(own, 0), any;
        bind(fds[0], (struct sockaddr *)&to, sizeof to);
        to = at(own, port_of(fds[0]));
        any = at(ANY, port_of(fds[0]));
        printf("second: %s", said(bind(fds[1], (struct sockaddr *)&to, sizeof to)));
        printf(" any: %s", said(bind(fds[2], (struct sockaddr *)&any, sizeof any)));
        printf(" without: %s", said(bind(fds[3], (struct sockaddr *)&to, sizeof to)));
        set(fds[4], SOL_SOCKET, SO_REUSEADDR, 1);
        printf(" reuse address: %s\n", said(bind(fds[4], (struct sockaddr *)&to, sizeof to)));
        if (type == SOCK_STREAM)
            for (int i = 0; i < 3; i++)
                printf("listen: %s\n", said(listen(fds[i], 8)));
        for (int i = 0; i < 5; i++)
            close(fds[i]);

        int first = socket(FAMILY, type, 0), second = socket(FAMILY, type, 0);
        set(first, SOL_SOCKET, SO_REUSEADDR, 1);
        set(second, SOL_SOCKET, SO_REUSEADDR, 1);
        to = at(own, 0);
        bind(first, (struct sockaddr *)&to, sizeof to);
        to = at(own, port_of(first));
        printf("both reuse address: %s", said(bind(second, (struct sockaddr *)&to, sizeof to)));
        if (type == SOCK_STREAM) {
            printf(" listen %s", said(listen(first, 8)));
            printf(" %s", said(listen(second, 8)));
        }

        printf("\n");
        close(first);
        close(second);
    }
}

static void only_v6(void)
{
    static const int types[] = { SOCK_STREAM, SOCK_DGRAM };
    for (size_t t = 0; t < 2; t++) {
        for (int order = 0; order < 2; order++) {
            int type = types[t], v4 = socket(AF_INET, type, 0), v6 = socket(AF_INET6, type, 0), both = socket(AF_INET6, type, 0);
            int port = 7300 + (int)t * 10 + order;
            struct sockaddr_in any4 = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
            struct sockaddr_in6 any6 = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };
            printf("type %d: only %s", type, said(set(v6, IPPROTO_IPV6, IPV6_V6ONLY, 1)));
            set(both, IPPROTO_IPV6, IPV6_V6ONLY, 0);
            if (order == 0)
                printf(" v4 %s", said(bind(v4, (struct sockaddr *)&any4, sizeof any4)));
            printf(" v6 %s", said(bind(v6, (struct sockaddr *)&any6, sizeof any6)));
            if (order == 1)
                printf(" v4 %s", said(bind(v4, (struct sockaddr *)&any4, sizeof any4)));
            printf(" both %s", said(bind(both, (struct sockaddr *)&any6, sizeof any6)));
            printf(" later %s", said(set(v6, IPPROTO_IPV6, IPV6_V6ONLY, 0)));
            if (type == SOCK_STREAM) {
                printf(" listen %s", said(listen(v6, 8)));
                printf(" %s", said(listen(v4, 8)));
            }

            printf(" hears %d\n", poll(&(struct pollfd){ .fd = v6, .events = POLLIN }, 1, type == SOCK_STREAM ? 50 : 0));
            close(v4);
            close(v6);
            close(both);
        }
    }

    struct sockaddr_in6 mapped = { .sin6_family = AF_INET6 };
    char text[64];
    snprintf(text, sizeof text, "::ffff:%s", own);
    inet_pton(AF_INET6, text, &mapped.sin6_addr);
    int fd = socket(AF_INET6, SOCK_STREAM, 0);
    set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    printf("mapped: %s\n", said(bind(fd, (struct sockaddr *)&mapped, sizeof mapped)));
    inet_pton(AF_INET6, "2001:db8::77", &mapped.sin6_addr);
    printf("foreign: %s\n", said(bind(fd, (struct sockaddr *)&mapped, sizeof mapped)));
}

int main(int count, char **arguments)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } parts[] = {
        { "received", received }, { "stamps", stamps }, { "v6", v6 }, { "sent", sent }, { "segments", segments }, { "merged", merged }, { "errors", errors }, { "corked", corked }, { "discovered", discovered },
        { "same ends", same_ends }, { "polled", polled }, { "sizes", sizes }, { "shared", shared }, { "only v6", only_v6 },
    };
    if (count < 5)
        return 2;
    own = arguments[1], far = arguments[2], nowhere = arguments[3];
    alarm(50);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (strcmp(arguments[4], parts[i].name) == 0)
            parts[i].run();
    return 0;
}
