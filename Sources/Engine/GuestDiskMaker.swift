import DiskImages
import Files
import Foundation
import GuestFiles
import Protection

/// Makes a disk as a guest has one: a partition table, a file system made by the public tools, a few documents, a large file that the
/// workload writes into, and on NTFS a page file.
struct GuestDiskMaker {
    /// The disk, and which of its blocks lie wholly in the large file and in the page file.
    struct Made {
        var image: DiskImage
        var data: [Int64]
        var pageFile: [Int64]
    }

    let kind: GuestFileSystem
    /// Of the disk, bytes.
    let size: Int64
    /// Of the large file and the page file together, bytes.
    let used: Int64
    let pageFile: Int64
    let machine: String
    let folder: String
    /// What the large file holds at first.
    let content: BlockContent

    static let dataName = "data.bin"
    private static let start: Int64 = 1 << 20

    /// Faults: `ENGINE-GUEST` where the disk is too small, `ENGINE-TOOL` where a tool is missing or fails.
    func make(by access: ImageAccess) throws(StorageFault) -> Made {
        let size = size / (1 << 20) * (1 << 20)
        let least: Int64 = kind == .fat32 ? 40 << 20 : 16 << 20
        guard size >= least else {
            throw StorageFault(
                .badInput, "ENGINE-GUEST", "machine \(machine)",
                "a disk of \(size) bytes is too small for \(kind.rawValue)",
                action: "Give it \(least >> 20) MiB at least, after division by its scale")
        }
        let room = (size - Self.start) * 7 / 10
        let paged = kind == .ntfs ? min(pageFile, room / 4) / 65_536 * 65_536 : 0
        let written = max(1, min(used, room) - paged) / 65_536 * 65_536
        let tree = folder + "/tree"
        let disk = folder + "/origin.raw"
        try fillTree(tree, data: written, pageFile: paged)
        try sparse(disk, size)
        try partition(disk)
        switch kind {
        case .ntfs: try makeNTFS(disk, tree, size: size - Self.start, pageFile: paged)
        case .fat32: try makeFAT(disk, tree)
        case .ext4: try makeExt(disk, tree, size: size - Self.start)
        case .refs, .xfs:
            throw StorageFault(
                .badInput, "ENGINE-GUEST", "machine \(machine)", "no disk is made with \(kind.rawValue)",
                action: "Choose ntfs, fat32 or ext4, or name an image")
        }
        try? FileManager.default.removeItem(atPath: tree)
        let image = try DiskImage.open(disk, by: access, format: .raw)
        return Made(
            image: image, data: try blocks(of: Self.dataName, on: image),
            pageFile: paged > 0 ? try blocks(of: "pagefile.sys", on: image) : [])
    }

    // MARK: Files

    private func fillTree(_ tree: String, data: Int64, pageFile: Int64) throws(StorageFault) {
        let files = HostFiles()
        try files.makeFolder(tree)
        try files.makeFolder(tree + "/Documents")
        for number in 1...20 {
            let text =
                "Document \(number) of \(machine).\n" + String(repeating: "All work and no play. ", count: number * 40)
            try write(Array(text.utf8), to: "\(tree)/Documents/document-\(number).txt")
        }
        try writeBlocks(data, from: 0, to: "\(tree)/\(Self.dataName)")
        if pageFile > 0 { try writeBlocks(pageFile, from: 1 << 40, to: "\(tree)/pagefile.sys") }
    }

    private func write(_ bytes: [UInt8], to path: String) throws(StorageFault) {
        let file = try HostFiles().open(path, .create)
        defer { file.close() }
        try file.write(bytes, at: 0)
    }

    private func writeBlocks(_ count: Int64, from first: Int64, to path: String) throws(StorageFault) {
        let file = try HostFiles().open(path, .create)
        defer { file.close() }
        let buffer = Buffer(count: BlockContent.size)
        let bytes = buffer[0..<BlockContent.size]
        for block in 0..<count / Int64(BlockContent.size) {
            content.fill(bytes, block: first + block, version: 1)
            try file.write(UnsafeRawBufferPointer(bytes), at: block * Int64(BlockContent.size))
        }
    }

    private func sparse(_ path: String, _ size: Int64) throws(StorageFault) {
        let file = try HostFiles().open(path, .create)
        defer { file.close() }
        try file.truncate(to: size)
    }

    // MARK: Tools

    private func partition(_ disk: String) throws(StorageFault) {
        let type = kind == .ntfs ? "7" : kind == .fat32 ? "c" : "83"
        try tool(
            "sfdisk", ["-q", disk], input: "label: dos\nlabel-id: 0x64706d73\nstart=2048, type=\(type)\n",
            package: "fdisk")
    }

    private func makeNTFS(_ disk: String, _ tree: String, size: Int64, pageFile: Int64) throws(StorageFault) {
        let volume = folder + "/volume.ntfs"
        try sparse(volume, size)
        try tool(
            "mkntfs",
            [
                "-F", "-Q", "-q", "-T", "-L", "GUEST", "-s", "512", "-c", "4096", "-p", "2048", "-H", "255", "-S", "63",
                volume,
            ],
            package: "ntfs-3g")
        // Files first and at once, so that the large one lies in few pieces; ntfscp makes no folders.
        for name in pageFile > 0 ? ["pagefile.sys", Self.dataName] : [Self.dataName] {
            try tool("ntfscp", ["-f", "-q", volume, "\(tree)/\(name)", name], package: "ntfs-3g")
        }
        for number in 1...20 {
            let name = "document-\(number).txt"
            try tool("ntfscp", ["-f", "-q", volume, "\(tree)/Documents/\(name)", name], package: "ntfs-3g")
        }
        let files = HostFiles()
        let (source, target) = (try files.open(volume, .read), try files.open(disk, .readWrite))
        defer {
            source.close()
            target.close()
        }
        let buffer = Buffer(count: 1 << 20)
        var offset: Int64 = 0
        while let range = try source.dataRange(from: offset) {
            var place = range.lowerBound
            while place < range.upperBound {
                let part = buffer[0..<Int(min(1 << 20, range.upperBound - place))]
                try source.readFully(into: part, at: place)
                try target.write(UnsafeRawBufferPointer(part), at: Self.start + place)
                place += Int64(part.count)
            }
            offset = range.upperBound
        }
        try files.remove(volume)
    }

    private func makeFAT(_ disk: String, _ tree: String) throws(StorageFault) {
        try tool(
            "mkfs.fat", ["--offset=2048", "-F", "32", "-i", "64706d73", "-n", "GUEST", disk], package: "dosfstools")
        let entries = [Self.dataName, "Documents"].map { "\(tree)/\($0)" }
        try tool("mcopy", ["-i", "\(disk)@@1M", "-s"] + entries + ["::"], package: "mtools")
    }

    private func makeExt(_ disk: String, _ tree: String, size: Int64) throws(StorageFault) {
        try tool(
            "mke2fs",
            [
                "-q", "-F", "-t", "ext4", "-L", "GUEST", "-U", "64706d73-696d-4000-8000-000000000001", "-d", tree, "-E",
                "offset=\(Self.start),hash_seed=64706d73-696d-4000-8000-000000000002", disk, "\(size >> 10)k",
            ], package: "e2fsprogs")
    }

    /// Runs a public tool; its output counts only if it fails.
    private func tool(_ name: String, _ arguments: [String], input: String = "", package: String) throws(StorageFault) {
        let failed = { (cause: String, action: String) in
            StorageFault(
                .missing, "ENGINE-TOOL", name, "making the disk of machine \(machine): \(cause)", action: action)
        }
        let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map(String.init)
        let paths = (folders + ["/usr/sbin", "/sbin"]).map { "\($0)/\(name)" }
        guard let path = paths.first(where: FileManager.default.isExecutableFile) else {
            throw failed("the tool is not installed", "Install Debian's package \(package)")
        }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = arguments
        var environment = ProcessInfo.processInfo.environment
        environment["MTOOLS_SKIP_CHECK"] = "1"
        process.environment = environment
        // A file, not a pipe: a tool that ends without reading would end this program too.
        let script = folder + "/input"
        try write(Array(input.utf8), to: script)
        defer { try? HostFiles().remove(script) }
        let to = Pipe()
        process.standardInput = FileHandle(forReadingAtPath: script)
        (process.standardOutput, process.standardError) = (to, to)
        do { try process.run() } catch {
            throw failed("it could not be started", "Check the installation of package \(package)")
        }
        let output = to.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            let text = String(decoding: output.suffix(400), as: UTF8.self).split(separator: "\n").joined(
                separator: "; ")
            throw failed(
                "it ended with status \(process.terminationStatus): \(text)",
                "Check that the disk is large enough for what is to be in it")
        }
    }

    // MARK: Places

    /// Blocks of the disk that lie wholly in a file of its only volume, in the order of the file.
    private func blocks(of name: String, on image: DiskImage) throws(StorageFault) -> [Int64] {
        let disk = try GuestDisk(image)
        guard let facts = try disk.volumes().first else {
            throw StorageFault(
                .damaged, "ENGINE-GUEST", image.path, "the disk that was made has no volume",
                action: "Check the versions of the tools that make file systems")
        }
        let file = try disk.open(facts).open("/" + name)
        let unit = Int64(BlockContent.size)
        var found: [Int64] = []
        for run in try file.runs(of: 0) ?? [] {
            guard let place = run.place else { continue }
            let from = facts.range.lowerBound + place
            let end = from + (run.range.upperBound - run.range.lowerBound)
            let (first, last) = ((from + unit - 1) / unit, end / unit)
            for block in first..<max(first, last) { found.append(block) }
        }
        return found
    }
}
