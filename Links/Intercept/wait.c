/*
 * poll and ppoll: what waits on the pair is one queue, and the kernel calls an error in it readable. Sockets with IP_RECVERR show it as POLLERR, by which programs know that
 * recvmsg(MSG_ERRQUEUE) has something for them. In a process without such sockets the calls go straight to libc.
 */
#define _GNU_SOURCE
#include "tapwire.h"

#include <errno.h>
#include <poll.h>

extern int __poll_chk(struct pollfd *entries, nfds_t count, int milliseconds, size_t size);
extern int __ppoll_chk(struct pollfd *entries, nfds_t count, const struct timespec *timeout, const sigset_t *signals, size_t size);

DEFINE_REAL(poll)
DEFINE_REAL(ppoll)
DEFINE_REAL(__poll_chk)
DEFINE_REAL(__ppoll_chk)

static _Atomic bool any_reports;

void tw_tell_reports(int fd, bool holds)
{
    tw_tell(fd, TW_REPORTS_ERRORS, holds);
    if (holds)
        any_reports = true;
}

static bool reports(const struct pollfd *entry) { return tw_is_told(entry->fd, TW_REPORTS_ERRORS) && tw_is_datagram(tw_known(entry->fd)); }

/* An error whose errno was returned already still waits to be fetched, and there is nothing to wait for. */
static bool is_due(const struct pollfd *entries, nfds_t count)
{
    if (!tw_has_reports() || count > TW_MOST_VECTORS || !tw_can_read(entries, count * sizeof *entries))
        return false;
    for (nfds_t i = 0; i < count; i++)
        if (reports(&entries[i]) && tw_has_report(entries[i].fd))
            return true;
    return false;
}

/* Marks the errors among what poll has found. Returns how many entries have something to tell. */
static int mark(struct pollfd *entries, nfds_t count, int ready)
{
    if (ready < 0)
        return ready;
    for (nfds_t i = 0; i < count; i++) {
        if (!reports(&entries[i]))
            continue;
        bool is_next = tw_datagram_has_error(entries[i].fd);
        if (!is_next && !tw_has_report(entries[i].fd))
            continue;
        ready += entries[i].revents == 0;
        if (is_next)
            entries[i].revents &= (short)~(POLLIN | POLLRDNORM);
        entries[i].revents |= POLLERR;
    }

    return ready;
}

static const struct timespec at_once;

EXPORT int poll(struct pollfd *entries, nfds_t count, int milliseconds)
{
    if (!any_reports)
        return REAL(poll)(entries, count, milliseconds);
    return mark(entries, count, REAL(poll)(entries, count, is_due(entries, count) ? 0 : milliseconds));
}

EXPORT int ppoll(struct pollfd *entries, nfds_t count, const struct timespec *timeout, const sigset_t *signals)
{
    if (!any_reports)
        return REAL(ppoll)(entries, count, timeout, signals);
    return mark(entries, count, REAL(ppoll)(entries, count, is_due(entries, count) ? &at_once : timeout, signals));
}

/* What programs call that were compiled with _FORTIFY_SOURCE. */
EXPORT int __poll_chk(struct pollfd *entries, nfds_t count, int milliseconds, size_t size)
{
    if (!any_reports)
        return REAL(__poll_chk)(entries, count, milliseconds, size);
    return mark(entries, count, REAL(__poll_chk)(entries, count, is_due(entries, count) ? 0 : milliseconds, size));
}

EXPORT int __ppoll_chk(struct pollfd *entries, nfds_t count, const struct timespec *timeout, const sigset_t *signals, size_t size)
{
    if (!any_reports)
        return REAL(__ppoll_chk)(entries, count, timeout, signals, size);
    return mark(entries, count, REAL(__ppoll_chk)(entries, count, is_due(entries, count) ? &at_once : timeout, signals, size));
}
