public import Files
public import Protection
import Units

/// What a set to be written asks of a tape. Times are seconds since 1970, spans seconds.
public struct SetRequest: Hashable, Sendable {
    public var group: String
    /// All members of a run of a schedule share its tapes.
    public var run: Int
    public var drive: LTOGeneration
    public var isLongTerm: Bool
    public var isEncrypted: Bool
    public var expiry: Int64?
    /// Name of the set of groups that share tapes; nil without colocation.
    public var colocationSet: String?
    public var writePeriod: Int64
    public var expiryTolerance: Int64
    /// A group's daily backup in a stand-alone drive, which goes on to its last tape.
    public var appendsInDrive: Bool
    /// Tapes of this group must be erased before they are used again.
    public var erasesWhenExpired: Bool
    /// Native bytes that have to fit at least; tapes with less room are left out.
    public var leastRoom: Int64

    public init(
        group: String, run: Int, drive: LTOGeneration, isLongTerm: Bool = true, isEncrypted: Bool = false,
        expiry: Int64?, colocationSet: String? = nil, writePeriod: Int64 = 0, expiryTolerance: Int64 = 0,
        appendsInDrive: Bool = false, erasesWhenExpired: Bool = false, leastRoom: Int64 = 0
    ) {
        (self.group, self.run, self.drive, self.expiry) = (group, run, drive, expiry)
        (self.isLongTerm, self.isEncrypted, self.colocationSet) = (isLongTerm, isEncrypted, colocationSet)
        (self.writePeriod, self.expiryTolerance) = (writePeriod, expiryTolerance)
        (self.appendsInDrive, self.erasesWhenExpired) = (appendsInDrive, erasesWhenExpired)
        self.leastRoom = leastRoom
    }
}

/// Which tape a set goes to.
public struct SetPlacement: Hashable, Sendable {
    public struct Refused: Hashable, Sendable {
        public var barcode: String
        /// `suspect`, `full`, `its write period is over`.
        public var reason: String
    }
    public var barcode: String
    /// Written from its beginning, rather than appended to.
    public var isNew: Bool
    /// The others, by bar code, and why not.
    public var refused: [Refused]
}

extension MediaLibrary {
    /// Chooses a tape for a set by the rules of `TapeChoice`.
    /// - Throws: 24050, with the reason of each tape in the cause.
    public func choose(for request: SetRequest, at now: Int64) throws(StorageFault) -> SetPlacement {
        let sets = Array(Set(state.tapes.compactMap(\.colocationSet) + [request.colocationSet].compactMap { $0 }))
            .sorted()
        let groups = Array(Set(state.tapes.compactMap(\.owner) + [request.group])).sorted()
        func index(_ name: String?, in names: [String]) -> Int32 {
            names.firstIndex { $0 == name }.map(Int32.init) ?? -1
        }
        let candidates = state.tapes.indices.map { place in
            let tape = state.tapes[place]
            var status = tape.cartridgeStatus(place: place)
            status.colocationSet = index(tape.colocationSet, in: sets)
            status.group = index(tape.owner, in: groups)
            // What is to be erased first is no candidate yet.
            if tape.standing.needsErase, tape.isExpired(at: now) {
                status.state = .offsiteReady; status.lastExpiry = nil
            }
            if status.state == .active, tape.room < request.leastRoom { status.room = .zero }
            return status
        }
        var wanted = TapeRequest(
            library: 0, drive: request.drive, group: index(request.group, in: groups),
            run: Int32(clamping: request.run), isLongTerm: request.isLongTerm, isEncrypted: request.isEncrypted,
            expiry: request.expiry.map(moment) ?? .never)
        wanted.colocationSet = index(request.colocationSet, in: sets)
        wanted.writePeriod = .seconds(min(max(0, request.writePeriod), longestPeriod))
        wanted.expiryTolerance = .seconds(min(max(0, request.expiryTolerance), longestPeriod))
        wanted.appendsInDrive = request.appendsInDrive
        let decided = TapeChoice.decide(for: wanted, among: candidates, now: moment(now))
        let refused = decided.refused.map {
            SetPlacement.Refused(barcode: state.tapes[$0.place].barcode, reason: $0.text)
        }
        guard let pick = decided.pick else {
            let reasons = refused.prefix(20).map { "\($0.barcode): \($0.reason)" }.joined(separator: "; ")
            throw .library(
                .missing, "TAPE-24050", "library \(state.name)",
                "no tape in it can be written for \(request.group)" + (reasons.isEmpty ? "" : " (\(reasons))"),
                "Add free tapes, and run an inventory")
        }
        return SetPlacement(
            barcode: state.tapes[pick].barcode,
            isNew: candidates[pick].state != .active || state.tapes[pick].isExpired(at: now),
            refused: refused)
    }
}

/// Rules count nanoseconds; what lies beyond the year 2261 is never.
func moment(_ seconds: Int64) -> SimTime {
    seconds > 9_200_000_000 ? .never : SimTime(nanoseconds: max(0, seconds) * 1_000_000_000)
}

/// 126 years; the sum of a period and a time before 2128 can be counted in nanoseconds.
let longestPeriod: Int64 = 4_000_000_000
private let latestBeginning: Int64 = 5_000_000_000

extension TapeEntry {
    func isExpired(at now: Int64) -> Bool {
        if standing.use == .expired { return true }
        guard standing.use != .suspect, let lastExpiry else { return false }
        return lastExpiry <= now
    }

    /// As the rules see it; groups and sets are numbered by who asks.
    func cartridgeStatus(place: Int) -> CartridgeStatus {
        var status = CartridgeStatus(
            index: Int32(place), library: 0, generation: facts?.generation ?? .lto5, room: Bytes(room))
        (status.state, status.obstacle) = (standing.use, standing.obstacle)
        (status.isReserved, status.isInLibrary) = (standing.isReserved, true)
        (status.written, status.sets) = (Bytes(written), Int32(sets.count))
        (status.isLongTerm, status.isEncrypted) = (isLongTerm, isEncrypted)
        status.run = run.map { Int32(clamping: $0) } ?? -1
        status.firstWritten = firstWritten.map { moment(min($0, latestBeginning)) }
        status.lastWritten = lastWritten.map(moment)
        status.firstExpiry = sets.compactMap(\.expiry).min().map(moment)
        // A set without an expiry keeps the tape for ever.
        status.lastExpiry = sets.isEmpty ? nil : lastExpiry.map(moment) ?? .never
        return status
    }
}
