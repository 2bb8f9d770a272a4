/// What a run of blocks holds when the image is new.
enum ContentClass: Int, CaseIterable {
    case noise, text
    /// The same at the same place in every machine, as in clones of one template.
    case shared
    /// The same in every machine, but elsewhere in each, by a multiple of 4 KiB.
    case shifted

    /// Hundredths of the allocated blocks.
    var share: UInt64 {
        switch self {
        case .noise, .text: 40
        case .shared, .shifted: 10
        }
    }
}

/// A run of allocated blocks.
struct Extent {
    let start: UInt64
    let count: UInt64
    let content: ContentClass
    /// Where it begins in the stream of shifted blocks; nothing for the other classes.
    let stream: UInt64
    /// Allocated blocks before it.
    let before: UInt64
    var end: UInt64 { start + count }
}

/// Where an image has data and what. Layout is the same for all machines of a seed, content differs by machine.
struct Layout {
    let seed: UInt64
    let machine: UInt64
    /// In blocks.
    let size: UInt64
    let allocated: UInt64
    let extents: [Extent]
    private let shiftedBlocks: UInt64

    /// Runs of 4 KiB to 16 MiB, with gaps between that use up `size`. Sizes in blocks, `allocated` at least 1.
    init(seed: UInt64, machine: UInt64, size: UInt64, allocated: UInt64) {
        self.seed = seed
        self.machine = machine
        self.size = size
        self.allocated = allocated
        var numbers = Numbers(mixed(seed, 1))
        var extents: [Extent] = []
        var place: UInt64 = 0
        var done: UInt64 = 0
        var byClass = [UInt64](repeating: 0, count: ContentClass.allCases.count)
        let gapsPerBlock = Double(size - allocated) / Double(allocated)
        while done < allocated {
            let count = min(numbers.logUniform(0, 12), allocated - done)
            // The class furthest behind its share, so that small images have the shares of large ones.
            let content = ContentClass.allCases.max {
                Int64($0.share * (done + count)) - Int64(100 * byClass[$0.rawValue])
                    < Int64($1.share * (done + count)) - Int64(100 * byClass[$1.rawValue])
            }!
            extents.append(
                Extent(
                    start: place, count: count, content: content,
                    stream: content == .shifted ? byClass[content.rawValue] : 0, before: done))
            byClass[content.rawValue] += count
            done += count
            place += count
            let gap = 1 + UInt64(Double(numbers.below(1 << 20)) * 0x1p-19 * gapsPerBlock * Double(count))
            // What is left must fit, without gaps if need be.
            if place + gap + (allocated - done) <= size { place += gap }
        }
        self.extents = extents
        shiftedBlocks = max(1, byClass[ContentClass.shifted.rawValue])
    }

    func blocks(of content: ContentClass) -> UInt64 {
        extents.reduce(0) { $0 + ($1.content == content ? $1.count : 0) }
    }

    /// The extent that holds the n-th allocated block.
    func extent(holding index: UInt64) -> Extent { extents[lastExtent { $0.before <= index }] }

    /// The extent over a block of the image; nil in a gap.
    func extent(over block: UInt64) -> Extent? {
        guard let first = extents.first, first.start <= block else { return nil }
        let found = extents[lastExtent { $0.start <= block }]
        return block < found.end ? found : nil
    }

    /// The last extent for which `holds` is true, which it is for the first ones up to some place.
    private func lastExtent(where holds: (Extent) -> Bool) -> Int {
        var low = 0
        var high = extents.count
        while high - low > 1 {
            let middle = (low + high) / 2
            if holds(extents[middle]) { low = middle } else { high = middle }
        }
        return low
    }

    func content(of block: UInt64, in extent: Extent) -> BlockContent {
        switch extent.content {
        case .noise: BlockContent(kind: .noise, id: mixed(mixed(seed, 100 + machine), block))
        case .text: BlockContent(kind: .text, id: mixed(mixed(seed, 100 + machine), block))
        case .shared:
            BlockContent(kind: extent.start & 1 == 0 ? .noise : .text, id: mixed(mixed(seed, 7), block))
        case .shifted: shiftedContent((extent.stream + (block - extent.start) + machine * 7919) % shiftedBlocks)
        }
    }

    /// Text and noise in turns of 1 MiB of the stream.
    private func shiftedContent(_ index: UInt64) -> BlockContent {
        BlockContent(kind: (index >> 8) & 1 == 0 ? .noise : .text, id: mixed(mixed(seed, 8), index))
    }
}
