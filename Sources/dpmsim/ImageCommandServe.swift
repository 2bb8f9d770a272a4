import ArgumentParser
import DiskImages
import Files
import Foundation
import Synchronization
import Units

/// An image open for writing; what is written is tracked if a track file is beside it.
final class WritableImage: BlockDevice {
    private let image: DiskImage
    private let tracked: TrackedDevice?
    /// The linkage the track file knows.
    private let linkage: Mutex<GUID?>

    /// - Parameter tracking: whether a track file is made if there is none.
    init(_ path: String, by access: ImageAccess, tracking: Bool) throws(StorageFault) {
        let isThere = try access.files.kind(of: SourceTrack.path(path)) == .file
        // A track file that is there must know of every write, asked for or not.
        guard tracking || isThere else {
            image = try DiskImage.open(path, by: access, access: .readWrite)
            tracked = nil
            linkage = Mutex(nil)
            return
        }
        // To open it for writing may change the file, if the last writer was cut off; no block of the disk changes by that. So what
        // it is now is looked at before.
        let now = try DiskImage.open(path, by: access)
        defer { try? now.close() }
        let known = try SourceTrack.identify(now)
        try now.close()
        let tracker = try ChangeTracker.open(
            SourceTrack.path(path), files: access.files, image: known, guids: access.guids)
        var opened: DiskImage?
        do throws(StorageFault) {
            let image = try DiskImage.open(path, by: access, access: .readWrite)
            opened = image
            tracked = try TrackedDevice(image, tracker)
            self.image = image
            linkage = Mutex(known.linkage)
        } catch {
            tracker.abandon()
            try? opened?.close()
            throw error
        }
    }

    private var device: any BlockDevice { tracked ?? image }
    var isTracked: Bool { tracked != nil }
    var name: String { image.name }
    var size: Int64 { image.size }
    var sectorSize: Int { image.sectorSize }

    func allocatedRanges(in range: Range<Int64>) throws(StorageFault) -> [Range<Int64>] {
        try device.allocatedRanges(in: range)
    }
    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(StorageFault) {
        try device.read(into: buffer, at: offset)
    }
    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(StorageFault) {
        try device.write(bytes, at: offset)
        try renew()
    }
    func discard(_ range: Range<Int64>) throws(StorageFault) {
        try device.discard(range)
        try renew()
    }
    func flush() throws(StorageFault) { try device.flush() }

    /// The first write of a session gives VHD and VHDX files a new linkage. Until the track file has it, a crash makes the next backup
    /// compare everything; afterwards only the regions that were written.
    private func renew() throws(StorageFault) {
        guard let tracked else { return }
        let now = image.layers[0].linkage
        try linkage.withLock { (known) throws(StorageFault) in
            guard now != known else { return }
            try tracked.tracker.renew(try SourceTrack.identify(image))
            known = now
        }
    }

    /// Everything written is on the medium when it returns, and the track file says that nothing was cut off.
    func close() throws(StorageFault) {
        guard let tracked else { return try image.close() }
        do throws(StorageFault) {
            try tracked.flush()
            try image.close()
        } catch {
            tracked.tracker.abandon()
            try? image.close()
            throw error
        }
        try tracked.tracker.close(try SourceTrack.identify(image))
    }
}

/// `dpmsim image serve`: an image that any tool may write to.
struct ImageServe: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve", abstract: "Offer an image by NBD, for writing, until Control-C.",
        discussion: """
            With a track file beside the image, made by --track or by a pool's backup --tracked, every write is tracked, so that the next
            backup reads only what changed, also after a crash. Whatever writes to a tracked image otherwise makes the next backup
            compare all of it; but after a crash of this program, serve the image again before anything else writes to it.
            """)

    @Argument(help: "The image.", completion: .file()) var path: String
    @OptionGroup var options: ImageOptions
    @Flag(help: "Track changes from now on.") var track = false
    @Flag(help: "Only for reading.") var readOnly = false
    @OptionGroup var server: ServerOptions

    func validate() throws {
        if track, readOnly { throw ValidationError("nothing is written with --read-only, so --track is of no use") }
    }

    func run() throws {
        try options.ending {
            if readOnly {
                let image = try DiskImage.open(absolute(path), by: options.access)
                defer { try? image.close() }
                return try server.serve([NBDExport(fileName(path), image)], json: options.json)
            }
            // Before the image is open, so that nothing ends the program while it is.
            Interrupt.hold()
            let image = try WritableImage(absolute(path), by: options.access, tracking: track)
            do { try server.serve([NBDExport(fileName(path), image, isWritable: true)], json: options.json) } catch {
                try? image.close()
                throw error
            }
            try image.close()
        }
    }
}

/// `dpmsim image write`: bytes into a disk.
struct ImageWrite: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "write",
        abstract: "Write bytes into the disk that an image holds, tracked if a track file is there.",
        discussion: "Bytes come from standard input or a file, to any place of the disk; it grows by nothing.")

    @Argument(help: "The image.", completion: .file()) var path: String
    @Option(help: ArgumentHelp("Where to, in the disk.", valueName: "bytes")) var offset: ByteCount
    @Option(help: ArgumentHelp("Standard input if left out.", valueName: "file"), completion: .file()) var from: String?
    @OptionGroup var options: ImageOptions
    @Flag(help: "Track changes from now on.") var track = false

    private struct Fact: Encodable {
        var path: String, offset: Int64, length: Int64, isTracked: Bool
    }

    func run() throws {
        try options.ending {
            let file = try from.map { (path) throws(StorageFault) in
                try HostFile(path: absolute(path), access: .read)
            }
            defer { file?.close() }
            let image = try WritableImage(absolute(path), by: options.access, tracking: track)
            let length: Int64
            do {
                if let file { try checkRoom(try file.size(), in: image) }
                length = try copy(from: file?.descriptor ?? 0, to: image)
            } catch {
                try? image.close()
                throw error
            }
            try image.close()
            let fact = Fact(path: absolute(path), offset: offset.count, length: length, isTracked: image.isTracked)
            if options.json { return try JSONOutput.print(fact) }
            Terminal.output.line(
                "\(path): \(Bytes(length)) written at \(offset.count)\(image.isTracked ? ", tracked" : "").")
        }
    }

    private func checkRoom(_ count: Int64, in image: WritableImage) throws(StorageFault) {
        guard offset.count <= image.size, count <= image.size - offset.count else {
            throw StorageFault(
                .badInput, "DISK-RANGE", image.name,
                "\(count) bytes at \(offset.count) do not lie inside the disk, which has \(image.size) bytes",
                action: "Write inside the disk, or make the disk larger first")
        }
    }

    private func copy(from descriptor: Int32, to image: WritableImage) throws(StorageFault) -> Int64 {
        let sector = Int64(image.sectorSize)
        let size: Int64 = 1 << 20
        let buffer = Buffer(count: Int(size))
        var at = offset.count
        while true {
            // Parts end with whole sectors, as long as there is more.
            let room = size - at % sector - sector
            let part = buffer[Int(at % sector)..<Int(at % sector + room)]
            let count = Int64(try read(descriptor, into: part))
            if count == 0 { break }
            try checkRoom(at + count - offset.count, in: image)
            // What the first and the last sector hold besides stays.
            let (start, end) = (at / sector * sector, (at + count + sector - 1) / sector * sector)
            if at > start { try image.read(into: buffer[0..<Int(at - start)], at: start) }
            if end > at + count {
                try image.read(into: buffer[Int(at + count - start)..<Int(end - start)], at: at + count)
            }
            try image.write(UnsafeRawBufferPointer(buffer[0..<Int(end - start)]), at: start)
            at += count
            if count < room { break }
        }
        return at - offset.count
    }

    /// Fills `part`, less only at the end of the input.
    private func read(_ descriptor: Int32, into part: UnsafeMutableRawBufferPointer) throws(StorageFault) -> Int {
        var done = 0
        while done < part.count {
            let count = Foundation.read(descriptor, part.baseAddress! + done, part.count - done)
            if count < 0 && errno == EINTR { continue }
            guard count >= 0 else { throw .host("read", from ?? "standard input", errno) }
            if count == 0 { break }
            done += count
        }
        return done
    }
}
