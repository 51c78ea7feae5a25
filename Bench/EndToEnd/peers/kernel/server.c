/* Echo on 7 (by UDP, too), discard on 9, source on 19, on kernel sockets: what the other stacks serve from within, served by a program of the kernel's. */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CHUNK = 128 << 10, ECHO = 7, DISCARD = 9, SOURCE = 19, UDP_ECHO = 1 << 16 };

static char buffer[CHUNK];
static int poller;

static void watch(int operation, int s, int port, uint32_t events)
{
    struct epoll_event event = { events, { .u64 = (uint64_t)port << 32 | (uint32_t)s } };
    epoll_ctl(poller, operation, s, &event);
}

static int bound(int family, int type, int port)
{
    /* The port is at the same place in both. */
    struct sockaddr_in6 any = { .sin6_family = family, .sin6_port = htons(port) };
    int one = 1, s = socket(family, type | SOCK_NONBLOCK, 0);
    setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(s, (struct sockaddr *)&any, family == AF_INET6 ? sizeof any : sizeof(struct sockaddr_in))) {
        perror("bind");
        exit(1);
    }
    return s;
}

static void listen_on(int family, int port)
{
    int s = bound(family, SOCK_STREAM, port);
    if (listen(s, 4096)) {
        perror("listen");
        exit(1);
    }
    watch(EPOLL_CTL_ADD, s, -port, EPOLLIN);
}

static void answer(int s)
{
    struct sockaddr_in6 from;
    socklen_t length = sizeof from;
    ssize_t count = recvfrom(s, buffer, CHUNK, 0, (struct sockaddr *)&from, &length);
    if (count >= 0)
        sendto(s, buffer, count, 0, (struct sockaddr *)&from, length);
}

static void accept_all(int listener, int port)
{
    int one = 1, s;
    while ((s = accept4(listener, 0, 0, SOCK_NONBLOCK)) >= 0) {
        setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        watch(EPOLL_CTL_ADD, s, port, port == SOURCE ? EPOLLIN | EPOLLOUT : EPOLLIN);
    }
}

/* An echo that does not fit waits for room: this server has no memory of its own for it. */
static int echo(int s)
{
    ssize_t count = read(s, buffer, CHUNK), done = 0;
    while (done < count) {
        ssize_t wrote = write(s, buffer + done, count - done);
        if (wrote < 0 && errno != EAGAIN)
            return 0;
        done += wrote > 0 ? wrote : 0;
    }
    return count > 0 || (count < 0 && errno == EAGAIN);
}

static int serve(int s, int port, uint32_t events)
{
    if (port == ECHO)
        return echo(s);
    if (port == SOURCE && (events & EPOLLOUT) && write(s, buffer, CHUNK) < 0 && errno != EAGAIN)
        return 0;
    if (events & ~EPOLLOUT) {
        ssize_t count = read(s, buffer, CHUNK);
        return count > 0 || (count < 0 && errno == EAGAIN);
    }
    return 1;
}

int main(int count, char **arguments)
{
    int family = count > 1 && atoi(arguments[1]) == 6 ? AF_INET6 : AF_INET;
    struct epoll_event events[256];
    struct rlimit files = { 65536, 65536 };
    signal(SIGPIPE, SIG_IGN);
    setrlimit(RLIMIT_NOFILE, &files);
    poller = epoll_create1(0);
    listen_on(family, ECHO);
    listen_on(family, DISCARD);
    listen_on(family, SOURCE);
    watch(EPOLL_CTL_ADD, bound(family, SOCK_DGRAM, ECHO), UDP_ECHO, EPOLLIN);
    for (;;) {
        int ready = epoll_wait(poller, events, 256, -1), i;
        for (i = 0; i < ready; i++) {
            int s = (int)(uint32_t)events[i].data.u64, port = (int)((int64_t)events[i].data.u64 >> 32);
            if (port < 0)
                accept_all(s, -port);
            else if (port == UDP_ECHO)
                answer(s);
            else if (!serve(s, port, events[i].events))
                close(s);
        }
    }
}
