/* A disk that is slow, or that remembers only what was synced: preloaded before libc.

   FAREBOX_DISK_DELAY_US  sleep this long after each successful fsync and fdatasync
   FAREBOX_DISK_WATCH     the directory whose files are copied
   FAREBOX_DISK_SHADOW    where to: at each sync of a watched file its bytes, under its own name

   When the watched directory itself is synced, what was removed from it leaves the shadow too.
   The copy is taken after the real sync and before its caller hears of it; it is renamed into place,
   so a process killed in the middle leaves the copy of the sync before. tests/faults/disk.py says
   what that models and what it does not. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

static unsigned delay_us;
static char watch[PATH_MAX], shadow[PATH_MAX];
static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;

static void take(const char *name, char *into) {
    const char *value = getenv(name);
    if (value != NULL)
        snprintf(into, PATH_MAX, "%s", value);
    unsetenv(name); /* Farebox refuses to start with a FAREBOX_ setting that it does not know */
}

__attribute__((constructor)) static void begin(void) {
    char delay[PATH_MAX] = "";
    take("FAREBOX_DISK_DELAY_US", delay);
    take("FAREBOX_DISK_WATCH", watch);
    take("FAREBOX_DISK_SHADOW", shadow);
    delay_us = (unsigned)strtoul(delay, NULL, 10);
}

/* A test must never pass because its disk was not modelled. */
static void give_up(const char *why) {
    perror(why);
    abort();
}

/* Reads by the caller's own descriptor: closing another one would drop SQLite's locks on the file. */
static void copy(int file, off_t bytes, const char *name) {
    char temporary[PATH_MAX + NAME_MAX + 16], kept[PATH_MAX + NAME_MAX + 16];
    snprintf(temporary, sizeof temporary, "%s/%s.copying", shadow, name);
    snprintf(kept, sizeof kept, "%s/%s", shadow, name);
    int out = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (out < 0)
        give_up("the shadow cannot be opened");
    for (off_t done = 0; done < bytes;) /* sendfile moves `done`, and no descriptor's position */
        if (sendfile(out, file, &done, (size_t)(bytes - done)) <= 0 && errno != EINTR)
            give_up("the shadow cannot be written");
    if (close(out) || rename(temporary, kept))
        give_up("the shadow cannot be kept");
}

static void forget_removed(void) {
    DIR *kept = opendir(shadow);
    if (kept == NULL)
        give_up("the shadow cannot be read");
    for (struct dirent *entry; (entry = readdir(kept)) != NULL;) {
        char path[PATH_MAX + NAME_MAX + 16];
        snprintf(path, sizeof path, "%s/%s", watch, entry->d_name);
        if (access(path, F_OK) != 0)
            unlinkat(dirfd(kept), entry->d_name, 0);
    }
    closedir(kept);
}

static void remember(int file) {
    char link[64], path[PATH_MAX];
    struct stat what;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0 || fstat(file, &what) || what.st_nlink == 0)
        return; /* not a file, or one that has no name any more */
    path[length] = '\0';
    char *name = strrchr(path, '/');
    pthread_mutex_lock(&one_at_a_time);
    if (strcmp(path, watch) == 0)
        forget_removed();
    *name = '\0'; /* now the file's directory, and its name within it */
    if (S_ISREG(what.st_mode) && strcmp(path, watch) == 0)
        copy(file, what.st_size, name + 1);
    pthread_mutex_unlock(&one_at_a_time);
}

static int synced(const char *call, int file) {
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, call);
    int result = real(file);
    if (result == 0 && shadow[0] != '\0')
        remember(file);
    if (result == 0 && delay_us > 0)
        usleep(delay_us);
    return result;
}

int fsync(int file) { return synced("fsync", file); }
int fdatasync(int file) { return synced("fdatasync", file); }
