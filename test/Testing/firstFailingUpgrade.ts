/** Prints the first seed whose upgrade breaks a promise, as JSON: `node firstFailingUpgrade.ts <from> <count>`. The mutation tests run it with a fault in the sources. */
import { printFirstFailing } from "./SeedSearch.ts"
import { run } from "./UpgradeRun.ts"

export const done = printFirstFailing(run)
