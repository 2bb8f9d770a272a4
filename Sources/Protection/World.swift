/// The whole installation as a scenario describes it: lists of nouns that refer to each other by place.
public struct World: Sendable, Hashable {
    public var domains: [Domain] = []
    public var sites: [Site] = []
    public var links: [Link] = []
    public var servers: [DPMServer] = []
    public var poolVolumes: [PoolVolume] = []
    public var libraries: [TapeLibrary] = []
    public var drives: [TapeDrive] = []
    public var cartridges: [Cartridge] = []
    public var vaults: [Vault] = []
    public var vmmServers: [VMMServer] = []
    public var hosts: [Host] = []
    public var clusters: [Cluster] = []
    public var fileServers: [FileServer] = []
    public var volumes: [Volume] = []
    public var machines: [Machine] = []
    public var groups: [ProtectionGroup] = []
    public init() {}
}
