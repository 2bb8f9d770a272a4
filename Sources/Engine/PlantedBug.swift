/// Faults that are put in on purpose, to prove that those who look for faults find them.
public enum PlantedBug: String, CaseIterable, Sendable {
    /// Of four or more changed blocks the last one does not reach the replica.
    case lostBlock = "lost-block"
    /// A crash of the host loses the changes it should remember.
    case forgottenCrash = "forgotten-crash"
    /// Pruned points stay in the pool.
    case keptPoint = "kept-point"
    /// A recovery leaves out the last block.
    case skippedBlock = "skipped-block"
    /// A set on tape ends without its last run of data.
    case lostTapePart = "lost-tape-part"
    /// A rebuilt database lacks the oldest recovery point of each machine.
    case forgottenPoint = "forgotten-point"
    /// A rebuilt database lacks the first set on tape.
    case forgottenSet = "forgotten-set"
}
