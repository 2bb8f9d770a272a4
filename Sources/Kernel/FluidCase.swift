/// Transfers over resources whose finish times are known, to hold `Fluid` against.
public struct FluidCase: Sendable {
    /// A shared resource and how its capacity steps.
    public struct Resource: Sendable {
        public var id: String
        public var capacity: Double
        public var steps: [(time: Double, capacity: Double)]
        public init(id: String, capacity: Double, steps: [(time: Double, capacity: Double)] = []) {
            self.id = id
            self.capacity = capacity
            self.steps = steps
        }
    }

    /// A transfer: from `activation` on it moves `size` bytes over the resources at the indices in `route`.
    public struct Activity: Sendable {
        public var id: String
        public var activation: Double
        public var size: Double
        public var route: [Int]
        public var cap: Double
        public var weight: Double
        public var finish: Double
        public init(
            id: String, activation: Double, size: Double, route: [Int], cap: Double = .infinity, weight: Double = 1,
            finish: Double
        ) {
            self.id = id
            self.activation = activation
            self.size = size
            self.route = route
            self.cap = cap
            self.weight = weight
            self.finish = finish
        }
    }

    public var name: String
    public var resources: [Resource]
    public var activities: [Activity]

    public init(name: String, resources: [Resource], activities: [Activity]) {
        self.name = name
        self.resources = resources
        self.activities = activities
    }

    /// What is wrong with the numbers, or nil; `run()` may only be called if nothing is.
    public var fault: String? {
        func bad(_ value: Double) -> Bool { !(value >= 0 && value <= 1e18) }
        for resource in resources {
            if bad(resource.capacity) { return "resource \(resource.id): capacity \(resource.capacity)" }
            for step in resource.steps where bad(step.time) || bad(step.capacity) {
                return "resource \(resource.id): capacity step [\(step.time), \(step.capacity)]"
            }
        }
        for activity in activities {
            if bad(activity.activation) { return "activity \(activity.id): activation \(activity.activation)" }
            if bad(activity.size) { return "activity \(activity.id): size \(activity.size)" }
            if !(activity.cap >= 0) { return "activity \(activity.id): cap \(activity.cap)" }
            if !(activity.weight >= 1e-9 && activity.weight <= 1e18) {
                return "activity \(activity.id): weight \(activity.weight)"
            }
            if activity.finish.isNaN { return "activity \(activity.id): finish \(activity.finish)" }
            for r in activity.route where !resources.indices.contains(r) {
                return "activity \(activity.id): resource number \(r)"
            }
        }
        return nil
    }

    /// The finish time of each activity, in their order; infinite where one never finishes.
    /// - Precondition: `fault` is nil.
    public func run() -> [Double] {
        precondition(fault == nil, "\(name) cannot be run: \(fault ?? "")")
        var fluid = Fluid()
        let ids = resources.map { fluid.addResource(capacity: $0.capacity) }
        let routes = activities.map { fluid.routeID($0.route.map { ids[$0] }) }
        var steps: [(time: Double, resource: Int, capacity: Double)] = []
        for r in resources.indices { for step in resources[r].steps { steps.append((step.time, r, step.capacity)) } }
        let stepOrder = steps.indices.sorted { (steps[$0].time, $0) < (steps[$1].time, $1) }
        let order = activities.indices.sorted { (activities[$0].activation, $0) < (activities[$1].activation, $1) }
        var finishes = [Double](repeating: .infinity, count: activities.count)
        var (nextStart, nextStep) = (0, 0)
        while true {
            var time = fluid.nextFinish() ?? .infinity
            if nextStart < order.count { time = min(time, activities[order[nextStart]].activation) }
            if nextStep < stepOrder.count { time = min(time, steps[stepOrder[nextStep]].time) }
            guard time < .infinity else { return finishes }
            fluid.advance(to: time) { tag, _ in finishes[Int(tag)] = time }
            while nextStep < stepOrder.count, steps[stepOrder[nextStep]].time == time {
                let step = steps[stepOrder[nextStep]]
                fluid.setCapacity(ids[step.resource], to: step.capacity, at: time)
                nextStep += 1
            }
            while nextStart < order.count, activities[order[nextStart]].activation == time {
                let i = order[nextStart]
                let a = activities[i]
                _ = fluid.start(route: routes[i], size: a.size, weight: a.weight, cap: a.cap, tag: Int64(i), at: time)
                nextStart += 1
            }
        }
    }

    /// Runs the case and compares: passed if every finish is within 1e-9 of the exact one, relative above one second.
    public func check() -> OracleOutcome {
        let finishes = run()
        var worst = 0.0
        var detail = ""
        for (activity, finish) in zip(activities, finishes) where finish != activity.finish {
            let error = abs(finish - activity.finish) / max(1, abs(activity.finish))
            if !(error <= worst) {
                worst = error
                detail = "\(activity.id) finishes at \(finish) s, exactly at \(activity.finish) s"
            }
        }
        return OracleOutcome(name: name, passed: worst <= 1e-9, worstError: worst, detail: detail)
    }
}

/// What came of holding the kernel against numbers it did not make.
public struct OracleOutcome: Sendable {
    public let name: String
    public let passed: Bool
    /// The greatest relative error: against the tolerance where results are exact, of the estimate where they are random.
    public let worstError: Double
    /// Which number was farthest off, or why it failed.
    public let detail: String
    public init(name: String, passed: Bool, worstError: Double, detail: String) {
        self.name = name
        self.passed = passed
        self.worstError = worstError
        self.detail = detail
    }
}
