import Glibc

private let pieceSize = 1 << 20

extension BlockRange {
    var bytes: ByteRange { ByteRange(offset: Int(start) * blockSize, end: Int(end) * blockSize) }
}

/// Writes images and their changes, and compares an image with what it should be.
struct Generator {
    let layout: Layout
    let threads: Int
    private let maker = ContentMaker()

    init(layout: Layout, threads: Int) {
        self.layout = layout
        self.threads = threads
    }

    /// A new image, sparse.
    func create(_ path: String) {
        let file = ImageFile(path, O_RDWR | O_CREAT | O_TRUNC)
        file.resize(Int(layout.size) * blockSize)
        let layout = layout
        write(layout.extents.map { BlockRange(start: $0.start, count: $0.count) }, to: file) { range in
            let extent = layout.extent(over: range.start)!
            return { layout.content(of: $0, in: extent) }
        }
        file.close()
    }

    /// One day's changes, in place.
    func apply(_ churn: Churn, to path: String) {
        let file = ImageFile(path, O_RDWR)
        if file.size != Int(layout.size) * blockSize { stop("\(path) is not of the size given") }
        write(churn.changed.runs(), to: file) { _ in { churn.content(of: $0) } }
        file.close()
    }

    /// Writes `runs`; `content` gives, for a piece of one run, what each of its blocks holds.
    private func write(
        _ runs: [BlockRange], to file: ImageFile,
        _ content: @escaping @Sendable (BlockRange) -> (UInt64) -> BlockContent
    ) {
        let all = pieces(runs.map(\.bytes), pieceSize)
        let maker = maker
        share(all.count, threads: threads) {
            let buffer = pages(pieceSize + 2 * blockSize)
            return { index in
                let piece = all[index]
                let range = BlockRange(
                    start: UInt64(piece.offset / blockSize), count: UInt64(piece.count / blockSize))
                let contents = content(range)
                for block in 0..<Int(range.count) {
                    maker.fill(buffer + block * blockSize, with: contents(range.start + UInt64(block)))
                }
                file.write(buffer, piece.count, at: piece.offset)
            }
        }
    }

    /// The first offset at which the image is not what it should be after these days (the later of which count more),
    /// to the block; nil if there is none. Blocks that were never written must read as zeros.
    func firstDifference(_ path: String, after days: [Churn]) -> Int? {
        let file = ImageFile(path)
        guard file.size == Int(layout.size) * blockSize else { return min(file.size, Int(layout.size) * blockSize) }
        var ranges = union(layout.extents.map { BlockRange(start: $0.start, count: $0.count).bytes }, file.dataRanges())
        for day in days { ranges = union(ranges, day.changed.runs().map(\.bytes)) }
        let all = pieces(ranges, pieceSize)
        let found = FirstOffset(nil)
        let maker = maker
        let layout = layout
        share(all.count, threads: threads) {
            let buffer = pages(pieceSize)
            let expected = pages(blockSize + ContentMaker.slack)
            return { index in
                let piece = all[index]
                if found.isBefore(piece.offset) { return }
                file.read(buffer, piece.count, at: piece.offset)
                for place in stride(from: 0, to: piece.count, by: blockSize) {
                    let block = UInt64((piece.offset + place) / blockSize)
                    let content =
                        days.last { $0.changed.contains(block) }?.content(of: block)
                        ?? layout.extent(over: block).map { layout.content(of: block, in: $0) } ?? .zeros
                    maker.fill(expected, with: content)
                    if memcmp(buffer + place, expected, min(blockSize, piece.count - place)) != 0 {
                        found.report(piece.offset + place)
                        return
                    }
                }
            }
        }
        file.close()
        return found.offset
    }
}
