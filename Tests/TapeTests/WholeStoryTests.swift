import Files
import Foundation
import Protection
import Testing

@testable import Tape

@Suite("the life of a library in a folder of the host")
struct WholeStoryTests {
    private static let start: Int64 = 1_700_000_000
    private static let day: Int64 = 86_400

    /// A folder that goes when it is let go of.
    private final class Folder {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("dpmsim-story-\(getpid())-\(UUID())")
            .path
        init() throws { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) }
        deinit { try? FileManager.default.removeItem(atPath: path) }
    }

    /// Hashes what is restored.
    private static func hash(of target: KeptTarget) -> [UInt8] { TagHash.of(target.bytes(0..<max(0, target.size))) }

    /// An image, its hash, and the set it is in.
    private struct Image {
        var file: MadeFile
        var hash: [UInt8]
        var set: SetDescription?
        var isEncrypted = false
        var tapes: [String] = []

        init(_ file: MadeFile) throws {
            self.file = file
            hash = TagHash.of(try file.bytes(0..<file.size))
        }
    }

    /// A library of a folder as a program has it while it runs.
    private struct Site {
        let library: MediaLibrary
        let stores: CertificateStores
        let guids: SequentialGUIDs
        let secrets: SeededSecrets

        /// - Parameter isNew: makes it, and its certificate stores.
        init(_ folder: String, isNew: Bool = false, seed: UInt64) throws {
            let files = HostFiles()
            guids = SequentialGUIDs(seed: seed)
            secrets = SeededSecrets(seed: seed)
            if isNew {
                library = try MediaLibrary.create(
                    "library", LibraryHardware(slots: 8, ports: 2, drives: [LibraryDrive(.lto8), LibraryDrive(.lto8)]),
                    at: folder, files: files, store: CartridgeFiles(files), guids: guids)
                try files.makeFolder(folder + "/certificates")
            } else {
                library = try MediaLibrary(opening: folder, files: files, store: CartridgeFiles(files))
            }
            stores = CertificateStores(folder: folder + "/certificates", on: files, secrets: secrets)
            if isNew { try stores.prepare() }
        }

        /// Takes in the cartridges that lie beside the library, through its I/E port.
        func adopt(at now: Int64) throws {
            while true {
                let shelf = try library.shelf()
                if shelf.isEmpty { break }
                _ = try library.importTapes(Array(shelf.prefix(2)), at: now)
            }
            _ = try library.detailedInventory(at: now, identify: TapeFinding.of)
        }

        func certify(_ name: String, at now: Int64) throws {
            try stores.rotate(
                to: .selfSigned(name, key: .p256, from: now - 60, until: now + 400 * day, secrets: secrets))
        }

        func write(
            _ image: inout Image, group: String, run: Int, encrypted: Bool = false, compressed: Bool = false,
            keep: Int64 = 4_000 * day, shared: String? = nil, at now: Int64
        ) throws -> LibraryReceipt {
            let basis = encrypted ? try stores.basis(at: now) : nil
            var options = SetOptions()
            (options.recordLength, options.workers) = (1 << 16, 2)
            options.compression = compressed ? .default : nil
            options.certificates = basis?.certificates ?? []
            let description = SetDescription(
                set: guids.next(), name: "set of \(image.file.name)", datasource: image.file.name, machine: "host",
                date: now,
                expiry: now + keep)
            let receipt = try library.write(
                [image.file], description, options,
                for: SetRequest(
                    group: group, run: run, drive: .lto8, isEncrypted: encrypted, expiry: now + keep,
                    colocationSet: shared, writePeriod: 7 * day, expiryTolerance: 30 * day),
                label: "DPM - \(group) - long-term tape", guids: guids, secrets: secrets, at: now)
            if let basis { try stores.confirm(basis) }
            (image.set, image.isEncrypted, image.tapes) = (description, encrypted, receipt.barcodes)
            return receipt
        }

        func restores(_ image: Image, with keyed: [KeyedCertificate], at now: Int64) throws -> Bool {
            let reading = try library.open(try #require(image.set).set, with: keyed, at: now)
            let target = KeptTarget()
            let report = try reading.set.read(0, to: target)
            let name = reading.set.files.first?.name
            _ = try reading.end()
            return name == image.file.name && report.lost.isEmpty && hash(of: target) == image.hash
        }

        var isTidy: Bool {
            library.state.tapes.allSatisfy { !$0.standing.isReserved && $0.place?.isSlot == true }
        }
    }

    /// Sizes from nothing to some MiB, holes and odd lengths among them; the ninth and the twentieth are larger than a cartridge.
    private static func images() throws -> [Image] {
        var chance = Chance(20)
        let sizes: [Int64] = [
            0, 1, 511, 4_096, 65_536, 65_537, 300_000, 1 << 20, 0, 2_000_001, 100_000, 1_500_000, 4_095, 700_000, 0,
            12_345,
            (1 << 20) + 1, 900_000, 3, 0,
        ]
        return try sizes.enumerated().map { index, size in
            let name = "image\(index + 1).vhdx"
            switch index {
            case 8:
                return try Image(
                    MadeFile(name, [(.chance(8), 4_000_000), (.hole, 5_000_000), (.chance(9), 6_000_001)]))
            case 14: return try Image(MadeFile(name, [(.hole, 8 << 20)]))
            case 19:
                return try Image(
                    MadeFile(name, [(.chance(19), 5_500_000), (.zeros, 70_000), (.chance(20), 3_000_007)]))
            default: return try Image(.drawn(name, size, &chance))
            }
        }
    }

    @Test(
        "20 images over 6 cartridges: written, spanned, colocated, encrypted, expired, reused, moved, recataloged, all identical"
    )
    func story() throws {
        let place = try Folder()
        let (first, moved) = (place.path + "/first", place.path + "/elsewhere")
        let files = HostFiles()
        var images = try Self.images()
        let tapes = (1...6).map { "00000\($0)L8" }
        var now = Self.start

        // Six cartridges of 7.5 MB, and a certificate.
        do {
            let site = try Site(first, isNew: true, seed: 1)
            for tape in tapes {
                var design = CartridgeDesign(barcode: tape, capacity: 8_000_000, reserve: 1 << 19)
                design.generation = .lto8
                try Cartridge.create(at: site.library.path(of: tape), on: files, design, guids: site.guids, time: now)
                    .unload()
            }
            try site.adopt(at: now)
            #expect(site.library.state.tapes.map(\.standing.status) == Array(repeating: .blank, count: 6))
            try site.certify("first year", at: now)

            // Two groups share a tape, plain and compressed, for ten days.
            for index in 0..<4 {
                let done = try site.write(
                    &images[index], group: index % 2 == 0 ? "gold" : "silver", run: index, compressed: index % 2 == 1,
                    keep: 10 * Self.day, shared: "vault", at: now + Int64(index))
                #expect(done.barcodes == ["000001L8"] && done.placement.isNew == (index == 0))
            }
            // A run of a group shares the next, and its large member goes on, encrypted.
            for index in 4..<9 {
                _ = try site.write(
                    &images[index], group: "bronze", run: 100, encrypted: true, compressed: index % 2 == 0, at: now + 10
                )
            }
            #expect(images[8].tapes == ["000002L8", "000003L8"])
            for image in images[..<9] {
                #expect(try site.restores(image, with: site.stores.openers(), at: now + 20), "\(image.file.name)")
            }
            #expect(site.isTidy)
        }

        // The folder moves; a new program opens it.
        try FileManager.default.moveItem(atPath: first, toPath: moved)
        #expect(refusalID { _ = try Site(first, seed: 2) } == "TAPE-NO-LIBRARY")
        now += 5 * Self.day
        let kept: [KeyedCertificate]
        do {
            let site = try Site(moved, seed: 2)
            let old = try #require(try site.stores.contents(of: .backup).certificates.first).certificate.thumbprint
            try site.certify("second year", at: now)
            let new = try #require(try site.stores.contents(of: .backup).certificates.first).certificate.thumbprint
            for index in 9..<16 {
                _ = try site.write(
                    &images[index], group: "bronze", run: 100, encrypted: true, compressed: index % 2 == 0,
                    at: now)
            }
            for index in 16..<20 {
                _ = try site.write(
                    &images[index], group: "archive", run: 200, encrypted: true, compressed: index != 18, at: now)
            }
            #expect(images[19].tapes.count == 2)
            func thumbprints(_ image: Image) throws -> [String] {
                let set = try #require(image.set).set.description
                return site.library.knownSets(on: tapes).first { $0.entry.set == set }?.entry.thumbprints ?? []
            }
            #expect(try thumbprints(images[8]) == [old.description])
            #expect(try thumbprints(images[19]) == [new.description])
            // Before they lapse, all are read; then the first four lapse, and their tape is written anew.
            for image in images {
                #expect(try site.restores(image, with: site.stores.openers(), at: now + 1), "\(image.file.name)")
            }
            now += 6 * Self.day
            let settled = try site.library.settle(at: now) { _ in (appends: true, writePeriod: 7 * Self.day) }
            #expect(settled.happened.contains("000001L8 is expired"))
            let lapsed = try images[..<4].map { try #require($0.set).set }
            #expect(site.library.state.tapes.filter { $0.standing.use == .free }.map(\.barcode) == ["000006L8"])
            let again = try site.write(&images[0], group: "gold", run: 300, encrypted: true, shared: "vault", at: now)
            #expect(again.barcodes == ["000006L8"], "a free tape before an expired one")
            for index in 1..<4 {
                _ = try site.write(&images[index], group: "gold", run: 301, encrypted: true, at: now)
            }
            #expect(images[1].tapes == ["000001L8"])
            for set in lapsed {
                #expect(refusalID { _ = try site.library.open(set, at: now) } == "TAPE-NO-SET")
            }
            kept = try site.stores.openers()
            #expect(kept.count == 2)
            for image in images {
                #expect(try site.restores(image, with: kept, at: now), "\(image.file.name)")
                if image.isEncrypted {
                    #expect(refusalID { _ = try site.restores(image, with: [], at: now) } == "TAPE-24071")
                }
            }
            #expect(site.isTidy)
        }

        // The server is lost, and with it what it knew; another one has the cartridges, without and then with the certificates.
        for isKnown in [false, true] {
            let folder = place.path + (isKnown ? "/second" : "/third")
            let site = try Site(folder, isNew: true, seed: isKnown ? 3 : 4)
            for tape in tapes {
                try FileManager.default.copyItem(
                    atPath: "\(moved)/cartridges/\(tape).cart", toPath: site.library.path(of: tape))
            }
            if isKnown { for keyed in kept { try site.stores.insert(keyed, into: .restore) } }
            try site.adopt(at: now)
            let keyed = try site.stores.openers()
            let (sets, report) = try site.library.recatalog(tapes, at: now) { (medium) throws(StorageFault) in
                try TapeCatalog.of(medium, with: keyed)
            }
            #expect(report.refused == [] && sets.count == 20)
            for image in images {
                let set = try #require(image.set)
                let found = try #require(sets.first { $0.entry.set == set.set.description }, "\(image.file.name)")
                #expect(found.isComplete && found.barcodes == image.tapes)
                #expect(
                    found.entry.bytes == image.file.size && found.entry.date == set.date
                        && found.entry.expiry == set.expiry)
                #expect(found.entry.thumbprints.isEmpty == !image.isEncrypted)
                guard isKnown || !image.isEncrypted else {
                    #expect(found.entry.name == nil && !found.entry.files.contains { $0.name == image.file.name })
                    #expect(refusalID { _ = try site.restores(image, with: keyed, at: now) } == "TAPE-24071")
                    continue
                }
                #expect(found.entry.name == set.name && found.entry.files.map(\.name) == [image.file.name])
                #expect(try site.restores(image, with: keyed, at: now), "\(image.file.name)")
            }
            #expect(site.isTidy)
        }
    }
}
