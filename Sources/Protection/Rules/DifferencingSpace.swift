public import Units

/// Space that the differencing disk of a backup takes on the volume that holds the machine's disks: initial disk size times
/// churn rate times backup window. Source: dpm-facts 2.8.
/// - Rule: PRE-8
/// - Parameters:
///   - churnPerHour: share of the disk written in an hour.
public func differencingSpace(initialSize: Bytes, churnPerHour: Fraction, window: SimDuration) -> Bytes {
    let perHour = initialSize.scaled(by: churnPerHour)
    return perHour.over(window, of: .hours(1))
}

extension Bytes {
    /// This many bytes a `period`, for as long as `span` lasts; rounded up.
    func over(_ span: SimDuration, of period: SimDuration) -> Bytes {
        guard span > .zero else { return .zero }
        let product = count.multipliedFullWidth(by: span.nanoseconds)
        guard product.high < period.nanoseconds / 2 else { return Bytes(.max) }
        let (quotient, remainder) = period.nanoseconds.dividingFullWidth(product)
        return Bytes(quotient + (remainder > 0 ? 1 : 0))
    }
}

extension Machine {
    /// Space for this machine's differencing disk while its snapshot lives for `window`: what the guest writes in that time, and
    /// never more than its disks hold.
    /// - Rule: PRE-8
    /// - Rule: VSS-5
    public func differencingSpace(over window: SimDuration) -> Bytes {
        min(churn.perDay.over(window, of: .days(1)), protectedSize)
    }
}

extension World {
    /// Why the volume has too little free space for the machines backed up from it at the same time; nil if it suffices.
    /// - Rule: PRE-8
    public func differencingRefusal(
        of volume: Ref<Volume>, free: Bytes, machines members: [Ref<Machine>], window: SimDuration
    ) -> Refusal? {
        var needed: Int64 = 0
        for member in members {
            let (sum, overflow) = needed.addingReportingOverflow(machines[member].differencingSpace(over: window).count)
            needed = overflow ? .max : sum
        }
        guard needed > free.count else { return nil }
        let count = members.count
        return Refusal(
            id: 30115, rule: RuleID("PRE", 8), object: "volume \(volumes[volume].name)",
            cause: "\(count) \(count == 1 ? "machine" : "machines") backed up at the same time for \(window) "
                + "\(count == 1 ? "needs" : "need") \(Bytes(needed)) of differencing space, and \(free) is free",
            action: "Free space on the volume, back up fewer of its machines at a time, or choose a quieter time")
    }
}
