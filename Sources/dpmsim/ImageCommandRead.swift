import ArgumentParser
import DiskImages
import Files
import Units

/// A file of a chain, as `info` tells it.
private struct LayerFact: Encodable {
    var path: String, format: String, kind: String
    var size: Int64, sectorSize: Int, blockSize: Int64?
    /// Of the file, and how much of it takes space, bytes.
    var fileSize: Int64, fileAllocated: Int64
    var identifier: String?, parentIdentifiers: [String]?, parentPaths: [String: String]?

    init(_ layer: any ImageLayer, on files: any FileSystem) throws(StorageFault) {
        (path, format, size, sectorSize) = (layer.path, layer.format.rawValue, layer.size, layer.sectorSize)
        let vhdx = layer as? VHDXLayer
        let vhd = layer as? VHDLayer
        blockSize = vhdx?.blockSize ?? (vhd?.isFixed == false ? vhd?.blockSize : nil)
        let isFixed = vhdx?.isFixed ?? vhd?.isFixed ?? false
        kind =
            layer.parent != nil ? "differencing" : isFixed ? "fixed" : layer.format == .raw ? "sparse" : "dynamic"
        identifier = layer.linkage?.description
        parentIdentifiers = layer.parent?.linkage.filter { $0 != .zero }.map(\.description)
        parentPaths = layer.parent?.paths
        let file = try files.open(layer.path, .read)
        defer { file.close() }
        (fileSize, fileAllocated) = (try file.size(), try file.allocated())
    }

    func print(on out: Terminal) {
        out.line(out.styled(path, .bold))
        out.line(
            "  \(format) \(kind), \(Bytes(size)) in sectors of \(sectorSize)"
                + (blockSize.map { ", blocks of \(Bytes($0))" } ?? ""))
        out.line("  file \(Bytes(fileSize).rounded), of which \(Bytes(fileAllocated).rounded) take space")
        if let identifier { out.line("  identifier \(identifier)") }
        if let parentIdentifiers { out.line("  parent     \(parentIdentifiers.joined(separator: " or "))") }
        for (kind, path) in (parentPaths ?? [:]).sorted(by: { $0.key < $1.key }) { out.line("    \(kind): \(path)") }
    }
}

/// `dpmsim image info`: what an image is, and its parents.
struct ImageInfo: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "info", abstract: "Tell what an image is, its parents, and how much it holds.")

    @Argument(help: "The image.", completion: .file()) var path: String
    @OptionGroup var options: ImageOptions
    @Option(help: "The format, if the content is not to decide.") var format: FormatName?

    private struct Facts: Encodable {
        var size: Int64, sectorSize: Int, allocated: Int64
        var layers: [LayerFact]
    }

    func run() throws {
        try options.ending {
            let access = options.access
            let image = try DiskImage.open(absolute(path), by: access, format: format?.format)
            defer { try? image.close() }
            var facts = Facts(size: image.size, sectorSize: image.sectorSize, allocated: 0, layers: [])
            for layer in image.layers { facts.layers.append(try LayerFact(layer, on: access.files)) }
            try image.forEachGiB { part throws(StorageFault) in
                for range in try image.allocatedRanges(in: part) {
                    facts.allocated += range.upperBound - range.lowerBound
                }
            }
            if options.json { return try JSONOutput.print(facts) }
            let out = Terminal.output
            for layer in facts.layers { layer.print(on: out) }
            out.line("The disk holds \(Bytes(facts.allocated).rounded) of \(Bytes(facts.size)).")
        }
    }
}

/// `dpmsim image map`: where each part of a disk is.
struct ImageMap: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "map",
        abstract: "List where each part of a disk is: in which file, at which byte; the rest is zeros.")

    @Argument(help: "The image.", completion: .file()) var path: String
    @OptionGroup var options: ImageOptions
    @Option(help: "The format, if the content is not to decide.") var format: FormatName?

    private struct PieceFact: Encodable {
        var start: Int64, length: Int64, layer: Int, file: String, place: Int64
    }

    func run() throws {
        try options.ending {
            let image = try DiskImage.open(absolute(path), by: options.access, format: format?.format)
            defer { try? image.close() }
            var facts: [PieceFact] = []
            try image.forEachGiB { part throws(StorageFault) in
                for piece in try image.pieces(in: part) {
                    let length = piece.range.upperBound - piece.range.lowerBound
                    if let last = facts.last, last.layer == piece.layer,
                        last.start + last.length == piece.range.lowerBound,
                        last.place + last.length == piece.place
                    {
                        facts[facts.count - 1].length += length
                    } else {
                        let file = image.layers[piece.layer].path
                        facts.append(
                            PieceFact(
                                start: piece.range.lowerBound, length: length, layer: piece.layer, file: file,
                                place: piece.place))
                    }
                }
            }
            if options.json { return try JSONOutput.print(facts) }
            let out = Terminal.output
            for (index, layer) in image.layers.enumerated() { out.line("file \(index): \(layer.path)") }
            out.line(out.styled("         start         length  file          at", .bold))
            for fact in facts {
                out.line(
                    [
                        padded("\(fact.start)", 14), padded("\(fact.length)", 14), padded("\(fact.layer)", 5),
                        padded("\(fact.place)", 11),
                    ]
                    .joined(separator: " "))
            }
            out.line("The rest of \(image.size) bytes is zeros.")
        }
    }
}

private func padded(_ text: String, _ width: Int) -> String {
    String(repeating: " ", count: max(0, width - text.utf8.count)) + text
}

extension DiskImage {
    /// Calls `body` with each GiB of the disk.
    func forEachGiB(_ body: (Range<Int64>) throws(StorageFault) -> Void) throws(StorageFault) {
        for start in stride(from: 0, to: size, by: 1 << 30) { try body(start..<min(size, start + 1 << 30)) }
    }
}

/// `dpmsim image compare`: whether two disks hold the same.
struct ImageCompare: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "compare", abstract: "Compare two disks, whatever formats they are kept in.",
        discussion: "Exit status 1 if they differ. A disk that is longer by zeros is equal.")

    @Argument(help: "An image.", completion: .file()) var left: String
    @Argument(help: "Another image.", completion: .file()) var right: String
    @OptionGroup var options: ImageOptions
    @Option(help: "Differences named at most.") var limit = 16
    @Option(help: "The first one's format, if its content is not to decide.") var leftFormat: FormatName?
    @Option(help: "The second one's format, if its content is not to decide.") var rightFormat: FormatName?

    private struct Facts: Encodable {
        var equal: Bool, sizesEqual: Bool, leftSize: Int64, rightSize: Int64, differingBytes: Int64,
            comparedBytes: Int64
        var firstDifferences: [[String: Int64]]
    }

    func validate() throws {
        if limit < 0 { throw ValidationError("--limit cannot be negative") }
    }

    func run() throws {
        try options.ending {
            let one = try DiskImage.open(absolute(left), by: options.access, format: leftFormat?.format)
            defer { try? one.close() }
            let two = try DiskImage.open(absolute(right), by: options.access, format: rightFormat?.format)
            defer { try? two.close() }
            var comparison = ImageComparison(one, two)
            comparison.limit = limit
            let result = try ByteProgress.during { try comparison.run(progress: $0) }
            if options.json {
                try JSONOutput.print(
                    Facts(
                        equal: result.isEqual, sizesEqual: result.sizesEqual, leftSize: one.size, rightSize: two.size,
                        differingBytes: result.differingBytes, comparedBytes: result.compared,
                        firstDifferences: result.firstDifferences.map {
                            ["start": $0.lowerBound, "length": $0.upperBound - $0.lowerBound]
                        }))
            } else {
                tell(result, one.size, two.size)
            }
            if !result.isEqual { throw Ending.expectationFailed }
        }
    }

    private func tell(_ result: ImageComparison.Result, _ left: Int64, _ right: Int64) {
        let out = Terminal.output
        if !result.sizesEqual { out.line("The first has \(left) bytes, the second \(right).") }
        for range in result.firstDifferences {
            out.line("differ: \(range.upperBound - range.lowerBound) bytes at \(range.lowerBound)")
        }
        out.line(
            result.isEqual
                ? "Equal; \(Bytes(result.compared).rounded) compared, the rest is zeros in both."
                : out.styled("Different", .red) + " in \(result.differingBytes) bytes.")
    }
}

/// `dpmsim image dump`: the structures of a file, of a damaged one too.
struct ImageDump: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dump", abstract: "Show each structure of a VHD, VHDX, VMCX or VMRS file, of damaged ones too.",
        discussion: "Exit status 2 if something is wrong with any of them.")

    @Argument(help: "The file.", completion: .file()) var path: String
    @OptionGroup var options: ImageOptions

    func run() throws {
        try options.ending {
            let file = try HostFiles().open(absolute(path), .read)
            defer { file.close() }
            let structures = try dump(file)
            if options.json {
                try JSONOutput.print(structures.map(StructureFact.init))
            } else {
                tell(structures, on: Terminal.output)
            }
            if structures.contains(where: { !$0.problems.isEmpty }) { throw Ending.badInput }
        }
    }

    /// By the content, and where that is damaged by the name.
    private func dump(_ file: any StoreFile) throws(StorageFault) -> [StructureDump] {
        let size = try file.size()
        let first = try file.bytes(Int(min(8, size)), at: 0)
        let suffix = path.split(separator: ".").last?.lowercased() ?? ""
        if VHDX.isVHDX(first) { return VHDX.dump(file) }
        if try VHD.isVHD(file) { return VHD.dump(file) }
        switch suffix {
        case "vhdx", "avhdx": return VHDX.dump(file)
        case "vhd", "avhd": return VHD.dump(file)
        case "vmcx", "vmrs":
            guard size <= Int64(VMCXFile.largest) else {
                throw StorageFault(
                    .badInput, "VMCX-SIZE", path, "it has \(size) bytes, more than \(VMCXFile.largest) that are read",
                    action: "Name a configuration file")
            }
            return VMCX.dump(try file.bytes(Int(size), at: 0), name: path)
        default:
            throw StorageFault(
                .badInput, "IMAGE-FORMAT", path, "it has no structures that are known here",
                action: "Name a VHD, VHDX, VMCX or VMRS file")
        }
    }
}
