import ArgumentParser
import DiskImages
import Files
import Foundation
import GuestFiles
import StoragePool
import Units

/// `dpmsim files`: what is in a guest's disks, file by file.
struct FilesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "files",
        abstract: "List, find and recover single files out of disk images and recovery points.",
        discussion: """
            NTFS, FAT, exFAT and ext2 to ext4 on GPT and MBR disks. The source is only read. Disks are taken for hostile: they are read
            by a process of their own, which is ended if it does not get on.
            Exit status: 0 done, 1 files were left out as allowed, 2 bad input, 3 a fault, 64 wrong usage, 130 stopped by Control-C.
            """,
        subcommands: [FilesVolumes.self, FilesList.self, FilesFind.self, FilesCopy.self])
}

/// Which disk, and how it is read.
struct FilesOptions: ParsableArguments {
    @Argument(help: "The image; with --pool, the datasource.", completion: .file()) var source: String
    @Option(
        help: ArgumentHelp("Read a recovery point of this pool.", valueName: "folder"), completion: .directory)
    var pool: String?
    @Option(help: "With --pool, the recovery point: its number, newest, oldest, or replica.") var point: PointChoice?
    @Option(help: ArgumentHelp("With --pool, which if there are several.", valueName: "disk")) var disk: String?
    @Option(
        help: ArgumentHelp(
            "Folder to look for parents in, besides where children say; may be repeated.", valueName: "folder"),
        completion: .directory)
    var parents: [String] = []
    @Option(help: "The image's format, if the content is not to decide.") var format: FormatName?
    @Option(
        help: ArgumentHelp(
            "Of processor time, and twice that of real time, after which reading is ended if it does not get on.",
            valueName: "seconds"))
    var timeLimit = 60
    @Option(help: ArgumentHelp("Memory that reading may take.", valueName: "bytes")) var memoryLimit = ByteCount(
        8 << 30)
    @Flag(help: "Print the answer as JSON.") var json = false

    func validate() throws {
        if pool == nil, point != nil || disk != nil { throw ValidationError("--point and --disk go with --pool") }
        if pool != nil, format != nil || !parents.isEmpty {
            throw ValidationError("--format and --parents are for images, not for a --pool")
        }
        guard 1...86_400 ~= timeLimit else { throw ValidationError("--time-limit is 1 to 86400 seconds") }
        guard memoryLimit.count >= 256 << 20 else { throw ValidationError("--memory-limit is at least 256MiB") }
    }

    /// What the source is called in messages.
    var name: String { pool.map { "\(source) in \($0)" } ?? source }

    /// Lets `body` read the disk in a process of its own: in this one if it is that process, else by beginning it and looking after it.
    ///
    /// `environment` is given to that process; `after` is called when it is gone, however it ended.
    func reading(
        environment: [String: String] = [:], after: () -> Void = {},
        _ body: @escaping (GuestDisk, SupervisedWork.Worker) throws -> Void
    ) throws {
        try endingByFault(json: json) {
            guard let worker = SupervisedWork.Worker.own else {
                return try supervise(environment, after) { worker in
                    do {
                        try endingByFault(json: json) { try withDevice { try body(try GuestDisk($0), worker) } }
                        return 0
                    } catch {
                        let message = DPMSim.fullMessage(for: error)
                        if !message.isEmpty { Terminal.errors.line(message) }
                        return DPMSim.exitCode(for: error).rawValue
                    }
                }
            }
            try withDevice { try body(try GuestDisk($0), worker) }
        }
    }

    private func supervise(
        _ environment: [String: String], _ after: () -> Void, _ work: @escaping (SupervisedWork.Worker) -> Int32
    ) throws {
        var supervision = SupervisedWork(
            program: "/proc/self/exe", arguments: Array(CommandLine.arguments.dropFirst()),
            limits: .init(cpuSeconds: timeLimit, silentSeconds: 2 * timeLimit, memory: memoryLimit.count), object: name)
        supervision.environment = environment
        let line = ByteProgress()
        let show = line.callback
        let status: Int32
        do {
            // Last of all that was half done: the process is gone when `run` ends.
            defer {
                line.clear()
                after()
            }
            status = try supervision.run(copied: work) { $1 > 0 ? show($0, $1) : !Interrupt.isAsked }
        }
        if status != 0 { throw ExitCode(status) }
    }

    private func withDevice(_ body: (any BlockDevice) throws -> Void) throws {
        if let pool {
            let path = absolute(pool)
            let isWritable = access(path, W_OK) == 0 || (errno != EROFS && errno != EACCES)
            let opened = try Pool.open(path, on: HostFiles(), writable: isWritable)
            defer { try? opened.close() }
            let number = try (point ?? .newest).number(in: opened, of: source)
            try body(try opened.device(of: source, at: number, disk: disk))
        } else {
            let access = ImageAccess(HostFiles(), guids: HostGUIDs(), parentFolders: parents.map(absolute))
            let image = try DiskImage.open(absolute(source), by: access, format: format?.format)
            defer { try? image.close() }
            try body(image)
        }
    }
}

/// Which volume of a disk.
struct VolumeOptions: ParsableArguments {
    @Option(help: "The volume's number, as `files volumes` gives it; needed only if several have files.") var volume:
        Int?

    func open(_ disk: GuestDisk) throws(StorageFault) -> GuestVolume {
        let all = try disk.volumes()
        let readable = all.filter(\.kind.isReadable)
        if let volume {
            guard let facts = all.first(where: { $0.number == volume }) else {
                throw refusal(disk, "there is no volume \(volume)", "Choose one of \(Self.list(readable))")
            }
            return try disk.open(facts)
        }
        guard let first = readable.first else {
            let found = all.map { "volume \($0.number) \($0.kind.obstacle ?? "")" }.joined(separator: "; ")
            throw refusal(
                disk, found.isEmpty ? "it has no volumes" : "none of its volumes can be read: \(found)",
                "Restore the whole disk")
        }
        guard readable.count == 1 else {
            throw refusal(disk, "several of its volumes have files", "Say --volume with one of \(Self.list(readable))")
        }
        return try disk.open(first)
    }

    private func refusal(_ disk: GuestDisk, _ cause: String, _ action: String) -> StorageFault {
        StorageFault(.badInput, "GUEST-VOLUME", disk.device.name, cause, action: action)
    }

    private static func list(_ volumes: [VolumeFacts]) -> String {
        volumes.map {
            "\($0.number) (\($0.kind.rawValue), \(Bytes($0.range.upperBound - $0.range.lowerBound).rounded))"
        }
        .joined(separator: ", ")
    }
}

/// A guest's text on a terminal of ours: what would move the cursor or colour the line is shown, not done.
func printable(_ text: String) -> String {
    String(
        String.UnicodeScalarView(
            text.unicodeScalars.map {
                $0.value < 32 || 0x7F...0x9F ~= $0.value || 0x202A...0x202E ~= $0.value || 0x2066...0x2069 ~= $0.value
                    ? "\u{FFFD}" : $0
            }))
}
