import Files

/// An entry of the index, 48 bytes: equal objects in a row, or a node of the level below with all that lies under it.
struct CartridgeRun: Hashable {
    static let size = 48
    enum Kind: UInt8 { case data = 1, zeros, filemark, node }

    /// Number of its first object in the partition, of the filemarks before it, and of the native bytes before it.
    var object: Int64
    var file: Int64
    var native: Int64
    /// Where its first record or its node lies. Of what is not stored: where the next record went.
    var offset: Int64
    /// Objects in it or under it.
    var count: Int64
    /// Of each record, 0 for filemarks; of a node, of one of its copies.
    var length: Int
    var kind: Kind
    /// The write epoch of its records, or a node's checksum.
    var stamp: UInt32

    var end: CartridgeMark {
        CartridgeMark(
            object: object + count, file: kind == .filemark ? file + count : file,
            native: native + count * Int64(length))
    }
    var start: CartridgeMark { CartridgeMark(object: object, file: file, native: native) }

    /// Where the next record goes behind `kept` of its objects.
    func storedEnd(_ kept: Int64) -> Int64 {
        kind == .data ? offset + kept * CartridgeLayout.stride(length) : offset
    }

    /// Filemarks before an object in it.
    func file(before object: Int64) -> Int64 { kind == .filemark ? file + (object - self.object) : file }

    /// Whether `next`, one that follows in every count, is more of the same.
    func goes(on next: CartridgeRun) -> Bool {
        kind == next.kind && length == next.length && storedEnd(count) == next.offset
            && (kind != .data || stamp == next.stamp)
    }

    func key(_ key: CartridgeKey) -> Int64 {
        switch key {
        case .object: object
        case .file: file
        case .native: native
        }
    }
}

/// What of a run is asked for.
enum CartridgeKey { case object, file, native }

/// Counts of what lies before a place in a partition.
struct CartridgeMark: Hashable {
    var object: Int64 = 0
    var file: Int64 = 0
    var native: Int64 = 0
}

extension CartridgeRun {
    func put(into bytes: UnsafeMutableRawBufferPointer, at offset: Int) {
        func store<T: FixedWidthInteger>(_ value: T, _ place: Int) {
            bytes.storeBytes(of: value.littleEndian, toByteOffset: offset + place, as: T.self)
        }
        store(object, 0)
        store(file, 8)
        store(native, 16)
        store(self.offset, 24)
        store(count, 32)
        store(UInt32(length) | UInt32(kind.rawValue) << 24, 40)
        store(stamp, 44)
    }

    /// Nil if the kind is none or a number is absurd; `CartridgeNode.problem` judges the rest.
    init?(_ bytes: UnsafeRawBufferPointer, at place: Int) {
        func load<T: FixedWidthInteger>(_ offset: Int, _ type: T.Type) -> T {
            T(littleEndian: bytes.loadUnaligned(fromByteOffset: place + offset, as: T.self))
        }
        let word = load(40, UInt32.self)
        guard let kind = Kind(rawValue: UInt8(word >> 24)) else { return nil }
        self.init(
            object: load(0, Int64.self), file: load(8, Int64.self), native: load(16, Int64.self),
            offset: load(24, Int64.self), count: load(32, Int64.self), length: Int(word & 0xFF_FFFF), kind: kind,
            stamp: load(44, UInt32.self))
        let sane = 0..<CartridgeLayout.absurd
        guard sane ~= object, sane ~= file, sane ~= native, sane ~= offset, count > 0, sane ~= count else { return nil }
    }
}
