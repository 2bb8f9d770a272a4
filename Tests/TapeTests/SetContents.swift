import Files
import Synchronization
import Tape

/// A repeatable generator of chance.
struct Chance: RandomNumberGenerator {
    var state: UInt64
    init(_ seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var word = state
        word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        return word ^ (word >> 31)
    }
}

/// A file made of runs: holes, zeros, chance, text.
struct MadeFile: SetFile {
    enum Content: Hashable, Sendable {
        case hole, zeros, chance(UInt64), text(UInt64)
    }
    var name: String
    var modified: Int64 = 1_700_000_000
    var runs: [(content: Content, count: Int64)]
    /// Reading it at or behind this byte fails.
    var failsAt: Int64?
    var size: Int64 { runs.reduce(0) { $0 + $1.count } }

    init(_ name: String, _ runs: [(content: Content, count: Int64)]) { (self.name, self.runs) = (name, runs) }

    /// Runs drawn from chance.
    static func drawn(_ name: String, _ size: Int64, _ chance: inout Chance, run: Int64 = 300_000) -> MadeFile {
        var runs: [(content: Content, count: Int64)] = []
        var left = size
        while left > 0 {
            let count = min(left, Int64.random(in: 1...run, using: &chance))
            let seed = chance.next()
            runs.append(([.hole, .zeros, .chance(seed), .text(seed)][Int.random(in: 0..<4, using: &chance)], count))
            left -= count
        }
        return MadeFile(name, runs)
    }

    static func byte(_ content: Content, _ offset: Int64) -> UInt8 {
        switch content {
        case .hole, .zeros: return 0
        case .chance(let seed):
            var generator = Chance(seed ^ UInt64(offset / 8))
            return UInt8(truncatingIfNeeded: generator.next() >> UInt64(8 * (offset % 8)))
        case .text(let seed): return UInt8(97 + (offset / 7 &* 3 + offset % 5 + Int64(seed % 11)) % 26)
        }
    }

    func dataRange(from offset: Int64) throws(StorageFault) -> Range<Int64>? {
        var at: Int64 = 0
        for run in runs {
            let end = at + run.count
            if run.content != .hole, end > offset { return max(at, offset)..<end }
            at = end
        }
        return nil
    }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(StorageFault) {
        if let failsAt, offset + Int64(buffer.count) > failsAt {
            throw StorageFault(.device, "TEST-SOURCE", name, "the disk failed", action: "Nothing")
        }
        var at: Int64 = 0
        for run in runs {
            let part = (at..<at + run.count).clamped(to: offset..<offset + Int64(buffer.count))
            if !part.isEmpty {
                let target = UnsafeMutableRawBufferPointer(
                    rebasing: buffer[Int(part.lowerBound - offset)..<Int(part.upperBound - offset)])
                fill(target, run.content, part.lowerBound - at)
            }
            at += run.count
        }
    }

    /// Bytes repeat after 8191, which no record length divides.
    private func fill(_ target: UnsafeMutableRawBufferPointer, _ content: Content, _ from: Int64) {
        let period = 8191
        guard content != .hole, content != .zeros else {
            _ = target.initializeMemory(as: UInt8.self, repeating: 0)
            return
        }
        let count = min(target.count, period)
        for index in 0..<count { target[index] = Self.byte(content, (from + Int64(index)) % Int64(period)) }
        var done = count
        while done < target.count {
            let step = min(done, target.count - done)
            UnsafeMutableRawBufferPointer(rebasing: target[done..<done + step]).copyMemory(
                from: UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(target)[..<step]))
            done += step
        }
    }

    func bytes(_ range: Range<Int64>) throws(StorageFault) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Int(range.count))
        try bytes.withMutableBytes { (buffer) throws(StorageFault) in try read(into: buffer, at: range.lowerBound) }
        return bytes
    }
}

/// Takes what is restored, sparsely.
final class KeptTarget: SetTarget {
    struct State {
        var size: Int64 = -1
        var parts: [Int64: [UInt8]] = [:]
    }
    let state = Mutex(State())

    func prepare(size: Int64) throws(StorageFault) { state.withLock { $0.size = size } }

    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(StorageFault) {
        let copy = [UInt8](bytes)
        state.withLock { $0.parts[offset] = copy }
    }

    var size: Int64 { state.withLock { $0.size } }
    var written: Int64 { state.withLock { $0.parts.values.reduce(0) { $0 + Int64($1.count) } } }

    func bytes(_ range: Range<Int64>) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Int(range.count))
        state.withLock { state in
            for (offset, part) in state.parts {
                let common = (offset..<offset + Int64(part.count)).clamped(to: range)
                guard !common.isEmpty else { continue }
                bytes.replaceSubrange(
                    Int(common.lowerBound - range.lowerBound)..<Int(common.upperBound - range.lowerBound),
                    with: part[Int(common.lowerBound - offset)..<Int(common.upperBound - offset)])
            }
        }
        return bytes
    }

    /// Whether it holds exactly what `file` does.
    func holds(_ file: MadeFile) throws(StorageFault) -> Bool {
        guard size == file.size else { return false }
        return try bytes(0..<size) == file.bytes(0..<size)
    }
}

/// What tests of sets need again and again.
struct SetBench {
    static let keyed = try! KeyedCertificate.selfSigned(
        "test", key: .p256, from: 1_600_000_000, until: 2_000_000_000, secrets: SeededSecrets(seed: 1))
    let guids = SequentialGUIDs(seed: 7)
    var secrets = SeededSecrets(seed: 7)

    static func label(_ family: UInt32 = 77, _ name: String = "T1") -> TapeLabel {
        TapeLabel(
            id: GUID(bytes: [UInt8](repeating: UInt8(truncatingIfNeeded: family), count: 16)), family: family,
            name: name, date: 1_700_000_000)
    }

    func tape(_ family: UInt32 = 77, capacity: Int64 = .max / 4, reserve: Int64 = 1 << 26) throws -> MemoryTape {
        let tape = MemoryTape(capacity: capacity, reserve: reserve)
        try Self.label(family).write(to: tape)
        return tape
    }

    func describe(_ name: String) -> SetDescription {
        SetDescription(
            set: guids.next(), name: name, description: "of \(name)", datasource: "\\\\host\\\(name)", machine: "host",
            user: "DOMAIN\\operator", date: 1_700_000_000, expiry: 1_710_000_000)
    }

    static func options(
        _ compression: SetCompression?, encrypted: Bool, record: Int = 1 << 20, workers: Int = 2
    ) -> SetOptions {
        var options = SetOptions()
        options.compression = compression
        options.certificates = encrypted ? [keyed.certificate] : []
        options.recordLength = record
        options.workers = workers
        return options
    }

    @discardableResult func write(
        _ files: [MadeFile], _ name: String = "set", on tape: MemoryTape, supply: (any TapeSupply)? = nil,
        _ options: SetOptions
    ) throws -> SetReceipt {
        let writer = SetWriter(tape, supply: supply, guids: guids, secrets: secrets)
        return try writer.write(files, describe(name), options)
    }

    static func open(
        _ entry: SetEntry, _ tape: MemoryTape, supply: (any TapeSupply)? = nil
    ) throws(StorageFault) -> OpenSet {
        try OpenSet(entry, on: tape, with: [keyed], supply: supply)
    }

    /// Whether every file of a set comes back as it was.
    static func restores(_ set: OpenSet, _ files: [MadeFile]) throws -> Bool {
        guard set.files.count == files.count else { return false }
        for (index, file) in files.enumerated() {
            let target = KeptTarget()
            let report = try set.read(index, to: target)
            guard report.lost.isEmpty, report.bytes == file.size, set.files[index].name == file.name,
                try target.holds(file)
            else { return false }
        }
        return true
    }
}
