public import Files
import Synchronization

/// A VHD file, version 1: fixed, dynamic or differencing (disk-formats.md 1.1).
///
/// Nothing read from the file is believed before it is checked. Memory is 4 bytes for each block of the disk (64 MiB at most, else
/// `VHD-TABLE`) and at most 4 MiB of sector bitmaps. Opened for reading, the file is never changed.
public final class VHDLayer: ImageLayer {
    struct State {
        var footer: VHDFooter
        var size: Int64
        var header: VHDHeader?
        /// The first sector of each block of the disk, `VHD.absent` for none.
        var table: [UInt32]
        var bitmaps: VHDBitmaps
        var parent: ParentReference?
        /// Where the footer at the end is, or ought to be: new blocks begin here.
        var end: Int64
        /// Whether the footers are as they must be before anything else changes.
        var footersGood: Bool
        /// Whether this session has a `uuid` of its own, so that children of what was here before are cut off.
        var changed = false
        /// Sectors of the block table that the file lacks.
        var dirtyTable: Set<Int> = []
        /// What made the file's state uncertain; nothing is written after it.
        var failure: StorageFault?
    }

    let file: any StoreFile
    let writable: Bool
    let guids: any GUIDSource
    let kind: VHDKind
    /// Of a payload block, bytes; the whole disk in a fixed VHD.
    public let blockSize: Int64
    let bitmapSize: Int64
    let headerOffset: Int64
    /// Who made the file, four characters: `win `, `vpc `, `qem2`.
    public let creator: String
    /// What is wrong with the file and could be put up with, for the operator.
    public let complaints: [String]
    let state: Mutex<State>
    /// One flush at a time; taken before `state`.
    let flushing = Mutex<Void>(())

    /// Faults: `VHD-FOOTER` (no VHD), `VHD-CHECKSUM` (says which, unless `trustingBadChecksums`), `VHD-VERSION`, `VHD-KIND`, `VHD-SIZE`,
    /// `VHD-HEADER`, `VHD-BLOCK`, `VHD-TABLE`, `VHD-SHORT`; for writing also `VHD-OVERLAP`.
    public init(
        file: any StoreFile, writable: Bool, guids: any GUIDSource, trustingBadChecksums: Bool = false
    ) throws(StorageFault) {
        let opened = try VHDOpening(file: file, trusting: trustingBadChecksums)
        if writable { try opened.checkForWriting() }
        (self.file, self.writable, self.guids) = (file, writable, guids)
        (kind, blockSize, bitmapSize) = (opened.kind, opened.blockSize, opened.bitmapSize)
        (headerOffset, creator, complaints) = (opened.headerOffset, opened.footer.creator, opened.complaints)
        state = Mutex(
            State(
                footer: opened.footer, size: opened.size, header: opened.header, table: opened.table,
                bitmaps: VHDBitmaps(size: Int(opened.bitmapSize)), parent: opened.parent, end: opened.end,
                footersGood: opened.footersGood))
    }

    public var path: String { file.path }
    public var format: ImageFormat { .vhd }
    public var sectorSize: Int { VHD.sector }
    public var size: Int64 { state.withLock { $0.size } }
    /// The footer's identifier, as other tools print it. It changes before the first change of the disk in a session.
    public var uuid: GUID { state.withLock { $0.footer.uuid } }
    public var linkage: GUID? { uuid }
    public var parent: ParentReference? { state.withLock { $0.parent } }
    public var isFixed: Bool { kind == .fixed }

    /// O(blocks and bitmap bytes of `range`). `VHD-TABLE` where a block lies outside the file.
    public func runs(in range: Range<Int64>) throws(StorageFault) -> [LayerRun] {
        try checkInside(range, of: size)
        if kind == .fixed { return range.isEmpty ? [] : [LayerRun(range, .here(range.lowerBound))] }
        let missing: LayerRun.Place = kind == .differencing ? .parent : .zero
        var runs: [LayerRun] = []
        var offset = range.lowerBound
        while offset < range.upperBound {
            let block = Int(offset / blockSize)
            let start = Int64(block) * blockSize
            let end = min(range.upperBound, start + blockSize)
            try state.withLock { (state) throws(StorageFault) in
                guard state.table[block] != VHD.absent else {
                    runs.extend(offset..<end, missing)
                    return
                }
                let data = try dataOffset(of: block, state)
                let bits = try state.bitmaps.bits(of: block, at: data - bitmapSize, file)
                bits.scan(
                    from: Int((offset - start) / 512), to: Int((end - start + 511) / 512)
                ) { first, last, present in
                    let part = max(offset, start + Int64(first) * 512)..<min(end, start + Int64(last) * 512)
                    runs.extend(part, present ? .here(data + part.lowerBound - start) : missing)
                }
            }
            offset = end
        }
        return runs
    }

    public func read(into buffer: UnsafeMutableRawBufferPointer, of run: LayerRun) throws(StorageFault) {
        guard case .here(let offset) = run.place else { throw notHere(run) }
        try file.readFully(into: buffer, at: offset)
    }

    /// Where the data of a block that is here begin in the file.
    func dataOffset(of block: Int, _ state: borrowing State) throws(StorageFault) -> Int64 {
        let position = Int64(state.table[block]) * 512
        // The footer's own place is no limit: it may be missing, or the last block cut where the disk ends.
        let needed = min(blockSize, state.size - Int64(block) * blockSize)
        guard position >= 512, position + bitmapSize + needed <= (try file.size()) else {
            throw StorageFault(
                .damaged, "VHD-TABLE", path,
                "block \(block) is said to lie at byte \(position), where the file has no room for it",
                action: "Restore the file from a copy; dump shows its structures")
        }
        return position + bitmapSize
    }
}

extension [LayerRun] {
    /// Appends a run, or lengthens the last one if it goes on in the same place.
    mutating func extend(_ range: Range<Int64>, _ place: LayerRun.Place) {
        guard !range.isEmpty else { return }
        if let last, last.range.upperBound == range.lowerBound {
            let same =
                switch (last.place, place) {
                case (.here(let from), .here(let next)): from + Int64(last.range.count) == next
                case (.zero, .zero), (.parent, .parent): true
                default: false
                }
            if same {
                self[count - 1].range = last.range.lowerBound..<range.upperBound
                return
            }
        }
        append(LayerRun(range, place))
    }
}
