import ArgumentParser
import DiskImages
import Files
import Units

/// What was made or changed, as `--json` gives it.
private struct WrittenFact: Encodable {
    var path: String, size: Int64, format: String

    /// Looks at the file as anybody else would.
    init(_ path: String, _ access: ImageAccess, format: ImageFormat? = nil) throws(StorageFault) {
        let image = try DiskImage.open(path, by: access, format: format)
        defer { try? image.close() }
        (self.path, size, self.format) = (path, image.size, image.format.rawValue)
    }

    func tell(_ text: String, json: Bool) throws {
        if json { try JSONOutput.print(self) } else { Terminal.output.line(text) }
    }
}

/// `dpmsim image create`: an empty disk.
struct ImageCreate: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "create", abstract: "Make an empty disk image.")

    @Argument(help: "The new file.", completion: .file()) var path: String
    @Argument(help: "The disk's size, such as 40GiB.") var size: ByteCount
    @OptionGroup var new: NewImageOptions
    @OptionGroup var options: ImageOptions
    @Flag(help: "Replace a file of that name.") var replace = false

    func run() throws {
        try options.ending {
            let (target, access) = (absolute(path), options.access)
            let image = try new.image(at: path, size: size.count, sectorSize: 512)
            let sector = Int64(image.sectorSize)
            guard size.count > 0, size.count % sector == 0 else {
                throw StorageFault(
                    .badInput, "IMAGE-SIZE", path, "\(size.count) bytes are not whole sectors of \(sector) bytes",
                    action: "Name a size of whole sectors")
            }
            let nothing = MemoryDevice(size: size.count, sectorSize: image.sectorSize, name: "an empty disk")
            var conversion = ImageConversion(nothing, to: target, as: image)
            conversion.replaces = replace
            try conversion.run(on: access.files, guids: access.guids, created: WallClock.secondsSince2000)
            try WrittenFact(target, access, format: image.format)
                .tell("\(path): \(image.format) of \(Bytes(size.count)).", json: options.json)
        }
    }
}

/// `dpmsim image convert`: a disk into a new file, a chain into one.
struct ImageConvert: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "convert", abstract: "Copy a disk into a new image file; a chain becomes one file.",
        discussion: "Holes and zeros cost neither time nor space. The source is never changed.")

    @Argument(help: "The image to read.", completion: .file()) var source: String
    @Argument(help: "The new file.", completion: .file()) var target: String
    @OptionGroup var new: NewImageOptions
    @OptionGroup var options: ImageOptions
    @Option(help: "The source's format, if its content is not to decide.") var sourceFormat: FormatName?
    @Option(help: "A larger size for the new disk.") var size: ByteCount?
    @Flag(help: "Replace a file of that name, once the new one is whole.") var replace = false
    @Flag(help: "Compare the new file with the source afterwards.") var verify = false

    func run() throws {
        try options.ending {
            let access = options.access
            let image = try DiskImage.open(absolute(source), by: access, format: sourceFormat?.format)
            defer { try? image.close() }
            var wanted = try new.image(at: target, size: size?.count ?? image.size, sectorSize: image.sectorSize)
            // A VHD knows no other sectors.
            if wanted.format == .vhd, new.sectorSize == nil { wanted.sectorSize = 512 }
            let unit = Int64(wanted.sectorSize)
            wanted.size = (wanted.size + unit - 1) / unit * unit
            var conversion = ImageConversion(image, to: absolute(target), as: wanted)
            conversion.replaces = replace
            let clock = WallClock()
            try ByteProgress.during {
                try conversion.run(
                    on: access.files, guids: access.guids, created: WallClock.secondsSince2000, progress: $0)
            }
            if verify { try check(image, absolute(target), wanted.format, access) }
            let time = SimDuration(roundingUp: clock.seconds).rounded
            try WrittenFact(absolute(target), access, format: wanted.format)
                .tell("\(target): \(wanted.format) of \(Bytes(wanted.size)), in \(time).", json: options.json)
        }
    }

    private func check(_ image: DiskImage, _ path: String, _ format: ImageFormat, _ access: ImageAccess) throws {
        let made = try DiskImage.open(path, by: access, format: format)
        defer { try? made.close() }
        let result = try ByteProgress.during { try ImageComparison(image, made).run(progress: $0) }
        guard result.isEqual else {
            throw StorageFault(
                .damaged, "IMAGE-VERIFY", path,
                "it differs from its source in \(result.differingBytes) bytes, first at \(result.firstDifferences.first?.lowerBound ?? 0)",
                action: "Do not use it; check the disk under it")
        }
    }
}

/// `dpmsim image checkpoint`: a child to write to from now on.
struct ImageCheckpoint: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "checkpoint", abstract: "Make an empty child beside an image, which stays as it is from then on.")

    @Argument(help: "The image.", completion: .file()) var path: String
    @Option(help: ArgumentHelp("The child's file; a name as Hyper-V gives it if left out.", valueName: "file"))
    var child: String?
    @OptionGroup var options: ImageOptions

    func run() throws {
        try options.ending {
            let made = try DiskImage.checkpoint(
                absolute(path), child: child.map(absolute), by: options.access, created: WallClock.secondsSince2000)
            try WrittenFact(made, options.access).tell(made, json: options.json)
        }
    }
}

/// `dpmsim image merge`: a child into its parent.
struct ImageMergeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "merge", abstract: "Bring a child's changes into its parent and remove the child.",
        discussion: """
            Cut off at any moment, the disk still reads as before, and the same command goes on. A child of the child, in the same
            folder, gets the parent as its own.
            """)

    @Argument(help: "The child.", completion: .file()) var child: String
    @OptionGroup var options: ImageOptions

    func run() throws {
        try options.ending {
            let merge = ImageMerge(absolute(child), by: options.access)
            let parent = try ByteProgress.during { try merge.run(progress: $0) }
            try WrittenFact(parent, options.access).tell("\(child) is merged into \(parent).", json: options.json)
        }
    }
}

/// `dpmsim image resize`: a larger or smaller disk.
struct ImageResize: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "resize", abstract: "Make a disk larger or smaller; partitions and file systems stay as they are.")

    @Argument(help: "The image.", completion: .file()) var path: String
    @Argument(help: "The new size, such as 80GiB.") var size: ByteCount
    @Option(help: "The format, if the content is not to decide.") var format: FormatName?
    @Flag(help: "Make it smaller though something is cut off.") var allowLoss = false
    @OptionGroup var options: ImageOptions

    func run() throws {
        try options.ending {
            let (target, access) = (absolute(path), options.access)
            let image = try DiskImage.open(target, by: access, access: .readWrite, format: format?.format)
            do {
                try image.resize(to: size.count, losing: allowLoss)
            } catch {
                try? image.close()
                throw error
            }
            try image.close()
            try WrittenFact(target, access, format: format?.format)
                .tell("\(path): \(Bytes(size.count)).", json: options.json)
        }
    }
}

/// `dpmsim image reparent`: tells a child where its parent is.
struct ImageReparent: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reparent", abstract: "Tell a child where its parent is now.")

    @Argument(help: "The child.", completion: .file()) var child: String
    @Argument(help: "The parent.", completion: .file()) var parent: String
    @Flag(help: "Take it though it is not proven to be the parent: the disk is rubbish if it is not.") var trust = false
    @OptionGroup var options: ImageOptions

    func run() throws {
        try options.ending {
            try DiskImage.reparent(absolute(child), to: absolute(parent), trusting: trust, by: options.access)
            try WrittenFact(absolute(child), options.access)
                .tell("\(child) has \(parent) as its parent.", json: options.json)
        }
    }
}
