internal import Units

// Arrivals at random to one line in front of equal servers. One second is one mean service.
extension QueueCase {
    enum Service: Sendable {
        case exponential, constant, erlang2, lognormal(scv: Double), hyperexponential(scv: Double), uniform(scv: Double)

        func draw(_ stream: inout RandomStream) -> Double {
            switch self {
            case .exponential: return stream.exponential(mean: 1)
            case .constant: return 1
            case .erlang2: return stream.exponential(mean: 0.5) + stream.exponential(mean: 0.5)
            case .lognormal(let scv): return stream.lognormal(mean: 1, cv: scv.squareRoot())
            case .uniform(let scv):
                let half = (3 * scv).squareRoot()
                return stream.uniform(from: 1 - half, to: 1 + half)
            case .hyperexponential(let scv):
                // Balanced: both branches carry the same load.
                let p = (1 + ((scv - 1) / (scv + 1)).squareRoot()) / 2
                let share = stream.uniform() < p ? p : 1 - p
                return stream.exponential(mean: 1 / (2 * share))
            }
        }
    }

    struct Line: Sendable {
        var rate: Double
        var servers: Int
        var service = Service.exponential
        // At most this many inside and waiting; others are turned away.
        var room = Int.max
        // Arrivals of the first class, served first; nil: one class only.
        var firstClassRate: Double?
        // Customers that arrive before anything is measured, and those that are measured.
        var warmUp: Int
        var measured: Int
        var limits: [(key: String, value: Double)] = []
    }

    /// Long enough for the line to forget that it began empty: its memory grows with 1 / (1 - load)^2.
    private func line(rate: Double, servers: Int, load: Double, factor: Double = 1) -> Line {
        let memory = load < 0.99 ? 1 / ((1 - load) * (1 - load)) : 1e4
        return Line(
            rate: rate, servers: servers, warmUp: Int(min(max(20 * memory * factor, 2000), 100_000)),
            measured: Int(min(max(250 * memory * factor, 25_000), 400_000)))
    }

    private func replication(of line: Line) -> Replication { { self.run(line, $0) } }

    func lineMMc() throws -> Replication {
        let servers = try whole("c", in: 1...100_000)
        let load = try parameter("rho", in: 1e-3...0.995)
        var line = line(rate: load * Double(servers), servers: servers, load: load)
        for key in exact.keys.sorted() where QueueCase.percentile(key) != nil { line.limits.append((key, exact[key]!)) }
        return replication(of: line)
    }

    func lineMG1() throws -> Replication {
        let load = try parameter("rho", in: 1e-3...0.995)
        let scv = try parameter("scv", in: 0...100)
        var line = line(rate: load, servers: 1, load: load, factor: max(1, scv))
        if model.contains("deterministic") {
            line.service = .constant
        } else if model.contains("Erlang-2") {
            line.service = .erlang2
        } else if model.contains("lognormal") {
            line.service = .lognormal(scv: scv)
        } else if model.contains("hyperexponential"), scv >= 1 {
            line.service = .hyperexponential(scv: scv)
        } else if model.contains("uniform"), scv <= 1.0 / 3 {
            line.service = .uniform(scv: scv)
        } else if model.contains("exponential"), scv == 1 {
            line.service = .exponential
        } else {
            throw Unfit(reason: "no service distribution with SCV \(scv) in the model \"\(model)\"")
        }
        return replication(of: line)
    }

    func lossMGcc() throws -> Replication {
        let servers = try whole("c", in: 1...100_000)
        let offered = try parameter("offered", in: 1e-3...1e5)
        var line = line(rate: offered, servers: servers, load: 0.9)
        // Erlang's formula holds for any distribution; this one is far from exponential.
        line.service = .uniform(scv: 0.25)
        line.room = servers
        return replication(of: line)
    }

    func lineMMcK() throws -> Replication {
        let servers = try whole("c", in: 1...100_000)
        let load = try parameter("rho", in: 1e-3...100)
        var line = line(rate: load * Double(servers), servers: servers, load: min(load, 0.9))
        line.room = try whole("K", in: servers...1_000_000)
        return replication(of: line)
    }

    func priorities(isPreemptive: Bool) throws -> Replication {
        let first = try parameter("lambda1", in: 1e-3...0.99)
        let second = try parameter("lambda2", in: 1e-3...0.99)
        guard first + second <= 0.995 else { throw Unfit(reason: "no steady state at a load of \(first + second)") }
        var line = line(rate: first + second, servers: 1, load: first + second)
        line.firstClassRate = first
        return isPreemptive ? { self.runPreemptive(line, $0) } : replication(of: line)
    }

    private func run(_ line: Line, _ number: UInt32) -> [String: Double] {
        var arrivals = PoissonProcess(rate: line.rate, stream: stream("arrivals", number))
        var services = stream("service", number)
        var classes = stream("class", number)
        var agenda = Agenda()
        var slots = Slots(capacity: line.servers)
        let total = line.warmUp + line.measured
        var arrived: [SimTime] = []
        var isFirst: [Bool] = []
        arrived.reserveCapacity(total)
        var inLine = TimeWeighted()
        var busy = TimeWeighted()
        var wait = [Tally(), Tally()]
        var stay = Tally()
        var waiters = 0
        var turnedAway = 0
        var served = 0
        var below = [Int](repeating: 0, count: line.limits.count)
        var begin = SimTime.start
        agenda.schedule(Event(kind: 0, subject: 0), at: .start + SimDuration(roundingUp: arrivals.next()))

        func enter(_ who: Int, at now: SimTime) {
            agenda.schedule(
                Event(kind: 1, subject: Int32(who)), at: now + SimDuration(roundingUp: line.service.draw(&services)),
                rank: .release)
            guard who >= line.warmUp else { return }
            let seconds = (now - arrived[who]).seconds
            wait[isFirst[who] ? 0 : 1].add(seconds)
            if now > arrived[who] { waiters += 1 }
            for i in line.limits.indices where seconds <= line.limits[i].value { below[i] += 1 }
        }

        while let event = agenda.next(until: .never) {
            let now = agenda.now
            if event.kind == 0 {
                let who = arrived.count
                if who == line.warmUp {
                    begin = now
                    inLine.restart(at: now)
                    busy.restart(at: now)
                }
                if who == total { break }
                arrived.append(now)
                isFirst.append(line.firstClassRate.map { classes.uniform() * line.rate < $0 } ?? false)
                agenda.schedule(Event(kind: 0, subject: 0), at: now + SimDuration(roundingUp: arrivals.next()))
                if slots.inUse + slots.waitingCount >= line.room {
                    if who >= line.warmUp { turnedAway += 1 }
                } else if slots.request(Int64(who), priority: isFirst[who] ? 0 : 1) {
                    enter(who, at: now)
                }
            } else {
                let who = Int(event.subject)
                if who >= line.warmUp { stay.add((now - arrived[who]).seconds) }
                if arrived.count > line.warmUp { served += 1 }
                if let next = slots.release() { enter(Int(next), at: now) }
            }
            inLine.set(Double(slots.waitingCount), at: now)
            busy.set(Double(slots.inUse), at: now)
        }
        let end = agenda.now
        let length = inLine.mean(until: end)
        let inside = busy.mean(until: end)
        let waits = Double(wait[0].count + wait[1].count)
        var result = [
            "Wq": (wait[0].mean * Double(wait[0].count) + wait[1].mean * Double(wait[1].count)) / waits,
            "Wq1": wait[0].mean, "Wq2": wait[1].mean, "W": stay.mean, "Lq": length, "L": length + inside,
            "util": inside / Double(line.servers), "P_wait": Double(waiters) / waits,
            "blocking": Double(turnedAway) / Double(line.measured),
            "throughput": Double(served) / (end - begin).seconds,
        ]
        result["Wq_all"] = result["Wq"]
        for i in line.limits.indices { result[line.limits[i].key] = Double(below[i]) / waits }
        return result
    }

    /// Two classes on one server; the first interrupts the second, which later goes on where it stopped.
    private func runPreemptive(_ line: Line, _ number: UInt32) -> [String: Double] {
        var arrivals = PoissonProcess(rate: line.rate, stream: stream("arrivals", number))
        var services = stream("service", number)
        var classes = stream("class", number)
        var agenda = Agenda()
        var slots = Slots(capacity: 1)
        var arrived: [SimTime] = []
        var left: [SimDuration] = []
        var rank: [Int] = []
        var current: (who: Int, since: SimTime, ticket: Agenda.Ticket)?
        var stay = [Tally(), Tally()]
        let total = line.warmUp + line.measured
        agenda.schedule(Event(kind: 0, subject: 0), at: .start + SimDuration(roundingUp: arrivals.next()))

        func serve(_ who: Int) {
            let ticket = agenda.schedule(
                Event(kind: 1, subject: Int32(who)), at: agenda.now + left[who], rank: .release)
            current = (who, agenda.now, ticket)
        }

        while let event = agenda.next(until: .never) {
            let now = agenda.now
            if event.kind == 1 {
                let who = Int(event.subject)
                if who >= line.warmUp { stay[rank[who] > 0 ? 1 : 0].add((now - arrived[who]).seconds) }
                current = nil
                if let next = slots.release() { serve(Int(next)) }
                continue
            }
            let who = arrived.count
            if who == total { break }
            arrived.append(now)
            // Later numbers of the second class give way to earlier ones, those interrupted included.
            rank.append(classes.uniform() * line.rate < line.firstClassRate! ? 0 : who + 1)
            left.append(SimDuration(roundingUp: line.service.draw(&services)))
            agenda.schedule(Event(kind: 0, subject: 0), at: now + SimDuration(roundingUp: arrivals.next()))
            if slots.request(Int64(who), priority: rank[who]) {
                serve(who)
            } else if rank[who] == 0, let running = current, rank[running.who] > 0 {
                agenda.cancel(running.ticket)
                left[running.who] = left[running.who] - (now - running.since)
                // The interrupted one lines up first, so that the slot it leaves goes past it.
                _ = slots.request(Int64(running.who), priority: rank[running.who])
                if let next = slots.release() { serve(Int(next)) }
            }
        }
        return ["W1": stay[0].mean, "W2": stay[1].mean]
    }

    func processorSharing() throws -> Replication {
        let load = try parameter("rho", in: 1e-3...0.99)
        let line = line(rate: load, servers: 1, load: load)
        return { self.runSharing(line, $0) }
    }

    /// Poisson transfers over one resource: the fluid is this queue. Sizes are lognormal, since the mean must not care.
    private func runSharing(_ line: Line, _ number: UInt32) -> [String: Double] {
        var arrivals = PoissonProcess(rate: line.rate, stream: stream("arrivals", number))
        var sizes = stream("size", number)
        var agenda = Agenda()
        var fluid = Fluid()
        let route = fluid.routeID([fluid.addResource(capacity: 1)])
        var arrived: [SimTime] = []
        var size: [Double] = []
        var inside = TimeWeighted()
        var stay = Tally()
        var slowdown = Tally()
        var completion: Agenda.Ticket?
        let total = line.warmUp + line.measured
        agenda.schedule(Event(kind: 0, subject: 0), at: .start + SimDuration(roundingUp: arrivals.next()))
        while let event = agenda.next(until: .never) {
            let now = agenda.now
            if event.kind == 0 {
                let who = arrived.count
                if who == line.warmUp { inside.restart(at: now) }
                if who == total { break }
                arrived.append(now)
                size.append(sizes.lognormal(mean: 1, cv: 1))
                _ = fluid.start(route: route, size: size[who], tag: Int64(who), at: now.seconds)
                agenda.schedule(Event(kind: 0, subject: 0), at: now + SimDuration(roundingUp: arrivals.next()))
            } else {
                completion = nil
            }
            fluid.advance(to: now.seconds) { who, _ in
                guard who >= line.warmUp else { return }
                let seconds = (now - arrived[Int(who)]).seconds
                stay.add(seconds)
                slowdown.add(seconds / size[Int(who)])
            }
            if let completion { agenda.cancel(completion) }
            completion = fluid.nextFinish().map { finish in
                let time = SimTime.start + SimDuration(roundingUp: finish)
                return agenda.schedule(Event(kind: 1, subject: 0), at: max(time, now), rank: .release)
            }
            inside.set(Double(fluid.activeCount), at: now)
        }
        return ["W": stay.mean, "L": inside.mean(until: agenda.now), "slowdown": slowdown.mean]
    }
}
