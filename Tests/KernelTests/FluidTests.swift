import Kernel
import Testing

@Suite("Fluid sharing")
struct FluidTests {
    /// Runs to the end; finish times by tag.
    private func finishes(_ fluid: inout Fluid) -> [Int64: Double] {
        var result: [Int64: Double] = [:]
        while let time = fluid.nextFinish() { fluid.advance(to: time) { tag, _ in result[tag] = time } }
        return result
    }

    @Test func `one transfer takes size over capacity`() {
        var fluid = Fluid()
        let route = fluid.routeID([fluid.addResource(capacity: 100)])
        let t = fluid.start(route: route, size: 1000, tag: 7, at: 0)
        #expect(fluid.nextFinish() == 10 && fluid.rate(t) == 100 && fluid.remaining(t, at: 4) == 600)
        #expect(finishes(&fluid) == [7: 10] && fluid.activeCount == 0 && fluid.nextFinish() == nil)
    }

    // Sizes 1, 2, 3 on capacity 1: all at 1/3 until 3; the others at 1/2 until 5; the last alone until 6.
    @Test func `equal transfers share equally, and the rest speeds up`() {
        var fluid = Fluid()
        let route = fluid.routeID([fluid.addResource(capacity: 1)])
        for n in 1...3 as ClosedRange<Int64> { _ = fluid.start(route: route, size: Double(n), tag: n, at: 0) }
        let result = finishes(&fluid)
        #expect(result.count == 3)
        for (tag, expected) in [(1, 3.0), (2, 5.0), (3, 6.0)] as [(Int64, Double)] {
            #expect(abs(result[tag]! - expected) < 1e-14)
        }
    }

    // A long transfer over both links and a short one over each: half of each link for all.
    @Test func `a parking lot gives the long transfer the same share as the short ones`() {
        var fluid = Fluid()
        let a = fluid.addResource(capacity: 10)
        let b = fluid.addResource(capacity: 20)
        let long = fluid.start(route: fluid.routeID([b, a]), size: 1000, tag: 0, at: 0)
        let first = fluid.start(route: fluid.routeID([a]), size: 1000, tag: 1, at: 0)
        let second = fluid.start(route: fluid.routeID([b]), size: 1000, tag: 2, at: 0)
        #expect(fluid.rate(long) == 5 && fluid.rate(first) == 5 && fluid.rate(second) == 15)
        _ = fluid.nextFinish()
        #expect(fluid.bottleneck(of: long) == a && fluid.bottleneck(of: second) == b)
    }

    @Test func `weights share in proportion`() {
        var fluid = Fluid()
        let route = fluid.routeID([fluid.addResource(capacity: 30)])
        let heavy = fluid.start(route: route, size: 100, weight: 2, tag: 0, at: 0)
        let light = fluid.start(route: route, size: 100, weight: 1, tag: 1, at: 0)
        #expect(fluid.rate(heavy) == 20 && fluid.rate(light) == 10)
    }

    @Test func `a cap leaves its rest to the others, and counts as its own bottleneck`() {
        var fluid = Fluid()
        let link = fluid.addResource(capacity: 100)
        let route = fluid.routeID([link])
        let capped = fluid.start(route: route, size: 100, cap: 10, tag: 0, at: 0)
        let free = fluid.start(route: route, size: 900, tag: 1, at: 0)
        #expect(fluid.rate(capped) == 10 && fluid.rate(free) == 90)
        #expect(finishes(&fluid) == [0: 10, 1: 10])
        fluid.settle(at: 20)
        #expect(fluid.carried(link) == 1000 && fluid.boundSeconds(link) == 10 && fluid.cappedSeconds == 10)
    }

    @Test func `zero capacity stalls, and a raise resumes`() {
        var fluid = Fluid()
        let link = fluid.addResource(capacity: 10)
        let t = fluid.start(route: fluid.routeID([link]), size: 100, tag: 0, at: 0)
        fluid.setCapacity(link, to: 0, at: 4)
        #expect(fluid.nextFinish() == nil && fluid.rate(t) == 0 && fluid.activeCount == 1)
        fluid.setCapacity(link, to: 30, at: 100)
        #expect(fluid.nextFinish() == 102)
        #expect(finishes(&fluid) == [0: 102])
    }

    @Test func `size zero and an unlimited empty route finish at once, in order of starting`() {
        var fluid = Fluid()
        let link = fluid.addResource(capacity: 0)
        _ = fluid.start(route: fluid.routeID([link]), size: 0, tag: 1, at: 5)
        _ = fluid.start(route: fluid.routeID([]), size: 9, tag: 2, at: 5)
        _ = fluid.start(route: fluid.routeID([]), size: 9, cap: 3, tag: 3, at: 5)
        #expect(fluid.nextFinish() == 5)
        var told: [Int64] = []
        fluid.advance(to: 5) { tag, _ in told.append(tag) }
        #expect(told == [1, 2] && fluid.nextFinish() == 8)
    }

    @Test func `cancelling returns what was left, and frees the share`() {
        var fluid = Fluid()
        let route = fluid.routeID([fluid.addResource(capacity: 10)])
        let a = fluid.start(route: route, size: 100, tag: 0, at: 0)
        let b = fluid.start(route: route, size: 100, tag: 1, at: 0)
        var left = fluid.cancel(a, at: 4)
        #expect(left == 80 && fluid.rate(b) == 10 && fluid.nextFinish() == 12)
        left = fluid.cancel(a, at: 4)
        #expect(left == 0 && fluid.activeCount == 1)
    }

    @Test func `a finish the caller has not asked for yet is kept, and told in order`() {
        var fluid = Fluid()
        let route = fluid.routeID([fluid.addResource(capacity: 10)])
        let done = fluid.start(route: route, size: 10, tag: 0, at: 0)
        _ = fluid.start(route: route, size: 1000, tag: 1, at: 0)
        let third = fluid.start(route: route, size: 10, tag: 2, at: 50)
        #expect(fluid.remaining(done, at: 50) == 0 && fluid.rate(third) == 5 && fluid.nextFinish() == 50)
        var told: [Int64] = []
        fluid.advance(to: 60) { tag, _ in told.append(tag) }
        #expect(told == [0, 2])
    }

    @Test func `what finishes together is told by order of starting, across classes`() {
        var fluid = Fluid()
        let links = (0..<10).map { _ in fluid.addResource(capacity: 10) }
        for n in [3, 1, 2, 9, 4] {
            _ = fluid.start(route: fluid.routeID([links[n]]), size: 100, tag: Int64(n), at: 0)
        }
        var told: [Int64] = []
        fluid.advance(to: 10) { tag, _ in told.append(tag) }
        #expect(told == [3, 1, 2, 9, 4])
    }

    @Test func `changes at one moment take one solve`() {
        var fluid = Fluid()
        let link = fluid.addResource(capacity: 10)
        let route = fluid.routeID([link])
        for n in 0..<100 as Range<Int64> { _ = fluid.start(route: route, size: 10, tag: n, at: 0) }
        fluid.setCapacity(link, to: 20, at: 0)
        _ = fluid.nextFinish()
        #expect(fluid.solveCount == 1 && fluid.solvedClassCount == 1)
    }

    @Test func `what is not connected with a change is left alone`() {
        var fluid = Fluid()
        let links = (0..<10).map { _ in fluid.addResource(capacity: 10) }
        for (n, link) in links.enumerated() {
            _ = fluid.start(route: fluid.routeID([link]), size: 100, tag: Int64(n), at: 0)
        }
        _ = fluid.nextFinish()
        let before = fluid.solvedClassCount
        fluid.setCapacity(links[3], to: 5, at: 1)
        _ = fluid.nextFinish()
        #expect(fluid.solvedClassCount == before + 1)
    }

    @Test func `history puts bytes into the hour they moved in, week after week`() {
        var fluid = Fluid()
        let link = fluid.addResource(capacity: 2)
        fluid.enableHistory(bucketSeconds: 10, bucketCount: 3)
        // 70 bytes from 5 s on take until 40 s: half of bucket 0, all of 1 and 2, all of 0 again.
        _ = fluid.start(route: fluid.routeID([link]), size: 70, tag: 0, at: 5)
        fluid.advance(to: 40) { _, _ in }
        fluid.settle(at: 100)
        #expect(fluid.history(link) == [30, 20, 20])
        // Ten rounds at once: 5 to 905 s are 30 rounds of three buckets.
        var long = Fluid()
        let wire = long.addResource(capacity: 1)
        long.enableHistory(bucketSeconds: 10, bucketCount: 3)
        _ = long.start(route: long.routeID([wire]), size: 900, tag: 0, at: 5)
        long.settle(at: 905)
        #expect(long.history(wire) == [300, 300, 300] && long.carried(wire) == 900)
    }

    @Test func `every byte is carried once`() {
        var random = RandomStream(seed: 5, name: "conservation")
        var fluid = Fluid()
        let a = fluid.addResource(capacity: 1e9)
        let b = fluid.addResource(capacity: 7e8)
        let routes = [fluid.routeID([a]), fluid.routeID([a, b]), fluid.routeID([b])]
        var expected = [0.0, 0.0]
        var time = 0.0
        for n in 0..<20_000 {
            time += random.exponential(mean: 30)
            let size = random.lognormal(mean: 1.5e10, cv: 2)
            let route = random.below(3)
            _ = fluid.start(route: routes[route], size: size, tag: Int64(n), at: time)
            if route < 2 { expected[0] += size }
            if route > 0 { expected[1] += size }
        }
        while let next = fluid.nextFinish() {
            time = next
            fluid.advance(to: next) { _, _ in }
        }
        fluid.settle(at: time)
        #expect(abs(fluid.carried(a) / expected[0] - 1) < 1e-11 && abs(fluid.carried(b) / expected[1] - 1) < 1e-11)
    }
}
