/** Prints the first seed whose erasures leave something, as JSON: `node firstFailingErase.ts <from> <count>`. The mutation tests run it with a fault in the sources. */

import { run } from "./EraseRun.ts"
import { printFirstFailing } from "./SeedSearch.ts"

export const done = printFirstFailing(run)
