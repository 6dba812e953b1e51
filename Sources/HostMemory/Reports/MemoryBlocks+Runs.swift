import MemoryUnits
import PhysicalLayout

/// Captures hold the blocks as runs of like ones, a line each, in place of a folder per block:
/// `FIRST-LAST online|offline NODE`, with `-` for an unknown node, and at the end `end BLOCKS`.
extension MemoryBlocks {
  static let runsPath = "sys/devices/system/memory/blocks.runs"

  /// The blocks as lines of runs.
  func runs() -> String {
    var text = ""
    var position = blocks.startIndex
    while position < blocks.endIndex {
      let first = blocks[position]
      var last = first
      while position + 1 < blocks.endIndex, blocks[position + 1].index == last.index + MemoryBlockCount(1),
        blocks[position + 1].isOnline == first.isOnline, blocks[position + 1].node == first.node
      {
        position += 1
        last = blocks[position]
      }
      let node = first.node?.description ?? "-"
      text += "\(first.index)-\(last.index) \(first.isOnline ? "online" : "offline") \(node)\n"
      position += 1
    }
    return text + "end \(blocks.count)\n"
  }

  static func parseRuns(_ content: [UInt8], size: UInt64) throws(HostFileError) -> [Block] {
    var blocks: [Block] = []
    var isComplete = false
    for (number, line) in TextLines(content) {
      let fields = line.fields
      if fields.isEmpty { continue }
      if fields.count == 2, fields[0] == "end" {
        guard fields[1].decimal == UInt64(blocks.count) else {
          throw .damaged(path: runsPath, line: number, reason: "\(blocks.count) blocks, not \(fields[1].text)")
        }
        isComplete = true
        continue
      }
      guard !isComplete else { throw .damaged(path: runsPath, line: number, reason: "goes on behind its end") }
      guard fields.count == 3, let run = indices(fields[0]), fields[1] == "online" || fields[1] == "offline" else {
        throw .damaged(path: runsPath, line: number, reason: "not a run of blocks")
      }
      var node: NodeID?
      if !(fields[2] == "-") {
        guard let id = fields[2].decimal.flatMap(UInt32.init(exactly:)) else {
          throw .damaged(path: runsPath, line: number, reason: "not a node number")
        }
        node = NodeID(id)
      }
      guard run.upperBound < 1 << 48, !run.upperBound.multipliedReportingOverflow(by: size).overflow,
        blocks.count + Int(run.count) <= 1 << 22, (blocks.last?.index.rawValue).map({ $0 < run.lowerBound }) ?? true
      else { throw .damaged(path: runsPath, line: number, reason: "blocks out of range or out of order") }
      for index in run { blocks.append(Block(index: MemoryBlockNumber(index), isOnline: fields[1] == "online", node: node)) }
    }
    guard isComplete else { throw .damaged(path: runsPath, line: nil, reason: "no end: cut off") }
    return blocks
  }

  private static func indices(_ field: ArraySlice<UInt8>) -> ClosedRange<UInt64>? {
    let ends = field.split(separator: 0x2d, omittingEmptySubsequences: false)
    guard ends.count == 2, let first = ends[0].decimal, let last = ends[1].decimal, first <= last,
      last - first < 1 << 22
    else { return nil }
    return first...last
  }
}
