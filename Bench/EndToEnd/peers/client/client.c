/* The client of every measurement: ordinary kernel sockets. One line of "name=value" pairs on standard output, or one of error on standard error. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CHUNK = 128 << 10, MOST_SAMPLES = 1 << 20, MOST_CONNECTIONS = 10000 };

/* Of either family: the port is at the same place in both. */
static struct sockaddr_in6 target;
static socklen_t target_length;
static double seconds;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

static void fail(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    exit(1);
}

static int open_socket(int type)
{
    int one = 1, s = socket(target.sin6_family, type, 0);
    if (s < 0)
        fail("socket");
    if (!(type & SOCK_DGRAM) && setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one))
        fail("TCP_NODELAY");
    return s;
}

static int connect_by(int type, int port)
{
    struct sockaddr_in6 address = target;
    struct timeval patience = { 20, 0 };
    int s = open_socket(type);
    address.sin6_port = htons(port);
    if (connect(s, (struct sockaddr *)&address, target_length))
        fail("connect");
    setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    return s;
}

static int connect_to(int port)
{
    return connect_by(SOCK_STREAM, port);
}

/* What is left unsent or unread is dropped with a reset, so that the next measurement has the path to itself. */
static void abort_connection(int s)
{
    struct linger none = { 1, 0 };
    setsockopt(s, SOL_SOCKET, SO_LINGER, &none, sizeof none);
    close(s);
}

struct flow { int port; uint64_t bytes; double time; };

static void *receive(void *argument)
{
    struct flow *flow = argument;
    char *buffer = malloc(CHUNK);
    int s = connect_to(flow->port);
    double start = now();
    do {
        ssize_t count = read(s, buffer, CHUNK);
        if (count <= 0)
            fail("read");
        flow->bytes += count;
        flow->time = now() - start;
    } while (flow->time < seconds);
    abort_connection(s);
    free(buffer);
    return 0;
}

/* Counts what the peer has acknowledged, not what waits in this kernel. */
static void *send_chunks(void *argument)
{
    struct flow *flow = argument;
    char *buffer = calloc(1, CHUNK);
    struct tcp_info info;
    socklen_t length = sizeof info;
    int s = connect_to(flow->port);
    double start = now();
    do {
        if (write(s, buffer, CHUNK) <= 0)
            fail("write");
        flow->time = now() - start;
    } while (flow->time < seconds);
    if (getsockopt(s, IPPROTO_TCP, TCP_INFO, &info, &length))
        fail("TCP_INFO");
    flow->bytes = info.tcpi_bytes_acked;
    flow->time = now() - start;
    abort_connection(s);
    free(buffer);
    return 0;
}

static void both(int source, int discard)
{
    struct flow out = { source, 0, 0 }, in = { discard, 0, 0 };
    pthread_t first, second;
    if (pthread_create(&first, 0, receive, &out) || pthread_create(&second, 0, send_chunks, &in))
        fail("pthread_create");
    pthread_join(first, 0);
    pthread_join(second, 0);
    printf("bytes=%llu rate=%.0f\n", (unsigned long long)(out.bytes + in.bytes), out.bytes / out.time + in.bytes / in.time);
}

static int ascending(const void *x, const void *y)
{
    float a = *(const float *)x, b = *(const float *)y;
    return a < b ? -1 : a > b;
}

static void round_trips(int type, int port)
{
    float *samples = malloc(MOST_SAMPLES * sizeof *samples);
    int count = 0, s = connect_by(type, port);
    char byte = 1;
    double end = now() + seconds, then = now();
    while (then < end && count < MOST_SAMPLES) {
        double after;
        if (write(s, &byte, 1) != 1 || read(s, &byte, 1) != 1)
            fail("echo");
        after = now();
        samples[count++] = (after - then) * 1e6;
        then = after;
    }
    close(s);
    qsort(samples, count, sizeof *samples, ascending);
    printf("count=%d p50=%.1f p99=%.1f\n", count, samples[count / 2], samples[(int)(count * 0.99)]);
}

static void connections(int port)
{
    double start = now(), time;
    int count = 0;
    char byte = 1;
    do {
        int s = connect_to(port);
        if (write(s, &byte, 1) != 1 || read(s, &byte, 1) != 1)
            fail("echo");
        close(s);
        time = now() - start;
    } while (++count < MOST_CONNECTIONS && time < seconds);
    printf("count=%d rate=%.1f\n", count, count / time);
}

/* Parallel streams from the source. All are opened before the clock starts; the slowest says whether any was starved. */
static void parallel(int port, int count)
{
    struct rlimit files = { 65536, 65536 };
    struct epoll_event event, events[256];
    struct sockaddr_in6 address = target;
    uint64_t *bytes = calloc(count, sizeof *bytes), total = 0, least;
    int *sockets = calloc(count, sizeof *sockets);
    int poller = epoll_create1(0), i, open = 0;
    char *buffer = malloc(CHUNK);
    double start = now(), time;
    setrlimit(RLIMIT_NOFILE, &files);
    address.sin6_port = htons(port);
    for (i = 0; i < count; i++) {
        sockets[i] = open_socket(SOCK_STREAM | SOCK_NONBLOCK);
        if (connect(sockets[i], (struct sockaddr *)&address, target_length) && errno != EINPROGRESS)
            fail("connect");
        event.events = EPOLLOUT;
        event.data.u32 = i;
        epoll_ctl(poller, EPOLL_CTL_ADD, sockets[i], &event);
    }
    while (open < count) {
        int ready = epoll_wait(poller, events, 256, 1000);
        if (now() - start > 30) {
            fprintf(stderr, "only %d of %d connections in 30 s\n", open, count);
            exit(1);
        }
        for (i = 0; i < ready; i++) {
            int error = 0;
            socklen_t length = sizeof error;
            getsockopt(sockets[events[i].data.u32], SOL_SOCKET, SO_ERROR, &error, &length);
            if (error) {
                errno = error;
                fail("connect");
            }
            event.events = EPOLLIN;
            event.data.u32 = events[i].data.u32;
            epoll_ctl(poller, EPOLL_CTL_MOD, sockets[event.data.u32], &event);
            open++;
        }
        if (open < count)
            continue;
    }
    start = now();
    do {
        int ready = epoll_wait(poller, events, 256, 100);
        for (i = 0; i < ready; i++) {
            ssize_t got = read(sockets[events[i].data.u32], buffer, CHUNK);
            if (got == 0 || (got < 0 && errno != EAGAIN))
                fail("read");
            if (got > 0)
                bytes[events[i].data.u32] += got, total += got;
        }
        time = now() - start;
    } while (time < seconds);
    least = bytes[0];
    for (i = 0; i < count; i++) {
        if (bytes[i] < least)
            least = bytes[i];
        abort_connection(sockets[i]);
    }
    printf("bytes=%llu rate=%.0f least=%llu\n", (unsigned long long)total, total / time, (unsigned long long)least);
}

int main(int count, char **arguments)
{
    struct flow flow = { 0, 0, 0 };
    if (count < 5) {
        fputs("client receive|send|echo|echo-udp|connect ADDRESS SECONDS PORT; client both ADDRESS SECONDS SOURCE DISCARD; client parallel ADDRESS SECONDS PORT COUNT\n",
            stderr);
        return 2;
    }
    target.sin6_family = strchr(arguments[2], ':') ? AF_INET6 : AF_INET;
    target_length = target.sin6_family == AF_INET6 ? sizeof target : sizeof(struct sockaddr_in);
    if (inet_pton(target.sin6_family, arguments[2], target.sin6_family == AF_INET6 ? (void *)&target.sin6_addr : &((struct sockaddr_in *)&target)->sin_addr) != 1)
        fail("address");
    seconds = atof(arguments[3]);
    flow.port = atoi(arguments[4]);
    if (!strcmp(arguments[1], "receive") || !strcmp(arguments[1], "send")) {
        arguments[1][0] == 'r' ? receive(&flow) : send_chunks(&flow);
        printf("bytes=%llu rate=%.0f\n", (unsigned long long)flow.bytes, flow.bytes / flow.time);
    } else if (!strcmp(arguments[1], "echo"))
        round_trips(SOCK_STREAM, flow.port);
    else if (!strcmp(arguments[1], "echo-udp"))
        round_trips(SOCK_DGRAM, flow.port);
    else if (!strcmp(arguments[1], "connect"))
        connections(flow.port);
    else if (!strcmp(arguments[1], "both") && count > 5)
        both(flow.port, atoi(arguments[5]));
    else if (!strcmp(arguments[1], "parallel") && count > 5)
        parallel(flow.port, atoi(arguments[5]));
    return 0;
}
