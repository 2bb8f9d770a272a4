// Progressive filling over the part of the network that changed.
extension Fluid {
    /// Lists that live from one solve to the next only to keep their memory.
    struct Scratch: Sendable {
        var resources: ContiguousArray<Int32> = []
        var classes: ContiguousArray<Int32> = []
        // The share each open resource could give a transfer of weight one, or a lower bound of it: shares only rise
        // while others are fixed, so one is computed anew only when it comes into question.
        var shares: ContiguousArray<Double> = []
        var open: ContiguousArray<Int32> = []
        var capped: ContiguousArray<Capped> = []
        var dirty: ContiguousArray<Int32> = []
    }

    struct Capped: Sendable {
        let ratio: Double
        let of: Int32
    }

    /// The tables while a solve runs, free of checks that would cost more than the arithmetic.
    struct Tables {
        let resources: UnsafeMutableBufferPointer<Resource>
        let filling: UnsafeMutableBufferPointer<Filling>
        let classes: UnsafeMutableBufferPointer<Class>
        let incidences: UnsafeBufferPointer<Incidence>
    }

    /// Computes the rates of all classes connected with a dirty resource; does nothing if there is none.
    mutating func solve() {
        guard !dirty.isEmpty else { return }
        solveCount += 1
        epoch &+= 1
        // Moved out and back, so that the arrays are changed in place while the rest of `self` is at hand.
        var work = Scratch()
        swap(&work, &scratch)
        swap(&work.dirty, &dirty)
        let (epoch, attachedCount) = (epoch, attachedCount)
        resources.withUnsafeMutableBufferPointer { resources in
            filling.withUnsafeMutableBufferPointer { filling in
                classes.withUnsafeMutableBufferPointer { classes in
                    incidences.withUnsafeBufferPointer { incidences in
                        let tables = Tables(
                            resources: resources, filling: filling, classes: classes, incidences: incidences)
                        tables.collectComponent(epoch: epoch, attachedCount: attachedCount, &work)
                        tables.fill(&work)
                    }
                }
            }
        }
        solvedClassCount += UInt64(work.classes.count)
        for r in work.resources {
            let found = filling[Int(r)]
            if found.load != resources[Int(r)].load || found.bound != resources[Int(r)].bound {
                settleResource(Int(r))
                resources[Int(r)].load = found.load
                resources[Int(r)].bound = found.bound
            }
        }
        for number in work.classes {
            let c = Int(number)
            setBound(c, by: classes[c].newBound, count: classes[c].count)
            if classes[c].newRate != classes[c].rate {
                bringUp(c)
                classes[c].rate = classes[c].newRate
                setKey(c)
            } else if classes[c].needsKey {
                setKey(c)
            }
        }
        swap(&work, &scratch)
    }
}

extension Fluid.Tables {
    /// Everything that shares a resource, directly or through others, with a dirty one.
    func collectComponent(epoch: UInt32, attachedCount: Int, _ work: inout Fluid.Scratch) {
        work.resources.removeAll(keepingCapacity: true)
        work.classes.removeAll(keepingCapacity: true)
        work.capped.removeAll(keepingCapacity: true)
        for r in work.dirty {
            resources[Int(r)].isDirty = false
            enter(Int(r), epoch, &work)
        }
        work.dirty.removeAll(keepingCapacity: true)
        var i = 0
        // Once all classes are found, no list can bring another.
        while i < work.resources.count, work.classes.count < attachedCount {
            var link = resources[Int(work.resources[i])].first
            i += 1
            while link >= 0 {
                let c = Int(incidences[Int(link)].of)
                link = incidences[Int(link)].next
                guard classes[c].mark != epoch else { continue }
                classes[c].mark = epoch
                classes[c].newRate = -1
                work.classes.append(Int32(truncatingIfNeeded: c))
                if classes[c].cap < .infinity {
                    work.capped.append(
                        Fluid.Capped(ratio: classes[c].cap / classes[c].weight, of: Int32(truncatingIfNeeded: c)))
                }
                let weight = classes[c].weight * Double(classes[c].count)
                for k in Int(classes[c].firstIncidence)..<Int(classes[c].incidenceEnd) {
                    let r = Int(incidences[k].resource)
                    if filling[r].mark != epoch { enter(r, epoch, &work) }
                    filling[r].weight += weight
                    filling[r].unfixed &+= 1
                }
            }
        }
        if work.capped.count > 1 {
            work.capped.sort { $0.ratio < $1.ratio || ($0.ratio == $1.ratio && $0.of < $1.of) }
        }
    }

    private func enter(_ r: Int, _ epoch: UInt32, _ work: inout Fluid.Scratch) {
        work.resources.append(Int32(truncatingIfNeeded: r))
        filling[r] = Fluid.Filling(left: resources[r].capacity, mark: epoch)
    }

    /// Raises the common share until a cap or a resource stops a class, fixes that class, and goes on with the others.
    func fill(_ work: inout Fluid.Scratch) {
        work.open.removeAll(keepingCapacity: true)
        work.shares.removeAll(keepingCapacity: true)
        for r in work.resources where filling[Int(r)].unfixed > 0 {
            filling[Int(r)].exactWeight = filling[Int(r)].weight
            work.open.append(r)
            work.shares.append(filling[Int(r)].left / filling[Int(r)].weight)
        }
        var unfixed = work.classes.count
        var nextCapped = 0
        work.shares.withUnsafeMutableBufferPointer { shares in
            work.open.withUnsafeMutableBufferPointer { open in
                var openCount = open.count
                while unfixed > 0 {
                    let (bottleneck, lowest) = lowestShare(shares, open, &openCount)
                    while nextCapped < work.capped.count, classes[Int(work.capped[nextCapped].of)].newRate >= 0 {
                        nextCapped += 1
                    }
                    if nextCapped < work.capped.count, work.capped[nextCapped].ratio <= lowest {
                        let c = Int(work.capped[nextCapped].of)
                        fix(c, rate: classes[c].cap, by: Fluid.ownCap)
                        unfixed -= 1
                        continue
                    }
                    let r = open[bottleneck]
                    var link = resources[Int(r)].first
                    while link >= 0 {
                        let c = Int(incidences[Int(link)].of)
                        link = incidences[Int(link)].next
                        guard classes[c].newRate < 0 else { continue }
                        fix(c, rate: classes[c].weight * lowest, by: r)
                        filling[Int(r)].bound &+= classes[c].count
                        unfixed -= 1
                    }
                }
            }
        }
    }

    /// The open resource with the lowest share; those without transfers left to fix are dropped on the way.
    private func lowestShare(
        _ shares: UnsafeMutableBufferPointer<Double>, _ open: UnsafeMutableBufferPointer<Int32>, _ openCount: inout Int
    ) -> (place: Int, share: Double) {
        var lowest = Double.infinity
        var bottleneck = 0
        var i = 0
        while i < openCount {
            guard shares[i] < lowest else {
                i &+= 1
                continue
            }
            let r = Int(open[i])
            if filling[r].isStale {
                if filling[r].unfixed == 0 {
                    openCount &-= 1
                    open[i] = open[openCount]
                    shares[i] = shares[openCount]
                    continue
                }
                // Subtraction leaves rounding behind; once most of the sum is gone, what is left is added up afresh.
                if filling[r].weight < filling[r].exactWeight * 1e-3 { addUpWeight(r) }
                filling[r].isStale = false
                shares[i] = max(filling[r].left, 0) / filling[r].weight
                guard shares[i] < lowest else { continue }
            }
            lowest = shares[i]
            bottleneck = i
            i &+= 1
        }
        return (bottleneck, lowest)
    }

    private func addUpWeight(_ r: Int) {
        var sum = 0.0
        var link = resources[r].first
        while link >= 0 {
            let c = Int(incidences[Int(link)].of)
            if classes[c].newRate < 0 { sum += classes[c].weight * Double(classes[c].count) }
            link = incidences[Int(link)].next
        }
        filling[r].weight = sum
        filling[r].exactWeight = sum
    }

    private func fix(_ c: Int, rate: Double, by bound: Int32) {
        classes[c].newRate = rate
        classes[c].newBound = bound
        let count = Double(classes[c].count)
        let load = rate * count
        let weight = classes[c].weight * count
        for k in Int(classes[c].firstIncidence)..<Int(classes[c].incidenceEnd) {
            let r = Int(incidences[k].resource)
            filling[r].load += load
            filling[r].left -= load
            filling[r].weight -= weight
            filling[r].unfixed &-= 1
            filling[r].isStale = true
        }
    }
}
