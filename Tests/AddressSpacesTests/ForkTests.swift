import Testing

/// Forks: who gets a copy, at whose cost, and who loses a page.
@Suite struct ForkTests {
  @Test(arguments: HugeCase.all + HugeCase.everySize) func whoWritesFirstGetsTheCopy(_ at: HugeCase) throws {
    try at.run(
      """
      pool 6          | 6 6 0 0
      space p         | 6 6 0 0
      p map a 3       | 6 6 3 0
      p write a 0..2  | 6 4 1 0
      fork p c        | 6 4 1 0
      c read a 0      | 6 4 1 0
      p read a 1      | 6 4 1 0
      c write a 0     | 6 3 1 0
      p write a 0     | 6 3 1 0
      p write a 1     | 6 2 1 0
      c write a 1     | 6 2 1 0
      c write a 2     | 6 1 1 0
      p write a 2     | 6 0 0 0
      end c           | 6 3 0 0
      p write a 0..3  | 6 3 0 0
      """)
  }

  @Test(arguments: HugeCase.all) func theParentGoesOnAndTheChildLosesThePage(_ at: HugeCase) throws {
    try at.run(
      """
      pool 2                    | 2 2 0 0
      space p                   | 2 2 0 0
      p map a 2                 | 2 2 2 0
      p write a 0..2            | 2 0 0 0
      fork p c                  | 2 0 0 0
      c write a 0 !noHugePage   | 2 0 0 0
      p write a 0               | 2 0 0 0
      c read a 0 !lostPage      | 2 0 0 0
      c write a 0 !lostPage     | 2 0 0 0
      c read a 1                | 2 0 0 0
      p unmap a 0               | 2 1 0 0
      c read a 0 !lostPage      | 2 1 0 0
      c write a 1               | 2 0 0 0
      end p                     | 2 1 0 0
      c read a 1                | 2 1 0 0
      """)
  }

  @Test(arguments: HugeCase.all) func everyChildLosesThePage(_ at: HugeCase) throws {
    try at.run(
      """
      pool 1                    | 1 1 0 0
      space p                   | 1 1 0 0
      p map a 1                 | 1 1 1 0
      p write a 0               | 1 0 0 0
      fork p c                  | 1 0 0 0
      fork c d                  | 1 0 0 0
      d write a 0 !noHugePage   | 1 0 0 0
      p write a 0               | 1 0 0 0
      c read a 0 !lostPage      | 1 0 0 0
      d read a 0 !lostPage      | 1 0 0 0
      fork c e                  | 1 0 0 0
      e read a 0 !lostPage      | 1 0 0 0
      end p                     | 1 1 0 0
      d write a 0 !lostPage     | 1 1 0 0
      """)
  }

  @Test(arguments: HugeCase.all) func whatIsReservedStaysTheParents(_ at: HugeCase) throws {
    try at.run(
      """
      pool 2                    | 2 2 0 0
      space p                   | 2 2 0 0
      p map a 2                 | 2 2 2 0
      fork p c                  | 2 2 2 0
      c write a 0 !noHugePage   | 2 2 2 0
      c read a 1 !noHugePage    | 2 2 2 0
      p write a 0               | 2 1 1 0
      c write a 0 !noHugePage   | 2 1 1 0
      end p                     | 2 2 0 0
      c write a 0..2            | 2 0 0 0
      """)
  }

  @Test(arguments: HugeCase.all) func withoutReservationTheParentFailsToo(_ at: HugeCase) throws {
    try at.run(
      """
      pool 1                    | 1 1 0 0
      space p                   | 1 1 0 0
      p map a 1 noreserve       | 1 1 0 0
      p write a 0               | 1 0 0 0
      fork p c                  | 1 0 0 0
      p write a 0 !noHugePage   | 1 0 0 0
      c write a 0 !noHugePage   | 1 0 0 0
      p read a 0                | 1 0 0 0
      end c                     | 1 0 0 0
      p write a 0               | 1 0 0 0
      """)
  }

  @Test(arguments: HugeCase.all) func adviceSaysWhatForksGet(_ at: HugeCase) throws {
    try at.run(
      """
      pool 6                        | 6 6 0 0
      space p                       | 6 6 0 0
      p map a 3                     | 6 6 3 0
      p write a 0..3                | 6 3 0 0
      p advise a 0..1 leftOut       | 6 3 0 0
      p advise a 1..2 empty         | 6 3 0 0
      fork p c                      | 6 3 0 0
      c read a 0 !noMapping         | 6 3 0 0
      c write a 1                   | 6 2 0 0
      c read a 2                    | 6 2 0 0
      end c                         | 6 3 0 0
      p advise a 0..1 notLeftOut    | 6 3 0 0
      p advise a 0..2 notEmpty      | 6 3 0 0
      fork p d                      | 6 3 0 0
      d read a 0..3                 | 6 3 0 0
      file f 2                      | 6 3 0 0
      p share s 1 f 0               | 6 3 1 0
      p advise s 0 empty !unsuitable | 6 3 1 0
      p private t 1 f 1             | 6 3 2 0
      p advise t 0 empty !unsuitable | 6 3 2 0
      """)
  }

  @Test(arguments: HugeCase.all) func aPageThatIsPinnedStaysTheParents(_ at: HugeCase) throws {
    try at.run(
      """
      pool 4                     | 4 4 0 0
      space p                    | 4 4 0 0
      p map a 2                  | 4 4 2 0
      p pin l a 0..2 write       | 4 2 0 0
      fork p c                   | 4 0 0 0
      p write a 0..2             | 4 0 0 0
      c write a 0..2             | 4 0 0 0
      fork p d !noHugePage       | 4 0 0 0
      p write a 0                | 4 0 0 0
      unpin l                    | 4 0 0 0
      fork p d                   | 4 0 0 0
      """)
  }

  @Test(arguments: MemoryModels.all) func eachSeesItsOwn(_ at: HugeCase) throws {
    try HugeCase.runWithContents(
      """
      pool 5               | 5 5 0 0
      space p              | 5 5 0 0
      p map a 2            | 5 5 2 0
      p put a 0 1          | 5 4 1 0
      p put a 1 2          | 5 3 0 0
      p map s 3 size:base  | 5 3 0 0
      p put s 0 3          | 5 3 0 0
      fork p c             | 5 3 0 0
      c see a 0 1          | 5 3 0 0
      c put a 0 11         | 5 2 0 0
      p see a 0 1          | 5 2 0 0
      p put a 1 22         | 5 1 0 0
      c see a 1 2          | 5 1 0 0
      c put s 0 33         | 5 1 0 0
      p see s 0 3          | 5 1 0 0
      c see a 0 11         | 5 1 0 0
      p see a 1 22         | 5 1 0 0
      end p                | 5 3 0 0
      c see a 1 2          | 5 3 0 0
      c see s 0 33         | 5 3 0 0
      """, model: at.model)
  }

  @Test(arguments: MemoryModels.all) func whatAPinReachesIsWhatTheParentSees(_ at: HugeCase) throws {
    try HugeCase.runWithContents(
      """
      pool 4                     | 4 4 0 0
      space p                    | 4 4 0 0
      p map a 2                  | 4 4 2 0
      p put a 0 1                | 4 3 1 0
      p pin l a 0..0~            | 4 3 1 0
      fork p c                   | 4 2 1 0
      poke l 2                   | 4 2 1 0
      p read a 0                 | 4 2 1 0
      peek l 2                   | 4 2 1 0
      p put a 0 3                | 4 2 1 0
      peek l 3                   | 4 2 1 0
      c see a 0 1                | 4 2 1 0
      p protect a 0 r            | 4 2 1 0
      poke l 4                   | 4 2 1 0
      peek l 4                   | 4 2 1 0
      p protect a 0 rw           | 4 2 1 0
      p put a 0 5                | 4 2 1 0
      peek l 5                   | 4 2 1 0
      p unmap a                  | 4 2 0 0
      peek l 5                   | 4 2 0 0
      poke l 6                   | 4 2 0 0
      unpin l                    | 4 3 0 0
      unpin l !notPinned         | 4 3 0 0
      """, model: at.model)
  }
}
