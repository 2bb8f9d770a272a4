// What the resources carried, and what they held up. Integrals move only when a load changes or somebody asks.
extension Fluid {
    /// Keeps, from now on, the bytes each resource carries in bucket `Int(t / bucketSeconds) % bucketCount`:
    /// 3600 and 168 give the hours of a week.
    /// - Precondition: both are positive.
    public mutating func enableHistory(bucketSeconds: Double, bucketCount: Int) {
        precondition(bucketSeconds > 0 && bucketCount > 0, "\(bucketCount) buckets of \(bucketSeconds) s")
        for r in resources.indices { settleResource(r) }
        var history = History(bucketSeconds: bucketSeconds, bucketCount: bucketCount)
        history.bytes = ContiguousArray(repeating: 0, count: resources.count * bucketCount)
        self.history = history
    }

    /// Brings all integrals up to `time`.
    /// - Precondition: `time` is not in the past.
    public mutating func settle(at time: Double) {
        move(to: time)
        solve()
        for r in resources.indices { settleResource(r) }
        settleCapped()
    }

    /// The bytes a resource has carried, up to the last `settle(at:)`.
    public func carried(_ r: ResourceID) -> Double { resources[Int(r.index)].carried }

    /// How long, summed over transfers, this resource fixed the rate of a transfer, in seconds up to the last `settle(at:)`.
    public func boundSeconds(_ r: ResourceID) -> Double { resources[Int(r.index)].boundSeconds }

    /// How long, summed over transfers, a transfer ran at its own cap, in seconds up to the last `settle(at:)`.
    public var cappedSeconds: Double { cappedTotal }

    /// The sum of the rates over a resource at present, in bytes per second; as of the last solve.
    public func load(of r: ResourceID) -> Double { resources[Int(r.index)].load }

    /// The bytes by bucket, up to the last `settle(at:)`; empty unless `enableHistory` was called.
    public func history(_ r: ResourceID) -> [Double] {
        guard let history else { return [] }
        let first = Int(r.index) * history.bucketCount
        return Array(history.bytes[first..<first + history.bucketCount])
    }

    mutating func settleResource(_ r: Int) {
        let since = resources[r].since
        guard now > since else { return }
        let load = resources[r].load
        resources[r].carried += load * (now - since)
        resources[r].boundSeconds += Double(resources[r].bound) * (now - since)
        resources[r].since = now
        if history != nil, load > 0 { spread(load, over: r, from: since) }
    }

    private mutating func spread(_ load: Double, over r: Int, from start: Double) {
        let width = history!.bucketSeconds
        let count = history!.bucketCount
        let row = r * count
        let lastBucket = (now / width).rounded(.down)
        var bucket = (start / width).rounded(.down)
        var begin = start
        // Whole rounds over all buckets are the same for each.
        let rounds = ((lastBucket - bucket - 1) / Double(count)).rounded(.down)
        if rounds >= 1 {
            for b in 0..<count { history!.bytes[row + b] += load * width * rounds }
            let end = (bucket + 1) * width
            history!.bytes[row + slot(bucket, count)] += load * (end - begin)
            bucket += rounds * Double(count) + 1
            begin = bucket * width
        }
        while bucket <= lastBucket {
            let end = bucket < lastBucket ? (bucket + 1) * width : now
            if end > begin { history!.bytes[row + slot(bucket, count)] += load * (end - begin) }
            begin = max(end, begin)
            bucket += 1
        }
    }

    private func slot(_ bucket: Double, _ count: Int) -> Int {
        Int(bucket.truncatingRemainder(dividingBy: Double(count)))
    }

    mutating func settleCapped() {
        cappedTotal += Double(cappedCount) * (now - cappedSince)
        cappedSince = now
    }

    /// Records what fixes the rate of a class; caps are summed here, resources by the solver.
    mutating func setBound(_ c: Int, by bound: Int32, count: Int32) {
        let before = classes[c].boundBy == Fluid.ownCap ? classes[c].boundCount : 0
        let after = bound == Fluid.ownCap ? count : 0
        classes[c].boundBy = bound
        classes[c].boundCount = count
        guard before != after else { return }
        settleCapped()
        cappedCount += after - before
    }
}
