/*
 * tapwire-netns: makes a network namespace with a TUN device in it, passes the device to "tapwire run --netns", and becomes the program. It is a program of its own because only a
 * process of one thread can make a user namespace.
 *
 *   tapwire-netns SOCKET ADDRESSES MTU NAMESERVERS FILE NAME [ARGUMENT]...
 *
 * SOCKET is a descriptor of an AF_UNIX stream socket, ADDRESSES are one of each family or of one as ADDRESS/LENGTH, NAMESERVERS are IP addresses or "-", both with commas between them. A byte with the device's descriptor goes out over the socket,
 * and one with the end of a pipe, whose close has the guard end the namespace's connections. A byte that comes in starts the program, and its end stops this one. If the program cannot
 * be executed, its errno goes out; otherwise the socket ends.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <net/if.h>
#include <net/route.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define DEVICE "tapwire0"

/* The metric of a route of IPv6 whose maker names none (IP6_RT_PRIO_USER). */
#define ROUTE_METRIC 1024

/* Frames that may wait for the driver in the kernel, as for its own devices. */
#define QUEUE_LENGTH 4096

#define EXIT_FAILED 1

__attribute__((noreturn, format(printf, 1, 2))) static void fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("tapwire: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(EXIT_FAILED);
}

/* The first number in a file; -1 if there is none. */
static long number_in(const char *path)
{
    long value = -1;
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return -1;
    if (fscanf(file, "%ld", &value) != 1)
        value = -1;
    fclose(file);
    return value;
}

/* Names what the administrator has set against namespaces of users. */
__attribute__((noreturn)) static void forbidden(const char *step)
{
    int reason = errno;
    if (number_in("/proc/sys/user/max_user_namespaces") == 0)
        fail("--netns needs a user namespace, and this machine allows none (user.max_user_namespaces = 0): have root set it, or run as root.");
    if (number_in("/proc/sys/kernel/unprivileged_userns_clone") == 0)
        fail("--netns needs a user namespace, and this machine allows users none: have root run 'sysctl kernel.unprivileged_userns_clone=1', or run as root.");
    if (number_in("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == 1)
        fail("--netns needs a user namespace, and AppArmor allows users none: have root run 'sysctl kernel.apparmor_restrict_unprivileged_userns=0', or run as root.");
    fail("--netns needs a user and network namespace, which this system or container does not allow (%s: %s): allow them, or run as root.", step, strerror(reason));
}

static bool write_file(const char *path, const char *format, ...)
{
    char text[64];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    int file = open(path, O_WRONLY | O_CLOEXEC);
    if (file < 0)
        return false;
    bool done = write(file, text, (size_t)length) == length;
    int reason = errno;
    close(file);
    errno = reason;
    return done;
}

/* Leaves the network and the mounts of the caller. The user stays who he is: files belong to whom they did. */
static void leave(void)
{
    uid_t user = geteuid();
    gid_t group = getegid();
    if (user != 0 || unshare(CLONE_NEWNET | CLONE_NEWNS) != 0) {
        if (unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWNS) != 0)
            forbidden("unshare");
        if (!write_file("/proc/self/setgroups", "deny") && errno != ENOENT)
            forbidden("setgroups");
        if (!write_file("/proc/self/uid_map", "%u %u 1", user, user) || !write_file("/proc/self/gid_map", "%u %u 1", group, group))
            forbidden("uid_map");
    }

    if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
        forbidden("mount");
    /* ping without privileges: all groups where all can be named, else the one that can. A container may not let it be written. */
    if (!write_file("/proc/sys/net/ipv4/ping_group_range", "0 2147483647"))
        (void)write_file("/proc/sys/net/ipv4/ping_group_range", "%u %u", group, group);
}

/* What the caller's file says beside name servers: search, options. */
static void copy_other_lines(FILE *to)
{
    char line[1024];
    FILE *from = fopen("/etc/resolv.conf", "re");
    if (from == NULL)
        return;
    while (fgets(line, sizeof line, from) != NULL) {
        if (strncmp(line, "search", 6) == 0 || strncmp(line, "domain", 6) == 0 || strncmp(line, "options", 7) == 0)
            fputs(line, to);
    }
    fclose(from);
}

/* Puts a file over /etc/resolv.conf that is in memory only. */
static void set_name_servers(char *servers)
{
    static const char *const places[] = {"/tmp", "/run", "/mnt"};
    /* These look names up on the caller's network, for whoever asks. */
    static const char *const others[] = {"/run/nscd/socket", "/run/systemd/resolve/io.systemd.Resolve"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        if (access(others[i], F_OK) == 0 && mount("/dev/null", others[i], NULL, MS_BIND, NULL) != 0)
            fail("%s cannot be hidden from the program, which would look names up on this machine's network: %s.", others[i], strerror(errno));
    }

    if (access("/etc/resolv.conf", F_OK) != 0)
        return;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        char path[32];
        if (mount("tmpfs", places[i], "tmpfs", MS_NOSUID | MS_NODEV, "size=64k,mode=755") != 0)
            continue;
        snprintf(path, sizeof path, "%s/resolv.conf", places[i]);
        FILE *file = fopen(path, "we");
        if (file == NULL)
            fail("%s cannot be written: %s.", path, strerror(errno));
        copy_other_lines(file);
        for (char *server = strtok(servers, ","); server != NULL; server = strtok(NULL, ",")) {
            if (strcmp(server, "-") != 0)
                fprintf(file, "nameserver %s\n", server);
        }
        if (fclose(file) != 0 || chmod(path, 0644) != 0 || mount(path, "/etc/resolv.conf", NULL, MS_BIND, NULL) != 0 || umount2(places[i], MNT_DETACH) != 0)
            fail("/etc/resolv.conf cannot be replaced in the namespace: %s.", strerror(errno));
        return;
    }

    fail("/etc/resolv.conf cannot be replaced in the namespace: %s.", strerror(errno));
}

static void set_address(struct sockaddr *address, struct in_addr value)
{
    struct sockaddr_in internet = {.sin_family = AF_INET, .sin_addr = value};
    memcpy(address, &internet, sizeof internet);
}

static void control(int socket, unsigned long request, void *argument, const char *what)
{
    if (ioctl(socket, request, argument) != 0)
        fail("The namespace's network cannot be set up (%s): %s.", what, strerror(errno));
}

static void set_up(int socket, struct ifreq *interface)
{
    control(socket, SIOCGIFFLAGS, interface, "flags");
    interface->ifr_flags |= IFF_UP | IFF_RUNNING;
    control(socket, SIOCSIFFLAGS, interface, "up");
}

/* Cuts the length off ADDRESS/LENGTH. Returns it, or -1 if there is none, or one of more than so many bits. */
static int cut_length(char *prefix, int bits)
{
    char *slash = strchr(prefix, '/');
    int length = slash == NULL ? -1 : atoi(slash + 1);
    if (slash != NULL)
        *slash = 0;
    return length > bits ? -1 : length;
}

/* Gives the device an IPv4 address, and everything of that family the way by it. */
static void add_ipv4(int socket, char *prefix)
{
    struct in_addr address, mask;
    struct ifreq interface = {0};
    char name[] = DEVICE;
    int length = cut_length(prefix, 32);
    if (length < 0 || inet_pton(AF_INET, prefix, &address) != 1)
        fail("The address '%s' of the namespace is none.", prefix);
    mask.s_addr = length == 0 ? 0 : htonl(~0u << (32 - length));
    strcpy(interface.ifr_name, DEVICE);
    set_address(&interface.ifr_addr, address);
    control(socket, SIOCSIFADDR, &interface, "address");
    set_address(&interface.ifr_netmask, mask);
    control(socket, SIOCSIFNETMASK, &interface, "netmask");
    struct rtentry route = {.rt_flags = RTF_UP, .rt_dev = name};
    set_address(&route.rt_dst, (struct in_addr){0});
    set_address(&route.rt_genmask, (struct in_addr){0});
    control(socket, SIOCADDRT, &route, "route");
}

/* The same of IPv6. The kernel tries no duplicates on such a device, which has no link-layer addresses. A kernel without IPv6 does with the other family, if the namespace has it. */
static void add_ipv6(char *prefix, bool has_ipv4)
{
    /* struct in6_ifreq, whose header does not go together with the C library's. */
    struct {
        struct in6_addr address;
        unsigned length;
        int index;
    } interface = {.index = (int)if_nametoindex(DEVICE)};
    struct in6_rtmsg route = {.rtmsg_flags = RTF_UP, .rtmsg_metric = ROUTE_METRIC, .rtmsg_ifindex = interface.index};
    int length = cut_length(prefix, 128);
    if (length < 0 || inet_pton(AF_INET6, prefix, &interface.address) != 1)
        fail("The address '%s' of the namespace is none.", prefix);
    interface.length = (unsigned)length;
    int socket_for_control = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (socket_for_control < 0 || ioctl(socket_for_control, SIOCSIFADDR, &interface) != 0) {
        int reason = errno;
        if (!has_ipv4)
            fail("The driver has IPv6 only, and this machine's kernel gives the namespace none: %s.", strerror(reason));
        fprintf(stderr, "tapwire: This machine's kernel gives the namespace no IPv6: %s.\n", strerror(reason));
    } else {
        control(socket_for_control, SIOCADDRT, &route, "IPv6 route");
    }

    if (socket_for_control >= 0)
        close(socket_for_control);
}

/* Keeps the kernel from configuring the device's IPv6 by itself: there is no router whom it could ask, and no neighbour to whom a link-local address would be of use. Where these files
 * cannot be written it only says more than anybody hears. */
static void quieten_ipv6(void)
{
    static const char *const settings[][2] = {{"accept_ra", "0"}, {"autoconf", "0"}, {"accept_dad", "0"}, {"router_solicitations", "0"}, {"addr_gen_mode", "1"}, {"disable_ipv6", "0"}};
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        char path[64];
        snprintf(path, sizeof path, "/proc/sys/net/ipv6/conf/" DEVICE "/%s", settings[i][0]);
        (void)write_file(path, "%s", settings[i][1]);
    }
}

/* Makes the device and configures it: everything but loopback goes by it. Returns its descriptor. */
static int make_device(char *prefixes, int mtu)
{
    int device = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (device < 0)
        fail("/dev/net/tun cannot be opened: %s; %s.", strerror(errno), errno == EACCES || errno == EPERM
            ? "have root give it back its usual mode ('chmod 666 /dev/net/tun'), or run as root; a container must be allowed the device"
            : "load the kernel's tun module (modprobe tun), or give the container that device");
    struct ifreq interface = {.ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR};
    strcpy(interface.ifr_name, DEVICE);
    if (ioctl(device, TUNSETIFF, &interface) != 0)
        forbidden("TUNSETIFF");

    int socket_for_control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (socket_for_control < 0)
        fail("socket: %s.", strerror(errno));
    struct ifreq loopback = {0};
    strcpy(loopback.ifr_name, "lo");
    set_up(socket_for_control, &loopback);
    interface.ifr_mtu = mtu;
    control(socket_for_control, SIOCSIFMTU, &interface, "MTU");
    interface.ifr_qlen = QUEUE_LENGTH;
    /* Only root of the whole machine may; without it a flood is cut earlier. */
    (void)ioctl(socket_for_control, SIOCSIFTXQLEN, &interface);
    quieten_ipv6();
    set_up(socket_for_control, &interface);
    bool has_ipv4 = false;
    for (char *prefix = strtok(prefixes, ","); prefix != NULL; prefix = strtok(NULL, ",")) {
        if (strchr(prefix, ':') == NULL) {
            add_ipv4(socket_for_control, prefix);
            has_ipv4 = true;
        } else {
            add_ipv6(prefix, has_ipv4);
        }
    }

    close(socket_for_control);
    return device;
}

/* Whether a connection stays within the namespace, by either way of writing its addresses. */
static bool is_local(const struct inet_diag_sockid *ends, unsigned char family)
{
    const unsigned char *bytes = (const unsigned char *)ends->idiag_dst;
    static const unsigned char mapped[12] = {[10] = 0xFF, [11] = 0xFF}, loopback[16] = {[15] = 1};
    if (memcmp(ends->idiag_src, ends->idiag_dst, family == AF_INET ? 4 : 16) == 0)
        return true;
    if (family == AF_INET)
        return bytes[0] == 127;
    return memcmp(bytes, mapped, sizeof mapped) == 0 ? bytes[12] == 127 : memcmp(bytes, loopback, sizeof loopback) == 0;
}

static bool ask(int netlink, unsigned short type, unsigned short flags, const struct inet_diag_req_v2 *request)
{
    struct {
        struct nlmsghdr header;
        struct inet_diag_req_v2 request;
    } message = {{.nlmsg_len = sizeof message, .nlmsg_type = type, .nlmsg_flags = NLM_F_REQUEST | flags}, *request};
    return send(netlink, &message, sizeof message, 0) == sizeof message;
}

/* Ends the sockets of a family and protocol that are connected to somewhere else, in a set of states, as "ss -K" does: what waits in them fails with ECONNABORTED. A kernel without
 * INET_DIAG_DESTROY refuses. */
static void abort_sockets(unsigned char family, unsigned char protocol, unsigned states)
{
    static union {
        struct nlmsghdr header;
        char room[32768];
    } answer;
    int list = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG), end = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    struct inet_diag_req_v2 request = {.sdiag_family = family, .sdiag_protocol = protocol, .idiag_states = states};
    bool more = list >= 0 && end >= 0 && ask(list, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, &request);
    while (more) {
        ssize_t length = recv(list, &answer, sizeof answer, 0);
        if (length < 0 && errno == EINTR)
            continue;
        more = length > 0;
        unsigned left = more ? (unsigned)length : 0;
        for (struct nlmsghdr *each = &answer.header; more && NLMSG_OK(each, left); each = NLMSG_NEXT(each, left)) {
            if (each->nlmsg_type != SOCK_DIAG_BY_FAMILY) {
                more = false;
                break;
            }
            const struct inet_diag_msg *found = NLMSG_DATA(each);
            request.id = found->id;
            if (!is_local(&found->id, family))
                (void)ask(end, SOCK_DESTROY, 0, &request);
        }
    }

    close(list);
    close(end);
}

/* Waits for the end of whoever serves the namespace, and then for its last words: it closes the device when it has said them. Afterwards nothing would tell the namespace's sockets that
 * they lead nowhere: the kernel keeps connections whose device is gone. */
__attribute__((noreturn)) static void guard(int tie)
{
    enum { MOST_POLLS = 600, ALL_STATES = 0x1FFE, CONNECTED = 1 << 1, TIME_WAIT = 1 << 6, LISTENING = 1 << 10 };
    const struct timespec pause = {.tv_nsec = 50 * 1000 * 1000};
    char byte;
    while (read(tie, &byte, 1) < 0 && errno == EINTR)
        continue;
    for (int i = 0; i < MOST_POLLS && if_nametoindex(DEVICE) != 0; i++)
        nanosleep(&pause, NULL);
    int control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq interface = {0};
    strcpy(interface.ifr_name, DEVICE);
    (void)ioctl(control, SIOCSIFFLAGS, &interface);
    static const unsigned char families[] = {AF_INET, AF_INET6};
    for (size_t i = 0; i < sizeof families; i++) {
        abort_sockets(families[i], IPPROTO_TCP, ALL_STATES & ~(TIME_WAIT | LISTENING));
        abort_sockets(families[i], IPPROTO_UDP, CONNECTED);
    }
    _exit(0);
}

/* Starts the guard: nobody's child, of no terminal, and with no file of the program's. Returns the end of the pipe that it waits at. */
static int start_guard(void)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        fail("pipe: %s.", strerror(errno));
    pid_t first = fork();
    if (first < 0)
        fail("fork: %s.", strerror(errno));
    if (first == 0) {
        if (setsid() < 0 || fork() != 0)
            _exit(0);
        prctl(PR_SET_NAME, "tapwire-guard");
        if (chdir("/") != 0 || dup2(ends[0], 0) != 0)
            _exit(EXIT_FAILED);
        if (syscall(SYS_close_range, 1, ~0u, 0) != 0) {
            for (int file = 1; file < 1024; file++)
                close(file);
        }
        for (int number = 1; number < NSIG; number++)
            signal(number, SIG_IGN);
        guard(0);
    }

    while (waitpid(first, NULL, 0) < 0 && errno == EINTR)
        continue;
    close(ends[0]);
    return ends[1];
}

/* Passes a descriptor, and closes it. */
static void pass(int socket, int device)
{
    char byte = 0;
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } rights = {0};
    struct iovec vector = {&byte, 1};
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = rights.room, .msg_controllen = sizeof rights.room};
    rights.header = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(&rights.header), &device, sizeof device);
    if (sendmsg(socket, &message, MSG_NOSIGNAL) != 1)
        exit(EXIT_FAILED);
    close(device);
}

static void await_start(int socket)
{
    char byte;
    /* Without the byte the caller has failed, and has said why. */
    ssize_t count;
    do
        count = read(socket, &byte, 1);
    while (count < 0 && errno == EINTR);
    if (count != 1)
        exit(EXIT_FAILED);
}

/* As execvp(3), which gives a script without an interpreter line to the shell. */
static int execute(const char *file, char **arguments, int count)
{
    execv(file, arguments);
    if (errno != ENOEXEC)
        return errno;
    char **script = calloc((size_t)count + 2, sizeof *script);
    if (script == NULL)
        return ENOMEM;
    script[0] = "/bin/sh";
    script[1] = (char *)file;
    for (int i = 1; i < count; i++)
        script[i + 1] = arguments[i];
    execv(script[0], script);
    return errno;
}

int main(int count, char **arguments)
{
    if (count < 7)
        fail("tapwire-netns is a part of 'tapwire run --netns', and does nothing by itself.");
    int socket = atoi(arguments[1]);
    if (fcntl(socket, F_SETFD, FD_CLOEXEC) != 0)
        fail("tapwire-netns is a part of 'tapwire run --netns', and does nothing by itself.");
    leave();
    set_name_servers(arguments[4]);
    pass(socket, make_device(arguments[2], atoi(arguments[3])));
    pass(socket, start_guard());
    await_start(socket);
    int reason = execute(arguments[5], arguments + 6, count - 6);
    (void)!write(socket, &reason, sizeof reason);
    return reason == ENOENT ? 127 : 126;
}
