import Files

/// Goes through a partition's index in the order of the tape.
struct CartridgeWalk {
    enum Step {
        /// A full node, behind all that lies under it, with what is wrong with each of its copies.
        case node(CartridgeRun, level: Int, problems: [String?])
        /// A node neither copy of which is sound: what lies under it is not visited.
        case lost(CartridgeRun, level: Int, problems: [String?])
        case run(CartridgeRun)
    }
    let file: any StoreFile
    let seed: UInt32
    let partition: Int
    let index: CartridgeIndex

    /// Visits until `visit` answers false.
    func go(_ visit: (Step) throws(StorageFault) -> Bool) throws(StorageFault) {
        let nodes = CartridgeNodes(file, seed: seed, partition: partition)
        for level in index.levels.indices.reversed() {
            for run in index.levels[level] {
                guard try go(run, level: level, nodes, visit) else { return }
            }
        }
    }

    private func go(
        _ run: CartridgeRun, level: Int, _ nodes: CartridgeNodes, _ visit: (Step) throws(StorageFault) -> Bool
    ) throws(StorageFault) -> Bool {
        guard level > 0 else { return try visit(.run(run)) }
        var problems: [String?] = []
        var sound: [CartridgeRun]?
        for copy in 0..<CartridgeNode.copies {
            switch try nodes.copy(copy, of: run, level: level - 1) {
            case .success(let runs):
                problems.append(nil)
                sound = sound ?? runs
            case .failure(let problem): problems.append(problem.text)
            }
        }
        guard let sound else { return try visit(.lost(run, level: level - 1, problems: problems)) }
        for below in sound { guard try go(below, level: level - 1, nodes, visit) else { return false } }
        return try visit(.node(run, level: level - 1, problems: problems))
    }
}

/// Stored records, read without a cartridge around them.
final class CartridgeRecords {
    private let file: any StoreFile
    private let seed: UInt32
    private var buffer = [UInt8]()

    init(_ file: any StoreFile, seed: UInt32) { (self.file, self.seed) = (file, seed) }

    /// The header at an object's place if it is sound, and what is wrong with the record.
    func look(
        at object: Int64, of run: CartridgeRun, partition: Int
    ) throws(StorageFault) -> (header: CartridgeRecord?, problem: String?) {
        let size = CartridgeRecord.headerSize + run.length
        if buffer.count < size { buffer = [UInt8](repeating: 0, count: size) }
        return try buffer.withMutableBytes { (all) throws(StorageFault) in
            try look(at: object, of: run, partition: partition, UnsafeMutableRawBufferPointer(rebasing: all[..<size]))
        }
    }

    private func look(
        at object: Int64, of run: CartridgeRun, partition: Int, _ bytes: UnsafeMutableRawBufferPointer
    ) throws(StorageFault) -> (header: CartridgeRecord?, problem: String?) {
        do throws(StorageFault) {
            try file.readFully(into: bytes, at: run.storedEnd(object - run.object))
        } catch {
            guard error.isOfMedium else { throw error }
            return (nil, error.cause)
        }
        guard let header = CartridgeRecord(UnsafeRawBufferPointer(bytes), seed: seed) else {
            return (nil, "its header is damaged")
        }
        if let difference = header.difference(from: run, partition: partition, object: object) {
            return (header, difference)
        }
        let data = UnsafeMutableRawBufferPointer(rebasing: bytes[CartridgeRecord.headerSize...])
        return (
            header,
            CRC32C.of(UnsafeRawBufferPointer(data)) == header.dataCRC ? nil : "its data do not have its checksum"
        )
    }
}
