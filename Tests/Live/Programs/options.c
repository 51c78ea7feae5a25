/*
 * What getsockopt and setsockopt answer for options and values of every length and level, as text: run on the kernel's sockets and on Tapwire's, it has to print the same.
 * Arguments: as of probe.c, whose tools it uses, and the part.
 */
#define main probe
#include "probe.c"
#undef main

#define LAST 83

static int level;

/* Options that are decided otherwise here, or whose value is the kernel's own business: docs/socket-options.md says why. */
static bool is_exempt(int family, int name)
{
    static const int of_socket[] = { SO_SNDBUF, SO_RCVBUF, SO_OOBINLINE, SO_LINGER, SO_PEERCRED, SO_RCVLOWAT, SO_BINDTODEVICE, SO_ATTACH_FILTER, SO_PEERNAME, SO_PEERSEC,
        SO_TIMESTAMPING, SO_PEEK_OFF, SO_MAX_PACING_RATE, SO_ATTACH_BPF, SO_ATTACH_REUSEPORT_CBPF, SO_ATTACH_REUSEPORT_EBPF, SO_MEMINFO, SO_COOKIE, 59, SO_ZEROCOPY, SO_TXTIME,
        SO_BINDTOIFINDEX, 65, 68, 71, 73, 76, 77, 78, 79, 80, 81, 82, 83 };
    static const int of_tcp[] = { TCP_INFO, TCP_QUICKACK, TCP_CONGESTION, TCP_MD5SIG, TCP_REPAIR, TCP_QUEUE_SEQ, TCP_TIMESTAMP, TCP_CC_INFO, TCP_REPAIR_WINDOW, TCP_ULP, 32,
        TCP_FASTOPEN_KEY, 37, 38, 39, 40, 41, 42, 44, 45, 46 };
    static const int of_ip[] = { IP_OPTIONS, IP_IPSEC_POLICY, IP_XFRM_POLICY, IP_MULTICAST_IF, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 64, 65, 66, 67, 80, 83 };
    static const int of_ipv6[] = { 1, 6, 16, 20, 21, 22, 24, 27, 28, 30, 32, 34, 35, 42, 43, 44, 45, 46, 47, 48, 50, 54, 55, 57, 59, 61, 64, 65, 68, 69, 72, 80 };
    static const int of_udp[] = { 1, 100 };
    static const struct { int level; const int *list; size_t size; } all[] = { { SOL_SOCKET, of_socket, sizeof of_socket }, { IPPROTO_TCP, of_tcp, sizeof of_tcp },
        { IPPROTO_IP, of_ip, sizeof of_ip }, { IPPROTO_IPV6, of_ipv6, sizeof of_ipv6 }, { IPPROTO_UDP, of_udp, sizeof of_udp } };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        for (size_t j = 0; level == all[i].level && j < all[i].size / sizeof(int); j++)
            if (all[i].list[j] == name)
                return true;
    return family == AF_INET6 && level == IPPROTO_IP && name == IP_MULTICAST_ALL; /* off from the beginning */
}

static void get(int family, int type, int name, socklen_t room)
{
    unsigned char value[16];
    socklen_t length = room;
    int fd = socket(family, type, 0);
    memset(value, 0xa5, sizeof value);
    printf(" %s", said(getsockopt(fd, level, name, value, &length)));
    printf("/%u/", length);
    for (size_t i = 0; i <= room && i < sizeof value; i++)
        printf("%02x", value[i]);
    close(fd);
}

static void put(int family, int type, int name, socklen_t length, int value)
{
    unsigned char bytes[16] = { 0 };
    socklen_t told = sizeof value;
    int fd = socket(family, type, 0);
    memcpy(bytes, &value, sizeof value);
    printf(" %s", said(setsockopt(fd, level, name, bytes, length)));
    value = -77;
    printf("/%s", said(getsockopt(fd, level, name, &value, &told)));
    printf("/%d/%u", value, told);
    close(fd);
}

static void matrix(int family, int type, int from, int to)
{
    static const socklen_t lengths[] = { 0, 1, 2, 3, 4, 5, 8 };
    for (int name = from; name <= to; name++) {
        if (is_exempt(family, name))
            continue;
        printf("family %d type %d level %d option %d: get", family, type, level, name);
        for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
            get(family, type, name, lengths[i]);
        printf(", set");
        for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
            for (int value = -1; value <= 1; value++)
                put(family, type, name, lengths[i], value);
        printf("\n");
    }
}

static const struct { int family, type; } kinds[] = { { AF_INET, SOCK_STREAM }, { AF_INET, SOCK_DGRAM }, { AF_INET6, SOCK_STREAM }, { AF_INET6, SOCK_DGRAM } };

static void lengths(void)
{
    static const int levels[] = { SOL_SOCKET, IPPROTO_IP, IPPROTO_TCP, IPPROTO_IPV6, IPPROTO_UDP };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        for (size_t j = 0; j < sizeof levels / sizeof *levels; j++) {
            level = levels[j];
            matrix(kinds[i].family, kinds[i].type, 0, LAST);
            matrix(kinds[i].family, kinds[i].type, 100, 105);
            matrix(kinds[i].family, kinds[i].type, 9999, 9999);
        }
}

static void foreign_levels(void)
{
    static const int levels[] = { IPPROTO_ICMPV6, IPPROTO_SCTP, IPPROTO_RAW, 2, 300, 999, -1 };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        for (size_t j = 0; j < sizeof levels / sizeof *levels; j++) {
            level = levels[j];
            matrix(kinds[i].family, kinds[i].type, 0, 3);
        }
}

static void values(void)
{
    static const int numbers[] = { -2, -1, 0, 1, 2, 3, 127, 255, 256, 257, 300, 65535, 65536, 1000000000 };
    static const struct { int level, name; } options[] = { { IPPROTO_IP, IP_TOS }, { IPPROTO_IP, IP_TTL }, { IPPROTO_IP, IP_MULTICAST_TTL }, { IPPROTO_IP, IP_MULTICAST_LOOP },
        { IPPROTO_IP, IP_MULTICAST_ALL }, { IPPROTO_IP, IP_UNICAST_IF }, { IPPROTO_IP, IP_TRANSPARENT }, { IPPROTO_IP, IP_MINTTL }, { IPPROTO_IPV6, IPV6_TCLASS },
        { IPPROTO_IPV6, IPV6_TRANSPARENT }, { IPPROTO_IPV6, IPV6_MULTICAST_HOPS }, { IPPROTO_IPV6, IPV6_MULTICAST_LOOP }, { IPPROTO_IPV6, IPV6_MULTICAST_ALL },
        { IPPROTO_UDP, 101 }, { IPPROTO_UDP, 103 }, { IPPROTO_TCP, TCP_FASTOPEN }, { SOL_SOCKET, SO_SNDBUFFORCE }, { SOL_SOCKET, SO_RCVBUFFORCE }, { SOL_SOCKET, SO_CNX_ADVICE },
        { SOL_SOCKET, SO_TXREHASH } };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        for (size_t j = 0; j < sizeof options / sizeof *options; j++) {
            level = options[j].level;
            if (is_exempt(kinds[i].family, options[j].name))
                continue;
            printf("family %d type %d level %d option %d:", kinds[i].family, kinds[i].type, level, options[j].name);
            for (size_t k = 0; k < sizeof numbers / sizeof *numbers; k++)
                put(kinds[i].family, kinds[i].type, options[j].name, sizeof(int), numbers[k]);
            printf("\n");
        }
}

/* How large a buffer may be is decided by settings; what is not a size has to be taken, too. */
static void buffers(void)
{
    for (int type = SOCK_STREAM; type <= SOCK_DGRAM; type++)
        for (int name = SO_SNDBUF; name <= SO_RCVBUF; name++) {
            int fd = socket(AF_INET, type, 0), least = 0;
            printf("type %d buffer %d: 0 %s", type, name, said(set_option(fd, SOL_SOCKET, name, 0)));
            printf(" %d", least = option(fd, SOL_SOCKET, name));
            printf(", 1 %s", said(set_option(fd, SOL_SOCKET, name, 1)));
            printf(" %d", option(fd, SOL_SOCKET, name));
            printf(", -1 %s", said(set_option(fd, SOL_SOCKET, name, -1)));
            printf(" %d\n", option(fd, SOL_SOCKET, name) > 4 * least);
            close(fd);
        }
}

static void tell_multicast_interface(int fd, const void *value, socklen_t length)
{
    struct in_addr told = { 0 };
    char text[INET_ADDRSTRLEN];
    socklen_t room = sizeof told;
    printf(" %s", said(setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, value, length)));
    printf("/%s", said(getsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &told, &room)));
    inet_ntop(AF_INET, &told, text, sizeof text);
    printf("/%s/%u", strcmp(text, own) == 0 ? "own" : text, room);
}

static void multicast_interface(void)
{
    for (int type = SOCK_STREAM; type <= SOCK_DGRAM; type++) {
        int fd = socket(AF_INET, type, 0);
        struct ip_mreqn group = { .imr_address.s_addr = inet_addr(own) };
        struct in_addr address = { .s_addr = inet_addr(own) }, other = { .s_addr = inet_addr(nowhere) }, none = { 0 };
        printf("type %d:", type);
        tell_multicast_interface(fd, &address, sizeof address);
        tell_multicast_interface(fd, &none, sizeof none);
        tell_multicast_interface(fd, &group, sizeof(struct ip_mreq));
        tell_multicast_interface(fd, &other, sizeof other);
        tell_multicast_interface(fd, &group, sizeof group);
        group.imr_ifindex = 12345;
        tell_multicast_interface(fd, &group, sizeof group);
        tell_multicast_interface(fd, &address, 3);
        tell_multicast_interface(fd, &address, 0);
        printf("\n");
        close(fd);
    }
}

static void peek_offset(void)
{
    struct both b = connected();
    char text[64] = "";
    printf("SO_PEEK_OFF: %s", said(option(b.server, SOL_SOCKET, SO_PEEK_OFF)));
    printf(" %s", said(set_option(b.server, SOL_SOCKET, SO_PEEK_OFF, 2)));
    send(b.client, "abcdefgh", 8, 0);
    poll(&(struct pollfd){ .fd = b.server, .events = POLLIN }, 1, 1000);
    for (int i = 0; i < 2; i++) {
        printf(", peek %s", said(recv(b.server, text, 3, MSG_PEEK)));
        printf(" %.3s %d", text, option(b.server, SOL_SOCKET, SO_PEEK_OFF));
    }

    printf(", read %s", said(recv(b.server, text, 4, 0)));
    printf(" %.4s %d", text, option(b.server, SOL_SOCKET, SO_PEEK_OFF));
    printf(", off %s", said(set_option(b.server, SOL_SOCKET, SO_PEEK_OFF, -1)));
    printf(", peek %s", said(recv(b.server, text, 9, MSG_PEEK)));
    printf(" %.4s\n", text);
    end(b);
}

/* Without a privilege: what a program of another user may turn on. */
static void unprivileged(void)
{
    int v4 = stream(0), v6 = socket(AF_INET6, SOCK_DGRAM, 0);
    if (seteuid(65534) != 0)
        printf("no other user\n");
    printf("IP_TRANSPARENT: %s", said(set_option(v4, IPPROTO_IP, IP_TRANSPARENT, 1)));
    printf(" %d", option(v4, IPPROTO_IP, IP_TRANSPARENT));
    printf(", off %s", said(set_option(v4, IPPROTO_IP, IP_TRANSPARENT, 0)));
    printf(", IPV6_TRANSPARENT: %s", said(set_option(v6, IPPROTO_IPV6, IPV6_TRANSPARENT, 1)));
    printf(" %d\n", option(v6, IPPROTO_IPV6, IPV6_TRANSPARENT));
    close(v4);
    close(v6);
}

int main(int count, char **arguments)
{
    static const struct part all[] = {
        { "lengths", lengths }, { "foreign levels", foreign_levels }, { "values", values }, { "buffers", buffers }, { "multicast interface", multicast_interface },
        { "unprivileged", unprivileged }, { "peek offset", peek_offset },
    };
    setvbuf(stdout, NULL, _IOFBF, 1 << 16);
    own = arguments[1], far = arguments[2], nowhere = arguments[3];
    alarm(120);
    return run_parts(all, sizeof all / sizeof *all, count > 4 ? arguments[4] : NULL);
}
