import Testing

/// Where pages come from when there are too few: overcommit, subpools, nodes.
@Suite struct SupplyTests {
  @Test(arguments: HugeCase.all + HugeCase.everySize) func surplusComesAndGoes(_ at: HugeCase) throws {
    try at.run(
      """
      pool 1                       | 1 1 0 0
      overcommit 2                 | 1 1 0 0
      space p                      | 1 1 0 0
      p map a 2                    | 2 2 2 1
      p write a 0..2               | 2 0 0 1
      p map b 1 noreserve          | 2 0 0 1
      p write b 0                  | 3 0 0 2
      p map c 1 !notReserved       | 3 0 0 2
      p map c 1 noreserve          | 3 0 0 2
      p write c 0 !noHugePage      | 3 0 0 2
      p unmap b                    | 2 0 0 1
      p write c 0                  | 3 0 0 2
      p unmap c                    | 2 0 0 1
      overcommit 0                 | 2 0 0 1
      p unmap a 0                  | 1 0 0 0
      p unmap a                    | 1 1 0 0
      p map a 2 !notReserved       | 1 1 0 0
      """)
  }

  @Test(arguments: HugeCase.all) func unusedSurplusGoesWithItsReservation(_ at: HugeCase) throws {
    try at.run(
      """
      overcommit 6                 | 0 0 0 0
      space p                      | 0 0 0 0
      file f 3                     | 0 0 0 0
      p share a 3 f 0              | 3 3 3 3
      p write a 0                  | 3 2 2 3
      p map b 2                    | 5 4 4 5
      p map c 2 !notReserved       | 5 4 4 5
      p unmap b                    | 3 2 2 3
      truncate f 1                 | 1 0 0 1
      delete f                     | 1 0 0 1
      p unmap a                    | 0 0 0 0
      p map b 2                    | 2 2 2 2
      pool 1                       | 2 2 2 1
      pool 3                       | 3 3 2 0
      p write b 0                  | 3 2 1 0
      """)
  }

  @Test(arguments: HugeCase.all) func aPoolShrunkBelowItsUseHasSurplus(_ at: HugeCase) throws {
    try at.run(
      """
      pool 6               | 6 6 0 0
      space p              | 6 6 0 0
      p map a 4            | 6 6 4 0
      p write a 0..3       | 6 3 1 0
      pool 2               | 4 1 1 2
      p write a 3          | 4 0 0 2
      p unmap a 0          | 3 0 0 1
      p unmap a 1          | 2 0 0 0
      p unmap a 2          | 2 1 0 0
      pool 0               | 1 0 0 1
      pool 4               | 4 3 0 0
      p unmap a            | 4 4 0 0
      """)
  }

  @Test(arguments: HugeCase.all) func aSubpoolHasAMaximum(_ at: HugeCase) throws {
    try at.run(
      """
      pool 8                         | 8 8 0 0
      subpool s 3 0 f 4              | 8 8 0 0
      space p                        | 8 8 0 0
      p share a 4 f 0 !notReserved.subpoolFull | 8 8 0 0
      p share a 3 f 0                | 8 8 3 0
      p share b 1 f 3 !notReserved.subpoolFull | 8 8 3 0
      p share b 4 f 0 noreserve      | 8 8 3 0
      p write b 3 !noHugePage.subpoolFull | 8 8 3 0
      p write b 0..3                 | 8 5 0 0
      p private c 1 f 0 !notReserved.subpoolFull | 8 5 0 0
      punch f 1                      | 8 6 0 0
      p write b 3                    | 8 5 0 0
      p write b 1 !noHugePage.subpoolFull | 8 5 0 0
      truncate f 2                   | 8 7 0 0
      p private c 1 f 0              | 8 7 1 0
      p write c 0                    | 8 6 0 0
      p write b 1                    | 8 5 0 0
      fork p d                       | 8 5 0 0
      d write c 0 !noHugePage.subpoolFull | 8 5 0 0
      close s                        | 8 5 0 0
      """)
  }

  @Test(arguments: HugeCase.all) func aSubpoolKeepsItsMinimum(_ at: HugeCase) throws {
    try at.run(
      """
      pool 5                         | 5 5 0 0
      subpool s - 3 f 4              | 5 5 3 0
      space p                        | 5 5 3 0
      p map a 3 !notReserved         | 5 5 3 0
      p share b 2 f 0                | 5 5 3 0
      p write b 0                    | 5 4 2 0
      p map a 2                      | 5 4 4 0
      p share c 4 f 0 !notReserved   | 5 4 4 0
      p unmap a                      | 5 4 2 0
      p share c 4 f 0                | 5 4 3 0
      p write c 0..4                 | 5 1 0 0
      truncate f 1                   | 5 4 3 0
      truncate f 0                   | 5 5 3 0
      p share d 1 f 0 noreserve      | 5 5 3 0
      p write d 0                    | 5 4 2 0
      p unmap b                      | 5 4 2 0
      close s                        | 5 4 2 0
      """)
  }

  @Test(arguments: HugeCase.all) func aReservationKnowsNoNodes(_ at: HugeCase) throws {
    try at.run(
      """
      pool 4                       | 4 4 0 0 | nodes: 2 2
      space p                      | 4 4 0 0 | nodes: 2 2
      p map a 3 bind:1             | 4 4 3 0 | nodes: 2 2
      p write a 0..2               | 4 2 1 0 | nodes: 2 0
      p write a 2 !noHugePage      | 4 2 1 0 | nodes: 2 0
      p map b 1                    | 4 2 2 0 | nodes: 2 0
      p write b 0                  | 4 1 1 0 | nodes: 1 0
      p unmap a 0                  | 4 2 1 0 | nodes: 1 1
      p write a 2                  | 4 1 0 0 | nodes: 1 0
      overcommit 1                 | 4 1 0 0 | nodes: 1 0
      p map c 1 bind:1             | 4 1 1 0 | nodes: 1 0
      p write c 0                  | 5 1 0 1 | nodes: 1 0
      p unmap c                    | 4 1 0 0 | nodes: 1 0
      p map d 1 prefer:1           | 4 1 1 0 | nodes: 1 0
      p write d 0                  | 4 0 0 0 | nodes: 0 0
      """, nodes: 2)
  }

  @Test(arguments: HugeCase.all) func pagesAreInterleaved(_ at: HugeCase) throws {
    try at.run(
      """
      pool 8                           | 8 8 0 0 | nodes: 4 4
      space p                          | 8 8 0 0
      file f 6                         | 8 8 0 0
      p share a 6 f 0 interleave:0,1   | 8 8 6 0
      p write a 1                      | 8 7 5 0 | nodes: 4 3
      p write a 3                      | 8 6 4 0 | nodes: 4 2
      p write a 0                      | 8 5 3 0 | nodes: 3 2
      p write a 5                      | 8 4 2 0 | nodes: 3 1
      p write a 2                      | 8 3 1 0 | nodes: 2 1
      p write a 4                      | 8 2 0 0 | nodes: 1 1
      p map b 2 bind:1,0               | 8 2 2 0
      p write b 0                      | 8 1 1 0 | nodes: 1 0
      p write b 1                      | 8 0 0 0 | nodes: 0 0
      """, nodes: 2)
  }
}
