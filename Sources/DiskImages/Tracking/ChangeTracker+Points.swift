public import Files

/// Whatever changes the points or the head: one at a time, while no write is going on.
extension ChangeTracker {
    /// Begins a new point: changes since it are reckoned from now on. `flush` must make durable what was written to the image so
    /// far; if it fails, no point is trusted any more until the image is opened anew, because what the medium holds is not known.
    ///
    /// Of more than eight points the second oldest is forgotten: the oldest is what the last good backup counts from.
    /// Faults: `TRACK-DISTRUST`, `TRACK-CLOSED`, the file's. After a fault the points are those of before.
    public func reference(flushing flush: () throws(StorageFault) -> Void) throws(StorageFault) -> TrackPoint {
        try alone { () throws(StorageFault) in
            if let distrust = state.withLock({ $0.distrust }) {
                throw StorageFault(
                    .device, "TRACK-DISTRUST", path, distrust, action: "Check the disk, then open the image anew")
            }
            do throws(StorageFault) { try flush() } catch {
                dropAll(because: Self.flushFailed)
                throw error
            }
            if let second = state.withLock({ state in
                state.intervals.count < TrackHead.pointLimit ? nil : state.intervals[1].point.id
            }) {
                try drop(second)
            }
            var head = state.withLock { state in
                // A number is used once, so that a sector of an attempt that failed is never taken for one of the next.
                state.head.nextInterval += 1
                return state.head
            }
            let used = head.points.map(\.slot)
            let slot = (0..<TrackHead.slots).first { !used.contains($0) }!
            let point = TrackHead.Point(id: guids.next(), interval: head.nextInterval - 1, slot: slot)
            let interval = Interval(point: point, fine: FineMap(geometry))
            let sectors = Array(0..<geometry.coarseSectors)
            try write(sectors, sectors.map { encoded(interval, $0) }, slot)
            try file.flush()
            head.points.append(point)
            head.isClean = false
            try write(head)
            state.withLock { state in
                state.intervals.append(interval)
                state.durable = [Bool](repeating: false, count: geometry.regionCount)
            }
            return TrackPoint(id: point.id)
        }
    }

    /// Forgets all points before this one, once what they were good for has been copied. Faults: `TRACK-POINT`.
    public func confirm(_ id: GUID) throws(StorageFault) {
        try alone { () throws(StorageFault) in
            let place = try place(of: id)
            guard place > 0 else { return }
            var head = state.withLock { $0.head }
            head.points.removeFirst(place)
            head.isClean = false
            try write(head)
            state.withLock { $0.intervals.removeFirst(place) }
        }
    }

    /// Forgets one point; the changes since it count for the point before. Faults: `TRACK-POINT`.
    public func forget(_ id: GUID) throws(StorageFault) { try alone { () throws(StorageFault) in try drop(id) } }

    /// Says what the image has become while it is open, for instance after its format gave it a new linkage.
    public func renew(_ image: TrackedImage) throws(StorageFault) {
        try check(image)
        try alone { () throws(StorageFault) in
            var head = state.withLock { $0.head }
            head.image = image
            head.isClean = false
            try write(head)
        }
    }

    /// Saves the fine maps and marks a clean end, which the next write takes away. `image` is what it is now: nothing of it may
    /// change after the call but through this tracker.
    public func save(_ image: TrackedImage) throws(StorageFault) {
        try check(image)
        try alone { () throws(StorageFault) in try saveAlone(image) }
    }

    /// `save`, and nothing may be called afterwards. For an image that was closed well; after a failure to close it call `abandon`.
    public func close(_ image: TrackedImage) throws(StorageFault) {
        try check(image)
        try alone { () throws(StorageFault) in
            try saveAlone(image)
            state.withLock { $0.isClosed = true }
        }
        file.close()
    }

    /// Ends the use of the file without a mark of a clean end: the coarse maps will answer.
    public func abandon() {
        let isFirst = state.withLock { state in
            defer { state.isClosed = true }
            return !state.isClosed
        }
        if isFirst { file.close() }
    }

    /// Says that a flush of the image failed: what the medium holds is not known, so no point can be trusted.
    func flushFailed() {
        do throws(StorageFault) {
            try alone { () throws(StorageFault) in dropAll(because: Self.flushFailed) }
        } catch {}
    }

    private static let flushFailed = "a flush of the image failed, so what its medium holds is not known"

    // MARK: Alone

    /// Runs `body` while no write is going on and nobody else changes points.
    private func alone<Result>(_ body: () throws(StorageFault) -> Result) throws(StorageFault) -> Result {
        let isClosed = state.when({ !$0.isExclusive }) { state in
            if !state.isClosed { state.isExclusive = true }
            return state.isClosed
        }
        guard !isClosed else { throw closed() }
        defer {
            state.withLock { $0.isExclusive = false }
            state.wake()
        }
        state.when({ $0.writers == 0 && !$0.isCommitting }) { _ in }
        return try body()
    }

    private func check(_ image: TrackedImage) throws(StorageFault) {
        guard image.size == size else {
            throw StorageFault(
                .badInput, "TRACK-SIZE", path, "the image has \(image.size) bytes, and \(size) when tracking began",
                action: "Open the tracker anew after a resize; it then begins afresh")
        }
        guard image.identity.utf8.count <= TrackHead.textLimit, image.stamp.utf8.count <= TrackHead.textLimit else {
            throw StorageFault(
                .badInput, "TRACK-STAMP", path,
                "an image's identity or stamp is longer than \(TrackHead.textLimit) bytes",
                action: "Give shorter ones, a checksum of them for instance")
        }
    }

    private func place(of id: GUID) throws(StorageFault) -> Int {
        guard let place = state.withLock({ state in state.intervals.firstIndex { $0.point.id == id } }) else {
            throw StorageFault(
                .badInput, "TRACK-POINT", path, "there is no point \(id)",
                action: "Take a new point and compare the whole image")
        }
        return place
    }

    private func drop(_ id: GUID) throws(StorageFault) {
        let place = try place(of: id)
        var (head, merged) = state.withLock { state -> (TrackHead, Interval?) in
            guard place > 0 else { return (state.head, nil) }
            var merged = state.intervals[place - 1]
            merged.fine.formUnion(state.intervals[place].fine)
            merged.point.isCoarse = merged.point.isCoarse || state.intervals[place].point.isCoarse
            return (state.head, merged)
        }
        if let merged {
            let sectors = Array(0..<geometry.coarseSectors)
            try write(sectors, sectors.map { encoded(merged, $0) }, merged.point.slot)
            try file.flush()
            head.points[place - 1].isCoarse = merged.point.isCoarse
        }
        head.points.remove(at: place)
        head.isClean = false
        try write(head)
        state.withLock { state in
            let isLast = place == state.intervals.count - 1
            if let merged {
                state.intervals[place - 1] = merged
                if isLast { state.durable = (0..<geometry.regionCount).map { merged.fine.touches($0) } }
            }
            state.intervals.remove(at: place)
        }
    }

    /// Nothing is thrown: if the file does not take it, no answer is given all the same, and the next write tries again.
    private func dropAll(because reason: String) {
        let head = state.withLock { state in
            state.distrust = reason
            state.intervals = []
            state.head.points = []
            state.head.isClean = false
            return state.head
        }
        do throws(StorageFault) { try write(head) } catch {}
    }

    private func saveAlone(_ image: TrackedImage) throws(StorageFault) {
        var (head, intervals) = state.withLock { ($0.head, $0.intervals) }
        head.image = image
        head.save += 1
        head.isClean = true
        // An attempt that fails uses its number up.
        state.withLock { $0.head.save = head.save }
        var at = head.pagesBegin
        for (index, interval) in intervals.enumerated() {
            head.points[index].pagesAt = at
            head.points[index].pages = try TrackPage.encode(
                interval.fine, interval: interval.point.interval, save: head.save
            ) { (page) throws(StorageFault) in
                try file.write(page, at: at)
                at += Int64(page.count)
            }
        }
        if try file.size() > at { try file.truncate(to: at) }
        try file.flush()
        try write(head)
    }
}
