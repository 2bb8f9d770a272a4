// SQLite over two sealed copies of a file, and SQLite over files that live in Swift.
#ifndef CMAPFILE_H
#define CMAPFILE_H
#include <stdint.h>

struct sqlite3;

/// The only page size a sealed database has. The last eight bytes of each page are its seal.
enum { CMAPFILE_PAGE = 8192, CMAPFILE_SEAL = 8 };

/// Registers `name`, a VFS that seals and mirrors main databases over the VFS `base` (NULL: SQLite's default). The mirror's path
/// is the URI parameter `mirror`, else the database's with `-mirror` behind. Registering a name again does nothing.
/// Returns an SQLite result code.
int cmapfile_register(const char *name, const char *base);

/// Whether SQLite takes names that begin with `file:` as URIs, which is how a VFS is named.
int cmapfile_has_uris(void);

/// Reserves the seals' room in each page; to be called after opening, before anything is written. An SQLite result code.
int cmapfile_reserve(struct sqlite3 *db);

/// What a sealed connection met since it was opened.
typedef struct cmapfile_health {
    /// Reads answered from the mirror, because the main file's page was damaged or unreadable.
    uint64_t healed;
    /// Reads that failed, because no copy was good.
    uint64_t lost;
    /// The pages of the first of them, numbered from 1.
    uint32_t healed_pages[32];
    uint32_t lost_pages[32];
    /// 1 if there is no mirror (only a read-only connection opens then).
    int mirror_missing;
} cmapfile_health;

/// 0, or an SQLite result code if the connection is not sealed.
int cmapfile_health_of(struct sqlite3 *db, cmapfile_health *health);

/// What `cmapfile_verify` found at a page.
enum {
    CMAPFILE_MAIN_BAD = 1,
    CMAPFILE_MIRROR_BAD = 2,
    /// Both copies are good, but not the same.
    CMAPFILE_DIFFERS = 4,
    /// The page is on the list of free pages: nothing is lost with it.
    CMAPFILE_FREE = 8,
    CMAPFILE_REPAIRED = 16,
};
typedef void (*cmapfile_finding)(void *context, uint32_t page, int what);

/// Reads every page of both copies and tells each that is not good. With `repair` the bad copy is rewritten from the good one
/// (of two that differ, the mirror from the main file), free pages that are bad in both are cleared, and both are flushed.
/// The caller holds a read transaction. `pages` gets the number of pages. O(size); 24 KiB of memory and one bit a page if
/// pages are bad. Returns an SQLite result code: 0 also if pages are bad.
int cmapfile_verify(struct sqlite3 *db, int repair, cmapfile_finding finding, void *context, uint32_t *pages);

/// 0 if the two copies are of one state; SQLITE_CORRUPT if the mirror is of another. Within a read transaction.
int cmapfile_twins(struct sqlite3 *db);

/// What a function of `cmapfile_files` returns.
enum cmapfile_outcome { CMAPFILE_DONE, CMAPFILE_FAILED, CMAPFILE_FULL, CMAPFILE_MISSING, CMAPFILE_READONLY, CMAPFILE_BUSY };

/// Files that live elsewhere. One process uses them, so there are no locks between connections.
typedef struct cmapfile_files {
    void *context;
    int (*open)(void *context, const char *path, int create, int read_only, int main_file, void **file);
    void (*close)(void *file);
    /// Puts the number of bytes there were into `got`.
    int (*read)(void *file, void *bytes, int count, int64_t offset, int *got);
    int (*write)(void *file, const void *bytes, int count, int64_t offset);
    int (*truncate)(void *file, int64_t size);
    /// Returns when content and, if the file was made by this opening, its name are durable.
    int (*sync)(void *file);
    int (*size)(void *file, int64_t *size);
    int (*remove)(void *context, const char *path, int sync_folder);
    int (*exists)(void *context, const char *path, int *exists);
} cmapfile_files;

/// Registers `name`, a VFS over `files`, which must stay valid for ever. An SQLite result code.
int cmapfile_register_files(const char *name, const cmapfile_files *files);

#endif
