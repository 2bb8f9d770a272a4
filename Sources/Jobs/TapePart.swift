public import Protection
public import Units

/// A stretch of a datasource's set, as it came onto one cartridge.
public struct TapePart: Hashable, Sendable {
    /// Number of the set within the run; the parts of one set share it.
    public var set: Int32
    public var machine: Ref<Machine>
    /// The recovery point it holds.
    public var point: SimTime
    /// Whose options of tape it is written with.
    public var group: Ref<ProtectionGroup>
    public var cartridge: Ref<Cartridge>
    /// Plain bytes of the set on cartridges before this one, and on this one.
    public var from: Bytes
    public var count: Bytes
    /// The set ends with it.
    public var isLast: Bool
    /// When the set need not be kept any longer.
    public var expiry: SimTime

    public init(
        set: Int32, machine: Ref<Machine>, point: SimTime, group: Ref<ProtectionGroup>, cartridge: Ref<Cartridge>,
        from: Bytes, count: Bytes, isLast: Bool, expiry: SimTime
    ) {
        (self.set, self.machine, self.point, self.group, self.cartridge) = (set, machine, point, group, cartridge)
        (self.from, self.count, self.isLast, self.expiry) = (from, count, isLast, expiry)
    }
}
