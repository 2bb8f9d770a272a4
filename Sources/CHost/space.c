#define _GNU_SOURCE
#include "chost.h"
#include <fcntl.h>
#include <sys/random.h>
#include <unistd.h>

int chost_punch(int file, int64_t offset, int64_t count) {
    return fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, count);
}
int chost_reserve(int file, int64_t offset, int64_t count) {
    return fallocate(file, FALLOC_FL_KEEP_SIZE, offset, count);
}
void chost_write_soon(int file, int64_t offset, int64_t count) {
    (void)sync_file_range(file, offset, count, SYNC_FILE_RANGE_WRITE);
}
int64_t chost_seek(int file, int64_t from, int hole) { return lseek(file, from, hole ? SEEK_HOLE : SEEK_DATA); }
int chost_random(void *bytes, size_t count) { return getrandom(bytes, count, 0) == (ssize_t)count ? 0 : -1; }
