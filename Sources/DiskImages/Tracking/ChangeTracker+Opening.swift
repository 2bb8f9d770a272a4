public import Files

extension ChangeTracker {
    /// Opens the track file of an image, or makes it. A file that does not fit the image, or is damaged, begins afresh: the points
    /// of before are unknown then. Only one tracker at a time has a file.
    ///
    /// - `image`: what the image is now, before anything is written to it.
    /// - `granularity`: of a new file, bytes; a power of two from 4 KiB to 1 MiB.
    /// Faults: `TRACK-BUSY`, `TRACK-SIZE`, `TRACK-STAMP`, the file's. Memory: 5 bytes a region and point, and a bit a block of the
    /// regions that changed (`FineMap`).
    public static func open(
        _ path: String, files: any FileSystem, image: TrackedImage, guids: any GUIDSource,
        granularity: Int64 = 65_536
    ) throws(StorageFault) -> ChangeTracker {
        guard TrackGeometry.accepts(size: image.size, granularity: granularity) else {
            throw StorageFault(
                .badInput, "TRACK-SIZE", path,
                "a disk of \(image.size) bytes in blocks of \(granularity) cannot be tracked",
                action: "Take a power of two from 4 KiB to 1 MiB, and a disk of 1 PiB at most")
        }
        guard image.identity.utf8.count <= TrackHead.textLimit, image.stamp.utf8.count <= TrackHead.textLimit else {
            throw StorageFault(
                .badInput, "TRACK-STAMP", path,
                "an image's identity or stamp is longer than \(TrackHead.textLimit) bytes",
                action: "Give shorter ones, a checksum of them for instance")
        }
        let file = try files.open(path, .createOrOpen)
        guard try file.lock(exclusive: true, wait: false) else {
            throw StorageFault(
                .busy, "TRACK-BUSY", path, "another program tracks this image",
                action: "Wait until it has closed the image")
        }
        let heads = (0..<2).map { copy in head(of: file, copy: copy) }
        let (found, reason) = choose(heads, image)
        guard let found else {
            return try fresh(file, files, image, guids, granularity, after: heads, because: reason)
        }
        var state = State(head: found)
        for point in found.points {
            state.intervals.append(interval(point, found, file))
        }
        if let last = state.intervals.last {
            state.durable = coarse(last.point, found, file).map { $0 == .changed }
            for region in state.durable.indices where !last.fine.touches(region) { state.durable[region] = false }
        }
        for (index, interval) in state.intervals.enumerated() { state.head.points[index] = interval.point }
        let tracker = ChangeTracker(file, guids, found.isClean ? .afterCleanEnd : .afterCrash, state)
        // A copy that was lost or torn is mended before anything relies on the other.
        if heads[0] != heads[1] { try tracker.write(found) }
        return tracker
    }

    private static func head(of file: any StoreFile, copy: Int) -> Result<TrackHead, TrackHead.Flaw> {
        do throws(StorageFault) {
            return TrackHead.decode(try file.bytes(TrackHead.length, at: Int64(copy * TrackHead.length)))
        } catch {
            return .failure(error.id == "FILE-SHORT" ? .noHead : .damaged)
        }
    }

    /// The head that is right, if it is of this image; else why not.
    private static func choose(
        _ heads: [Result<TrackHead, TrackHead.Flaw>], _ image: TrackedImage
    ) -> (TrackHead?, String) {
        let good = heads.compactMap { try? $0.get() }
        guard let head = good.max(by: { $0.sequence < $1.sequence }) else {
            for case .failure(.newer(let version)) in heads {
                return (nil, "the track file is of version \(version), which this program does not know")
            }
            if heads.allSatisfy({ $0 == .failure(.noHead) }) { return (nil, "there was no track file") }
            return (nil, "the track file was damaged")
        }
        if head.image.size != image.size {
            return (nil, "the image has \(image.size) bytes and had \(head.image.size) when it was tracked")
        }
        if head.image.linkage != image.linkage {
            return (nil, "the image's linkage is not the one it had when it was tracked")
        }
        if head.image.identity != image.identity {
            return (nil, "the image is another file than the one that was tracked")
        }
        if head.isClean, head.image.stamp != image.stamp {
            return (nil, "the image was changed without being tracked")
        }
        return (head, "")
    }

    private static func fresh(
        _ file: any StoreFile, _ files: any FileSystem, _ image: TrackedImage, _ guids: any GUIDSource,
        _ granularity: Int64, after heads: [Result<TrackHead, TrackHead.Flaw>], because reason: String
    ) throws(StorageFault) -> ChangeTracker {
        var head = TrackHead(image, TrackGeometry(size: image.size, granularity: granularity))
        for case .success(let old) in heads {
            // Greater than what was there, so that it wins while only one copy is written.
            head.sequence = max(head.sequence, old.sequence)
            head.nextInterval = max(head.nextInterval, old.nextInterval)
            head.save = max(head.save, old.save)
        }
        let tracker = ChangeTracker(file, guids, .fresh(reason), State(head: head))
        try tracker.write(head)
        let folder = file.path.split(separator: "/", omittingEmptySubsequences: false).dropLast()
        let parent = folder.joined(separator: "/")
        try files.syncFolder(folder.isEmpty ? "." : parent.isEmpty ? "/" : parent)
        return tracker
    }

    /// What a point's maps say: the fine one after a clean end, else the coarse one.
    private static func interval(_ point: TrackHead.Point, _ head: TrackHead, _ file: any StoreFile) -> Interval {
        if head.isClean, let fine = pages(point, head, file) { return Interval(point: point, fine: fine) }
        var fine = FineMap(head.geometry)
        for (region, mark) in coarse(point, head, file).enumerated() where mark != .unchanged {
            fine.insertWhole(region)
        }
        var point = point
        point.isCoarse = point.isCoarse || !fine.isEmpty
        return Interval(point: point, fine: fine)
    }

    /// The saved fine map; nil if any of its pages is not what it should be. Memory: one page of 1 MiB besides the map.
    private static func pages(_ point: TrackHead.Point, _ head: TrackHead, _ file: any StoreFile) -> FineMap? {
        var fine = FineMap(head.geometry)
        var at = point.pagesAt
        guard at >= head.pagesBegin, at <= TrackGeometry.greatestSize else { return nil }
        do throws(StorageFault) {
            let size = try file.size()
            for number in 0..<point.pages {
                guard at <= size - Int64(TrackPage.head) else { return nil }
                let length = Int(try file.bytes(TrackPage.head, at: at).little(UInt32.self, at: 12))
                guard length >= TrackPage.head, length <= TrackPage.head + TrackPage.limit,
                    Int64(length) <= size - at,
                    TrackPage.decode(
                        try file.bytes(length, at: at), number: number, interval: point.interval, save: head.save,
                        into: &fine)
                else { return nil }
                at += Int64(length)
            }
        } catch {
            return nil
        }
        return fine
    }

    private enum Mark { case unchanged, changed, damaged }

    /// What the coarse map of a point says of each region; a sector that cannot be read says the worst.
    private static func coarse(_ point: TrackHead.Point, _ head: TrackHead, _ file: any StoreFile) -> [Mark] {
        let geometry = head.geometry
        var marks = [Mark](repeating: .damaged, count: geometry.regionCount)
        for number in 0..<geometry.coarseSectors {
            let place = head.place(ofSlot: point.slot) + Int64(number * TrackSector.length)
            guard let bytes = try? file.bytes(TrackSector.length, at: place),
                let bits = TrackSector.decode(bytes[...], interval: point.interval, number: number)
            else { continue }
            let first = number * TrackSector.regions
            for region in first..<max(first, min(first + TrackSector.regions, geometry.regionCount)) {
                let bit = (region - first) % 8
                let isMarked = bits[bits.startIndex + (region - first) / 8] >> UInt8(bit) & 1 != 0
                marks[region] = isMarked ? .changed : .unchanged
            }
        }
        return marks
    }
}
