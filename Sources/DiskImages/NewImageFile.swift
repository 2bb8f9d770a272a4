import Files

/// An image file that is being made: under another name in the same folder until it is whole, so that whatever happens on the
/// way, its own name holds what was there before.
final class NewImageFile: Sendable {
    /// What the other name ends with. Such a file is never opened as an image.
    static let unfinished = ".unfinished"

    let target: String
    let writer: any ImageWriter
    private let files: any FileSystem
    private let file: any StoreFile
    private var temporary: String { target + Self.unfinished }

    /// Faults: `IMAGE-EXISTS` unless `replacing`, `IMAGE-BUSY` if another program is making the same file, and the format's own.
    /// `created` is seconds since 2000-01-01 UTC. What a program that was killed left under the other name is removed.
    init(
        _ image: NewImage, at target: String, on files: any FileSystem, guids: any GUIDSource, created: UInt32,
        replacing: Bool
    ) throws(StorageFault) {
        try Self.check(target, on: files, replacing: replacing)
        let temporary = target + Self.unfinished
        let file = try files.open(temporary, .createOrOpen)
        do throws(StorageFault) {
            guard try file.lock(exclusive: true, wait: false) else {
                throw StorageFault(
                    .busy, "IMAGE-BUSY", target, "another program is making it", action: "Wait for that, or stop it")
            }
            try file.truncate(to: 0)
            switch image.format {
            case .raw: writer = try Raw.create(image, file: file)
            case .vhd: writer = try VHD.create(image, file: file, guids: guids, created: created)
            case .vhdx: writer = try VHDX.create(image, file: file, guids: guids)
            }
        } catch {
            // A file that another program is writing is not ours to remove.
            if error.id != "IMAGE-BUSY" { try? files.remove(temporary) }
            file.close()
            throw error
        }
        (self.target, self.files, self.file) = (target, files, file)
    }

    static func check(_ target: String, on files: any FileSystem, replacing: Bool) throws(StorageFault) {
        switch try files.kind(of: target) {
        case .none: return
        case .file:
            guard replacing else {
                throw StorageFault(
                    .badInput, "IMAGE-EXISTS", target, "there is a file of that name already",
                    action: "Choose another name, or ask for it to be replaced")
            }
        case .folder, .other:
            throw StorageFault(
                .badInput, "IMAGE-EXISTS", target, "it is no file, but exists", action: "Choose another name")
        }
    }

    /// Makes it an image and gives it its name. If that fails, nothing of it is left.
    func finish() throws(StorageFault) {
        do throws(StorageFault) {
            try writer.finish()
            try files.rename(temporary, to: target)
        } catch {
            abandon()
            throw error
        }
        file.close()
        try files.syncFolder(FilePath.folder(target))
    }

    func abandon() {
        // While it is locked, so that nobody takes up the name between.
        try? files.remove(temporary)
        writer.abandon()
        file.close()
    }
}
