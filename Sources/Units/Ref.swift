/// The place of a noun in the list that holds it: `Ref<Machine>` is a machine's number, and no other's.
/// Ordered and hashable, so that lists can be sorted and looked up without names.
@frozen public struct Ref<Noun>: Hashable, Comparable, Sendable {
    public let index: Int32
    @inlinable public init(_ index: Int) { self.index = Int32(index) }
    @inlinable public init(raw: Int32) { index = raw }
    @inlinable public static func < (a: Ref, b: Ref) -> Bool { a.index < b.index }
}

extension Array {
    /// The element a reference names.
    @inlinable public subscript(ref: Ref<Element>) -> Element {
        get { self[Int(ref.index)] }
        _modify { yield &self[Int(ref.index)] }
    }
}
