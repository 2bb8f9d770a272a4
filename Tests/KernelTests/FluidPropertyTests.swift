import Kernel
import Testing

@Suite("The fluid against a naive solver")
struct FluidPropertyTests {
    private func near(_ a: Double, _ b: Double, _ tolerance: Double = 1e-9) -> Bool {
        abs(a - b) <= tolerance * max(1, abs(b))
    }

    @Test(arguments: Array(0..<20) as [UInt64])
    func `finishes, bytes carried and bottlenecks agree on random networks`(block: UInt64) {
        for seed in block * 100..<block * 100 + 100 { compare(seed: seed) }
    }

    private func compare(seed: UInt64) {
        var random = RandomStream(seed: seed, name: "fluid test")
        let resourceCount = 1 + random.below(6)
        // Whole numbers make ties likely, and ties are what goes wrong.
        let capacities = (0..<resourceCount).map { _ in Double(1 + random.below(10)) }
        var steps: [(time: Double, resource: Int, capacity: Double)] = []
        for _ in 0..<random.below(5) {
            steps.append((Double(1 + random.below(30)), random.below(resourceCount), Double(random.below(8))))
        }
        for r in 0..<resourceCount { steps.append((40, r, Double(1 + r))) }
        var flows: [NaiveFluid.Flow] = []
        for _ in 0..<1 + random.below(12) {
            var route = (0..<resourceCount).filter { _ in random.below(2) == 0 }
            let isCapped = route.isEmpty || random.below(3) == 0
            if route.isEmpty, random.below(2) == 0 { route = [random.below(resourceCount)] }
            var flow = NaiveFluid.Flow(
                start: Double(random.below(20)), left: Double(1 + random.below(60)), route: route,
                weight: random.below(2) == 0 ? 1 : Double(1 + random.below(4)) / 2,
                cap: isCapped ? Double(1 + random.below(4)) : .infinity)
            if random.below(6) == 0 { flow.cancelAt = flow.start + Double(random.below(15)) + 0.5 }
            flows.append(flow)
        }
        var naive = NaiveFluid(capacities: capacities, steps: steps, flows: flows)
        naive.run()

        var fluid = Fluid()
        let ids = capacities.map { fluid.addResource(capacity: $0) }
        fluid.enableHistory(bucketSeconds: 7, bucketCount: 5)
        var finishes = [Double?](repeating: nil, count: flows.count)
        var started = [TransferID?](repeating: nil, count: flows.count)
        var changes: [(time: Double, kind: Int, index: Int)] = []
        for i in flows.indices {
            changes.append((flows[i].start, 1, i))
            if flows[i].cancelAt < .infinity { changes.append((flows[i].cancelAt, 2, i)) }
        }
        for i in steps.indices { changes.append((steps[i].time, 0, i)) }
        changes.sort { ($0.time, $0.kind, $0.index) < ($1.time, $1.kind, $1.index) }
        var position = 0
        var clock = 0.0
        while true {
            let change = position < changes.count ? changes[position].time : .infinity
            let next = min(fluid.nextFinish() ?? .infinity, change)
            guard next < .infinity else { break }
            clock = next
            fluid.advance(to: clock) { tag, _ in finishes[Int(tag)] = clock }
            while position < changes.count, changes[position].time == clock {
                let (_, kind, i) = changes[position]
                position += 1
                switch kind {
                case 0: fluid.setCapacity(ids[steps[i].resource], to: steps[i].capacity, at: clock)
                case 1:
                    let route = fluid.routeID(flows[i].route.map { ids[$0] })
                    started[i] = fluid.start(
                        route: route, size: flows[i].left, weight: flows[i].weight, cap: flows[i].cap, tag: Int64(i),
                        at: clock)
                default:
                    let before = fluid.remaining(started[i]!, at: clock)
                    let left = fluid.cancel(started[i]!, at: clock)
                    #expect(before == left, "seed \(seed)")
                    #expect(
                        near(left, naive.flows[i].finish == nil ? naive.flows[i].left : 0, 1e-7),
                        "seed \(seed), flow \(i)")
                }
            }
        }
        fluid.settle(at: clock)
        for i in flows.indices {
            switch (finishes[i], naive.flows[i].finish) {
            case (let a?, let b?): #expect(near(a, b), "seed \(seed), flow \(i): \(a) and \(b)")
            case (nil, nil): break
            default: Issue.record("seed \(seed), flow \(i): \(finishes[i] as Any) and \(naive.flows[i].finish as Any)")
            }
        }
        #expect(fluid.activeCount == 0)
        for r in ids.indices {
            #expect(near(fluid.carried(ids[r]), naive.carried[r]), "seed \(seed), resource \(r)")
            #expect(near(fluid.history(ids[r]).reduce(0, +), naive.carried[r]), "seed \(seed), resource \(r)")
        }
    }
}
