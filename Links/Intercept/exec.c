/* Calls that start a program: what is Tapwire's stays Tapwire's, and what goes round it is said. */
#define _GNU_SOURCE
#include "control.h"
#include "program.h"
#include "syscall.h"
#include "tapwire.h"

#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

DEFINE_REAL(execve)
DEFINE_REAL(execvpe)
DEFINE_REAL(posix_spawn)
DEFINE_REAL(posix_spawnp)
DEFINE_REAL(system)
DEFINE_REAL(popen)

extern char **environ;

#define PRELOAD "LD_PRELOAD="
#define BYPASS "TAPWIRE_BYPASS="
#define SESSION "TAPWIRE_SESSION="

/* The library as LD_PRELOAD named it; NULL if something else has loaded it, and will do so in other programs too. */
static const char *library;

/* The library's variables as they were when this program began: a program may overwrite its environment. NULL for those that were not set. */
static const char *const names[] = { "TAPWIRE_LINK", "TAPWIRE_ROUTES", "TAPWIRE_BYPASS" };
#define VARIABLES (sizeof names / sizeof *names)
static const char *variables[VARIABLES];

/* The files of which it was said that they go round Tapwire. Shared with the children that this process forks. */
#define MOST_SAID 512
static _Atomic uint64_t *said;

/* What standard error was when the program began. A daemon may have another file under its number by now, in which no line of ours must be. */
static struct stat standard_error;

/* Where a list as in LD_PRELOAD has the library; NULL if it has not. */
static const char *find_library(const char *list)
{
    size_t length = strlen(library);
    for (const char *at = list; (at = strstr(at, library)) != NULL; at++)
        if ((at == list || at[-1] == ':' || at[-1] == ' ') && (at[length] == 0 || at[length] == ':' || at[length] == ' '))
            return at;
    return NULL;
}

/* The connection that the program before this one has left to it, because the driver's path may be out of its reach. */
static void take_over_session(void)
{
    const char *text = secure_getenv("TAPWIRE_SESSION");
    int fd;
    unsigned long long cookie;
    if (text == NULL)
        return;
    if (sscanf(text, "%d:%llx", &fd, &cookie) == 2 && cookie != 0 && tw_handle(fd) == cookie && tw_adopt(fd)) {
        tw_in_use = true;
        tw_is_away = true;
    }

    unsetenv("TAPWIRE_SESSION");
}

void tw_begin_program(void)
{
    Dl_info self;
    const char *preload = secure_getenv("LD_PRELOAD");
    if (fstat(STDERR_FILENO, &standard_error) != 0)
        standard_error.st_ino = 0;
    long page = RAW(mmap, NULL, MOST_SAID * sizeof *said, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    said = page == -1 ? NULL : (_Atomic uint64_t *)page;
    if (preload != NULL && dladdr((void *)(uintptr_t)tw_begin_program, &self) != 0 && self.dli_fname != NULL) {
        library = self.dli_fname;
        if (find_library(preload) == NULL)
            library = NULL;
    }

    for (size_t i = 0; i < VARIABLES; i++) {
        const char *value = secure_getenv(names[i]);
        size_t room = value == NULL ? 0 : strlen(names[i]) + strlen(value) + 2;
        char *copy = value == NULL ? NULL : malloc(room);
        if (copy != NULL)
            snprintf(copy, room, "%s=%s", names[i], value);
        variables[i] = copy;
    }

    take_over_session();
}

static const char *find(char *const *environment, const char *name)
{
    size_t length = strlen(name);
    for (; environment != NULL && *environment != NULL; environment++)
        if (strncmp(*environment, name, length) == 0 && (*environment)[length] == '=')
            return *environment + length + 1;
    return NULL;
}

/* How a program's environment stands. */
enum lack {
    NOTHING, /* the library is in it, or may stay out of it */
    ALL,     /* somebody began a new environment: the library's variables are put back */
    LIBRARY, /* somebody has taken out LD_PRELOAD and left the rest: he does not want the library */
    TOO_MUCH, /* the library has to be taken out, or the program would not run */
};

static enum lack lack_of(char *const *environment)
{
    const char *preload = find(environment, "LD_PRELOAD"), *bypass = find(environment, "TAPWIRE_BYPASS");
    if (library == NULL || (preload != NULL && find_library(preload) != NULL) || (bypass != NULL && strcmp(bypass, "allow") == 0))
        return NOTHING;
    for (size_t i = 0; i < VARIABLES; i++)
        if (variables[i] != NULL && find(environment, names[i]) != NULL)
            return LIBRARY;
    return ALL;
}

/* Whether a line on standard error goes where the user sees it: to the file that it was at first, and not to a peer of a socket of Tapwire's. */
static bool may_speak(void)
{
    struct stat status;
    return fstat(STDERR_FILENO, &status) == 0 && status.st_ino == standard_error.st_ino && status.st_dev == standard_error.st_dev
        && !(S_ISSOCK(status.st_mode) && tw_is_ours(tw_kind(STDERR_FILENO)));
}

/* Once for each file. */
static bool is_news(uint64_t identity)
{
    for (unsigned i = 0; said != NULL && i < MOST_SAID; i++) {
        uint64_t known = 0;
        if (said[i] == identity || (!atomic_compare_exchange_strong(&said[i], &known, identity) && known == identity))
            return false;
        if (known == 0)
            return true;
    }

    return said == NULL;
}

static void say(const char *file, const struct tw_program *program, const char *remedy)
{
    char line[1024];
    bool is_script = *program->interpreter != 0;
    if (!may_speak() || !is_news(program->identity))
        return;
    int length = snprintf(line, sizeof line, "tapwire: '%.256s' goes round Tapwire, by the host's network: %s%s%s%s. %s.\n", file, is_script ? "'" : "", program->interpreter,
        is_script ? "', which it names in its first line: " : "", program->reason, remedy);
    if (length > 0)
        RAW(write, STDERR_FILENO, line, (size_t)length < sizeof line ? (size_t)length : sizeof line - 1);
}

/* A program that is about to be started. */
struct start {
    const char *file;
    int directory;
    int flags; /* as for execveat */
    bool searched;
    char *const *arguments;
    char *const *environment;
    pid_t *child; /* of posix_spawn; NULL: in place of this program */
    const posix_spawn_file_actions_t *actions;
    const posix_spawnattr_t *attributes;
    bool spawns;
};

static bool is_bypass_allowed(void)
{
    const char *value = variables[VARIABLES - 1];
    return value != NULL && strcmp(value, BYPASS "allow") == 0;
}

static int call(const struct start *start, char *const *environment)
{
    char *const *arguments = start->arguments;
    if (start->spawns)
        return start->searched ? REAL(posix_spawnp)(start->child, start->file, start->actions, start->attributes, arguments, environment)
                               : REAL(posix_spawn)(start->child, start->file, start->actions, start->attributes, arguments, environment);
    if (start->searched)
        return REAL(execvpe)(start->file, arguments, environment);
    if (start->directory != AT_FDCWD || start->flags != 0)
        return (int)RAW(execveat, start->directory, start->file, arguments, environment, start->flags);
    return REAL(execve)(start->file, arguments, environment);
}

/* A descriptor that the next program takes over, and how its environment says so. -1 where it can find the driver by itself. */
static int leave_session(char *text, size_t room)
{
    int before = errno;
    int own = tw_in_use && tw_is_away ? tw_another_session(BRIEF_MS) : -1;
    int fd = own < 0 ? -1 : (int)RAW(fcntl, own, F_DUPFD, 500);
    if (fd >= 0)
        RAW(close, own);
    else if (own >= 0)
        RAW(fcntl, fd = own, F_SETFD, 0);
    snprintf(text, room, SESSION "%d:%llx", fd, fd < 0 ? 0ull : (unsigned long long)tw_handle(fd));
    errno = before;
    return fd;
}

/* After the program has been started, or has not. */
static void end_session(int fd)
{
    int before = errno;
    if (fd >= 0)
        RAW(close, fd);
    errno = before;
}

/* An environment with what is to be in it. */
struct amended {
    size_t count; /* of the variables before */
    size_t list;  /* bytes for LD_PRELOAD */
};

static struct amended measure(char *const *old)
{
    const char *preload = find(old, "LD_PRELOAD");
    struct amended result = { .list = sizeof PRELOAD + strlen(library) + 1 + (preload == NULL ? 0 : strlen(preload)) };
    while (old != NULL && old[result.count] != NULL)
        result.count++;
    return result;
}

/* The room that is needed: for the variables that are put back, the session and the end beside those before. */
#define ROOM(amended) ((amended).count + VARIABLES + 3)

/* Makes it. session may be NULL. */
static void amend(char *const *old, enum lack lack, const char *session, const char **all, char *list, size_t room)
{
    const char *preload = find(old, "LD_PRELOAD");
    size_t length = 0;
    for (; old != NULL && *old != NULL; old++)
        if (strncmp(*old, SESSION, sizeof SESSION - 1) != 0 && !(lack != NOTHING && strncmp(*old, PRELOAD, sizeof PRELOAD - 1) == 0))
            all[length++] = *old;
    if (lack == TOO_MUCH && preload != NULL && strcmp(preload, library) != 0) {
        const char *at = find_library(preload);
        size_t before = at == NULL ? 0 : (size_t)(at - preload);
        if (at == NULL)
            snprintf(list, room, PRELOAD "%s", preload);
        else
            snprintf(list, room, PRELOAD "%.*s%s", (int)before, preload, at + strlen(library) + (at[strlen(library)] != 0));
        all[length++] = list;
    }

    if (lack == ALL) {
        snprintf(list, room, PRELOAD "%s%s%s", library, preload == NULL || *preload == 0 ? "" : ":", preload == NULL ? "" : preload);
        all[length++] = list;
        for (size_t i = 0; i < VARIABLES; i++)
            if (variables[i] != NULL)
                all[length++] = variables[i];
    }

    if (session != NULL)
        all[length++] = session;
    all[length] = NULL;
}

static int run(const struct start *start)
{
    char path[PATH_MAX], session[64];
    struct tw_program program = { .identity = 0 };
    const char *bypass = find(start->environment, "TAPWIRE_BYPASS"), *file = start->file;
    if (library == NULL || !tw_can_read(file, 1))
        return call(start, start->environment);
    enum lack lack = lack_of(start->environment);
    bool is_allowed = bypass != NULL ? strcmp(bypass, "allow") == 0 : lack == ALL && is_bypass_allowed();
    if (start->searched)
        file = tw_find_program(file, path, sizeof path) ? path : "";
    if (*file != 0 || (start->flags & AT_EMPTY_PATH) != 0)
        tw_look_at_program(start->directory, file, start->flags, &program);
    const char *remedy = "Use 'tapwire run --netns', or --allow-bypass, which keeps this silent";
    if (*program.reason == 0 && lack == LIBRARY && program.identity != 0) {
        snprintf(program.reason, sizeof program.reason, "LD_PRELOAD was taken out of its environment");
        remedy = "Leave it there, or put TAPWIRE_BYPASS=allow in its place";
    }

    if (program.is_musl)
        lack = TOO_MUCH;
    bool goes_round = *program.reason != 0;
    if (goes_round && !is_allowed)
        say(*file != 0 ? file : start->arguments != NULL && start->arguments[0] != NULL ? start->arguments[0] : "a program", &program, remedy);

    int fd = !goes_round && program.identity != 0 ? leave_session(session, sizeof session) : -1;
    if (lack != ALL && lack != TOO_MUCH && fd < 0)
        return call(start, start->environment);
    struct amended amended = measure(start->environment);
    char list[amended.list];
    const char *all[ROOM(amended)];
    amend(start->environment, lack, fd < 0 ? NULL : session, all, list, sizeof list);
    int result = call(start, (char *const *)all);
    end_session(fd);
    return result;
}

EXPORT int execve(const char *file, char *const arguments[], char *const environment[])
{
    return run(&(struct start){ .file = file, .directory = AT_FDCWD, .arguments = arguments, .environment = environment });
}

EXPORT int execv(const char *file, char *const arguments[])
{
    return execve(file, arguments, environ);
}

EXPORT int execvpe(const char *file, char *const arguments[], char *const environment[])
{
    return run(&(struct start){ .file = file, .directory = AT_FDCWD, .searched = true, .arguments = arguments, .environment = environment });
}

EXPORT int execvp(const char *file, char *const arguments[])
{
    return execvpe(file, arguments, environ);
}

EXPORT int execveat(int directory, const char *file, char *const arguments[], char *const environment[], int flags)
{
    return run(&(struct start){ .file = file, .directory = directory, .flags = flags, .arguments = arguments, .environment = environment });
}

EXPORT int fexecve(int fd, char *const arguments[], char *const environment[])
{
    if (fd < 0)
        return tw_result(EINVAL);
    return execveat(fd, "", arguments, environment, AT_EMPTY_PATH);
}

/* The arguments from the first one up to the NULL, in an array of the caller's. */
#define COLLECT(first, list, array)                                          \
    const char *volatile start = first;                                      \
    size_t count = start != NULL;                                            \
    va_start(list, first);                                                   \
    while (start != NULL && va_arg(list, const char *) != NULL)              \
        count++;                                                             \
    va_end(list);                                                            \
    const char *array[count + 1];                                            \
    va_start(list, first);                                                   \
    array[0] = first;                                                        \
    for (size_t i = 1; i <= count; i++)                                      \
        array[i] = va_arg(list, const char *)

EXPORT int execl(const char *file, const char *first, ...)
{
    va_list list;
    COLLECT(first, list, arguments);
    va_end(list);
    return execve(file, (char *const *)arguments, environ);
}

EXPORT int execlp(const char *file, const char *first, ...)
{
    va_list list;
    COLLECT(first, list, arguments);
    va_end(list);
    return execvpe(file, (char *const *)arguments, environ);
}

EXPORT int execle(const char *file, const char *first, ...)
{
    va_list list;
    COLLECT(first, list, arguments);
    char *const *environment = va_arg(list, char *const *);
    va_end(list);
    return execve(file, (char *const *)arguments, environment);
}

EXPORT int posix_spawn(pid_t *child, const char *file, const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attributes, char *const arguments[],
    char *const environment[])
{
    return run(&(struct start){ .file = file, .directory = AT_FDCWD, .arguments = arguments, .environment = environment, .child = child, .actions = actions,
        .attributes = attributes, .spawns = true });
}

EXPORT int posix_spawnp(pid_t *child, const char *file, const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attributes, char *const arguments[],
    char *const environment[])
{
    return run(&(struct start){ .file = file, .directory = AT_FDCWD, .searched = true, .arguments = arguments, .environment = environment, .child = child,
        .actions = actions, .attributes = attributes, .spawns = true });
}

/* libc starts the shell itself, with this program's environment: it is another one meanwhile. */
EXPORT FILE *popen(const char *command, const char *mode)
{
    char session[64];
    enum lack lack = lack_of(environ);
    int fd = library == NULL || lack == LIBRARY ? -1 : leave_session(session, sizeof session);
    if (lack != ALL && fd < 0)
        return REAL(popen)(command, mode);
    struct amended amended = measure(environ);
    char list[amended.list], **before = environ;
    const char *all[ROOM(amended)];
    amend(before, lack, fd < 0 ? NULL : session, all, list, sizeof list);
    environ = (char **)all;
    FILE *stream = REAL(popen)(command, mode);
    environ = before;
    end_session(fd);
    return stream;
}

/* As libc's, where the shell needs something that is not in this program's environment. */
EXPORT int system(const char *command)
{
    pid_t child;
    int status = -1, error;
    if (command == NULL || (lack_of(environ) != ALL && !(tw_in_use && tw_is_away)))
        return REAL(system)(command);
    char *const arguments[] = { "sh", "-c", "--", (char *)command, NULL };
    struct sigaction ignore = { .sa_handler = SIG_IGN }, interrupt, quit;
    sigset_t blocked, before, defaults;
    posix_spawnattr_t attributes;
    sigemptyset(&ignore.sa_mask);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGCHLD);
    sigaction(SIGINT, &ignore, &interrupt);
    sigaction(SIGQUIT, &ignore, &quit);
    pthread_sigmask(SIG_BLOCK, &blocked, &before);
    sigemptyset(&defaults);
    if (interrupt.sa_handler != SIG_IGN)
        sigaddset(&defaults, SIGINT);
    if (quit.sa_handler != SIG_IGN)
        sigaddset(&defaults, SIGQUIT);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &before);
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    error = posix_spawn(&child, "/bin/sh", NULL, &attributes, arguments, environ);
    posix_spawnattr_destroy(&attributes);
    if (error == 0) {
        while (waitpid(child, &status, 0) < 0 && errno == EINTR)
            continue;
    } else
        status = 127 << 8; /* as if the shell had ended so */

    sigaction(SIGINT, &interrupt, NULL);
    sigaction(SIGQUIT, &quit, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return status;
}
