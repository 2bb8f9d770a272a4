/// A moment as a file system notes it.
public struct GuestTime: Hashable, Sendable, Comparable {
    /// Since 1970-01-01 UTC; FAT notes no time zone, its times are taken as UTC.
    public var seconds: Int64
    /// 0 to 999 999 999.
    public var nanoseconds: Int32

    public init(seconds: Int64, nanoseconds: Int32 = 0) {
        (self.seconds, self.nanoseconds) = (seconds, nanoseconds)
    }

    public static func < (left: GuestTime, right: GuestTime) -> Bool {
        (left.seconds, left.nanoseconds) < (right.seconds, right.nanoseconds)
    }
}
