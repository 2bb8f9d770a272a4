#include "chost.h"
#include <string.h>
#include <nmmintrin.h>

// Slicing by eight for processors without the instruction.
static uint32_t table[8][256];
__attribute__((constructor)) static void fill_table(void) {
    for (uint32_t n = 0; n < 256; n++) {
        uint32_t c = n;
        for (int k = 0; k < 8; k++) c = (c & 1) ? (c >> 1) ^ 0x82F63B78u : c >> 1;
        table[0][n] = c;
    }
    for (uint32_t n = 0; n < 256; n++)
        for (int t = 1; t < 8; t++) table[t][n] = (table[t - 1][n] >> 8) ^ table[0][table[t - 1][n] & 255];
}

static uint32_t crc_by_table(uint32_t crc, const unsigned char *p, size_t n) {
    for (; n >= 8; p += 8, n -= 8) {
        uint64_t w;
        memcpy(&w, p, 8);
        w ^= crc;
        crc = 0;
        for (int t = 0; t < 8; t++) crc ^= table[7 - t][(w >> (8 * t)) & 255];
    }
    for (; n; n--) crc = (crc >> 8) ^ table[0][(crc ^ *p++) & 255];
    return crc;
}

// The instruction takes one word a cycle but answers after three: three strands side by side, joined by what so many zeros behind
// them would make of their sums.
enum { strand = 4096 };
static uint32_t behind_strand[4][256];

__attribute__((target("sse4.2"))) static uint64_t crc_step(uint64_t c, const unsigned char *p) {
    uint64_t w;
    memcpy(&w, p, 8);
    return _mm_crc32_u64(c, w);
}

__attribute__((target("sse4.2"))) static void fill_behind_strand(void) {
    for (int bit = 0; bit < 32; bit++) {
        uint64_t c = 1u << bit;
        for (int n = 0; n < strand / 8; n++) c = _mm_crc32_u64(c, 0);
        uint32_t *part = behind_strand[bit / 8];
        for (int byte = 0; byte < 256; byte++)
            if (byte >> (bit % 8) & 1) part[byte] ^= (uint32_t)c;
    }
}

__attribute__((constructor)) static void fill_strands(void) {
    __builtin_cpu_init();
    if (__builtin_cpu_supports("sse4.2")) fill_behind_strand();
}

static uint64_t join(uint64_t c, uint64_t next) {
    return behind_strand[0][c & 255] ^ behind_strand[1][c >> 8 & 255] ^ behind_strand[2][c >> 16 & 255]
        ^ behind_strand[3][c >> 24 & 255] ^ next;
}

__attribute__((target("sse4.2"))) static uint32_t crc_by_instruction(uint32_t crc, const unsigned char *p, size_t n) {
    uint64_t c = crc;
    for (; n >= 3 * strand; p += 3 * strand, n -= 3 * strand) {
        uint64_t second = 0, third = 0;
        for (int at = 0; at < strand; at += 8) {
            c = crc_step(c, p + at);
            second = crc_step(second, p + strand + at);
            third = crc_step(third, p + 2 * strand + at);
        }
        c = join(join(c, second), third);
    }
    for (; n >= 8; p += 8, n -= 8) c = crc_step(c, p);
    for (; n; n--) c = _mm_crc32_u8((uint32_t)c, *p++);
    return (uint32_t)c;
}

uint32_t chost_crc32c(uint32_t crc, const void *bytes, size_t count) {
    crc = ~crc;
    return ~(__builtin_cpu_supports("sse4.2") ? crc_by_instruction(crc, bytes, count) : crc_by_table(crc, bytes, count));
}

int chost_is_zero(const void *bytes, size_t count) {
    const unsigned char *p = bytes;
    if (count < 16) {
        for (size_t i = 0; i < count; i++)
            if (p[i]) return 0;
        return 1;
    }
    uint64_t head[2];
    memcpy(head, p, 16);
    // Equal to itself shifted by sixteen zeros: all zeros.
    return !(head[0] | head[1]) && !memcmp(p, p + 16, count - 16);
}
