import Files
import Tape

/// A tape in memory with all it takes to be small, to warn early, and to be tampered with. Equal bytes are not kept
/// twice when they are zeros.
final class MemoryTape: TapeMedium {
    enum Object: Hashable {
        case record([UInt8])
        case zeros(Int)
        case filemark
    }
    var objects: [Object] = [] { didSet { if isTampered { marks.removeAll() } } }
    /// Set before `objects` is changed from outside.
    var isTampered = false
    var capacity: Int64
    /// Room kept behind early warning.
    var reserve: Int64
    let maximumRecord = 1 << 20
    /// Objects whose reading fails.
    var damaged: Set<Int> = []
    /// Reads and writes until one fails; nil for never.
    var callsLeft: Int?
    private(set) var object = 0
    /// Filemarks before an object, as far as was asked for.
    private var marks: [Int64] = []
    private(set) var written: Int64 = 0
    /// Bytes of records that were read.
    private(set) var bytesRead: Int64 = 0

    init(capacity: Int64 = .max / 4, reserve: Int64 = 1 << 26) {
        (self.capacity, self.reserve) = (capacity, reserve)
    }

    convenience init(copying other: MemoryTape) {
        self.init(capacity: other.capacity, reserve: other.reserve)
        objects = other.objects
        written = other.written
    }

    var position: TapePosition {
        if marks.count > objects.count + 1 { marks.removeAll() }
        while marks.count <= object {
            let last = marks.last ?? 0
            let isMark = marks.isEmpty ? false : objects[marks.count - 1] == .filemark
            marks.append(isMark ? last + 1 : last)
        }
        return TapePosition(object: Int64(object), file: marks[object])
    }
    var room: Int64 { capacity - reserve - written }

    private func step() throws(StorageFault) {
        guard let left = callsLeft else { return }
        if left <= 0 {
            throw StorageFault(.device, "TEST-EIO", "tape", "the drive failed", action: "Nothing")
        }
        callsLeft = left - 1
    }

    private func size(_ object: Object) -> Int64 {
        switch object {
        case .record(let bytes): Int64(bytes.count)
        case .zeros(let count): Int64(count)
        case .filemark: 0
        }
    }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws(StorageFault) -> TapeRead {
        try step()
        guard object < objects.count else { return .endOfData }
        object += 1
        if damaged.contains(object - 1) {
            throw StorageFault(
                .damaged, "TAPE-RECORD-DAMAGED", "record \(object - 1)", "its checksum differs", action: "Nothing")
        }
        switch objects[object - 1] {
        case .record(let bytes):
            bytes.withUnsafeBytes { buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0.prefix(buffer.count))) }
            bytesRead += Int64(min(buffer.count, bytes.count))
            return .record(length: bytes.count)
        case .zeros(let count):
            UnsafeMutableRawBufferPointer(rebasing: buffer.prefix(count)).initializeMemory(as: UInt8.self, repeating: 0)
            bytesRead += Int64(min(buffer.count, count))
            return .record(length: count)
        case .filemark: return .filemark
        }
    }

    private func put(_ new: Object) throws(StorageFault) -> TapeWrite {
        try step()
        if object < objects.count {
            for old in objects[object...] { written -= size(old) }
            objects.removeSubrange(object...)
            marks.removeAll()
        }
        guard written + size(new) <= capacity else {
            throw StorageFault(.outOfSpace, "TAPE-END-OF-MEDIUM", "tape", "it is full", action: "Nothing")
        }
        objects.append(new)
        written += size(new)
        object += 1
        return room <= 0 ? .earlyWarning : .done
    }

    func write(_ record: UnsafeRawBufferPointer) throws(StorageFault) -> TapeWrite {
        try put(record.isZero ? .zeros(record.count) : .record([UInt8](record)))
    }

    func writeFilemarks(_ count: Int, immediate: Bool) throws(StorageFault) -> TapeWrite {
        var result = TapeWrite.done
        for _ in 0..<count { result = try put(.filemark) }
        return result
    }

    func flush() throws(StorageFault) {}
    func rewind() throws(StorageFault) { object = 0 }

    func locate(object: Int64, partition: Int) throws(StorageFault) {
        guard object <= objects.count else {
            self.object = objects.count
            throw StorageFault(.missing, "TAPE-NO-OBJECT", "record \(object)", "it does not exist", action: "Nothing")
        }
        self.object = Int(object)
    }

    func locate(file: Int64, partition: Int) throws(StorageFault) {
        guard file > 0 else {
            object = 0
            return
        }
        var left = file
        for (index, object) in objects.enumerated() where object == .filemark {
            left -= 1
            if left == 0 {
                self.object = index + 1
                return
            }
        }
        object = objects.count
        throw StorageFault(.missing, "TAPE-NO-OBJECT", "file \(file)", "it does not exist", action: "Nothing")
    }

    func locateEndOfData(partition: Int) throws(StorageFault) { object = objects.count }
}

/// New memory tapes for a set to go on on; afterwards the same ones in their order for reading.
final class MemorySupply: TapeSupply {
    var tapes: [MemoryTape]
    private let make: () -> MemoryTape

    init(_ first: MemoryTape, make: @escaping () -> MemoryTape = { MemoryTape() }) {
        (tapes, self.make) = ([first], make)
    }

    func next(after label: TapeLabel) throws(StorageFault) -> any TapeMedium {
        // Sequence numbers count from 1.
        if label.sequence < tapes.count { return tapes[label.sequence] }
        tapes.append(make())
        return tapes[tapes.count - 1]
    }
}

/// The tapes of a family for reading.
final class MemoryShelf: TapeSupply {
    var tapes: [Int: MemoryTape]
    init(_ tapes: [MemoryTape]) {
        self.tapes = Dictionary(uniqueKeysWithValues: tapes.enumerated().map { ($0.offset + 1, $0.element) })
    }

    func next(after label: TapeLabel) throws(StorageFault) -> any TapeMedium {
        guard let tape = tapes[label.sequence + 1] else {
            throw StorageFault(.missing, "TEST-GONE", "tape", "the cartridge is not here", action: "Nothing")
        }
        return tape
    }
}
