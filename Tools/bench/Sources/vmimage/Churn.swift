import Glibc

/// A range of an image, in blocks.
struct BlockRange: Equatable {
    var start: UInt64
    var count: UInt64
    var end: UInt64 { start + count }
}

/// One bit a block; pages that are never written cost nothing.
final class BlockSet: @unchecked Sendable {
    private let words: UnsafeMutablePointer<UInt64>
    let size: UInt64
    private(set) var count: UInt64 = 0

    init(size: UInt64) {
        self.size = size
        guard let memory = calloc(Int(size / 64 + 1), 8) else { stop("there is no memory for a set of \(size) blocks") }
        words = memory.bindMemory(to: UInt64.self, capacity: Int(size / 64 + 1))
    }
    deinit { free(words) }

    func contains(_ block: UInt64) -> Bool { words[Int(block / 64)] & (1 << (block % 64)) != 0 }

    func insert(_ block: UInt64) {
        if !contains(block) { count += 1 }
        words[Int(block / 64)] |= 1 << (block % 64)
    }

    /// The blocks as sorted runs.
    func runs() -> [BlockRange] {
        var result: [BlockRange] = []
        for word in 0..<(size / 64 + 1) where words[Int(word)] != 0 {
            for bit in 0..<UInt64(64) where words[Int(word)] & (1 << bit) != 0 {
                let block = word * 64 + bit
                if let last = result.last, last.end == block {
                    result[result.count - 1].count += 1
                } else {
                    result.append(BlockRange(start: block, count: 1))
                }
            }
        }
        return result
    }
}

/// What changes in an image on one day: writes of 4 to 64 KiB.
struct Churn {
    enum Pattern: String, CaseIterable {
        /// Three quarters in places of 1 to 8 MiB, a fifth anywhere in the allocated space, the rest growth into gaps.
        case mixed
        /// All in places of 1 to 8 MiB.
        case clustered
        /// All anywhere in the allocated space.
        case random

        /// Hundredths of the writes: in clusters; and in clusters or anywhere. What is left is growth.
        var shares: (clustered: UInt64, inPlace: UInt64) {
            switch self {
            case .mixed: (75, 95)
            case .clustered: (100, 100)
            case .random: (0, 100)
            }
        }
    }

    let layout: Layout
    let day: UInt64
    let changed: BlockSet
    private(set) var writes: UInt64 = 0

    /// `percent` of the allocated blocks change; at most 50.
    init(layout: Layout, day: UInt64, percent: Double, pattern: Pattern) {
        self.layout = layout
        self.day = day
        changed = BlockSet(size: layout.size)
        let target = UInt64(Double(layout.allocated) * percent / 100)
        let limit = 1000 + 100 * target
        var numbers = Numbers(mixed(mixed(layout.seed, 500 + day), layout.machine))
        let shares = pattern.shares
        // So many places that writes into them fill about half.
        let clusters = (0..<max(4, target * shares.clustered / 100 / 460 + 1)).map { _ in
            BlockRange(start: numbers.below(layout.allocated), count: numbers.logUniform(8, 11))
        }
        var growing = layout.extents[0]
        var grown: UInt64 = 64
        while changed.count < target {
            precondition(writes < limit, "\(percent) % of the image do not fit into its clusters")
            writes += 1
            var count = min(numbers.logUniform(0, 5), 16)
            let kind = numbers.below(100)
            let start: UInt64
            if kind < shares.inPlace {
                var index = numbers.below(layout.allocated)
                if kind < shares.clustered {
                    let cluster = clusters[Int(numbers.below(UInt64(clusters.count)))]
                    index = (cluster.start + numbers.below(cluster.count)) % layout.allocated
                }
                let extent = layout.extent(holding: index)
                start = extent.start + (index - extent.before)
                count = min(count, extent.end - start)
            } else {
                // A file that is appended to: 256 KiB behind an extent, in four writes.
                if grown >= 64 {
                    growing = layout.extents[Int(numbers.below(UInt64(layout.extents.count)))]
                    grown = 0
                }
                start = growing.end + grown
                count = 16
                grown += 16
                if start + count > layout.size { continue }
            }
            for block in start..<(start + count) { changed.insert(block) }
        }
    }

    /// Half text, half noise, in turns by 64 KiB; the same however often a block was written that day.
    func content(of block: UInt64) -> BlockContent {
        let stream = mixed(layout.seed, 900 + 1_000_000 * layout.machine + day)
        return BlockContent(
            kind: mixed(stream, block / 16 + 1 << 40) & 1 == 0 ? .noise : .text, id: mixed(stream, block))
    }

    /// Bytes of the blocks of `size` bytes that changed in part or whole.
    func touched(size: UInt64) -> UInt64 {
        let unit = size / UInt64(blockSize)
        var last: UInt64?
        var count: UInt64 = 0
        for run in changed.runs() {
            let from = run.start / unit
            let to = (run.end - 1) / unit
            count += to - from + (last == from ? 0 : 1)
            last = to
        }
        return count * size
    }
}
