/// The slow way to the same answer: all rates from scratch, by progressive filling, at every change. Shares no code with
/// `Fluid`, and has no classes, no heap and no component.
struct NaiveFluid {
    struct Flow {
        var start: Double
        var left: Double
        var route: [Int]
        var weight: Double
        var cap: Double
        var finish: Double?
        var cancelAt: Double = .infinity
    }
    var capacities: [Double]
    var steps: [(time: Double, resource: Int, capacity: Double)]
    var flows: [Flow]
    var carried: [Double] = []
    var bound: [Double] = []

    static func rates(capacities: [Double], flows: [Flow], active: [Int]) -> (rates: [Int: Double], bound: [Int: Int]) {
        var rates: [Int: Double] = [:]
        var bound: [Int: Int] = [:]
        var open = active
        while !open.isEmpty {
            var level = Double.infinity
            var at = -1
            for r in capacities.indices {
                let users = open.filter { flows[$0].route.contains(r) }
                guard !users.isEmpty else { continue }
                let used = active.filter { rates[$0] != nil && flows[$0].route.contains(r) }.reduce(0) {
                    $0 + rates[$1]!
                }
                let share = max(capacities[r] - used, 0) / users.reduce(0) { $0 + flows[$1].weight }
                if share < level { (level, at) = (share, r) }
            }
            let capped = open.filter { flows[$0].cap / flows[$0].weight <= level }
            if let least = capped.min(by: { flows[$0].cap / flows[$0].weight < flows[$1].cap / flows[$1].weight }) {
                rates[least] = flows[least].cap
                open.removeAll { $0 == least }
            } else {
                for i in open where flows[i].route.contains(at) {
                    rates[i] = level * flows[i].weight
                    bound[i] = at
                }
                open.removeAll { rates[$0] != nil }
            }
        }
        return (rates, bound)
    }

    /// Runs until nothing moves any more.
    mutating func run() {
        carried = capacities.map { _ in 0 }
        bound = carried
        var now = 0.0
        while true {
            for step in steps where step.time == now { capacities[step.resource] = step.capacity }
            let active = flows.indices.filter {
                flows[$0].start <= now && flows[$0].finish == nil && flows[$0].cancelAt > now
            }
            let (rates, holders) = NaiveFluid.rates(capacities: capacities, flows: flows, active: active)
            var next = Double.infinity
            for step in steps where step.time > now { next = min(next, step.time) }
            for i in flows.indices where flows[i].start > now { next = min(next, flows[i].start) }
            for i in active where flows[i].cancelAt < .infinity { next = min(next, flows[i].cancelAt) }
            for i in active where rates[i]! > 0 { next = min(next, now + flows[i].left / rates[i]!) }
            guard next < .infinity else { return }
            for i in active {
                let rate = rates[i]!
                let moved = min(rate * (next - now), flows[i].left)
                for r in flows[i].route { carried[r] += moved }
                if let r = holders[i] { bound[r] += next - now }
                if rate > 0, now + flows[i].left / rate <= next * (1 + 1e-14) { flows[i].finish = next }
                flows[i].left -= moved
            }
            now = next
        }
    }
}
