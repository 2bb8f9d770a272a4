public import Files
import Synchronization

extension VHD {
    /// Begins a VHD; only `finish` writes the footers, without which nobody takes the file for one.
    ///
    /// `created` are seconds since 2000-01-01 UTC. A VHD has no identity of the disk apart from its own, so `diskID` is not kept.
    /// Faults: `VHD-SECTOR` unless sectors have 512 bytes, `VHD-SIZE` above 2040 GiB, `VHD-BLOCK`, `VHD-TABLE` for so many blocks
    /// that nobody reads the table, `VHD-PARENT`.
    public static func create(
        _ image: NewImage, file: any StoreFile, guids: any GUIDSource, created: UInt32
    ) throws(StorageFault) -> VHDWriter {
        func refuse(_ id: String, _ cause: String, _ action: String) -> StorageFault {
            StorageFault(.badInput, id, file.path, cause, action: action)
        }
        guard image.sectorSize == sector else {
            throw refuse("VHD-SECTOR", "a VHD has sectors of 512 bytes, not \(image.sectorSize)", "Make a VHDX")
        }
        try check(size: image.size, path: file.path)
        let blockSize = image.blockSize ?? 2 << 20
        guard blockSize >= 4096, blockSize <= largestBlock, blockSize & (blockSize - 1) == 0 else {
            throw refuse(
                "VHD-BLOCK", "blocks of \(blockSize) bytes are not a power of two from 4 KiB to 256 MiB",
                "Choose 2 MiB, which every program reads")
        }
        guard (image.size + blockSize - 1) / blockSize <= mostBlocks else {
            throw refuse("VHD-TABLE", "blocks of \(blockSize) bytes make too many of them", "Choose larger blocks")
        }
        let kind: VHDKind
        var parent: VHDParent?
        switch image.kind {
        case .fixed: kind = .fixed
        case .dynamic: kind = .dynamic
        case .differencing(let reference):
            kind = .differencing
            parent = try VHDParent(reference, childPath: file.path)
        }
        let footer = VHDFooter(kind: kind, size: image.size, uuid: guids.next(), created: created)
        return try VHDWriter(
            file: file, footer: footer, kind: kind, size: image.size, blockSize: blockSize, parent: parent)
    }

    /// The block table's entry for a block at a byte of the file.
    static func entry(_ offset: Int64, path: String) throws(StorageFault) -> UInt32 {
        guard let entry = UInt32(exactly: offset / 512), entry != absent else {
            throw StorageFault(
                .outOfSpace, "VHD-FULL", path, "its block table cannot say where another block lies",
                action: "Convert the disk to a VHDX, or choose larger blocks")
        }
        return entry
    }

    static func check(size: Int64, path: String) throws(StorageFault) {
        guard size > 0, size % 512 == 0, size <= largest else {
            throw StorageFault(
                .badInput, "VHD-SIZE", path, "\(size) bytes are not whole sectors, or more than the 2040 GiB of a VHD",
                action: "Choose another size, or make a VHDX")
        }
    }
}

/// Writes a new VHD. Blocks lie in the order in which they were first written, their data on pages of 4 KiB. Memory: 4 bytes a block, and
/// at most 4 MiB of bitmaps.
public final class VHDWriter: ImageWriter {
    private struct State {
        var table: [UInt32] = []
        var bitmaps: VHDBitmaps
        var end: Int64
    }

    private let file: any StoreFile
    private let footer: VHDFooter
    private let header: VHDHeader?
    private let kind: VHDKind
    private let size: Int64
    private let blockSize: Int64
    private let bitmapSize: Int64
    private let state: Mutex<State>

    init(
        file: any StoreFile, footer: VHDFooter, kind: VHDKind, size: Int64, blockSize: Int64, parent: VHDParent?
    ) throws(StorageFault) {
        (self.file, self.footer, self.kind, self.size) = (file, footer, kind, size)
        (self.blockSize, bitmapSize) = (blockSize, VHD.bitmapSize(blockSize: blockSize))
        try file.truncate(to: 0)
        guard kind != .fixed else {
            try file.reserveIfPossible(0..<size + Int64(VHD.footerSize))
            try file.truncate(to: size)
            header = nil
            state = Mutex(State(bitmaps: VHDBitmaps(size: 0), end: size))
            return
        }
        let blocks = Int((size + blockSize - 1) / blockSize)
        let tableOffset = Int64(VHD.footerSize + VHD.headerSize)
        var header = VHDHeader(tableOffset: tableOffset, blocks: UInt32(blocks), blockSize: UInt32(blockSize))
        var end = (tableOffset + Int64(blocks) * 4).roundedUp(to: 512).value
        if let parent {
            let paths = header.setParent(parent, pathsAt: end)
            try file.write(paths, at: end)
            end += Int64(paths.count)
        }
        self.header = header
        state = Mutex(
            State(
                table: [UInt32](repeating: VHD.absent, count: blocks), bitmaps: VHDBitmaps(size: Int(bitmapSize)),
                end: end))
    }

    /// Zeros are not stored, but where a parent lies under them they are written down as zeros.
    public func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(StorageFault) {
        try NewDisk(path: file.path, size: size, sectorSize: VHD.sector).check(offset, bytes.count)
        if kind == .fixed { return try file.writeSparse(bytes, at: offset) }
        var done = 0
        while done < bytes.count {
            let place = offset + Int64(done)
            let block = Int(place / blockSize)
            let inBlock = place % blockSize
            let count = Int(min(Int64(bytes.count - done), blockSize - inBlock))
            let piece = UnsafeRawBufferPointer(rebasing: bytes[done..<done + count])
            done += count
            if kind == .dynamic, piece.isZero { continue }
            let sectors = Int(inBlock / 512)..<Int(inBlock / 512) + count / 512
            let data = try state.withLock { (state) throws(StorageFault) in
                try claim(sectors, of: block, &state)
            }
            try file.writeSparse(piece, at: data + inBlock)
        }
    }

    /// The block's data offset, its place made if need be and its sectors marked as here.
    private func claim(_ sectors: Range<Int>, of block: Int, _ state: inout State) throws(StorageFault) -> Int64 {
        if state.table[block] == VHD.absent {
            let data = (state.end + bitmapSize).roundedUp(to: 4096).value
            state.table[block] = try VHD.entry(data - bitmapSize, path: file.path)
            state.end = data + blockSize
            let size = Int(bitmapSize)
            state.bitmaps.put(
                kind == .dynamic ? VHDBits(full: size) : VHDBits(empty: size), of: block, changed: true)
        }
        let bitmap = Int64(state.table[block]) * 512
        if kind == .differencing {
            var bits = try state.bitmaps.bits(of: block, at: bitmap, file)
            bits.set(sectors, true)
            state.bitmaps.put(bits, of: block, changed: true)
        }
        if state.bitmaps.isCrowded { try writeBitmaps(&state) }
        return bitmap + bitmapSize
    }

    private func writeBitmaps(_ state: inout State) throws(StorageFault) {
        for (block, bits) in state.bitmaps.takeDirty() {
            try file.write(bits.stored, at: Int64(state.table[block]) * 512)
        }
        state.bitmaps.written()
    }

    public func finish() throws(StorageFault) {
        try state.withLock { (state) throws(StorageFault) in
            try writeBitmaps(&state)
            if let header {
                try file.write(header.bytes, at: Int64(VHD.footerSize))
                var table = VHD.tableBytes(state.table)
                table += [UInt8](repeating: 0xFF, count: (512 - table.count % 512) % 512)
                try file.write(table, at: Int64(header.tableOffset))
                try file.truncate(to: state.end)
            }
            try file.flush()
            try file.write(footer.bytes, at: state.end)
            if header != nil { try file.write(footer.bytes, at: 0) }
            try file.flush()
        }
    }

    /// Empties the file and closes it; its name is the caller's, who gave the open file.
    public func abandon() {
        try? file.truncate(to: 0)
        file.close()
    }
}
