import Files

/// Looks for the parent of a child: where the child says, then beside it, then where the operator says; and has it proven.
struct ParentSearch {
    var access: ImageAccess
    let child: any ImageLayer
    let reference: ParentReference

    /// The parent, proven by its linkage. `IMAGE-PARENT` if there is none, `IMAGE-LINKAGE` if what is there is another disk or
    /// was written to since the child was made.
    func open() throws(StorageFault) -> any ImageLayer {
        var mismatch: StorageFault?
        let candidates = try candidates()
        for path in candidates where try access.files.kind(of: path) == .file {
            let parent = try access.layer(path, writable: false)
            do throws(StorageFault) {
                try check(parent)
                return parent
            } catch {
                try? parent.close()
                mismatch = mismatch ?? error
            }
        }
        throw mismatch
            ?? StorageFault(
                .missing, "IMAGE-PARENT", child.path,
                "its parent is none of: \(candidates.joined(separator: ", "))",
                action: "Put the parent beside the child, or name the folder it is in")
    }

    private func check(_ parent: any ImageLayer) throws(StorageFault) {
        guard parent.format == child.format else {
            throw StorageFault(
                .badInput, "IMAGE-PARENT-FORMAT", child.path,
                "its parent \(parent.path) is \(parent.format), while it is \(child.format) itself",
                action: "Name the folder of the right parent")
        }
        let linkage = parent.linkage ?? .zero
        if linkage != .zero, reference.linkage.contains(linkage) { return }
        if try MergeJournal.vouches(for: parent, under: child, on: access.files) { return }
        let wanted = reference.linkage.filter { $0 != .zero }.map(\.description)
        throw StorageFault(
            .badInput, "IMAGE-LINKAGE", child.path,
            "it was made on a parent with the identifier \(wanted.isEmpty ? "-" : wanted.joined(separator: " or ")), "
                + "but \(parent.path) has \(linkage): it is another disk, or was written to since",
            action: "Bring back the parent as it was; a child on any other is rubbish")
    }

    /// Paths to try, best first, each once.
    private func candidates() throws(StorageFault) -> [String] {
        let beside = FilePath.folder(child.path)
        var paths: [String] = []
        func add(_ path: String) {
            let path = FilePath.normal(path)
            if !paths.contains(path) { paths.append(path) }
        }
        func text(_ keys: [String]) -> [String] { keys.compactMap { reference.paths[$0] }.filter { !$0.isEmpty } }

        let relative = text(["relative_path", "W2ru"])
        let absolute = text(["absolute_win32_path", "W2ku", "volume_path"])
        let plain = text(["name"])
        for path in relative.map(FilePath.fromWindows) where !path.isRooted { add(FilePath.join(beside, path.path)) }
        for path in absolute + plain where path.hasPrefix("/") || path.hasPrefix("\\") && !path.hasPrefix("\\\\") {
            add(path.replacing("\\", with: "/"))
        }
        let rooted = (absolute + relative + plain).map { FilePath.fromWindows($0).path }
        for path in rooted { for folder in access.parentFolders { add(FilePath.join(folder, path)) } }
        let names = rooted.map(FilePath.name).filter { $0 != "." && $0 != ".." }
        for folder in [beside] + access.parentFolders {
            for name in names { add(FilePath.join(folder, name)) }
            // Windows does not tell `Disk.vhdx` from `disk.vhdx`.
            guard try access.files.kind(of: folder) == .folder else { continue }
            let lower = Set(names.map { $0.lowercased() })
            for name in try access.files.list(folder) where lower.contains(name.lowercased()) {
                add(FilePath.join(folder, name))
            }
        }
        return paths
    }
}
