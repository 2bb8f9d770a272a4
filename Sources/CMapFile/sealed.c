#include "cmapfile.h"
#include "chost.h"
#include <sqlite3.h>
#include <string.h>

enum { PAGE = CMAPFILE_PAGE, BODY = CMAPFILE_PAGE - CMAPFILE_SEAL };
// Private file controls; SQLite leaves numbers above its own to others.
enum { CONTROL_HEALTH = 0x5EA1, CONTROL_VERIFY, CONTROL_TWINS };
/// How a page of one copy is.
enum state { GOOD, BAD, ABSENT };

typedef struct sealed_file {
    sqlite3_file base;
    sqlite3_file *main;
    sqlite3_file *mirror;  // NULL if it is missing, which only readers may meet
    const char *mirror_name;
    unsigned char *page;  // three scratch pages
    cmapfile_health health;
} sealed_file;

// A page written to the wrong place has the wrong seal.
static uint64_t seal_of(const unsigned char *page, uint32_t number) {
    return chost_xxh3(page, BODY, 0x6D61702D66696C65ull ^ (number * 0x9E3779B97F4A7C15ull));
}

static void put_seal(unsigned char *page, uint32_t number) {
    uint64_t seal = seal_of(page, number);
    for (int i = 0; i < CMAPFILE_SEAL; i++) page[BODY + i] = (unsigned char)(seal >> (8 * i));
}

static int is_sealed(const unsigned char *page, uint32_t number) {
    uint64_t seal = 0;
    for (int i = 0; i < CMAPFILE_SEAL; i++) seal |= (uint64_t)page[BODY + i] << (8 * i);
    return seal == seal_of(page, number);
}

static uint32_t big(const unsigned char *p) { return (uint32_t)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3]; }
static sqlite3_int64 place(uint32_t number) { return (sqlite3_int64)(number - 1) * PAGE; }

/// Reads a page of one copy. A page that the device cannot read is as bad as one that is wrong.
static enum state load(sqlite3_file *copy, uint32_t number, unsigned char *page) {
    int rc = copy->pMethods->xRead(copy, page, PAGE, place(number));
    if (rc == SQLITE_OK) return is_sealed(page, number) ? GOOD : BAD;
    sqlite3_int64 size = 0;
    if (rc == SQLITE_IOERR_SHORT_READ && !copy->pMethods->xFileSize(copy, &size) && size <= place(number)) return ABSENT;
    return BAD;
}

static int store(sqlite3_file *copy, uint32_t number, const unsigned char *page) {
    return copy->pMethods->xWrite(copy, page, PAGE, place(number));
}

/// Whether the mirror is of the main file's state: each transaction changes page 1. A mirror that was away while the main file
/// went on would have good pages of old content. Uses scratch pages 1 and 2.
static int are_twins(sealed_file *f) {
    if (!f->mirror) return 0;
    unsigned char *one = f->page + PAGE, *two = f->page + 2 * PAGE;
    enum state main = load(f->main, 1, one), mirror = load(f->mirror, 1, two);
    if (main == GOOD && mirror == GOOD) return !memcmp(one, two, PAGE);
    return main == GOOD || mirror == GOOD || (main == ABSENT && mirror == ABSENT);
}

static void note(uint64_t *count, uint32_t *pages, uint32_t number) {
    if (*count < 32) pages[*count] = number;
    ++*count;
}

/// A page, from whichever copy is good. SHORT_READ and zeros beyond the end. Uses scratch pages 1 and 2.
static int fetch(sealed_file *f, uint32_t number, unsigned char *page, int counted) {
    enum state main = load(f->main, number, page);
    if (main == GOOD) return SQLITE_OK;
    enum state mirror = ABSENT;
    if (f->mirror) {
        mirror = load(f->mirror, number, page);
        if (mirror == GOOD && are_twins(f)) {
            if (counted) note(&f->health.healed, f->health.healed_pages, number);
            return SQLITE_OK;
        }
    }
    memset(page, 0, PAGE);
    if (main == ABSENT && mirror == ABSENT) return SQLITE_IOERR_SHORT_READ;
    if (counted) note(&f->health.lost, f->health.lost_pages, number);
    return SQLITE_IOERR_DATA;
}

static int sealed_close(sqlite3_file *file) {
    sealed_file *f = (sealed_file *)file;
    if (f->mirror) f->mirror->pMethods->xClose(f->mirror);
    int rc = f->main->pMethods->xClose(f->main);
    sqlite3_free_filename(f->mirror_name);
    sqlite3_free(f->page);
    return rc;
}

static int sealed_read(sqlite3_file *file, void *bytes, int count, sqlite3_int64 offset) {
    sealed_file *f = (sealed_file *)file;
    // SQLite looks at the header before it takes a lock and before it rolls back: another process may be writing, or a power
    // cut may have torn page 1 in both copies. It takes zeros for "not known yet" and reads the page again under its lock.
    int probe = offset == 0 && count == 100;
    int short_read = 0;
    unsigned char *to = bytes;
    while (count > 0) {
        uint32_t number = (uint32_t)(offset / PAGE) + 1;
        int skip = (int)(offset % PAGE), part = PAGE - skip < count ? PAGE - skip : count;
        unsigned char *page = part == PAGE ? to : f->page;
        int rc = fetch(f, number, page, !probe);
        if (rc == SQLITE_IOERR_SHORT_READ || (rc && probe))
            short_read = 1;
        else if (rc)
            return rc;
        if (page != to) memcpy(to, page + skip, part);
        to += part;
        offset += part;
        count -= part;
    }
    return short_read ? SQLITE_IOERR_SHORT_READ : SQLITE_OK;
}

/// Fills what lies between the end of `copy` and page `number`, so that no page is ever without a seal: from `other` where that
/// has the page, which happens if `copy` was cut off by damage, else with zeros. Uses scratch page 1.
static int fill(sqlite3_file *copy, sqlite3_file *other, uint32_t number, unsigned char *page) {
    sqlite3_int64 size = 0;
    int rc = copy->pMethods->xFileSize(copy, &size);
    for (uint32_t gap = (uint32_t)(size / PAGE) + 1; !rc && gap < number; gap++) {
        enum state state = other ? load(other, gap, page) : ABSENT;
        if (state == BAD) continue;  // nobody knows the page: it stays a hole, which is not sealed
        if (state == ABSENT) {
            memset(page, 0, BODY);
            put_seal(page, gap);
        }
        rc = store(copy, gap, page);
    }
    return rc;
}

static int sealed_write(sqlite3_file *file, const void *bytes, int count, sqlite3_int64 offset) {
    sealed_file *f = (sealed_file *)file;
    // Other page sizes would have content where the seal is.
    if (count % PAGE || offset % PAGE || !f->mirror) return SQLITE_IOERR_WRITE;
    const unsigned char *from = bytes;
    for (; count; from += PAGE, count -= PAGE, offset += PAGE) {
        uint32_t number = (uint32_t)(offset / PAGE) + 1;
        if (number == 1 && (big(from + 16) >> 16 != PAGE || from[20] != CMAPFILE_SEAL)) return SQLITE_IOERR_WRITE;
        memcpy(f->page, from, BODY);
        put_seal(f->page, number);
        int rc = fill(f->main, f->mirror, number, f->page + PAGE);
        if (!rc) rc = store(f->main, number, f->page);
        if (!rc) rc = fill(f->mirror, f->main, number, f->page + PAGE);
        if (!rc) rc = store(f->mirror, number, f->page);
        if (rc) return rc;
    }
    return SQLITE_OK;
}

static int shorten(sqlite3_file *copy, sqlite3_int64 size) {
    sqlite3_int64 found = 0;
    int rc = copy->pMethods->xFileSize(copy, &found);
    // Never lengthened: that would make pages without a seal.
    return rc || found <= size ? rc : copy->pMethods->xTruncate(copy, size);
}

static int sealed_truncate(sqlite3_file *file, sqlite3_int64 size) {
    sealed_file *f = (sealed_file *)file;
    if (!f->mirror) return SQLITE_IOERR_TRUNCATE;
    int rc = shorten(f->main, size);
    return rc ? rc : shorten(f->mirror, size);
}

static int sealed_sync(sqlite3_file *file, int flags) {
    sealed_file *f = (sealed_file *)file;
    int rc = f->main->pMethods->xSync(f->main, flags);
    return rc || !f->mirror ? rc : f->mirror->pMethods->xSync(f->mirror, flags);
}

/// The longer copy's size: a main file that was cut off is read from the mirror. Pages beyond the count in page 1 do not matter.
static int sealed_size(sqlite3_file *file, sqlite3_int64 *size) {
    sealed_file *f = (sealed_file *)file;
    sqlite3_int64 other = 0;
    int rc = f->main->pMethods->xFileSize(f->main, size);
    if (rc || !f->mirror) return rc;
    rc = f->mirror->pMethods->xFileSize(f->mirror, &other);
    if (other > *size) *size = other;
    return rc;
}

static int sealed_lock(sqlite3_file *file, int level) {
    sqlite3_file *main = ((sealed_file *)file)->main;
    return main->pMethods->xLock(main, level);
}
static int sealed_unlock(sqlite3_file *file, int level) {
    sqlite3_file *main = ((sealed_file *)file)->main;
    return main->pMethods->xUnlock(main, level);
}
static int sealed_reserved(sqlite3_file *file, int *held) {
    sqlite3_file *main = ((sealed_file *)file)->main;
    return main->pMethods->xCheckReservedLock(main, held);
}
static int sealed_sector(sqlite3_file *file) {
    sqlite3_file *main = ((sealed_file *)file)->main;
    return main->pMethods->xSectorSize(main);
}

// Two files are never written atomically, nor in order with each other.
static int sealed_traits(sqlite3_file *file) {
    sqlite3_file *main = ((sealed_file *)file)->main;
    return main->pMethods->xDeviceCharacteristics(main) &
           (SQLITE_IOCAP_POWERSAFE_OVERWRITE | SQLITE_IOCAP_UNDELETABLE_WHEN_OPEN);
}

typedef struct verification {
    int repair;
    cmapfile_finding finding;
    void *context;
    uint32_t pages;
} verification;

/// One bit for each page that the list of free pages names as a leaf. NULL if the list cannot be read or memory is short.
static unsigned char *free_leaves(sealed_file *f, uint32_t pages, unsigned char *page) {
    unsigned char *bits = sqlite3_malloc64(pages / 8 + 1);
    if (!bits) return 0;
    memset(bits, 0, pages / 8 + 1);
    if (fetch(f, 1, page, 0)) goto broken;
    uint32_t trunk = big(page + 32);
    for (uint32_t steps = 0; trunk; steps++) {
        if (trunk > pages || steps > pages || fetch(f, trunk, page, 0)) goto broken;
        uint32_t count = big(page + 4);
        if (count > BODY / 4 - 2) goto broken;
        for (uint32_t i = 0; i < count; i++) {
            uint32_t leaf = big(page + 8 + 4 * i);
            if (leaf == 0 || leaf > pages) goto broken;
            bits[leaf / 8] |= (unsigned char)(1 << leaf % 8);
        }
        trunk = big(page);
    }
    return bits;
broken:
    sqlite3_free(bits);
    return 0;
}

static int verify(sealed_file *f, verification *v) {
    if (!f->mirror) return SQLITE_CANTOPEN;
    unsigned char *pages = sqlite3_malloc(3 * PAGE), *free_bits = 0;
    if (!pages) return SQLITE_NOMEM;
    unsigned char *one = pages, *two = pages + PAGE, *third = pages + 2 * PAGE;
    sqlite3_int64 size = 0;
    int rc = sealed_size(&f->base, &size), walked = 0, repaired = 0;
    uint32_t last = (uint32_t)((size + PAGE - 1) / PAGE);
    // What lies beyond the count in page 1 is left over from a database that shrank.
    if (!rc && !fetch(f, 1, one, 0) && big(one + 28) && big(one + 24) == big(one + 92)) last = big(one + 28);
    int twins = are_twins(f);
    v->pages = last;
    for (uint32_t number = 1; !rc && number <= last; number++) {
        enum state main = load(f->main, number, one), mirror = load(f->mirror, number, two);
        int what = (main == GOOD ? 0 : CMAPFILE_MAIN_BAD) | (mirror == GOOD ? 0 : CMAPFILE_MIRROR_BAD);
        if (!what && memcmp(one, two, PAGE)) what = CMAPFILE_DIFFERS;
        if (!what) continue;
        if (!walked) {
            walked = 1;
            free_bits = free_leaves(f, last, third);
        }
        int unused = free_bits && (free_bits[number / 8] >> number % 8 & 1);
        if (unused) what |= CMAPFILE_FREE;
        if (v->repair) {
            int done = 1;
            if (main == GOOD)
                rc = store(f->mirror, number, one);
            else if (mirror == GOOD && twins)
                rc = store(f->main, number, two);
            else if (unused) {
                memset(one, 0, BODY);
                put_seal(one, number);
                rc = store(f->main, number, one);
                if (!rc) rc = store(f->mirror, number, one);
            } else
                done = 0;
            if (done && !rc) {
                what |= CMAPFILE_REPAIRED;
                repaired = 1;
            }
        }
        v->finding(v->context, number, what);
    }
    if (!rc && repaired) rc = sealed_sync(&f->base, SQLITE_SYNC_NORMAL);
    sqlite3_free(free_bits);
    sqlite3_free(pages);
    return rc;
}

static int sealed_control(sqlite3_file *file, int op, void *argument) {
    sealed_file *f = (sealed_file *)file;
    switch (op) {
    case CONTROL_HEALTH:
        *(cmapfile_health *)argument = f->health;
        return SQLITE_OK;
    case CONTROL_VERIFY: return verify(f, argument);
    case CONTROL_TWINS: return !f->mirror || are_twins(f) ? SQLITE_OK : SQLITE_CORRUPT;
    // They would make room, and so pages without a seal, or bypass the reading below.
    case SQLITE_FCNTL_SIZE_HINT:
    case SQLITE_FCNTL_CHUNK_SIZE: return SQLITE_OK;
    case SQLITE_FCNTL_MMAP_SIZE:
    case SQLITE_FCNTL_BEGIN_ATOMIC_WRITE:
    case SQLITE_FCNTL_COMMIT_ATOMIC_WRITE:
    case SQLITE_FCNTL_ROLLBACK_ATOMIC_WRITE: return SQLITE_NOTFOUND;
    default: return f->main->pMethods->xFileControl(f->main, op, argument);
    }
}

// Version 1: neither shared memory nor mapping, so there is no write-ahead log and no read past the seals.
static const sqlite3_io_methods sealed_methods = {
    1, sealed_close, sealed_read, sealed_write, sealed_truncate, sealed_sync, sealed_size, sealed_lock, sealed_unlock,
    sealed_reserved, sealed_control, sealed_sector, sealed_traits, 0, 0, 0, 0, 0, 0};

static sqlite3_vfs *base_of(sqlite3_vfs *vfs) { return vfs->pAppData; }
static int rounded(int size) { return (size + 15) & ~15; }

/// The mirror's full name, in the form a VFS may ask for parameters.
static const char *mirror_name(sqlite3_vfs *base, const char *name) {
    const char *given = sqlite3_uri_parameter(name, "mirror");
    char *path = given && *given ? sqlite3_mprintf("%s", given) : sqlite3_mprintf("%s-mirror", name);
    char *full = sqlite3_malloc(base->mxPathname + 1);
    const char *result = 0;
    if (path && full) {
        int rc = base->xFullPathname(base, path, base->mxPathname + 1, full);
        // SQLITE_OK_SYMLINK is no error.
        if ((rc & 0xFF) == SQLITE_OK) result = sqlite3_create_filename(full, "", "", 0, 0);
    }
    sqlite3_free(path);
    sqlite3_free(full);
    return result;
}

static int open_mirror(sealed_file *f, sqlite3_vfs *base, int flags) {
    sqlite3_int64 size = 0;
    int exists = 0, found_flags = 0;
    int rc = f->main->pMethods->xFileSize(f->main, &size);
    if (!rc) rc = base->xAccess(base, f->mirror_name, SQLITE_ACCESS_EXISTS, &exists);
    if (rc) return rc;
    if (!exists && (flags & SQLITE_OPEN_READONLY)) {
        f->health.mirror_missing = 1;
        return SQLITE_OK;
    }
    // A file that goes on without its mirror would make that a copy of old content.
    if (!exists && size > 0) return SQLITE_CANTOPEN;
    sqlite3_file *mirror = (sqlite3_file *)((char *)f->main + rounded(base->szOsFile));
    mirror->pMethods = 0;
    rc = base->xOpen(base, f->mirror_name, mirror, flags, &found_flags);
    if (mirror->pMethods) f->mirror = mirror;
    // A file system may open for reading what it was to open for writing.
    if (!rc && (flags & SQLITE_OPEN_READWRITE) && (found_flags & SQLITE_OPEN_READONLY)) rc = SQLITE_READONLY;
    return rc;
}

static int open_copies(sealed_file *f, sqlite3_vfs *base, const char *name, int flags, int *found_flags) {
    if (!f->page || !f->mirror_name) return SQLITE_NOMEM;
    int exists = 0;
    int rc = base->xAccess(base, name, SQLITE_ACCESS_EXISTS, &exists);
    if (rc) return rc;
    if (!exists) {
        rc = base->xAccess(base, f->mirror_name, SQLITE_ACCESS_EXISTS, &exists);
        // The main file is gone, its mirror is not: no new database is to be written over it.
        if (rc || exists) return rc ? rc : SQLITE_CANTOPEN;
    }
    rc = base->xOpen(base, name, f->main, flags, found_flags);
    if (rc) return rc;
    int access = SQLITE_OPEN_READONLY | SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    return open_mirror(f, base, (flags & ~(access | SQLITE_OPEN_URI)) | (*found_flags & access));
}

static int sealed_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out) {
    sqlite3_vfs *base = base_of(vfs);
    if (!(flags & SQLITE_OPEN_MAIN_DB) || !name) return base->xOpen(base, name, file, flags, out);
    sealed_file *f = (sealed_file *)file;
    memset(f, 0, sizeof *f);
    f->main = (sqlite3_file *)((char *)file + rounded(sizeof(sealed_file)));
    f->main->pMethods = 0;
    f->page = sqlite3_malloc(3 * PAGE);
    f->mirror_name = mirror_name(base, name);
    int found_flags = flags;
    int rc = open_copies(f, base, name, flags, &found_flags);
    if (rc) {
        if (f->mirror) f->mirror->pMethods->xClose(f->mirror);
        if (f->main->pMethods) f->main->pMethods->xClose(f->main);
        sqlite3_free_filename(f->mirror_name);
        sqlite3_free(f->page);
        f->base.pMethods = 0;
        return rc;
    }
    if (out) *out = found_flags;
    f->base.pMethods = &sealed_methods;
    return SQLITE_OK;
}

static int sealed_delete(sqlite3_vfs *vfs, const char *name, int sync_folder) {
    return base_of(vfs)->xDelete(base_of(vfs), name, sync_folder);
}
static int sealed_access(sqlite3_vfs *vfs, const char *name, int flags, int *result) {
    return base_of(vfs)->xAccess(base_of(vfs), name, flags, result);
}
static int sealed_full_path(sqlite3_vfs *vfs, const char *name, int count, char *out) {
    return base_of(vfs)->xFullPathname(base_of(vfs), name, count, out);
}
static int sealed_randomness(sqlite3_vfs *vfs, int count, char *out) {
    return base_of(vfs)->xRandomness(base_of(vfs), count, out);
}
static int sealed_sleep(sqlite3_vfs *vfs, int microseconds) { return base_of(vfs)->xSleep(base_of(vfs), microseconds); }
static int sealed_time(sqlite3_vfs *vfs, double *time) { return base_of(vfs)->xCurrentTime(base_of(vfs), time); }
static int sealed_error(sqlite3_vfs *vfs, int count, char *out) {
    return base_of(vfs)->xGetLastError(base_of(vfs), count, out);
}

int cmapfile_register(const char *name, const char *base_name) {
    int rc = sqlite3_initialize();
    if (rc) return rc;
    if (sqlite3_vfs_find(name)) return SQLITE_OK;
    sqlite3_vfs *base = sqlite3_vfs_find(base_name);
    if (!base) return SQLITE_NOTFOUND;
    sqlite3_vfs *vfs = sqlite3_malloc(sizeof *vfs);
    char *kept = sqlite3_mprintf("%s", name);
    if (!vfs || !kept) {
        sqlite3_free(vfs);
        sqlite3_free(kept);
        return SQLITE_NOMEM;
    }
    memset(vfs, 0, sizeof *vfs);
    vfs->iVersion = 1;
    vfs->szOsFile = rounded(sizeof(sealed_file)) + 2 * rounded(base->szOsFile);
    vfs->mxPathname = base->mxPathname;
    vfs->zName = kept;
    vfs->pAppData = base;
    vfs->xOpen = sealed_open;
    vfs->xDelete = sealed_delete;
    vfs->xAccess = sealed_access;
    vfs->xFullPathname = sealed_full_path;
    vfs->xRandomness = sealed_randomness;
    vfs->xSleep = sealed_sleep;
    vfs->xCurrentTime = sealed_time;
    vfs->xGetLastError = sealed_error;
    return sqlite3_vfs_register(vfs, 0);
}

int cmapfile_has_uris(void) { return sqlite3_compileoption_used("USE_URI"); }

int cmapfile_reserve(struct sqlite3 *db) {
    int bytes = CMAPFILE_SEAL;
    return sqlite3_file_control(db, "main", SQLITE_FCNTL_RESERVE_BYTES, &bytes);
}

int cmapfile_health_of(struct sqlite3 *db, cmapfile_health *health) {
    return sqlite3_file_control(db, "main", CONTROL_HEALTH, health);
}

int cmapfile_verify(struct sqlite3 *db, int repair, cmapfile_finding finding, void *context, uint32_t *pages) {
    verification v = {repair, finding, context, 0};
    int rc = sqlite3_file_control(db, "main", CONTROL_VERIFY, &v);
    *pages = v.pages;
    return rc;
}

int cmapfile_twins(struct sqlite3 *db) { return sqlite3_file_control(db, "main", CONTROL_TWINS, 0); }
