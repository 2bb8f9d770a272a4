internal import Units

// Machines that fail, jobs that are hit by it, waves of jobs, and what a pool of backups comes to hold.
extension QueueCase {
    func repairman() throws -> Replication {
        let machines = try whole("N", in: 1...10_000)
        let crews = try whole("c", in: 1...10_000)
        let rate = try parameter("x", in: 1e-6...1e6)
        return { number in
            var lives = self.stream("lives", number)
            var repairs = self.stream("repairs", number)
            var agenda = Agenda()
            var slots = Slots(capacity: crews)
            func after(_ seconds: Double) -> SimTime { agenda.now + SimDuration(roundingUp: seconds) }
            for m in 0..<machines {
                agenda.schedule(Event(kind: 0, subject: Int32(m)), at: after(lives.exponential(mean: 1 / rate)))
            }
            var down = TimeWeighted()
            var allUp = TimeWeighted(1)
            var manyDown = TimeWeighted()
            var repaired = 0
            let (warmUp, measured) = (2000 + 20 * machines, 30_000)
            for n in 0..<warmUp + measured {
                if n == warmUp {
                    down.restart(at: agenda.now)
                    allUp.restart(at: agenda.now)
                    manyDown.restart(at: agenda.now)
                }
                guard let event = agenda.next(until: .never) else { break }
                if event.kind == 0 {
                    if slots.request(Int64(event.subject)) {
                        agenda.schedule(Event(kind: 1, subject: event.subject), at: after(repairs.exponential(mean: 1)))
                    }
                } else {
                    if n >= warmUp { repaired += 1 }
                    agenda.schedule(
                        Event(kind: 0, subject: event.subject), at: after(lives.exponential(mean: 1 / rate)))
                    if let next = slots.release() {
                        agenda.schedule(Event(kind: 1, subject: Int32(next)), at: after(repairs.exponential(mean: 1)))
                    }
                }
                let count = slots.inUse + slots.waitingCount
                down.set(Double(count), at: agenda.now)
                allUp.set(count == 0 ? 1 : 0, at: agenda.now)
                manyDown.set(count > 1 ? 1 : 0, at: agenda.now)
            }
            let end = agenda.now
            let meanDown = down.mean(until: end)
            return [
                "mean_down": meanDown, "availability": 1 - meanDown / Double(machines),
                "p_all_up": allUp.mean(until: end),
                "p_more_than_1_down": manyDown.mean(until: end),
                "throughput": Double(repaired) / (end - down.start).seconds,
            ]
        }
    }

    func alternatingRenewal() throws -> Replication {
        let up = try parameter("mttf", in: 1e-3...1e6)
        let down = try parameter("mttr", in: 1e-3...1e6)
        return { number in
            // Hours are simulated as milliseconds: thousands of lives of a node are longer than the clock is.
            let unit = 1e-3
            var share: [Double] = []
            var failures = 0
            var elapsed = 0.0
            for node in 0..<4 {
                var lives = RandomStream(seed: 1, replication: number, name: self.name + "/lives", entity: Int32(node))
                var repairs = RandomStream(
                    seed: 1, replication: number, name: self.name + "/repairs", entity: Int32(node))
                var agenda = Agenda()
                var isUp = TimeWeighted(1)
                // A horizon fixed in time: one that ends with a repair would favour short cycles.
                let horizon = SimTime.start + SimDuration(roundingUp: 2000 * (up + down) * unit)
                // Begins as old as a node of that age: up with the probability of being up, exponential from there.
                let begin = lives.draw(at: 1 << 40) < up / (up + down)
                isUp.set(begin ? 1 : 0, at: .start)
                let first = begin ? lives.exponential(mean: up * unit) : repairs.exponential(mean: down * unit)
                agenda.schedule(Event(kind: begin ? 0 : 1, subject: 0), at: .start + SimDuration(roundingUp: first))
                while let event = agenda.next(until: horizon) {
                    let fails = event.kind == 0
                    if fails { failures += 1 }
                    isUp.set(fails ? 0 : 1, at: agenda.now)
                    let next = fails ? repairs.exponential(mean: down * unit) : lives.exponential(mean: up * unit)
                    agenda.schedule(
                        Event(kind: fails ? 1 : 0, subject: 0), at: agenda.now + SimDuration(roundingUp: next))
                }
                share.append(isUp.mean(until: horizon))
                elapsed += horizon.seconds / unit
            }
            // The nodes are independent, so joint states are products, and unbiased ones.
            let all = share.reduce(1, *)
            let threeOfFour = share.indices.reduce(all) { sum, i in
                sum + share.indices.reduce(1 - share[i]) { $1 == i ? $0 : $0 * share[$1] }
            }
            return [
                "availability": share.reduce(0, +) / 4, "failures_per_year": Double(failures) / elapsed * 8760,
                "two_of_two_unavailable": ((1 - share[0]) * (1 - share[1]) + (1 - share[2]) * (1 - share[3])) / 2,
                "n4_at_least_3_up": threeOfFour,
            ]
        }
    }

    func wave(isRandom: Bool) throws -> Replication {
        let jobs = try whole("n", in: 1...1_000_000)
        let slots = try whole("c", in: 1...1_000_000)
        return { number in
            let rounds = isRandom ? max(1, 8000 / jobs) : 1
            var lengths = self.stream("lengths", number)
            var makespan = Tally()
            var wait = Tally()
            var finish = Tally()
            for _ in 0..<rounds {
                var agenda = Agenda()
                var line = Slots(capacity: slots)
                func begin(_ who: Int64) {
                    wait.add(agenda.now.seconds)
                    let length = isRandom ? lengths.exponential(mean: 1) : 1
                    agenda.schedule(
                        Event(kind: 0, subject: Int32(who)), at: agenda.now + SimDuration(roundingUp: length),
                        rank: .release)
                }
                for job in 0..<Int64(jobs) where line.request(job) { begin(job) }
                while agenda.next(until: .never) != nil {
                    finish.add(agenda.now.seconds)
                    if let next = line.release() { begin(next) }
                }
                makespan.add(agenda.now.seconds)
            }
            return [
                "makespan": makespan.mean, "mean_makespan": makespan.mean, "mean_wait": wait.mean,
                "mean_finish": finish.mean,
            ]
        }
    }

    func failingJob(restarts: Bool) throws -> Replication {
        let work = try parameter("w", in: 1e-6...1e5)
        let failureRate = try parameter("f", in: 1e-9...1e5)
        let repair = try parameter("r", in: 0...1e5)
        guard work * failureRate <= (restarts ? 8 : 1000) else {
            throw Unfit(reason: "\(work * failureRate) failures a job are too many to simulate")
        }
        return { number in
            var lives = self.stream("lives", number)
            var repairs = self.stream("repairs", number)
            var completion = Tally()
            var failures = 0
            let jobs = 2000
            for _ in 0..<jobs {
                var agenda = Agenda()
                var left = SimDuration(roundingUp: work)
                while true {
                    let life = SimDuration(roundingUp: min(lives.exponential(mean: 1 / failureRate), 2 * work + 1))
                    let done = agenda.schedule(Event(kind: 0, subject: 0), at: agenda.now + left)
                    let failure = agenda.schedule(Event(kind: 1, subject: 0), at: agenda.now + life)
                    let since = agenda.now
                    guard let event = agenda.next(until: .never), event.kind == 1 else {
                        agenda.cancel(failure)
                        break
                    }
                    agenda.cancel(done)
                    failures += 1
                    if !restarts { left = left - (agenda.now - since) }
                    let length = repair > 0 ? repairs.exponential(mean: repair) : 0
                    agenda.schedule(Event(kind: 2, subject: 0), at: agenda.now + SimDuration(roundingUp: length))
                    _ = agenda.next(until: .never)
                }
                completion.add(agenda.now.seconds)
            }
            let mean = Double(failures) / Double(jobs)
            return ["mean_completion": completion.mean, "mean_restarts": mean, "mean_failures": mean]
        }
    }

    /// Every machine makes recovery points at even times of the day, and each expires when its retention is over.
    func pool() throws -> Replication {
        let machines = try whole("V", in: 1...100_000)
        let size = try parameter("D", in: 0...1e9)
        let churn = try parameter("c", in: 0...1)
        let days = try whole("retention_days", in: 1...10_000)
        let points = try whole("points_per_day", in: 1...96)
        guard machines * days * points <= 10_000_000 else {
            throw Unfit(reason: "too many recovery points to simulate")
        }
        return { _ in
            var agenda = Agenda()
            let day = SimDuration.days(1).nanoseconds
            let increment = size * churn / Double(points)
            var kept = 0
            var lastNight = 0.0
            for step in 0..<Int64(days + 1) * Int64(points) {
                agenda.schedule(Event(kind: 0, subject: 0), at: SimTime(nanoseconds: day / Int64(points) * step))
            }
            while let event = agenda.next(until: SimTime(nanoseconds: day * Int64(days + 1) - 1)) {
                if event.kind == 1 {
                    kept -= 1
                    continue
                }
                if agenda.now.nanoseconds >= day * Int64(days) { lastNight += Double(machines) * increment }
                let expiry = agenda.now + .days(Int64(days))
                for m in 0..<Int32(machines) {
                    kept += 1
                    agenda.schedule(Event(kind: 1, subject: m), at: expiry, rank: .release)
                }
            }
            let replica = Double(machines) * size
            let recovery = Double(kept) * increment
            return [
                "replica_gb": replica, "recovery_points_gb": recovery, "total_gb": replica + recovery,
                "recovery_points": Double(kept), "nightly_gb": lastNight,
            ]
        }
    }
}
