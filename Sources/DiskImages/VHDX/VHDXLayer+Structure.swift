public import Files
import Synchronization

/// Changes of a file's structures, as whole 4 KiB sectors for one entry of the log.
struct VHDXPatch {
    let source: VHDXSource
    private var changed: [Int64: [UInt8]] = [:]

    init(source: VHDXSource) { self.source = source }

    mutating func put(_ bytes: [UInt8], at offset: Int64) throws(StorageFault) {
        let unit = Int64(VHDXFormat.logSector)
        let range = offset..<offset + Int64(bytes.count)
        var at = offset / unit * unit
        while at < range.upperBound {
            let part = (at..<at + unit).clamped(to: range)
            var sector: [UInt8]
            if let known = changed[at] { sector = known } else { sector = try source.bytes(Int(unit), at: at) }
            sector.put(
                bytes[Int(part.lowerBound - offset)..<Int(part.upperBound - offset)], at: Int(part.lowerBound - at))
            changed[at] = sector
            at += unit
        }
    }

    var sectors: [(offset: Int64, bytes: [UInt8])] {
        changed.sorted { $0.key < $1.key }.map { (offset: $0.key, bytes: $0.value) }
    }
}

extension VHDXLayer {
    // MARK: parent

    /// Names another parent, or the same at another place: new linkage and paths. A cut leaves the old or the new. The content's
    /// identity stays. `VHDX-PARENT` if the file has no parent or the reference cannot be written.
    public func setParent(_ reference: ParentReference) throws(StorageFault) {
        let content: [UInt8]
        do { content = try VHDXLocator(reference).encoded() } catch { throw parentFault(error.text) }
        guard parent != nil else { throw parentFault("it is a whole disk, which has no parent") }
        try restructure { (session) throws(StorageFault) in
            let region = self.shared.withLock { $0.regions[1] }
            let table = try self.metadataTable(region)
            guard let index = table.items.firstIndex(where: { $0.guid == VHDXMetadata.parentLocator }),
                let offset = Self.room(for: content.count, insteadOf: index, in: table, region.count)
            else { throw self.parentFault("its metadata has no room for the paths of the parent") }
            var patch = VHDXPatch(source: self.source)
            try patch.put(content, at: region.lowerBound + Int64(offset))
            let place = VHDXMetadata.bytes(UInt32(offset)) + VHDXMetadata.bytes(UInt32(content.count))
            try patch.put(place, at: region.lowerBound + Int64(32 + 32 * index + 16))
            try session.commit(patch.sectors, self.file, self.guids)
            self.shared.withLock { $0.parent = reference }
        }
    }

    private func parentFault(_ cause: String) -> StorageFault {
        StorageFault(
            .badInput, "VHDX-PARENT", path, cause, action: "Name a parent by its identifier, for a file that has one")
    }

    private func metadataTable(_ region: Range<Int64>) throws(StorageFault) -> VHDXMetadataTable {
        let bytes = try source.bytes(VHDXFormat.metadataTableSize, at: region.lowerBound)
        return try VHDXContents.checked("VHDX-METADATA", file) { () throws(VHDXProblem) in try VHDXMetadataTable(bytes)
        }
    }

    /// Where in the region an item of `count` bytes fits when item `index` is gone: its old place, or the first gap.
    private static func room(
        for count: Int, insteadOf index: Int, in table: VHDXMetadataTable, _ length: Int
    ) -> Int? {
        var taken = table.items.indices.filter { $0 != index }.map { other in
            let start = Int(table.items[other].offset)
            return start..<start + Int(table.items[other].length)
        }
        taken.append(0..<VHDXFormat.metadataTableSize)
        let candidates = [Int(table.items[index].offset)] + taken.map { ($0.upperBound + 7) / 8 * 8 }.sorted()
        return candidates.first { start in
            start >= VHDXFormat.metadataTableSize && start + count <= length
                && !taken.contains { $0.overlaps(start..<start + count) }
        }
    }

    // MARK: size

    /// Makes the disk larger, with zeros, or smaller, which loses what lies behind: the caller has asked for that. A cut leaves the old
    /// size or the new one. Growth moves the block allocation table when its region is too small. `VHDX-SIZE` for a size that is not
    /// whole sectors up to 64 TiB. Time: by blocks added or removed.
    public func resize(to size: Int64) throws(StorageFault) {
        let old = shared.withLock { $0.tables.geometry }
        var new = old
        new.size = size
        if let problem = new.problem() {
            throw StorageFault(
                .badInput, "VHDX-SIZE", path, problem.text, action: "Choose a size of whole sectors up to 64 TiB")
        }
        guard size != old.size else { return }
        try restructure { (session) throws(StorageFault) in
            try self.begin(&session, data: true)
            if size > old.size {
                try self.grow(old, new, &session)
            } else {
                try self.shrink(old, new, &session)
            }
        }
    }

    private func grow(
        _ old: VHDXGeometry, _ new: VHDXGeometry, _ session: inout VHDXSession
    ) throws(StorageFault) {
        if try file.size() < session.end { try file.truncate(to: session.end) }
        // What the last block has behind the old end may be anything.
        let tail = old.size..<min(old.blocks * blockSize, new.size)
        if !tail.isEmpty {
            try discard(old.blocks - 1, tail, &session)
            try commit(&session)
        }
        var patch = VHDXPatch(source: source)
        let region = shared.withLock { $0.regions[2] }
        var bat = region
        if new.entries * 8 > region.upperBound - region.lowerBound {
            bat = try moveTable(region, new, &session)
            try patchRegionTables(bat, &patch)
        }
        var first = Int64(0)
        if isFixed {
            let count = (new.blocks - old.blocks) * blockSize
            if count > 0 { first = try session.allocate(count, blockSize: blockSize, file) }
        }
        try fillTable(bat.lowerBound, from: old, to: new) { block in
            if self.isFixed { return VHDXEntry(.fullyPresent, at: first + (block - old.blocks) * self.blockSize) }
            // What the parent has behind this disk's old end was never its content.
            return VHDXEntry(old.differencing ? .zero : .notPresent)
        }
        try patchSize(new, &patch)
        try session.commit(patch.sectors, file, guids)
        let end = session.end
        shared.withLock { shared in
            shared.tables.geometry = new
            shared.tables.batOffset = bat.lowerBound
            shared.tables.forget(region)
            shared.tables.forget(bat)
            shared.regions[2] = bat
            shared.fileSize = end
        }
        if bat != region { try VHDXSession.clear(region, file) }
    }

    private func shrink(
        _ old: VHDXGeometry, _ new: VHDXGeometry, _ session: inout VHDXSession
    ) throws(StorageFault) {
        var patch = VHDXPatch(source: source)
        try patchSize(new, &patch)
        try session.commit(patch.sectors, file, guids)
        // The disk is small from here on, whatever becomes of the space.
        var failure: StorageFault?
        do throws(StorageFault) { try release(new.blocks..<old.blocks, of: old) } catch { failure = error }
        let bat = shared.withLock { shared in
            shared.tables.geometry = new
            return shared.regions[2]
        }
        try fillTable(bat.lowerBound, from: new, to: old) { _ in VHDXEntry(.notPresent) }
        shared.withLock { $0.tables.forget(bat) }
        if let failure { throw failure }
    }

    /// Gives the space of blocks back; one whose place cannot be is passed over.
    private func release(_ blocks: Range<Int64>, of geometry: VHDXGeometry) throws(StorageFault) {
        for block in blocks {
            let content = geometry.range(ofBlock: block)
            let place = try shared.withLock { (shared) throws(StorageFault) -> Int64? in
                let entry = try shared.tables.entry(ofBlock: block)
                guard entry.state == .fullyPresent || entry.state == .partiallyPresent else { return nil }
                return try? shared.place(of: entry, block: block, self.path)
            }
            if let place { try VHDXSession.clear(place..<place + (content.upperBound - content.lowerBound), file) }
        }
    }

    /// Copies the table to a larger region at the end of the file, which counts when a region table names it.
    private func moveTable(
        _ region: Range<Int64>, _ new: VHDXGeometry, _ session: inout VHDXSession
    ) throws(StorageFault) -> Range<Int64> {
        // A free block is never taken here: a region is no multiple of a block.
        let offset = try session.allocate(new.tableLength, blockSize: 0, file)
        var at: Int64 = 0
        while at < region.upperBound - region.lowerBound {
            try file.write(try source.bytes(Int(VHDXFormat.mebibyte), at: region.lowerBound + at), at: offset + at)
            at += VHDXFormat.mebibyte
        }
        return offset..<offset + new.tableLength
    }

    /// Writes the entries of the blocks that `large` has and `small` has not. They mean nothing while the disk is small, so that no log
    /// is needed; what else lies between them is written as it is.
    private func fillTable(
        _ bat: Int64, from small: VHDXGeometry, to large: VHDXGeometry, _ value: (Int64) -> VHDXEntry
    ) throws(StorageFault) {
        let page = VHDXTables.pageSize / 8
        var index = small.index(ofBlock: small.blocks)
        while index < large.entries {
            let end = min(large.entries, (index / page + 1) * page)
            var bytes = try source.bytes(Int(end - index) * 8, at: bat + index * 8)
            for number in index..<end {
                let entry: VHDXEntry
                if let block = large.block(ofIndex: number) {
                    entry = block < large.blocks ? value(block) : VHDXEntry(.notPresent)
                } else {
                    guard number / (large.chunkRatio + 1) >= small.chunks else { continue }
                    entry = VHDXEntry(.notPresent)
                }
                bytes.putLittle(entry.raw, at: Int(number - index) * 8)
            }
            try file.write(bytes, at: bat + index * 8)
            index = end
        }
    }

    private func patchSize(_ geometry: VHDXGeometry, _ patch: inout VHDXPatch) throws(StorageFault) {
        let region = shared.withLock { $0.regions[1] }
        let items = try metadataTable(region).items
        guard let index = items.firstIndex(where: { $0.guid == VHDXMetadata.diskSize }) else {
            throw VHDXContents.fault("VHDX-METADATA", file, VHDXProblem("the item virtual disk size is missing"))
        }
        let item = items[index]
        let place = Int64(item.offset)..<Int64(item.offset) + 8
        // Written over another item, the size would leave a file that opens no more.
        for other in items.indices where other != index {
            let start = Int64(items[other].offset)
            guard !(start..<start + Int64(items[other].length)).overlaps(place) else {
                throw VHDXContents.fault(
                    "VHDX-METADATA", file, VHDXProblem("the item virtual disk size lies over another item"))
            }
        }
        try patch.put(VHDXMetadata.bytes(UInt64(geometry.size)), at: region.lowerBound + Int64(item.offset))
    }

    /// Both region tables name the new place, from whichever is good.
    private func patchRegionTables(_ bat: Range<Int64>, _ patch: inout VHDXPatch) throws(StorageFault) {
        var table: VHDXRegionTable?
        for place in VHDXFormat.regionTablePlaces where table == nil {
            table = try? VHDXRegionTable(source.bytes(VHDXFormat.regionTableSize, at: place))
        }
        guard var table, let index = table.regions.firstIndex(where: { $0.guid == VHDXFormat.batRegion }) else {
            throw VHDXContents.fault("VHDX-REGION", file, VHDXProblem("no region table is valid any more"))
        }
        table.regions[index].offset = UInt64(bat.lowerBound)
        table.regions[index].length = UInt32(bat.upperBound - bat.lowerBound)
        let bytes = table.encoded()
        for place in VHDXFormat.regionTablePlaces { try patch.put(bytes, at: place) }
    }
}
