/** Prints the first seed whose followers are told something wrong, as JSON: `node firstFailingFollow.ts <from> <count>`. The mutation tests run it with a fault in the sources. */

import { run } from "./FollowRun.ts"
import { printFirstFailing } from "./SeedSearch.ts"

export const done = printFirstFailing(run)
