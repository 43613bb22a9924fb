/** The thread of SQLite files is kept as text, which must say what its source says. */
import { assert, it } from "@effect/vitest"
import { workerTextNow } from "../../scripts/workerText.ts"
import { workerText } from "../../src/Projection/SqliteWorkerText.ts"

it("the text of the SQLite thread matches its source: `npm run worker-text` writes it", () => {
  assert.isTrue(workerText === workerTextNow(), "SqliteWorkerText.ts is older than its source")
})
