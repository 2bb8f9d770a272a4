import Glibc
import Synchronization

/// An open file of a simulated disk.
final class SimulatedFile: StoreFile {
    let path: String
    private let disk: SimulatedDisk
    private let id: Int
    private let opening: Int
    private let life: Int
    private let writable: Bool
    private let closed = OnceFlag()

    init(_ disk: SimulatedDisk, _ path: String, _ id: Int, _ opening: Int, life: Int, writable: Bool) {
        (self.disk, self.path, self.id, self.opening) = (disk, path, id, opening)
        (self.life, self.writable) = (life, writable)
    }

    deinit { close() }

    func close() {
        guard closed.first() else { return }
        disk.state.withLock { state in
            guard state.life == life else { return }
            state.locks[id]?[opening] = nil
            state.opened[id]? -= 1
            if state.opened[id] == 0 {
                state.opened[id] = nil
                if !state.isNamed(id, path) { state.forgetUnused() }
            }
        }
        disk.signal.raise()
    }

    private func call<Result: Sendable>(
        _ verb: String, writes: Bool = false, changes: Bool = false,
        _ body: (inout SimulatedDisk.State, _ cuts: Bool) throws(StorageFault) -> Result
    ) throws(StorageFault) -> Result {
        // Withheld from `withLock`, whose closure would have to be a sending one.
        var result: Result?
        try disk.state.withLock { (state) throws(StorageFault) in
            guard state.life == life else { throw .powerCut(path) }
            let cuts = try state.begin(verb, path, writes: writes || changes)
            if changes, !writable { throw .host(verb, path, EBADF) }
            result = try body(&state, cuts)
            if cuts { throw .powerCut(path) }
        }
        return result!
    }

    func size() throws(StorageFault) -> Int64 {
        try call("ask the size of") { (state, _) in state.contents[id]?.size ?? 0 }
    }

    func allocated() throws(StorageFault) -> Int64 {
        try call("ask the size of") { (state, _) in
            Int64((state.contents[id]?.pageCount ?? 0) * SimulatedContent.pageSize)
        }
    }

    func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(StorageFault) -> Int {
        try call("read") { (state, _) throws(StorageFault) in
            guard offset >= 0 else { throw .host("read", path, EINVAL) }
            return state.contents[id]?.read(into: buffer, at: offset) ?? 0
        }
    }

    func write(_ bytes: UnsafeRawBufferPointer, at offset: Int64) throws(StorageFault) {
        try call("write", changes: true) { (state, _) throws(StorageFault) in
            guard offset >= 0 else { throw .host("write", path, EINVAL) }
            let range = offset..<offset + Int64(bytes.count)
            var count = bytes.count
            let room = state.freePages
            if room < bytes.count / SimulatedContent.pageSize + 2 {
                let new = state.contents[id]?.newPages(in: range) ?? []
                // As on a real disk, what fits is written before the rest fails.
                if new.count > room { count = max(0, new[room] * SimulatedContent.pageSize - Int(offset)) }
            }
            state.change(id) { $0.write(UnsafeRawBufferPointer(rebasing: bytes[..<count]), at: offset) }
            if count < bytes.count { throw .host("write", path, ENOSPC) }
        }
    }

    func truncate(to size: Int64) throws(StorageFault) {
        try call("resize", changes: true) { (state, _) throws(StorageFault) in
            guard size >= 0 else { throw .host("resize", path, EINVAL) }
            state.change(id) { $0.resize(to: size) }
        }
    }

    func punch(_ range: Range<Int64>) throws(StorageFault) {
        guard !range.isEmpty else { return }
        try call("free space in", changes: true) { (state, _) in state.change(id) { $0.punch(range) } }
    }

    func reserve(_ range: Range<Int64>) throws(StorageFault) {
        guard !range.isEmpty else { return }
        try call("reserve space for", changes: true) { (state, _) throws(StorageFault) in
            guard (state.contents[id]?.newPages(in: range).count ?? 0) <= state.freePages else {
                throw .host("reserve space for", path, ENOSPC)
            }
            state.change(id) { $0.reserve(range) }
        }
    }

    func flush() throws(StorageFault) {
        do throws(StorageFault) {
            try call("flush", writes: true) { (state, cuts) in
                guard !cuts else { return }
                state.flushes += 1
                state.change(id) { $0.settle() }
            }
        } catch {
            // The system forgets what it could not write.
            disk.state.withLock { state in
                if state.life == life, !state.isCut { state.change(id) { $0.dropUnflushed() } }
            }
            throw error
        }
    }

    func writeSoon(_ range: Range<Int64>) {}

    func dataRange(from offset: Int64) throws(StorageFault) -> Range<Int64>? {
        try call("look for data in") { (state, _) in state.contents[id]?.dataRange(from: offset) }
    }

    func lock(exclusive: Bool, wait: Bool) throws(StorageFault) -> Bool {
        while true {
            let seen = disk.signal.count
            let (taken, gaveUp) = try call("lock") { (state, _) in
                // Like flock: a lock that is changed is given up first.
                let gaveUp = state.locks[id]?.removeValue(forKey: opening) != nil
                let others = state.locks[id] ?? [:]
                guard exclusive ? others.isEmpty : !others.values.contains(true) else { return (false, gaveUp) }
                state.locks[id, default: [:]][opening] = exclusive
                return (true, gaveUp)
            }
            if gaveUp { disk.signal.raise() }
            if taken || !wait { return taken }
            if !gaveUp { disk.signal.wait(after: seen) }
        }
    }

    func unlock() throws(StorageFault) {
        try call("unlock") { (state, _) in state.locks[id]?[opening] = nil }
        disk.signal.raise()
    }
}

extension SimulatedDisk.State {
    var freePages: Int { max(0, Int(capacity / Int64(SimulatedContent.pageSize)) - usedPages) }

    /// Whether a file still has the name it was opened under: then nothing is to be cleared away.
    func isNamed(_ id: Int, _ path: String) -> Bool { names.now[SimulatedNames.normal(path)] == .file(id) }
}

/// Wakes threads that wait for something to change.
final class Signal: @unchecked Sendable {
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var raised = 0

    init() {
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(condition, nil)
    }

    deinit {
        pthread_cond_destroy(condition)
        pthread_mutex_destroy(mutex)
        condition.deallocate()
        mutex.deallocate()
    }

    var count: Int {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return raised
    }

    func raise() {
        pthread_mutex_lock(mutex)
        raised += 1
        pthread_cond_broadcast(condition)
        pthread_mutex_unlock(mutex)
    }

    /// Returns once `raise` has been called more than `seen` times.
    func wait(after seen: Int) {
        pthread_mutex_lock(mutex)
        while raised == seen { pthread_cond_wait(condition, mutex) }
        pthread_mutex_unlock(mutex)
    }
}
