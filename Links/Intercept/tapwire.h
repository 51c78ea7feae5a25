/* What the parts of libtapwire.so share. docs/link-protocol.md describes the link that they speak. */
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

/* libc's function of that name, or that of the next library. It is looked up once: in the library's constructor, or by a call that comes before it. */
#define REAL(name) ((__typeof__(&name))tw_next(&tw_next_##name, #name))
#define DEFINE_REAL(name) static _Atomic(void *) tw_next_##name;

static inline void *tw_next(_Atomic(void *) *known, const char *name)
{
    void *function = *known;
    if (function == NULL)
        *known = function = dlsym(RTLD_NEXT, name);
    return function;
}

/* ---- descriptor.c: which descriptors are Tapwire's ---- */

enum tw_kind {
    /* Not looked at yet, or not a socket. */
    TW_UNKNOWN,
    /* A socket of somebody else's. */
    TW_FOREIGN,
    /* A stream that no connect() has been tried on. */
    TW_STREAM_FRESH,
    /* Any other stream; it may be a listener that this process has inherited. */
    TW_STREAM,
    TW_LISTENER,
    /* A datagram socket that has neither been connected nor sent anything: it can still become a socket of the host's. */
    TW_DATAGRAM_FRESH,
    TW_DATAGRAM,
    /* One that has a peer. */
    TW_DATAGRAM_CONNECTED,
};

/* What is known without asking anybody. Costs no system call. */
enum tw_kind tw_known(int fd);

/* Finds out, by way of the descriptor itself and the driver, where it is not known. Never TW_UNKNOWN for an open socket. */
enum tw_kind tw_kind(int fd);

/* Notes what a descriptor is from now on; TW_UNKNOWN before it is closed. */
void tw_note(int fd, enum tw_kind kind);

/* In the constructor, and in a child of fork: its notes are its own. */
void tw_begin_process(void);

/* Looks at a descriptor that has come from elsewhere (exec, SCM_RIGHTS): a datagram socket must be known before the first byte moves. */
void tw_look(int fd);

static inline bool tw_is_stream(enum tw_kind kind) { return kind == TW_STREAM_FRESH || kind == TW_STREAM || kind == TW_LISTENER; }
static inline bool tw_is_datagram(enum tw_kind kind) { return kind >= TW_DATAGRAM_FRESH; }
static inline bool tw_is_ours(enum tw_kind kind) { return kind >= TW_STREAM_FRESH; }

/* ---- memory.c: the application's pointers ---- */

/* UIO_MAXIOV, MAX_RW_COUNT, and net.core.optmem_max as Linux has it by default. */
#define TW_MOST_VECTORS 1024u
#define TW_MOST_BYTES 0x7ffff000ul
#define TW_MOST_CONTROL 131072u

/* Whether all of it is mapped and may be read: a system call for each page that this thread has not asked about lately. What is unmapped meanwhile is not noticed. */
bool tw_can_read(const void *address, size_t length);

/* Copies between this library's memory and the application's. Bytes copied: fewer where the application's ends before. */
size_t tw_copy_in(void *to, const struct iovec *from, size_t count, size_t length);
size_t tw_copy_out(const struct iovec *to, size_t count, const void *from, size_t length);

/* The room that a caller says there is. 0, EFAULT, or EINVAL for a negative one. */
int tw_read_length(const socklen_t *length, socklen_t *value);

/* Gives a caller a value, cut to his room, and says how long it is. 0 or EFAULT. */
int tw_write_value(void *to, socklen_t room, socklen_t *length, const void *from, socklen_t whole, socklen_t said);

/* What Linux finds wrong with a message or its vectors whatever the socket is: 0 or an errno. The bytes that they have room for, at most TW_MOST_BYTES. */
int tw_check_message(const struct msghdr *message, size_t *bytes);
int tw_check_vectors(const struct iovec *vectors, size_t count, size_t *bytes);

/* Likewise with the control messages of one that is to be sent. */
int tw_check_control(const struct msghdr *message);

/* ---- route.c: which destinations are Tapwire's ---- */

/* Reads TAPWIRE_ROUTES. */
void tw_read_routes(void);

/* Whether packets to this address go by Tapwire: all but loopback, or what TAPWIRE_ROUTES names. */
bool tw_goes_by_tapwire(const struct sockaddr *address);

/* As above for a local address: a wildcard is Tapwire's. */
bool tw_binds_tapwire(const struct sockaddr *address);

/* ---- link.c: asking the driver ---- */

/* An address as it crosses the link: sockaddr_in6, or sockaddr_in and zeros. */
struct tw_address {
    uint8_t bytes[28];
};

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

/* Reads TAPWIRE_LINK, or finds the path that the driver of this user has when it is not told otherwise. */
void tw_find_link(void);

/* The inode of this user namespace; 0 in the one that the machine starts with. */
unsigned long tw_user_namespace(void);

/* Sends a request and waits for its answer. 0, or an errno: the driver's; ENETDOWN if there is none, or none that answers within ten seconds; EACCES if what
   listens is not to be trusted; what the kernel says when it has no memory or descriptors. A signal does not end it: these calls know no EINTR. */
int tw_ask(struct tw_header *request, uint32_t length, enum tw_request type, struct tw_answer *answer);

/* As above for a request whose answer takes as long as the network does: EINTR if a signal handler has run that does not restart calls, ETIMEDOUT after
   the given milliseconds (-1: never). The driver goes on with it. */
int tw_ask_patiently(struct tw_header *request, uint32_t length, enum tw_request type, struct tw_answer *answer, int milliseconds);

/* connect(); no_wait: as if the descriptor were non-blocking. */
int tw_connect(int fd, const struct sockaddr *to, socklen_t length, bool no_wait);

/* Waits for the handshake of a connection that Fast Open has let the program write to already. 0, or the errno of its failure. */
int tw_await_handshake(int fd);

/* Sees to it that children of fork can reach the driver, whoever they run as. */
void tw_watch_forks(void);

/* poll for one descriptor (none if negative): not intercepted, no point of cancellation. */
int tw_poll(int fd, short *events, int milliseconds);

/* The name of a socket in requests. 0 if the descriptor is no socket, or none at all: then errno says which. */
uint64_t tw_handle(int fd);

/* Requests that consist of a handle, and perhaps a number. */
int tw_ask_number(int fd, enum tw_request type, int number, struct tw_answer *answer);
/* The value is this library's own memory. */
int tw_get_option(int fd, int level, int name, void *value, socklen_t *length);

/* The value is the application's. */
int tw_set_option(int fd, int level, int name, const void *value, socklen_t length);

/* LinkProtocol.MaxOptionValue. */
#define TW_LONGEST_OPTION 512u

/* ---- trust.c ---- */

/* Whether the connected descriptor's other end is root's or this user's own, or that of a user in whose place nobody else can have put a socket. */
bool tw_trusts_driver(int fd, const char *path);

/* ---- address.c ---- */

/* An application's address for the link. 0 or an errno. */
int tw_address_in(const struct sockaddr *address, socklen_t length, struct tw_address *result);

/* The link's address for an application: cut to the room there is, as the kernel does. Bytes of the whole. */
socklen_t tw_address_out(const struct tw_address *address, struct sockaddr *result, socklen_t room);

/* ---- host.c: back to the host's network ---- */

/* Makes the descriptor a socket of the host's, with the flags, options and epoll registrations that it has. 0 or an errno. */
int tw_become_host(int fd, enum tw_kind kind);

/* ---- datagram.c ---- */

/* A message, and its bytes, that have been checked. ENOTSOCK: the descriptor is none of ours any more. */
ssize_t tw_datagram_send(int fd, const struct msghdr *message, size_t bytes, int flags);
ssize_t tw_datagram_receive(int fd, struct msghdr *message, size_t bytes, int flags);

/* Bytes of the next datagram, 0 if none is there: FIONREAD. -1 and errno if the descriptor is none of ours any more. */
int tw_datagram_waiting(int fd);

/* Sets errno and returns -1, or returns 0. */
int tw_result(int error);

#endif
