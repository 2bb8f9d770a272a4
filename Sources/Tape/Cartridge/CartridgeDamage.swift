public import Files

/// Damages a cartridge's file by its own structures, for tests and trainers. The cartridge must not be loaded (`TAPE-BUSY`).
public enum CartridgeDamage {
    /// Turns bits of a stored record's data over. With `beneathChecksum` the record gets the checksum of its new data, so that only what
    /// is written in it can tell.
    /// - Throws: `TAPE-DAMAGE` if there is no such stored byte: filemarks and records of zeros have none.
    public static func flip(
        _ path: String, on files: any FileSystem, object: Int64, partition: Int = 0, byte: Int = 0, mask: UInt8 = 1,
        beneathChecksum: Bool = false
    ) throws(StorageFault) {
        let tape = try Cartridge.open(path, on: files)
        defer { tape.abandon() }
        try tape.check(partition: partition)
        guard 0..<tape.end(of: partition).objects ~= object else {
            throw refused(path, "there is no object \(object)")
        }
        let run = try tape.find(object, by: .object, partition: partition)
        guard run.kind == .data, 0..<run.length ~= byte else {
            throw refused(path, "object \(object) has no stored byte \(byte)")
        }
        let place = run.storedEnd(object - run.object)
        let size = CartridgeRecord.headerSize
        var record = try tape.file.bytes(size + run.length, at: place)
        record[size + byte] ^= mask
        if beneathChecksum {
            let header = CartridgeRecord(
                partition: partition, object: object, epoch: run.stamp, length: run.length,
                dataCRC: CRC32C.of(Array(record[size...])))
            record.withUnsafeMutableBytes { header.put(into: $0, seed: tape.seed) }
        }
        try tape.file.write(record, at: place)
        try tape.file.flush()
    }

    /// Ends a partition behind an object, as if the tape had been overwritten there.
    public static func cut(
        _ path: String, on files: any FileSystem, after object: Int64, partition: Int = 0
    ) throws(StorageFault) {
        try rebuild(path, on: files, partition, touching: [object]) { _ in [0..<object + 1] }
    }

    /// Takes an object out; those behind it move up.
    public static func drop(
        _ path: String, on files: any FileSystem, object: Int64, partition: Int = 0
    ) throws(StorageFault) {
        try rebuild(path, on: files, partition, touching: [object]) { [0..<object, object + 1..<$0] }
    }

    /// Writes an object twice; those behind it move down.
    public static func double(
        _ path: String, on files: any FileSystem, object: Int64, partition: Int = 0
    ) throws(StorageFault) {
        try rebuild(path, on: files, partition, touching: [object]) { [0..<object + 1, object..<$0] }
    }

    /// Exchanges two objects.
    public static func swap(
        _ path: String, on files: any FileSystem, _ one: Int64, _ other: Int64, partition: Int = 0
    ) throws(StorageFault) {
        let (first, last) = (min(one, other), max(one, other))
        guard first < last else { throw refused(path, "an object cannot be exchanged with itself") }
        try rebuild(path, on: files, partition, touching: [first, last]) {
            [0..<first, last..<last + 1, first + 1..<last, first..<first + 1, last + 1..<$0]
        }
    }

    /// Overwrites a label slot, 0 or 1, with what no label begins with.
    public static func zapLabel(_ path: String, on files: any FileSystem, slot: Int) throws(StorageFault) {
        guard 0...1 ~= slot else { throw refused(path, "there is no label \(slot)") }
        let file = try files.open(path, .readWrite)
        defer { file.close() }
        guard try file.lock(exclusive: true, wait: false) else { throw .cartridgeBusy(path) }
        try file.write([UInt8](repeating: 0xA5, count: CartridgeLayout.labelSize), at: CartridgeLayout.label(slot))
        try file.flush()
    }

    private static func refused(_ path: String, _ cause: String) -> StorageFault {
        .cartridge(.badInput, "DAMAGE", path, cause, "Choose an object with the dump")
    }

    /// Writes the cartridge anew with other objects in a partition, and puts it in the place of the old one.
    private static func rebuild(
        _ path: String, on files: any FileSystem, _ partition: Int, touching objects: [Int64],
        _ ranges: (_ end: Int64) -> [Range<Int64>]
    ) throws(StorageFault) {
        let tape = try Cartridge.open(path, on: files)
        defer { tape.abandon() }
        try tape.check(partition: partition)
        let end = tape.end(of: partition).objects
        if let object = objects.first(where: { !(0..<end ~= $0) }) {
            throw refused(path, "there is no object \(object)")
        }
        try tape.rebuild(on: files) { $0 == partition ? ranges(end) : [0..<tape.end(of: $0).objects] }
    }
}

extension Cartridge {
    /// Writes a cartridge that is the same but for the objects of its partitions, and puts it in this one's place.
    fileprivate func rebuild(
        on files: any FileSystem, _ ranges: (_ partition: Int) -> [Range<Int64>]
    ) throws(StorageFault) {
        let temporary = path + ".new"
        let file = try files.open(temporary, .createOrOpen)
        do throws(StorageFault) {
            guard try file.lock(exclusive: true, wait: false) else { throw .cartridgeBusy(path) }
            try file.truncate(to: 0)
            try Self.write(identity, memory, counters, to: file)
            try file.flush()
        } catch {
            file.close()
            throw error
        }
        file.close()
        let new = try Cartridge.open(temporary, on: files)
        defer { new.abandon() }
        let buffer = Buffer(count: CartridgeLayout.longestRecord)
        for partition in indexes.indices {
            try new.locate(object: 0, partition: partition)
            for range in ranges(partition) where !range.isEmpty {
                try locate(object: range.lowerBound, partition: partition)
                while at.object < range.upperBound { try copyRun(upTo: range.upperBound, to: new, buffer) }
            }
        }
        new.counters = counters
        new.isWriteProtected = isWriteProtected
        new.isTouched = true
        try new.unload()
        try files.rename(temporary, to: path)
        try files.syncFolder(Self.folder(of: path))
    }

    /// What of the run under the head lies before `end`.
    private func copyRun(upTo end: Int64, to new: Cartridge, _ buffer: Buffer) throws(StorageFault) {
        let run = try currentRun()
        let count = min(end, run.object + run.count) - at.object
        switch run.kind {
        case .zeros: _ = try new.writeZeros(count, length: run.length)
        case .filemark: _ = try new.writeFilemarks(Int(count), immediate: true)
        case .data, .node:
            guard case .record(let length) = try read(into: buffer.bytes) else { return }
            _ = try new.write(UnsafeRawBufferPointer(buffer[0..<length]))
            return
        }
        try locate(object: at.object + count, partition: at.partition)
    }
}
