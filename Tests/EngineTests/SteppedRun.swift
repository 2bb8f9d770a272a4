import Engine
import Files
import Jobs
import Protection
import Simulation
import Testing
import Units

/// A run that is stopped here and there, for recoveries to be asked of its plane.
struct SteppedRun {
    let plane: RealPlane
    let run: Run
    let notebook = Notebook()
    let files: any FileSystem
    let folder: String
    let machine: Ref<Machine>

    init(
        _ installation: RealInstallation, on files: any FileSystem = SimulatedDisk(), in folder: String = "/real",
        planted: PlantedBug? = nil
    ) throws {
        let setting = try installation.setting()
        plane = try RealPlane(
            world: setting.world, seed: setting.seed, clock: setting.clock, folder: folder, files: files,
            planted: planted)
        run = Run(setting: setting, ledger: notebook, real: plane, checksInvariants: true)
        (self.files, self.folder, machine) = (files, folder, Ref(0))
    }

    /// Hours from the run's start.
    func advance(toHour hour: Int64) { run.advance(until: .start + .hours(hour)) }

    /// Recovery points that are on disk now, the oldest first.
    var points: [SimTime] { plane.points(of: machine) }

    func order(
        _ number: Int32, what: RecoveryRequest.Selection = .machine, to: RecoveryRequest.Destination = .original,
        point: SimTime, source: RecoveryRequest.Source = .disk
    ) -> RecoveryOrder {
        RecoveryOrder(RecoveryRequest(machine, what: what, to: to), point: point, source: source, number: number)
    }

    /// A folder on another computer's volume, and a machine on another host.
    static let networkFolder = RecoveryRequest.Destination.networkFolder(Ref(0), volume: Ref(0), folder: "out")
    static let otherHost = RecoveryRequest.Destination.host(Ref(0), volume: Ref(0), folder: "out")

    /// What must hold at the end, whatever was recovered.
    func expectSound(_ comment: Comment? = nil) throws {
        let outcome = run.finish()
        #expect(try plane.verify().filter { !$0.holds } == [], comment)
        #expect(plane.recoveries.filter { !$0.holds } == [], comment)
        #expect(try plane.check() == [], comment)
        #expect(plane.faults.isEmpty, "\(plane.faults)")
        #expect(!outcome.audit.contains { !$0.holds }, comment)
        for replica in outcome.replicas {
            let held = try plane.held(Ref(raw: replica.machine))
            #expect(held == replica.replica + replica.points, comment)
        }
    }
}
