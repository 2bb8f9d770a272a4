import Files
import Foundation

/// A folder for the files of one run, which goes at its end; and if the program was killed, when the next one is made.
///
/// `dpmsim-XXXXXX/` holds `lock`, which a living program has locked, and `data`. A folder is another run's that is over if its lock says
/// so and nobody holds it; anything else is let alone.
struct TemporaryFolder {
    private static let text = Array(
        "dpmsim: files of a run; the folder may be removed when nobody holds this lock\n".utf8)
    private let folder: String
    private let lock: any StoreFile
    /// Not there yet.
    var path: String { folder + "/data" }

    /// - Throws: `Complaint` if there is no place for it.
    init() throws {
        let place = FileManager.default.temporaryDirectory.path
        Self.removeStale(in: place)
        var template = Array((place + "/dpmsim-XXXXXX").utf8CString)
        guard mkdtemp(&template) != nil else {
            throw Complaint(
                object: place, cause: "no temporary folder can be made there", action: "Name a folder with --data",
                isFault: true)
        }
        folder = template.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
        let files = HostFiles()
        do {
            // Locked before it has its name, so that nobody finds it free.
            let draft = folder + "/lock.new"
            lock = try files.open(draft, .create)
            _ = try lock.lock(exclusive: true, wait: false)
            try lock.write(Self.text, at: 0)
            try files.rename(draft, to: folder + "/lock")
        } catch {
            try? FileManager.default.removeItem(atPath: folder)
            throw error
        }
    }

    func remove() {
        try? FileManager.default.removeItem(atPath: folder)
        lock.close()
    }

    private static func removeStale(in place: String) {
        let files = HostFiles()
        for name in (try? FileManager.default.contentsOfDirectory(atPath: place)) ?? [] {
            guard name.wholeMatch(of: /dpmsim-[A-Za-z0-9]{6}/) != nil else { continue }
            let folder = place + "/" + name
            let kinds = [folder, folder + "/lock"].map {
                (try? FileManager.default.attributesOfItem(atPath: $0))?[.type] as? FileAttributeType
            }
            // Neither may be a link that leads elsewhere.
            guard kinds == [.typeDirectory, .typeRegular], let lock = try? files.open(folder + "/lock", .readWrite),
                (try? lock.size()) == Int64(text.count), (try? lock.bytes(text.count, at: 0)) == text,
                (try? lock.lock(exclusive: true, wait: false)) == true
            else { continue }
            try? FileManager.default.removeItem(atPath: folder)
            lock.close()
        }
    }
}
