import Files
import Jobs

extension PlaneFault {
    /// What DPM would say of it (dpm-facts 7). Faults without an error of their own are 104, whose sub-code carries the truth.
    init(_ fault: StorageFault) {
        let error: Int32 =
            switch fault.kind {
            case .outOfSpace: fault.id.hasPrefix("POOL") || fault.object.contains("/pools/") ? 33511 : 30115
            // The recovery point is not there, or what was to be had from it.
            case .missing where ["ENGINE-POINT", "ENGINE-ITEM", "GUEST-MISSING"].contains(fault.id): 202
            case .missing: 31208
            // The contents of the machine's disks cannot be browsed.
            case .damaged where fault.id.hasPrefix("GUEST-"): 958
            case .badInput where fault.id == "GUEST-KIND": 958
            case .badInput where fault.id.hasPrefix("GUEST-"): 298
            case .badInput, .damaged, .readOnly, .permission, .busy, .device: 104
            }
        self.init(error: error, cause: fault.description)
    }
}
