public import Files

extension ImageFormat {
    /// What a file is by its content, never by its name alone; a name that promises an image whose mark is missing is a fault,
    /// for such a file was never finished, or is damaged. Reads 8 bytes and the footer's place.
    public static func of(_ file: any StoreFile) throws(StorageFault) -> ImageFormat {
        let size = try file.size()
        let first = try file.bytes(Int(min(8, size)), at: 0)
        if VHDX.isVHDX(first) { return .vhdx }
        if try VHD.isVHD(file) { return .vhd }
        let suffix = FilePath.stemAndExtension(file.path).suffix
        if let promised = promises[suffix] {
            throw StorageFault(
                .damaged, "IMAGE-FORMAT", file.path,
                "its name promises \(promised), but the mark of one is missing: it was never finished, or is damaged",
                action: "Restore it from a copy, look at it with dump, or name its format if its name is wrong")
        }
        if let foreign = foreignMarks.first(where: { first.starts(with: $0.mark) }) {
            throw StorageFault(
                .badInput, "IMAGE-FORMAT", file.path, "it is \(foreign.name), which is not read here",
                action: "Convert it to raw, VHD or VHDX, or name the format raw if these bytes are a disk's own")
        }
        return .raw
    }

    private static let promises = [
        "vhdx": "a VHDX", "avhdx": "a VHDX", "vhd": "a VHD", "avhd": "a VHD",
        String(NewImageFile.unfinished.dropFirst()): "a finished image",
    ]

    /// Reading these as a raw disk would give bytes that no machine ever saw.
    private static let foreignMarks: [(mark: [UInt8], name: String)] = [
        (Array("QFI".utf8) + [0xFB], "a qcow image"), (Array("KDMV".utf8), "a VMDK image"),
        (Array("COWD".utf8), "a VMDK image"), (Array("QED\0".utf8), "a QED image"),
        (Array("# Disk D".utf8), "a VMDK description"), (Array("conectix".utf8), "a VHD without its end"),
    ]
}

/// How image files are opened.
public struct ImageAccess: Sendable {
    public var files: any FileSystem
    public var guids: any GUIDSource
    /// Folders in which parents are looked for besides where children say.
    public var parentFolders: [String]
    /// VHDs whose checksums are wrong are refused unless this is set.
    public var trustsBadChecksums: Bool

    public init(
        _ files: any FileSystem, guids: any GUIDSource, parentFolders: [String] = [], trustsBadChecksums: Bool = false
    ) {
        (self.files, self.guids) = (files, guids)
        (self.parentFolders, self.trustsBadChecksums) = (parentFolders, trustsBadChecksums)
    }

    /// One file as a layer, locked: by this program alone if it may be written, else shared.
    func layer(
        _ path: String, writable: Bool, format: ImageFormat? = nil, locking: Bool = true
    ) throws(StorageFault) -> any ImageLayer {
        let file = try files.open(path, writable ? .readWrite : .read)
        do throws(StorageFault) {
            if locking, try !file.lock(exclusive: writable, wait: false) {
                throw busy(path, writable ? "uses" : "writes")
            }
            var format = format
            if format == nil { format = try ImageFormat.of(file) }
            switch format ?? .raw {
            case .raw: return try RawLayer(file: file, writable: writable)
            case .vhd:
                return try VHDLayer(
                    file: file, writable: writable, guids: guids, trustingBadChecksums: trustsBadChecksums)
            case .vhdx: return try VHDXLayer(file: file, writable: writable, guids: guids)
            }
        } catch {
            file.close()
            throw error
        }
    }

    func busy(_ path: String, _ verb: String) -> StorageFault {
        StorageFault(
            .busy, "IMAGE-BUSY", path, "another program \(verb) it", action: "Wait until it is closed there")
    }
}
