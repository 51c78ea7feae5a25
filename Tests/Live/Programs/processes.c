/*
 * What processes do to themselves, to their children and to their descriptors, and whether their sockets go on working, as text: run on the kernel's sockets and on
 * Tapwire's, it has to print the same. Root runs it.
 * Arguments: an address of the sockets' own, the address of a host with an echo service on port 7, an empty directory, the name of a part.
 */
#define _GNU_SOURCE
#include "tools.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/io_uring.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

#define NOBODY 65534

static const char *own, *far, *empty, *self;

/* A system call that no library sees. */
static long unseen(long number, long a, long b, long c, long d, long e, long f)
{
#if defined(__x86_64__)
    register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
#else
    register long x8 __asm__("x8") = number, result __asm__("x0") = a, x1 __asm__("x1") = b, x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d, x4 __asm__("x4") = e, x5 __asm__("x5") = f;
    __asm__ volatile("svc 0" : "+r"(result) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5) : "memory");
#endif
    if ((unsigned long)result < -4095ul)
        return result;
    errno = (int)-result;
    return -1;
}

#define UNSEEN_6(number, a, b, c, d, e, f, ...) unseen(number, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))
#define UNSEEN(name, ...) UNSEEN_6(SYS_##name, __VA_ARGS__, 0, 0, 0, 0, 0, 0)

static int wait_status(pid_t child)
{
    int status = -1;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + status;
}

static bool echo(int fd)
{
    char answer[4] = "";
    return write(fd, "ping", 4) == 4 && recv(fd, answer, 4, MSG_WAITALL) == 4 && memcmp(answer, "ping", 4) == 0;
}

/* Makes a connection and uses it. 0 if all is well, or an errno. */
static int try(void)
{
    struct sockaddr_ip to = at(far, 7);
    int on = 1, fd = socket(FAMILY, SOCK_STREAM, 0), error = 0;
    if (fd < 0)
        return errno;
    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0 || connect(fd, (struct sockaddr *)&to, sizeof to) != 0)
        error = errno;
    else if (!echo(fd))
        error = EIO;
    close(fd);
    return error;
}

static const char *outcome(int error) { return error == 0 ? "all is well" : strerrorname_np(error); }

#define EACH 50

static void *try_often(void *unused)
{
    long failures = 0;
    (void)unused;
    for (int i = 0; i < EACH; i++)
        failures += try() != 0;
    return (void *)failures;
}

/* Threads that make connections at once; how many could not. */
static long try_in_threads(void)
{
    pthread_t all[8];
    long failures = 0;
    for (int i = 0; i < 8; i++)
        pthread_create(&all[i], NULL, try_often, NULL);
    for (int i = 0; i < 8; i++) {
        void *result;
        pthread_join(all[i], &result);
        failures += (long)result;
    }

    return failures;
}

static void speak_as_usual(const char *when)
{
    printf("%s: %s, threads %ld", when, outcome(try()), try_in_threads());
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        child = fork();
        _exit(child == 0 ? try() : try() != 0 ? 1 : wait_status(child));
    }

    printf(", child and grandchild %s\n", outcome(wait_status(child)));
}

/* In a process of its own, so that one loss does not meet the next. */
static void lose(const char *what, int (*how)(void), bool first)
{
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        alarm(60);
        if (!first)
            printf("before: %s\n", outcome(try()));
        int result = how();
        printf("%s: %s\n", what, said(result));
        speak_as_usual(first ? "first" : "after");
        exit(0);
    }

    printf("ended: %d\n", wait_status(child));
}

static int leave_root(void) { return chroot(empty) == 0 ? chdir("/") : -1; }

static int hide_all(void)
{
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
        return -1;
    return mount("none", "/tmp", "tmpfs", 0, NULL);
}

static int set_user(void) { return setuid(NOBODY); }
static int set_groups(void) { return setgroups(0, NULL) == 0 && setgid(NOBODY) == 0 ? setuid(NOBODY) : -1; }
static int set_init_groups(void) { return initgroups("nobody", NOBODY) == 0 && setresgid(NOBODY, NOBODY, NOBODY) == 0 ? setresuid(NOBODY, NOBODY, NOBODY) : -1; }
static int set_effective(void) { return setegid(NOBODY) == 0 ? seteuid(NOBODY) : -1; }
static int set_both(void) { return setregid(NOBODY, NOBODY) == 0 ? setreuid(NOBODY, NOBODY) : -1; }
static int set_by_number(void) { return (int)syscall(SYS_setresuid, NOBODY, NOBODY, NOBODY); }
static int set_fs(void) { return setfsuid(NOBODY), 0; }

/* As a server does that becomes a daemon. */
static int close_all_and_leave(void)
{
    closefrom(3);
    return leave_root() == 0 ? set_groups() : -1;
}

static int leave_and_close_all(void)
{
    if (leave_root() != 0 || set_groups() != 0)
        return -1;
    for (int fd = 3; fd < 1024; fd++)
        close(fd);
    return close_range(3, ~0u, 0);
}

static const struct { const char *name; int (*how)(void); } losses[] = {
    { "chroot", leave_root }, { "a namespace that hides the link", hide_all }, { "setuid", set_user }, { "setgroups", set_groups },
    { "initgroups", set_init_groups }, { "seteuid", set_effective }, { "setreuid", set_both }, { "setresuid by number", set_by_number }, { "setfsuid", set_fs },
    { "closing all, then chroot", close_all_and_leave }, { "chroot, then closing all", leave_and_close_all },
};

static void losing_the_path(void)
{
    for (size_t i = 0; i < sizeof losses / sizeof *losses; i++)
        lose(losses[i].name, losses[i].how, false);
}

static void losing_the_path_first(void)
{
    for (size_t i = 0; i < sizeof losses / sizeof *losses; i++)
        lose(losses[i].name, losses[i].how, true);
}

/* Programs that a process starts when it is another user. */
static void programs_of_another_user(void)
{
    char *arguments[] = { (char *)self, "try", (char *)far, NULL };
    pid_t child = fork();
    if (child == 0) {
        if (set_groups() != 0)
            _exit(255);
        execv(self, arguments);
        _exit(254);
    }

    printf("first, exec: %s\n", outcome(wait_status(child)));
    printf("before: %s\n", outcome(try()));
    fflush(stdout);
    child = fork();
    if (child == 0) {
        if (set_groups() != 0)
            _exit(255);
        child = vfork();
        if (child == 0) {
            execve(self, arguments, environ);
            _exit(254);
        }

        printf("vfork and exec: %s\n", outcome(wait_status(child)));
        int error = posix_spawn(&child, self, NULL, NULL, arguments, environ);
        printf("posix_spawn: %s\n", outcome(error != 0 ? error : wait_status(child)));
        char command[512];
        snprintf(command, sizeof command, "%s try %s; exit $?", self, far);
        fflush(stdout);
        printf("system: %s\n", outcome(WEXITSTATUS(system(command))));
        printf("popen: %s\n", outcome(WEXITSTATUS(pclose(popen(command, "r")))));
        fflush(stdout);
        execl(self, self, "try", far, NULL);
        _exit(254);
    }

    printf("exec: %s\n", outcome(wait_status(child)));
}

/* An environment that somebody has begun anew does not take a program out of its network: the kernel has no such thing, and sees no difference. */
static void new_environments(void)
{
    char *arguments[] = { (char *)self, "try", (char *)far, NULL }, *none[] = { NULL }, *some[] = { "HOME=/", "LD_PRELOAD=", NULL };
    pid_t child;
    for (int i = 0; i < 3; i++) {
        int error = posix_spawn(&child, self, NULL, NULL, arguments, i == 0 ? none : i == 1 ? some : NULL);
        printf("posix_spawn: %s\n", outcome(error != 0 ? error : wait_status(child)));
    }

    fflush(stdout);
    child = fork();
    if (child == 0) {
        execle(self, self, "try", far, NULL, none);
        _exit(254);
    }

    printf("execle: %s\n", outcome(wait_status(child)));
    int file = open(self, O_RDONLY | O_CLOEXEC);
    child = fork();
    if (child == 0) {
        fexecve(file, arguments, none);
        _exit(254);
    }

    printf("fexecve: %s\n", outcome(wait_status(child)));
    child = fork();
    if (child == 0) {
        syscall(SYS_execve, self, arguments, none);
        _exit(254);
    }

    printf("execve by number: %s\n", outcome(wait_status(child)));
    fflush(stdout);
    child = fork();
    if (child == 0) {
        char command[512];
        snprintf(command, sizeof command, "%s try %s", self, far);
        clearenv();
        int status = system(command);
        FILE *pipe = popen(command, "r");
        _exit(WEXITSTATUS(status) != 0 ? WEXITSTATUS(status) : WEXITSTATUS(pclose(pipe)));
    }

    printf("system and popen: %s\n", outcome(wait_status(child)));
}

static int pass(int channel, int fd)
{
    union { struct cmsghdr header; char bytes[CMSG_SPACE(sizeof(int))]; } control
        = { .header = { .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS } };
    struct iovec vector = { .iov_base = "x", .iov_len = 1 };
    struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control };
    memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
    return (int)sendmsg(channel, &message, 0);
}

/* Whether a descriptor came with the byte. */
static bool is_passed(int channel)
{
    union { struct cmsghdr header; char bytes[CMSG_SPACE(sizeof(int))]; } control;
    char byte;
    struct iovec vector = { .iov_base = &byte, .iov_len = 1 };
    struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control };
    if (recvmsg(channel, &message, 0) != 1 || message.msg_controllen < CMSG_LEN(sizeof(int)))
        return false;
    int fd;
    memcpy(&fd, CMSG_DATA(&control.header), sizeof fd);
    close(fd);
    return true;
}

static int old_stream, old_datagram;

/* What a child does with the numbers of its parent's sockets. 0, or the number of what is wrong. */
static int use_numbers_again(void *unused)
{
    char text[8] = "";
    int pair[2];
    (void)unused;
    close(old_stream);
    close(old_datagram);
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
        return 1;
    if (pass(pair[0], 0) != 1 || !is_passed(pair[1]))
        return 2;
    if (pass(pair[1], 0) != 1 || !is_passed(pair[0]))
        return 3;
    close(pair[0]);
    close(pair[1]);
    int first = memfd_create("first", 0), second = memfd_create("second", 0);
    if (write(first, "abc", 3) != 3 || write(second, "abc", 3) != 3)
        return 4;
    lseek(second, 0, SEEK_SET);
    if (read(second, text, 3) != 3 || lseek(first, 0, SEEK_SET) != 0 || read(first, text, 3) != 3)
        return 5;
    close(first);
    close(second);
    int socket_again = socket(FAMILY, SOCK_STREAM, 0);
    close(socket_again);
    return try() == 0 ? 0 : 6;
}

static long forked_by_number(void)
{
#ifdef SYS_fork
    return syscall(SYS_fork);
#else
    return syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
#endif
}

static void children_of_other_calls(void)
{
    static char stack[256 << 10] __attribute__((aligned(16)));
    old_stream = socket(FAMILY, SOCK_STREAM, 0);
    old_datagram = socket(FAMILY, SOCK_DGRAM, 0);
    fflush(stdout);
    for (int i = 0; i < 6; i++) {
        static const char *const names[] = { "clone by number", "fork by number", "_Fork", "clone", "clone unseen", "clone3" };
        struct { uint64_t flags, pidfd, child, parent, signal, stack, size, tls; } how = { .signal = SIGCHLD };
        pid_t child = i == 0 ? (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0) : i == 1 ? (pid_t)forked_by_number() : i == 2 ? _Fork()
            : i == 3 ? clone(use_numbers_again, stack + sizeof stack, SIGCHLD, NULL)
            : i == 4 ? (pid_t)UNSEEN(clone, SIGCHLD) : (pid_t)syscall(SYS_clone3, &how, sizeof how);
        if (child == 0)
            _exit(use_numbers_again(NULL));
        printf("%s: %d\n", names[i], wait_status(child));
    }

    /* A child of vfork has the parent's memory, but not its descriptors. */
    pid_t child = vfork();
    if (child == 0) {
        close(old_stream);
        close(old_datagram);
        _exit(0);
    }

    printf("vfork: %d, the parent's: %s", wait_status(child), said(getsockopt(old_datagram, SOL_SOCKET, SO_TYPE, &(int){ 0 }, &(socklen_t){ 4 })));
    printf(" %s\n", said(send(old_datagram, "x", 1, 0)));
}

/* Children of a process that has lost the path. */
static void children_far_away(void)
{
    static char stack[256 << 10] __attribute__((aligned(16)));
    printf("before: %s\n", outcome(try()));
    printf("chroot: %s\n", said(leave_root()));
    fflush(stdout);
    old_stream = old_datagram = -1;
    for (int i = 0; i < 3; i++) {
        pid_t child = i == 0 ? (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0) : i == 1 ? _Fork() : clone(use_numbers_again, stack + sizeof stack, SIGCHLD, NULL);
        if (child == 0)
            _exit(use_numbers_again(NULL));
        printf("child: %d\n", wait_status(child));
    }
}

static int close_by_ring(int fd)
{
    struct io_uring_params params = { 0 };
    int ring = (int)UNSEEN(io_uring_setup, 2, &params);
    if (ring < 0)
        return (int)UNSEEN(close, fd);
    uint8_t *queue = mmap(NULL, params.sq_off.array + params.sq_entries * sizeof(unsigned), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring, IORING_OFF_SQ_RING);
    struct io_uring_sqe *entries = mmap(NULL, params.sq_entries * sizeof *entries, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ring, IORING_OFF_SQES);
    entries[0] = (struct io_uring_sqe){ .opcode = IORING_OP_CLOSE, .fd = fd };
    ((unsigned *)(queue + params.sq_off.array))[0] = 0;
    __atomic_store_n((unsigned *)(queue + params.sq_off.tail), 1, __ATOMIC_RELEASE);
    int done = (int)UNSEEN(io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0);
    UNSEEN(close, ring);
    return done == 1 ? 0 : -1;
}

static int close_unseen(int fd) { return (int)UNSEEN(close, fd); }

static int close_stream(int fd) { return fclose(fdopen(fd, "r+")); }

static int reopen_stream(int fd)
{
    FILE *stream = freopen("/dev/null", "r", fdopen(fd, "r+"));
    return fclose(stream);
}

/* A number that the library takes for a socket is something else: every call reaches that. */
static void use_as_other(int type, int (*close_it)(int), const char *name)
{
    char text[256] = "", whole[101] = "";
    int value = 0, pair[2];
    socklen_t length = sizeof value;
    struct sockaddr_ip peer;
    printf("%s, closed by %s:", type == SOCK_DGRAM ? "datagrams" : "stream", name);
    int fd = socket(FAMILY, type, 0);
    close_it(fd);
    int file = memfd_create("file", 0);
    memset(text, 'a', sizeof text);
    printf(" file %d", file == fd);
    printf(" %s", said(write(file, text, 100000 < sizeof text ? 100000 : sizeof text)));
    lseek(file, 0, SEEK_SET);
    printf(" %s", said(recv(file, text, 1, MSG_DONTWAIT)));
    printf(" %s", said(read(file, text, 100)));
    printf(" %s", said(getsockname(file, (struct sockaddr *)&peer, &length)));
    printf(" %s\n", said(listen(file, 1)));
    close(file);

    static const int kinds[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET };
    for (int i = 0; i < 3; i++) {
        fd = socket(FAMILY, type, 0);
        close_it(fd);
        if (UNSEEN(socketpair, AF_UNIX, kinds[i], 0, pair) != 0)
            return;
        int it = pair[0] == fd ? pair[0] : pair[1], other = pair[0] == fd ? pair[1] : pair[0];
        memset(text, 'b', 100);
        printf("  pair %d:", it == fd);
        printf(" %s", said(UNSEEN(sendto, other, text, 100, 0, NULL, 0)));
        printf(" %s", said(read(it, whole, sizeof whole - 1)));
        printf(" %.100s", whole);
        UNSEEN(sendto, other, "few", 3, 0, NULL, 0);
        printf(" %s", said(recv(it, whole, 100, 0)));
        printf(" %.3s", whole);
        if (kinds[i] != SOCK_SEQPACKET || type != SOCK_DGRAM) { /* a message to a pair of the very type cannot be told from one of Tapwire's */
            printf(" %s", said(send(it, "answer", 6, 0)));
            printf(" %s", said(UNSEEN(recvfrom, other, whole, 100, MSG_DONTWAIT, NULL, NULL)));
            printf(" %.6s", whole);
            printf(" %s", said(write(it, "again", 5)));
            printf(" %s", said(UNSEEN(recvfrom, other, whole, 100, MSG_DONTWAIT, NULL, NULL)));
            printf(" passed %s", said(pass(it, 0)));
            printf(" %d", is_passed(other));
        }

        printf(" %s", said(getsockopt(it, SOL_SOCKET, SO_TYPE, &value, &length)));
        printf(" %d", value == kinds[i]);
        printf(" %s\n", said(setsockopt(it, SOL_SOCKET, SO_PASSCRED, &value, sizeof value)));
        close(it);
        close(other);
    }
}

static void closed_unseen(void)
{
    static const struct { const char *name; int (*how)(int); } ways[] = {
        { "io_uring", close_by_ring }, { "a call of its own", close_unseen }, { "fclose", close_stream }, { "freopen", reopen_stream },
    };
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        use_as_other(SOCK_STREAM, ways[i].how, ways[i].name);
        use_as_other(SOCK_DGRAM, ways[i].how, ways[i].name);
    }
}

static volatile int handled;

static void on_alarm(int number)
{
    (void)number;
    handled += try() == 0;
}

/* A handler that makes connections, in the middle of calls that do the same. */
static void signal_handlers(void)
{
    struct sigaction action = { .sa_handler = on_alarm, .sa_flags = SA_RESTART };
    pid_t parent = getpid();
    sigaction(SIGUSR1, &action, NULL);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        for (int i = 0; i < 50; i++) {
            kill(parent, SIGUSR1);
            poll(NULL, 0, 2);
        }

        _exit(0);
    }

    int failures = 0, status = 0;
    while (waitpid(child, &status, WNOHANG) == 0)
        failures += try() != 0;
    printf("failures %d, handled %d\n", failures, handled > 0);
}

/* Sockets that a program finds when it begins: as inetd and socket activation give them. */
static void given_sockets(void)
{
    char program[64], text[32] = "";
    struct sockaddr_ip name = at(own, 0);
    socklen_t length = sizeof name;
    int listener = socket(FAMILY, SOCK_STREAM | SOCK_CLOEXEC, 0), client = socket(FAMILY, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bind(listener, (struct sockaddr *)&name, sizeof name);
    listen(listener, 5);
    getsockname(listener, (struct sockaddr *)&name, &length);
    connect(client, (struct sockaddr *)&name, sizeof name);
    int server = accept(listener, NULL, NULL);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        dup2(server, 0);
        dup2(server, 1);
        dup2(server, 2);
        closefrom(3);
        execl("/bin/cat", "cat", NULL);
        _exit(254);
    }

    close(server);
    printf("inetd: %s", said(write(client, "hello", 5)));
    printf(" %s", said(recv(client, text, 5, MSG_WAITALL)));
    shutdown(client, SHUT_WR);
    printf(" %s, then %s, %d\n", text, said(read(client, text, 1)), wait_status(child));
    close(client);

    fflush(stdout);
    child = fork();
    if (child == 0) {
        dup2(listener, 3);
        fcntl(3, F_SETFD, 0);
        snprintf(program, sizeof program, "%d", getpid());
        setenv("LISTEN_PID", program, 1);
        setenv("LISTEN_FDS", "1", 1);
        execl(self, self, "activated", NULL);
        _exit(254);
    }

    client = socket(FAMILY, SOCK_STREAM, 0);
    printf("activation: %s", said(connect(client, (struct sockaddr *)&name, sizeof name)));
    printf(" %d", echo(client));
    close(client);
    printf(" %d\n", wait_status(child));

    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    client = socket(FAMILY, SOCK_STREAM | SOCK_CLOEXEC, 0);
    connect(client, (struct sockaddr *)&name, sizeof name);
    server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    posix_spawn_file_actions_adddup2(&actions, server, 0);
    posix_spawn_file_actions_adddup2(&actions, server, 1);
    char *arguments[] = { "cat", NULL };
    int spawned = posix_spawnp(&child, "cat", &actions, NULL, arguments, environ);
    close(server);
    printf("posix_spawn: %d, echo %d", spawned, echo(client));
    shutdown(client, SHUT_WR);
    printf(", %d\n", wait_status(child));
}

/* The program that has been given a listener as descriptor 3. */
static int serve_one(void)
{
    char bytes[4];
    int value = 0;
    socklen_t length = sizeof value;
    if (getsockopt(3, SOL_SOCKET, SO_ACCEPTCONN, &value, &length) != 0 || value != 1)
        return 2;
    int server = accept(3, NULL, NULL);
    return recv(server, bytes, 4, MSG_WAITALL) == 4 && write(server, bytes, 4) == 4 ? 0 : 3;
}

int main(int count, char **arguments)
{
    static const struct { const char *name; void (*run)(void); } all[] = {
        { "losing the path", losing_the_path }, { "losing the path first", losing_the_path_first }, { "programs of another user", programs_of_another_user },
        { "new environments", new_environments }, { "children of other calls", children_of_other_calls }, { "children far away", children_far_away },
        { "closed unseen", closed_unseen }, { "signal handlers", signal_handlers }, { "given sockets", given_sockets },
    };
    self = arguments[0];
    setvbuf(stdout, NULL, _IOLBF, 0);
    signal(SIGPIPE, SIG_IGN);
    alarm(120);
    if (count == 2 && strcmp(arguments[1], "activated") == 0)
        return serve_one();
    if (count == 3) {
        far = arguments[2];
        return try();
    }

    own = arguments[1], far = arguments[2], empty = arguments[3];
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (strcmp(arguments[4], all[i].name) == 0)
            all[i].run();
    return 0;
}
