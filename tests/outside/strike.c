/* Loaded before libc, counts the calls that touch the folder STRIKE_ROOT, and with STRIKE_NET those to other hosts too, over
 * all threads, and strikes at the STRIKE_AT-th: by SIGKILL where STRIKE_ERRNO is 0, else by that error in its stead. Each call
 * is a line of STRIKE_LOG, before it is made. */
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
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static atomic_long count;

static int is_inside(const char *path) {
    const char *root = getenv("STRIKE_ROOT");
    return root && path && strncmp(path, root, strlen(root)) == 0;
}

/* Whether the call, which is to be counted, is to fail; does not return where the process is to die. */
static int falls(const char *call, const char *shown) {
    long number = atomic_fetch_add(&count, 1) + 1;
    const char *at = getenv("STRIKE_AT"), *with = getenv("STRIKE_ERRNO"), *log = getenv("STRIKE_LOG");
    if (log) {
        char line[4352];
        int length = snprintf(line, sizeof line, "%ld %s %s\n", number, call, shown);
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

static int strikes(const char *call, const char *path) {
    return is_inside(path) && falls(call, path + strlen(getenv("STRIKE_ROOT")));
}

/* Of a socket that leads to a port of a host. */
static int strikes_net(const char *call, int fd) {
    int domain = 0;
    socklen_t length = sizeof domain;
    if (!getenv("STRIKE_NET") || getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length)) return 0;
    return (domain == AF_INET || domain == AF_INET6) && falls(call, "(network)");
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
    return strikes_fd("write", fd) || strikes_net("sendto", fd) ? -1 : real(fd, bytes, length);
}

int connect(int fd, const struct sockaddr *to, socklen_t length) {
    REAL(connect);
    return strikes_net("connect", fd) ? -1 : real(fd, to, length);
}

ssize_t send(int fd, const void *bytes, size_t length, int flags) {
    REAL(send);
    return strikes_net("sendto", fd) ? -1 : real(fd, bytes, length, flags);
}

ssize_t sendto(int fd, const void *bytes, size_t length, int flags, const struct sockaddr *to, socklen_t to_length) {
    REAL(sendto);
    return strikes_net("sendto", fd) ? -1 : real(fd, bytes, length, flags, to, to_length);
}

ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
    REAL(sendmsg);
    return strikes_net("sendto", fd) ? -1 : real(fd, message, flags);
}

ssize_t writev(int fd, const struct iovec *pieces, int count) {
    REAL(writev);
    return strikes_net("sendto", fd) ? -1 : real(fd, pieces, count);
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
