/*
 * What a program sees of its sockets, as text: run on the kernel's sockets and on Tapwire's, it has to print the same.
 * Arguments: an address of the sockets' own, the address of a host with an echo service on port 7, an address that nobody has.
 */
#define _GNU_SOURCE
#include "tools.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static const char *own, *far, *nowhere, *self;

static int call_connect(int fd, const char *address, int port)
{
    struct sockaddr_ip to = at(address, port);
    return connect(fd, (struct sockaddr *)&to, sizeof to);
}

static int call_bind(int fd, const char *address, int port)
{
    struct sockaddr_ip to = at(address, port);
    return bind(fd, (struct sockaddr *)&to, sizeof to);
}

static int stream(int flags) { return socket(FAMILY, SOCK_STREAM | flags, 0); }

static int option(int fd, int level, int name)
{
    int value = -1;
    socklen_t length = sizeof value;
    int result = getsockopt(fd, level, name, &value, &length);
    return result == 0 ? value : result;
}

static int set_option(int fd, int level, int name, int value) { return setsockopt(fd, level, name, &value, sizeof value); }

static bool echo(int fd, const char *text)
{
    char answer[64];
    size_t length = strlen(text), got = 0;
    if (write(fd, text, length) != (ssize_t)length)
        return false;
    while (got < length) {
        ssize_t n = read(fd, answer + got, length - got);
        if (n <= 0)
            return false;
        got += n;
    }

    return memcmp(text, answer, length) == 0;
}

/* A listener on the own address, and two connected ends. */
struct both {
    int listener, client, server;
};

static struct both connected(void)
{
    struct both b = { .listener = stream(0), .client = stream(0) };
    if (call_bind(b.listener, own, 0) != 0 || listen(b.listener, 8) != 0 || call_connect(b.client, own, port_of(b.listener)) != 0)
        printf("no pair: %s\n", said(-1));
    b.server = accept(b.listener, NULL, NULL);
    return b;
}

static void end(struct both b)
{
    close(b.client);
    close(b.server);
    close(b.listener);
}

static int epoll_with(int fd, unsigned events)
{
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = { .events = events, .data.fd = fd };
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
    return epoll;
}

static const char *wait_for(int epoll, int milliseconds)
{
    static char text[64];
    struct epoll_event event;
    int n = epoll_wait(epoll, &event, 1, milliseconds);
    snprintf(text, sizeof text, "%s%s%s%s%s", n == 0 ? "nothing" : "", n > 0 && event.events & EPOLLIN ? "IN " : "", n > 0 && event.events & EPOLLOUT ? "OUT " : "",
        n > 0 && event.events & EPOLLERR ? "ERR " : "", n > 0 && event.events & EPOLLHUP ? "HUP" : "");
    return text;
}

static void blocking_connect(void)
{
    char name[64];
    struct sockaddr_ip peer;
    socklen_t length = sizeof peer;
    int fd = stream(0);
    printf("getpeername before: %s\n", said(getpeername(fd, (struct sockaddr *)&peer, &length)));
    printf("connect: %s\n", said(call_connect(fd, far, 7)));
    length = sizeof peer;
    int result = getpeername(fd, (struct sockaddr *)&peer, &length);
    printf("getpeername: %s %u %s port %d\n", said(result), length,
        strcmp(far, inet_ntop(FAMILY, &peer.ip_address, name, sizeof name)) == 0 ? "far" : name, ntohs(peer.ip_port));
    length = sizeof peer;
    result = getsockname(fd, (struct sockaddr *)&peer, &length);
    printf("getsockname: %s %u %s\n", said(result), length, strcmp(own, inet_ntop(FAMILY, &peer.ip_address, name, sizeof name)) == 0 ? "own" : name);
    printf("echo: %d\n", echo(fd, "hello"));
    printf("connect again: %s\n", said(call_connect(fd, far, 7)));
    close(fd);
    printf("closed: %s\n", said(getsockname(fd, (struct sockaddr *)&peer, &length)));
}

static void refused(void)
{
    int fd = stream(0);
    printf("connect: %s\n", said(call_connect(fd, far, 1)));
    printf("another port: %s", said(call_connect(fd, far, 7)));
    printf(", echo %d\n", echo(fd, "hello"));
    close(fd);
}

static void connect_without_waiting(void)
{
    int fd = stream(SOCK_NONBLOCK | SOCK_CLOEXEC), epoll = epoll_with(fd, EPOLLIN | EPOLLOUT | EPOLLET);
    epoll_wait(epoll, &(struct epoll_event){ 0 }, 1, 0); /* what an unconnected socket says is not the same everywhere */
    printf("connect: %s\n", said(call_connect(fd, far, 7)));
    printf("then: %s\n", wait_for(epoll, 10000));
    printf("SO_ERROR: %d\n", option(fd, SOL_SOCKET, SO_ERROR));
    int result = call_connect(fd, far, 7);
    printf("connect again: %s\n", result == 0 || errno == EISCONN ? "connected" : said(result));
    printf("read: %s\n", said(read(fd, &(char){ 0 }, 1)));
    printf("write: %s", said(write(fd, "x", 1)));
    int ready = poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, 10000);
    printf(", then %d: %s\n", ready, wait_for(epoll, 10000));
    close(epoll);
    close(fd);
}

static void refused_without_waiting(void)
{
    int fd = stream(SOCK_NONBLOCK), epoll = epoll_with(fd, EPOLLOUT | EPOLLET);
    epoll_wait(epoll, &(struct epoll_event){ 0 }, 1, 0);
    printf("connect: %s\n", said(call_connect(fd, far, 1)));
    const char *events = wait_for(epoll, 10000);
    printf("ERR %d, HUP %d\n", strstr(events, "ERR") != NULL, strstr(events, "HUP") != NULL);
    printf("SO_ERROR: %s", strerrorname_np(option(fd, SOL_SOCKET, SO_ERROR)));
    printf(", then %d\n", option(fd, SOL_SOCKET, SO_ERROR));
    close(epoll);
    close(fd);

    /* The second call tells what the first one could not know. */
    fd = stream(SOCK_NONBLOCK);
    printf("connect: %s", said(call_connect(fd, far, 1)));
    poll(&(struct pollfd){ .fd = fd, .events = POLLOUT }, 1, 10000);
    printf(", again: %s\n", said(call_connect(fd, far, 1)));
    close(fd);
}

static void connect_to_nobody(void)
{
    int fd = stream(SOCK_NONBLOCK);
    struct pollfd entry = { .fd = fd, .events = POLLOUT };
    printf("connect: %s\n", said(call_connect(fd, nowhere, 7)));
    printf("writable: %d\n", poll(&entry, 1, 300));
    printf("connect again: %s\n", said(call_connect(fd, nowhere, 7)));
    printf("getpeername: %s\n", said(getpeername(fd, (struct sockaddr *)&(struct sockaddr_ip){ 0 }, &(socklen_t){ sizeof(struct sockaddr_ip) })));
    printf("at last: %d", poll(&entry, 1, 20000));
    printf(", SO_ERROR %s\n", strerrorname_np(option(fd, SOL_SOCKET, SO_ERROR)));
    close(fd);
}

static void listen_and_accept(void)
{
    struct sockaddr_ip peer, name;
    socklen_t length = sizeof peer;
    int listener = stream(SOCK_NONBLOCK), client = stream(0), epoll = epoll_with(listener, EPOLLIN | EPOLLET);
    epoll_wait(epoll, &(struct epoll_event){ 0 }, 1, 0);
    set_option(listener, SOL_SOCKET, SO_REUSEADDR, 1);
    printf("accept before listen: %s\n", said(accept(listener, NULL, NULL)));
    printf("bind: %s", said(call_bind(listener, own, 0)));
    printf(", listen: %s", said(listen(listener, 4)));
    printf(", listens: %d\n", option(listener, SOL_SOCKET, SO_ACCEPTCONN));
    printf("accept: %s\n", said(accept(listener, NULL, NULL)));
    printf("connect: %s", said(call_connect(client, own, port_of(listener))));
    printf(", then %s\n", wait_for(epoll, 10000));
    int server = accept4(listener, (struct sockaddr *)&peer, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    printf("accepted: %d", server >= 0);
    printf(", address %u", length);
    printf(", nonblocking %d", (fcntl(server, F_GETFL) & O_NONBLOCK) != 0);
    printf(", cloexec %d\n", fcntl(server, F_GETFD));
    length = sizeof name;
    getsockname(client, (struct sockaddr *)&name, &length);
    printf("the peer's address is the client's: %d\n", peer.ip_port == name.ip_port && memcmp(&peer.ip_address, &name.ip_address, sizeof peer.ip_address) == 0);
    printf("bad flags: %s\n", said(accept4(listener, NULL, NULL, 1)));
    printf("connect a listener: %s\n", said(call_connect(listener, own, 1)));
    int port = port_of(listener), again = stream(0);
    close(server);
    close(client);
    close(epoll);
    close(listener);
    set_option(again, SOL_SOCKET, SO_REUSEADDR, 1);
    printf("the port again at once: %s", said(call_bind(again, own, port)));
    printf(", %s\n", said(listen(again, 1)));
    close(again);
}

static void half_close(void)
{
    char text[16] = "";
    struct both b = connected();
    printf("write: %s", said(write(b.client, "last words", 10)));
    printf(", shutdown: %s\n", said(shutdown(b.client, SHUT_WR)));
    ssize_t got = recv(b.server, text, 10, MSG_WAITALL);
    printf("read: %s", said(got));
    printf(" %s", text);
    printf(", then %s\n", said(read(b.server, text, 1)));
    printf("the other way: %s", said(write(b.server, "answer", 6)));
    printf(" %s\n", said(recv(b.client, text, 6, MSG_WAITALL)));
    signal(SIGPIPE, SIG_IGN);
    printf("write after shutdown: %s\n", said(write(b.client, "x", 1)));
    end(b);
}

static void reset(void)
{
    struct both b = connected();
    char text[4];
    struct linger linger = { .l_onoff = 1 };
    write(b.server, "abc", 3);
    recv(b.client, text, 3, MSG_PEEK | MSG_WAITALL);
    printf("linger: %s\n", said(setsockopt(b.server, SOL_SOCKET, SO_LINGER, &linger, sizeof linger)));
    close(b.server);
    struct pollfd entry = { .fd = b.client };
    poll(&entry, 1, 10000);
    printf("ERR %d, HUP %d\n", (entry.revents & POLLERR) != 0, (entry.revents & POLLHUP) != 0);
    if (read(b.client, text, 4) == 3) /* the kernel may throw away what was not read */
        errno = 0;
    printf("read: %s\n", said(errno == 0 ? read(b.client, text, 4) : -1));
    printf("then: %s\n", said(read(b.client, text, 4)));
    close(b.client);
    close(b.listener);
}

static int wait_status(pid_t child)
{
    int status = -1;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + status;
}

/* What a process says of a connection that it has been given: 0 if all is well. */
static int judge(int fd)
{
    struct sockaddr_ip peer;
    socklen_t length = sizeof peer;
    if (getpeername(fd, (struct sockaddr *)&peer, &length) != 0 || ntohs(peer.ip_port) != 7)
        return 1;
    if (option(fd, SOL_SOCKET, SO_TYPE) != SOCK_STREAM || set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1) != 0 || option(fd, IPPROTO_TCP, TCP_NODELAY) != 1)
        return 2;
    return echo(fd, "from another process") ? 0 : 3;
}

static void other_processes(void)
{
    char number[16];
    int fd = stream(0), pair[2];
    call_connect(fd, far, 7);
    pid_t child = fork();
    if (child == 0)
        _exit(judge(fd));
    printf("fork: %d\n", wait_status(child));

    snprintf(number, sizeof number, "%d", fd);
    char *arguments[] = { (char *)self, "judge", number, NULL };
    child = fork();
    if (child == 0) {
        execv("/proc/self/exe", arguments);
        _exit(9);
    }

    printf("exec: %d\n", wait_status(child));
    child = vfork();
    if (child == 0) {
        execv("/proc/self/exe", arguments);
        _exit(9);
    }

    printf("vfork: %d\n", wait_status(child));
    printf("posix_spawn: %d", posix_spawn(&child, "/proc/self/exe", NULL, NULL, arguments, environ));
    printf(" %d\n", wait_status(child));

    socketpair(AF_UNIX, SOCK_DGRAM, 0, pair);
    child = fork();
    if (child == 0) {
        union { struct cmsghdr header; char bytes[CMSG_SPACE(sizeof(int))]; } control;
        struct iovec vector = { .iov_base = number, .iov_len = 1 };
        struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control };
        close(fd);
        recvmsg(pair[1], &message, 0);
        memcpy(&fd, CMSG_DATA(&control.header), sizeof fd);
        _exit(judge(fd));
    }

    union { struct cmsghdr header; char bytes[CMSG_SPACE(sizeof(int))]; } control = { .header = { .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS } };
    struct iovec vector = { .iov_base = number, .iov_len = 1 };
    struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control };
    memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
    sendmsg(pair[0], &message, 0);
    printf("passed: %d\n", wait_status(child));
    close(pair[0]);
    close(pair[1]);

    int copy = dup(fd), high = fcntl(fd, F_DUPFD_CLOEXEC, 100), over = dup2(fd, 60);
    close(fd);
    printf("copies: %d", judge(copy));
    printf(" %d", judge(high));
    printf(" %d\n", judge(over));
    close(copy);
    close(high);
    close(over);
}

/* A child that has given up its user, as servers do. */
static void another_user(void)
{
    int fd = stream(0);
    call_connect(fd, far, 7);
    pid_t child = fork();
    if (child == 0) {
        if (setresgid(65534, 65534, 65534) != 0 || setresuid(65534, 65534, 65534) != 0)
            _exit(8);
        child = fork();
        _exit(child == 0 ? judge(fd) : judge(fd) * 10 + wait_status(child));
    }

    printf("in child and grandchild: %d\n", wait_status(child));
    close(fd);
}

static void datagrams(void)
{
    char text[64] = "", other[64] = "";
    int waiting = -1;
    struct sockaddr_ip from;
    socklen_t length = sizeof from;
    int a = socket(FAMILY, SOCK_DGRAM, 0), b = socket(FAMILY, SOCK_DGRAM, IPPROTO_UDP);
    printf("bind: %s", said(call_bind(a, own, 0)));
    printf(" %s\n", said(call_bind(b, own, 0)));
    struct sockaddr_ip to_a = at(own, port_of(a)), to_b = at(own, port_of(b));
    printf("nobody: %s\n", said(send(a, "x", 1, 0)));
    printf("sendto: %s", said(sendto(a, "one", 3, 0, (struct sockaddr *)&to_b, sizeof to_b)));
    printf(" %s", said(sendto(a, "", 0, 0, (struct sockaddr *)&to_b, sizeof to_b)));
    printf(" %s\n", said(sendto(a, "a longer one", 12, 0, (struct sockaddr *)&to_b, sizeof to_b)));
    printf("recvfrom: %s", said(recvfrom(b, text, sizeof text, 0, (struct sockaddr *)&from, &length)));
    printf(" %s, from a: %d %u\n", text, from.ip_port == to_a.ip_port, length);
    printf("empty: %s\n", said(recv(b, text, sizeof text, 0)));
    poll(&(struct pollfd){ .fd = b, .events = POLLIN }, 1, 1000);
    ioctl(b, FIONREAD, &waiting);
    struct iovec vector = { .iov_base = text, .iov_len = 8 };
    struct msghdr message = { .msg_name = &from, .msg_namelen = sizeof from, .msg_iov = &vector, .msg_iovlen = 1 };
    printf("waiting: %d, peek: %s", waiting, said(recv(b, text, sizeof text, MSG_PEEK)));
    printf(", cut: %s", said(recvmsg(b, &message, MSG_TRUNC)));
    printf(" %.8s, MSG_TRUNC %d, address %u\n", text, (message.msg_flags & MSG_TRUNC) != 0, message.msg_namelen);
    printf("none: %s\n", said(recv(b, text, sizeof text, MSG_DONTWAIT)));

    printf("connect: %s", said(connect(a, (struct sockaddr *)&to_b, sizeof to_b)));
    printf(" %s\n", said(connect(b, (struct sockaddr *)&to_a, sizeof to_a)));
    printf("write: %s", said(write(a, "by write", 8)));
    printf(", read: %s\n", said(read(b, text, sizeof text)));
    struct iovec parts[2] = { { .iov_base = "two ", .iov_len = 4 }, { .iov_base = "parts", .iov_len = 5 } };
    printf("writev: %s", said(writev(a, parts, 2)));
    parts[0].iov_base = text, parts[1].iov_base = other;
    printf(", readv: %s", said(readv(b, parts, 2)));
    printf(" %.4s|%.5s\n", text, other);
    struct mmsghdr batch[3] = { 0 };
    struct iovec each[3];
    for (int i = 0; i < 3; i++) {
        each[i] = (struct iovec){ .iov_base = text + 8 * i, .iov_len = 3 + i };
        batch[i].msg_hdr = (struct msghdr){ .msg_iov = &each[i], .msg_iovlen = 1 };
    }

    printf("sendmmsg: %s", said(sendmmsg(a, batch, 3, 0)));
    usleep(100000);
    for (int i = 0; i < 3; i++)
        each[i].iov_len = 8;
    printf(", recvmmsg: %s", said(recvmmsg(b, batch, 3, MSG_WAITFORONE, NULL)));
    printf(" %u %u %u\n", batch[0].msg_len, batch[1].msg_len, batch[2].msg_len);
    printf("too long: %s\n", said(send(a, calloc(1, 70000), 66000, 0)));
    pid_t child = vfork();
    if (child == 0) {
        close(a);
        close(b);
        _exit(0);
    }

    printf("vfork: %d", wait_status(child));
    printf(", write: %s", said(write(a, "still open", 10)));
    printf(", read: %s\n", said(read(b, text, sizeof text)));
    printf("shutdown: %s", said(shutdown(b, SHUT_RD)));
    printf(", listen: %s\n", said(listen(b, 1)));
    printf("read after it: %s\n", said(recv(b, text, sizeof text, MSG_DONTWAIT)));
    close(b);
    write(a, "x", 1);
    usleep(100000);
    printf("refused: %s\n", said(recv(a, text, sizeof text, 0)));
    close(a);
}

static void options(void)
{
    static const struct { const char *name; int level, option, value; } table[] = {
        { "SO_TYPE", SOL_SOCKET, SO_TYPE, -1 }, { "SO_DOMAIN", SOL_SOCKET, SO_DOMAIN, -1 }, { "SO_PROTOCOL", SOL_SOCKET, SO_PROTOCOL, -1 },
        { "SO_ACCEPTCONN", SOL_SOCKET, SO_ACCEPTCONN, -1 }, { "SO_REUSEADDR", SOL_SOCKET, SO_REUSEADDR, 1 }, { "SO_REUSEPORT", SOL_SOCKET, SO_REUSEPORT, 1 },
        { "SO_KEEPALIVE", SOL_SOCKET, SO_KEEPALIVE, 1 }, { "TCP_NODELAY", IPPROTO_TCP, TCP_NODELAY, 1 }, { "TCP_CORK", IPPROTO_TCP, TCP_CORK, 1 },
        { "TCP_KEEPIDLE", IPPROTO_TCP, TCP_KEEPIDLE, 77 }, { "TCP_KEEPINTVL", IPPROTO_TCP, TCP_KEEPINTVL, 7 }, { "TCP_KEEPCNT", IPPROTO_TCP, TCP_KEEPCNT, 3 },
        { "TCP_USER_TIMEOUT", IPPROTO_TCP, TCP_USER_TIMEOUT, 5000 }, { "TTL", SOL_FAMILY, FAMILY_TTL, 9 }, { "TOS", SOL_FAMILY, FAMILY_TOS, 16 },
        { "SO_OOBINLINE", SOL_SOCKET, SO_OOBINLINE, 1 }, { "SO_PRIORITY", SOL_SOCKET, SO_PRIORITY, 2 }, { "MTU_DISCOVER", SOL_FAMILY, FAMILY_MTU_DISCOVER, 2 },
        { "unknown", SOL_SOCKET, 9999, 1 }, { "unknown of TCP", IPPROTO_TCP, 9999, 1 },
    };
    int fd = stream(0);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        if (table[i].value >= 0)
            printf("%s: %s ", table[i].name, said(set_option(fd, table[i].level, table[i].option, table[i].value)));
        else
            printf("%s: ", table[i].name);
        printf("%s\n", said(option(fd, table[i].level, table[i].option)));
    }

    struct tcp_info info = { 0 };
    socklen_t length = sizeof info;
    call_connect(fd, far, 7);
    printf("buffers: %d", option(fd, SOL_SOCKET, SO_SNDBUF) > 4096);
    printf(" %d\n", option(fd, SOL_SOCKET, SO_RCVBUF) > 4096);
    printf("TCP_INFO: %s", said(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length)));
    printf(", state %d, rtt %d, mss %d\n", info.tcpi_state, info.tcpi_rtt > 0, info.tcpi_snd_mss > 500);
    printf("short value: %s\n", said(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, "", 1)));
    close(fd);
}

static void alarmed(int number) { (void)number; }

static void interrupted(void)
{
    struct itimerval soon = { .it_value.tv_usec = 100000 };
    struct sigaction action = { .sa_handler = alarmed };
    struct both b = connected();
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &soon, NULL);
    printf("read: %s\n", said(read(b.client, &(char){ 0 }, 1)));
    setitimer(ITIMER_REAL, &soon, NULL);
    printf("accept: %s\n", said(accept(b.listener, NULL, NULL)));
    int fd = stream(0);
    setitimer(ITIMER_REAL, &soon, NULL);
    printf("connect: %s\n", said(call_connect(fd, nowhere, 7)));
    close(fd);

    struct timeval little = { .tv_usec = 50000 };
    setsockopt(b.client, SOL_SOCKET, SO_RCVTIMEO, &little, sizeof little);
    setsockopt(b.listener, SOL_SOCKET, SO_RCVTIMEO, &little, sizeof little);
    printf("SO_RCVTIMEO: %s", said(read(b.client, &(char){ 0 }, 1)));
    printf(", accept %s\n", said(accept(b.listener, NULL, NULL)));
    fd = stream(0);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &little, sizeof little);
    printf("SO_SNDTIMEO: connect %s\n", said(call_connect(fd, nowhere, 7)));
    close(fd);
    end(b);
}

static void bindings(void)
{
    int a = stream(0), b = stream(0), c = socket(FAMILY, SOCK_DGRAM, 0);
    printf("foreign address: %s\n", said(call_bind(a, nowhere, 0)));
    printf("bind: %s", said(call_bind(a, own, 0)));
    printf(", again: %s\n", said(call_bind(a, own, 0)));
    listen(a, 1);
    printf("in use: %s\n", said(call_bind(b, own, port_of(a))));
    printf("the same of UDP: %s\n", said(call_bind(c, own, port_of(a))));
    printf("any: %s", said(call_bind(b, ANY, 0)));
    printf(", with a port: %d\n", port_of(b) > 0);
    printf("short: %s", said(bind(b, (struct sockaddr *)&(struct sockaddr_ip){ .ip_family = FAMILY }, 4)));
    printf(", no address: %s\n", said(connect(b, (struct sockaddr *)&(struct sockaddr_ip){ .ip_family = FAMILY }, 4)));
    printf("not connected: %s", said(shutdown(c, SHUT_RDWR)));
    printf(", accept: %s\n", said(accept(c, NULL, NULL)));
    close(a);
    close(b);
    close(c);
}

static void *connect_often(void *unused)
{
    long good = 0;
    (void)unused;
    for (int i = 0; i < 20; i++) {
        int fd = stream(0);
        good += fd >= 0 && call_connect(fd, far, 7) == 0 && echo(fd, "from a thread") && close(fd) == 0;
    }

    return (void *)good;
}

static void threads(void)
{
    pthread_t all[8];
    long good = 0;
    for (int i = 0; i < 8; i++)
        pthread_create(&all[i], NULL, connect_often, NULL);
    for (int i = 0; i < 8; i++) {
        void *result;
        pthread_join(all[i], &result);
        good += (long)result;
    }

    printf("echoes: %ld\n", good);
}

static void mapped(void)
{
    char name[64];
    struct sockaddr_in6 any = { .sin6_family = AF_INET6 }, peer;
    socklen_t length = sizeof peer;
    int listener = socket(AF_INET6, SOCK_STREAM, 0), client = stream(0), six = socket(AF_INET6, SOCK_STREAM, 0);
    printf("IPV6_V6ONLY: %s", said(set_option(listener, IPPROTO_IPV6, IPV6_V6ONLY, 0)));
    printf(" %d\n", option(listener, IPPROTO_IPV6, IPV6_V6ONLY));
    printf("bind: %s", said(bind(listener, (struct sockaddr *)&any, sizeof any)));
    printf(", listen: %s\n", said(listen(listener, 4)));
    int port = port_of(listener);
    printf("connect: %s", said(call_connect(client, own, port)));
    int server = accept(listener, (struct sockaddr *)&peer, &length);
    printf(", from %s %u\n", strstr(inet_ntop(AF_INET6, &peer.sin6_addr, name, sizeof name), own) != NULL ? "own" : name, length);
    struct sockaddr_in6 to = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
    snprintf(name, sizeof name, FAMILY == AF_INET ? "::ffff:%s" : "%s", own);
    inet_pton(AF_INET6, name, &to.sin6_addr);
    printf("mapped: %s", said(connect(six, (struct sockaddr *)&to, sizeof to)));
    length = sizeof peer;
    getpeername(six, (struct sockaddr *)&peer, &length);
    printf(", family %d, %u bytes, mapped %d\n", peer.sin6_family, length, IN6_IS_ADDR_V4MAPPED(&peer.sin6_addr));
    close(six);
    close(server);
    close(client);
    close(listener);
}

static void loopback(void)
{
    int listener = stream(0), client = stream(SOCK_NONBLOCK), one = 1;
    struct sockaddr_ip name;
    socklen_t length = sizeof name;
    char text[64];
    printf("bind: %s", said(call_bind(listener, LOOPBACK, 0)));
    printf(", listen: %s\n", said(listen(listener, 4)));
    setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    int epoll = epoll_with(client, EPOLLOUT | EPOLLET);
    epoll_wait(epoll, &(struct epoll_event){ 0 }, 1, 0);
    int result = call_connect(client, LOOPBACK, port_of(listener));
    printf("connect: %s", result == 0 || errno == EINPROGRESS ? "begun" : said(result));
    printf(", then %s\n", wait_for(epoll, 10000));
    printf("SO_ERROR: %d", option(client, SOL_SOCKET, SO_ERROR));
    printf(", TCP_NODELAY: %d", option(client, IPPROTO_TCP, TCP_NODELAY));
    printf(", nonblocking: %d\n", (fcntl(client, F_GETFL) & O_NONBLOCK) != 0);
    getpeername(client, (struct sockaddr *)&name, &length);
    printf("peer: %s\n", inet_ntop(FAMILY, &name.ip_address, text, sizeof text));
    int server = accept(listener, NULL, NULL), a = socket(FAMILY, SOCK_DGRAM, 0), b = socket(FAMILY, SOCK_DGRAM, 0);
    printf("UDP: %s", said(call_bind(a, LOOPBACK, 0)));
    struct sockaddr_ip to = at(LOOPBACK, port_of(a));
    printf(" %s", said(sendto(b, "local", 5, 0, (struct sockaddr *)&to, sizeof to)));
    printf(" %s\n", said(recv(a, &name, sizeof name, 0)));
    close(a);
    close(b);
    close(server);
    close(client);
    close(listener);
    close(epoll);
}

static void moving_data(void)
{
    enum { size = 3 << 20 };
    char *sent = malloc(size), *got = malloc(size);
    struct both b = connected();
    int file = memfd_create("file", 0), pipes[2];
    for (int i = 0; i < size; i++)
        sent[i] = (char)(i * 31 + i / 251);
    write(file, sent, size);
    pid_t child = fork();
    if (child == 0) {
        off_t offset = 0;
        while (offset < size / 2 && sendfile(b.client, file, &offset, size / 2 - offset) > 0)
            ;
        pipe(pipes);
        loff_t from = size / 2;
        while (from < size) {
            ssize_t n = splice(file, &from, pipes[1], NULL, 65536, 0);
            while (n > 0)
                n -= splice(pipes[0], NULL, b.client, NULL, n, 0);
        }

        shutdown(b.client, SHUT_WR);
        _exit(0);
    }

    ssize_t all = recv(b.server, got, size, MSG_WAITALL);
    printf("sendfile and splice: %s", said(all));
    printf(", the same: %d", memcmp(sent, got, size) == 0);
    printf(", exit %d\n", wait_status(child));
    printf("then: %s\n", said(read(b.server, got, 1)));
    int waiting = 0;
    write(b.server, "12345", 5);
    poll(&(struct pollfd){ .fd = b.client, .events = POLLIN }, 1, 1000);
    ioctl(b.client, FIONREAD, &waiting);
    printf("FIONREAD: %d\n", waiting);
    int on = 1;
    printf("FIONBIO: %s", said(ioctl(b.client, FIONBIO, &on)));
    read(b.client, got, 5);
    printf(", read: %s\n", said(read(b.client, got, 5)));
    end(b);
    close(file);
    free(sent);
    free(got);
}

/* Memory that is not there, and the last bytes of a page before it. */
static char *edge(size_t bytes)
{
    static char *pages;
    if (pages == NULL) {
        pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        munmap(pages + 4096, 4096);
        mmap(pages + 4096, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    }

    return pages + 4096 - bytes;
}

#define BAD ((void *)edge(0))

/* Two datagram sockets that are connected to each other. */
static void datagram_pair(int pair[2])
{
    for (int i = 0; i < 2; i++) {
        pair[i] = socket(FAMILY, SOCK_DGRAM, 0);
        call_bind(pair[i], own, 0);
    }

    call_connect(pair[0], own, port_of(pair[1]));
    call_connect(pair[1], own, port_of(pair[0]));
}

static void wait_until_readable(int fd) { poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, 1000); }

/* Throws away what has come, and what may still come. */
static void drain(int fd)
{
    static char rest[65536];
    while (poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, 50) > 0 && recv(fd, rest, sizeof rest, MSG_DONTWAIT) >= 0)
        ;
}

static void many_vectors(void)
{
    static const int counts[] = { 1, 62, 63, 64, 65, 512, 1023, 1024, 1025, 5000 };
    static char bytes[8192], got[8192];
    static struct iovec out[5000], in[5000];
    int pair[2];
    datagram_pair(pair);
    for (int i = 0; i < 8192; i++)
        bytes[i] = (char)(i * 7);
    for (int i = 0; i < 5000; i++) {
        out[i] = (struct iovec){ .iov_base = bytes + i, .iov_len = 1 };
        in[i] = (struct iovec){ .iov_base = got + i, .iov_len = 1 };
    }

    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        struct msghdr message = { .msg_iov = out, .msg_iovlen = counts[i] }, answer = { .msg_iov = in, .msg_iovlen = counts[i] };
        printf("%d: sendmsg %s", counts[i], said(sendmsg(pair[0], &message, 0)));
        printf(", writev %s", said(writev(pair[0], out, counts[i])));
        int there = counts[i] <= 1024;
        if (!there) /* for the calls that refuse the count whether or not something is there */
            send(pair[0], "x", 1, 0);
        memset(got, 0, sizeof got);
        wait_until_readable(pair[1]);
        printf(", recvmsg %s", said(recvmsg(pair[1], &answer, MSG_DONTWAIT)));
        printf(" flags %x same %d", answer.msg_flags, memcmp(bytes, got, there ? counts[i] : 0) == 0);
        memset(got, 0, sizeof got);
        wait_until_readable(pair[1]);
        printf(", readv %s", said(readv(pair[1], in, counts[i])));
        printf(" same %d\n", memcmp(bytes, got, there ? counts[i] : 0) == 0);
        drain(pair[1]);
    }

    for (int i = 0; i < 1024; i++)
        out[i] = (struct iovec){ .iov_base = bytes + i % 1000, .iov_len = 64 };
    struct msghdr message = { .msg_iov = out, .msg_iovlen = 1024 };
    printf("65536 bytes: %s", said(sendmsg(pair[0], &message, 0)));
    out[1023].iov_len = 35;
    printf(", 65507: %s", said(sendmsg(pair[0], &message, 0)));
    struct msghdr part = { .msg_iov = in, .msg_iovlen = 100 };
    printf(", the first hundred: %s", said(recvmsg(pair[1], &part, MSG_TRUNC)));
    printf(" flags %x same %d\n", part.msg_flags, memcmp(got, bytes, 64) == 0 && memcmp(got + 64, bytes + 1, 36) == 0);

    /* The last vector is where nothing is. */
    for (int i = 0; i < 100; i++)
        out[i] = (struct iovec){ .iov_base = i == 99 ? BAD : bytes, .iov_len = 1 };
    message.msg_iovlen = 100;
    printf("bad last: sendmsg %s", said(sendmsg(pair[0], &message, 0)));
    send(pair[0], bytes, 100, 0);
    memcpy(in, out, 100 * sizeof *in);
    printf(", recvmsg %s", said(recvmsg(pair[1], &part, 0)));
    printf(", then %s\n", said(recv(pair[1], got, sizeof got, MSG_DONTWAIT)));
    close(pair[0]);
    close(pair[1]);
}

static void malformed_messages(void)
{
    char text[64] = "text";
    int pair[2];
    datagram_pair(pair);
    struct sockaddr_ip to = at(own, port_of(pair[1])), nowhere_at_all = at(own, 0);
    struct iovec vector = { .iov_base = text, .iov_len = 4 }, negative = { .iov_base = text, .iov_len = -1 }, bad = { .iov_base = BAD, .iov_len = 4 };
    struct both b = connected();
    for (int i = 0; i < 2; i++) {
        int fd = i == 0 ? pair[0] : b.client, other = i == 0 ? pair[1] : b.server;
        printf("%s\n", i == 0 ? "UDP" : "TCP");
        struct msghdr message = { .msg_iov = &vector, .msg_iovlen = -1 };
        printf("msg_iovlen -1: sendmsg %s", said(sendmsg(fd, &message, 0)));
        printf(", recvmsg %s\n", said(recvmsg(fd, &message, MSG_DONTWAIT)));
        message = (struct msghdr){ .msg_iov = &negative, .msg_iovlen = 1 };
        printf("iov_len -1: sendmsg %s", said(sendmsg(fd, &message, 0)));
        printf(", writev %s", said(writev(fd, &negative, 1)));
        printf(", recvmsg %s", said(recvmsg(fd, &message, MSG_DONTWAIT)));
        printf(", readv %s\n", said(readv(fd, &negative, 1)));
        message = (struct msghdr){ .msg_iov = BAD, .msg_iovlen = 1 };
        printf("bad vectors: sendmsg %s", said(sendmsg(fd, &message, 0)));
        printf(", writev %s", said(writev(fd, BAD, 1)));
        printf(", recvmsg %s", said(recvmsg(fd, &message, MSG_DONTWAIT)));
        printf(", readv %s\n", said(readv(fd, BAD, 1)));
        message = (struct msghdr){ .msg_iov = &bad, .msg_iovlen = 1 };
        printf("bad bytes: sendmsg %s", said(sendmsg(fd, &message, 0)));
        printf(", send %s", said(send(fd, BAD, 4, 0)));
        printf(", write %s", said(write(fd, BAD, 4)));
        printf(", sendto %s", said(sendto(fd, BAD, 4, 0, (struct sockaddr *)&to, sizeof to)));
        send(other, text, 4, 0);
        wait_until_readable(fd);
        printf(", recvmsg %s", said(recvmsg(fd, &message, 0)));
        recv(fd, text, 4, MSG_DONTWAIT);
        send(other, text, 4, 0);
        wait_until_readable(fd);
        printf(", recv %s", said(recv(fd, BAD, 4, 0)));
        recv(fd, text, 4, MSG_DONTWAIT);
        send(other, text, 4, 0);
        wait_until_readable(fd);
        printf(", read %s\n", said(read(fd, BAD, 4)));
        recv(fd, text, 4, MSG_DONTWAIT);
        printf("no message: sendmsg %s", said(sendmsg(fd, NULL, 0)));
        printf(", bad %s", said(sendmsg(fd, BAD, 0)));
        printf(", its first half %s", said(sendmsg(fd, (struct msghdr *)edge(24), 0)));
        printf(", recvmsg %s", said(recvmsg(fd, NULL, MSG_DONTWAIT)));
        printf(", bad %s\n", said(recvmsg(fd, BAD, MSG_DONTWAIT)));
        message = (struct msghdr){ .msg_iov = &vector, .msg_iovlen = 1, .msg_name = &to, .msg_namelen = -1 };
        printf("msg_namelen -1: sendmsg %s", said(sendmsg(fd, &message, 0)));
        message.msg_namelen = -1;
        printf(", recvmsg %s\n", said(recvmsg(fd, &message, MSG_DONTWAIT)));
        printf("count: writev -1 %s", said(writev(fd, &vector, -1)));
        printf(", readv -1 %s", said(readv(fd, &vector, -1)));
        printf(", writev 0 %s", said(writev(fd, &vector, 0)));
        printf(", readv 0 %s", said(readv(fd, &vector, 0)));
        printf(", read of nothing %s\n", said(read(fd, text, 0)));
        printf("sendmmsg: none %s", said(sendmmsg(fd, NULL, 0, 0)));
        printf(", bad %s", said(sendmmsg(fd, BAD, 1, 0)));
        printf(", recvmmsg: none %s", said(recvmmsg(fd, NULL, 0, MSG_DONTWAIT, NULL)));
        printf(", bad %s", said(recvmmsg(fd, BAD, 1, MSG_DONTWAIT, NULL)));
        printf(", time-out -1 %s\n", said(recvmmsg(fd, NULL, 0, MSG_DONTWAIT, &(struct timespec){ .tv_sec = -1 })));
        struct cmsghdr control = { .cmsg_len = 3, .cmsg_level = SOL_SOCKET, .cmsg_type = 9999 };
        message = (struct msghdr){ .msg_iov = &vector, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control };
        printf("cmsg_len 3: %s", said(sendmsg(fd, &message, 0)));
        control.cmsg_len = 1000;
        printf(", 1000: %s", said(sendmsg(fd, &message, 0)));
        control.cmsg_len = -1;
        printf(", -1: %s", said(sendmsg(fd, &message, 0)));
        message.msg_controllen = -1;
        printf(", msg_controllen -1: %s", said(sendmsg(fd, &message, 0)));
        message.msg_controllen = 64, message.msg_control = BAD;
        printf(", bad: %s\n", said(sendmsg(fd, &message, 0)));
        drain(other);
    }

    struct mmsghdr *all = calloc(2000, sizeof *all);
    for (int i = 0; i < 2000; i++)
        all[i].msg_hdr = (struct msghdr){ .msg_iov = &vector, .msg_iovlen = 1 };
    printf("sendmmsg of 2000: %s\n", said(sendmmsg(pair[0], all, 2000, 0)));
    free(all);
    end(b);
    printf("sendto: length 0 %s", said(sendto(pair[0], text, 4, 0, (struct sockaddr *)&to, 0)));
    printf(", 4 %s", said(sendto(pair[0], text, 4, 0, (struct sockaddr *)&to, 4)));
    printf(", -1 %s", said(sendto(pair[0], text, 4, 0, (struct sockaddr *)&to, -1)));
    printf(", 129 %s", said(sendto(pair[0], text, 4, 0, (struct sockaddr *)edge(16), 129)));
    printf(", bad address %s", said(sendto(pair[0], text, 4, 0, BAD, sizeof to)));
    printf(", port 0 %s", said(sendto(pair[0], text, 4, 0, (struct sockaddr *)&nowhere_at_all, sizeof to)));
    printf(", MSG_OOB %s\n", said(sendto(pair[0], text, 4, MSG_OOB, (struct sockaddr *)&to, sizeof to)));
    drain(pair[1]);
    socklen_t lengths[] = { 0, 4, 16, 100, -1 };
    for (int i = 0; i < 6; i++) {
        struct sockaddr_ip from;
        send(pair[0], text, 4, 0);
        socklen_t length = i < 5 ? lengths[i] : sizeof from;
        memset(&from, 0x55, sizeof from);
        printf("recvfrom, room %d: %s", (int)length, said(recvfrom(pair[1], text, 4, 0, i < 5 ? (struct sockaddr *)&from : BAD, &length)));
        printf(" length %d family %x\n", (int)length, from.ip_family);
    }

    send(pair[0], text, 4, 0);
    printf("recvfrom, no length: %s", said(recvfrom(pair[1], text, 4, 0, (struct sockaddr *)&to, NULL)));
    send(pair[0], text, 4, 0);
    printf(", no address: %s\n", said(recvfrom(pair[1], text, 4, 0, NULL, BAD)));
    send(pair[0], text, 4, 0);
    poll(&(struct pollfd){ .fd = pair[1], .events = POLLIN }, 1, 1000);
    printf("FIONREAD: %s\n", said(ioctl(pair[1], FIONREAD, BAD)));
    printf("more than there can be: recv %s", said(recv(pair[1], edge(64), 0x7ffffffffffffff0, MSG_DONTWAIT)));
    printf(", send %s\n", said(send(pair[0], edge(64), 0x7ffffffffffffff0, 0)));
    close(pair[0]);
    close(pair[1]);
}

static void lengths_and_pointers(void)
{
    static const struct { const char *name; int level, option; } table[] = {
        { "SO_KEEPALIVE", SOL_SOCKET, SO_KEEPALIVE }, { "SO_REUSEADDR", SOL_SOCKET, SO_REUSEADDR }, { "TCP_NODELAY", IPPROTO_TCP, TCP_NODELAY },
        { "TCP_KEEPIDLE", IPPROTO_TCP, TCP_KEEPIDLE }, { "SO_LINGER", SOL_SOCKET, SO_LINGER }, { "SO_PRIORITY", SOL_SOCKET, SO_PRIORITY },
    };
    static char value[1000];
    struct sockaddr_storage name;
    socklen_t length;
    int fd = stream(0), udp = socket(FAMILY, SOCK_DGRAM, 0);
    value[0] = 1;
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        int level = table[i].level, option = table[i].option;
        printf("%s: set -1 %s", table[i].name, said(setsockopt(fd, level, option, value, -1)));
        printf(", INT_MIN %s", said(setsockopt(fd, level, option, value, 0x80000000u)));
        printf(", 0 %s", said(setsockopt(fd, level, option, value, 0)));
        printf(", 3 %s", said(setsockopt(fd, level, option, value, 3)));
        printf(", 8 %s", said(setsockopt(fd, level, option, value, 8)));
        printf(", 600 %s", said(setsockopt(fd, level, option, value, 600)));
        memset(edge(8), 0, 8);
        printf(", huge at the end of memory %s", said(setsockopt(fd, level, option, edge(8), 0x7fffffff)));
        printf(", bad %s", said(setsockopt(fd, level, option, BAD, 8)));
        printf(", NULL %s\n", said(setsockopt(fd, level, option, NULL, 8)));
        static const socklen_t rooms[] = { 0, 2, 4, 8, 600 };
        for (size_t j = 0; j < sizeof rooms / sizeof *rooms; j++) {
            memset(value, 0x55, sizeof value);
            length = rooms[j];
            printf("  get %u %s", length, said(getsockopt(fd, level, option, value, &length)));
            printf(" length %u bytes %02x%02x%02x%02x%02x;", length, value[0] & 255, value[1] & 255, value[2] & 255, value[3] & 255, value[8] & 255);
        }

        length = -1;
        printf("  get -1 %s", said(getsockopt(fd, level, option, value, &length)));
        length = 8;
        printf(", bad value %s", said(getsockopt(fd, level, option, BAD, &length)));
        printf(", bad length %s", said(getsockopt(fd, level, option, value, BAD)));
        printf(", no length %s\n", said(getsockopt(fd, level, option, value, NULL)));
        memset(value, 0, sizeof value);
        value[0] = 1;
    }

    printf("unknown: -1 %s", said(setsockopt(fd, SOL_SOCKET, 9999, value, -1)));
    printf(", 600 %s\n", said(setsockopt(fd, SOL_SOCKET, 9999, value, 600)));
    length = 0;
    printf("SO_ERROR: 0 %s", said(getsockopt(fd, SOL_SOCKET, SO_ERROR, value, &length)));
    length = 2;
    printf(", 2 %s", said(getsockopt(fd, SOL_SOCKET, SO_ERROR, value, &length)));
    printf(" %u", length);
    length = -1;
    printf(", -1 %s\n", said(getsockopt(fd, SOL_SOCKET, SO_ERROR, value, &length)));

    struct sockaddr_ip to = at(own, 0);
    for (int i = 0; i < 2; i++) {
        int s = i == 0 ? fd : udp;
        printf("bind: -1 %s", said(bind(s, (struct sockaddr *)&to, -1)));
        printf(", 0 %s", said(bind(s, (struct sockaddr *)&to, 0)));
        printf(", 129 %s", said(bind(s, (struct sockaddr *)&name, 129)));
        printf(", bad %s", said(bind(s, BAD, sizeof to)));
        printf(", NULL %s", said(bind(s, NULL, sizeof to)));
        printf(", half %s", said(bind(s, (struct sockaddr *)edge(8), sizeof to)));
        memset(&name, 0, sizeof name);
        memcpy(&name, &to, sizeof to);
        printf(", longer %s\n", said(bind(s, (struct sockaddr *)&name, sizeof name)));
        printf("connect: -1 %s", said(connect(s, (struct sockaddr *)&to, -1)));
        printf(", 0 %s", said(connect(s, (struct sockaddr *)&to, 0)));
        printf(", 129 %s", said(connect(s, (struct sockaddr *)&name, 129)));
        printf(", bad %s", said(connect(s, BAD, sizeof to)));
        printf(", NULL %s\n", said(connect(s, NULL, sizeof to)));
        printf("getpeername: -1 %s", said(getpeername(s, (struct sockaddr *)&name, &(socklen_t){ -1 })));
        printf(", getsockname: -1 %s", said(getsockname(s, (struct sockaddr *)&name, &(socklen_t){ -1 })));
        length = 0;
        printf(", 0 %s", said(getsockname(s, NULL, &length)));
        printf(" %u", length);
        length = 4;
        printf(", 4 %s", said(getsockname(s, (struct sockaddr *)&name, &length)));
        printf(" %u", length);
        length = sizeof name;
        printf(", bad name %s", said(getsockname(s, BAD, &length)));
        printf(", NULL %s", said(getsockname(s, NULL, &length)));
        printf(", bad length %s", said(getsockname(s, (struct sockaddr *)&name, BAD)));
        printf(", no length %s\n", said(getsockname(s, (struct sockaddr *)&name, NULL)));
    }

    printf("listen: -1 %s\n", said(listen(fd, -1)));
    static const char *const kinds[] = { "length -1", "no length", "bad name", "name without room", "no name, bad length" };
    for (int i = 0; i < 5; i++) {
        int client = stream(0), server = -1;
        socklen_t room = i == 0 ? -1 : i == 3 ? 0 : sizeof name;
        call_connect(client, own, port_of(fd));
        server = accept(fd, i == 2 ? BAD : i == 4 ? NULL : (struct sockaddr *)&name, i == 1 ? NULL : i == 4 ? BAD : &room);
        printf("accept, %s: %s", kinds[i], server >= 0 ? "accepted" : said(server));
        printf(", room %d, ", i == 2 ? 0 : (int)room); /* kernels differ in what they write first */
        fcntl(fd, F_SETFL, O_NONBLOCK);
        printf("then %s\n", said(accept(fd, NULL, NULL)));
        fcntl(fd, F_SETFL, 0);
        if (server >= 0)
            close(server);
        close(client);
    }

    printf("type with other bits: %s\n", said(socket(FAMILY, SOCK_STREAM | 0x10000000, 0)));
    close(fd);
    close(udp);
}

/* Descriptors that libc closes without a word to anybody: what has their number next is what it is. */
static void closed_behind(void)
{
    char text[64] = "";
    int udp = socket(FAMILY, SOCK_DGRAM, 0), tcp = stream(0), waiting = 0;
    call_bind(udp, own, 0);
    fclose(fdopen(udp, "r+"));
    printf("closed: %s", said(getsockname(udp, (struct sockaddr *)&(struct sockaddr_ip){ 0 }, &(socklen_t){ 16 })));
    printf(" %s", said(send(udp, "x", 1, 0)));
    printf(" %s", said(read(udp, text, 1)));
    printf(" %s\n", said(setsockopt(udp, SOL_SOCKET, SO_KEEPALIVE, &(int){ 1 }, 4)));
    int file = memfd_create("file", 0);
    printf("the same number: %d, write %s", file == udp, said(write(file, "0123456789", 10)));
    lseek(file, 0, SEEK_SET);
    struct iovec vector = { .iov_base = text, .iov_len = 4 };
    printf(", readv %s", said(readv(file, &vector, 1)));
    printf(", read %s", said(read(file, text + 4, 60)));
    printf(" %s", text);
    printf(", recv %s", said(recv(file, text, 1, 0)));
    printf(", getsockopt %s", said(option(file, SOL_SOCKET, SO_ERROR)));
    printf(", connect %s\n", said(call_connect(file, far, 7)));
    close(file);

    udp = socket(FAMILY, SOCK_DGRAM, 0);
    call_connect(udp, far, 7);
    fclose(fdopen(udp, "r+"));
    int pipes[2];
    pipe(pipes);
    printf("a pipe: %d, write %s", pipes[0] == udp || pipes[1] == udp, said(write(pipes[1], "abc", 3)));
    ioctl(pipes[0], FIONREAD, &waiting);
    printf(", FIONREAD %d, read %s\n", waiting, said(read(pipes[0], text, 64)));
    close(pipes[0]);
    close(pipes[1]);

    fclose(fdopen(tcp, "r+"));
    int again = open("/dev/null", O_RDWR);
    printf("a stream's: %d, connect %s", again == tcp, said(call_connect(again, far, 7)));
    printf(", listen %s", said(listen(again, 1)));
    printf(", getpeername %s\n", said(getpeername(again, (struct sockaddr *)&(struct sockaddr_ip){ 0 }, &(socklen_t){ 16 })));
    close(again);

    int a = socket(FAMILY, SOCK_DGRAM, 0), other = open("/dev/zero", O_RDONLY);
    dup2(other, a);
    printf("dup2 over it: read %s\n", said(read(a, text, 8)));
    close(a);
    close(other);
    a = socket(FAMILY, SOCK_DGRAM, 0);
    close_range(a, a, 0);
    other = open("/dev/zero", O_RDONLY);
    printf("close_range: %d, read %s\n", a == other, said(read(other, text, 8)));
    close(other);

    /* In a child that posix_spawn makes, numbers are closed and taken; here they stay what they are. */
    pid_t child;
    posix_spawn_file_actions_t actions;
    datagram_pair(pipes);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addclose(&actions, pipes[0]);
    posix_spawn_file_actions_addopen(&actions, pipes[1], "/dev/null", O_RDWR, 0);
    char *arguments[] = { "true", NULL };
    printf("posix_spawn: %d", posix_spawn(&child, "/bin/true", &actions, NULL, arguments, environ));
    printf(" %d", wait_status(child));
    printf(", write %s", said(write(pipes[0], "x", 1)));
    printf(", read %s\n", said(read(pipes[1], text, 8)));
    close(pipes[0]);
    close(pipes[1]);
}

static void *fork_often(void *unused)
{
    long good = 0;
    (void)unused;
    for (int i = 0; i < 15; i++) {
        int fd = stream(0);
        call_connect(fd, far, 7);
        pid_t child = fork();
        if (child == 0)
            _exit(judge(fd));
        good += wait_status(child) == 0;
        close(fd);
    }

    return (void *)good;
}

/* Threads that fork at once; as another user with root's driver, too, whose children get their connections from them. */
static long forks_of_threads(void)
{
    pthread_t all[4];
    long good = 0;
    for (int i = 0; i < 4; i++)
        pthread_create(&all[i], NULL, fork_often, NULL);
    for (int i = 0; i < 4; i++) {
        void *result;
        pthread_join(all[i], &result);
        good += (long)result;
    }

    return good;
}

static void forking_threads(void)
{
    printf("root: %ld\n", forks_of_threads());
    pid_t child = fork();
    if (child == 0) {
        if (setresgid(65534, 65534, 65534) != 0 || setresuid(65534, 65534, 65534) != 0)
            _exit(255);
        _exit((int)forks_of_threads());
    }

    printf("another user: %d\n", wait_status(child));
}

int main(int count, char **arguments)
{
    static const struct part all[] = {
        { "blocking connect", blocking_connect }, { "refused", refused }, { "connect without waiting", connect_without_waiting },
        { "refused without waiting", refused_without_waiting }, { "connect to nobody", connect_to_nobody }, { "listen and accept", listen_and_accept },
        { "half-close", half_close }, { "reset", reset }, { "other processes", other_processes }, { "another user", another_user }, { "datagrams", datagrams },
        { "options", options }, { "interrupted", interrupted }, { "bindings", bindings }, { "threads", threads }, { "mapped", mapped },
        { "loopback", loopback }, { "moving data", moving_data },
        { "many vectors", many_vectors }, { "malformed messages", malformed_messages }, { "lengths and pointers", lengths_and_pointers },
        { "closed behind", closed_behind }, { "forking threads", forking_threads },
    };
    self = arguments[0];
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (count == 3)
        return judge(atoi(arguments[2]));
    own = arguments[1], far = arguments[2], nowhere = arguments[3];
    alarm(120);
    return run_parts(all, sizeof all / sizeof *all, count > 4 ? arguments[4] : NULL);
}
