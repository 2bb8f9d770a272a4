import ArgumentParser
import DiskImages
import Files
import Foundation
import Synchronization
import Units

/// `dpmsim image`: disk images as files, with nothing of a simulation about them.
struct ImageCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "image",
        abstract: "Read, make, compare and mend disk images: raw, VHD, VHDX and their checkpoints.",
        discussion: """
            Files that are only read are never changed. A new file has its name when it is whole, not before.
            Exit status: 0 done, 1 the disks differ, 2 bad input, 3 a fault, 64 wrong usage.
            """,
        subcommands: [
            ImageInfo.self, ImageCreate.self, ImageConvert.self, ImageCompare.self, ImageMap.self,
            ImageCheckpoint.self, ImageMergeCommand.self, ImageResize.self, ImageReparent.self, ImageServe.self,
            ImageWrite.self, ImageDump.self,
        ])
}

/// What every command on images can be told.
struct ImageOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Folder to look for parents in, besides where children say; may be repeated.", valueName: "folder"),
        completion: .directory) var parents: [String] = []
    @Flag(help: "Read a VHD though its checksums are wrong.") var trustChecksums = false
    @Flag(help: "Print the answer as JSON.") var json = false

    var access: ImageAccess {
        ImageAccess(
            HostFiles(), guids: HostGUIDs(), parentFolders: parents.map(absolute), trustsBadChecksums: trustChecksums)
    }

    /// Runs `body` and ends the program by what it throws.
    func ending(_ body: () throws -> Void) throws { try endingByFault(json: json, body) }
}

/// A path that means the same in every folder: what is written into image files must.
func absolute(_ path: String) -> String { URL(fileURLWithPath: path).standardizedFileURL.path }

extension Complaint {
    /// What an operator can put right is bad input; the rest is a fault.
    init(_ fault: StorageFault) {
        self.init(
            object: "\(fault.id) \(fault.object)", cause: fault.cause, action: fault.action,
            isFault: ![.badInput, .missing].contains(fault.kind))
    }
}

/// A fault of something that keeps bytes, as `--json` gives it.
struct StorageFaultFact: Encodable {
    var id: String, kind: String, object: String, cause: String, action: String
    init(_ fault: StorageFault) {
        (id, kind, object) = (fault.id, fault.kind.rawValue, fault.object)
        (cause, action) = (fault.cause, fault.action)
    }
}

/// A format as the command line names it.
enum FormatName: String, CaseIterable, ExpressibleByArgument {
    case raw, vhd, vhdx
    var format: ImageFormat {
        switch self {
        case .raw: .raw
        case .vhd: .vhd
        case .vhdx: .vhdx
        }
    }
}

/// A number of bytes as the command line gives it: with a unit, or plain.
struct ByteCount: ExpressibleByArgument {
    var count: Int64
    init(_ count: Int64) { self.count = count }
    init?(argument: String) {
        let spaced = argument.replacing(/^([0-9.]+)([A-Za-z]+)$/) { "\($0.output.1) \($0.output.2)" }
        guard let count = Int64(argument) ?? Bytes(spaced)?.count, count >= 0 else { return nil }
        self.count = count
    }
    var defaultValueDescription: String { Bytes(count).description }
}

/// What a new image is to be, as options.
struct NewImageOptions: ParsableArguments {
    @Option(help: ArgumentHelp("raw, vhd or vhdx; by the new file's name if left out.", valueName: "format"))
    var format: FormatName?
    @Flag(help: "Give the file all its space at once.") var fixed = false
    @Option(help: ArgumentHelp("Of a block, such as 2MiB; the format's usual one if left out.", valueName: "bytes"))
    var blockSize: ByteCount?
    @Option(help: ArgumentHelp("Of a sector, 512 or 4096.", valueName: "bytes")) var sectorSize: Int?

    func validate() throws {
        if let sectorSize, sectorSize != 512, sectorSize != 4096 {
            throw ValidationError("a sector has 512 or 4096 bytes, not \(sectorSize)")
        }
    }

    func image(at path: String, size: Int64, sectorSize usual: Int) throws(StorageFault) -> NewImage {
        let suffix = URL(fileURLWithPath: path).pathExtension.lowercased()
        let named: [String: ImageFormat] = [
            "vhd": .vhd, "avhd": .vhd, "vhdx": .vhdx, "avhdx": .vhdx, "raw": .raw, "img": .raw, "bin": .raw,
        ]
        guard let format = format?.format ?? named[suffix] else {
            throw StorageFault(
                .badInput, "IMAGE-FORMAT", path, "its name does not say which format it is to have",
                action: "Use --format raw, vhd or vhdx")
        }
        return NewImage(
            format: format, kind: fixed ? .fixed : .dynamic, size: size, sectorSize: sectorSize ?? usual,
            blockSize: blockSize?.count)
    }
}

/// The progress line of a work on bytes, shared by its workers; Control-C stops the work.
final class ByteProgress: Sendable {
    private let line = Mutex(Progress())

    /// - Parameter listening: whether Control-C asks the work to stop; else it ends the program.
    init(listening: Bool = true) { if listening { Interrupt.listen() } }

    var callback: ImageProgress {
        { [self] done, total in
            line.withLock { $0.show(done: done, of: total) }
            return !Interrupt.isAsked
        }
    }

    func clear() { line.withLock { $0.clear() } }

    /// Runs `body` with the line, and takes it away whatever happens.
    static func during<Result>(_ body: (@escaping ImageProgress) throws -> Result) rethrows -> Result {
        let progress = ByteProgress()
        defer { progress.clear() }
        return try body(progress.callback)
    }
}
