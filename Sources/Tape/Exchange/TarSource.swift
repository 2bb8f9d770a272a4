public import Files

/// A file in a tar archive as the source of a set. Holes of the archive, and of GNU tar's sparse files, stay holes.
public struct TarSource: SetFile {
    public let name: String
    public let size: Int64
    public let modified: Int64
    private let file: any StoreFile
    /// Where it lies in the archive, in its order; between them are holes.
    private let parts: [Part]

    private struct Part: Hashable {
        /// In the file, and where that lies in the archive.
        var range: Range<Int64>
        var place: Int64
    }

    public func dataRange(from offset: Int64) throws(StorageFault) -> Range<Int64>? {
        for part in parts where part.range.upperBound > offset {
            let shift = part.place - part.range.lowerBound
            let from = max(offset, part.range.lowerBound)
            guard let found = try file.dataRange(from: from + shift) else { return nil }
            let data = (found.lowerBound - shift..<found.upperBound - shift).clamped(to: from..<part.range.upperBound)
            if !data.isEmpty { return data }
        }
        return nil
    }

    public func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(StorageFault) {
        let wanted = offset..<offset + Int64(buffer.count)
        buffer.initializeMemory(as: UInt8.self, repeating: 0)
        for part in parts where part.range.overlaps(wanted) {
            let common = part.range.clamped(to: wanted)
            try file.readFully(
                into: UnsafeMutableRawBufferPointer(
                    rebasing: buffer[Int(common.lowerBound - offset)..<Int(common.upperBound - offset)]),
                at: part.place + common.lowerBound - part.range.lowerBound)
        }
    }

    /// Names that stay within the folder an archive is extracted to.
    static func check(_ name: String) throws(TarCause) {
        guard !name.isEmpty, !name.utf8.contains(0) else { throw TarCause("a file has no name, or a NUL in it") }
        guard !name.utf8.starts(with: "/".utf8) else { throw TarCause("the name \(name) is absolute") }
        guard !name.utf8.split(separator: 0x2F).contains(where: { $0.elementsEqual("..".utf8) }) else {
            throw TarCause("the name \(name) leads out of its folder")
        }
    }
}

extension TarSet {
    /// Bytes of names and extended headers.
    private static let largestText: Int64 = 1 << 20

    /// The files in an archive, in their order, after all of it proved to be well formed. Folders are not among them; GNU's and old (v7) headers are read as well as those of POSIX.
    /// - Throws: `TAPE-TAR` for a checksum that does not hold, what lies beyond the archive, names that lead out of a folder, and for links, devices and whatever else
    ///   a set cannot keep.
    public static func files(in archive: any StoreFile) throws(StorageFault) -> [TarSource] {
        var walk = TarWalk(file: archive, size: try archive.size())
        return try walk.files()
    }

    private struct TarWalk {
        let file: any StoreFile
        let size: Int64
        var at: Int64 = 0
        var global = TarTexts()
        var local = TarTexts()
        var longName: [UInt8]?

        mutating func files() throws(StorageFault) -> [TarSource] {
            var found: [TarSource] = []
            while true {
                guard size - at >= Int64(TarHeader.count) else { throw fault("it has no end, and was cut perhaps") }
                let bytes = try file.bytes(TarHeader.count, at: at)
                if bytes.allSatisfy({ $0 == 0 }) { break }
                do throws(TarCause) {
                    let header = try TarHeader(bytes)
                    if let source = try entry(header) { found.append(source) }
                } catch { throw fault(error.text) }
            }
            let last = size - at >= 1024 ? try file.bytes(512, at: at + 512) : [1]
            guard last.allSatisfy({ $0 == 0 }), longName == nil, local == TarTexts() else {
                throw fault("it has no end, and was cut perhaps")
            }
            return found
        }

        private func fault(_ cause: String) -> StorageFault { TarSet.refused("\(file.path), byte \(at)", cause) }

        private mutating func entry(_ header: TarHeader) throws(TarCause) -> TarSource? {
            let content = at + Int64(TarHeader.count)
            switch header.kind {
            case .extended: try local.add(text(header, content))
            case .global: try global.add(text(header, content))
            case .longName: longName = try text(header, content).split(separator: 0).first.map(Array.init) ?? []
            case .longLink: _ = try text(header, content)
            case .file, .contiguous, .folder:
                defer { (local, longName) = (TarTexts(), nil) }
                var texts = global
                texts.values.merge(local.values) { $1 }
                return try source(header, texts, content)
            case .hardLink, .symbolicLink: throw TarCause("it has a link")
            case .characters, .blocks, .pipe: throw TarCause("it has a device or pipe")
            case nil: throw TarCause("it has an entry of the type \(header.type)")
            }
            return nil
        }

        private mutating func text(_ header: TarHeader, _ content: Int64) throws(TarCause) -> [UInt8] {
            guard header.size <= TarSet.largestText else { throw TarCause("an extended header is too long") }
            try go(behind: content, header.size)
            return try read(Int(header.size), at: content)
        }

        private func read(_ count: Int, at offset: Int64) throws(TarCause) -> [UInt8] {
            do throws(StorageFault) { return try file.bytes(count, at: offset) } catch { throw TarCause(error.cause) }
        }

        private mutating func go(behind content: Int64, _ count: Int64) throws(TarCause) {
            guard count <= size - content, TarHeader.padded(count) <= size - content else {
                throw TarCause("\(count) bytes lie beyond its end")
            }
            at = content + TarHeader.padded(count)
        }

        private mutating func source(
            _ header: TarHeader, _ texts: TarTexts, _ content: Int64
        ) throws(TarCause) -> TarSource? {
            let isSparse = texts.values.keys.contains { $0.hasPrefix("GNU.sparse.") }
            let bytes =
                (isSparse ? texts.values["GNU.sparse.name"] : nil) ?? texts.values["path"] ?? longName ?? header.name
            guard let name = String(validating: bytes, as: UTF8.self) else { throw TarCause("a name is not UTF-8") }
            try TarSource.check(name)
            let stored = try texts.number("size") ?? header.size
            let modified = try texts.time("mtime") ?? header.modified
            if header.kind == .folder || name.utf8.last == 0x2F {
                try go(behind: content, header.kind == .folder ? 0 : stored)
                return nil
            }
            try go(behind: content, stored)
            guard isSparse else {
                return TarSource(name, size: stored, modified: modified, file, [(0..<stored, content)])
            }
            guard try texts.number("GNU.sparse.major") == 1, try texts.number("GNU.sparse.minor") == 0,
                let size = try texts.number("GNU.sparse.realsize")
            else { throw TarCause("a sparse file is in an old form; write it with --sparse-version=1.0") }
            return TarSource(name, size: size, modified: modified, file, try map(size, content..<content + stored))
        }

        /// Decimal numbers on lines before the data: how many runs, and of each its offset and size.
        private func map(_ size: Int64, _ stored: Range<Int64>) throws(TarCause) -> [(Range<Int64>, Int64)] {
            var from = stored.lowerBound
            var line: [UInt8] = []
            var numbers: [Int64] = []
            var wanted = 1
            while numbers.count < wanted {
                guard stored.upperBound - from >= 512 else { throw TarCause("the map of a sparse file is cut") }
                for byte in try read(512, at: from) where numbers.count < wanted {
                    if byte != 0x0A {
                        line.append(byte)
                        guard line.count <= 20 else { throw TarCause("the map of a sparse file is malformed") }
                        continue
                    }
                    guard let number = TarTexts.decimal(line) else {
                        throw TarCause("the map of a sparse file is malformed")
                    }
                    numbers.append(number)
                    line = []
                    if numbers.count == 1 {
                        // Each run takes four bytes of the map at least.
                        guard number <= (stored.upperBound - stored.lowerBound) / 4 else {
                            throw TarCause("the map of a sparse file is cut")
                        }
                        wanted = 1 + 2 * Int(number)
                    }
                }
                from += 512
            }
            var parts: [(Range<Int64>, Int64)] = []
            var end: Int64 = 0
            for index in stride(from: 1, to: numbers.count, by: 2) {
                let (offset, count) = (numbers[index], numbers[index + 1])
                guard offset >= end, offset <= size, count <= size - offset, count <= stored.upperBound - from else {
                    throw TarCause("the map of a sparse file does not fit its data")
                }
                end = offset + count
                if count > 0 { parts.append((offset..<end, from)) }
                from += count
            }
            return parts
        }
    }
}

extension TarSource {
    fileprivate init(
        _ name: String, size: Int64, modified: Int64, _ file: any StoreFile, _ parts: [(Range<Int64>, Int64)]
    ) {
        (self.name, self.size, self.modified, self.file) = (name, size, modified, file)
        self.parts = parts.compactMap { $0.0.isEmpty ? nil : Part(range: $0.0, place: $0.1) }
    }
}
