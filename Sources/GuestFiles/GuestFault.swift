import Files

extension StorageFault {
    /// Structures of a guest's disk that contradict themselves or the disk.
    static func guestDamaged(_ object: String, _ cause: String) -> StorageFault {
        StorageFault(
            .damaged, "GUEST-DAMAGED", object, cause,
            action: "Try another recovery point, or restore the whole disk and repair its file system there")
    }

    /// Something asked for that is not on the guest's disk.
    static func guestMissing(_ object: String, _ cause: String) -> StorageFault {
        StorageFault(.missing, "GUEST-MISSING", object, cause, action: "Look with files ls or files find what is there")
    }

    /// A file whose content this disk does not hold in a form that can be read.
    static func guestElsewhere(_ object: String, _ cause: String) -> StorageFault {
        StorageFault(
            .badInput, "GUEST-ELSEWHERE", object, cause,
            action: "Restore the whole disk and open the file in the guest's own system")
    }
}
