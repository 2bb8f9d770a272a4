import DiskImages
import Files
import Protection
import Units

extension RealPlane {
    /// A disk as a copy of the machine's replica has it.
    func copyDevice(
        _ machine: Ref<Machine>, at point: SimTime, source: RecoveryRequest.Source, disk: String
    ) throws(StorageFault) -> any BlockDevice {
        throw StorageFault(
            .missing, "ENGINE-POINT", disk, "there are no copies yet", action: "Choose a recovery point on disk")
    }
}
