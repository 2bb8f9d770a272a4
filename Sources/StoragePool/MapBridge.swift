import CMapFile
import Files
import Synchronization

/// Lends file systems that are not the host's to SQLite, under paths that begin with `/@` and the loan's number. One process uses
/// such a database, and one connection at a time: there are no locks.
enum MapBridge {
    /// The VFS without and with seals.
    static let bareName = "dpmsim-bridge"
    static let sealedName = "dpmsim-sealed-bridge"

    private struct Loan {
        let files: any FileSystem
        var openFiles = 0
    }
    private struct Loans {
        var next = 1
        var current: [Int: Loan] = [:]
    }
    private static let loans = Mutex(Loans())

    /// Starts a loan. It ends by itself when the last file opened under it is closed, or by `end` if none ever was.
    static func lend(_ files: any FileSystem) -> Int {
        loans.withLock { loans in
            defer { loans.next += 1 }
            loans.current[loans.next] = Loan(files: files)
            return loans.next
        }
    }

    static func end(_ number: Int) {
        loans.withLock { loans in
            if loans.current[number]?.openFiles == 0 { loans.current[number] = nil }
        }
    }

    static func path(_ path: String, of number: Int) -> String { "/@\(number)/" + path }

    fileprivate static func parse(_ name: UnsafePointer<CChar>?) -> (number: Int, path: String)? {
        guard let name else { return nil }
        let text = String(cString: name)
        guard text.hasPrefix("/@"), let slash = text.dropFirst().firstIndex(of: "/"),
            let number = Int(text[text.index(text.startIndex, offsetBy: 2)..<slash])
        else { return nil }
        return (number, String(text[text.index(after: slash)...]))
    }

    fileprivate static func files(of number: Int) -> (any FileSystem)? {
        loans.withLock { $0.current[number]?.files }
    }

    fileprivate static func count(_ change: Int, of number: Int) {
        loans.withLock { loans in
            loans.current[number]?.openFiles += change
            if loans.current[number]?.openFiles == 0 { loans.current[number] = nil }
        }
    }

    static func folder(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    /// What SQLite calls; it lives as long as the process.
    nonisolated(unsafe) static let functions: UnsafePointer<cmapfile_files> = {
        let functions = UnsafeMutablePointer<cmapfile_files>.allocate(capacity: 1)
        functions.initialize(
            to: cmapfile_files(
                context: nil, open: { _, path, create, readOnly, _, file in open(path, create, readOnly, file) },
                close: { file in close(file) },
                read: { file, bytes, count, offset, got in
                    calling(file) { (file) throws(StorageFault) in
                        got?.pointee = Int32(
                            try file.file.read(
                                into: UnsafeMutableRawBufferPointer(start: bytes, count: Int(count)), at: offset))
                    }
                },
                write: { file, bytes, count, offset in
                    calling(file) { (file) throws(StorageFault) in
                        try file.file.write(UnsafeRawBufferPointer(start: bytes, count: Int(count)), at: offset)
                    }
                },
                truncate: { file, size in
                    calling(file) { (file) throws(StorageFault) in try file.file.truncate(to: size) }
                },
                sync: { file in calling(file) { (file) throws(StorageFault) in try file.sync() } },
                size: { file, size in
                    calling(file) { (file) throws(StorageFault) in size?.pointee = try file.file.size() }
                },
                remove: { _, path, syncFolder in remove(path, syncFolder: syncFolder != 0) },
                exists: { _, path, exists in look(path, exists) }))
        return UnsafePointer(functions)
    }()
}

/// A file SQLite has open. SQLite calls it from one thread at a time.
private final class BridgedFile {
    let number: Int
    let files: any FileSystem
    let file: any StoreFile
    private var nameIsNew: Bool

    init(_ number: Int, _ files: any FileSystem, _ file: any StoreFile, nameIsNew: Bool) {
        (self.number, self.files, self.file, self.nameIsNew) = (number, files, file, nameIsNew)
    }

    func sync() throws(StorageFault) {
        try file.flush()
        guard nameIsNew else { return }
        try files.syncFolder(MapBridge.folder(of: file.path))
        nameIsNew = false
    }
}

private func outcome(of fault: StorageFault) -> Int32 {
    let outcome =
        switch fault.kind {
        case .outOfSpace: CMAPFILE_FULL
        case .missing: CMAPFILE_MISSING
        case .readOnly, .permission: CMAPFILE_READONLY
        case .busy: CMAPFILE_BUSY
        case .badInput, .damaged, .device: CMAPFILE_FAILED
        }
    return Int32(outcome.rawValue)
}

private func guarded(_ body: () throws(StorageFault) -> Void) -> Int32 {
    do throws(StorageFault) { try body() } catch { return outcome(of: error) }
    return Int32(CMAPFILE_DONE.rawValue)
}

private func calling(
    _ file: UnsafeMutableRawPointer?, _ body: (BridgedFile) throws(StorageFault) -> Void
) -> Int32 {
    guard let file else { return Int32(CMAPFILE_FAILED.rawValue) }
    let bridged = Unmanaged<BridgedFile>.fromOpaque(file).takeUnretainedValue()
    return guarded { () throws(StorageFault) in try body(bridged) }
}

private func open(
    _ name: UnsafePointer<CChar>?, _ create: Int32, _ readOnly: Int32,
    _ file: UnsafeMutablePointer<UnsafeMutableRawPointer?>?
) -> Int32 {
    guard let (number, path) = MapBridge.parse(name), let files = MapBridge.files(of: number) else {
        return Int32(CMAPFILE_MISSING.rawValue)
    }
    return guarded { () throws(StorageFault) in
        let isNew = create != 0 ? try files.kind(of: path) == .none : false
        let opened = try files.open(path, readOnly != 0 ? .read : create != 0 ? .createOrOpen : .readWrite)
        MapBridge.count(1, of: number)
        let bridged = BridgedFile(number, files, opened, nameIsNew: isNew)
        file?.pointee = Unmanaged.passRetained(bridged).toOpaque()
    }
}

private func close(_ file: UnsafeMutableRawPointer?) {
    guard let file else { return }
    let bridged = Unmanaged<BridgedFile>.fromOpaque(file).takeRetainedValue()
    bridged.file.close()
    MapBridge.count(-1, of: bridged.number)
}

private func remove(_ name: UnsafePointer<CChar>?, syncFolder: Bool) -> Int32 {
    guard let (number, path) = MapBridge.parse(name), let files = MapBridge.files(of: number) else {
        return Int32(CMAPFILE_MISSING.rawValue)
    }
    return guarded { () throws(StorageFault) in
        try files.remove(path)
        if syncFolder { try files.syncFolder(MapBridge.folder(of: path)) }
    }
}

private func look(_ name: UnsafePointer<CChar>?, _ exists: UnsafeMutablePointer<Int32>?) -> Int32 {
    guard let (number, path) = MapBridge.parse(name), let files = MapBridge.files(of: number) else {
        return Int32(CMAPFILE_MISSING.rawValue)
    }
    return guarded { () throws(StorageFault) in exists?.pointee = try files.kind(of: path) == .file ? 1 : 0 }
}
