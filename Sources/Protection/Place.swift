public import Units

/// An Active Directory domain, or a workgroup.
public struct Domain: Sendable, Hashable {
    public var name: String
    public var isWorkgroup = false
    /// The domain this one is a child of.
    public var parent: Ref<Domain>?
    /// Domains this one has a two-way trust with.
    public var trusts: [Ref<Domain>] = []
    public init(name: String) { self.name = name }
}

/// A place where computers stand together; links join sites.
public struct Site: Sendable, Hashable {
    public var name: String
    public init(name: String) { self.name = name }
}

/// A network link between two sites, shared by all that crosses it in either direction.
public struct Link: Sendable, Hashable {
    public var name: String
    public var ends: [Ref<Site>]
    public var rate: ByteRate
    public init(name: String, between a: Ref<Site>, and b: Ref<Site>, rate: ByteRate) {
        (self.name, ends, self.rate) = (name, [a, b], rate)
    }
}
