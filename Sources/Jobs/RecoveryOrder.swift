public import Protection
public import Units

/// A recovery that was allowed: the request, and what was found for it.
public struct RecoveryOrder: Hashable, Sendable {
    public var request: RecoveryRequest
    /// The recovery point.
    public var point: SimTime
    public var source: RecoveryRequest.Source
    /// The set on tape, where that is the source; -1 elsewhere.
    public var set: Int32
    /// Number of the recovery within the run, so that what two of them make lies apart.
    public var number: Int32

    public init(
        _ request: RecoveryRequest, point: SimTime, source: RecoveryRequest.Source, set: Int32 = -1, number: Int32
    ) {
        (self.request, self.point, self.source, self.set, self.number) = (request, point, source, set, number)
    }
}
