// Progressive filling over the part of the network that changed.
extension Fluid {
    /// Lists that live from one solve to the next only to keep their memory.
    struct Scratch: Sendable {
        var resources: ContiguousArray<Int32> = []
        var classes: ContiguousArray<Int32> = []
        var shares: ContiguousArray<Double> = []
        var open: ContiguousArray<Int32> = []
        var capped: ContiguousArray<Capped> = []
        var changed: ContiguousArray<Int32> = []
    }

    struct Capped: Sendable {
        let ratio: Double
        let of: Int32
    }

    /// Computes the rates of all classes connected with a dirty resource; does nothing if there is none.
    mutating func solve() {
        guard !dirty.isEmpty else { return }
        solveCount += 1
        // Moved out and back, so that the arrays are changed in place while the rest of `self` is at hand.
        var work = Scratch()
        swap(&work, &scratch)
        collectComponent(&work)
        solvedClassCount += UInt64(work.classes.count)
        fill(&work)
        for r in work.resources {
            let resource = resources[Int(r)]
            if resource.newLoad != resource.load || resource.newBound != resource.bound {
                settleResource(Int(r))
                resources[Int(r)].load = resource.newLoad
                resources[Int(r)].bound = resource.newBound
            }
        }
        for c in work.changed { setKey(Int(c)) }
        swap(&work, &scratch)
    }

    /// Everything that shares a resource, directly or through others, with a dirty one.
    private mutating func collectComponent(_ work: inout Scratch) {
        epoch &+= 1
        let epoch = epoch
        work.resources.removeAll(keepingCapacity: true)
        work.classes.removeAll(keepingCapacity: true)
        work.capped.removeAll(keepingCapacity: true)
        work.changed.removeAll(keepingCapacity: true)
        for r in dirty {
            resources[Int(r)].isDirty = false
            resources[Int(r)].mark = epoch
            work.resources.append(r)
        }
        dirty.removeAll(keepingCapacity: true)
        resources.withUnsafeMutableBufferPointer { resources in
            classes.withUnsafeMutableBufferPointer { classes in
                incidences.withUnsafeBufferPointer { incidences in
                    var i = 0
                    while i < work.resources.count {
                        let r = Int(work.resources[i])
                        i += 1
                        resources[r].left = resources[r].capacity
                        resources[r].weight = 0
                        resources[r].unfixed = 0
                        resources[r].newLoad = 0
                        resources[r].newBound = 0
                        var link = resources[r].first
                        while link >= 0 {
                            let c = Int(incidences[Int(link)].of)
                            link = incidences[Int(link)].next
                            guard classes[c].mark != epoch else { continue }
                            classes[c].mark = epoch
                            classes[c].isFixed = false
                            work.classes.append(Int32(c))
                            if classes[c].cap < .infinity {
                                work.capped.append(Capped(ratio: classes[c].cap / classes[c].weight, of: Int32(c)))
                            }
                            for k in Int(classes[c].firstIncidence)..<Int(classes[c].incidenceEnd) {
                                let other = Int(incidences[k].resource)
                                if resources[other].mark != epoch {
                                    resources[other].mark = epoch
                                    work.resources.append(Int32(other))
                                }
                            }
                        }
                    }
                    for number in work.classes {
                        let c = Int(number)
                        let weight = classes[c].weight * Double(classes[c].members.count)
                        for k in Int(classes[c].firstIncidence)..<Int(classes[c].incidenceEnd) {
                            let r = Int(incidences[k].resource)
                            resources[r].weight += weight
                            resources[r].unfixed &+= 1
                        }
                    }
                }
            }
        }
        work.capped.sort { $0.ratio < $1.ratio || ($0.ratio == $1.ratio && $0.of < $1.of) }
    }

    /// Raises the common share until a cap or a resource stops a class, fixes that class, and goes on with the others.
    private mutating func fill(_ work: inout Scratch) {
        work.open.removeAll(keepingCapacity: true)
        work.shares.removeAll(keepingCapacity: true)
        for r in work.resources where resources[Int(r)].unfixed > 0 {
            resources[Int(r)].exactWeight = resources[Int(r)].weight
            resources[Int(r)].place = Int32(work.open.count)
            work.open.append(r)
            work.shares.append(resources[Int(r)].left / resources[Int(r)].weight)
        }
        var unfixed = work.classes.count
        var nextCapped = 0
        while unfixed > 0 {
            var lowest = Double.infinity
            var bottleneck = 0
            work.shares.withUnsafeBufferPointer { shares in
                for i in 0..<shares.count where shares[i] < lowest {
                    lowest = shares[i]
                    bottleneck = i
                }
            }
            while nextCapped < work.capped.count, classes[Int(work.capped[nextCapped].of)].isFixed { nextCapped += 1 }
            if nextCapped < work.capped.count, work.capped[nextCapped].ratio <= lowest {
                let c = Int(work.capped[nextCapped].of)
                fix(c, rate: classes[c].cap, by: Fluid.ownCap, &work)
                unfixed -= 1
                continue
            }
            let r = work.open[bottleneck]
            var link = resources[Int(r)].first
            while link >= 0 {
                let c = Int(incidences[Int(link)].of)
                link = incidences[Int(link)].next
                guard !classes[c].isFixed else { continue }
                fix(c, rate: classes[c].weight * lowest, by: r, &work)
                unfixed -= 1
            }
        }
    }

    private mutating func fix(_ c: Int, rate: Double, by bound: Int32, _ work: inout Scratch) {
        let count = classes[c].members.count
        classes[c].isFixed = true
        let load = rate * Double(count)
        let weight = classes[c].weight * Double(count)
        let first = Int(classes[c].firstIncidence)
        let end = Int(classes[c].incidenceEnd)
        resources.withUnsafeMutableBufferPointer { resources in
            for k in first..<end {
                let r = Int(incidences[k].resource)
                resources[r].newLoad += load
                resources[r].left -= load
                resources[r].weight -= weight
                resources[r].unfixed &-= 1
                let place = Int(resources[r].place)
                if resources[r].unfixed == 0 {
                    work.shares[place] = .infinity
                    continue
                }
                // Subtraction leaves rounding behind; once most of the sum is gone, what is left is added up afresh.
                if resources[r].weight < resources[r].exactWeight * 1e-3 {
                    var sum = 0.0
                    var link = resources[r].first
                    while link >= 0 {
                        let other = Int(incidences[Int(link)].of)
                        if !classes[other].isFixed {
                            sum += classes[other].weight * Double(classes[other].members.count)
                        }
                        link = incidences[Int(link)].next
                    }
                    resources[r].weight = sum
                    resources[r].exactWeight = sum
                }
                work.shares[place] = max(resources[r].left, 0) / resources[r].weight
            }
            if bound >= 0 { resources[Int(bound)].newBound &+= Int32(count) }
        }
        setBound(c, by: bound, count: Int32(count))
        if rate != classes[c].rate {
            bringUp(c)
            classes[c].rate = rate
            work.changed.append(Int32(c))
        } else if classes[c].needsKey {
            work.changed.append(Int32(c))
        }
    }
}
