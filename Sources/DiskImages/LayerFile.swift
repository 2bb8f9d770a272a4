import Files

// What the layers of several formats do with their files alike.

extension StoreFile {
    /// Makes `range` read as zeros; its space is given back where the file system can do that.
    func makeZero(_ range: Range<Int64>) throws(StorageFault) {
        guard !range.isEmpty else { return }
        do throws(StorageFault) {
            try punch(range)
        } catch {
            // Other faults are of the medium; this one says that holes are unknown here.
            guard error.id == "FILE-SYSTEM" else { throw error }
            try writeZeros(range)
        }
    }

    /// Reserves space where the file system knows of that; where it does not, writes find out by themselves.
    func reserveIfPossible(_ range: Range<Int64>) throws(StorageFault) {
        do throws(StorageFault) { try reserve(range) } catch  where error.id == "FILE-SYSTEM" {}
    }

    func writeZeros(_ range: Range<Int64>) throws(StorageFault) {
        guard !range.isEmpty else { return }
        let zeros = [UInt8](repeating: 0, count: Int(min(1 << 20, range.upperBound - range.lowerBound)))
        var offset = range.lowerBound
        while offset < range.upperBound {
            let count = Int(min(Int64(zeros.count), range.upperBound - offset))
            try zeros.withBytes { (bytes) throws(StorageFault) in
                try write(UnsafeRawBufferPointer(rebasing: bytes[..<count]), at: offset)
            }
            offset += Int64(count)
        }
    }
}

extension Int64 {
    /// The next multiple of `grain`, and whether there is none that fits.
    func roundedUp(to grain: Int64) -> (value: Int64, overflow: Bool) {
        let (sum, overflow) = addingReportingOverflow(grain - 1)
        return overflow ? (self, true) : (sum / grain * grain, false)
    }
}

extension ImageLayer {
    func checkInside(_ range: Range<Int64>, of size: Int64) throws(StorageFault) {
        guard range.lowerBound >= 0, range.upperBound <= size else {
            throw StorageFault(
                .badInput, "DISK-RANGE", path,
                "bytes \(range.lowerBound) to \(range.upperBound) do not lie inside the disk, which has \(size) bytes",
                action: "Ask for a range inside the disk")
        }
    }

    func checkWhole(_ offset: Int64, _ count: Int64, of size: Int64) throws(StorageFault) {
        guard offset >= 0, count >= 0, offset <= size, count <= size - offset else {
            throw StorageFault(
                .badInput, "DISK-RANGE", path,
                "\(count) bytes at \(offset) do not lie inside the disk, which has \(size) bytes",
                action: "Write inside the disk, or make the disk larger first")
        }
        guard offset % Int64(sectorSize) == 0, count % Int64(sectorSize) == 0 else {
            throw StorageFault(
                .badInput, "DISK-SECTOR", path,
                "\(count) bytes at \(offset) are not whole sectors of \(sectorSize) bytes",
                action: "Write whole sectors")
        }
    }

    func refuseWrite() -> StorageFault {
        StorageFault(
            .readOnly, "DISK-READONLY", path, "it is open for reading only",
            action: "Write to a copy or to a checkpoint of it")
    }

    func notHere(_ run: LayerRun) -> StorageFault {
        StorageFault(
            .badInput, "DISK-RUN", path,
            "bytes \(run.range.lowerBound) to \(run.range.upperBound) of the disk are not in this file",
            action: "Ask this layer for its runs first")
    }
}
