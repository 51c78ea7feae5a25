/* Looks up names in all ways that libc has, and prints what comes of it: the same on the kernel with libc's own resolver, and on Tapwire with the driver's. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int by_text(const void *one, const void *other) { return strcmp(*(char *const *)one, *(char *const *)other); }

static void print_sorted(char **lines, int count)
{
    qsort(lines, count, sizeof *lines, by_text);
    for (int i = 0; i < count; i++) {
        printf("    %s\n", lines[i]);
        free(lines[i]);
    }
}

static void look(const char *name, const char *service, int family, int type, int flags)
{
    struct addrinfo hints = { .ai_family = family, .ai_socktype = type, .ai_flags = flags }, *list = (struct addrinfo *)1;
    char *lines[256];
    int count = 0, error = getaddrinfo(name, service, &hints, &list);
    printf("getaddrinfo %s %s family %d type %d flags %#x: %s\n", name ? name : "-", service ? service : "-", family, type, flags, error ? gai_strerror(error) : "found");
    if (error != 0)
        return;
    for (struct addrinfo *each = list; each != NULL && count < 256; each = each->ai_next) {
        char host[64], port[16];
        getnameinfo(each->ai_addr, each->ai_addrlen, host, sizeof host, port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV);
        asprintf(&lines[count++], "%s %s family %d type %d protocol %d length %d", host, port, each->ai_family,
            each->ai_socktype, each->ai_protocol, (int)each->ai_addrlen);
    }

    printf("    canonical name: %s\n", list->ai_canonname ? list->ai_canonname : "-");
    print_sorted(lines, count);
    freeaddrinfo(list);
}

static void print_entry(const char *what, const char *of, const struct hostent *entry, int reason)
{
    char *lines[64];
    int count = 0;
    printf("%s %s: %s\n", what, of, entry ? entry->h_name : hstrerror(reason));
    for (int i = 0; entry != NULL && entry->h_addr_list[i] != NULL && count < 64; i++) {
        char text[64];
        inet_ntop(entry->h_addrtype, entry->h_addr_list[i], text, sizeof text);
        asprintf(&lines[count++], "%s length %d", text, entry->h_length);
    }

    print_sorted(lines, count);
}

static void name_of(const char *address, int flags, size_t room)
{
    struct sockaddr_in end = { .sin_family = AF_INET, .sin_port = htons(80) };
    char host[256] = "", service[32] = "";
    inet_pton(AF_INET, address, &end.sin_addr);
    int error = getnameinfo((struct sockaddr *)&end, sizeof end, host, room, service, sizeof service, flags);
    printf("getnameinfo %s flags %#x room %d: %s %s %s\n", address, flags, (int)room, error ? gai_strerror(error) : "found", error ? "" : host, error ? "" : service);
}

int main(void)
{
    static const char *const names[] = { "www.tapwire.test", "WWW.Tapwire.TEST", "alias.tapwire.test", "v4.tapwire.test", "none.tapwire.test", "elsewhere.test", "a..b", "10.99.0.1", "fd00::5", "10.1" };
    static const int families[] = { AF_UNSPEC, AF_INET, AF_INET6 };
    struct hostent *entry;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        for (int f = 0; f < 3; f++)
            look(names[i], NULL, families[f], SOCK_STREAM, 0);
        entry = gethostbyname(names[i]);
        print_entry("gethostbyname", names[i], entry, h_errno);
        entry = gethostbyname2(names[i], AF_INET6);
        print_entry("gethostbyname2 6", names[i], entry, h_errno);
    }

    look("www.tapwire.test", "80", AF_UNSPEC, 0, 0);
    look("www.tapwire.test", "http", AF_INET, SOCK_STREAM, AI_CANONNAME);
    look("alias.tapwire.test", "53", AF_INET, SOCK_DGRAM, AI_CANONNAME);
    look("www.tapwire.test", "nonsense", AF_INET, SOCK_STREAM, 0);
    look("www.tapwire.test", "http", AF_INET, SOCK_STREAM, AI_NUMERICSERV);
    look("www.tapwire.test", "80", AF_INET, SOCK_STREAM, AI_NUMERICHOST);
    look("www.tapwire.test", "80", AF_UNIX, SOCK_STREAM, 0);
    look("www.tapwire.test", "80", AF_INET, 77, 0);
    look("www.tapwire.test", "80", AF_INET, SOCK_STREAM, 0x10000000);
    look("v4.tapwire.test", "80", AF_INET6, SOCK_STREAM, AI_V4MAPPED);
    look("www.tapwire.test", "80", AF_INET6, SOCK_STREAM, AI_V4MAPPED);
    look("www.tapwire.test", "80", AF_INET6, SOCK_STREAM, AI_V4MAPPED | AI_ALL);
    look(NULL, "80", AF_INET, SOCK_STREAM, AI_PASSIVE);
    look(NULL, "80", AF_INET, SOCK_STREAM, 0);
    look(NULL, NULL, AF_INET, SOCK_STREAM, 0);
    look("localhost", "80", AF_INET, SOCK_STREAM, 0);

    name_of("10.99.0.1", 0, 256);
    name_of("10.99.0.1", NI_NUMERICSERV, 256);
    name_of("10.99.0.1", NI_NUMERICHOST, 256);
    name_of("10.99.0.1", NI_NAMEREQD, 256);
    name_of("10.99.0.1", 0, 4);
    name_of("192.0.2.222", 0, 256);
    name_of("192.0.2.222", NI_NAMEREQD, 256);
    name_of("198.51.100.1", 0, 256);
    name_of("198.51.100.1", NI_NAMEREQD, 256);

    struct in_addr known = { htonl(0x0A630001) }, unknown = { htonl(0xC00002DE) };
    entry = gethostbyaddr(&known, 4, AF_INET);
    print_entry("gethostbyaddr", "10.99.0.1", entry, h_errno);
    entry = gethostbyaddr(&unknown, 4, AF_INET);
    print_entry("gethostbyaddr", "192.0.2.222", entry, h_errno);

    struct hostent own, *result = &own;
    char buffer[1024];
    int reason = 0, error = gethostbyname_r("www.tapwire.test", &own, buffer, 8, &result, &reason);
    printf("gethostbyname_r without room: %s, %s\n", strerror(error), result ? "found" : "nothing");
    error = gethostbyname_r("www.tapwire.test", &own, buffer, sizeof buffer, &result, &reason);
    print_entry("gethostbyname_r", strerror(error), result, reason);
    error = gethostbyname_r("none.tapwire.test", &own, buffer, sizeof buffer, &result, &reason);
    print_entry("gethostbyname_r", "none", result, reason);
    error = gethostbyaddr_r(&known, 4, AF_INET, &own, buffer, sizeof buffer, &result, &reason);
    print_entry("gethostbyaddr_r", strerror(error), result, reason);
    return 0;
}
