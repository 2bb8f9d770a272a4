public import Files
import Synchronization

/// A disk kept in image files: one whole file, or a child on its parents, each proven to be the one the child was made on.
///
/// Any number of threads may read; writes wait for each other. A file that is only read is never changed, not by a byte.
public final class DiskImage: BlockDevice {
    public enum Access: Hashable, Sendable { case read, readWrite }

    /// Files of a chain at most.
    public static let deepest = 1024

    /// The files, the leaf first.
    public let layers: [any ImageLayer]
    public let access: Access
    public var name: String { layers[0].path }
    public var path: String { layers[0].path }
    public var format: ImageFormat { layers[0].format }
    public let sectorSize: Int
    private let bytes: Atomic<Int64>
    private let writing = Mutex<Bool>(false)

    public var size: Int64 { bytes.load(ordering: .acquiring) }

    /// Layers that belong together, the leaf first, which alone is ever written to.
    init(layers: [any ImageLayer], access: Access) {
        precondition(!layers.isEmpty, "a disk has at least one layer")
        (self.layers, self.access) = (layers, access)
        sectorSize = layers[0].sectorSize
        bytes = Atomic(layers[0].size)
    }

    /// Opens the image at `path` and all its parents; only the leaf can be written to. `format` nil: by its content.
    ///
    /// Faults: `IMAGE-FORMAT`, `IMAGE-PARENT` (not found), `IMAGE-LINKAGE` (not the parent it was), `IMAGE-SECTOR`, `IMAGE-LOOP`,
    /// `IMAGE-DEPTH`, `IMAGE-BUSY`, and those of the formats. O(depth).
    public static func open(
        _ path: String, on files: any FileSystem, access: Access = .read, guids: any GUIDSource,
        format: ImageFormat? = nil, searching extraParentFolders: [String] = [], trustingBadChecksums: Bool = false
    ) throws(StorageFault) -> DiskImage {
        let opener = ImageAccess(
            files, guids: guids, parentFolders: extraParentFolders, trustsBadChecksums: trustingBadChecksums)
        return try open(path, by: opener, access: access, format: format)
    }

    public static func open(
        _ path: String, by opener: ImageAccess, access: Access = .read, format: ImageFormat? = nil
    ) throws(StorageFault) -> DiskImage {
        try open(path, by: opener, access: access, format: format, deepest: deepest)
    }

    static func open(
        _ path: String, by opener: ImageAccess, access: Access, format: ImageFormat?, deepest: Int
    ) throws(StorageFault) -> DiskImage {
        if access == .readWrite { try MergeJournal.refusePending(path, on: opener.files) }
        var layers = [try opener.layer(path, writable: access == .readWrite, format: format)]
        do throws(StorageFault) {
            var places: Set<String> = [FilePath.normal(path)]
            while let reference = layers[layers.count - 1].parent {
                let child = layers[layers.count - 1]
                guard layers.count < deepest else {
                    throw StorageFault(
                        .badInput, "IMAGE-DEPTH", path, "it has more than \(deepest - 1) parents",
                        action: "Merge some of them")
                }
                let parent = try ParentSearch(access: opener, child: child, reference: reference).open()
                layers.append(parent)
                guard places.insert(FilePath.normal(parent.path)).inserted else {
                    throw StorageFault(
                        .damaged, "IMAGE-LOOP", child.path, "its parent \(parent.path) is also its child",
                        action: "Re-parent it to the disk it was made on")
                }
                guard parent.sectorSize == child.sectorSize else {
                    throw StorageFault(
                        .damaged, "IMAGE-SECTOR", child.path,
                        "its sectors have \(child.sectorSize) bytes, those of its parent \(parent.path) \(parent.sectorSize)",
                        action: "Bring back the parent it was made on")
                }
            }
        } catch {
            for layer in layers { try? layer.close() }
            throw error
        }
        return DiskImage(layers: layers, access: access)
    }

    /// Ends the use of all files. Everything written is on disk when it returns; the first fault is thrown, but every file is closed.
    public func close() throws(StorageFault) {
        let isFirst = writing.withLock { isClosed in
            defer { isClosed = true }
            return !isClosed
        }
        guard isFirst else { return }
        var fault: StorageFault?
        for layer in layers {
            do throws(StorageFault) { try layer.close() } catch { fault = fault ?? error }
        }
        if let fault { throw fault }
    }

    // MARK: reading

    /// A part of the disk whose bytes are in one layer's file.
    public struct Piece: Hashable, Sendable {
        public var range: Range<Int64>
        /// Of the layer; 0 is the leaf.
        public var layer: Int
        /// In its file, bytes.
        public var place: Int64
    }

    /// Where the data of `range` is, ascending; what no piece covers is zeros, holes of the files too.
    public func pieces(in range: Range<Int64>) throws(StorageFault) -> [Piece] {
        var pieces: [Piece] = []
        for piece in try located(in: range) {
            if let file = (layers[piece.layer] as? any SparseLayer)?.sparseFile {
                try file.appendData(of: piece, grain: Int64(sectorSize), to: &pieces)
            } else {
                pieces.append(piece)
            }
        }
        return pieces
    }

    /// Which layer says what `range` holds, ascending; what no piece covers is zeros. Parts that lie together in a file are one piece,
    /// holes or not. Asks each layer once for each part that no younger one has.
    private func located(in range: Range<Int64>) throws(StorageFault) -> [Piece] {
        var found: [Piece] = []
        var open = [range]
        for (index, layer) in layers.enumerated() where !open.isEmpty {
            var deeper: [Range<Int64>] = []
            for part in open {
                let inside = part.clamped(to: 0..<layer.size)
                guard !inside.isEmpty else { continue }
                for run in try layer.runs(in: inside) {
                    switch run.place {
                    case .zero: break
                    case .here(let place): found.append(Piece(range: run.range, layer: index, place: place))
                    case .parent:
                        if let last = deeper.last, last.upperBound == run.range.lowerBound {
                            deeper[deeper.count - 1] = last.lowerBound..<run.range.upperBound
                        } else {
                            deeper.append(run.range)
                        }
                    }
                }
            }
            open = deeper
        }
        if layers.count > 1 { found.sort { $0.range.lowerBound < $1.range.lowerBound } }
        var joined: [Piece] = []
        joined.reserveCapacity(found.count)
        for piece in found {
            if let last = joined.last, last.layer == piece.layer, last.range.upperBound == piece.range.lowerBound,
                last.place + (last.range.upperBound - last.range.lowerBound) == piece.place
            {
                joined[joined.count - 1].range = last.range.lowerBound..<piece.range.upperBound
            } else {
                joined.append(piece)
            }
        }
        return joined
    }

    public func allocatedRanges(in range: Range<Int64>) throws(StorageFault) -> [Range<Int64>] {
        try checkRead(Int(range.upperBound - range.lowerBound), at: range.lowerBound)
        var ranges: [Range<Int64>] = []
        for piece in try pieces(in: range) { ranges.appendJoining(piece.range) }
        return ranges
    }

    public func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(StorageFault) {
        try checkRead(buffer.count, at: offset)
        let range = offset..<offset + Int64(buffer.count)
        var done = offset
        func part(_ range: Range<Int64>) -> UnsafeMutableRawBufferPointer {
            UnsafeMutableRawBufferPointer(
                rebasing: buffer[Int(range.lowerBound - offset)..<Int(range.upperBound - offset)])
        }
        // A hole reads as zeros by itself; finding it would cost as much.
        for piece in try located(in: range) {
            if done < piece.range.lowerBound { part(done..<piece.range.lowerBound).zero() }
            try layers[piece.layer].read(into: part(piece.range), of: LayerRun(piece.range, .here(piece.place)))
            done = piece.range.upperBound
        }
        if done < range.upperBound { part(done..<range.upperBound).zero() }
    }

    // MARK: writing

    public func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(StorageFault) {
        try change(Int64(bytes.count), at: offset) { (leaf) throws(StorageFault) in
            try leaf.write(bytes, at: offset)
        }
    }

    public func discard(_ range: Range<Int64>) throws(StorageFault) {
        try change(range.upperBound - range.lowerBound, at: range.lowerBound) { (leaf) throws(StorageFault) in
            try leaf.discard(range)
        }
    }

    private func change(
        _ count: Int64, at offset: Int64, _ body: (any ImageLayer) throws(StorageFault) -> Void
    ) throws(StorageFault) {
        guard access == .readWrite else { throw refuseWrite() }
        try checkWrite(count, at: offset)
        guard count > 0 else { return }
        try alone(body)
    }

    public func flush() throws(StorageFault) {
        guard access == .readWrite else { return }
        try alone { (leaf) throws(StorageFault) in try leaf.flush() }
    }

    /// The leaf, while nobody else writes to it.
    func alone(_ body: (any ImageLayer) throws(StorageFault) -> Void) throws(StorageFault) {
        try writing.withLock { (isClosed) throws(StorageFault) in
            guard !isClosed else {
                throw StorageFault(.badInput, "IMAGE-CLOSED", path, "it was closed", action: "Open it again")
            }
            try body(layers[0])
        }
        bytes.store(layers[0].size, ordering: .releasing)
    }
}

extension [Range<Int64>] {
    /// Appends a range that begins at or after the last one's end, as part of that one if they touch.
    mutating func appendJoining(_ range: Range<Int64>) {
        guard !range.isEmpty else { return }
        if let last, last.upperBound == range.lowerBound {
            self[count - 1] = last.lowerBound..<range.upperBound
        } else {
            append(range)
        }
    }
}

extension UnsafeMutableRawBufferPointer {
    func zero() { initializeMemory(as: UInt8.self, repeating: 0) }
}
