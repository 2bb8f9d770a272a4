import Files
import GRDB

/// Something of a pool that is not as it should be.
public struct Finding: Hashable, Sendable, CustomStringConvertible {
    /// What it concerns: a file, a leaf, a datasource.
    public var object: String
    public var cause: String
    public var action: String
    public init(_ object: String, _ cause: String, action: String) {
        (self.object, self.cause, self.action) = (object, cause, action)
    }
    public var description: String { "\(object): \(cause). \(action)." }
}

/// The structures around the blocks: identities of volumes, headers and lengths of segments, pages of the map.
enum Structures {
    static func findings(_ pool: PoolParts) throws(StorageFault) -> [Finding] {
        var findings: [Finding] = []
        for volume in pool.segments.volumes {
            guard volume.isPresent else {
                findings.append(
                    Finding("volume \(volume.number) at \(volume.path)", "it is missing", action: "Mount it again"))
                continue
            }
            do throws(StorageFault) {
                let identity = try Layout.readIdentity(volume.path, on: pool.files)
                if identity?.pool != pool.id || identity?.volume != volume.number {
                    findings.append(
                        Finding(
                            Layout.identity(volume.path),
                            identity == nil ? "it is missing" : "it names another pool or volume",
                            action: "Run the pool's repair, which writes it anew"))
                }
            } catch {
                findings.append(Finding(error.object, error.cause, action: error.action))
            }
        }
        for (number, tail, live) in try segments(pool) {
            let path: String
            do throws(StorageFault) { path = try pool.segments.path(of: number) } catch { continue }
            let isExpected = live > 0
            guard try pool.files.kind(of: path) == .file else {
                if isExpected {
                    findings.append(Finding(path, "the segment is missing", action: "Run the pool's repair"))
                }
                continue
            }
            let file = try pool.files.open(path, .read)
            defer { file.close() }
            if tail == Location.unit { continue }
            let header = Layout.segmentHeader(pool: pool.id, number: number, size: pool.segments.size)
            do throws(StorageFault) {
                if try file.bytes(header.count, at: 0) != header {
                    findings.append(
                        Finding(path, "its header is damaged", action: "Run the pool's repair, which writes it anew"))
                }
            } catch { findings.append(Finding(error.object, error.cause, action: error.action)) }
        }
        return findings
    }

    /// Number, committed tail and live bytes of each segment.
    static func segments(_ pool: PoolParts) throws(StorageFault) -> [(number: Int64, tail: Int64, live: Int64)] {
        try pool.map.read { db in
            try db.rows("SELECT number, tail, live FROM segment ORDER BY number").map { ($0[0], $0[1], $0[2]) }
        }
    }

    static func findings(of map: MapFindings, path: String, isMended: Bool) -> [Finding] {
        func finding(_ pages: [Int], _ file: String, _ cause: String, _ action: String) -> [Finding] {
            guard !pages.isEmpty else { return [] }
            let named = pages.prefix(8).map { String($0) }.joined(separator: ", ") + (pages.count > 8 ? ", …" : "")
            return [Finding(file, "\(cause): \(named)", action: action)]
        }
        let mended =
            isMended ? "It was mended from the other copy" : "Run the pool's repair, which mends it from the other copy"
        return finding(map.damagedInMain, Layout.map(path), "pages are damaged", mended)
            + finding(map.damagedInMirror, Layout.mirror(path), "pages are damaged", mended)
            + finding(map.differing, Layout.mirror(path), "pages differ from \(Layout.map(path))", mended)
            + finding(
                map.lost, Layout.map(path), "pages are damaged in both copies",
                "Restore both files from a copy of the pool's first volume")
    }

    /// Writes damaged identities and headers anew; what was written, by path.
    static func mend(_ pool: PoolParts) throws(StorageFault) -> [String] {
        var mended: [String] = []
        for volume in pool.segments.volumes where volume.isPresent {
            var isSound = false
            do throws(StorageFault) {
                let identity = try Layout.readIdentity(volume.path, on: pool.files)
                isSound = identity?.pool == pool.id && identity?.volume == volume.number
            } catch { guard error.kind == .damaged else { throw error } }
            guard !isSound else { continue }
            try Pool.writeIdentity(volume.path, pool: pool.id, volume: volume.number, on: pool.files)
            mended.append(Layout.identity(volume.path))
        }
        for (number, tail, _) in try segments(pool) where tail > Location.unit {
            let path: String
            do throws(StorageFault) { path = try pool.segments.path(of: number) } catch { continue }
            guard try pool.files.kind(of: path) == .file else { continue }
            let file = try pool.files.open(path, .readWrite)
            defer { file.close() }
            let header = Layout.segmentHeader(pool: pool.id, number: number, size: pool.segments.size)
            var there = [UInt8](repeating: 0, count: header.count)
            _ = try there.withMutableBytes { (buffer) throws(StorageFault) in try file.read(into: buffer, at: 0) }
            guard there != header else { continue }
            try file.write(header, at: 0)
            try file.flush()
            mended.append(path)
        }
        return mended
    }
}
