public import Files
import Foundation
import Glibc
import Synchronization
import Testing

/// Runs a fuzz test: cases that each follow from one number, so that any of them can be had again alone.
///
/// In a test suite it runs a fixed number of cases. With `DPMSIM_FUZZ_SECONDS` it runs for so long, watches memory and hangs, and
/// notes each case in `dpmsim-fuzz-<name>` in the temporary folder before it begins, so that a crash names its case.
/// `DPMSIM_FUZZ_SEED` chooses other cases, `DPMSIM_FUZZ_CASE` runs one alone.
public final class Fuzz {
    /// Of a case, seconds of its thread's time; in a suite that is built for debugging, ten times as much.
    public static let longest = 2.0
    /// Of memory over what the process had when the first case began, bytes.
    public static let mostMemory = 256 << 20

    private let name: String
    private let seed: UInt64
    private let cases: Int
    private let seconds: Double?
    private let only: Int?
    private let note: Int32
    /// How often what happened, by the faults' identifiers.
    private var tally: [String: Int] = [:]
    private var findings: [String] = []
    private var current = 0

    public init(_ name: String, cases: Int) {
        (self.name, self.cases) = (name, cases)
        let environment = ProcessInfo.processInfo.environment
        seed = environment["DPMSIM_FUZZ_SEED"].flatMap(UInt64.init) ?? 1
        seconds = environment["DPMSIM_FUZZ_SECONDS"].flatMap(Double.init)
        only = environment["DPMSIM_FUZZ_CASE"].flatMap(Int.init)
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("dpmsim-fuzz-\(name)").path
        note = seconds == nil && only == nil ? -1 : open(path, O_RDWR | O_CREAT, 0o644)
    }

    deinit { if note >= 0 { close(note) } }

    /// What is wrong with the case that runs.
    public func find(_ text: String) {
        findings.append("\(name), DPMSIM_FUZZ_SEED=\(seed) DPMSIM_FUZZ_CASE=\(current): \(text)")
        if seconds != nil || only != nil { print("FINDING", findings[findings.count - 1]) }
    }

    public func count(_ what: String) { tally[what, default: 0] += 1 }

    /// The value, or nil after a fault, which is counted; any other error is a finding.
    @discardableResult public func attempt<Value>(_ what: String, _ body: () throws -> Value) -> Value? {
        do {
            let value = try body()
            count(what)
            return value
        } catch let fault as StorageFault {
            count("\(what) \(fault.id)")
            let parts = fault.id.split(separator: "-", omittingEmptySubsequences: false)
            if parts.count < 2 || parts.contains(where: \.isEmpty) || fault.cause.isEmpty || fault.action.isEmpty {
                find("\(what): a fault without an identifier, a cause or an action: \(fault)")
            }
        } catch {
            find("\(what): \(type(of: error)) instead of a storage fault: \(error)")
        }
        return nil
    }

    /// Runs the cases; each is given its chance. What a case throws is a finding.
    public func run(_ body: (inout ContractRandom) throws -> Void) {
        let start = Self.time(CLOCK_MONOTONIC)
        let memory = Self.peakMemory()
        var most = (time: 0.0, number: 0)
        var done = 0
        for number in (only ?? 0)... {
            if let only, number > only { break }
            if only == nil, let seconds, Self.time(CLOCK_MONOTONIC) - start > seconds { break }
            if only == nil, seconds == nil, number == cases { break }
            if findings.count > 50 { break }
            current = number
            writeNote()
            var random = ContractRandom(seed: seed << 32 &+ UInt64(number))
            let before = Self.time(CLOCK_THREAD_CPUTIME_ID)
            do { try body(&random) } catch { find("it threw \(error)") }
            let spent = Self.time(CLOCK_THREAD_CPUTIME_ID) - before
            done += 1
            if spent > most.time { most = (spent, number) }
            if spent > (seconds == nil ? 10 : 1) * Self.longest { find("it took \(spent) s") }
            if seconds != nil, Self.peakMemory() - memory > Self.mostMemory {
                find("memory grew by \((Self.peakMemory() - memory) >> 20) MiB")
                break
            }
        }
        if seconds != nil || only != nil {
            alarm(0)
            print(
                "\(name): seed \(seed), \(done) cases in \(Int(Self.time(CLOCK_MONOTONIC) - start)) s, longest \(most.time) s (\(most.number)),"
            )
            print(
                "  memory \(memory >> 20) MiB at the start, \(Self.peakMemory() >> 20) MiB at most, \(findings.count) findings"
            )
            for (what, count) in tally.sorted(by: { $0.key < $1.key }) { print("  \(count) \(what)") }
        }
        #expect(findings.isEmpty, "\(findings.joined(separator: "\n"))")
    }

    private func writeNote() {
        guard note >= 0 else { return }
        // A hang ends the process; the note names the case.
        alarm(60)
        let text = "DPMSIM_FUZZ_SEED=\(seed) DPMSIM_FUZZ_CASE=\(current)"
        let line = Array((text + String(repeating: " ", count: max(0, 79 - text.utf8.count)) + "\n").utf8)
        _ = line.withUnsafeBytes { pwrite(note, $0.baseAddress, $0.count, 0) }
    }

    private static func time(_ clock: clockid_t) -> Double {
        var time = timespec()
        clock_gettime(clock, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    /// Of this process since it began, bytes.
    private static func peakMemory() -> Int {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return usage.ru_maxrss << 10
    }
}

/// A part of a file that programs go by, and how its fields are written.
public struct FuzzRegion: Sendable {
    public var name: String
    public var place: Range<Int64>
    /// Bytes of its usual field, by whose multiples fields begin.
    public var width: Int
    public var isBig: Bool
    public init(_ name: String, _ place: Range<Int64>, width: Int, isBig: Bool = false) {
        (self.name, self.place, self.width, self.isBig) = (name, place, width, isBig)
    }
}

/// Changes a file's bytes as hostile or broken files have them.
public struct FuzzMutation {
    let file: any StoreFile
    let regions: [FuzzRegion]
    /// Files whose bytes are spliced in.
    let others: [any StoreFile]

    public init(_ file: any StoreFile, regions: [FuzzRegion], others: [any StoreFile] = []) {
        (self.file, self.regions, self.others) = (file, regions, others)
    }

    public func run(_ random: inout ContractRandom) throws(StorageFault) {
        for _ in 0..<([1, 1, 2, 3, 5, 12][random.below(6)]) { try once(&random) }
    }

    private func once(_ random: inout ContractRandom) throws(StorageFault) {
        let size = try file.size()
        guard size > 0 else { return }
        let region = regions.isEmpty ? nil : regions[random.below(regions.count)]
        switch random.below(40) {
        case 0:
            try file.truncate(to: Int64(random.below(Int(size))) / [1, 512, 4096, 1 << 20][random.below(4)])
        case 1: try file.truncate(to: size + [1, 511, 512, 4096, 1 << 20, 1 << 30, 1 << 45][random.below(7)])
        case 2:
            guard !others.isEmpty else { return }
            let other = others[random.below(others.count)]
            let count = [512, 4096, 65_536][random.below(3)]
            let from = Int64(random.below(Int(max(1, try other.size())))) / 512 * 512
            try put(try read(count, at: from, of: other), at: random.below(2) == 0 ? from : place(in: size, &random))
        case 3:
            let count = [512, 4096, 65_536][random.below(3)]
            try put(try read(count, at: place(in: size, &random)), at: place(in: size, &random))
        case 4: try flip(Int64(random.below(Int(size))), &random)
        case 5: try put([UInt8](repeating: 0, count: [8, 512, 4096][random.below(3)]), at: place(in: size, &random))
        case 6..<10:
            guard let region, !region.place.isEmpty else { return }
            try flip(region.place.lowerBound + Int64(random.below(region.place.count)), &random)
        case 10..<15:
            // One field's value, or one entry, in the place of another.
            guard let region, !region.place.isEmpty else { return }
            let count = region.width * [1, 1, 2, 4][random.below(4)]
            try put(
                try read(count, at: field(of: region, &random)),
                at: field(of: random.below(3) == 0 ? regions[random.below(regions.count)] : region, &random))
        default:
            guard let region, !region.place.isEmpty else { return }
            try setField(of: region, size, &random)
        }
    }

    private func place(in size: Int64, _ random: inout ContractRandom) -> Int64 {
        Int64(random.below(Int(size))) / 512 * 512
    }

    private func field(of region: FuzzRegion, _ random: inout ContractRandom) -> Int64 {
        region.place.lowerBound + Int64(random.below(max(1, region.place.count / region.width)) * region.width)
    }

    private func setField(of region: FuzzRegion, _ size: Int64, _ random: inout ContractRandom) throws(StorageFault) {
        let width = random.below(3) > 0 ? region.width : [1, 2, 4, 8][random.below(4)]
        let count = max(1, region.place.count / width)
        let offset = region.place.lowerBound + Int64(random.below(count) * width)
        let old = Self.number(try read(width, at: offset), isBig: region.isBig)
        let value: UInt64 =
            switch random.below(12) {
            case 0: 0
            case 1: .max
            case 2: UInt64(1) << UInt64(random.below(64))
            case 3: (UInt64(1) << UInt64(random.below(64))) &- 1
            case 4: (UInt64(1) << UInt64(random.below(64))) &+ 1
            case 5: old &+ 1
            case 6: old &- 1
            case 7: old &* 2
            case 8: UInt64(size) / [1, 512, 4096][random.below(3)] &+ UInt64(random.below(3)) &- 1
            case 9: (UInt64(random.below(Int(size))) >> 20) << 20 | (old & 7)
            case 10: UInt64(random.below(300))
            default: random.next()
            }
        let isBig = random.below(16) == 0 ? !region.isBig : region.isBig
        try put(Self.bytes(value, width, isBig: isBig), at: offset)
    }

    private func flip(_ offset: Int64, _ random: inout ContractRandom) throws(StorageFault) {
        try put(try read(1, at: offset).map { $0 ^ (UInt8(1) << UInt8(random.below(8))) }, at: offset)
    }

    private func read(_ count: Int, at offset: Int64, of other: (any StoreFile)? = nil) throws(StorageFault) -> [UInt8]
    {
        var bytes = [UInt8](repeating: 0, count: count)
        _ = try bytes.withMutableBytes { (buffer) throws(StorageFault) in
            try (other ?? file).read(into: buffer, at: offset)
        }
        return bytes
    }

    private func put(_ bytes: [UInt8], at offset: Int64) throws(StorageFault) { try file.write(bytes, at: offset) }

    private static func number(_ bytes: [UInt8], isBig: Bool) -> UInt64 {
        (isBig ? bytes : bytes.reversed()).reduce(0) { $0 << 8 | UInt64($1) }
    }

    private static func bytes(_ value: UInt64, _ width: Int, isBig: Bool) -> [UInt8] {
        let little = (0..<width).map { UInt8(truncatingIfNeeded: value >> UInt64(8 * $0)) }
        return isBig ? little.reversed() : little
    }
}
