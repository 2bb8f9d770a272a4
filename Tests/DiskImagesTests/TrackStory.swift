import Files
import Synchronization

@testable import DiskImages

/// A file as a disk, over any file system.
final class FileDevice: BlockDevice {
    let file: any StoreFile
    let size: Int64
    let sectorSize = 512
    var name: String { file.path }
    init(_ file: any StoreFile, size: Int64) { (self.file, self.size) = (file, size) }
    func allocatedRanges(in range: Range<Int64>) throws(StorageFault) -> [Range<Int64>] { [range] }
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(StorageFault) {
        try checkRead(buffer.count, at: offset)
        try file.readFully(into: buffer, at: offset)
    }
    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(StorageFault) {
        try checkWrite(Int64(bytes.count), at: offset)
        try file.write(bytes, at: offset)
    }
    func discard(_ range: Range<Int64>) throws(StorageFault) { try file.punch(range) }
    func flush() throws(StorageFault) { try file.flush() }
}

/// Numbers that a seed decides.
struct TrackRandom {
    var state: UInt64
    init(_ seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 &+ 1 }
    mutating func next(_ bound: Int) -> Int {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return Int(state >> 11) % bound
    }
}

/// An image of 5 MiB and a sector on a simulated disk, tracked in blocks of 64 KiB, regions of 1 MiB, the last one with a single
/// block that is short; and what is known of it: the content at each point that was given out.
final class TrackStory {
    static let size: Int64 = 5 << 20 | 512
    let disk: SimulatedDisk
    var device: TrackedDevice!
    var tracker: ChangeTracker!
    /// The image's content at points, by id.
    var known: [GUID: [Int: [UInt8]]] = [:]
    var order: [GUID] = []
    /// The point whose taking, confirming or forgetting was under way.
    var unsure: Set<GUID> = []
    let guids: SequentialGUIDs
    let granularity: Int64
    var stamp = 0
    var touched: Set<Int> = []

    init(_ disk: SimulatedDisk, seed: UInt64, granularity: Int64 = 4096) {
        (self.disk, self.granularity) = (disk, granularity)
        guids = SequentialGUIDs(seed: seed)
    }

    static func newDisk() -> SimulatedDisk { empty.copy() }

    private static let empty: SimulatedDisk = {
        let disk = SimulatedDisk()
        try! disk.makeFolder("/vm")
        try! disk.syncFolder("/")
        disk.setContents("/vm/a.raw", [UInt8](repeating: 0, count: Int(size)))
        return disk
    }()

    var image: TrackedImage { TrackedImage(size: Self.size, identity: "one", stamp: "\(stamp)") }

    func open() throws(StorageFault) {
        let base = FileDevice(try disk.open("/vm/a.raw", .readWrite), size: Self.size)
        tracker = try ChangeTracker.open(
            "/vm/a.raw.track", files: disk, image: image, guids: guids, granularity: granularity)
        device = try TrackedDevice(base, tracker)
    }

    func close() throws(StorageFault) {
        try device.flush()
        stamp += 1
        try tracker.close(image)
    }

    func write(_ block: Int, _ value: UInt8, count: Int = 512) throws(StorageFault) {
        try write([UInt8](repeating: value, count: count), at: min(Int64(block) * 65_536, Self.size - Int64(count)))
    }

    func write(_ bytes: [UInt8], at offset: Int64) throws(StorageFault) {
        touch(offset..<offset + Int64(bytes.count))
        try device.write(bytes, at: offset)
    }

    func discard(_ range: Range<Int64>) throws(StorageFault) {
        touch(range)
        try device.discard(range)
    }

    private func touch(_ range: Range<Int64>) {
        touched.formUnion(Int(range.lowerBound / granularity)...Int((range.upperBound - 1) / granularity))
    }

    func reference() throws(StorageFault) -> GUID {
        let id = try device.reference().id
        known[id] = snapshot()
        order.append(id)
        return id
    }

    func confirm(_ id: GUID) throws(StorageFault) {
        guard let place = order.firstIndex(of: id) else { return }
        unsure.formUnion(order[..<place])
        try tracker.confirm(id)
        for old in order[..<place] { known[old] = nil }
        order.removeFirst(place)
    }

    func forget(_ id: GUID) throws(StorageFault) {
        unsure.insert(id)
        try tracker.forget(id)
        known[id] = nil
        order.removeAll { $0 == id }
    }

    /// The image's blocks that were ever written; all others are zeros.
    private func snapshot() -> [Int: [UInt8]] {
        // A copy, because reading must not count as a call of the story.
        let file = try! disk.copy().open("/vm/a.raw", .read)
        var blocks: [Int: [UInt8]] = [:]
        for block in touched {
            let start = Int64(block) * granularity
            blocks[block] = try! file.bytes(Int(min(granularity, Self.size - start)), at: start)
        }
        return blocks
    }

    /// What is wrong with the answers for all points; nil if nothing is. A point that was given out must be known if `strict`.
    func problem(strict: Bool) -> String? {
        if order.isEmpty { return nil }
        let now = snapshot()
        for id in order {
            switch tracker.changes(since: id) {
            case .unknown(let reason):
                if strict, !unsure.contains(id) { return "\(id) is unknown: \(reason)" }
            case .ranges(let ranges, _):
                for (block, bytes) in now {
                    let old = known[id]![block]
                    if old == nil ? !bytes.contains(where: { $0 != 0 }) : old == bytes { continue }
                    let start = Int64(block) * granularity
                    let part = start..<min(start + granularity, Self.size)
                    guard ranges.contains(where: { $0.clamped(to: part) == part }) else {
                        return "block \(block) changed since \(id) and is not told"
                    }
                }
            }
        }
        return nil
    }
}
