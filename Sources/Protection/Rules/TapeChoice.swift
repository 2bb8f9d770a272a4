public import Units

/// A cartridge as the choice of tapes sees it.
public struct CartridgeStatus: Sendable, Hashable {
    /// Its place in the world's list.
    public var index: Int32
    public var library: Int32
    public var generation: LTOGeneration
    public var state = CartridgeState.free
    public var written = Bytes.zero
    public var room: Bytes
    /// Place in `World.colocationSets` of the set whose data it holds; -1 for none.
    public var colocationSet: Int32 = -1
    /// The group that wrote it first; -1 for none.
    public var group: Int32 = -1
    /// The run of a schedule that wrote it last; -1 for none. All members of a run share its tapes.
    public var run: Int32 = -1
    public var isLongTerm = false
    public var isEncrypted = false
    public var isReserved = false
    public var isInLibrary = true
    /// What keeps it from being written, whoever asks.
    public var obstacle: TapeObstacle?
    /// Sets of which something lies on it.
    public var sets: Int32 = 0
    public var firstWritten: SimTime?
    public var lastWritten: SimTime?
    /// Earliest and latest day on which a set on it expires.
    public var firstExpiry: SimTime?
    public var lastExpiry: SimTime?
    public init(index: Int32, library: Int32, generation: LTOGeneration, room: Bytes) {
        (self.index, self.library, self.generation, self.room) = (index, library, generation, room)
    }

    /// Everything on it has expired: it may be written anew, without being erased first.
    public func isExpired(at now: SimTime) -> Bool {
        if state == .expired { return true }
        guard sets > 0, state != .suspect, let lastExpiry else { return false }
        return lastExpiry <= now
    }

    /// Its state now that no job holds it (dpm-facts 4.4, 4.5): without colocation it may leave as soon as its run is over; with
    /// colocation when it is full, a set on it has expired, or its write period has passed.
    /// - Rule: GRP-6
    /// - Parameters:
    ///   - appends: it takes later runs too: it is shared by colocation, or stands in a stand-alone drive.
    ///   - writePeriod: how long it does so; nil without end.
    public func settledState(at now: SimTime, appends: Bool, writePeriod: SimDuration?) -> CartridgeState {
        switch state {
        case .free, .expired, .suspect: return state
        case .active, .full, .offsiteReady: break
        }
        if isExpired(at: now) { return .expired }
        if state == .offsiteReady || !appends { return .offsiteReady }
        if state == .full || room == .zero { return .full }
        if let firstExpiry, firstExpiry <= now { return .offsiteReady }
        if let firstWritten, let writePeriod, now >= firstWritten + writePeriod { return .offsiteReady }
        return .active
    }
}

/// What a tape backup asks for.
public struct TapeRequest: Sendable, Hashable {
    public var library: Int32
    public var drive: LTOGeneration
    public var group: Int32
    public var run: Int32
    public var isLongTerm: Bool
    public var isEncrypted: Bool
    /// When the new set expires.
    public var expiry: SimTime
    /// Place in `World.colocationSets`; -1: no colocation.
    public var colocationSet: Int32 = -1
    public var writePeriod = SimDuration.zero
    public var expiryTolerance = SimDuration.zero
    /// A group's daily backup on a stand-alone drive, which goes on to its last tape.
    public var appendsInDrive = false
    public init(
        library: Int32, drive: LTOGeneration, group: Int32, run: Int32, isLongTerm: Bool, isEncrypted: Bool,
        expiry: SimTime
    ) {
        (self.library, self.drive, self.group, self.run) = (library, drive, group, run)
        (self.isLongTerm, self.isEncrypted, self.expiry) = (isLongTerm, isEncrypted, expiry)
    }
}

/// Which cartridge a tape backup writes to: dpm-facts 4.4.
/// - Rule: GRP-6
/// - Rule: GRP-7
public enum TapeChoice {
    /// The reason of a cartridge that could be taken as well.
    public static let later = "another one comes first"

    /// Ways to take a cartridge, best first.
    private enum Offer: Int { case sameRun, shared, inDrive, free, expired }

    /// The place in `cartridges` of the one to write to, or nil. In this order: the tape of the same run; of the tapes shared
    /// with its set the one written last; the tape in its stand-alone drive; the first free one; of the expired ones the one
    /// that expired first.
    /// - Complexity: linear, without allocating.
    public static func pick(for request: TapeRequest, among cartridges: [CartridgeStatus], now: SimTime) -> Int? {
        var best: (place: Int, offer: Offer, order: Int64)?
        for place in cartridges.indices {
            let cartridge = cartridges[place]
            guard let offer = offer(of: cartridge, for: request, now: now) else { continue }
            let order: Int64 =
                switch offer {
                case .sameRun, .shared, .inDrive: -(cartridge.lastWritten?.nanoseconds ?? 0)
                case .free: 0
                case .expired: cartridge.lastExpiry?.nanoseconds ?? 0
                }
            if let best, (best.offer.rawValue, best.order) <= (offer.rawValue, order) { continue }
            best = (place, offer, order)
        }
        return best?.place
    }

    /// Why each cartridge cannot be taken, or that it can; for the console's explanation, not for the run.
    public static func reasons(
        for request: TapeRequest, among cartridges: [CartridgeStatus], now: SimTime
    ) -> [(place: Int, text: String)] {
        cartridges.indices.map { place in
            (place, objection(to: cartridges[place], for: request, now: now) ?? "can be taken")
        }
    }

    /// The choice, and why each of the others was not taken, in their order.
    public static func decide(
        for request: TapeRequest, among cartridges: [CartridgeStatus], now: SimTime
    ) -> (pick: Int?, refused: [(place: Int, text: String)]) {
        let pick = pick(for: request, among: cartridges, now: now)
        let refused = cartridges.indices.filter { $0 != pick }.map { place in
            (place, objection(to: cartridges[place], for: request, now: now) ?? later)
        }
        return (pick, refused)
    }

    /// Cartridges in the library that any group may write to, for alert 3305.
    public static func freeCount(among cartridges: [CartridgeStatus], library: Int32, now: SimTime) -> Int {
        cartridges.count {
            $0.library == library && $0.isInLibrary && !$0.isReserved && $0.obstacle == nil
                && ($0.state == .free || $0.isExpired(at: now))
        }
    }

    /// What a backup is told for which there is no cartridge.
    public static func refusal(
        for request: TapeRequest, among cartridges: [CartridgeStatus], in world: World, now: SimTime
    ) -> Refusal {
        let library = world.libraries[Int(request.library)]
        let own = cartridges.filter { $0.library == request.library && $0.isInLibrary }
        let reserved = own.count { $0.isReserved }
        let suspect = own.count { $0.state == .suspect }
        return Refusal(
            id: 24050, rule: RuleID("GRP", 7), object: "tape library \(library.name)",
            cause: "None of the \(own.count) tapes in it can be written for protection group "
                + "\(world.groups[Int(request.group)].name) (in use by other jobs: \(reserved), suspect: \(suspect), the "
                + "others neither free nor expired)",
            action: "Add free tapes, and run an inventory")
    }

    private static func offer(of cartridge: CartridgeStatus, for request: TapeRequest, now: SimTime) -> Offer? {
        guard cartridge.library == request.library, cartridge.isInLibrary, !cartridge.isReserved,
            cartridge.state != .suspect, cartridge.obstacle == nil,
            LTOFacts.canWrite(cartridge.generation, in: request.drive)
        else { return nil }
        if cartridge.state == .free { return .free }
        if cartridge.isExpired(at: now) { return .expired }
        guard cartridge.state == .active, cartridge.room > .zero, cartridge.isLongTerm == request.isLongTerm,
            cartridge.isEncrypted == request.isEncrypted
        else { return nil }
        if cartridge.run == request.run, cartridge.group == request.group { return .sameRun }
        if request.colocationSet >= 0 {
            guard cartridge.colocationSet == request.colocationSet, isWindowOpen(cartridge, request, now),
                isExpiryNear(cartridge, request)
            else { return nil }
            return .shared
        }
        return request.appendsInDrive && cartridge.group == request.group ? .inDrive : nil
    }

    private static func isWindowOpen(_ cartridge: CartridgeStatus, _ request: TapeRequest, _ now: SimTime) -> Bool {
        guard let first = cartridge.firstWritten else { return true }
        if let expiry = cartridge.firstExpiry, expiry <= now { return false }
        return now < first + request.writePeriod
    }

    private static func isExpiryNear(_ cartridge: CartridgeStatus, _ request: TapeRequest) -> Bool {
        guard let last = cartridge.lastExpiry else { return true }
        let first = cartridge.firstExpiry ?? last
        return max(last, request.expiry) - min(first, request.expiry) <= request.expiryTolerance
    }

    private static func objection(to cartridge: CartridgeStatus, for request: TapeRequest, now: SimTime) -> String? {
        if cartridge.library != request.library { return "in another library" }
        if !cartridge.isInLibrary { return "not in the library" }
        if cartridge.isReserved { return "in use by another job" }
        if cartridge.state == .suspect { return TapeObstacle.suspect.text }
        if let obstacle = cartridge.obstacle { return obstacle.text }
        if !LTOFacts.canWrite(cartridge.generation, in: request.drive) {
            return "an \(request.drive.name) drive cannot write \(cartridge.generation.name)"
        }
        if offer(of: cartridge, for: request, now: now) != nil { return nil }
        switch cartridge.state {
        case .full: return "full"
        case .offsiteReady: return "offsite ready"
        case .free, .active, .expired, .suspect: break
        }
        if cartridge.room == .zero { return "full" }
        if cartridge.isLongTerm != request.isLongTerm {
            return "holds \(cartridge.isLongTerm ? "long" : "short")-term data"
        }
        if cartridge.isEncrypted != request.isEncrypted {
            return cartridge.isEncrypted ? "holds encrypted data" : "holds data that is not encrypted"
        }
        if request.colocationSet < 0 { return "belongs to another backup, and the group does not share tapes" }
        if cartridge.colocationSet != request.colocationSet { return "belongs to another set of groups" }
        if !isWindowOpen(cartridge, request, now) { return "its write period is over" }
        return "its data expires more than \(request.expiryTolerance) apart"
    }
}
