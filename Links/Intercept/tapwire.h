/* Shared declarations of libtapwire.so. docs/link-protocol.md describes the protocol. */
#ifndef TAPWIRE_H
#define TAPWIRE_H

#include <dlfcn.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define EXPORT __attribute__((visibility("default")))

/* The function of that name in the next library, mostly libc. Looked up once: in this library's constructor, or by a call that comes before it. */
#define REAL(name) ((__typeof__(&name))tw_next(&tw_next_##name, #name))
#define DEFINE_REAL(name) static _Atomic(void *) tw_next_##name;

static inline void *tw_next(_Atomic(void *) *known, const char *name)
{
    void *function = *known;
    if (function == NULL)
        *known = function = dlsym(RTLD_NEXT, name);
    return function;
}

/* An address as it crosses the link: sockaddr_in6, or sockaddr_in and zeros. */
struct tw_address {
    uint8_t bytes[28];
};

/* ---- descriptor.c: which descriptors are Tapwire's ---- */

enum tw_kind {
    /* Not looked up yet, or no socket. */
    TW_UNKNOWN,
    /* A socket that is not Tapwire's. */
    TW_FOREIGN,
    /* A stream on which connect() has not been called. */
    TW_STREAM_FRESH,
    /* Any other stream. May be a listener that this process has inherited. */
    TW_STREAM,
    TW_LISTENER,
    /* A datagram socket that has neither been connected nor sent anything. It can still become a socket of the host. */
    TW_DATAGRAM_FRESH,
    TW_DATAGRAM,
    /* A datagram socket that is connected. */
    TW_DATAGRAM_CONNECTED,
};

/* The kind as it is cached. Costs no system call. What it says of a Tapwire socket may be outdated, where a descriptor was closed unseen. */
enum tw_kind tw_known(int fd);

/* The kind, proved by the descriptor's cookie, and looked up at the descriptor and the driver if it is not cached. Never TW_UNKNOWN for an open socket, unless the
   driver cannot be asked. */
enum tw_kind tw_kind(int fd);

/* Caches the kind of a descriptor that is the same socket as before. TW_UNKNOWN before it is closed. */
void tw_note(int fd, enum tw_kind kind);

/* Caches the kind of a new descriptor with its socket's cookie, which proves later that the number is still that socket's. */
void tw_note_socket(int fd, enum tw_kind kind, uint64_t cookie);

/* Gives a copy of a descriptor the note of its original. */
void tw_note_copy(int fd, int copy);

/* Called in the constructor. */
void tw_begin_process(void);

/* Whether memory and descriptors are this process's: not so in a child of vfork. Notices a child that another call than libc's fork has made. */
bool tw_is_own_memory(void);

/* Whether such a child can be noticed. */
bool tw_survives_clone(void);

/* Looks up a descriptor that has come from elsewhere (exec, SCM_RIGHTS): a datagram socket must be known before data moves. */
void tw_look(int fd);

static inline bool tw_is_stream(enum tw_kind kind) { return kind == TW_STREAM_FRESH || kind == TW_STREAM || kind == TW_LISTENER; }
static inline bool tw_is_datagram(enum tw_kind kind) { return kind >= TW_DATAGRAM_FRESH; }
static inline bool tw_is_ours(enum tw_kind kind) { return kind >= TW_STREAM_FRESH; }

/* ---- ended.c: sockets that have ended, and what calls on them give ---- */

enum tw_fact {
    /* A connect that did not wait has begun, and nobody has asked how it went. */
    TW_CONNECTING = 1,
    /* TCP_INQ is set: a message comes with the number of bytes that are left. */
    TW_TELLS_INQ = 2,
    /* UDP_SEGMENT is set: payloads are cut. */
    TW_CUTS_PAYLOADS = 4,
    /* IP_RECVERR is set: errors have a queue of their own. */
    TW_REPORTS_ERRORS = 8,
    /* UDP_CORK is set: what is sent waits for more. */
    TW_CORKS = 16,
    /* A datagram waits for more, and knows where it goes. */
    TW_WAITS_FOR_MORE = 32,
    /* Payloads are ICMP echo messages, and peers have no port. */
    TW_ECHOES = 64,
};

/* A new socket of this address family: what was told of the number before is forgotten. */
void tw_begin_told(int fd, int domain);

/* What is told of a descriptor holds for its copy. */
void tw_copy_told(int fd, int copy);

/* The socket's local address. Kept for the lowest descriptor numbers only; otherwise the wildcard address. */
void tw_tell_local(int fd, const struct tw_address *local);
void tw_told_local(int fd, struct tw_address *local);

void tw_tell(int fd, enum tw_fact fact, bool holds);
bool tw_is_told(int fd, enum tw_fact fact);

/* The other end of the pair is closed, or both directions are shut down. */
bool tw_is_hung_up(int fd);

/* An answer means that the driver, or its memory of this socket, is gone, while the application has the descriptor of a socket that has ended. */
bool tw_has_ended(int fd, int error);

/* Options as a closed socket of the kernel answers them. 0 or an errno. */
int tw_stand_in_set(int fd, int level, int name, const void *value, socklen_t length);
int tw_stand_in_get(int fd, int level, int name, void *value, socklen_t *length);

/* SO_ERROR, which it clears. */
int tw_take_error(int fd);

/* The stream has never been connected. Asks the driver only about one that this process has not connected. */
bool tw_is_unconnected(int fd, enum tw_kind kind);

/* What a failed call on a stream gives, errno being the kernel's. The pair knows EPIPE and ECONNRESET only: the driver is asked for the reason. As under Linux it is given once,
   by an errno and without a signal; after that, and where there is none, a sender gets EPIPE and, unless MSG_NOSIGNAL is among the flags, SIGPIPE. */
ssize_t tw_send_failed(int fd, int flags);
ssize_t tw_receive_failed(int fd);

/* ---- fork.c ---- */

/* The program has restricted its own system calls (seccomp): a call that it has not made itself may kill it. */
extern _Atomic bool tw_is_confined;

/* ---- memory.c: the application's pointers ---- */

/* UIO_MAXIOV, MAX_RW_COUNT, and net.core.optmem_max as Linux has it by default. */
#define TW_MOST_VECTORS 1024u
#define TW_MOST_BYTES 0x7ffff000ul
#define TW_MOST_CONTROL 131072u

/* Whether all of it is mapped and readable. Costs a system call for each page that the thread has not probed lately. A page that is unmapped meanwhile is not
   noticed. */
bool tw_can_read(const void *address, size_t length);

/* Copy between this library's memory and the application's. Bytes copied: fewer if the application's memory ends before. */
size_t tw_copy_in(void *to, const struct iovec *from, size_t count, size_t length);
size_t tw_copy_out(const struct iovec *to, size_t count, const void *from, size_t length);

/* Reads the length that a caller gives for a buffer. 0, EFAULT, or EINVAL for a negative one. */
int tw_read_length(const socklen_t *length, socklen_t *value);

/* Gives the caller a value, cut to the room there is, and its length. 0 or EFAULT. */
int tw_write_value(void *to, socklen_t room, socklen_t *length, const void *from, socklen_t whole, socklen_t said);

/* Checks a message or its vectors as Linux does for any socket. 0 or an errno; bytes is their total length, at most TW_MOST_BYTES. */
int tw_check_message(const struct msghdr *message, size_t *bytes);
int tw_check_vectors(const struct iovec *vectors, size_t count, size_t *bytes);

/* Checks the control messages of a message that is to be sent. */
int tw_check_control(const struct msghdr *message);

/* ---- route.c: which destinations are Tapwire's ---- */

/* Reads TAPWIRE_ROUTES. */
void tw_read_routes(void);

/* TAPWIRE_ROUTES names prefixes: whatever else there is, is the host's network. */
bool tw_has_routes(void);

/* Whether packets to this address go through Tapwire: all but loopback, or those that TAPWIRE_ROUTES names. */
bool tw_goes_by_tapwire(const struct sockaddr *address);

/* Likewise for a local address. A wildcard is Tapwire's. */
bool tw_binds_tapwire(const struct sockaddr *address);

/* ---- link.c: asking the driver ---- */

enum tw_request {
    TW_SOCKET = 1,
    TW_CONNECT = 2,
    TW_BIND = 3,
    TW_LISTEN = 4,
    TW_GET_SOCK_NAME = 5,
    TW_GET_PEER_NAME = 6,
    TW_SHUTDOWN = 7,
    TW_SET_OPTION = 9,
    TW_GET_OPTION = 10,
    TW_SESSION = 11,
    TW_PATH = 12,
    TW_LIST_INTERFACES = 25,
    TW_POST_OPTION = 28,
    TW_RESOLVE = 29,
};

struct tw_header {
    uint32_t length;
    uint16_t type;
    uint16_t zero;
    uint32_t id;
    int32_t error;
};

/* An answer's body. */
struct tw_answer {
    uint32_t length;
    int descriptor; /* -1, or the caller's */
    uint8_t body[1024];
};

/* Reads TAPWIRE_LINK, or finds the default path. */
void tw_find_link(void);

/* The inode of this user namespace; 0 in the initial one. */
unsigned long tw_user_namespace(void);

/* Sends a request and waits for its answer. 0, or an errno: the driver's; ENETDOWN if there is no driver, or it does not answer within ten seconds; EACCES if the
   listener is not to be trusted; the kernel's if memory or descriptors are short. A signal does not end it, since the calls that need it never fail with EINTR. */
int tw_ask(struct tw_header *request, uint32_t length, enum tw_request type, struct tw_answer *answer);

/* Likewise for a request whose answer takes as long as the network does. EINTR if a signal handler without SA_RESTART has run; ETIMEDOUT after the given
   milliseconds (-1: never). The driver goes on with the request. */
int tw_ask_patiently(struct tw_header *request, uint32_t length, enum tw_request type, struct tw_answer *answer, int milliseconds);

/* connect(); no_wait: as if the descriptor were non-blocking. */
int tw_connect(int fd, const struct sockaddr *to, socklen_t length, bool no_wait);

/* Waits for the handshake of a connection that may be written before it is done (Fast Open). 0, or the errno of its failure. */
int tw_await_handshake(int fd);

/* ---- control.c: the connections to the driver ---- */

/* A child begins without its parent's connections. */
void tw_begin_child(void);

/* Connects if the process has no connection yet: it may be about to lose the driver's path. */
void tw_keep_reach(void);

/* ---- fork.c ---- */

/* Makes sure that children of fork can reach the driver, wherever they go. */
void tw_watch_forks(void);

/* Makes a child by a system call like fork. */
long tw_fork_by(long number, long a, long b, long c, long d, long e, long f);

/* Whether the driver's path may lead nowhere after this system call. */
bool tw_loses_path(long number, long first);

/* ---- exec.c ---- */

/* Notes which variables make a program Tapwire's, and takes over the connection that the program before this one has left. */
void tw_begin_program(void);

/* poll for one descriptor, or for none if it is negative. Not intercepted, and no cancellation point. */
int tw_poll(int fd, short *events, int milliseconds);

/* The socket's name in requests. 0 if the descriptor is no socket, or not open: errno says which. */
uint64_t tw_handle(int fd);

/* Requests with a handle only, and with a handle and a number. */
int tw_ask_number(int fd, enum tw_request type, int number, struct tw_answer *answer);
/* The value is in this library's memory. */
int tw_get_option(int fd, int level, int name, void *value, socklen_t *length);

/* The value is in the application's memory. */
int tw_set_option(int fd, int level, int name, const void *value, socklen_t length);

/* LinkOption.Link and its names: SIOCOUTQ, SIOCOUTQNSD and MCAST_MSFILTER. */
#define TW_LEVEL 0x5457
#define TW_OUTPUT_QUEUE 1
#define TW_UNSENT_QUEUE 2
#define TW_GROUP_FILTER 3

/* LinkProtocol.MaxOptionValue. */
#define TW_LONGEST_OPTION 512u

/* ---- trust.c ---- */

/* Whether the listener's process is root's or this user's, or that of another user whose socket nobody else can have put there. */
bool tw_trusts_driver(int fd, const char *path);

/* ---- address.c ---- */

/* Converts an application's address to the link's layout. 0 or an errno. */
int tw_address_in(const struct sockaddr *address, socklen_t length, struct tw_address *result);

/* As a destination, the wildcard stands for the loopback address in Linux. */
void tw_name_loopback(struct tw_address *address);

/* Converts a link's address for an application, cut to the room there is, as the kernel does. Returns the full length. */
socklen_t tw_address_out(const struct tw_address *address, struct sockaddr *result, socklen_t room);

/* ---- host.c: sockets that go to the host's network after all ---- */

/* Remembers an option that was set on a socket that may still become the host's. The value is in the application's memory. */
void tw_remember_option(int fd, int level, int name, const void *value, socklen_t length);

/* Replaces the descriptor, and its copies in this process, by a socket of the host, with the same flags, options and epoll registrations. 0 or an errno. */
int tw_become_host(int fd, enum tw_kind kind);

/* ---- ancillary.c: the control messages of datagrams ---- */

/* The parts of an extension, as in Links/Protocol/DatagramExtension.cs. */
enum tw_part {
    TW_PART_PKTINFO = 1,
    TW_PART_PKTINFO_V6 = 2,
    TW_PART_TTL = 4,
    TW_PART_TOS = 8,
    TW_PART_ORIGDST = 0x10,
    TW_PART_SEGMENT = 0x40,
    TW_PART_DROPS = 0x80,
    TW_PART_STAMP = 0x100,
    TW_PART_STAMP_NS = 0x200,
    TW_PART_STAMPING = 0x400,
    TW_PART_STAMP_NEW = 0x800,
    TW_PART_STAMP_NS_NEW = 0x1000,
    TW_PART_STAMPING_NEW = 0x2000,
    TW_PART_MORE = 0x4000,
    TW_PART_HOPLIMIT_V6 = 0x8000,
    TW_PART_TCLASS_V6 = 0x10000,
    TW_PART_ORIGDST_V6 = 0x20000,
};

/* What stands between address and payload of a message whose family has the bit TW_EXTENDED. Addresses are IPv6, or mapped. */
struct tw_extension {
    uint32_t parts;
    int32_t interface;
    uint8_t destination[16]; /* of an error: who has reported it */
    uint8_t local[16];       /* of an error: where the datagram was sent to */
    uint8_t ttl;             /* of an error: the ICMP type */
    uint8_t tos;             /* of an error: the ICMP code */
    uint16_t segment;        /* of an error: SO_EE_ORIGIN */
    uint16_t port;           /* in network order */
    uint16_t family;         /* of an error: the socket's */
    uint32_t drops;          /* of an error: TTL and TOS of the ICMP message */
    uint32_t mtu;
    int64_t stamp;
};

#define TW_EXTENDED 0x8000u

/* Reads the control messages of a message that is sent, which tw_check_control has checked. 0 or the errno of Linux; parts is 0 if they ask for nothing. */
int tw_control_in(const struct msghdr *message, struct tw_extension *extension);

/* Gives the application the control messages of a datagram: within msg_controllen, which then is what they take. Sets MSG_CTRUNC if there is no room. */
void tw_control_out(struct msghdr *message, const struct tw_extension *extension);

/* Remembers an error for recvmsg(MSG_ERRQUEUE), with what is known of the datagram's payload. The oldest one is forgotten if there are too many. */
void tw_keep_report(int fd, int error, const struct tw_extension *extension, const void *payload, size_t length);

/* Whether errors of any socket, or of this one, are remembered. */
bool tw_has_reports(void);
bool tw_has_report(int fd);

/* Takes the oldest remembered error of the socket. False if there is none. length is the room, and then the length, of the payload. */
bool tw_take_report(int fd, int *error, struct tw_extension *extension, void *payload, size_t *length);

/* Fills what recvmsg(MSG_ERRQUEUE) returns beside the payload: the address that the datagram was sent to, and the IP_RECVERR message. 0 or an errno. */
int tw_report_out(struct msghdr *message, int error, const struct tw_extension *extension);

/* ---- datagram.c ---- */

/* An option has changed how long datagrams may be. */
void tw_forget_paths(void);

/* Sends a message that has been checked; bytes is its length. ENOTSOCK: the descriptor is not Tapwire's any more. */
ssize_t tw_datagram_send(int fd, const struct msghdr *message, size_t bytes, int flags);
ssize_t tw_datagram_receive(int fd, struct msghdr *message, size_t bytes, int flags);

/* Whether the next message on the pair is an error. */
bool tw_datagram_has_error(int fd);

/* FIONREAD: the length of the next datagram, 0 if there is none. -1 and errno if the descriptor is not Tapwire's any more. */
int tw_datagram_waiting(int fd);

/* ---- wait.c ---- */

/* Whether the socket has IP_RECVERR. */
void tw_tell_reports(int fd, bool holds);

/* ---- interface.c ---- */

/* Whether there is an interface with this index and IPv4 address; 0 stands for any. True as well if the driver does not tell. */
bool tw_has_interface(uint32_t index, const struct in_addr *address);

/* An ioctl about interfaces on a socket of Tapwire's. False: it is about something else. */
bool tw_interface_ioctl(unsigned long request, void *argument, int *result);

/* Whether a datagram may leave from an address, 16 bytes with an IPv4 one mapped: it is the driver's, of loopback, or none; with TAPWIRE_ROUTES, or if the driver does not tell, true. */
bool tw_is_source(const uint8_t *address);

/* Whether an interface of the driver's has an address of this family; with TAPWIRE_ROUTES, or if the driver does not tell, true. */
bool tw_has_family(int family);

/* Sets errno and returns -1, or returns 0. */
int tw_result(int error);

#endif
