/* Looks at a program's file: whether the library will be in it when it runs. */
#define _GNU_SOURCE
#include "program.h"
#include "syscall.h"
#include "tapwire.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

/* Linux follows that many interpreters of scripts. */
#define MOST_INTERPRETERS 5

/* How much of a file is read at once: a script's first line, or most program headers. Programs may be started on small stacks. */
#define HEAD 1024

/* The longest run of notes that is looked at. */
#define MOST_NOTES 1024

/* Of the Go linker: the owner and the type of the note with the build id. */
#define GO_OWNER "Go\0"
#define GO_BUILD_ID 4

#if defined(__x86_64__)
#define OWN_MACHINE EM_X86_64
#define OWN_LOADER "ld-linux-x86-64.so.2"
#elif defined(__aarch64__)
#define OWN_MACHINE EM_AARCH64
#define OWN_LOADER "ld-linux-aarch64.so.1"
#endif

/* The reasons are in the words of BypassCheck.cs, which looks at the first program. */
__attribute__((format(printf, 2, 3))) static void explain(struct tw_program *program, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(program->reason, sizeof program->reason, format, arguments);
    va_end(arguments);
}

static const char *last_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL ? path : slash + 1;
}

static bool read_at(int fd, void *to, size_t length, off_t at) { return RAW(pread64, fd, to, length, at) == (long)length; }

/* The name of the loader of this program, which is that of the C library that this library is for. Empty if it is unknown. */
static void own_loader(char *name, size_t room)
{
    *name = 0;
    const ElfW(Phdr) *header = NULL;
    unsigned long count = getauxval(AT_PHNUM);
    header = (const ElfW(Phdr) *)getauxval(AT_PHDR);
    uintptr_t base = 0;
    for (unsigned long i = 0; header != NULL && i < count; i++)
        if (header[i].p_type == PT_PHDR)
            base = (uintptr_t)header - header[i].p_vaddr;
    for (unsigned long i = 0; header != NULL && i < count; i++)
        if (header[i].p_type == PT_INTERP)
            snprintf(name, room, "%s", last_name((const char *)(base + header[i].p_vaddr)));
    if (*name == 0)
        snprintf(name, room, OWN_LOADER);
}

static bool has_go_note(int fd, const ElfW(Phdr) *header)
{
    uint8_t notes[MOST_NOTES];
    size_t length = header->p_filesz < sizeof notes ? header->p_filesz : sizeof notes;
    if (!read_at(fd, notes, length, (off_t)header->p_offset))
        return false;
    for (size_t at = 0; at + sizeof(ElfW(Nhdr)) <= length;) {
        ElfW(Nhdr) note;
        memcpy(&note, notes + at, sizeof note);
        const uint8_t *owner = notes + at + sizeof note;
        if (note.n_namesz == sizeof GO_OWNER && note.n_type == GO_BUILD_ID && at + sizeof note + sizeof GO_OWNER <= length
            && memcmp(owner, GO_OWNER, sizeof GO_OWNER) == 0)
            return true;
        uint64_t step = sizeof note + (((uint64_t)note.n_namesz + 3) & ~3ull) + (((uint64_t)note.n_descsz + 3) & ~3ull);
        if (step > length - at)
            break;
        at += step;
    }

    return false;
}

static void look_at_elf(int fd, const uint8_t *head, size_t length, const char *file, struct tw_program *program)
{
    ElfW(Ehdr) elf;
    ElfW(Phdr) header;
    char loader[256] = "", own[256];
    bool has_loader = false, is_go = false;
    if (length < sizeof elf)
        return; /* the kernel refuses it */
    memcpy(&elf, head, sizeof elf);
    if (elf.e_ident[EI_CLASS] == ELFCLASS32 && sizeof(void *) == 8)
        explain(program, "it is a 32-bit program");
    else if (elf.e_machine != OWN_MACHINE)
        explain(program, "it is for another kind of machine");
    for (unsigned i = 0; *program->reason == 0 && i < elf.e_phnum && elf.e_phentsize == sizeof header; i++) {
        off_t at = (off_t)(elf.e_phoff + i * sizeof header);
        if ((size_t)at + sizeof header <= length)
            memcpy(&header, head + at, sizeof header);
        else if (!read_at(fd, &header, sizeof header, at))
            return;
        if (header.p_type == PT_NOTE)
            is_go = is_go || has_go_note(fd, &header);
        if (header.p_type != PT_INTERP)
            continue;
        has_loader = true;
        size_t name = header.p_filesz < sizeof loader - 1 ? header.p_filesz : sizeof loader - 1;
        if (!read_at(fd, loader, name, (off_t)header.p_offset))
            return;
    }

    own_loader(own, sizeof own);
    bool is_loader = !has_loader && strcmp(last_name(file), own) == 0; /* which loads a program with the library */
    if (*program->reason != 0 || is_loader)
        return;
    if (is_go)
        explain(program, "it is a Go program, which calls the kernel without the C library");
    else if (!has_loader)
        explain(program, "it is linked statically");
    else if (strcmp(last_name(loader), own) != 0) {
        explain(program, "it is linked with another C library than Tapwire (its loader is %s)", last_name(loader));
        program->is_musl = strncmp(last_name(loader), "ld-musl-", 8) == 0;
    }
}

/* Whether the program begins with other rights than it is started with, so that the loader ignores LD_PRELOAD (AT_SECURE). */
static void look_at_rights(int fd, const struct stat *status, struct tw_program *program)
{
    struct statvfs system;
    bool sets_user = (status->st_mode & S_ISUID) != 0 && status->st_uid != getuid();
    bool sets_group = (status->st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) && status->st_gid != getgid();
    bool has_rights = getuid() != 0 && fd >= 0 && fgetxattr(fd, "security.capability", NULL, 0) > 0;
    if ((!sets_user && !sets_group && !has_rights) || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1
        || (fd >= 0 && fstatvfs(fd, &system) == 0 && (system.f_flag & ST_NOSUID) != 0))
        return;
    explain(program, sets_user ? "it is a setuid program, for which the system ignores LD_PRELOAD"
        : sets_group ? "it is a setgid program, for which the system ignores LD_PRELOAD" : "it has file capabilities, with which the system ignores LD_PRELOAD");
}

/* The interpreter of a script, as Linux reads its first line. */
static bool find_interpreter(const uint8_t *head, size_t length, char *interpreter, size_t room)
{
    size_t at = 2, start;
    while (at < length && (head[at] == ' ' || head[at] == '\t'))
        at++;
    for (start = at; at < length && head[at] != ' ' && head[at] != '\t' && head[at] != '\n' && head[at] != 0;)
        at++;
    if (at == start || at - start >= room)
        return false;
    memcpy(interpreter, head + start, at - start);
    interpreter[at - start] = 0;
    return true;
}

static void look(int directory, const char *file, int flags, struct tw_program *program, int depth)
{
    uint8_t head[HEAD];
    char interpreter[256];
    struct stat status;
    int fd = (flags & AT_EMPTY_PATH) != 0 && *file == 0 ? (int)RAW(fcntl, directory, F_DUPFD_CLOEXEC, 0)
                                                        : (int)RAW(openat, directory, file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0);
    bool is_there = fd >= 0 ? fstat(fd, &status) == 0 : errno == EACCES && fstatat(directory, file, &status, 0) == 0;
    bool is_program = is_there && S_ISREG(status.st_mode) && (status.st_mode & 0111) != 0;
    long length = is_program && fd >= 0 ? RAW(pread64, fd, head, sizeof head, 0) : 0;
    if (is_program && depth == 0)
        program->identity = (uint64_t)status.st_dev * 0x9e3779b97f4a7c15ull + status.st_ino;
    if (length > 2 && head[0] == '#' && head[1] == '!') {
        if (depth < MOST_INTERPRETERS && find_interpreter(head, (size_t)length, interpreter, sizeof interpreter)) {
            look(AT_FDCWD, interpreter, 0, program, depth + 1);
            if (*program->reason != 0 && *program->interpreter == 0)
                memcpy(program->interpreter, interpreter, sizeof interpreter);
        }
    } else if (is_program) {
        look_at_rights(fd, &status, program); /* all that can be seen of one that may not be read */
        if (*program->reason == 0 && length >= SELFMAG && memcmp(head, ELFMAG, SELFMAG) == 0)
            look_at_elf(fd, head, (size_t)length, file, program);
        else if (*program->reason == 0 && length >= 8 && (memcmp(head, "MZqFpD='", 8) == 0 || memcmp(head, "jartsr='", 8) == 0))
            explain(program, "it calls the kernel without the C library"); /* an Actually Portable Executable */
    }

    if (fd >= 0)
        RAW(close, fd);
}

void tw_look_at_program(int directory, const char *file, int flags, struct tw_program *program)
{
    int before = errno;
    program->identity = 0;
    program->is_musl = false;
    *program->reason = *program->interpreter = 0;
    look(directory, file, flags, program, 0);
    if (*program->reason == 0 && program->identity != 0 && (geteuid() != getuid() || getegid() != getgid()))
        explain(program, "its effective user or group is not its real one, and the system ignores LD_PRELOAD");
    errno = before;
}

bool tw_find_program(const char *file, char *path, size_t room)
{
    const char *search = getenv("PATH");
    if (strchr(file, '/') != NULL)
        return snprintf(path, room, "%s", file) < (int)room;
    for (const char *at = search == NULL ? "/bin:/usr/bin" : search;; at++) {
        int length = (int)strcspn(at, ":");
        int all = snprintf(path, room, "%.*s%s%s", length, at, length == 0 ? "" : "/", file);
        if (all < (int)room && RAW(faccessat, AT_FDCWD, path, X_OK) == 0)
            return true;
        at += length;
        if (*at == 0)
            return false;
    }
}
