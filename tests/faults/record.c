/* Preloaded into a relay under test: writes down, in order, what it does to the files below $RECORD_BELOW, and when it
   says that a message was accepted or settled. power_cuts.py makes from that what a disk may hold after a power cut.

   A record: kind, path length, offset, data length; path; data.
   W written (logged after the call)      T cut to length (offset)        U unlinked
   F flush begun    S flush ended well (both with the thread's id as offset)
   M a line of the log that promises something (logged before it is written) */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

struct head { char kind; char pad[3]; uint32_t path_length; uint64_t offset; uint64_t data_length; };

static int log_file = -1;
static const char *below;

static void record(char kind, const char *path, uint64_t offset, const void *data, uint64_t length)
{
    struct head head = {kind, {0}, strlen(path), offset, length};
    struct iovec parts[3] = {{&head, sizeof head}, {(void *)path, head.path_length}, {(void *)data, length}};
    if (log_file < 0) {
        int file = syscall(SYS_openat, AT_FDCWD, getenv("RECORD_LOG"), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
        log_file = fcntl(file, F_DUPFD_CLOEXEC, 700); /* out of the way of descriptors that are passed on */
        syscall(SYS_close, file);
    }
    syscall(SYS_writev, log_file, parts, 3);
}

static int is_watched(int file, char *path)
{
    char link[40];
    ssize_t length;
    if (!below && !(below = getenv("RECORD_BELOW")))
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    length = readlink(link, path, 4095);
    if (length <= 0)
        return 0;
    path[length] = 0;
    return !strncmp(path, below, strlen(below)) && !strstr(path, "-shm") && !strstr(path, ".lock");
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static ssize_t note_write(int file, const void *data, ssize_t done, off_t offset)
{
    char path[4096];
    if (done > 0 && is_watched(file, path))
        record('W', path, offset, data, done);
    return done;
}

ssize_t pwrite64(int file, const void *data, size_t size, off_t offset)
{
    return note_write(file, data, syscall(SYS_pwrite64, file, data, size, offset), offset);
}

ssize_t pwrite(int file, const void *data, size_t size, off_t offset) { return pwrite64(file, data, size, offset); }

ssize_t write(int file, const void *data, size_t size)
{
    char path[4096];
    if (file == 2) {
        if (memmem(data, size, "\"submission_accepted\"", 21) || memmem(data, size, "\"settled\"", 9))
            record('M', "", 0, data, size);
        return syscall(SYS_write, file, data, size);
    }
    if (!is_watched(file, path))
        return syscall(SYS_write, file, data, size);
    off_t offset = lseek(file, 0, SEEK_CUR);
    return note_write(file, data, syscall(SYS_write, file, data, size), offset);
}

static int flush(int file, int (*real)(int))
{
    char path[4096];
    int watched = is_watched(file, path), status;
    uint64_t thread = syscall(SYS_gettid);
    if (watched)
        record('F', path, thread, "", 0);
    status = real(file);
    if (watched && !status)
        record('S', path, thread, "", 0);
    return status;
}

int fsync(int file) { return flush(file, NEXT(fsync)); }
int fdatasync(int file) { return flush(file, NEXT(fdatasync)); }

int ftruncate64(int file, off_t length)
{
    char path[4096];
    int status = syscall(SYS_ftruncate, file, length);
    if (!status && is_watched(file, path))
        record('T', path, length, "", 0);
    return status;
}

int ftruncate(int file, off_t length) { return ftruncate64(file, length); }

int unlink(const char *path)
{
    int status = syscall(SYS_unlink, path);
    if (!status && getenv("RECORD_BELOW") && !strncmp(path, getenv("RECORD_BELOW"), strlen(getenv("RECORD_BELOW"))))
        record('U', path, 0, "", 0);
    return status;
}
