public import Units

/// A release of Data Protection Manager. Source: dpm-facts 0.3.
public enum DPMVersion: String, CaseIterable, Sendable, Comparable {
    case dpm2010 = "2010", dpm2012SP1 = "2012 SP1", dpm2012R2 = "2012 R2", dpm2016 = "2016", dpm1801 = "1801", dpm2019 =
        "2019"
    public static func < (a: Self, b: Self) -> Bool { allCases.firstIndex(of: a)! < allCases.firstIndex(of: b)! }
}

/// A release of Windows Server, on hosts and DPM servers.
public enum WindowsVersion: String, CaseIterable, Sendable, Comparable {
    case ws2008R2 = "2008 R2", ws2012 = "2012", ws2012R2 = "2012 R2", ws2016 = "2016", ws2019 = "2019"
    public static func < (a: Self, b: Self) -> Bool { allCases.firstIndex(of: a)! < allCases.firstIndex(of: b)! }
}

/// A DPM server: protects datasources into its storage pool, to tape and online.
public struct DPMServer: Sendable, Hashable {
    public var name: String
    public var domain: Ref<Domain>
    public var site: Ref<Site>
    public var version = DPMVersion.dpm2016
    public var windows = WindowsVersion.ws2016
    /// Needed for item-level recovery (PRE-2).
    public var hasHyperVRole = true
    public var nic = ByteRate.gigabitsPerSecond(10)
    /// Express fulls, checks and creations that run at the same time on this server; nil is the tuning's default.
    public var parallelJobs: Int?
    /// The server whose replicas this one protects in turn (secondary protection).
    public var primary: Ref<DPMServer>?
    public var knownVMMServers: [Ref<VMMServer>] = []
    /// Where it hands over its e-mail, `host` or `host:port`; nil: it sends none (REC-5).
    public var smtp: String?
    public init(name: String, domain: Ref<Domain>, site: Ref<Site>) {
        (self.name, self.domain, self.site) = (name, domain, site)
    }
}

/// One disk (legacy) or volume (Modern Backup Storage) of a DPM server's storage pool. Source: dpm-facts 1.2.
public struct PoolVolume: Sendable, Hashable {
    public enum Kind: String, CaseIterable, Sendable {
        /// A pool disk on which each datasource gets a replica volume and a recovery point volume.
        case legacy
        /// A ReFS volume on which recovery points are block clones.
        case modern
    }
    public var name: String
    public var server: Ref<DPMServer>
    public var kind: Kind
    public var capacity: Bytes
    public var readRate: ByteRate
    public var writeRate: ByteRate
    public init(
        name: String, server: Ref<DPMServer>, kind: Kind, capacity: Bytes, readRate: ByteRate, writeRate: ByteRate
    ) {
        (self.name, self.server, self.kind) = (name, server, kind)
        (self.capacity, self.readRate, self.writeRate) = (capacity, readRate, writeRate)
    }
}

/// A cloud vault for online protection.
public struct Vault: Sendable, Hashable {
    public var name: String
    /// What the vault's service takes in; the links to its site limit further.
    public var rate: ByteRate
    public var site: Ref<Site>
    public init(name: String, rate: ByteRate, site: Ref<Site>) {
        (self.name, self.rate, self.site) = (name, rate, site)
    }
}

/// A Virtual Machine Manager server.
public struct VMMServer: Sendable, Hashable {
    public var name: String
    public var domain: Ref<Domain>
    /// 2012 SP1 or later is needed (LIV-4).
    public var isAtLeast2012SP1 = true
    /// The hosts in this server's clouds.
    public var hosts: [Ref<Host>] = []
    /// It answers.
    public var isUp = true
    /// The DPM-VMM Helper Service runs (LIV-7).
    public var helperRuns = true
    /// Port of the DPM-VMM Helper Service (LIV-7).
    public var helperPort = 6070
    public init(name: String, domain: Ref<Domain>) { (self.name, self.domain) = (name, domain) }
}
