/// A rule of the catalogue of requirements, by its id.
public struct RuleID: Hashable, Comparable, Sendable, CustomStringConvertible {
    public let family: String
    public let number: Int
    public init(_ family: String, _ number: Int) { (self.family, self.number) = (family, number) }
    public var description: String { "\(family)-\(number)" }
    public static func < (a: Self, b: Self) -> Bool { (a.family, a.number) < (b.family, b.number) }
}

/// An error as DPM numbers it (dpm-facts, section 7); `id` 0 where DPM has no number.
public struct Refusal: Error, Hashable, Sendable, CustomStringConvertible {
    public var id: Int
    public var rule: RuleID
    /// The object it concerns, with its kind: `machine sql-01`.
    public var object: String
    /// One sentence.
    public var cause: String
    /// What the operator should do.
    public var action: String
    public init(id: Int, rule: RuleID, object: String, cause: String, action: String) {
        (self.id, self.rule, self.object, self.cause, self.action) = (id, rule, object, cause, action)
    }
    public var description: String {
        "\(id == 0 ? "error" : "error \(id)") (\(rule)) \(object): \(cause). \(action)."
    }
}
