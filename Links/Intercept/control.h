/* The control connections of this process, for control.c, link.c, fork.c and exec.c. */
#ifndef TAPWIRE_CONTROL_H
#define TAPWIRE_CONTROL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/un.h>

/* How long the driver may take to answer a request that it normally answers at once. The kernel's own calls would not wait at all. */
#define ANSWER_MS 10000

/* The same within calls that must be quick even when the driver hangs: fork, exec, setuid. */
#define BRIEF_MS 1000

/* path.c: the driver's path. Its sun_path is empty if there is none. */
extern struct sockaddr_un tw_link_address;

struct connection {
    int fd;
    uint64_t cookie;
    int slot; /* -1: to be closed after its use */
    bool is_new;
};

/* Takes an idle connection, or makes one. 0 or the errno for the application. */
int tw_take(struct connection *c, int limit);

/* Ends the use of a connection that works. */
void tw_give_back(struct connection c);

/* Closes a connection that does not. */
void tw_drop(struct connection c);

/* link.c: another driver may listen now, and what was found out about the last one is forgotten. */
void tw_meet_driver(void);

/* Whether nobody is using a connection. */
bool tw_none_is_busy(void);

/* Whether nobody could take a connection without waiting or making one. */
bool tw_none_is_idle(void);

/* Adopts a connected descriptor on which nothing has been sent: says hello, and keeps it as an idle connection, whose first user reads the driver's hello.
   Close-on-exec, in a high number. False if it does not work; the descriptor is then closed. */
bool tw_adopt(int fd);

/* Connects to the driver's path, and sends nothing yet. -1 and errno. */
int tw_reach(int limit);

/* Asks on a connection for another one. A descriptor on which nothing has been sent, or -1. */
int tw_ask_for_session(struct connection c, int limit);

/* Likewise, on any connection of the process. */
int tw_another_session(int limit);

/* Whether this process, or the one that it was forked from, has ever reached the driver. */
extern _Atomic bool tw_in_use;

/* Whether the driver's path may lead nowhere for this process: after chroot, setuid and their like, or where it has failed. */
extern _Atomic bool tw_is_away;

/* The driver's user, who can always connect by the path. */
extern _Atomic unsigned tw_driver_user;

/* Whether the number is that of a control connection now. */
bool tw_is_control(int fd);

/* The lowest control connection's number from here on, or -1. */
int tw_next_control(int from);

/* Sends all, or receives exactly that many bytes with the descriptor that comes with the first. False and errno; EAGAIN after the connection's time-out. */
bool tw_send_all(int fd, const void *bytes, size_t length, long deadline);
bool tw_receive_all(int fd, void *bytes, size_t length, int *descriptor, long deadline);

/* Sets the time-out of sending, receiving and connecting, which then fail with EAGAIN. 0: none. */
void tw_limit_waits(int fd, int milliseconds);

long tw_now_ms(void);

#endif
