/* Loaded before libc, counts the calls that touch the folder STRIKE_ROOT, over all threads, and strikes at the STRIKE_AT-th:
 * by SIGKILL where STRIKE_ERRNO is 0, else by that error in its stead. Each call is a line of STRIKE_LOG, before it is made. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static atomic_long count;

static int is_inside(const char *path) {
    const char *root = getenv("STRIKE_ROOT");
    return root && path && strncmp(path, root, strlen(root)) == 0;
}

/* Whether the call is to fail; does not return where the process is to die. */
static int strikes(const char *call, const char *path) {
    if (!is_inside(path)) return 0;
    long number = atomic_fetch_add(&count, 1) + 1;
    const char *at = getenv("STRIKE_AT"), *with = getenv("STRIKE_ERRNO"), *log = getenv("STRIKE_LOG");
    if (log) {
        char line[4352];
        int length = snprintf(line, sizeof line, "%ld %s %s\n", number, call, path + strlen(getenv("STRIKE_ROOT")));
        int file = syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND, 0644);
        if (file >= 0) {
            syscall(SYS_write, file, line, length);
            syscall(SYS_close, file);
        }
    }
    if (!at || atol(at) != number) return 0;
    int error = with ? atoi(with) : 0;
    if (!error) kill(getpid(), SIGKILL);
    errno = error;
    return 1;
}

static int strikes_fd(const char *call, int fd) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return strikes(call, path);
}

#define REAL(name) static __typeof__(name) *real; if (!real) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

#define OPEN(name) \
    int name(const char *path, int flags, ...) { \
        REAL(name); \
        va_list rest; \
        va_start(rest, flags); \
        mode_t mode = va_arg(rest, mode_t); \
        va_end(rest); \
        return strikes(flags & O_CREAT ? "create" : "open", path) ? -1 : real(path, flags, mode); \
    }
OPEN(open)
OPEN(open64)

ssize_t write(int fd, const void *bytes, size_t length) {
    REAL(write);
    return strikes_fd("write", fd) ? -1 : real(fd, bytes, length);
}

int fsync(int fd) {
    REAL(fsync);
    return strikes_fd("fsync", fd) ? -1 : real(fd);
}

int fdatasync(int fd) {
    REAL(fdatasync);
    return strikes_fd("fdatasync", fd) ? -1 : real(fd);
}

int rename(const char *from, const char *to) {
    REAL(rename);
    return strikes("rename", from) ? -1 : real(from, to);
}

int linkat(int from_dir, const char *from, int to_dir, const char *to, int flags) {
    REAL(linkat);
    return strikes("link", from) ? -1 : real(from_dir, from, to_dir, to, flags);
}

int unlink(const char *path) {
    REAL(unlink);
    return strikes("unlink", path) ? -1 : real(path);
}

int unlinkat(int dir, const char *path, int flags) {
    REAL(unlinkat);
    return strikes_fd("unlinkat", dir) ? -1 : real(dir, path, flags);
}

int mkdir(const char *path, mode_t mode) {
    REAL(mkdir);
    return strikes("mkdir", path) ? -1 : real(path, mode);
}

int rmdir(const char *path) {
    REAL(rmdir);
    return strikes("rmdir", path) ? -1 : real(path);
}
