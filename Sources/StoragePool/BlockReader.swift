import Files
import Synchronization

/// Gives stored blocks back, each verified. For one thread at a time, which is what makes it `Sendable`: it is lent under a lock.
final class BlockReader: @unchecked Sendable {
    /// Neighbouring blocks are read together up to this many bytes.
    private static let together = 1 << 20

    private let segments: Segments
    private let block: Int
    private let decompressor = Decompressor()
    private let stage: Buffer

    init(segments: Segments, block: Int) {
        (self.segments, self.block) = (segments, block)
        stage = Buffer(count: max(Self.together, 2 * block))
    }

    /// Fills `target`, a whole number of blocks, with the blocks of `entries`. Throws `POOL-DAMAGED` at the first block that is not what
    /// was stored; the caller says of which disk it is.
    func read(_ entries: [BlockEntry], into target: UnsafeMutableRawBufferPointer) throws(BadBlock) {
        precondition(target.count == entries.count * block)
        try checkLengths(entries)
        var index = 0
        while index < entries.count {
            let entry = entries[index]
            if entry.location.isNone {
                slice(target, index, 1).initializeMemory(as: UInt8.self, repeating: 0)
                index += 1
                continue
            }
            var end = index + 1
            var span = entry.location.span
            while end < entries.count, follows(entries[end].location, entries[end - 1].location),
                span + entries[end].location.span <= Int64(stage.bytes.count)
            {
                span += entries[end].location.span
                end += 1
            }
            if entry.location.isCompressed {
                try unpack(entries, index..<end, span, into: target)
            } else {
                try copy(entries, index..<end, into: target)
            }
            index = end
        }
    }

    /// Whether what is stored for `entry` is what was stored, without decompressing it. Reads into memory of its own.
    func verify(_ entries: [BlockEntry]) throws(BadBlock) {
        try checkLengths(entries)
        var index = 0
        while index < entries.count {
            var end = index + 1
            var span = entries[index].location.span
            while end < entries.count, follows(entries[end].location, entries[end - 1].location),
                span + entries[end].location.span <= Int64(stage.bytes.count)
            {
                span += entries[end].location.span
                end += 1
            }
            let start = entries[index].location.offset
            let last = entries[end - 1].location
            try fetch(entries[index].location, stage[0..<Int(last.offset + last.span - start)], index)
            for place in index..<end where !isSound(entries[place], at: start) {
                throw BadBlock(index: place, fault: nil)
            }
            index = end
        }
    }

    /// A length no block can have would reach beyond the memory set aside for it.
    private func checkLengths(_ entries: [BlockEntry]) throws(BadBlock) {
        for (index, entry) in entries.enumerated()
        where entry.location.length > block || entry.location.unknownFlags != 0 {
            throw BadBlock(index: index, fault: nil)
        }
    }

    private func isSound(_ entry: BlockEntry, at start: Int64) -> Bool {
        let from = Int(entry.location.offset - start)
        let bytes = UnsafeRawBufferPointer(stage[from..<from + Int(entry.location.span)])
        return entry.location.isCompressed
            ? CRC32C.of(bytes) == entry.storedSum : bytes.count == block && XXH3.of(bytes) == entry.contentSum
    }

    private func follows(_ next: Location, _ last: Location) -> Bool {
        !next.isNone && next.segment == last.segment && next.isCompressed == last.isCompressed
            && next.offset == last.offset + last.span
    }

    private func slice(_ target: UnsafeMutableRawBufferPointer, _ index: Int, _ count: Int)
        -> UnsafeMutableRawBufferPointer
    {
        UnsafeMutableRawBufferPointer(rebasing: target[index * block..<(index + count) * block])
    }

    private func copy(
        _ entries: [BlockEntry], _ run: Range<Int>, into target: UnsafeMutableRawBufferPointer
    ) throws(BadBlock) {
        guard entries[run].allSatisfy({ $0.location.length == block }) else {
            throw BadBlock(index: run.lowerBound, fault: nil)
        }
        try fetch(entries[run.lowerBound].location, slice(target, run.lowerBound, run.count), run.lowerBound)
        for index in run where XXH3.of(UnsafeRawBufferPointer(slice(target, index, 1))) != entries[index].contentSum {
            throw BadBlock(index: index, fault: nil)
        }
    }

    private func unpack(
        _ entries: [BlockEntry], _ run: Range<Int>, _ span: Int64, into target: UnsafeMutableRawBufferPointer
    ) throws(BadBlock) {
        let start = entries[run.lowerBound].location.offset
        let last = entries[run.upperBound - 1].location
        try fetch(
            entries[run.lowerBound].location, stage[0..<Int(last.offset + last.span - start)], run.lowerBound)
        for index in run {
            let location = entries[index].location
            let from = Int(location.offset - start)
            let whole = UnsafeRawBufferPointer(stage[from..<from + Int(location.span)])
            let bytes = UnsafeRawBufferPointer(rebasing: whole[..<location.length])
            let place = slice(target, index, 1)
            guard CRC32C.of(whole) == entries[index].storedSum, decompressor.decompress(bytes, into: place),
                XXH3.of(UnsafeRawBufferPointer(place)) == entries[index].contentSum
            else { throw BadBlock(index: index, fault: nil) }
        }
    }

    private func fetch(
        _ location: Location, _ target: UnsafeMutableRawBufferPointer, _ index: Int
    ) throws(BadBlock) {
        do throws(StorageFault) {
            let read = try segments.file(location.segment).read(into: target, at: location.offset)
            // A file that ends early lost blocks: as damaged as one whose bytes differ.
            if read < target.count {
                UnsafeMutableRawBufferPointer(rebasing: target[read...]).initializeMemory(as: UInt8.self, repeating: 0)
            }
        } catch {
            throw BadBlock(index: index, fault: error)
        }
    }
}

/// A stored block that could not be given back.
struct BadBlock: Error {
    /// In the entries asked for.
    var index: Int
    /// Why it could not be read; nil if it was read and is not what was stored.
    var fault: StorageFault?
}
