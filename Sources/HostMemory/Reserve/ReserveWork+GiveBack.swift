import MemoryUnits
import PhysicalLayout

extension ReserveWork {
  /// Returns what was got and is not in use, and gives smaller pools back what was taken from them. Goes on although the operator
  /// asked for the end.
  ///
  /// - Returns: the pools that changed.
  func giveBack() -> [PoolChange] {
    var changed: [PoolChange] = []
    // Larger pages first: what they leave is what the smaller ones are made of again.
    for files in places.all.sorted(by: { ($1.size, $0.node?.rawValue ?? 0) < ($0.size, $1.node?.rawValue ?? 0) }) {
      guard let was = before[files], let now = expected[files], was != now else { continue }
      do throws(ReserveStop) {
        let target = try PoolReturn(files, to: was, of: host.root).target
        if target == now { continue }
        let after = try setPool(files, to: target, limit: nil)
        changed.append(PoolChange(files: files, before: now, after: after))
        if after != target { notes.append("\(files.totalPath) stays at \(after)") }
      } catch {
        troubles.append("\(error)")
      }
    }
    return changed
  }
}

/// A pool whose pages may go with blocks of memory.
struct PoolLoss {
  let files: HugePoolFiles
  let had: HugePageCount
  /// Pages that lay in the blocks.
  let most: HugePageCount
}

extension ReserveWork {
  /// Takes in that a pool lost pages with a block, so that it is not mistaken for somebody else's writing.
  ///
  /// - Throws: `.otherWriter` where it lost more than lay there, or gained.
  func takeLoss(_ loss: PoolLoss) throws(ReserveStop) {
    let now = try read(loss.files).persistent
    guard now <= loss.had, loss.had - now <= loss.most else {
      throw .otherWriter(path: loss.files.totalPath, expected: loss.had, found: now)
    }
    expect(now, of: loss.files)
  }

  /// Gives a pool back what it lost. Goes on although the operator asked for the end; what it does not get is a trouble.
  func makeGood(_ loss: PoolLoss) {
    do throws(ReserveStop) {
      if expected[loss.files] == loss.had { try takeLoss(loss) }
      guard let now = expected[loss.files], now < loss.had else { return }
      let after = try setPool(loss.files, to: loss.had, limit: nil)
      notes.append(
        "the pool of \(loss.files.size) pages\(loss.files.place) lost \(loss.had - now) with a block, and got \(after - now) back"
      )
      if after < loss.had { troubles.append("\(loss.files.totalPath) has \(after) pages of \(loss.had)") }
    } catch {
      troubles.append("\(error)")
    }
  }
}

/// How far a pool can go back to what it was: pages that are in use or promised stay.
struct PoolReturn {
  let now: HugePageCount
  let target: HugePageCount

  init(_ files: HugePoolFiles, to was: HugePageCount, of root: Sysroot) throws(ReserveStop) {
    do throws(HostFileError) {
      let pool = try files.read(of: root)
      now = pool.persistent
      guard now > was else {
        target = was
        return
      }
      // Promises may be kept by free pages of any node; they are counted against each.
      let promised = try HugePoolFiles(size: files.size, node: nil).read(of: root).reserved ?? .zero
      target = now - min(now - was, pool.free.saturatingSubtracting(promised))
    } catch {
      throw .host(error)
    }
  }
}
