public import Files

/// How a movement by objects ended.
public struct CartridgeSpace: Hashable, Sendable {
    public enum Stop: Hashable, Sendable { case none, filemark, beginning, endOfData }
    /// Of what was asked for, how much was not done; never negative.
    public var residual: Int64
    /// What stopped it, if not all was done.
    public var stop: Stop

    public init(residual: Int64, stop: Stop) { (self.residual, self.stop) = (residual, stop) }
    static let done = CartridgeSpace(residual: 0, stop: .none)
}

/// Where something lies on the tape, for those who model how long it takes to get there.
public struct CartridgePlace: Hashable, Sendable {
    /// Native bytes before it on the whole tape, partitions laid one behind the other.
    public var byte: Int64
    /// The end-to-end pass, from 0; even ones run from the beginning of the tape, odd ones back.
    public var wrap: Int

    public init(byte: Int64, wrap: Int) { (self.byte, self.wrap) = (byte, wrap) }
}

extension Cartridge {
    public var position: TapePosition { at }

    /// What lies before the head.
    func mark() throws(StorageFault) -> CartridgeMark { try mark(of: at.object, partition: at.partition) }

    /// What lies before an object that is not beyond the end of data.
    private func mark(of object: Int64, partition: Int) throws(StorageFault) -> CartridgeMark {
        let end = indexes[partition].end
        guard object < end.object else { return end }
        var run: CartridgeRun
        if partition == at.partition, object == at.object {
            run = try currentRun()
        } else {
            run = try find(object, by: .object, partition: partition)
        }
        run.count = object - run.object
        return run.end
    }

    /// Where an object, or the end of data, lies. O(log objects).
    /// - Throws: `TAPE-NO-OBJECT` beyond the end of data.
    public func place(of object: Int64, partition: Int = 0) throws(StorageFault) -> CartridgePlace {
        try check(partition: partition)
        guard 0...indexes[partition].end.object ~= object else { throw noObject("object \(object)", partition) }
        let before = identity.partitions[..<partition].reduce(0, +)
        let byte = before + (try mark(of: object, partition: partition)).native
        let perWrap = max(1, identity.capacity / Int64(identity.wraps))
        return CartridgePlace(byte: byte, wrap: min(Int(byte / perWrap), identity.wraps - 1))
    }

    /// Where the head stands.
    public func place() throws(StorageFault) -> CartridgePlace { try place(of: at.object, partition: at.partition) }

    private func noObject(_ what: String, _ partition: Int) -> StorageFault {
        .cartridge(
            .badInput, "NO-OBJECT", path,
            "\(what) lies outside of partition \(partition), which has \(indexes[partition].end.object) objects",
            "Choose one before the end of data")
    }

    private func stand(_ partition: Int, _ object: Int64, _ file: Int64) {
        at = TapePosition(partition: partition, object: object, file: file)
    }

    public func rewind() throws(StorageFault) {
        try checkPresence()
        stand(0, 0, 0)
        run = nil
    }

    public func locateEndOfData(partition: Int) throws(StorageFault) {
        try check(partition: partition)
        let end = indexes[partition].end
        stand(partition, end.object, end.file)
        run = nil
    }

    /// O(log objects).
    public func locate(object: Int64, partition: Int) throws(StorageFault) {
        try check(partition: partition)
        guard 0...indexes[partition].end.object ~= object else {
            try leave(at: object < 0, partition)
            throw noObject("object \(object)", partition)
        }
        try go(to: object, partition)
    }

    /// O(log objects).
    public func locate(file: Int64, partition: Int) throws(StorageFault) {
        try check(partition: partition)
        guard 0...indexes[partition].end.file ~= file else {
            try leave(at: file < 0, partition)
            throw noObject("file \(file)", partition)
        }
        guard file > 0 else { return try go(to: 0, partition) }
        try go(to: try object(ofMark: file - 1, partition) + 1, partition)
    }

    /// To the record that holds a native byte of a partition. O(log objects).
    public func locate(byte: Int64, partition: Int = 0) throws(StorageFault) {
        try check(partition: partition)
        let end = indexes[partition].end
        guard 0...end.native ~= byte else {
            try leave(at: byte < 0, partition)
            throw noObject("byte \(byte)", partition)
        }
        guard byte < end.native else { return try locateEndOfData(partition: partition) }
        let run = try find(byte, by: .native, partition: partition)
        guard run.length > 0, byte < run.end.native else { throw nodes[partition].nonsense(run) }
        stand(partition, run.object + (byte - run.native) / Int64(run.length), run.file)
        self.run = run
    }

    /// Where a search beyond an end leaves the tape.
    private func leave(at beginning: Bool, _ partition: Int) throws(StorageFault) {
        if beginning { stand(partition, 0, 0) } else { try locateEndOfData(partition: partition) }
        run = nil
    }

    private func go(to object: Int64, _ partition: Int) throws(StorageFault) {
        let end = indexes[partition].end
        guard object < end.object else { return try locateEndOfData(partition: partition) }
        if partition == at.partition, let run, run.object <= object, object < run.object + run.count {
            return stand(partition, object, run.file(before: object))
        }
        let found = try find(object, by: .object, partition: partition)
        stand(partition, object, found.file(before: object))
        run = found
    }

    /// The object number of a filemark that exists; both from 0.
    private func object(ofMark mark: Int64, _ partition: Int) throws(StorageFault) -> Int64 {
        let run = try find(mark, by: .file, partition: partition)
        guard run.kind == .filemark, mark - run.file < run.count else { throw nodes[partition].nonsense(run) }
        return run.object + (mark - run.file)
    }

    /// Moves over so many records, backwards if negative. A filemark stops it, with the tape behind the mark in the direction moved.
    /// O(log objects).
    public func space(records count: Int64) throws(StorageFault) -> CartridgeSpace {
        try checkData()
        let (partition, end) = (at.partition, indexes[at.partition].end)
        if count >= 0 {
            let mark = at.file < end.file ? try object(ofMark: at.file, partition) : end.object
            if count <= mark - at.object {
                try go(to: at.object + count, partition)
                return .done
            }
            let residual = count - (mark - at.object)
            guard at.file < end.file else {
                try locateEndOfData(partition: partition)
                return CartridgeSpace(residual: residual, stop: .endOfData)
            }
            try go(to: mark + 1, partition)
            return CartridgeSpace(residual: residual, stop: .filemark)
        }
        let first = at.file > 0 ? try object(ofMark: at.file - 1, partition) + 1 : 0
        let wanted = count.magnitude
        let there = UInt64(max(0, at.object - first))
        if wanted <= there {
            try go(to: at.object - Int64(wanted), partition)
            return .done
        }
        let residual = Int64(clamping: wanted - there)
        if at.file == 0 {
            stand(partition, 0, 0)
            return CartridgeSpace(residual: residual, stop: .beginning)
        }
        try go(to: first - 1, partition)
        return CartridgeSpace(residual: residual, stop: .filemark)
    }

    /// Moves over so many filemarks: behind the last of them, or before it if `count` is negative. O(log objects).
    public func space(filemarks count: Int64) throws(StorageFault) -> CartridgeSpace {
        try checkData()
        let (partition, end) = (at.partition, indexes[at.partition].end)
        if count >= 0 {
            guard count <= end.file - at.file else {
                let residual = count - (end.file - at.file)
                try locateEndOfData(partition: partition)
                return CartridgeSpace(residual: residual, stop: .endOfData)
            }
            if count > 0 { try go(to: try object(ofMark: at.file + count - 1, partition) + 1, partition) }
            return .done
        }
        guard count.magnitude <= UInt64(at.file) else {
            let residual = Int64(clamping: count.magnitude - UInt64(at.file))
            stand(partition, 0, 0)
            run = nil
            return CartridgeSpace(residual: residual, stop: .beginning)
        }
        try go(to: try object(ofMark: at.file + count, partition), partition)
        return .done
    }
}
