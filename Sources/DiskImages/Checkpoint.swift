public import Files

/// Changes to what a disk consists of, not to what it holds.
extension DiskImage {
    /// Makes an empty child of the image at `path`, beside it: whatever is written from then on goes there, the image stays as it is.
    /// Returns the child's path, durable: `child`, or `<name>_<GUID>.avhdx` as Hyper-V names them. O(1).
    ///
    /// Faults: `IMAGE-PARENT-FORMAT` (raw files have no children), `IMAGE-EXISTS`, `IMAGE-DEPTH`, `IMAGE-MERGE`, those of opening.
    public static func checkpoint(
        _ path: String, child: String? = nil, by access: ImageAccess, created: UInt32
    ) throws(StorageFault) -> String {
        try MergeJournal.refusePending(path, on: access.files)
        let image = try open(path, by: access)
        defer { try? image.close() }
        guard image.layers.count < deepest else {
            throw StorageFault(
                .badInput, "IMAGE-DEPTH", path, "it has \(deepest - 1) parents already", action: "Merge some of them")
        }
        let leaf = image.layers[0]
        let target = child ?? FilePath.join(FilePath.folder(path), childName(of: leaf, access.guids.next()))
        let new = NewImage(
            format: leaf.format,
            kind: .differencing(try leaf.reference(from: FilePath.folder(target))), size: leaf.size,
            sectorSize: leaf.sectorSize, blockSize: 2 << 20, diskID: (leaf as? VHDXLayer)?.diskID)
        try NewImageFile(
            new, at: target, on: access.files, guids: access.guids, created: created, replacing: false
        ).finish()
        return target
    }

    /// `disk.vhdx` and `disk_<GUID>.avhdx` both give `disk_<GUID>.avhdx`.
    private static func childName(of leaf: any ImageLayer, _ guid: GUID) -> String {
        var stem = FilePath.stemAndExtension(leaf.path).stem
        if stem.utf8.count > 37, stem.dropLast(36).last == "_", GUID(String(stem.suffix(36))) != nil {
            stem.removeLast(37)
        }
        return "\(stem)_\(guid).\(leaf.format == .vhd ? "avhd" : "avhdx")"
    }

    /// Tells a child where its parent is now. Unless `trusting`, the parent must be the one it was made on, else `IMAGE-LINKAGE`;
    /// with it, the operator answers for the disk not being rubbish. O(1).
    public static func reparent(
        _ child: String, to path: String, trusting: Bool = false, by access: ImageAccess
    ) throws(StorageFault) {
        try MergeJournal.refusePending(child, on: access.files)
        let layer = try access.layer(child, writable: false)
        let (reference, sectorSize, format) = (layer.parent, layer.sectorSize, layer.format)
        try layer.close()
        guard let reference else {
            throw StorageFault(
                .badInput, "IMAGE-WHOLE", child, "it is a whole disk and has no parent", action: "Name a child")
        }
        let chain = try open(path, by: access)
        defer { try? chain.close() }
        let parent = chain.layers[0]
        guard parent.format == format, parent.sectorSize == sectorSize else {
            throw StorageFault(
                .badInput, "IMAGE-PARENT-FORMAT", child,
                "it is \(format) with sectors of \(sectorSize) bytes, \(path) is \(parent.format) with \(parent.sectorSize)",
                action: "Name a parent of the same format")
        }
        guard !chain.layers.contains(where: { FilePath.normal($0.path) == FilePath.normal(child) }) else {
            throw StorageFault(
                .badInput, "IMAGE-LOOP", child, "\(path) is a child of it", action: "Name the disk it was made on")
        }
        guard trusting || parent.linkage.map(reference.linkage.contains) == true else {
            throw StorageFault(
                .badInput, "IMAGE-LINKAGE", child,
                "it was made on a parent with the identifier \(reference.linkage.map(\.description).joined(separator: " or ")), "
                    + "but \(path) has \(parent.linkage ?? .zero)",
                action: "Name the parent as it was, or say that you trust this one")
        }
        try Reparenting.setParent(of: child, to: parent, by: access)
    }

    /// Makes the disk of this image larger or smaller; new bytes are zeros. Only whole sectors, and only a leaf.
    ///
    /// Faults: `IMAGE-SIZE` (bytes that are not zero would be lost, unless `losing`; or no whole sectors), `DISK-READONLY`.
    public func resize(to size: Int64, losing: Bool = false) throws(StorageFault) {
        guard access == .readWrite else { throw refuseWrite() }
        guard size > 0, size % Int64(sectorSize) == 0 else {
            throw StorageFault(
                .badInput, "IMAGE-SIZE", path, "\(size) bytes are not whole sectors of \(sectorSize) bytes",
                action: "Name a size of whole sectors")
        }
        let old = self.size
        if size < old, !losing, let place = try firstByte(in: size..<old) {
            throw StorageFault(
                .badInput, "IMAGE-SIZE", path, "byte \(place) is not zero and would be lost",
                action: "Make the file systems on it smaller first, or say that it may be lost")
        }
        try alone { (leaf) throws(StorageFault) in
            guard let leaf = leaf as? any ResizableLayer else {
                throw StorageFault(
                    .badInput, "IMAGE-SIZE", path, "a \(leaf.format) file cannot be resized",
                    action: "Convert it to another format")
            }
            try leaf.resize(to: size)
            // A parent that is larger has bytes there that were cut off once.
            if layers.count > 1, layers[1].size > old, size > old {
                try leaf.discard(old..<min(size, (layers[1].size)))
            }
            try leaf.flush()
        }
    }

    /// The first byte that is not zero.
    private func firstByte(in range: Range<Int64>) throws(StorageFault) -> Int64? {
        var chunks = AllocatedChunks(of: [self], below: size, length: 1 << 20, unit: Int64(sectorSize))
        let buffer = Buffer(count: 1 << 20)
        while let chunk = try chunks.next() {
            let part = chunk.clamped(to: range)
            guard !part.isEmpty else { continue }
            let bytes = buffer[0..<part.count]
            try read(into: bytes, at: part.lowerBound)
            if let index = bytes.firstIndex(where: { $0 != 0 }) { return part.lowerBound + Int64(index) }
        }
        return nil
    }
}
