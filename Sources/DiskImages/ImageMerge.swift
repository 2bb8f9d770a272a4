public import Files

/// Brings what a child holds into its parent, and takes the child away: what deleting a checkpoint is.
///
/// At any moment, also after a power cut, child and parent together read as before; `<child>.merge` proves that meanwhile (see
/// `MergeJournal`). Run again, a merge that was cut off goes on. Order: journal; the parent's blocks, flushed before progress is
/// noted; "merged"; the grandchildren's parent; the child; the journal.
public struct ImageMerge: Sendable {
    /// Of the child, looked at together, bytes.
    private static let window: Int64 = 256 << 20
    private static let piece = 1 << 20

    public var child: String
    public var access: ImageAccess
    /// Bytes written to the parent between two notes of progress.
    var noteEvery: Int64 = 64 << 20

    public init(_ child: String, by access: ImageAccess) { (self.child, self.access) = (child, access) }

    /// Returns the parent's path, durable and without the child. O(bytes the child holds).
    ///
    /// Faults: `IMAGE-WHOLE` (no parent), `IMAGE-CHILDREN` (the parent has another child in its folder or the child's, which would
    /// be cut off), `IMAGE-BUSY`, `IMAGE-MERGE`, `IMAGE-STOPPED`, and those of opening and writing; run it again after any of them.
    @discardableResult
    public func run(progress: ImageProgress? = nil) throws(StorageFault) -> String {
        let journal = try MergeJournal.open(of: child, on: access.files)
        if try access.files.kind(of: child) == .none, let journal, journal.merged != nil {
            // Else child could come back after a power cut, and the journal not.
            try access.files.syncFolder(FilePath.folder(child))
            try removeJournal()
            return journal.parentPath
        }
        let layer = try access.layer(child, writable: false)
        var isOpen = true
        defer { if isOpen { try? layer.close() } }
        guard let reference = layer.parent else {
            throw StorageFault(
                .badInput, "IMAGE-WHOLE", child, "it is a whole disk and has no parent", action: "Name a child to merge"
            )
        }
        let parent = try ParentSearch(access: access, child: layer, reference: reference).open()
        let parentPath = parent.path
        do throws(StorageFault) {
            if journal?.merged == nil { try check(layer, parent) }
        } catch {
            try? parent.close()
            throw error
        }
        let linkage = parent.linkage ?? .zero
        try parent.close()
        var state: MergeJournal
        if let journal, !(journal.merged != nil && journal.childLinkage != layer.linkage) {
            guard journal.childLinkage == layer.linkage,
                FilePath.normal(journal.parentPath) == FilePath.normal(parentPath),
                journal.merged == nil || journal.merged == linkage
            else {
                throw StorageFault(
                    .damaged, "IMAGE-MERGE", child, "its journal is of another child or parent than are here now",
                    action: "Bring back both as they were, or remove \(journal.path) if they belong together")
            }
            state = journal
        } else {
            // A journal left by the complete merge of an earlier file of this name counts for nothing.
            state = try begin(layer, parentPath)
        }
        if state.merged == nil { try copy(layer, parentPath, &state, progress) }
        try adopt(layer, parentPath)
        isOpen = false
        try layer.close()
        try access.files.remove(child)
        try access.files.syncFolder(FilePath.folder(child))
        try removeJournal()
        return parentPath
    }

    private func begin(_ layer: any ImageLayer, _ parentPath: String) throws(StorageFault) -> MergeJournal {
        let parent = try access.layer(parentPath, writable: false)
        defer { try? parent.close() }
        return try MergeJournal(of: layer, into: parent, on: access.files)
    }

    private func removeJournal() throws(StorageFault) {
        try access.files.remove(MergeJournal.path(of: child))
        // A journal that comes back counts for nothing: the merge is over, and it must not seem otherwise.
        try? access.files.syncFolder(FilePath.folder(child))
    }

    // MARK: before

    private func check(_ layer: any ImageLayer, _ parent: any ImageLayer) throws(StorageFault) {
        for path in [child, parent.path] { try MergeJournal.refusePending(path, except: child, on: access.files) }
        guard layer.sectorSize == parent.sectorSize else {
            throw StorageFault(
                .damaged, "IMAGE-SECTOR", child,
                "its sectors have \(layer.sectorSize) bytes, those of its parent \(parent.path) \(parent.sectorSize)",
                action: "Bring back the parent it was made on")
        }
        let folders = [FilePath.folder(parent.path), FilePath.folder(child)]
        let others = try access.children(of: parent, in: folders).filter { $0 != FilePath.normal(child) }
        guard others.isEmpty else {
            throw StorageFault(
                .badInput, "IMAGE-CHILDREN", parent.path,
                "it has another child, \(others.joined(separator: ", ")), which would be cut off",
                action: "Merge or remove that first, or convert the chain into a new disk")
        }
        for grandchild in try access.children(of: layer, in: folders) { try access.checkFree(grandchild) }
        // Where the parent ends before child and grandparent, it hides what the grandparent has there.
        guard layer.size <= parent.size || parent.parent == nil else {
            let chain = try DiskImage.open(parent.path, by: access)
            defer { try? chain.close() }
            guard chain.layers[1].size <= parent.size else {
                throw StorageFault(
                    .badInput, "IMAGE-MERGE", child, "it is larger than its parent, and so is its parent's parent",
                    action: "Convert the chain into a new disk instead")
            }
            return
        }
    }

    // MARK: the blocks

    private func copy(
        _ layer: any ImageLayer, _ parentPath: String, _ journal: inout MergeJournal, _ progress: ImageProgress?
    ) throws(StorageFault) {
        // Noted before the parent can get an identifier of this family.
        let session = access.guids.next()
        try journal.begin(session: session, on: access.files)
        var opener = access
        opener.guids = MergeGUIDs(session)
        let parent = try opener.layer(parentPath, writable: true)
        do throws(StorageFault) {
            if layer.size > parent.size { try resize(parent, to: layer.size) }
            try copyRuns(layer, parent, &journal, progress)
            if layer.size < parent.size { try resize(parent, to: layer.size) }
            try parent.flush()
        } catch {
            try? parent.close()
            throw error
        }
        let linkage = parent.linkage ?? .zero
        try parent.close()
        try journal.note(merged: linkage, on: access.files)
    }

    private func resize(_ layer: any ImageLayer, to size: Int64) throws(StorageFault) {
        guard let layer = layer as? any ResizableLayer else {
            throw StorageFault(
                .badInput, "IMAGE-SIZE", layer.path, "a \(layer.format) file cannot be resized",
                action: "Convert the chain into a new disk instead")
        }
        try layer.resize(to: size)
    }

    private func copyRuns(
        _ layer: any ImageLayer, _ parent: any ImageLayer, _ journal: inout MergeJournal, _ progress: ImageProgress?
    ) throws(StorageFault) {
        let buffer = Buffer(count: Self.piece)
        var unnoted: Int64 = 0
        var position = journal.copied
        while position < layer.size {
            let window = position..<min(layer.size, position + Self.window)
            for run in try layer.runs(in: window) {
                switch run.place {
                case .parent: continue
                case .zero: try parent.discard(run.range)
                case .here(let place):
                    var done = run.range.lowerBound
                    while done < run.range.upperBound {
                        let part = done..<min(run.range.upperBound, done + Int64(Self.piece))
                        let bytes = buffer[0..<part.count]
                        try layer.read(into: bytes, of: LayerRun(part, .here(place + done - run.range.lowerBound)))
                        try parent.write(UnsafeRawBufferPointer(bytes), at: done)
                        done = part.upperBound
                    }
                    unnoted += run.range.upperBound - run.range.lowerBound
                }
                if unnoted >= noteEvery {
                    try parent.flush()
                    try journal.note(copied: run.range.upperBound, on: access.files)
                    unnoted = 0
                    if let progress, !progress(run.range.upperBound, layer.size) { throw .stopped(child) }
                }
            }
            position = window.upperBound
            if let progress, !progress(position, layer.size) { throw .stopped(child) }
        }
    }

    // MARK: after

    /// Every child of the child gets the parent as its own.
    private func adopt(_ layer: any ImageLayer, _ parentPath: String) throws(StorageFault) {
        let folders = [FilePath.folder(child), FilePath.folder(parentPath)]
        for path in try access.children(of: layer, in: folders) {
            let parent = try access.layer(parentPath, writable: false)
            defer { try? parent.close() }
            try Reparenting.setParent(of: path, to: parent, by: access)
        }
    }
}

/// Tells a child of another parent.
enum Reparenting {
    static func setParent(of path: String, to parent: any ImageLayer, by access: ImageAccess) throws(StorageFault) {
        let reference = try parent.reference(from: FilePath.folder(path))
        let layer = try access.layer(path, writable: true)
        do throws(StorageFault) {
            guard let child = layer as? any AdoptableLayer, layer.parent != nil else {
                throw StorageFault(
                    .badInput, "IMAGE-WHOLE", path, "it is a whole disk and has no parent",
                    action: "Name a child, or make one with checkpoint")
            }
            try child.setParent(reference)
        } catch {
            try? layer.close()
            throw error
        }
        try layer.close()
    }
}
