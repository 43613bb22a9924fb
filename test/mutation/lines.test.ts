/** Every line that a test of this folder breaks is where the test looks for it. All that are not are told at once, in a moment. */
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import type { Mutation } from "../Mutation.ts"
import { brokenChanges } from "./brokenChanges.ts"
import { promises } from "./brokenCommands.ts"
import { brokenFiles } from "./brokenFiles.ts"
import { brokenSight } from "./brokenSight.ts"
import { brokenSql } from "./brokenSql.ts"
import { brokenRows } from "./consensusRows.ts"
import { plantedEraseFaults } from "./plantedEraseFaults.ts"
import { plantedFaults } from "./plantedFaults.ts"
import { plantedFollowFaults } from "./plantedFollowFaults.ts"
import { plantedInScopes } from "./plantedInScopes.ts"
import { plantedRepairFaults } from "./plantedRepairFaults.ts"
import { plantedShellFaults } from "./plantedShellFaults.ts"
import { plantedSightFaults } from "./plantedSightFaults.ts"
import { plantedUpgradeFaults } from "./plantedUpgradeFaults.ts"

const root = fileURLToPath(new URL("../../", import.meta.url))

const all: ReadonlyArray<Mutation> = [
  ...Object.values(promises),
  ...Object.values(brokenChanges),
  ...brokenFiles,
  ...brokenRows,
  ...Object.values(brokenSight),
  ...Object.values(brokenSql),
  ...plantedEraseFaults,
  ...plantedFaults,
  ...plantedFollowFaults,
  ...plantedInScopes,
  ...plantedRepairFaults,
  ...plantedShellFaults,
  ...plantedSightFaults,
  ...plantedUpgradeFaults
]

describe("the lines that are broken", () => {
  it("stand each exactly once in their files, and are changed", () => {
    const wrong = all.flatMap(({ file, find, replace }) => {
      const count = readFileSync(`${root}${file}`, "utf8").split(find).length - 1
      return count === 1 && find !== replace ? [] : [`${file} holds this ${count} times, and not once: ${find}`]
    })
    assert.deepStrictEqual(wrong, [])
  })
})
