import Glibc

private let pieceSize = 1 << 20

/// The least that anybody has to do, to hold the pool against.
enum Floors {
    /// Lines of "offset length", in bytes, as `churn --ranges` writes them.
    static func ranges(in path: String) -> [ByteRange] {
        guard let file = fopen(path, "r") else {
            stop("\(path) could not be opened: \(String(cString: strerror(errno)))")
        }
        defer { fclose(file) }
        var result: [ByteRange] = []
        var line: UnsafeMutablePointer<CChar>?
        var room = 0
        while getline(&line, &room, file) > 0, let text = line {
            var rest: UnsafeMutablePointer<CChar>? = text
            let offset = strtol(text, &rest, 10)
            result.append(ByteRange(offset: offset, end: offset + strtol(rest!, nil, 10)))
        }
        free(line)
        return result
    }

    /// Copies the ranges in place. Bytes copied.
    static func rangeCopy(_ source: String, _ target: String, ranges path: String, sync: Bool) -> Int {
        let from = ImageFile(source)
        let to = ImageFile(target, O_RDWR)
        let buffer = pages(pieceSize)
        var copied = 0
        for range in ranges(in: path) {
            var place = range.offset
            while place < range.end {
                let count = min(pieceSize, range.end - place)
                from.read(buffer, count, at: place)
                to.write(buffer, count, at: place)
                place += count
                copied += count
            }
        }
        if sync { to.flush() }
        return copied
    }

    /// Reads what is not a hole. Bytes read.
    static func read(_ path: String, threads: Int) -> Int {
        let file = ImageFile(path)
        let ranges = file.dataRanges()
        let all = pieces(ranges, pieceSize)
        share(all.count, threads: threads) {
            let buffer = pages(pieceSize)
            return { file.read(buffer, all[$0].count, at: all[$0].offset) }
        }
        file.close()
        return ranges.reduce(0) { $0 + $1.count }
    }

    /// The first piece (to 1 MiB) in which two files differ; nil if none.
    static func firstDifference(_ a: ImageFile, _ b: ImageFile, threads: Int) -> Int? {
        let size = min(a.size, b.size)
        let all = pieces(union(a.dataRanges(), b.dataRanges()).filter { $0.offset < size }, pieceSize)
        let found = FirstOffset(a.size == b.size ? nil : size)
        share(all.count, threads: threads) {
            let left = pages(pieceSize)
            let right = pages(pieceSize)
            return { index in
                let piece = all[index]
                let count = min(piece.end, size) - piece.offset
                if count <= 0 || found.isBefore(piece.offset) { return }
                a.read(left, count, at: piece.offset)
                b.read(right, count, at: piece.offset)
                if memcmp(left, right, count) != 0 { found.report(piece.offset) }
            }
        }
        return found.offset
    }

    /// Touches up to `bytes` of memory, leaving 1.5 GiB for others: on a virtual machine whose host takes free memory back,
    /// the first touch of a page costs several times what it does later. Bytes touched.
    static func warm(_ bytes: Int) -> Int {
        guard let file = fopen("/proc/meminfo", "r") else { return 0 }
        defer { fclose(file) }
        var available = 0
        var line: UnsafeMutablePointer<CChar>?
        var room = 0
        while getline(&line, &room, file) > 0, let text = line {
            if strncmp(text, "MemAvailable:", 13) == 0 { available = strtol(text + 13, nil, 10) << 10 }
        }
        free(line)
        let count = min(bytes, available - 1536 << 20)
        guard count > 0,
            let memory = mmap(nil, count, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
            memory != MAP_FAILED
        else { return 0 }
        var place = 0
        while place < count {
            memory.storeBytes(of: 1, toByteOffset: place, as: UInt8.self)
            place += 4096
        }
        return count
    }
}
