public import Files
import Glibc

extension Cartridge {
    public func read(into buffer: UnsafeMutableRawBufferPointer) throws(StorageFault) -> TapeRead {
        try checkData()
        guard at.object < indexes[at.partition].end.object else { return .endOfData }
        let run: CartridgeRun
        do throws(StorageFault) {
            run = try currentRun()
        } catch {
            passLostNode()
            throw error
        }
        let object = at.object
        // The head stands behind the object also if it turns out to be damaged.
        at.object += 1
        switch run.kind {
        case .filemark:
            at.file += 1
            return .filemark
        case .zeros:
            if let base = buffer.baseAddress { memset(base, 0, min(buffer.count, run.length)) }
        case .data:
            try load(object, of: run, into: buffer)
        case .node:
            throw .cartridgeIndex(path, object..<object + 1, "an entry is of no kind")
        }
        counters.bytesRead += Int64(run.length)
        counters.bytesReadThisLoad += Int64(run.length)
        return .record(length: run.length)
    }

    /// The run the head stands in; it stands before the end.
    func currentRun() throws(StorageFault) -> CartridgeRun {
        if let run, run.object <= at.object, at.object < run.object + run.count { return run }
        let found = try find(at.object, by: .object, partition: at.partition)
        run = found
        return found
    }

    /// The last run that begins at or before `target`.
    func find(_ target: Int64, by key: CartridgeKey, partition: Int) throws(StorageFault) -> CartridgeRun {
        let nodes = nodes[partition]
        let found = try indexes[partition].find(target, by: key, nodes)
        if nodes.mended > 0 {
            counters.readErrorsCorrected += Int64(nodes.mended)
            nodes.mended = 0
        }
        guard let found, found.kind != .node else { throw nodes.nonsense(nil) }
        return found
    }

    /// Goes behind the objects of a node that could not be read.
    private func passLostNode() {
        counters.readErrorsUncorrected += 1
        guard let lost = nodes[at.partition].lost, lost.contains(at.object) else {
            at.object += 1
            return
        }
        at.object = lost.upperBound
        run = nil
        if at.object >= indexes[at.partition].end.object {
            at.file = indexes[at.partition].end.file
        } else if let next = try? currentRun() {
            at.file = next.file(before: at.object)
        }
    }

    private func load(
        _ object: Int64, of run: CartridgeRun, into buffer: UnsafeMutableRawBufferPointer
    ) throws(StorageFault) {
        let headerSize = CartridgeRecord.headerSize
        let offset = run.storedEnd(object - run.object)
        var whole = scratch[0..<headerSize]
        let data: UnsafeMutableRawBufferPointer
        do throws(StorageFault) {
            if run.length <= Self.shortRecord || buffer.count < run.length {
                whole = (run.length <= Self.shortRecord ? scratch : longScratch)[0..<headerSize + run.length]
                try file.readFully(into: whole, at: offset)
                data = UnsafeMutableRawBufferPointer(rebasing: whole[headerSize...])
            } else {
                data = UnsafeMutableRawBufferPointer(rebasing: buffer[..<run.length])
                try file.readFully(into: whole, at: offset)
                try file.readFully(into: data, at: offset + Int64(headerSize))
            }
        } catch {
            guard error.isOfMedium else { throw error }
            throw damaged(object, error.cause)
        }
        guard let header = CartridgeRecord(UnsafeRawBufferPointer(whole), seed: seed) else {
            throw damaged(object, "its header is damaged")
        }
        if let difference = header.difference(from: run, partition: at.partition, object: object) {
            throw damaged(object, difference)
        }
        guard CRC32C.of(UnsafeRawBufferPointer(data)) == header.dataCRC else {
            throw damaged(object, "its data do not have its checksum")
        }
        if data.baseAddress != buffer.baseAddress {
            let count = min(buffer.count, run.length)
            UnsafeMutableRawBufferPointer(rebasing: buffer[..<count])
                .copyMemory(from: UnsafeRawBufferPointer(rebasing: data[..<count]))
        }
    }

    private func damaged(_ object: Int64, _ cause: String) -> StorageFault {
        counters.readErrorsUncorrected += 1
        return .cartridgeRecord(path, object, cause)
    }
}
