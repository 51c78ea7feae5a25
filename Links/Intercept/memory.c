/* Access to the application's memory. A bad pointer must fail the call with EFAULT, not kill the program, so the kernel is asked what is mapped. */
#define _GNU_SOURCE
#include "syscall.h"
#include "tapwire.h"

#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

/* The smallest page size. */
#define PAGE 4096ul

/* Bytes that rt_sigprocmask reads before it looks at its first argument. */
#define PROBE sizeof(uint64_t)

/* Probes one page. rt_sigprocmask reads the set, and fails with EFAULT if it cannot; then it refuses the invalid operation -1, so that it changes nothing. It never
   waits. NULL would mean that there is no set, so the first page never counts as readable. */
static bool is_there(uintptr_t address)
{
    return address >= PAGE && (RAW(rt_sigprocmask, -1, address & ~(PROBE - 1), NULL, PROBE) == 0 || errno != EFAULT);
}

/* A cache of readable pages, for each thread: a probe costs as much as sending, and messages and addresses are mostly where the last ones were. A page that is
   unmapped afterwards is not noticed. */
#define FOUND 16
static __thread uintptr_t found[FOUND] __attribute__((tls_model("initial-exec")));

static bool can_read_page(uintptr_t address)
{
    uintptr_t page = address & ~(PAGE - 1), *known = &found[address / PAGE % FOUND];
    if (*known != page && is_there(address))
        *known = page;
    return *known == page && page != 0;
}

bool tw_can_read(const void *address, size_t length)
{
    uintptr_t at = (uintptr_t)address, last = at + length - 1;
    int before = errno;
    bool readable = length == 0 || last >= at;
    for (; readable && length > 0 && at <= last; at = (at | (PAGE - 1)) + 1) {
        readable = can_read_page(at);
        if ((at | (PAGE - 1)) == UINTPTR_MAX)
            break;
    }

    errno = before;
    return readable;
}

/* A sandbox may forbid these calls: then the memory is accessed without them. */
static bool is_forbidden(long result) { return result < 0 && (errno == ENOSYS || errno == EPERM); }

/* Copies between this library's memory and the caller's vectors, up to the first byte that cannot be accessed. Bytes copied. */
static size_t copy(void *own, const struct iovec *vectors, size_t count, size_t length, bool is_in)
{
    int before = errno;
    struct iovec local = { .iov_base = own, .iov_len = length };
    long copied = length == 0 ? 0
        : is_in ? RAW(process_vm_readv, getpid(), &local, 1, vectors, count, 0)
        : RAW(process_vm_writev, getpid(), &local, 1, vectors, count, 0);
    if (is_forbidden(copied)) {
        copied = 0;
        for (size_t i = 0; i < count && length > 0; i++) {
            size_t some = vectors[i].iov_len < length ? vectors[i].iov_len : length;
            if (some == 0)
                continue;
            uint8_t *at = (uint8_t *)own + copied;
            if (is_in)
                memcpy(at, vectors[i].iov_base, some);
            else
                memcpy(vectors[i].iov_base, at, some);
            copied += (long)some;
            length -= some;
        }
    }

    errno = before;
    return copied < 0 ? 0 : (size_t)copied;
}

size_t tw_copy_in(void *to, const struct iovec *from, size_t count, size_t length) { return copy(to, from, count, length, true); }

size_t tw_copy_out(const struct iovec *to, size_t count, const void *from, size_t length) { return copy((void *)from, to, count, length, false); }

int tw_read_length(const socklen_t *length, socklen_t *value)
{
    struct iovec vector = { .iov_base = (void *)length, .iov_len = sizeof *value };
    if (tw_copy_in(value, &vector, 1, sizeof *value) != sizeof *value)
        return EFAULT;
    return (int)*value < 0 ? EINVAL : 0;
}

int tw_write_value(void *to, socklen_t room, socklen_t *length, const void *from, socklen_t whole, socklen_t said)
{
    socklen_t bytes = room < whole ? room : whole;
    struct iovec value = { .iov_base = to, .iov_len = bytes };
    struct iovec number = { .iov_base = length, .iov_len = sizeof said };
    return tw_copy_out(&value, 1, from, bytes) != bytes || tw_copy_out(&number, 1, &said, sizeof said) != sizeof said ? EFAULT : 0;
}

int tw_check_vectors(const struct iovec *vectors, size_t count, size_t *bytes)
{
    *bytes = 0;
    if (!tw_can_read(vectors, count * sizeof *vectors))
        return EFAULT;
    for (size_t i = 0; i < count; i++) {
        if ((ssize_t)vectors[i].iov_len < 0)
            return EINVAL;
        *bytes += vectors[i].iov_len < TW_MOST_BYTES - *bytes ? vectors[i].iov_len : TW_MOST_BYTES - *bytes;
    }

    return 0;
}

int tw_check_message(const struct msghdr *message, size_t *bytes)
{
    if (!tw_can_read(message, sizeof *message))
        return EFAULT;
    if (message->msg_name != NULL && (int)message->msg_namelen < 0)
        return EINVAL;
    return message->msg_iovlen > TW_MOST_VECTORS ? EMSGSIZE : tw_check_vectors(message->msg_iov, message->msg_iovlen, bytes);
}

int tw_check_control(const struct msghdr *message)
{
    const uint8_t *at = message->msg_control;
    size_t left = message->msg_control == NULL ? 0 : message->msg_controllen;
    if (left >= TW_MOST_CONTROL)
        return ENOBUFS;
    if (!tw_can_read(at, left))
        return EFAULT;
    while (left >= sizeof(struct cmsghdr)) {
        size_t length = ((const struct cmsghdr *)at)->cmsg_len;
        if (length < sizeof(struct cmsghdr) || length > left)
            return EINVAL;
        size_t step = CMSG_ALIGN(length);
        if (step >= left)
            break;
        at += step;
        left -= step;
    }

    return 0;
}
