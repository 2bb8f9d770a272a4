import Files

/// A full node of the index as it is stored, twice in a row: a header of 64 bytes and 256 runs.
enum CartridgeNode {
    static let magic: UInt32 = 0x5849_5444  // DTIX
    static let headerSize = 64
    static let fanout = 256
    static let size = headerSize + fanout * CartridgeRun.size
    /// Copies of a node, one behind the other.
    static let copies = 2
    static let room = Int64(copies * size)
    static let maximumLevels = 7

    /// The bytes of both copies, and the checksum its parent keeps.
    static func encoded(_ runs: [CartridgeRun], level: Int, partition: Int, seed: UInt32) -> (
        bytes: [UInt8], crc: UInt32
    ) {
        var bytes = [UInt8](repeating: 0, count: copies * size)
        bytes.putLittle(magic, at: 0)
        bytes.putLittle(CartridgeLayout.version, at: 4)
        bytes[6] = UInt8(level)
        bytes[7] = UInt8(partition)
        bytes.putLittle(UInt32(runs.count), at: 8)
        bytes.putLittle(runs[0].object, at: 16)
        bytes.putLittle(runs[0].file, at: 24)
        bytes.putLittle(runs[0].native, at: 32)
        let crc = bytes.withUnsafeMutableBytes { buffer in
            for (index, run) in runs.enumerated() {
                run.put(into: buffer, at: headerSize + index * CartridgeRun.size)
            }
            let crc = checksum(UnsafeRawBufferPointer(rebasing: buffer[..<size]), seed: seed)
            buffer.storeBytes(of: crc.littleEndian, toByteOffset: 60, as: UInt32.self)
            buffer[size...].copyBytes(from: buffer[..<size])
            return crc
        }
        return (bytes, crc)
    }

    private static func checksum(_ bytes: UnsafeRawBufferPointer, seed: UInt32) -> UInt32 {
        CRC32C.of(
            UnsafeRawBufferPointer(rebasing: bytes[headerSize...]),
            continuing: CRC32C.of(UnsafeRawBufferPointer(rebasing: bytes[..<60]), continuing: seed))
    }

    struct Decoded {
        var level: Int
        var partition: Int
        var crc: UInt32
        var runs: [CartridgeRun]
    }

    /// The runs in one copy's bytes, or what is wrong with them.
    static func decoded(_ bytes: UnsafeRawBufferPointer, seed: UInt32) -> (node: Decoded?, problem: String?) {
        func load<T: FixedWidthInteger>(_ offset: Int, _ type: T.Type) -> T {
            T(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: T.self))
        }
        guard bytes.count == size, load(0, UInt32.self) == magic else { return (nil, "there is no index node") }
        let crc = checksum(bytes, seed: seed)
        guard load(60, UInt32.self) == crc else { return (nil, "its checksum is wrong") }
        guard load(4, UInt16.self) == CartridgeLayout.version, load(8, UInt32.self) == fanout else {
            return (nil, "its version or its number of entries is not known")
        }
        var runs: [CartridgeRun] = []
        runs.reserveCapacity(fanout)
        for index in 0..<fanout {
            guard let run = CartridgeRun(bytes, at: headerSize + index * CartridgeRun.size) else {
                return (nil, "its entry \(index) makes no sense")
            }
            runs.append(run)
        }
        return (
            Decoded(level: Int(load(6, UInt8.self)), partition: Int(load(7, UInt8.self)), crc: crc, runs: runs), nil
        )
    }

    /// What is wrong with the runs of a level between two marks; nil if nothing is. `limit` is where the storage they point to ends.
    static func problem(
        _ runs: [CartridgeRun], level: Int, from start: CartridgeMark, to end: CartridgeMark, limit: Int64
    ) -> String? {
        var at = start
        for (index, run) in runs.enumerated() {
            func bad(_ text: String) -> String { "entry \(index) \(text)" }
            guard run.object == at.object else { return bad("does not follow the one before") }
            guard run.offset >= CartridgeLayout.dataStart, run.offset <= limit else { return bad("lies outside") }
            if level > 0 {
                guard run.kind == .node, run.length == size, run.offset + room <= limit else {
                    return bad("is no node")
                }
                guard run.file >= at.file, run.native >= at.native, run.file <= end.file, run.native <= end.native
                else { return bad("does not follow the one before") }
                at = CartridgeMark(object: run.object + run.count, file: run.file, native: run.native)
                continue
            }
            guard run.file == at.file, run.native == at.native else { return bad("does not follow the one before") }
            switch run.kind {
            case .node: return bad("is a node")
            case .filemark: guard run.length == 0 else { return bad("is a filemark with a length") }
            case .data, .zeros:
                guard 1...CartridgeLayout.longestRecord ~= run.length else { return bad("has no length") }
                // Products stay far from overflow, with these bounds.
                guard run.count <= CartridgeLayout.absurd / Int64(run.length) else { return bad("is absurdly long") }
                if run.kind == .data {
                    guard run.count <= (limit - run.offset) / CartridgeLayout.stride(run.length) else {
                        return bad("lies outside")
                    }
                }
            }
            at = run.end
        }
        guard at.object == end.object else { return "it ends at object \(at.object), not at \(end.object)" }
        if level == 0, at != end { return "it does not end where the next begins" }
        return nil
    }
}

/// The open, rightmost nodes of a partition's index, one a level, as a commit writes them.
enum CartridgeTail {
    static let magic: UInt32 = 0x4C54_5444  // DTTL
    static let headerSize = 64

    /// Nothing for an empty partition.
    static func encoded(_ levels: [[CartridgeRun]], partition: Int, seed: UInt32) -> [UInt8] {
        guard levels.contains(where: { !$0.isEmpty }) else { return [] }
        let count = levels.reduce(0) { $0 + $1.count }
        var bytes = [UInt8](repeating: 0, count: headerSize + count * CartridgeRun.size)
        bytes.putLittle(magic, at: 0)
        bytes.putLittle(CartridgeLayout.version, at: 4)
        bytes[6] = UInt8(levels.count)
        bytes[7] = UInt8(partition)
        for (level, runs) in levels.enumerated() { bytes.putLittle(UInt16(runs.count), at: 8 + 2 * level) }
        bytes.withUnsafeMutableBytes { buffer in
            var place = headerSize
            for run in levels.joined() {
                run.put(into: buffer, at: place)
                place += CartridgeRun.size
            }
            let crc = checksum(UnsafeRawBufferPointer(buffer), seed: seed)
            buffer.storeBytes(of: crc.littleEndian, toByteOffset: 60, as: UInt32.self)
        }
        return bytes
    }

    private static func checksum(_ bytes: UnsafeRawBufferPointer, seed: UInt32) -> UInt32 {
        CRC32C.of(
            UnsafeRawBufferPointer(rebasing: bytes[headerSize...]),
            continuing: CRC32C.of(UnsafeRawBufferPointer(rebasing: bytes[..<60]), continuing: seed))
    }

    /// The levels, lowest first, or what is wrong. They reach from the beginning of the partition to `end`.
    static func decoded(
        _ bytes: [UInt8], partition: Int, seed: UInt32, end: CartridgeMark, limit: Int64
    ) -> (levels: [[CartridgeRun]]?, problem: String?) {
        if bytes.isEmpty {
            return end == CartridgeMark() ? ([[]], nil) : (nil, "it is missing")
        }
        guard bytes.count > headerSize, bytes.little(UInt32.self, at: 0) == magic else {
            return (nil, "there is no index tail")
        }
        guard bytes.withUnsafeBytes({ checksum($0, seed: seed) }) == bytes.little(UInt32.self, at: 60) else {
            return (nil, "its checksum is wrong")
        }
        let count = Int(bytes[6])
        guard bytes.little(UInt16.self, at: 4) == CartridgeLayout.version, bytes[7] == UInt8(partition),
            1...CartridgeNode.maximumLevels ~= count
        else { return (nil, "its version, partition or number of levels is not right") }
        let counts = (0..<count).map { Int(bytes.little(UInt16.self, at: 8 + 2 * $0)) }
        guard counts.allSatisfy({ $0 <= CartridgeNode.fanout }),
            bytes.count == headerSize + counts.reduce(0, +) * CartridgeRun.size
        else { return (nil, "its length does not fit its entries") }
        var levels: [[CartridgeRun]] = []
        var place = headerSize
        for count in counts {
            var runs: [CartridgeRun] = []
            for _ in 0..<count {
                guard let run = bytes.withUnsafeBytes({ CartridgeRun($0, at: place) }) else {
                    return (nil, "its entry at byte \(place) makes no sense")
                }
                runs.append(run)
                place += CartridgeRun.size
            }
            levels.append(runs)
        }
        var at = CartridgeMark()
        for level in levels.indices.reversed() {
            // What follows a level begins with the first run of those below it.
            let next = levels[..<level].reversed().lazy.compactMap { $0.first?.start }.first ?? end
            if levels[level].isEmpty {
                continue
            }
            if let problem = CartridgeNode.problem(levels[level], level: level, from: at, to: next, limit: limit) {
                return (nil, "level \(level): \(problem)")
            }
            at = next
        }
        return at == end ? (levels, nil) : (nil, "it does not reach the end of data")
    }
}
