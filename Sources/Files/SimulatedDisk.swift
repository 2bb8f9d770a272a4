import Glibc
import Synchronization

/// A disk in memory that loses what a real one may lose. It takes the durability of `FileSystem` at its word: at a power cut
/// content survives that was flushed, and names survive whose folder was synced; of the rest, what `Loss` says.
///
/// It counts calls, cuts the power or fails at a chosen one, has a size, and lets bytes rot. Everything on it is a value, so that
/// `copy` costs next to nothing and every call of a story can be cut in turn. Memory: the content, and the bytes written since
/// the last flush once more.
public final class SimulatedDisk: FileSystem {
    public enum Loss: Hashable, Sendable {
        /// All that was not flushed survives.
        case none
        /// Nothing of it does.
        case all
        /// Each file's unflushed writes are kept, lost, or kept in part: each sector of 512 bytes as it was at some moment since
        /// the flush, and the size likewise. Each unsynced name is there or not.
        case torn(seed: UInt64)
    }

    /// Makes calls fail.
    public struct Fault: Hashable, Sendable {
        /// Counted from 1 among all calls, or among those that write.
        public let call: Int
        public let onlyWrites: Bool
        /// An `errno`: EIO, ENOSPC.
        public let code: Int32
        /// Whether all later ones fail too.
        public let forEver: Bool

        public init(call: Int, onlyWrites: Bool, code: Int32, forEver: Bool) {
            (self.call, self.onlyWrites, self.code, self.forEver) = (call, onlyWrites, code, forEver)
        }
    }

    struct State: Sendable {
        var names = SimulatedNames()
        var contents: [Int: SimulatedContent] = [:]
        var opened: [Int: Int] = [:]
        /// For each file its locks: by opening, whether exclusive.
        var locks: [Int: [Int: Bool]] = [:]
        var nextFile = 1
        var nextOpening = 1
        /// Counts power cuts; files opened before one are stale.
        var life = 0
        var isCut = false
        var cutAt: Int?
        var fault: Fault?
        var capacity: Int64
        var usedPages = 0
        var calls = 0
        var writeCalls = 0
        var flushes = 0
    }
    let state: Mutex<State>
    let signal = Signal()

    /// A disk of `capacity` bytes, which counts space by 4 KiB.
    public init(capacity: Int64 = 1 << 50) { state = Mutex(State(capacity: capacity)) }

    private init(_ state: State) { self.state = Mutex(state) }

    /// A disk in the same state, unflushed writes and a cut that happened included; with no file open, counters at zero and no
    /// plan to cut or fail.
    public func copy() -> SimulatedDisk {
        var copy = state.withLock { $0 }
        (copy.opened, copy.locks) = ([:], [:])
        copy.forgetUnused()
        (copy.cutAt, copy.fault, copy.calls, copy.writeCalls, copy.flushes) = (nil, nil, 0, 0, 0)
        return SimulatedDisk(copy)
    }

    public var isHost: Bool { false }

    /// The call that cuts the power, counted from 1 among those that write (write, truncate, punch, reserve, flush, and those that
    /// make, remove, rename or sync names). It is under way at that moment, and it and all later calls fail (`DISK-CUT`)
    /// until `powerCut`.
    public var cutAt: Int? {
        get { state.withLock { $0.cutAt } }
        set { state.withLock { $0.cutAt = newValue } }
    }
    public var fault: Fault? {
        get { state.withLock { $0.fault } }
        set { state.withLock { $0.fault = newValue } }
    }
    public var capacity: Int64 {
        get { state.withLock { $0.capacity } }
        set { state.withLock { $0.capacity = newValue } }
    }
    public var calls: Int { state.withLock { $0.calls } }
    public var writeCalls: Int { state.withLock { $0.writeCalls } }
    public var flushes: Int { state.withLock { $0.flushes } }
    public var isCut: Bool { state.withLock { $0.isCut } }
    /// Bytes of space in use.
    public var used: Int64 { state.withLock { Int64($0.usedPages * SimulatedContent.pageSize) } }

    /// Takes the power away and gives it back: open files are stale, and the disk holds what `loss` leaves.
    public func powerCut(_ loss: Loss) {
        state.withLock { $0.powerCut(loss) }
        signal.raise()
    }

    /// The paths of all files, sorted, without a leading `/`.
    public var paths: [String] {
        state.withLock { state in state.names.now.filter { $0.value != .folder }.map(\.key).sorted() }
    }

    /// A file's content; nil if there is no such file.
    public func contents(_ path: String) -> [UInt8]? {
        state.withLock { state in
            guard let content = state.content(of: path) else { return nil }
            var bytes = [UInt8](repeating: 0, count: Int(content.size))
            _ = bytes.withUnsafeMutableBytes { content.read(into: $0, at: 0) }
            return bytes
        }
    }

    /// Puts a file with durable content and a durable name there, as an earlier life of the disk would have. Its folder exists.
    public func setContents(_ path: String, _ bytes: [UInt8]) {
        state.withLock { state in
            let path = SimulatedNames.normal(path)
            if state.names.now[path] == nil {
                state.makeFile(path)
                state.names.sync(SimulatedNames.folder(of: path))
            }
            guard case .file(let id) = state.names.now[path] else { return }
            state.change(id) { content in
                content.resize(to: 0)
                bytes.withUnsafeBytes { content.write($0, at: 0) }
                content.settle()
            }
        }
    }

    /// Turns the bits of `mask` in a byte over, on the medium and in the cache. False if there is no such byte.
    @discardableResult public func flip(_ path: String, byte: Int64, mask: UInt8) -> Bool {
        state.withLock { state in
            guard case .file(let id) = state.names.now[SimulatedNames.normal(path)] else { return false }
            var done = false
            state.change(id) { done = $0.flip(byte, mask: mask) }
            return done
        }
    }
}

extension SimulatedDisk.State {
    func content(of path: String) -> SimulatedContent? {
        guard case .file(let id) = names.now[SimulatedNames.normal(path)] else { return nil }
        return contents[id]
    }

    /// Counts a call. True if the power goes during it: it is to be done and then to fail.
    mutating func begin(_ verb: String, _ path: String, writes: Bool) throws(StorageFault) -> Bool {
        calls += 1
        if writes { writeCalls += 1 }
        if isCut { throw .powerCut(path) }
        if writes, let cutAt, writeCalls >= cutAt {
            isCut = true
            return true
        }
        if let fault, !fault.onlyWrites || writes {
            let count = fault.onlyWrites ? writeCalls : calls
            if count == fault.call || (fault.forEver && count > fault.call) { throw .host(verb, path, fault.code) }
        }
        return false
    }

    /// Changes a file's content and keeps the space in use right.
    mutating func change(_ id: Int, _ body: (inout SimulatedContent) -> Void) {
        usedPages -= contents[id]?.pageCount ?? 0
        if contents[id] != nil { body(&contents[id]!) }
        usedPages += contents[id]?.pageCount ?? 0
    }

    @discardableResult mutating func makeFile(_ path: String) -> Int {
        let id = nextFile
        nextFile += 1
        contents[id] = SimulatedContent()
        names.set(path, .file(id))
        return id
    }

    /// A file without a name that is not open gives its space back, but may come back with its name after a cut.
    mutating func forgetUnused() {
        let known = names.files
        for id in contents.keys where !known.contains(id) && (opened[id] ?? 0) == 0 { contents[id] = nil }
        countSpace()
    }

    mutating func countSpace() {
        var used = 0
        var seen: Set<Int> = []
        for node in names.now.values { if case .file(let id) = node { seen.insert(id) } }
        for (id, count) in opened where count > 0 { seen.insert(id) }
        for id in seen { used += contents[id]?.pageCount ?? 0 }
        usedPages = used
    }

    mutating func powerCut(_ loss: SimulatedDisk.Loss) {
        var chance = SplitMix(state: 0)
        if case .torn(let seed) = loss { chance.state = seed }
        for id in contents.keys.sorted() {
            let fate: SimulatedFate =
                switch loss {
                case .none: .kept
                case .all: .lost
                // Files that are lost beside files that are kept show a wrong order of flushes best.
                case .torn: [.kept, .lost, .torn, .torn].randomElement(using: &chance) ?? .torn
                }
            contents[id]?.cut(keeping: fate, &chance)
        }
        switch loss {
        case .none: names.cut(keeping: .kept, &chance)
        case .all: names.cut(keeping: .lost, &chance)
        case .torn: names.cut(keeping: .torn, &chance)
        }
        (opened, locks, isCut, cutAt) = ([:], [:], false, nil)
        life += 1
        forgetUnused()
    }
}

extension SimulatedDisk {
    public func open(_ path: String, _ access: FileAccess) throws(StorageFault) -> any StoreFile {
        try state.withLock { (state) throws(StorageFault) in
            let name = SimulatedNames.normal(path)
            let found = state.names.now[name]
            let makes = found == nil && (access == .create || access == .createOrOpen)
            let cuts = try state.begin("open", path, writes: makes)
            if found == .folder || name.isEmpty { throw .host("open", path, EISDIR) }
            if found != nil, access == .create { throw .host("open", path, EEXIST) }
            if makes {
                guard state.names.hasFolder(SimulatedNames.folder(of: name)) else { throw .host("open", path, ENOENT) }
                state.makeFile(name)
            }
            if cuts { throw .powerCut(path) }
            guard case .file(let id) = state.names.now[name] else { throw .host("open", path, ENOENT) }
            let opening = state.nextOpening
            state.nextOpening += 1
            state.opened[id, default: 0] += 1
            return SimulatedFile(self, path, id, opening, life: state.life, writable: access != .read)
        }
    }

    public func remove(_ path: String) throws(StorageFault) {
        try state.withLock { (state) throws(StorageFault) in
            let cuts = try state.begin("remove", path, writes: true)
            let name = SimulatedNames.normal(path)
            guard let node = state.names.now[name] else { throw .host("remove", path, ENOENT) }
            if node == .folder { throw .host("remove", path, EISDIR) }
            state.names.remove(name)
            state.forgetUnused()
            if cuts { throw .powerCut(path) }
        }
    }

    public func rename(_ path: String, to target: String) throws(StorageFault) {
        try state.withLock { (state) throws(StorageFault) in
            let cuts = try state.begin("rename", path, writes: true)
            let (name, new) = (SimulatedNames.normal(path), SimulatedNames.normal(target))
            guard let node = state.names.now[name] else { throw .host("rename", path, ENOENT) }
            guard state.names.hasFolder(SimulatedNames.folder(of: new)) else { throw .host("rename", target, ENOENT) }
            if let there = state.names.now[new], name != new {
                if there == .folder, node != .folder { throw .host("rename", target, EISDIR) }
                if there != .folder, node == .folder { throw .host("rename", target, ENOTDIR) }
                if there == .folder, !state.names.children(of: new).isEmpty { throw .host("rename", target, ENOTEMPTY) }
            }
            if node == .folder, new.hasPrefix(name + "/") { throw .host("rename", path, EINVAL) }
            state.names.rename(name, to: new)
            state.forgetUnused()
            if cuts { throw .powerCut(path) }
        }
    }

    public func makeFolder(_ path: String) throws(StorageFault) {
        try state.withLock { (state) throws(StorageFault) in
            let cuts = try state.begin("make the folder", path, writes: true)
            let name = SimulatedNames.normal(path)
            if !state.names.hasFolder(name) {
                guard state.names.now[name] == nil else { throw .host("make the folder", path, EEXIST) }
                guard state.names.hasFolder(SimulatedNames.folder(of: name)) else {
                    throw .host("make the folder", path, ENOENT)
                }
                state.names.set(name, .folder)
            }
            if cuts { throw .powerCut(path) }
        }
    }

    public func removeFolder(_ path: String) throws(StorageFault) {
        try state.withLock { (state) throws(StorageFault) in
            let cuts = try state.begin("remove the folder", path, writes: true)
            let name = SimulatedNames.normal(path)
            guard let node = state.names.now[name] else { throw .host("remove the folder", path, ENOENT) }
            guard node == .folder else { throw .host("remove the folder", path, ENOTDIR) }
            guard state.names.children(of: name).isEmpty else { throw .host("remove the folder", path, ENOTEMPTY) }
            state.names.remove(name)
            if cuts { throw .powerCut(path) }
        }
    }

    public func list(_ folder: String) throws(StorageFault) -> [String] {
        try state.withLock { (state) throws(StorageFault) in
            _ = try state.begin("list", folder, writes: false)
            let name = SimulatedNames.normal(folder)
            guard state.names.hasFolder(name) else {
                throw .host("list", folder, state.names.now[name] == nil ? ENOENT : ENOTDIR)
            }
            return state.names.children(of: name)
        }
    }

    public func kind(of path: String) throws(StorageFault) -> EntryKind {
        try state.withLock { (state) throws(StorageFault) in
            _ = try state.begin("look at", path, writes: false)
            let name = SimulatedNames.normal(path)
            if name.isEmpty { return .folder }
            return state.names.now[name].map { $0 == .folder ? .folder : .file } ?? .none
        }
    }

    public func syncFolder(_ path: String) throws(StorageFault) {
        try state.withLock { (state) throws(StorageFault) in
            if try state.begin("flush the folder", path, writes: true) { throw .powerCut(path) }
            let name = SimulatedNames.normal(path)
            guard state.names.hasFolder(name) else { throw .host("open the folder", path, ENOENT) }
            state.names.sync(name)
            state.forgetUnused()
        }
    }

    public func space(at path: String) throws(StorageFault) -> (total: Int64, free: Int64) {
        try state.withLock { (state) throws(StorageFault) in
            _ = try state.begin("ask the free space of", path, writes: false)
            return (state.capacity, max(0, state.capacity - Int64(state.usedPages * SimulatedContent.pageSize)))
        }
    }
}

extension StorageFault {
    static func powerCut(_ path: String) -> StorageFault {
        StorageFault(.device, "DISK-CUT", path, "the power was cut", action: "Start again")
    }
}
