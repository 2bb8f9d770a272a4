public import Protection
public import Units

/// What was found again of a DPM server whose database was lost. Of machines that are not named nothing had to be looked for.
public struct RebuiltDatabase: Sendable {
    /// Recovery points in the pool, by machine.
    public var points: [Ref<Machine>: [SimTime]] = [:]
    /// Numbers of the whole sets on tape of these machines.
    public var sets: Set<Int32> = []

    /// Nothing was lost.
    public init() {}
}
