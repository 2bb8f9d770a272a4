// Moving through time, and the bookkeeping of classes, members and keys.
extension Fluid {
    /// Goes to `time`, settling every finish on the way at its own moment.
    mutating func move(to time: Double) {
        precondition(time >= now, "the fluid was asked to go back from \(now) s to \(time) s")
        guard time > now || !dirty.isEmpty || !heap.isEmpty else { return }
        if time == now && dirty.isEmpty && heap[0].finish > now { return }
        let limit = time * (1 + Fluid.tieWidth)
        while true {
            // Changes at one moment wait for each other: rates are computed only when time is to pass.
            if time > now || (heap.first?.finish ?? .infinity) <= limit { solve() }
            guard let first = heap.first, first.finish <= limit else { break }
            now = min(max(first.finish, now), time)
            endBatch()
        }
        now = time
    }

    /// Ends all members whose moment is `now`, across classes.
    private mutating func endBatch() {
        let limit = now * (1 + Fluid.tieWidth)
        var isFirst = true
        while let first = heap.first, isFirst || first.finish <= limit {
            isFirst = false
            let c = Int(first.of)
            bringUp(c)
            let slack = max(classes[c].rate * now * Fluid.tieWidth, classes[c].service * 1e-15)
            let reach = classes[c].service + slack
            repeat {
                let member = classes[c].members[0]
                removeMember(at: 0, from: c)
                finish(member.transfer, sequence: member.sequence)
            } while !classes[c].members.isEmpty && classes[c].members[0].target <= reach
            membershipChanged(c)
            // The next member's turn at the present rate, so that the class is not taken for due again.
            if !classes[c].members.isEmpty { setKey(c) }
        }
    }

    /// Puts a transfer where `advance` will tell it, in order of time and start.
    mutating func finish(_ transfer: Int32, sequence: UInt64) {
        transfers[Int(transfer)].of = Fluid.none
        transfers[Int(transfer)].place = 0
        var i = finished.count
        while i > 0, finished[i - 1].time == now, finished[i - 1].sequence > sequence { i -= 1 }
        finished.insert(Finished(time: now, sequence: sequence, transfer: transfer), at: i)
    }

    mutating func retire(_ transfer: Int32) {
        transfers[Int(transfer)].generation &+= 1
        transfers[Int(transfer)].place = Fluid.none
        transfers[Int(transfer)].of = Fluid.none
        freeTransfers.append(transfer)
        activeCount -= 1
    }

    mutating func classNumber(route: Int32, weight: Double, cap: Double) -> Int {
        let key = ClassKey(route: route, weight: weight, cap: cap)
        if let number = classNumbers[key] { return Int(number) }
        let number = Int32(classes.count)
        let first = Int32(incidences.count)
        for r in routes[Int(route)] { incidences.append(Incidence(resource: r, of: number)) }
        classes.append(
            Class(firstIncidence: first, incidenceEnd: Int32(incidences.count), weight: weight, cap: cap))
        classNumbers[key] = number
        return Int(number)
    }

    /// Enters a class that gets its first member into the lists of its resources, its clock at zero.
    mutating func attach(_ c: Int) {
        classes[c].service = 0
        classes[c].rate = 0
        classes[c].since = now
        if classes[c].firstIncidence < classes[c].incidenceEnd { attachedCount += 1 }
        for i in Int(classes[c].firstIncidence)..<Int(classes[c].incidenceEnd) {
            let r = Int(incidences[i].resource)
            let next = resources[r].first
            incidences[i].next = next
            incidences[i].previous = Fluid.none
            if next >= 0 { incidences[Int(next)].previous = Int32(i) }
            resources[r].first = Int32(i)
        }
    }

    private mutating func detach(_ c: Int) {
        if classes[c].firstIncidence < classes[c].incidenceEnd { attachedCount -= 1 }
        for i in Int(classes[c].firstIncidence)..<Int(classes[c].incidenceEnd) {
            let (next, previous) = (incidences[i].next, incidences[i].previous)
            if next >= 0 { incidences[Int(next)].previous = previous }
            if previous >= 0 {
                incidences[Int(previous)].next = next
            } else {
                resources[Int(incidences[i].resource)].first = next
            }
        }
        setBound(c, by: Fluid.none, count: 0)
        removeKey(c)
        classes[c].rate = 0
    }

    /// Sees to it that rates and keys follow after members came or went.
    mutating func membershipChanged(_ c: Int) {
        if classes[c].members.isEmpty { detach(c) }
        classes[c].needsKey = true
        let (first, end) = (Int(classes[c].firstIncidence), Int(classes[c].incidenceEnd))
        for i in first..<end { markDirty(Int(incidences[i].resource)) }
        // No resource will ever bring a class without a route to the solver.
        if first == end, !classes[c].members.isEmpty {
            setBound(c, by: Fluid.ownCap, count: Int32(classes[c].members.count))
            bringUp(c)
            classes[c].rate = classes[c].cap
            setKey(c)
        }
    }

    mutating func markDirty(_ r: Int) {
        guard !resources[r].isDirty else { return }
        resources[r].isDirty = true
        dirty.append(Int32(r))
    }

    /// Brings the clock of a class to `now`.
    mutating func bringUp(_ c: Int) {
        classes[c].service += classes[c].rate * (now - classes[c].since)
        classes[c].since = now
    }

    // The members of a class: a binary heap by target.

    mutating func insert(_ member: Member, into c: Int) {
        classes[c].members.append(member)
        classes[c].count += 1
        siftMemberUp(classes[c].members.count - 1, in: c)
    }

    mutating func removeMember(at place: Int, from c: Int) {
        let last = classes[c].members.removeLast()
        classes[c].count -= 1
        guard place < classes[c].members.count else { return }
        classes[c].members[place] = last
        transfers[Int(last.transfer)].place = Int32(place)
        siftMemberUp(place, in: c)
        siftMemberDown(Int(transfers[Int(last.transfer)].place), in: c)
    }

    private mutating func siftMemberUp(_ start: Int, in c: Int) {
        var i = start
        let member = classes[c].members[i]
        while i > 0 {
            let parent = (i - 1) / 2
            let above = classes[c].members[parent]
            guard member < above else { break }
            classes[c].members[i] = above
            transfers[Int(above.transfer)].place = Int32(i)
            i = parent
        }
        classes[c].members[i] = member
        transfers[Int(member.transfer)].place = Int32(i)
    }

    private mutating func siftMemberDown(_ start: Int, in c: Int) {
        var i = start
        let member = classes[c].members[i]
        let count = classes[c].members.count
        while true {
            var child = 2 * i + 1
            guard child < count else { break }
            if child + 1 < count, classes[c].members[child + 1] < classes[c].members[child] { child += 1 }
            let below = classes[c].members[child]
            guard below < member else { break }
            classes[c].members[i] = below
            transfers[Int(below.transfer)].place = Int32(i)
            i = child
        }
        classes[c].members[i] = member
        transfers[Int(member.transfer)].place = Int32(i)
    }

    // The classes that have members: a binary heap by the time their first member finishes.

    mutating func setKey(_ c: Int) {
        classes[c].needsKey = false
        let rate = classes[c].rate
        let ahead = max(classes[c].members[0].target - classes[c].service, 0)
        let finish = rate > 0 ? classes[c].since + ahead / rate : .infinity
        let key = HeapKey(finish: finish, of: Int32(c))
        let place = Int(classes[c].heapPlace)
        if place < 0 {
            heap.append(key)
            siftKeyUp(key, from: heap.count - 1)
        } else if key < heap[place] {
            siftKeyUp(key, from: place)
        } else {
            siftKeyDown(key, from: place)
        }
    }

    mutating func removeKey(_ c: Int) {
        let place = Int(classes[c].heapPlace)
        guard place >= 0 else { return }
        classes[c].heapPlace = Fluid.none
        let last = heap.removeLast()
        guard place < heap.count else { return }
        if place > 0, last < heap[(place - 1) / 2] {
            siftKeyUp(last, from: place)
        } else {
            siftKeyDown(last, from: place)
        }
    }

    private mutating func siftKeyUp(_ key: HeapKey, from start: Int) {
        var i = start
        while i > 0 {
            let parent = (i - 1) / 2
            guard key < heap[parent] else { break }
            heap[i] = heap[parent]
            classes[Int(heap[i].of)].heapPlace = Int32(i)
            i = parent
        }
        heap[i] = key
        classes[Int(key.of)].heapPlace = Int32(i)
    }

    private mutating func siftKeyDown(_ key: HeapKey, from start: Int) {
        var i = start
        let count = heap.count
        while true {
            var child = 2 * i + 1
            guard child < count else { break }
            if child + 1 < count, heap[child + 1] < heap[child] { child += 1 }
            guard heap[child] < key else { break }
            heap[i] = heap[child]
            classes[Int(heap[i].of)].heapPlace = Int32(i)
            i = child
        }
        heap[i] = key
        classes[Int(key.of)].heapPlace = Int32(i)
    }
}
