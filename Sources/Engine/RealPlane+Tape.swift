import Files

extension RealPlane {
    /// Restores the disks of a set as raw files, in the order of the machine's disks.
    func restoreSet(_ set: Int32, into folder: String) throws(StorageFault) -> [String] {
        throw StorageFault(
            .missing, "ENGINE-POINT", "set \(set)", "no tape is written yet", action: "Choose a recovery point on disk")
    }
}
