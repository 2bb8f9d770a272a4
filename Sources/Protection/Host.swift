public import Units

/// State of the protection agent on a computer. Source: dpm-facts 1.3.
public enum AgentState: String, CaseIterable, Sendable {
    case ok, absent, incompatible, disabled, restartPending
}

/// How a computer outside the DPM server's forest authenticates (PRE-3).
public enum Authentication: String, CaseIterable, Sendable { case domain, ntlm, certificate }

/// A Hyper-V host, stand-alone or a node of a cluster.
public struct Host: Sendable, Hashable {
    public var name: String
    public var domain: Ref<Domain>
    public var site: Ref<Site>
    public var cluster: Ref<Cluster>?
    public var windows = WindowsVersion.ws2016
    public var nic = ByteRate.gigabitsPerSecond(10)
    /// What the host's processors can read, checksum and send for backups.
    public var backupRate = ByteRate.megabytesPerSecond(2_000)
    public var agent = AgentState.ok
    public var authentication = Authentication.domain
    /// Machines backed up at the same time from this host; nil is the tuning's default (dpm-facts 3.8).
    public var parallelBackups: Int?
    public init(name: String, domain: Ref<Domain>, site: Ref<Site>) {
        (self.name, self.domain, self.site) = (name, domain, site)
    }
}

/// A failover cluster of Hyper-V hosts.
public struct Cluster: Sendable, Hashable {
    public var name: String
    public var domain: Ref<Domain>
    public var nodes: [Ref<Host>] = []
    public init(name: String, domain: Ref<Domain>) { (self.name, self.domain) = (name, domain) }
}

/// A file server whose SMB 3.0 shares hold machines' files, single or clustered.
public struct FileServer: Sendable, Hashable {
    public var name: String
    public var domain: Ref<Domain>
    public var site: Ref<Site>
    public var nodes = 1
    public var nodesWithAgent = 1
    public var nic = ByteRate.gigabitsPerSecond(10)
    /// The four prerequisites of PRE-13, and the machine account's rights of SCN-3.
    public var hasVSSAgentService = true
    public var autoMount = true
    public var tcpChimney = false
    public var shareRights = true
    public var folderRights = true
    /// The share is addressed by IP address, which is not supported (PRE-14).
    public var isAddressedByIP = false
    public init(name: String, domain: Ref<Domain>, site: Ref<Site>) {
        (self.name, self.domain, self.site) = (name, domain, site)
    }
}

/// A volume that holds machines' files.
public struct Volume: Sendable, Hashable {
    public enum Kind: Sendable, Hashable {
        case local(Ref<Host>), san(Ref<Host>), nas(Ref<Host>)
        /// A Cluster Shared Volume.
        case csv(Ref<Cluster>)
        case smb(Ref<FileServer>)
    }
    /// Who takes the snapshot; the software provider needs the CSV claimed by one node at a time (PRE-10).
    public enum VSSProvider: String, CaseIterable, Sendable { case software, hardware }
    public var name: String
    public var kind: Kind
    public var capacity: Bytes
    public var readRate: ByteRate
    public var writeRate: ByteRate
    public var vssProvider = VSSProvider.software
    public var isBitLockered = false
    public var isDeduplicated = false
    public init(name: String, kind: Kind, capacity: Bytes, readRate: ByteRate, writeRate: ByteRate) {
        (self.name, self.kind, self.capacity) = (name, kind, capacity)
        (self.readRate, self.writeRate) = (readRate, writeRate)
    }
}
