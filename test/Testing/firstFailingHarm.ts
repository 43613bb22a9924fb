/** Prints the first seed whose harm breaks a promise, as JSON: `node firstFailingHarm.ts <from> <count>`. The mutation tests run it with a fault in the sources. */

import { run } from "./Harm.ts"
import { failureOf } from "./HarmVerdict.ts"
import { printFirstFailing } from "./SeedSearch.ts"

export const done = printFirstFailing(run, failureOf)
