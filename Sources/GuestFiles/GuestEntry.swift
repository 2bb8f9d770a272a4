/// Something in a folder of a guest's volume: a file, a folder, a link.
public struct GuestEntry: Hashable, Sendable {
    public enum Kind: String, Hashable, Sendable {
        case file, folder, link
        /// A device, a pipe, a socket.
        case other
    }
    /// The name as text; what is no Unicode in it shows as �.
    public var name: String { String(decoding: nameBytes, as: UTF8.self) }
    /// The name as the volume keeps it: UTF-8 but for ext, where any bytes may stand.
    public var nameBytes: [UInt8]
    public var kind: Kind
    /// The volume's number for it: an inode, an entry of the MFT. Two names of one file have the same.
    public var number: UInt64
    /// Bytes of its content; 0 of what is no file.
    public var size: Int64
    public var modified: GuestTime?
    public var accessed: GuestTime?
    /// When its metadata last changed; FAT does not say.
    public var changed: GuestTime?
    public var created: GuestTime?
    /// Permissions of ext, 12 bits; nil elsewhere.
    public var mode: UInt16?
    /// Owner and group of ext; nil elsewhere.
    public var owner: UInt32?
    public var group: UInt32?
    /// DOS attributes of NTFS, as Windows numbers them; nil elsewhere.
    public var attributes: UInt32?
    /// Of a link: what it names, in the guest's own words.
    public var target: String?
    /// Of a link: whether the target counts from the link's folder.
    public var isTargetRelative = false
    /// Why its content cannot be had from this volume; nil if it can.
    public var obstacle: String?

    /// Which of the files that had this number it is; NTFS alone tells them apart.
    var sequence: UInt32?
}
