public import Units

/// A recovery that is practised: what would be recovered, when, and how long that may take. It is played in a run of its own and
/// changes nothing of the scenario it stands in.
public struct Drill: Sendable, Hashable {
    public var name: String
    /// When everything is asked for, at once.
    public var at: SimTime
    /// One for each machine.
    public var requests: [RecoveryRequest]
    /// All of it must be back this long after; nil: as long as it takes.
    public var goal: SimDuration?
    /// What is lost by going back may be this old; nil: of any age.
    public var oldestPoint: SimDuration?
    public init(name: String, at: SimTime, requests: [RecoveryRequest]) {
        (self.name, self.at, self.requests) = (name, at, requests)
    }

    /// The scenario with this drill in it, and nothing expected of it.
    public func played(in setting: Setting) -> Setting {
        var setting = setting
        setting.expectations = []
        setting.script += requests.map { ScriptLine(.recover($0), .at(at), lasts: nil) }
        return setting
    }
}
