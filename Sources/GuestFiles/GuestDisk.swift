public import DiskImages
public import Files

/// What is known of a volume before it is opened.
public struct VolumeFacts: Hashable, Sendable {
    /// As `PartitionTable` counts; 1 where the whole disk is the volume.
    public var number: Int
    /// Bytes of the disk.
    public var range: Range<Int64>
    /// The partition's type and name; empty where the whole disk is the volume.
    public var type: String
    public var name: String
    public var kind: VolumeKind
}

/// A guest's disk, seen as the guest sees it: volumes with file systems.
public final class GuestDisk {
    public let device: any BlockDevice
    public let table: PartitionTable

    /// Reads the partition table.
    ///
    /// Faults: those of reading; `GUEST-TABLE`.
    public init(_ device: any BlockDevice) throws(StorageFault) {
        self.device = device
        table = try PartitionTable(of: device)
    }

    /// The volumes, by number; those whose files cannot be read too.
    public func volumes() throws(StorageFault) -> [VolumeFacts] {
        guard table.scheme != .none else {
            let kind = try VolumeKind(of: device)
            return [VolumeFacts(number: 1, range: 0..<device.size, type: "", name: "", kind: kind)]
        }
        var volumes: [VolumeFacts] = []
        for part in table.partitions {
            let slice = try SliceDevice(device, part.range)
            volumes.append(
                VolumeFacts(
                    number: part.number, range: part.range, type: part.type, name: part.name,
                    kind: try VolumeKind(of: slice, partitionType: part.type)))
        }
        return volumes
    }

    /// Opens a volume that has files.
    ///
    /// Faults: those of reading; `GUEST-KIND` if its files cannot be read here; `GUEST-DAMAGED`.
    public func open(_ volume: VolumeFacts) throws(StorageFault) -> GuestVolume {
        let slice = try SliceDevice(device, volume.range)
        return try GuestVolume(slice, facts: volume)
    }
}
