import Foundation
import Kernel
import Units

/// Xoshiro256++, seeded by SplitMix64, as in hold.cpp: both sides draw the same numbers at the same cost.
struct Xoshiro {
    var s: (UInt64, UInt64, UInt64, UInt64)
    init(seed: UInt64) {
        var x = seed
        func split() -> UInt64 {
            x &+= 0x9E37_79B9_7F4A_7C15
            var z = x
            z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
            z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
            return z ^ (z >> 31)
        }
        s = (split(), split(), split(), split())
    }
    @inline(__always) mutating func next() -> UInt64 {
        func rotated(_ x: UInt64, _ k: UInt64) -> UInt64 { (x &<< k) | (x &>> (64 &- k)) }
        let result = rotated(s.0 &+ s.3, 23) &+ s.0
        let t = s.1 << 17
        s.2 ^= s.0
        s.3 ^= s.1
        s.1 ^= s.2
        s.0 ^= s.3
        s.2 ^= t
        s.3 = rotated(s.3, 45)
        return result
    }
    @inline(__always) mutating func nanoseconds() -> Int64 {
        Int64(-log(Double((next() >> 11) + 1) * 0x1p-53) * 1e9)
    }
}

@main enum Main {
    static func seconds(_ work: () -> Void) -> Double {
        let clock = ContinuousClock()
        let time = clock.measure(work).components
        return Double(time.seconds) + Double(time.attoseconds) * 1e-18
    }

    static func turn(_ agenda: inout Agenda, _ random: inout Xoshiro, _ count: Int) {
        for _ in 0..<count {
            guard let event = agenda.next(until: .never) else { return }
            agenda.schedule(event, at: SimTime(nanoseconds: agenda.now.nanoseconds &+ random.nanoseconds()))
        }
    }

    /// Nanoseconds an event: take the next, schedule it again later.
    static func hold(pending: Int, events: Int) -> Double {
        var agenda = Agenda()
        var random = Xoshiro(seed: 12345)
        for i in 0..<pending {
            agenda.schedule(Event(kind: 0, subject: Int32(i)), at: SimTime(nanoseconds: random.nanoseconds()))
        }
        turn(&agenda, &random, 2 * pending + 1000)
        let clock = ContinuousClock()
        let start = clock.now
        turn(&agenda, &random, events)
        let time = (clock.now - start).components
        return (Double(time.seconds) + Double(time.attoseconds) * 1e-18) / Double(events) * 1e9
    }

    struct File: Decodable {
        struct Resource: Decodable {
            let id: String
            let capacity: Double
            let sharing: String
        }
        struct Activity: Decodable {
            let id: String
            let activation: Double
            let size: Double
            let weight: Double
            let cap: Double?
            let route: [String]
            let finish_exact: Double
        }
        let name: String
        let resources: [Resource]
        let activities: [Activity]
    }

    static func main() throws {
        let arguments = CommandLine.arguments
        if arguments.count == 4, arguments[1] == "hold", let pending = Int(arguments[2]), let events = Int(arguments[3])
        {
            print(hold(pending: pending, events: events))
        } else if arguments.count == 4, arguments[1] == "fluid", let repeats = Int(arguments[3]) {
            let file = try JSONDecoder().decode(File.self, from: Data(contentsOf: URL(fileURLWithPath: arguments[2])))
            let shared = file.resources.filter { $0.sharing == "shared" }
            var places: [String: Int] = [:]
            for (i, resource) in shared.enumerated() { places[resource.id] = i }
            let fluid = FluidCase(
                name: file.name, resources: shared.map { .init(id: $0.id, capacity: $0.capacity) },
                activities: file.activities.map {
                    .init(
                        id: $0.id, activation: $0.activation, size: $0.size, route: $0.route.compactMap { places[$0] },
                        cap: $0.cap ?? .infinity, weight: $0.weight, finish: $0.finish_exact)
                })
            guard fluid.check().passed else { fatalError("\(file.name) does not give the exact finish times") }
            // The least of several runs: what else the machine does can only add.
            print((0..<repeats).map { _ in seconds { _ = fluid.run() } }.min() ?? 0)
        } else {
            print("usage: kernelbench hold PENDING EVENTS | fluid FILE REPEATS")
        }
    }
}
