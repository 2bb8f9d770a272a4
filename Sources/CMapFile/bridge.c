#include "cmapfile.h"
#include <sqlite3.h>
#include <string.h>

typedef struct bridged_file {
    sqlite3_file base;
    const cmapfile_files *files;
    void *file;
    int lock;
} bridged_file;

static int code_of(int outcome, int failure) {
    switch (outcome) {
    case CMAPFILE_DONE: return SQLITE_OK;
    case CMAPFILE_FULL: return SQLITE_FULL;
    case CMAPFILE_MISSING: return SQLITE_CANTOPEN;
    case CMAPFILE_READONLY: return SQLITE_READONLY;
    case CMAPFILE_BUSY: return SQLITE_BUSY;
    default: return failure;
    }
}

static int bridged_close(sqlite3_file *file) {
    bridged_file *f = (bridged_file *)file;
    f->files->close(f->file);
    f->base.pMethods = 0;
    return SQLITE_OK;
}

static int bridged_read(sqlite3_file *file, void *bytes, int count, sqlite3_int64 offset) {
    bridged_file *f = (bridged_file *)file;
    int got = 0;
    int rc = code_of(f->files->read(f->file, bytes, count, offset, &got), SQLITE_IOERR_READ);
    if (rc) return rc;
    if (got == count) return SQLITE_OK;
    memset((char *)bytes + got, 0, count - got);
    return SQLITE_IOERR_SHORT_READ;
}

static int bridged_write(sqlite3_file *file, const void *bytes, int count, sqlite3_int64 offset) {
    bridged_file *f = (bridged_file *)file;
    return code_of(f->files->write(f->file, bytes, count, offset), SQLITE_IOERR_WRITE);
}

static int bridged_truncate(sqlite3_file *file, sqlite3_int64 size) {
    bridged_file *f = (bridged_file *)file;
    return code_of(f->files->truncate(f->file, size), SQLITE_IOERR_TRUNCATE);
}

static int bridged_sync(sqlite3_file *file, int flags) {
    (void)flags;
    bridged_file *f = (bridged_file *)file;
    return code_of(f->files->sync(f->file), SQLITE_IOERR_FSYNC);
}

static int bridged_size(sqlite3_file *file, sqlite3_int64 *size) {
    bridged_file *f = (bridged_file *)file;
    int64_t found = 0;
    int rc = code_of(f->files->size(f->file, &found), SQLITE_IOERR_FSTAT);
    *size = found;
    return rc;
}

static int bridged_lock(sqlite3_file *file, int level) {
    ((bridged_file *)file)->lock = level;
    return SQLITE_OK;
}

static int bridged_reserved(sqlite3_file *file, int *held) {
    *held = ((bridged_file *)file)->lock >= SQLITE_LOCK_RESERVED;
    return SQLITE_OK;
}

static int bridged_control(sqlite3_file *file, int op, void *argument) {
    (void)file, (void)op, (void)argument;
    return SQLITE_NOTFOUND;
}

static int bridged_sector(sqlite3_file *file) {
    (void)file;
    return 4096;
}

// Nothing is promised: neither atomic writes nor that a torn sector spares its neighbours.
static int bridged_traits(sqlite3_file *file) {
    (void)file;
    return 0;
}

// Version 1: neither shared memory nor mapping, so there is no write-ahead log.
static const sqlite3_io_methods bridged_methods = {
    1, bridged_close, bridged_read, bridged_write, bridged_truncate, bridged_sync, bridged_size, bridged_lock, bridged_lock,
    bridged_reserved, bridged_control, bridged_sector, bridged_traits, 0, 0, 0, 0, 0, 0};

static int bridge_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out) {
    bridged_file *f = (bridged_file *)file;
    f->base.pMethods = 0;
    // Temporary files are kept in memory (PRAGMA temp_store).
    if (!name) return SQLITE_CANTOPEN;
    f->files = vfs->pAppData;
    f->lock = SQLITE_LOCK_NONE;
    int rc = code_of(
        f->files->open(f->files->context, name, (flags & SQLITE_OPEN_CREATE) != 0, (flags & SQLITE_OPEN_READONLY) != 0,
            (flags & SQLITE_OPEN_MAIN_DB) != 0, &f->file),
        SQLITE_CANTOPEN);
    if (rc) return rc;
    if (out) *out = flags;
    f->base.pMethods = &bridged_methods;
    return SQLITE_OK;
}

static int bridge_delete(sqlite3_vfs *vfs, const char *name, int sync_folder) {
    const cmapfile_files *files = vfs->pAppData;
    int outcome = files->remove(files->context, name, sync_folder);
    return outcome == CMAPFILE_MISSING ? SQLITE_IOERR_DELETE_NOENT : code_of(outcome, SQLITE_IOERR_DELETE);
}

static int bridge_access(sqlite3_vfs *vfs, const char *name, int flags, int *result) {
    (void)flags;
    const cmapfile_files *files = vfs->pAppData;
    return code_of(files->exists(files->context, name, result), SQLITE_IOERR_ACCESS);
}

static int bridge_full_path(sqlite3_vfs *vfs, const char *name, int count, char *out) {
    (void)vfs;
    size_t length = strlen(name);
    if (length + 1 > (size_t)count) return SQLITE_CANTOPEN;
    memcpy(out, name, length + 1);
    return SQLITE_OK;
}

static int bridge_randomness(sqlite3_vfs *vfs, int count, char *out) {
    (void)vfs;
    sqlite3_vfs *host = sqlite3_vfs_find(0);
    return host->xRandomness(host, count, out);
}

static int bridge_sleep(sqlite3_vfs *vfs, int microseconds) {
    (void)vfs;
    sqlite3_vfs *host = sqlite3_vfs_find(0);
    return host->xSleep(host, microseconds);
}

static int bridge_time(sqlite3_vfs *vfs, double *time) {
    (void)vfs;
    sqlite3_vfs *host = sqlite3_vfs_find(0);
    return host->xCurrentTime(host, time);
}

static int bridge_error(sqlite3_vfs *vfs, int count, char *out) {
    (void)vfs, (void)count, (void)out;
    return 0;
}

int cmapfile_register_files(const char *name, const cmapfile_files *files) {
    if (sqlite3_vfs_find(name)) return SQLITE_OK;
    sqlite3_vfs *vfs = sqlite3_malloc(sizeof *vfs);
    char *kept = sqlite3_mprintf("%s", name);
    if (!vfs || !kept) {
        sqlite3_free(vfs);
        sqlite3_free(kept);
        return SQLITE_NOMEM;
    }
    memset(vfs, 0, sizeof *vfs);
    vfs->iVersion = 1;
    vfs->szOsFile = sizeof(bridged_file);
    vfs->mxPathname = 4096;
    vfs->zName = kept;
    vfs->pAppData = (void *)files;
    vfs->xOpen = bridge_open;
    vfs->xDelete = bridge_delete;
    vfs->xAccess = bridge_access;
    vfs->xFullPathname = bridge_full_path;
    vfs->xRandomness = bridge_randomness;
    vfs->xSleep = bridge_sleep;
    vfs->xCurrentTime = bridge_time;
    vfs->xGetLastError = bridge_error;
    return sqlite3_vfs_register(vfs, 0);
}
