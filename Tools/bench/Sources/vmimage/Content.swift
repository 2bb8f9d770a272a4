import Glibc

/// Bytes of the unit in which images are laid out and changed.
let blockSize = 4096

/// The finaliser of SplitMix64: every number that the generator draws comes from here.
@inline(__always) func mixed(_ value: UInt64) -> UInt64 {
    var x = value &+ 0x9E37_79B9_7F4A_7C15
    x = (x ^ (x &>> 30)) &* 0xBF58_476D_1CE4_E5B9
    x = (x ^ (x &>> 27)) &* 0x94D0_49BB_1331_11EB
    return x ^ (x &>> 31)
}

/// One number made of two, the order of which matters.
@inline(__always) func mixed(_ a: UInt64, _ b: UInt64) -> UInt64 { mixed(mixed(a) ^ (b &* 0xD6E8_FEB8_6659_FD93)) }

/// Numbers in a fixed order, by counting: the n-th of a seed is the same on every machine.
struct Numbers {
    private var state: UInt64
    init(_ seed: UInt64) { state = seed }

    @inline(__always) mutating func next() -> UInt64 {
        defer { state &+= 1 }
        return mixed(state)
    }

    /// From 0 to less than `limit`, which is above zero; the bias is below 2^-32 for what is drawn here.
    mutating func below(_ limit: UInt64) -> UInt64 { next() % limit }

    /// Each power of two from 2^low to 2^(high - 1) as likely as any other, then any number up to the next power.
    mutating func logUniform(_ low: UInt64, _ high: UInt64) -> UInt64 {
        let power: UInt64 = 1 << (low + below(high - low))
        return power + below(power)
    }
}

/// What one block holds: a pure function of a number, so that nothing has to be kept to compare with.
struct BlockContent: Equatable {
    enum Kind { case noise, text, zeros }
    let kind: Kind
    let id: UInt64
    static let zeros = BlockContent(kind: .zeros, id: 0)
}

/// Makes the content of blocks. Text looks like a service's log and compresses to about a quarter, noise not at all.
struct ContentMaker: @unchecked Sendable {
    /// A line of text may run over the end of its block by this much; the next block overwrites it.
    static let slack = 256
    /// Words with a blank behind, padded to 16 bytes, so that each is two stores.
    private let words: UnsafeMutablePointer<(UInt64, UInt64)>
    private let lengths: UnsafeMutablePointer<Int>

    private static let vocabulary = [
        "connection", "request", "accepted", "from", "client", "session", "timeout", "volume", "replica", "snapshot",
        "writer", "failed", "completed", "with", "status", "block", "error", "retry", "queue", "worker", "service",
        "started", "stopped", "policy", "backup", "agent", "server", "database", "commit", "transaction", "index",
        "update", "delete", "select", "insert", "table", "where", "user", "login", "password", "expired", "granted",
        "token", "kernel", "driver", "device", "loaded", "memory", "pressure", "cache", "flush", "disk", "latency",
        "threshold", "exceeded", "warning", "network", "interface", "link", "down", "restored", "cluster", "node",
        "quorum",
    ]

    init() {
        let count = Self.vocabulary.count
        precondition(count == 64, "a word is chosen by six bits")
        words = .allocate(capacity: count)
        lengths = .allocate(capacity: count)
        for (index, word) in Self.vocabulary.enumerated() {
            var bytes = [UInt8](word.utf8) + [UInt8(ascii: " ")]
            lengths[index] = bytes.count
            bytes += [UInt8](repeating: 0, count: 16 - bytes.count)
            words[index] = bytes.withUnsafeBytes { $0.loadUnaligned(as: (UInt64, UInt64).self) }
        }
    }

    /// Fills one block at `target`, which has `slack` bytes to spare behind the block.
    func fill(_ target: UnsafeMutableRawPointer, with content: BlockContent) {
        switch content.kind {
        case .zeros: memset(target, 0, blockSize)
        case .noise: fillWithNoise(target, content.id)
        case .text: fillWithText(target, content.id)
        }
    }

    private func fillWithNoise(_ target: UnsafeMutableRawPointer, _ id: UInt64) {
        let numbers = target.bindMemory(to: UInt64.self, capacity: blockSize / 8)
        for index in 0..<(blockSize / 8) { numbers[index] = mixed(id &+ UInt64(truncatingIfNeeded: index)) }
    }

    private func fillWithText(_ target: UnsafeMutableRawPointer, _ id: UInt64) {
        var numbers = Numbers(id)
        var milliseconds = id % 86_400_000
        var place = 0
        @inline(__always) func put(_ byte: UInt8) {
            target.storeBytes(of: byte, toByteOffset: place, as: UInt8.self)
            place &+= 1
        }
        @inline(__always) func put(_ text: UInt64, _ count: Int) {
            target.storeBytes(of: text, toByteOffset: place, as: UInt64.self)
            place &+= count
        }
        @inline(__always) func putTwoDigits(_ number: UInt64) {
            put(UInt8(truncatingIfNeeded: 48 &+ number / 10))
            put(UInt8(truncatingIfNeeded: 48 &+ number % 10))
        }
        while place < blockSize {
            let draw = numbers.next()
            milliseconds &+= draw % 997
            put(0x3131_2D36_3230_3200 &>> 8, 7)  // "2026-11", the first byte lowest
            put(UInt8(ascii: "-"))
            putTwoDigits(1 &+ draw &>> 8 % 28)
            put(UInt8(ascii: " "))
            let seconds = milliseconds / 1000
            putTwoDigits(seconds / 3600 % 24)
            put(UInt8(ascii: ":"))
            putTwoDigits(seconds / 60 % 60)
            put(UInt8(ascii: ":"))
            putTwoDigits(seconds % 60)
            put(UInt8(ascii: "."))
            put(UInt8(truncatingIfNeeded: 48 &+ milliseconds / 100 % 10))
            putTwoDigits(milliseconds % 100)
            // " INFO [" and, one time in eight, " WARN [".
            put((draw &>> 20) & 7 == 0 ? 0x5B20_4E52_4157_20 : 0x5B20_4F46_4E49_20, 7)
            for shift in [UInt64(40), 44, 48, 52] {
                let digit = UInt8(truncatingIfNeeded: (draw &>> shift) & 15)
                put(digit < 10 ? 48 &+ digit : 87 &+ digit)
            }
            put(0x205D, 2)  // "] "
            var choice = numbers.next()
            for _ in 0..<(4 &+ (draw &>> 24) % 7) {
                let word = Int(truncatingIfNeeded: choice & 63)
                choice &>>= 6
                target.storeBytes(of: words[word].0, toByteOffset: place, as: UInt64.self)
                target.storeBytes(of: words[word].1, toByteOffset: place &+ 8, as: UInt64.self)
                place &+= lengths[word]
            }
            target.storeBytes(of: UInt8(ascii: "\n"), toByteOffset: place &- 1, as: UInt8.self)
        }
    }
}
