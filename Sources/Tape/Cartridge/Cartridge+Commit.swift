public import Files

extension Cartridge {
    /// Makes everything written so far durable: data and index tails first, then the label in the other slot.
    /// - Throws: what the file threw. After a failed flush the cartridge takes nothing more (`TAPE-UNSAFE`) until it is loaded again.
    public func flush() throws(StorageFault) {
        try checkPresence()
        guard isChanged || isTouched else { return }
        try commit(isLoaded: true)
    }

    /// Commits, with both labels alike, and gives the file back. The object is of no use afterwards.
    /// - Throws: as `flush`; the cartridge is unloaded all the same, as after a power cut.
    public func unload() throws(StorageFault) {
        try checkPresence()
        isGone = true
        defer { file.close() }
        guard !isReadOnly, isChanged || isTouched || label.isLoaded || !findings.isEmpty else { return }
        // The second makes good a label that is torn or says less; between them either is enough.
        try commit(isLoaded: false)
        try commit(isLoaded: false)
    }

    /// Gives the file back without a commit: what was written since the last one is gone.
    public func abandon() {
        isGone = true
        file.close()
    }

    /// Throws if what is on the medium cannot be changed by this program any more.
    func checkSafety() throws(StorageFault) {
        if isReadOnly {
            throw .cartridge(
                .readOnly, "WRITE-PROTECTED", path, "its file cannot be written", "Change the file's permissions")
        }
        if isUnsafe {
            throw .cartridge(
                .device, "UNSAFE", path, "its file could not be flushed, so what was written last may be lost",
                "Unload it, check the disk under it, load it again and repeat what was not acknowledged")
        }
    }

    func commit(isLoaded: Bool) throws(StorageFault) {
        try checkSafety()
        try settle()
        let next = 1 - slot
        var new = label
        new.generation += 1
        new.epoch = epoch
        if isChanged { new.changeReference &+= 1 }
        (new.isLoaded, new.isWriteProtected) = (isLoaded, isWriteProtected)
        new.counters = counters
        for (partition, index) in indexes.enumerated() {
            let tail = CartridgeTail.encoded(index.levels, partition: partition, seed: seed)
            new.partitions[partition] = CartridgeLabel.Partition(
                end: index.end, storedEnd: index.storedEnd,
                tail: try put(tail, at: CartridgeLayout.tail(next, partition: partition)))
        }
        new.attributes = try put(memory.encoded(seed: seed), at: CartridgeLayout.attributes(next))
        try flushFile()
        // From here on the new label may be on the medium, also if writing it fails.
        for (partition, index) in indexes.enumerated() {
            labelled[partition] = max(labelled[partition], index.end.object)
        }
        try file.write(new.encoded(), at: CartridgeLayout.label(next))
        try flushFile()
        (label, slot) = (new, next)
        labelled = indexes.map { $0.end.object }
        (isChanged, isTouched) = (false, false)
    }

    private func put(_ bytes: [UInt8], at offset: Int64) throws(StorageFault) -> CartridgePiece {
        if !bytes.isEmpty { try file.write(bytes, at: offset) }
        return CartridgePiece(offset: offset, length: bytes.count, crc: CRC32C.of(bytes))
    }

    /// Makes what was found durable before anything that an older label speaks of is overwritten.
    func settle() throws(StorageFault) {
        guard !isSettled else { return }
        try flushFile()
        isSettled = true
    }

    private func flushFile() throws(StorageFault) {
        do throws(StorageFault) {
            try file.flush()
        } catch {
            isUnsafe = true
            throw error
        }
    }

    /// Sets the tab that protects the cartridge from writing, at once.
    /// - Throws: as `flush`.
    public func setWriteProtected(_ isProtected: Bool) throws(StorageFault) {
        try checkPresence()
        guard isProtected != isWriteProtected else { return }
        try checkSafety()
        isWriteProtected = isProtected
        isTouched = true
        try flush()
    }

    /// Counts errors that whoever models a drive has drawn.
    public func countErrors(
        writesCorrected: Int64 = 0, writesUncorrected: Int64 = 0, readsCorrected: Int64 = 0, readsUncorrected: Int64 = 0
    ) {
        counters.writeErrorsCorrected += writesCorrected
        counters.writeErrorsUncorrected += writesUncorrected
        counters.readErrorsCorrected += readsCorrected
        counters.readErrorsUncorrected += readsUncorrected
        isTouched = true
    }

    /// Cleans a drive once; returns the uses left.
    /// - Throws: `TAPE-NOT-CLEANING` for another cartridge, `TAPE-CLEANING-EXPIRED` when it was used up.
    public func clean() throws(StorageFault) -> Int {
        try checkPresence()
        guard identity.kind == .cleaning else {
            throw .cartridge(
                .badInput, "NOT-CLEANING", path, "it is no cleaning cartridge", "Load a cleaning cartridge")
        }
        guard counters.cleaningUsesLeft > 0 else {
            throw .cartridge(
                .badInput, "CLEANING-EXPIRED", path, "the cleaning cartridge was used up", "Replace it by a new one")
        }
        try checkSafety()
        counters.cleaningUsesLeft -= 1
        isTouched = true
        try flush()
        return Int(counters.cleaningUsesLeft)
    }
}
