public import DiskImages
import Files
import Synchronization

/// What every `BlockDevice` promises, as one test that all of them take: images, overlays, memory, recovery points.
///
/// It knows no test library, so that any test target can use it: `#expect(BlockDeviceContract(seed: 1).problems(…) == [])`.
public struct BlockDeviceContract: Sendable {
    /// Chooses places, lengths and bytes; told in every problem.
    public var seed: UInt64
    /// Random changes made to a device that can be written.
    public var changes: Int
    /// Parts of the disk, from its beginning and its end, that are looked at; the rest of a large disk is left alone.
    public var window: Int64

    public init(seed: UInt64, changes: Int = 120, window: Int64 = 6 << 20) {
        (self.seed, self.changes, self.window) = (seed, changes, window)
    }

    /// What `device` does other than promised; empty if nothing. It holds `content` (shorter than the disk: zeros follow), can be
    /// written unless `readOnly`; `reopen`, called at the end, gives the same disk anew, which must hold everything written.
    public func problems(
        of device: any BlockDevice, holding content: [UInt8] = [], readOnly: Bool = false,
        reopen: (() throws -> any BlockDevice)? = nil
    ) -> [String] {
        let log = ProblemLog(prefix: "seed \(seed), \(device.name): ")
        let sector = Int64(device.sectorSize)
        guard sector == 512 || sector == 4096 else { return ["\(device.name): a sector of \(sector) bytes"] }
        guard device.size > 0, device.size % sector == 0 else { return ["\(device.name): a size of \(device.size)"] }
        var model = DiskModel(of: device, window: window, content: content)
        var random = ContractRandom(seed: seed)

        checkWhole(device, model, log, "at first")
        checkEdges(device, log)
        checkReads(device, model, &random, log)
        if readOnly {
            checkRefusals(device, log)
        } else {
            checkChanges(device, &model, &random, log)
            checkReadsBesideWrites(device, &model, &random, log)
            log.watch("flush") { try device.flush() }
        }
        checkWhole(device, model, log, "at the end")
        if let reopen {
            log.watch("reopening") {
                let again = try reopen()
                if again.size != device.size { log.add("it has \(again.size) bytes when opened again") }
                checkWhole(again, model, log, "when opened again")
            }
        }
        return log.problems
    }

    /// All bytes, and that what is not named allocated is zero.
    private func checkWhole(_ device: any BlockDevice, _ model: DiskModel, _ log: ProblemLog, _ moment: String) {
        for window in model.windows {
            log.watch("reading all \(moment)") {
                let bytes = try device.bytes(window.count, at: window.lowerBound)
                if let place = model.firstDifference(from: bytes, at: window.lowerBound) {
                    log.add("byte \(place) is wrong \(moment)")
                }
                let ranges = try device.allocatedRanges(in: window)
                var end = window.lowerBound
                for (index, range) in ranges.enumerated() {
                    if range.isEmpty || range.lowerBound < end || range.upperBound > window.upperBound
                        || index > 0 && range.lowerBound == end
                    {
                        log.add("allocated ranges \(moment) are not ascending, apart and inside: \(range) after \(end)")
                    }
                    if !model.isZero(end..<max(end, range.lowerBound)) {
                        log.add("\(end)..<\(range.lowerBound) is not allocated \(moment), but is not zero")
                    }
                    end = range.upperBound
                }
                if end < window.upperBound, !model.isZero(end..<window.upperBound) {
                    log.add("\(end)..<\(window.upperBound) is not allocated \(moment), but is not zero")
                }
            }
        }
    }

    private func checkEdges(_ device: any BlockDevice, _ log: ProblemLog) {
        let size = device.size
        log.watch("reading nothing at the end") { _ = try device.bytes(0, at: size) }
        log.expect("DISK-RANGE", "reading past the end") { _ = try device.bytes(2, at: size - 1) }
        log.expect("DISK-RANGE", "reading from behind the end") { _ = try device.bytes(1, at: size + 1) }
        log.expect("DISK-RANGE", "reading before the beginning") { _ = try device.bytes(1, at: -1) }
    }

    private func checkRefusals(_ device: any BlockDevice, _ log: ProblemLog) {
        let sector = [UInt8](repeating: 1, count: device.sectorSize)
        log.expect("DISK-READONLY", "writing") { try device.write(sector, at: 0) }
        log.expect("DISK-READONLY", "discarding") { try device.discard(0..<Int64(sector.count)) }
    }

    private func checkReads(
        _ device: any BlockDevice, _ model: DiskModel, _ random: inout ContractRandom, _ log: ProblemLog
    ) {
        for _ in 0..<60 {
            let window = model.windows[random.below(model.windows.count)]
            let offset = window.lowerBound + Int64(random.below(window.count))
            let most = Int(window.upperBound - offset)
            let count = min(most, [1, 7, 511, 512, 4097, 70_000, 1 << 20][random.below(7)])
            log.watch("reading \(count) at \(offset)") {
                let bytes = try device.bytes(count, at: offset)
                if let place = model.firstDifference(from: bytes, at: offset) {
                    log.add("byte \(place) is wrong in a read of \(count) at \(offset)")
                }
            }
            log.watch("asking what is allocated in \(count) at \(offset)") {
                let end = offset + Int64(count)
                let ranges = try device.allocatedRanges(in: offset..<end)
                if let first = ranges.first, let last = ranges.last,
                    first.lowerBound < offset || last.upperBound > end
                {
                    log.add("allocated ranges leave \(offset)..<\(end)")
                }
            }
        }
    }

    private func checkChanges(
        _ device: any BlockDevice, _ model: inout DiskModel, _ random: inout ContractRandom, _ log: ProblemLog
    ) {
        let sector = device.sectorSize
        let one = [UInt8](repeating: 9, count: sector)
        log.expect("DISK-SECTOR", "writing part of a sector") { try device.write([1], at: 0) }
        log.expect("DISK-SECTOR", "writing between sectors") { try device.write(one, at: 1) }
        log.expect("DISK-SECTOR", "discarding part of a sector") { try device.discard(0..<Int64(sector - 1)) }
        log.expect("DISK-RANGE", "writing past the end") { try device.write(one, at: device.size) }
        log.expect("DISK-RANGE", "writing before the beginning") { try device.write(one, at: -Int64(sector)) }
        log.expect("DISK-RANGE", "discarding past the end") {
            try device.discard(device.size - Int64(sector)..<device.size + Int64(sector))
        }
        log.watch("writing nothing") { try device.write([UInt8](), at: device.size) }
        for change in 0..<changes {
            let (range, bytes) = model.randomChange(&random, sector: sector)
            let isDiscard = random.below(4) == 0
            log.watch("change \(change), \(isDiscard ? "discarding" : "writing") \(range)") {
                if isDiscard { try device.discard(range) } else { try device.write(bytes, at: range.lowerBound) }
            }
            model.put(isDiscard ? [UInt8](repeating: 0, count: bytes.count) : bytes, at: range.lowerBound)
            log.watch("reading around change \(change)") {
                let around = model.around(range, by: Int64(sector + 3))
                let read = try device.bytes(around.count, at: around.lowerBound)
                if let place = model.firstDifference(from: read, at: around.lowerBound) {
                    log.add("byte \(place) is wrong after change \(change) of \(range)")
                }
            }
            if change % 40 == 39 { log.watch("flush") { try device.flush() } }
        }
    }

    /// Threads that read what does not change, while one writes elsewhere.
    private func checkReadsBesideWrites(
        _ device: any BlockDevice, _ model: inout DiskModel, _ random: inout ContractRandom, _ log: ProblemLog
    ) {
        let window = model.windows[0]
        let sector = Int64(device.sectorSize)
        let half = window.count >= 4 * Int(sector) ? Int64(window.count) / 2 / sector * sector : 0
        guard half > 0 else { return }
        let still = window.lowerBound..<window.lowerBound + half
        let expected = model.bytes(still)
        var changes: [(Int64, [UInt8])] = []
        for _ in 0..<20 {
            let count = min(Int(half), device.sectorSize * (1 + random.below(64)))
            let room = Int((half - Int64(count)) / sector)
            changes.append((still.upperBound + Int64(random.below(room + 1)) * sector, random.bytes(count)))
        }
        let (planned, asked) = (changes, random.next())
        do throws(StorageFault) {
            try Workers.run(3) { (worker, _) throws(StorageFault) in
                if worker == 0 {
                    for (offset, bytes) in planned { try device.write(bytes, at: offset) }
                    return
                }
                var random = ContractRandom(seed: asked &+ UInt64(worker))
                for _ in 0..<40 {
                    let from = random.below(expected.count)
                    let count = min(expected.count - from, 1 + random.below(100_000))
                    let bytes = try device.bytes(count, at: still.lowerBound + Int64(from))
                    if !isEqual(bytes, Array(expected[from..<from + count])) {
                        log.add("a read of \(count) at \(from) beside writes elsewhere is wrong")
                    }
                }
            }
        } catch {
            log.add("reading beside writes: \(error)")
        }
        for (offset, bytes) in planned { model.put(bytes, at: offset) }
    }
}

/// Collects problems, from several threads.
private final class ProblemLog: Sendable {
    private let found = Mutex<[String]>([])
    private let prefix: String
    init(prefix: String) { self.prefix = prefix }
    var problems: [String] { found.withLock { $0 } }

    func add(_ problem: String) { found.withLock { if $0.count < 20 { $0.append(prefix + problem) } } }

    func watch(_ what: String, _ body: () throws -> Void) {
        do { try body() } catch { add("\(what): \(error)") }
    }

    func expect(_ id: String, _ what: String, _ body: () throws -> Void) {
        do {
            try body()
            add("\(what) is not refused")
        } catch let fault as StorageFault {
            if fault.id != id { add("\(what) is refused by \(fault.id), not \(id)") }
        } catch {
            add("\(what): \(error)")
        }
    }
}
