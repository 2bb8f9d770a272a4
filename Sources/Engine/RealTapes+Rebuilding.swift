import Files
import Protection
import Tape
import Units

/// Libraries of which nothing is known but the cartridges in their slots.
extension RealTapes {
    /// Rebuilds the libraries of a DPM server by inventory and recatalog.
    /// - Parameter sets: takes the numbers of sets that are whole.
    /// - Returns: what went wrong, by library.
    func rebuild(
        _ server: Ref<DPMServer>, at time: Int64, finding sets: inout Set<Int32>
    ) -> [(Ref<TapeLibrary>, StorageFault)] {
        var faults: [(Ref<TapeLibrary>, StorageFault)] = []
        for library in used.map(\.library) where isLibrary(library, of: server) {
            do throws(StorageFault) {
                let media = try rebuilt(library, at: time)
                for found in listed(in: media) where found.isComplete {
                    if let number = number(of: found) { sets.insert(number) }
                }
            } catch { faults.append((library, error)) }
        }
        return faults
    }

    /// A set says its number in its name, and proves it by its identifier.
    private func number(of set: RecatalogedSet) -> Int32? {
        guard let name = set.entry.name, name.hasSuffix(")"), let start = name.firstRange(of: "(set ")?.upperBound,
            let number = Int32(name[start...].dropLast()), identifier(of: number).description == set.entry.set
        else { return nil }
        return number
    }

    private func rebuilt(_ library: Ref<TapeLibrary>, at time: Int64) throws(StorageFault) -> MediaLibrary {
        let media = try withoutMemory(library, at: time)
        // Cartridges stand in their slots still; that the new server's library is told of each.
        _ = try media.unlockDoor(at: time)
        _ = try media.setDoor(open: true, at: time)
        for (slot, barcode) in try media.shelf().enumerated() {
            _ = try media.placeByHand(barcode, in: slot + 1, at: time)
        }
        _ = try media.setDoor(open: false, at: time)
        _ = try media.lockDoor(at: time)
        _ = try media.fastInventory(at: time, identify: TapeFinding.of)
        _ = try media.detailedInventory(at: time, identify: TapeFinding.of)
        let written = media.state.tapes.filter { $0.identity != nil }.map(\.barcode)
        guard !written.isEmpty else { return media }
        let openers = try stores(of: library).openers()
        do throws(StorageFault) {
            _ = try media.recatalog(written, at: time) { (medium) throws(StorageFault) in
                try TapeCatalog.of(medium, with: openers)
            }
        } catch {
            // None of the sets that are on them is whole; what there is has been read.
            guard error.id == "TAPE-24042" else { throw error }
        }
        return media
    }
}
