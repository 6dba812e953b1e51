import FrameMap
import MemoryUnits
import Mobility
import PhysicalLayout
import Testing

@Suite struct RangeRuleTests {
  static let rules = [ContiguousPolicy.HugePages.refuse, .migrate].map { huge in
    var policy = ContiguousPolicy()
    policy.hugePages = huge
    return policy
  }

  private func contents(_ body: (inout RangeContents) -> Void) -> RangeContents {
    var contents = RangeContents()
    contents.free = FrameCount(100)
    body(&contents)
    return contents
  }

  @Test func whatMovesOrIsDroppedIsMovable() {
    let rule = RangeRule(ContiguousPolicy())
    #expect(rule.outcome(contents { _ in }).kind == .free)
    let movable = rule.outcome(
      contents {
        $0.movable = FrameCount(3)
        $0.droppable = FrameCount(4)
      })
    #expect(movable.kind == .movable && movable.moves == FrameCount(7) && movable.isPossible)
  }

  @Test(arguments: Obstacle.allCases) func anyObstacleStops(obstacle: Obstacle) {
    let outcome = RangeRule(ContiguousPolicy()).outcome(
      contents { $0.obstacles.add(obstacle, FrameCount(1), first: FrameNumber(7)) })
    #expect(outcome.kind == (obstacle == .hole || obstacle == .border ? .excluded : .blocked))
    #expect(outcome.obstacles.first?.frame == FrameNumber(7) && !outcome.isPossible)
  }

  @Test(arguments: rules) func poolPages(policy: ContiguousPolicy) {
    func outcome(_ huge: RangeContents.HugePages, _ rule: RangeRule) -> RangeOutcome {
      rule.outcome(
        contents {
          $0.hugePages = huge
          $0.hugeFrames = FrameCount(512)
        })
    }
    let gigantic = RangeRule(for: Order(18), topOrder: Order(10), policy)
    #expect(outcome(.whole, gigantic).kind == .held)
    #expect(outcome(.larger, gigantic).kind == .blocked)
    #expect(outcome(.smaller, gigantic).kind == (policy.hugePages == .migrate ? .movable : .blocked))
    // Compaction never moves a pool's page.
    let huge = RangeRule(for: Order(9), topOrder: Order(10), policy)
    #expect(outcome(.smaller, huge).obstacles[.hugePage] == FrameCount(512))
  }

  @Test func zonesThatAreNotSearchedAreExcluded() {
    var policy = ContiguousPolicy()
    policy.searchesMovableZones = false
    let gigantic = RangeRule(for: Order(18), topOrder: Order(10), policy)
    #expect(!gigantic.searches(.movable) && gigantic.searches(.normal))
    #expect(RangeRule(for: Order(9), topOrder: Order(10), policy).searches(.movable))
    #expect(gigantic.outcome(RangeContents(), isSearched: false).kind == .excluded)
  }

  @Test func kindsOfFoliosAreObstacles() {
    #expect(RangeRule.obstacle(FrameShape(.ordinary, mobility: .movable)) == nil)
    #expect(RangeRule.obstacle(FrameShape(.ordinary, mobility: .reclaimable)) == .reclaimable)
    #expect(RangeRule.obstacle(FrameShape(.pageTable)) == .pageTable)
    #expect(RangeRule.obstacle(FrameShape(.hugePool)) == nil)
  }
}
