#include <immintrin.h>
#include <stdint.h>
#include <stddef.h>
#include <string.h>
#include <stdlib.h>
#include <assert.h>
#include <limits.h>
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
#define XXH_STATIC_LINKING_ONLY
#define XXH_INLINE_ALL
#define XXH_VECTOR 2  // XXH_AVX2, whose name is not known yet here
#include <xxhash.h>

uint64_t chost_xxh3_avx2(const void *bytes, size_t count, uint64_t seed) {
    return XXH3_64bits_withSeed(bytes, count, seed);
}
#pragma clang attribute pop
