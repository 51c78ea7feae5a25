/*
 * More of what a program sees of its sockets, as text: run on the kernel's sockets and on Tapwire's, it has to print the same.
 * Arguments: as of probe.c, whose tools it uses.
 */
#define main probe
#include "probe.c"
#undef main

#include <ifaddrs.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/udp.h>

static volatile sig_atomic_t signals;

static void count_signal(int number)
{
    (void)number;
    signals++;
}

static void count_pipes(void)
{
    struct sigaction action = { .sa_handler = count_signal };
    sigaction(SIGPIPE, &action, NULL);
}

/* Waits until both directions are shut down, or the connection is reset. */
static void await_end(int fd)
{
    struct pollfd entry = { .fd = fd };
    poll(&entry, 1, 5000);
}

static void reset_by(int fd)
{
    struct linger now = { .l_onoff = 1 };
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(fd);
}

static const char *name_of(int (*call)(int, struct sockaddr *, socklen_t *), int fd)
{
    static char texts[4][96];
    static unsigned next;
    char *text = texts[next++ % 4], address[INET6_ADDRSTRLEN];
    struct sockaddr_ip name = { 0 };
    socklen_t length = sizeof name;
    if (call(fd, (struct sockaddr *)&name, &length) != 0)
        return said(-1);
    inet_ntop(FAMILY, &name.ip_address, address, sizeof address);
    snprintf(text, sizeof *texts, "%d %s %d", length, strcmp(address, own) == 0 ? "own" : address, ntohs(name.ip_port) != 0);
    return text;
}

static void tell_all(const char *what, int fd)
{
    int number = -1;
    struct linger linger = { .l_onoff = 1, .l_linger = 3 }, told = { 0 };
    socklen_t length = sizeof told;
    printf("%s: getsockname %s", what, name_of(getsockname, fd));
    printf(", getpeername %s", name_of(getpeername, fd));
    printf(", TCP_NODELAY %s", said(set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1)));
    printf(" %s", said(option(fd, IPPROTO_TCP, TCP_NODELAY)));
    printf(", SO_KEEPALIVE %s", said(set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1)));
    printf(" %s", said(option(fd, SOL_SOCKET, SO_KEEPALIVE)));
    printf(", SO_LINGER %s", said(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger)));
    printf(" %s %d", said(getsockopt(fd, SOL_SOCKET, SO_LINGER, &told, &length)), told.l_onoff);
    printf(", SO_TYPE %s", said(option(fd, SOL_SOCKET, SO_TYPE)));
    printf(", SO_DOMAIN %s", said(option(fd, SOL_SOCKET, SO_DOMAIN)));
    printf(", SO_PROTOCOL %s", said(option(fd, SOL_SOCKET, SO_PROTOCOL)));
    printf(", SO_ACCEPTCONN %s", said(option(fd, SOL_SOCKET, SO_ACCEPTCONN)));
    printf(", TTL %s", said(option(fd, SOL_FAMILY, FAMILY_TTL)));
    printf(", unknown %s\n", said(option(fd, SOL_SOCKET, 9999)));
    printf("%s: SO_ERROR %s", what, said(option(fd, SOL_SOCKET, SO_ERROR)));
    printf(", %s", said(option(fd, SOL_SOCKET, SO_ERROR)));
    printf(", SIOCOUTQ %s %d", said(ioctl(fd, SIOCOUTQ, &number)), number);
    printf(", connect %s", said(call_connect(fd, far, 7)));
    printf(", listen %s", said(listen(fd, 1)));
    printf(", accept %s", said(accept(fd, NULL, NULL)));
    printf(", shutdown %s", said(shutdown(fd, SHUT_RDWR)));
    printf(", write %s", said(send(fd, "x", 1, MSG_NOSIGNAL)));
    printf(", read %s\n", said(read(fd, &(char){ 0 }, 1)));
}

static void ended(void)
{
    struct both b = { .listener = stream(0), .client = stream(0) };
    call_bind(b.listener, own, 0);
    listen(b.listener, 8);
    call_connect(b.client, own, port_of(b.listener));
    reset_by(b.client);
    usleep(200000);
    struct sockaddr_ip peer = { 0 };
    socklen_t length = sizeof peer;
    b.server = accept(b.listener, (struct sockaddr *)&peer, &length);
    printf("accept: %d, peer %d %d\n", b.server >= 0, length, peer.ip_port != 0);
    await_end(b.server);
    tell_all("reset before accept", b.server);
    close(b.server);
    close(b.listener);

    b = connected();
    reset_by(b.server);
    await_end(b.client);
    tell_all("reset by the peer", b.client);
    close(b.client);
    close(b.listener);

    b = connected();
    shutdown(b.client, SHUT_WR);
    printf("end: %s\n", said(read(b.server, &(char){ 0 }, 1)));
    shutdown(b.server, SHUT_WR);
    await_end(b.client);
    await_end(b.server);
    usleep(200000);
    printf("name after both: %s", name_of(getsockname, b.server));
    printf(", TCP_NODELAY %s", said(set_option(b.server, IPPROTO_TCP, TCP_NODELAY, 1)));
    printf(", SO_TYPE %s", said(option(b.server, SOL_SOCKET, SO_TYPE)));
    printf(", read %s", said(read(b.server, &(char){ 0 }, 1)));
    printf(", write %s\n", said(send(b.server, "x", 1, MSG_NOSIGNAL)));
    end(b);

    b = connected();
    printf("listener: shutdown %s", said(shutdown(b.listener, SHUT_RDWR)));
    printf(", name %s", name_of(getsockname, b.listener));
    printf(", SO_ACCEPTCONN %s", said(option(b.listener, SOL_SOCKET, SO_ACCEPTCONN)));
    printf(", SO_KEEPALIVE %s", said(set_option(b.listener, SOL_SOCKET, SO_KEEPALIVE, 1)));
    printf(", accept %s\n", said(accept(b.listener, NULL, NULL)));
    end(b);

    int fd = stream(SOCK_NONBLOCK);
    call_connect(fd, far, 4999);
    await_end(fd);
    printf("refused: name %s", name_of(getpeername, fd));
    printf(", type %s", said(option(fd, SOL_SOCKET, SO_TYPE)));
    printf(", again %s", said(call_connect(fd, far, 4999)));
    printf(", SO_ERROR %s\n", said(option(fd, SOL_SOCKET, SO_ERROR)));
    close(fd);
}

/* A server whose peer has reset the connection. */
static int reset_server(void)
{
    struct both b = connected();
    close(b.listener);
    reset_by(b.client);
    await_end(b.server);
    signals = 0;
    return b.server;
}

/* A server whose peer has closed, and answers data with a reset. */
static int abandoned_server(void)
{
    struct both b = connected();
    close(b.listener);
    close(b.client);
    printf("end %s", said(read(b.server, &(char){ 0 }, 1)));
    printf(", write %s", said(write(b.server, "x", 1)));
    await_end(b.server);
    signals = 0;
    return b.server;
}

static long write_by(int how, int fd)
{
    struct iovec vector = { .iov_base = "xy", .iov_len = 2 };
    struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1 };
    switch (how) {
    case 0:
        return write(fd, "xy", 2);
    case 1:
        return send(fd, "xy", 2, 0);
    case 2:
        return writev(fd, &vector, 1);
    case 3:
        return sendmsg(fd, &message, 0);
    case 4:
        return sendto(fd, "xy", 2, 0, NULL, 0);
    default:
        return send(fd, "xy", 2, MSG_NOSIGNAL);
    }
}

static void writers(void)
{
    static const char *const calls[] = { "write", "send", "writev", "sendmsg", "sendto", "send without signal" };
    count_pipes();
    for (int i = 0; i < 6; i++) {
        int fd = reset_server();
        printf("%s after a reset: %s", calls[i], said(write_by(i, fd)));
        printf(" %d", (int)signals);
        printf(", then %s", said(write_by(i, fd)));
        printf(" %d", (int)signals);
        printf(", read %s\n", said(read(fd, &(char){ 0 }, 1)));
        close(fd);
        fd = abandoned_server();
        printf(", %s after a close: %s", calls[i], said(write_by(i, fd)));
        printf(" %d", (int)signals);
        printf(", read %s", said(read(fd, &(char){ 0 }, 1)));
        printf(", SO_ERROR %s\n", said(option(fd, SOL_SOCKET, SO_ERROR)));
        close(fd);
        fd = stream(0);
        signals = 0;
        printf("%s before connecting: %s", calls[i], said(write_by(i, fd)));
        printf(" %d\n", (int)signals);
        close(fd);
    }

    int fd = reset_server();
    printf("read after a reset: %s", said(read(fd, &(char){ 0 }, 1)));
    printf(", then %s", said(read(fd, &(char){ 0 }, 1)));
    printf(", write %s %d\n", said(write(fd, "x", 1)), (int)signals);
    close(fd);
    struct both b = connected();
    shutdown(b.client, SHUT_WR);
    signals = 0;
    printf("write after shutdown: %s", said(write(b.client, "x", 1)));
    printf(" %d\n", (int)signals);
    end(b);
    fd = stream(0);
    printf("before connecting: read %s", said(read(fd, &(char){ 0 }, 1)));
    printf(", recv %s", said(recv(fd, &(char){ 0 }, 1, 0)));
    printf(", shutdown %s\n", said(shutdown(fd, SHUT_RDWR)));
    close(fd);
}

static void stream_calls(void)
{
    char buffer[64] = "untouched";
    int number = -1;
    struct both b = connected();
    printf("MSG_MORE: %s", said(send(b.client, "abcdef", 6, MSG_MORE)));
    printf(", MSG_EOR: %s", said(send(b.client, "ghijkl", 6, MSG_EOR)));
    usleep(300000);
    printf(", peek %s", said(recv(b.server, buffer, 100, MSG_TRUNC | MSG_PEEK)));
    printf(", discard %s", said(recv(b.server, NULL, 5, MSG_TRUNC)));
    printf(" %s", buffer);
    printf(", read %s %.7s\n", said(recv(b.server, buffer, sizeof buffer, MSG_DONTWAIT)), buffer);
    printf("error queue: %s\n", said(recv(b.server, buffer, sizeof buffer, MSG_ERRQUEUE | MSG_DONTWAIT)));
    printf("SIOCOUTQ: %s %d", said(ioctl(b.client, SIOCOUTQ, &number)), number);
    printf(", SIOCINQ: %s %d", said(ioctl(b.client, SIOCINQ, &number)), number);
    printf(", SIOCATMARK: %s %d", said(ioctl(b.client, SIOCATMARK, &number)), number);
    printf(", of a listener: %s", said(ioctl(b.listener, SIOCINQ, &number)));
    printf(" %s\n", said(ioctl(b.listener, SIOCOUTQ, &number)));

    char control[CMSG_SPACE(sizeof(int))];
    struct iovec vector = { .iov_base = buffer, .iov_len = 4 };
    struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control };
    printf("TCP_INQ: %s", said(set_option(b.server, IPPROTO_TCP, TCP_INQ, 1)));
    send(b.client, "0123456789", 10, 0);
    usleep(200000);
    printf(", %s", said(recvmsg(b.server, &message, 0)));
    struct cmsghdr *first = CMSG_FIRSTHDR(&message);
    printf(", left %d\n", first != NULL && first->cmsg_type == TCP_CM_INQ ? *(int *)CMSG_DATA(first) : -1);
    end(b);

    struct timeval wait = { .tv_sec = 3 }, told = { 0 };
    socklen_t length = sizeof told;
    b = (struct both){ .listener = stream(0), .client = stream(0) };
    call_bind(b.listener, own, 0);
    setsockopt(b.listener, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    set_option(b.listener, SOL_SOCKET, SO_RCVLOWAT, 2);
    set_option(b.listener, SOL_SOCKET, SO_KEEPALIVE, 1);
    set_option(b.listener, SOL_SOCKET, SO_PRIORITY, 3);
    set_option(b.listener, IPPROTO_TCP, TCP_NODELAY, 1);
    set_option(b.listener, IPPROTO_TCP, TCP_USER_TIMEOUT, 4000);
    set_option(b.listener, SOL_FAMILY, FAMILY_TTL, 33);
    listen(b.listener, 3);
    setsockopt(b.listener, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
    printf("after listen: %s\n", said(set_option(b.listener, IPPROTO_TCP, TCP_KEEPIDLE, 44)));
    call_connect(b.client, own, port_of(b.listener));
    b.server = accept(b.listener, NULL, NULL);
    getsockopt(b.server, SOL_SOCKET, SO_RCVTIMEO, &told, &length);
    printf("inherited: SO_RCVTIMEO %ld", told.tv_sec);
    getsockopt(b.server, SOL_SOCKET, SO_SNDTIMEO, &told, &length);
    printf(", SO_SNDTIMEO %ld", told.tv_sec);
    printf(", SO_RCVLOWAT %d", option(b.server, SOL_SOCKET, SO_RCVLOWAT));
    printf(", SO_KEEPALIVE %d", option(b.server, SOL_SOCKET, SO_KEEPALIVE));
    printf(", SO_PRIORITY %d", option(b.server, SOL_SOCKET, SO_PRIORITY));
    printf(", TCP_NODELAY %d", option(b.server, IPPROTO_TCP, TCP_NODELAY));
    printf(", TCP_USER_TIMEOUT %d", option(b.server, IPPROTO_TCP, TCP_USER_TIMEOUT));
    printf(", TCP_KEEPIDLE %d", option(b.server, IPPROTO_TCP, TCP_KEEPIDLE));
    printf(", TTL %d\n", option(b.server, SOL_FAMILY, FAMILY_TTL));
    end(b);

    int fd = stream(SOCK_NONBLOCK);
    printf("connect: %s", said(call_connect(fd, far, 7)));
    struct pollfd entry = { .fd = fd, .events = POLLOUT };
    poll(&entry, 1, 5000);
    printf(", then %s", said(call_connect(fd, far, 7)));
    printf(", then %s", said(call_connect(fd, far, 7)));
    printf(", MTU %d", option(fd, SOL_FAMILY, FAMILY_MTU));
    close(fd);
    fd = socket(FAMILY, SOCK_STREAM, 262);
    if (fd < 0) /* a kernel without */
        fd = stream(0);
    printf(", MPTCP: %s", said(call_connect(fd, far, 7)));
    printf(" %d\n", echo(fd, "multipath"));
    close(fd);

    fd = stream(0);
    printf("bytes of an option: %s", said(setsockopt(fd, SOL_FAMILY, FAMILY_TOS, &(char){ 8 }, 1)));
    length = 1;
    printf(", %s", said(getsockopt(fd, SOL_FAMILY, FAMILY_TOS, buffer, &length)));
    printf(" %d %d", buffer[0], length);
    printf(", none: %s", said(setsockopt(fd, SOL_FAMILY, FAMILY_RECVTTL, buffer, 0)));
    printf(", IPv6: %s", said(set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1)));
    printf(", MSS: %s", said(set_option(fd, IPPROTO_TCP, TCP_MAXSEG, 500)));
    printf(" %s", said(option(fd, IPPROTO_TCP, TCP_MAXSEG)));
    printf(" %s", said(set_option(fd, IPPROTO_TCP, TCP_MAXSEG, 20)));
    call_connect(fd, far, 7);
    int mss = option(fd, IPPROTO_TCP, TCP_MAXSEG);
    printf(" %d\n", mss > 400 && mss <= 500);
    close(fd);
}

/* Options that are decided otherwise here, or whose value is the kernel's own business: docs/socket-options.md says why. */
static bool is_exempt(int level, int name, int type)
{
    static const int socket_options[] = {
        SO_SNDBUF, SO_RCVBUF, SO_SNDBUFFORCE, SO_RCVBUFFORCE, SO_PEERCRED, SO_BINDTODEVICE, SO_ATTACH_FILTER, SO_DETACH_FILTER, SO_PEERNAME, SO_PEERSEC,
        SO_ATTACH_BPF, SO_ATTACH_REUSEPORT_CBPF, SO_ATTACH_REUSEPORT_EBPF, SO_INCOMING_CPU, SO_MEMINFO, SO_COOKIE, 59, SO_ZEROCOPY, SO_TXTIME, SO_BINDTOIFINDEX, 71, 73, 74,
        SO_OOBINLINE, SO_RCVLOWAT, SO_PEEK_OFF, SO_BUSY_POLL, 69, 70, SO_LOCK_FILTER, SO_DETACH_REUSEPORT_BPF, SO_NO_CHECK, SO_PASSSEC, SO_PASSCRED,
    };
    static const int tcp_options[] = { TCP_CONGESTION, TCP_MD5SIG, TCP_REPAIR, TCP_REPAIR_QUEUE, TCP_QUEUE_SEQ, TCP_REPAIR_OPTIONS, TCP_TIMESTAMP, TCP_CC_INFO, TCP_MAXSEG,
        TCP_REPAIR_WINDOW, TCP_ULP, 32, TCP_FASTOPEN_KEY, 35, 37, TCP_INFO, TCP_WINDOW_CLAMP, TCP_FASTOPEN };
    static const int ip_options[] = { IP_OPTIONS, IP_RETOPTS, IP_TRANSPARENT, IP_IPSEC_POLICY, IP_XFRM_POLICY, IP_ROUTER_ALERT, IP_MTU };
    const int *list = level == SOL_SOCKET ? socket_options : level == IPPROTO_TCP ? tcp_options : ip_options;
    size_t count = level == SOL_SOCKET ? sizeof socket_options : level == IPPROTO_TCP ? sizeof tcp_options : sizeof ip_options;
    for (size_t i = 0; i < count / sizeof(int); i++)
        if (list[i] == name)
            return true;
    return type == SOCK_DGRAM && level == IPPROTO_IP && name >= 31;
}

static void every_option(void)
{
    static const struct { int level, last; const char *name; } levels[] = { { SOL_SOCKET, 74, "SOL_SOCKET" }, { IPPROTO_TCP, 36, "TCP" }, { IPPROTO_IP, 36, "IP" } };
    for (int type = SOCK_STREAM; type <= SOCK_DGRAM; type++)
        for (size_t i = 0; i < sizeof levels / sizeof *levels; i++)
            for (int name = 1; name <= levels[i].last; name++) {
                int value = -1;
                socklen_t length = sizeof value;
                int fd = socket(FAMILY, type, 0);
                if (!is_exempt(levels[i].level, name, type)) {
                    printf("%d %s %d: %s", type, levels[i].name, name, said(getsockopt(fd, levels[i].level, name, &value, &length)));
                    printf(" %d", value);
                    printf(", set %s", said(set_option(fd, levels[i].level, name, 1)));
                    value = -1, length = sizeof value;
                    printf(", then %s", said(getsockopt(fd, levels[i].level, name, &value, &length)));
                    printf(" %d\n", value);
                }
                close(fd);
            }
}

static bool has_waited(int fd, const char *address, int port, const char **result)
{
    struct itimerval soon = { .it_value.tv_usec = 300000 };
    struct timespec before, after;
    setitimer(ITIMER_REAL, &soon, NULL);
    clock_gettime(CLOCK_MONOTONIC, &before);
    *result = said(call_connect(fd, address, port));
    clock_gettime(CLOCK_MONOTONIC, &after);
    return (after.tv_sec - before.tv_sec) * 1000 + (after.tv_nsec - before.tv_nsec) / 1000000 >= 250;
}

/* connect() on a socket that is connecting. */
static void connecting(void)
{
    struct sigaction action = { .sa_handler = count_signal };
    struct timeval little = { .tv_usec = 300000 };
    const char *result;
    bool waited;
    int fd = stream(0);
    sigaction(SIGALRM, &action, NULL);
    for (int i = 0; i < 3; i++) {
        waited = has_waited(fd, i < 2 ? nowhere : far, 7, &result);
        printf("interrupted: %s %d\n", result, waited);
    }

    fcntl(fd, F_SETFL, O_NONBLOCK);
    printf("non-blocking: %s\n", said(call_connect(fd, nowhere, 7)));
    fcntl(fd, F_SETFL, 0);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &little, sizeof little);
    printf("with a time-out: %s\n", said(call_connect(fd, nowhere, 7)));
    little.tv_usec = 0;
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &little, sizeof little);
    printf("to the end: %s\n", said(call_connect(fd, nowhere, 7)));
    close(fd);

    fd = stream(SOCK_NONBLOCK);
    printf("begun: %s", said(call_connect(fd, far, 7)));
    fcntl(fd, F_SETFL, 0);
    printf(", waited for: %s", said(call_connect(fd, far, 7)));
    printf(", again: %s", said(call_connect(fd, far, 7)));
    printf(", SO_ERROR %d", option(fd, SOL_SOCKET, SO_ERROR));
    printf(", echo %d\n", echo(fd, "there"));
    close(fd);
    fd = stream(SOCK_NONBLOCK);
    printf("refused: %s", said(call_connect(fd, far, 4999)));
    fcntl(fd, F_SETFL, 0);
    printf(", waited for: %s", said(call_connect(fd, far, 4999)));
    printf(", SO_ERROR %d\n", option(fd, SOL_SOCKET, SO_ERROR));
    close(fd);
    alarm(120);
}

#ifndef OVER_IPV6 /* these requests are about IPv4 addresses */
static void tell_interface(const char *name)
{
    struct ifreq one = { 0 };
    char address[INET6_ADDRSTRLEN];
    int fd = socket(FAMILY, SOCK_DGRAM, 0);
    strncpy(one.ifr_name, name, IFNAMSIZ - 1);
    printf("%s: flags %s", name, said(ioctl(fd, SIOCGIFFLAGS, &one)));
    printf(" %x", one.ifr_flags & (IFF_UP | IFF_BROADCAST | IFF_LOOPBACK | IFF_RUNNING | IFF_POINTOPOINT));
    printf(", MTU %s", said(ioctl(fd, SIOCGIFMTU, &one)));
    printf(" %d", one.ifr_mtu);
    printf(", metric %s", said(ioctl(fd, SIOCGIFMETRIC, &one)));
    printf(", hardware %s", said(ioctl(fd, SIOCGIFHWADDR, &one)));
    printf(" %d", one.ifr_hwaddr.sa_family);
    printf(", mask %s", said(ioctl(fd, SIOCGIFNETMASK, &one)));
    printf(" %s", inet_ntop(FAMILY, &((struct sockaddr_ip *)&one.ifr_netmask)->ip_address, address, sizeof address));
    printf(", broadcast %s", said(ioctl(fd, SIOCGIFBRDADDR, &one)));
    printf(", address %s", said(ioctl(fd, SIOCGIFADDR, &one)));
    inet_ntop(FAMILY, &((struct sockaddr_ip *)&one.ifr_addr)->ip_address, address, sizeof address);
    printf(" %s", strcmp(address, own) == 0 ? "own" : address);
    printf(", bind %s", said(call_bind(fd, address, 0)));
    int index = ioctl(fd, SIOCGIFINDEX, &one) == 0 ? one.ifr_ifindex : -1;
    memset(one.ifr_name, 0, sizeof one.ifr_name);
    printf(", name %s", said(ioctl(fd, SIOCGIFNAME, &one)));
    printf(" %s %d", one.ifr_name, index == (int)if_nametoindex(name));
    printf(" %s\n", if_indextoname((unsigned)index, one.ifr_name));
    close(fd);
}

static void requests(void)
{
    struct ifconf all = { 0 };
    struct ifreq list[16];
    int fd = socket(FAMILY, SOCK_DGRAM, 0);
    printf("SIOCGIFCONF: %s", said(ioctl(fd, SIOCGIFCONF, &all)));
    printf(" %d", all.ifc_len);
    all = (struct ifconf){ .ifc_len = sizeof list, .ifc_req = list };
    printf(", %s", said(ioctl(fd, SIOCGIFCONF, &all)));
    printf(" %d\n", all.ifc_len);
    for (int i = 0; i < all.ifc_len / (int)sizeof *list; i++)
        tell_interface(list[i].ifr_name);

    struct ifreq none = { .ifr_name = "none0" };
    printf("none: %s", said(ioctl(fd, SIOCGIFADDR, &none)));
    printf(", %s", said(ioctl(fd, SIOCGIFMTU, &none)));
    printf(", %d", if_nametoindex("none0"));
    printf(" %s", said(-1));
    printf(", bad pointer %s\n", said(ioctl(fd, SIOCGIFCONF, NULL)));
    close(fd);
}
#else
static void requests(void)
{
}
#endif

static void interfaces(void)
{
    struct ifaddrs *addresses;
    requests();
    printf("getifaddrs: %s\n", said(getifaddrs(&addresses)));
    for (struct ifaddrs *each = addresses; each != NULL; each = each->ifa_next) {
        char address[INET6_ADDRSTRLEN] = "", mask[INET6_ADDRSTRLEN] = "";
        if (each->ifa_addr == NULL || each->ifa_addr->sa_family == (FAMILY == AF_INET ? AF_INET6 : AF_INET))
            continue;
        if (each->ifa_addr->sa_family == FAMILY) {
            inet_ntop(FAMILY, &((struct sockaddr_ip *)each->ifa_addr)->ip_address, address, sizeof address);
            if (strncmp(address, "fe80:", 5) == 0) /* each has its own */
                address[5] = 0;
            inet_ntop(FAMILY, &((struct sockaddr_ip *)each->ifa_netmask)->ip_address, mask, sizeof mask);
        }

        printf("%s %d %s %s, broadcast %d, data %d\n", each->ifa_name, each->ifa_addr->sa_family, strcmp(address, own) == 0 ? "own" : address, mask,
            each->ifa_broadaddr != NULL, each->ifa_data != NULL);
    }

    freeifaddrs(addresses);
    struct if_nameindex *names = if_nameindex();
    for (int i = 0; names[i].if_index != 0; i++)
        printf("%s %d\n", names[i].if_name, names[i].if_index == if_nametoindex(names[i].if_name));
    if_freenameindex(names);
}

int main(int count, char **arguments)
{
    static const struct part all[] = {
        { "ended", ended }, { "writers", writers }, { "stream calls", stream_calls }, { "every option", every_option }, { "connecting", connecting },
        { "interfaces", interfaces },
    };
    setvbuf(stdout, NULL, _IOLBF, 0);
    own = arguments[1], far = arguments[2], nowhere = arguments[3];
    alarm(120);
    return run_parts(all, sizeof all / sizeof *all, count > 4 ? arguments[4] : NULL);
}
