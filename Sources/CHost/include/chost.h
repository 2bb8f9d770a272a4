// What the host has and Swift's C library module lacks: checksums by the processor's instructions, holes, early write-out, fork.
#ifndef CHOST_H
#define CHOST_H
#include <stddef.h>
#include <stdint.h>

/// CRC-32C (Castagnoli), continued from `crc` (0 to begin). Uses SSE 4.2 where the processor has it.
uint32_t chost_crc32c(uint32_t crc, const void *bytes, size_t count);
/// XXH3, 64 bits, with a seed. Uses AVX2 where the processor has it.
uint64_t chost_xxh3(const void *bytes, size_t count, uint64_t seed);
/// 1 if every byte is zero.
int chost_is_zero(const void *bytes, size_t count);
/// Frees the space of a range, which then reads as zeros; the file keeps its size. -1 and errno on failure.
int chost_punch(int file, int64_t offset, int64_t count);
/// Reserves space for a range without changing the file's size or content. -1 and errno on failure.
int chost_reserve(int file, int64_t offset, int64_t count);
/// Asks for a range to be written to the medium soon, without waiting. A hint: failures are ignored.
void chost_write_soon(int file, int64_t offset, int64_t count);
/// The first place at or after `from` that is data (or, `hole` being 1, a hole); -1 and errno on failure, ENXIO at the end.
int64_t chost_seek(int file, int64_t from, int hole);
/// Fills `bytes` with the system's random numbers; 0, or -1 and errno.
int chost_random(void *bytes, size_t count);
/// A copy of this process, as fork(2) makes it: 0 in the copy, its number here, -1 and errno on failure.
int chost_fork(void);
#endif
