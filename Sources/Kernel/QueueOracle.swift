/// A model of queueing theory with known results, to hold agenda, slots, fluid and random streams against.
public struct QueueCase: Sendable {
    public var name: String
    /// The model's name, which begins as one of `QueueCase.models` does.
    public var model: String
    public var params: [String: Double]
    /// Exact values by name; each must have an estimate in the simulation.
    public var exact: [String: Double]

    public init(name: String, model: String, params: [String: Double], exact: [String: Double]) {
        self.name = name
        self.model = model
        self.params = params
        self.exact = exact
    }

    /// How a replication of a model gives one value for each name.
    typealias Replication = (_ number: UInt32) -> [String: Double]

    /// Why a case cannot be run.
    struct Unfit: Error { let reason: String }

    /// The models that can be simulated, by the beginning of their names.
    public static var models: [String] { makers.map(\.prefix) }

    private static let makers: [(prefix: String, isRandom: Bool, make: @Sendable (QueueCase) throws -> Replication)] = [
        ("M/M/c FIFO", true, { try $0.lineMMc() }), ("M/G/1 FIFO", true, { try $0.lineMG1() }),
        ("M/G/1 processor sharing", true, { try $0.processorSharing() }), ("M/G/c/c loss", true, { try $0.lossMGcc() }),
        ("M/M/c/K", true, { try $0.lineMMcK() }), ("machine repairman", true, { try $0.repairman() }),
        ("alternating renewal", true, { try $0.alternatingRenewal() }),
        ("M/M/1 non-preemptive priority", true, { try $0.priorities(isPreemptive: false) }),
        ("M/M/1 preemptive-resume priority", true, { try $0.priorities(isPreemptive: true) }),
        ("n equal jobs", false, { try $0.wave(isRandom: false) }),
        ("n exponential(1) jobs", true, { try $0.wave(isRandom: true) }),
        ("job of length w restarts", true, { try $0.failingJob(restarts: true) }),
        ("job of length w resumes", true, { try $0.failingJob(restarts: false) }),
        ("forever-incremental pool", false, { try $0.pool() }),
    ]

    /// Simulates the model and compares.
    ///
    /// A deterministic model passes if all values are within 1e-9, relative above one; a random one if each exact value
    /// lies in the 99.9 % Student interval of 40 replications, whose seeds depend on the case's name and nothing else.
    public func check() -> OracleOutcome {
        guard let maker = QueueCase.makers.first(where: { model.hasPrefix($0.prefix) }) else {
            return failure("no simulation of the model \"\(model)\"")
        }
        if exact.isEmpty { return failure("no exact values to compare with") }
        do {
            let replicate = try maker.make(self)
            return compare((0..<(maker.isRandom ? 40 : 1)).map { replicate($0) }, isRandom: maker.isRandom)
        } catch let unfit as Unfit {
            return failure(unfit.reason)
        } catch {
            return failure("\(error)")
        }
    }

    private func failure(_ reason: String) -> OracleOutcome {
        OracleOutcome(name: name, passed: false, worstError: .infinity, detail: reason)
    }

    private func compare(_ runs: [[String: Double]], isRandom: Bool) -> OracleOutcome {
        var passed = true
        var worst = 0.0
        var details: [String] = []
        for key in exact.keys.sorted() {
            let value = exact[key]!
            var tally = Tally()
            for run in runs {
                guard let estimate = run[key] else {
                    return failure("no estimate of \"\(key)\" in the model \"\(model)\"")
                }
                tally.add(estimate)
            }
            let interval = tally.interval(confidence: 0.999) ?? Interval(mean: tally.mean, halfWidth: 0)
            // A percentile is estimated by the share of the sample that does not exceed its exact value.
            let target = QueueCase.percentile(key).map { sharesBelow(value) ? $0 : tally.mean } ?? value
            let error = abs(tally.mean - target) / max(isRandom ? abs(target) : 1, 1e-300)
            worst = max(worst, error.isNaN ? .infinity : error)
            let isGood = abs(tally.mean - target) <= interval.halfWidth + 1e-9 * max(1, abs(target))
            if !isGood {
                passed = false
                details.append("\(key) is \(tally.mean) +- \(interval.halfWidth), exactly \(target)")
            }
        }
        return OracleOutcome(name: name, passed: passed, worstError: worst, detail: details.joined(separator: "; "))
    }

    // Those who do not wait at all are one point of the distribution: a percentile of 0 is no equation.
    private func sharesBelow(_ value: Double) -> Bool { value > 0 }

    /// 0.95 of `Wq_p95`; nil for other names.
    static func percentile(_ key: String) -> Double? {
        guard key.hasPrefix("Wq_p"), let digits = Double(key.dropFirst(4)), digits > 0, digits < 100 else { return nil }
        return digits / 100
    }

    // What the models need of the case.

    func parameter(_ key: String, in range: ClosedRange<Double>) throws -> Double {
        guard let value = params[key] else { throw Unfit(reason: "the parameter \"\(key)\" is missing") }
        guard range.contains(value) else {
            throw Unfit(reason: "the parameter \"\(key)\" is \(value), not in \(range)")
        }
        return value
    }

    func whole(_ key: String, in range: ClosedRange<Int>) throws -> Int {
        let value = try parameter(key, in: Double(range.lowerBound)...Double(range.upperBound))
        guard value == value.rounded() else {
            throw Unfit(reason: "the parameter \"\(key)\" is \(value), not a whole number")
        }
        return Int(value)
    }

    func stream(_ purpose: String, _ replication: UInt32) -> RandomStream {
        RandomStream(seed: 20_260_105, replication: replication, name: name + "/" + purpose)
    }
}
