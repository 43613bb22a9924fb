/**
 * What the simulator and the runs under harm are worth: faults of one line, planted in the sources, are found in
 * so many runs. docs/testing.md.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { output } from "../Mutation.ts"
import { plantedEraseFaults } from "./plantedEraseFaults.ts"
import { type PlantedFault, plantedFaults } from "./plantedFaults.ts"
import { plantedFollowFaults } from "./plantedFollowFaults.ts"
import { plantedRepairFaults } from "./plantedRepairFaults.ts"
import { plantedShellFaults } from "./plantedShellFaults.ts"
import { plantedSightFaults } from "./plantedSightFaults.ts"
import { plantedUpgradeFaults } from "./plantedUpgradeFaults.ts"

const finds = (module: string, faults: ReadonlyArray<PlantedFault>): void => {
  for (const { breaks, fromSeed = 1, name, seedsCount, ...mutation } of faults) {
    it.live(`finds from run ${fromSeed} on, within ${seedsCount}, that ${name} (${breaks})`, () =>
      Effect.gen(function* () {
        const found = JSON.parse(yield* output(mutation, module, [`${fromSeed}`, `${seedsCount}`]))
        assert.isNotNull(found)
        assert.isString(found.failure)
      })
    )
  }
}

describe.concurrent("simulator", () => finds("test/Testing/firstFailing.ts", plantedFaults))

describe.concurrent("repair from peers", () => finds("test/Testing/firstFailing.ts", plantedRepairFaults))

describe.concurrent("readers under random rules", () => finds("test/Testing/firstFailing.ts", plantedSightFaults))

describe.concurrent("a TestCluster under harm", () => finds("test/Testing/firstFailingHarm.ts", plantedShellFaults))

describe.concurrent("followers", () => finds("test/Testing/firstFailingFollow.ts", plantedFollowFaults))

describe.concurrent("erasures", () => finds("test/Testing/firstFailingErase.ts", plantedEraseFaults))

describe.concurrent("rolling upgrades", () => finds("test/Testing/firstFailingUpgrade.ts", plantedUpgradeFaults))
