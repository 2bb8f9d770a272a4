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

    /// Puts the files there, in place of an earlier report. They are written beside the folder and renamed, so that
    /// the folder holds the whole old report or the whole new one.
    /// - Throws: `Complaint` if `check` does, or the disk refuses.
    func write(_ files: [(name: String, content: Data)]) throws(Complaint) {
        try check()
        let beside = path + ".dpmsim-\(ProcessInfo.processInfo.processIdentifier)"
        let fresh = beside + ".new"
        let old = beside + ".old"
        do {
            try? FileManager.default.removeItem(atPath: fresh)
            try FileManager.default.createDirectory(atPath: fresh, withIntermediateDirectories: true)
            let names = files.map(\.name) + [ReportFolder.listName]
            for file in files + [(ReportFolder.listName, Data((names.joined(separator: "\n") + "\n").utf8))] {
                let url = URL(fileURLWithPath: fresh).appendingPathComponent(file.name)
                try FileManager.default.createDirectory(
                    at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
                try file.content.write(to: url)
            }
            if FileManager.default.fileExists(atPath: path) {
                try FileManager.default.moveItem(atPath: path, toPath: old)
            }
            try FileManager.default.moveItem(atPath: fresh, toPath: path)
            try? FileManager.default.removeItem(atPath: old)
        } catch {
            try? FileManager.default.removeItem(atPath: fresh)
            if !FileManager.default.fileExists(atPath: path) {
                try? FileManager.default.moveItem(atPath: old, toPath: path)
            }
            throw complaint(
                "it cannot be written (\(error.localizedDescription))",
                "Free room or rights there, or name another folder")
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
