/* Counts a process's changes to files and kills the process by SIGKILL at the n-th one.
 *
 * Preloaded (LD_PRELOAD). chaos_arm(n) starts the count in this process; 0 only counts. The process
 * is killed before the operation, but a write puts half of its bytes into the file first. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static atomic_long count;
static atomic_long deadly = -1;

void chaos_arm(long n) {
  atomic_store(&count, 0);
  atomic_store(&deadly, n);
}

long chaos_count(void) { return atomic_load(&count); }

static int due(void) {
  long n = atomic_load(&deadly);
  return n >= 0 && atomic_fetch_add(&count, 1) + 1 == n;
}

static void step(void) {
  if (due()) kill(getpid(), SIGKILL);
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define CHANGES(flags) (((flags) & O_ACCMODE) != O_RDONLY || ((flags) & (O_CREAT | O_TRUNC)))
#define MODE(flags) \
  va_list rest;     \
  va_start(rest, flags); \
  mode_t mode = (flags) & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0; \
  va_end(rest);     \
  if (CHANGES(flags)) step()

int open(const char *path, int flags, ...) { MODE(flags); return NEXT(open)(path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE(flags); return NEXT(open64)(path, flags, mode); }
int openat(int at, const char *path, int flags, ...) {
  MODE(flags);
  return NEXT(openat)(at, path, flags, mode);
}
int openat64(int at, const char *path, int flags, ...) {
  MODE(flags);
  return NEXT(openat64)(at, path, flags, mode);
}
FILE *fopen(const char *path, const char *mode) {
  if (*mode != 'r') step();
  return NEXT(fopen)(path, mode);
}
FILE *fopen64(const char *path, const char *mode) {
  if (*mode != 'r') step();
  return NEXT(fopen64)(path, mode);
}

static int is_file(int descriptor) {
  struct stat found;
  return descriptor > 2 && fstat(descriptor, &found) == 0 && S_ISREG(found.st_mode);
}

ssize_t write(int descriptor, const void *bytes, size_t size) {
  if (is_file(descriptor) && due()) {
    NEXT(write)(descriptor, bytes, size / 2);
    kill(getpid(), SIGKILL);
  }
  return NEXT(write)(descriptor, bytes, size);
}
size_t fwrite(const void *bytes, size_t size, size_t items, FILE *stream) {
  if (is_file(fileno(stream)) && due()) {
    NEXT(fwrite)(bytes, size, items / 2, stream);
    fflush(stream);
    kill(getpid(), SIGKILL);
  }
  return NEXT(fwrite)(bytes, size, items, stream);
}

#define WRAP(name, parameters, arguments) \
  int name parameters {                   \
    step();                               \
    return NEXT(name) arguments;          \
  }
WRAP(rename, (const char *from, const char *to), (from, to))
WRAP(renameat, (int a, const char *from, int b, const char *to), (a, from, b, to))
WRAP(unlink, (const char *path), (path))
WRAP(unlinkat, (int at, const char *path, int flags), (at, path, flags))
WRAP(mkdir, (const char *path, mode_t mode), (path, mode))
WRAP(rmdir, (const char *path), (path))
WRAP(fsync, (int descriptor), (descriptor))
WRAP(fdatasync, (int descriptor), (descriptor))
WRAP(ftruncate, (int descriptor, off_t size), (descriptor, size))
