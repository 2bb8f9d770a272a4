import Foundation

/// The folder a report is written into: whole or not at all, and never over what somebody else put there.
struct ReportFolder {
    /// Names every file the program wrote there, one a line; its presence is what makes a folder the program's own.
    static let listName = ".dpmsim-report"

    let path: String

    init(path: String) {
        var path = path
        while path.count > 1, path.hasSuffix("/") { path.removeLast() }
        self.path = path
    }

    /// Finds out before the run whether the report may go there.
    /// - Throws: `Complaint` if the path is a file, or a folder with anything in it that a report did not leave.
    func check() throws(Complaint) {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else { return }
        guard isFolder.boolValue else {
            throw complaint("it is a file", "Name a folder, or one that does not exist yet")
        }
        guard let names = try? FileManager.default.subpathsOfDirectory(atPath: path) else {
            throw complaint("it cannot be read", "Give yourself the right to read it, or name another folder")
        }
        let own = Set(listed)
        let foreign = names.sorted().filter { name in
            !own.contains(name) && !own.contains { $0.hasPrefix(name + "/") }
        }
        guard foreign.isEmpty else {
            throw complaint(
                own.isEmpty
                    ? "it is not empty, and what is in it is not a report of dpmsim"
                    : "besides a report it holds \(foreign[0]), which dpmsim did not write",
                "Name another folder, or take away what is in this one")
        }
    }

    /// Puts a report there, in place of an earlier one. It is written beside the folder and renamed, so that the folder
    /// holds the whole old report or the whole new one.
    /// - Parameter fill: writes the report's files into the folder it is given.
    /// - Throws: `Complaint` if `check` does, or the disk refuses; whatever `fill` throws. Nothing new is left then.
    func replace(fill: (String) throws -> Void) throws {
        try check()
        let beside = path + ".dpmsim-\(ProcessInfo.processInfo.processIdentifier)"
        let fresh = beside + ".new"
        let old = beside + ".old"
        defer { try? FileManager.default.removeItem(atPath: fresh) }
        do {
            try FileManager.default.createDirectory(atPath: fresh, withIntermediateDirectories: true)
            try fill(fresh)
            let names = try FileManager.default.subpathsOfDirectory(atPath: fresh).sorted() + [ReportFolder.listName]
            try (names.joined(separator: "\n") + "\n").write(
                toFile: fresh + "/" + ReportFolder.listName, atomically: false, encoding: .utf8)
            let isThere = FileManager.default.fileExists(atPath: path)
            if isThere { try FileManager.default.moveItem(atPath: path, toPath: old) }
            do {
                try FileManager.default.moveItem(atPath: fresh, toPath: path)
            } catch {
                if isThere { try? FileManager.default.moveItem(atPath: old, toPath: path) }
                throw error
            }
            try? FileManager.default.removeItem(atPath: old)
        } catch let error as CocoaError {
            throw Complaint(
                object: "report folder \(path)", cause: "it cannot be written (\(error.localizedDescription))",
                action: "Free room or rights there, or name another folder", isFault: true)
        }
    }

    /// The files an earlier report left, by its list; with the list itself.
    private var listed: [String] {
        guard let text = try? String(contentsOfFile: path + "/" + ReportFolder.listName, encoding: .utf8) else {
            return []
        }
        return text.split(separator: "\n").map(String.init)
    }

    private func complaint(_ cause: String, _ action: String) -> Complaint {
        Complaint(object: "report folder \(path)", cause: cause, action: action)
    }
}
