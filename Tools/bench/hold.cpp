// The hold model on a hand-written binary heap: what a machine can do without a kernel.
// usage: hold PENDING EVENTS; prints nanoseconds an event.
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

struct Xoshiro {
    uint64_t s[4];
    explicit Xoshiro(uint64_t x) {
        for (auto &word : s) {
            uint64_t z = (x += 0x9e3779b97f4a7c15ull);
            z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
            z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
            word = z ^ (z >> 31);
        }
    }
    static uint64_t rotated(uint64_t x, int k) { return (x << k) | (x >> (64 - k)); }
    uint64_t next() {
        const uint64_t result = rotated(s[0] + s[3], 23) + s[0], t = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = rotated(s[3], 45);
        return result;
    }
    int64_t nanoseconds() { return int64_t(-std::log(double((next() >> 11) + 1) * 0x1p-53) * 1e9); }
};

struct Entry {
    int64_t time;
    uint32_t sequence, subject;
    bool operator<(const Entry &other) const {
        return time < other.time || (time == other.time && sequence < other.sequence);
    }
};

struct Heap {
    std::vector<Entry> entries;
    void push(Entry entry) {
        size_t i = entries.size();
        entries.push_back(entry);
        for (; i > 0 && entry < entries[(i - 1) / 2]; i = (i - 1) / 2) entries[i] = entries[(i - 1) / 2];
        entries[i] = entry;
    }
    void replaceFirst(Entry entry) {
        const size_t count = entries.size();
        size_t i = 0;
        for (;;) {
            size_t child = 2 * i + 1;
            if (child >= count) break;
            if (child + 1 < count && entries[child + 1] < entries[child]) child++;
            if (!(entries[child] < entry)) break;
            entries[i] = entries[child];
            i = child;
        }
        entries[i] = entry;
    }
};

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    const uint32_t pending = uint32_t(std::atol(argv[1]));
    const uint64_t events = uint64_t(std::atoll(argv[2]));
    Heap heap;
    Xoshiro random(12345);
    uint32_t sequence = 0;
    uint64_t sum = 0;
    for (uint32_t i = 0; i < pending; i++) heap.push({random.nanoseconds(), sequence++, i});
    auto run = [&](uint64_t count) {
        for (uint64_t i = 0; i < count; i++) {
            const Entry first = heap.entries[0];
            sum = sum * 31 + first.subject;
            heap.replaceFirst({first.time + random.nanoseconds(), sequence++, first.subject});
        }
    };
    run(2 * uint64_t(pending) + 1000);
    const auto begin = std::chrono::steady_clock::now();
    run(events);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    std::printf("%.3f\n", took.count() / double(events) * 1e9);
    std::fprintf(stderr, "%llu\n", (unsigned long long)sum);
}
