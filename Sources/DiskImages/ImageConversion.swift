public import Files
import Synchronization

/// Called from any worker with bytes done and bytes in all; false asks to stop.
public typealias ImageProgress = @Sendable (_ done: Int64, _ total: Int64) -> Bool

/// Copies a disk, whatever it is kept in, into a new image file. A chain is flattened by that.
///
/// The file appears under its name when it is whole and on the medium, not before. Holes cost nothing, and zeros are not stored
/// where the format need not. Memory: `chunk` bytes a worker, and what a GiB's list of allocated ranges takes.
public struct ImageConversion: Sendable {
    /// Bytes a worker reads at a time.
    static let chunk: Int64 = 1 << 20

    public var source: any BlockDevice
    public var image: NewImage
    public var target: String
    /// Whether a file of that name is replaced, at once and only when the new one is whole.
    public var replaces = false
    public var workers = Workers.count(limit: 4)

    /// `image.size` may be larger than the source: zeros follow then.
    public init(_ source: any BlockDevice, to target: String, as image: NewImage) {
        (self.source, self.target, self.image) = (source, target, image)
    }

    /// Returns when the new image is durable. `created` is seconds since 2000-01-01 UTC, as a VHD notes it.
    ///
    /// Faults: `IMAGE-EXISTS`, `IMAGE-TARGET` (the source itself), `IMAGE-SIZE`, `IMAGE-SPACE` (before anything is written),
    /// `IMAGE-STOPPED`, and those of source and format; nothing is left of the new file then. O(allocated bytes).
    public func run(
        on files: any FileSystem, guids: any GUIDSource, created: UInt32, progress: ImageProgress? = nil
    ) throws(StorageFault) {
        try check()
        try NewImageFile.check(target, on: files, replacing: replaces)
        let unit = Int64(max(image.sectorSize, 4096))
        let chunks = AllocatedChunks(of: [source], below: source.size, length: Self.chunk, unit: unit)
        let total = try chunks.total()
        try checkSpace(total, on: files)
        let new = try NewImageFile(
            image, at: target, on: files, guids: guids, created: created, replacing: replaces)
        do throws(StorageFault) {
            try copy(chunks, total, to: new.writer, progress)
        } catch {
            new.abandon()
            throw error
        }
        try new.finish()
    }

    private func check() throws(StorageFault) {
        guard image.size >= source.size else {
            throw StorageFault(
                .badInput, "IMAGE-SIZE", target,
                "a disk of \(image.size) bytes does not hold \(source.name), which has \(source.size)",
                action: "Ask for at least that size; a disk is made smaller by resize")
        }
        let own = (source as? DiskImage)?.layers.map { FilePath.normal($0.path) } ?? []
        guard !own.contains(FilePath.normal(target)) else {
            throw StorageFault(
                .badInput, "IMAGE-TARGET", target, "it is the source itself or a parent of it",
                action: "Choose another name")
        }
    }

    private func checkSpace(_ allocated: Int64, on files: any FileSystem) throws(StorageFault) {
        let needed = image.kind == .fixed && image.format != .raw ? image.size : allocated
        let free = try files.space(at: FilePath.folder(target)).free
        guard needed <= free else {
            throw StorageFault(
                .outOfSpace, "IMAGE-SPACE", target, "it may need \(needed) bytes, but only \(free) are free",
                action: "Free space on its volume, or choose another")
        }
    }

    private func copy(
        _ chunks: AllocatedChunks, _ total: Int64, to writer: any ImageWriter, _ progress: ImageProgress?
    ) throws(StorageFault) {
        let feed = ChunkFeed(chunks, total, progress, name: target)
        let (source, sector) = (source, image.sectorSize)
        try Workers.run(workers) { (_, halt) throws(StorageFault) in
            let buffer = Buffer(count: Int(Self.chunk))
            while !halt.isRaised, let chunk = try feed.next() {
                let part = buffer[0..<chunk.count]
                try source.read(into: part, at: chunk.lowerBound)
                // A source of small sectors may end inside one of the target's.
                let whole = buffer[0..<(chunk.count + sector - 1) / sector * sector]
                UnsafeMutableRawBufferPointer(rebasing: whole[chunk.count...]).zero()
                try writer.write(UnsafeRawBufferPointer(whole), at: chunk.lowerBound)
                try feed.done(chunk)
            }
        }
    }
}

/// Hands chunks to workers in order, and counts what is done.
final class ChunkFeed: Sendable {
    private struct State {
        var chunks: AllocatedChunks
        var done: Int64 = 0
    }
    private let state: Mutex<State>
    private let total: Int64
    private let progress: ImageProgress?
    private let name: String

    init(_ chunks: AllocatedChunks, _ total: Int64, _ progress: ImageProgress?, name: String) {
        state = Mutex(State(chunks: chunks))
        (self.total, self.progress, self.name) = (total, progress, name)
    }

    func next() throws(StorageFault) -> Range<Int64>? {
        try state.withLock { (state) throws(StorageFault) in try state.chunks.next() }
    }

    func done(_ chunk: Range<Int64>) throws(StorageFault) {
        guard let progress else { return }
        let goesOn = state.withLock { state in
            state.done += chunk.upperBound - chunk.lowerBound
            return progress(state.done, total)
        }
        guard goesOn else { throw .stopped(name) }
    }
}

extension StorageFault {
    static func stopped(_ name: String) -> StorageFault {
        StorageFault(.busy, "IMAGE-STOPPED", name, "it was stopped as asked", action: "Start it again")
    }
}
